/** Moments and lengths of time in the user's own language and time zone. */
import { Tooltip } from "@fluentui/react-components";
import { useSyncExternalStore } from "react";

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const TO_THE_MINUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Number.POSITIVE_INFINITY],
];

/** A moment as the distance from now: "5 minutes ago". */
export function relative(moment: Date, now: number): string {
  let distance = (moment.getTime() - now) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(distance) < size - 0.5) return RELATIVE.format(Math.round(distance), unit);
    distance /= size;
  }
  return ABSOLUTE.format(moment);
}

/** A moment in full, to the second. */
export function absolute(moment: Date): string {
  return ABSOLUTE.format(moment);
}

/** A moment that somebody chose: to the minute. */
export function toTheMinute(moment: Date): string {
  return TO_THE_MINUTE.format(moment);
}

/** Milliseconds as two units at most: "2 h 5 min". */
export function length(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 1) return `${Math.max(0, Math.round(milliseconds / 1000))} s`;
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), minutes % 60];
  const parts = days ? [`${days} d`, hours && `${hours} h`] : [hours && `${hours} h`, rest && `${rest} min`];
  return parts.filter(Boolean).join(" ");
}

const TICK = 15_000;
const listeners = new Set<() => void>();
let current = Date.now();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    current = Date.now();
    for (const each of listeners) each();
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The present moment, renewed every 15 seconds for all who ask by one timer. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => current);
}

/** A moment as the distance from now, in full on hover and for screen readers. */
export function Time(props: {
  /** RFC 3339. */
  value: string | null | undefined;
  none?: string;
  /** Said in place of "ago" once it has come. */
  due?: string;
}) {
  const { value, none = "never", due } = props;
  const ticked = Math.max(useNow(), Date.now() - TICK);
  if (!value) return <span>{none}</span>;
  const moment = new Date(value);
  // What happened since the last tick is past: "now", not "in 5 seconds".
  const now = Math.max(ticked, Math.min(moment.getTime(), Date.now()));
  return (
    <Tooltip content={absolute(moment)} relationship="description">
      <time dateTime={value}>{due && moment.getTime() <= now ? due : relative(moment, now)}</time>
    </Tooltip>
  );
}
