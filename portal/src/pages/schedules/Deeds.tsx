/** Asking before a schedule is switched, approved, kept off, or deleted. */
import { Field, Input } from "@fluentui/react-components";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import type { Schedule } from "./words";

export type Deed = "enable" | "disable" | "approve" | "keepOn" | "endKeepOn" | "delete";

const WORDS: Record<Deed, { title: string; verb: string; done: string; effect: string }> = {
  enable: {
    title: "Switch on",
    verb: "Switch on",
    done: "Switched on",
    effect: "It runs at its next time. It is yours from then on: it acts in the sites that you see, as long as you do.",
  },
  disable: {
    title: "Switch off",
    verb: "Switch off",
    done: "Switched off",
    effect:
      "It runs no more until somebody switches it on. What keeps its devices on ends too, and what it has begun goes on.",
  },
  approve: {
    title: "Approve",
    verb: "Approve",
    done: "Approved",
    effect: "It runs from now on as it is. Another action, target or time needs an approval anew.",
  },
  keepOn: {
    title: "Keep on",
    verb: "Keep on",
    done: "Kept on",
    effect:
      "Stops, pauses and restarts of it are skipped until then. A stop or pause that was skipped is done at the end.",
  },
  endKeepOn: {
    title: "Keep on no longer",
    verb: "End it now",
    done: "Kept on no longer",
    effect:
      "Every time that its devices are kept on ends now. A stop or pause that was skipped is done within two minutes.",
  },
  delete: {
    title: "Delete",
    verb: "Delete the schedule",
    done: "Deleted",
    effect:
      "The schedule is removed and runs no more. What it has begun goes on; the list of its runs is no longer shown.",
  },
};

/** `etag`: of the schedule as it is shown, so that what somebody changed meanwhile is not acted upon. */
export function DeedDialog(props: {
  deed: Deed;
  schedule: Schedule;
  etag?: string | undefined;
  close: () => void;
  done?: () => void;
}) {
  const { api } = useSession();
  const { deed, schedule, etag } = props;
  const [until, setUntil] = useState("");
  const words = WORDS[deed];
  const path = { schedule_id: schedule.id };
  const headers = etag ? { "If-Match": etag } : {};
  const run = async ({ why, key }: { why: object; key: string }) => {
    const header = { "Idempotency-Key": key };
    switch (deed) {
      case "enable":
      case "disable": {
        const { name, action, timeZone, rule, startAt, holidays, target, confirm } = schedule;
        const kept = { name, action, timeZone, rule, startAt, holidays, target, confirm };
        const body = { ...kept, enabled: deed === "enable", ...why };
        return api.PUT("/api/schedules/{schedule_id}", { params: { path }, headers, body });
      }
      case "approve":
        return api.POST("/api/schedules/{schedule_id}/approve", { params: { path, header }, headers, body: why });
      case "keepOn": {
        const body = { ...why, until: new Date(until).toISOString() };
        return api.POST("/api/schedules/{schedule_id}/override", { params: { path, header }, body });
      }
      case "endKeepOn":
        return api.DELETE("/api/schedules/{schedule_id}/override", { params: { path, query: why } });
      case "delete": {
        await api.DELETE("/api/schedules/{schedule_id}", { params: { path, query: why }, headers });
        props.done?.();
      }
    }
  };
  return (
    <Ask
      title={`${words.title}: ${schedule.name}`}
      verb={words.verb}
      done={`${words.done}: ${schedule.name}`}
      why
      wanting={deed === "keepOn" && !until ? "Say until when." : undefined}
      close={props.close}
      run={run}
    >
      <div>{words.effect}</div>
      {deed === "keepOn" && (
        <Field label="Until" required hint="Your local time; at most 31 days from now.">
          <Input type="datetime-local" value={until} onChange={(_, data) => setUntil(data.value)} />
        </Field>
      )}
    </Ask>
  );
}
