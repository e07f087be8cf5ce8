import { Checkbox, Dropdown, Field, Input, Option, Radio, RadioGroup } from "@fluentui/react-components";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import type { DeedProps } from "./DeedDialogs";

const LENGTHS = [
  [30, "30 minutes"],
  [60, "1 hour"],
  [120, "2 hours"],
  [240, "4 hours"],
  [480, "8 hours"],
  [1440, "1 day"],
  [4320, "3 days"],
  [10_080, "1 week"],
  [43_200, "30 days"],
] as const;
type Ends = "after" | "at" | "change" | "over";

/** Silence an alert for a while. */
export function SnoozeDialog({ alert, close }: DeedProps) {
  const { api } = useSession();
  const [ends, setEnds] = useState<Ends>("after");
  const [minutes, setMinutes] = useState(60);
  const [at, setAt] = useState("");
  const [orChange, setOrChange] = useState(false);
  const timed = ends === "after" || ends === "at";
  const wanting = ends === "at" ? missing(at) : undefined;
  return (
    <Ask
      title={`Snooze ${alert.title}`}
      verb="Snooze"
      why
      wanting={wanting}
      run={({ why, key }) =>
        api.POST("/api/alerts/{alert_id}/snooze", {
          params: { path: { alert_id: alert.id }, header: { "Idempotency-Key": key } },
          body: {
            ...why,
            ...(ends === "after" && { minutes }),
            ...(ends === "at" && { until: new Date(at).toISOString() }),
            untilChange: ends === "change" || (timed && orChange),
          },
        })
      }
      done="Snoozed"
      close={close}
    >
      <div>
        While it is snoozed nobody is told of it: no ticket opens, and none gets a note. It still closes by itself.
      </div>
      <Field label="It ends">
        <RadioGroup value={ends} onChange={(_, data) => setEnds(data.value as Ends)}>
          <Radio value="after" label="After a while" />
          <Radio value="at" label="At a time" />
          <Radio value="change" label="When its status changes" />
          <Radio value="over" label="When it is over" />
        </RadioGroup>
      </Field>
      {ends === "after" && (
        <Field label="For how long">
          <Dropdown
            value={LENGTHS.find(([length]) => length === minutes)?.[1] ?? ""}
            selectedOptions={[String(minutes)]}
            onOptionSelect={(_, data) => setMinutes(Number(data.optionValue))}
          >
            {LENGTHS.map(([length, label]) => (
              <Option key={length} value={String(length)} text={label}>
                {label}
              </Option>
            ))}
          </Dropdown>
        </Field>
      )}
      {ends === "at" && (
        <Field label="Until" hint="In your own time zone, at most 90 days from now.">
          <Input type="datetime-local" value={at} onChange={(_, data) => setAt(data.value)} />
        </Field>
      )}
      {timed && (
        <Checkbox
          checked={orChange}
          onChange={(_, data) => setOrChange(data.checked === true)}
          label="Or when its status changes, if that is sooner"
        />
      )}
    </Ask>
  );
}

function missing(at: string): string | undefined {
  if (!at) return "Choose when it ends.";
  return new Date(at).getTime() <= Date.now() ? "The end is to come." : undefined;
}
