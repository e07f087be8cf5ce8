/** A schedule while it is being written. */
import type { components } from "../../api/schema";
import type { Verb } from "../devices/actions";
import { type Calendar, calendarOf, ruleOf } from "./rule";
import type { Schedule, Target } from "./words";

export type TargetFilter = NonNullable<Target["filter"]>;

export interface Draft {
  name: string;
  action: Verb;
  timeZone: string;
  calendar: Calendar;
  /** Of the local time: "2026-12-01". */
  day: string;
  /** "19:00" */
  time: string;
  holidays: readonly string[];
  by: "devices" | "filter";
  deviceIds: readonly string[];
  filter: TargetFilter;
  /** Lines of `name=value`. */
  tags: string;
  enabled: boolean;
  confirm: boolean;
}

export function draftOf(before: Schedule | undefined): Draft {
  if (before === undefined) {
    return {
      name: "",
      action: "stop",
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      calendar: { kind: "week", days: ["MO", "TU", "WE", "TH", "FR"] },
      day: today(),
      time: "19:00",
      holidays: [],
      by: "filter",
      deviceIds: [],
      filter: {},
      tags: "",
      enabled: true,
      confirm: false,
    };
  }
  const { tags = {}, ...filter } = before.target.filter ?? {};
  const { name, action, timeZone, startAt, holidays, enabled, confirm } = before;
  return {
    name,
    action,
    timeZone,
    calendar: calendarOf(before.rule),
    day: startAt.slice(0, 10),
    time: startAt.slice(11, 16),
    holidays,
    by: before.target.deviceIds ? "devices" : "filter",
    deviceIds: before.target.deviceIds ?? [],
    filter,
    tags: Object.entries(tags)
      .map(([tag, value]) => `${tag}=${value}`)
      .join("\n"),
    enabled,
    confirm,
  };
}

export function bodyOf(draft: Draft): components["schemas"]["ScheduleBody"] {
  const { name, action, timeZone, holidays, enabled, confirm } = draft;
  const tags = tagsOf(draft.tags);
  const filter = { ...draft.filter, ...(Object.keys(tags).length > 0 && { tags }) };
  return {
    name: name.trim(),
    action,
    timeZone,
    rule: ruleOf(draft.calendar),
    startAt: `${draft.day}T${draft.time}`,
    holidays: [...holidays],
    target: draft.by === "devices" ? { deviceIds: [...draft.deviceIds] } : { filter },
    enabled,
    confirm,
  };
}

/** Names and values of tags out of lines; what has no `=` is a name with an empty value. */
function tagsOf(lines: string): Record<string, string> {
  const pairs = lines
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line): [string, string] => {
      const [name = "", ...value] = line.split("=");
      return [name.trim(), value.join("=").trim()];
    });
  return Object.fromEntries(pairs);
}

/** What has to be filled in before it can be sent. */
export function wanting(draft: Draft): string | undefined {
  if (!draft.name.trim()) return "Give it a name.";
  if (!draft.day || !draft.time) return "Say from which day, and at what time.";
  if (draft.calendar.kind === "week" && draft.calendar.days.length === 0) return "Choose at least one day.";
  if (draft.calendar.kind === "rule" && !draft.calendar.rule.trim()) return "Write a rule.";
  if (draft.by === "devices" && draft.deviceIds.length === 0) return "Choose at least one device.";
  const narrowed = Object.values(draft.filter).some((value) => Object.keys(value).length > 0) || draft.tags.trim();
  if (draft.by === "filter" && !narrowed) return "Set the filter: a schedule for every device is never meant.";
  return undefined;
}

function today(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
