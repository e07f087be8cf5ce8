/** Making a maintenance window. */
import { Field, Input, makeStyles, Radio, RadioGroup, Textarea, tokens } from "@fluentui/react-components";
import { useState } from "react";
import { asApiError } from "../../api/errors";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { DevicePicker } from "../../ui/DevicePicker";
import { problem } from "../../ui/problem";
import { SitePicker } from "../../ui/sites";
import { length } from "../../ui/time";
import { ZONE } from "./words";

const useStyles = makeStyles({
  times: {
    display: "grid",
    gap: `${tokens.spacingVerticalM} ${tokens.spacingHorizontalM}`,
    gridTemplateColumns: "repeat(auto-fit, minmax(min(14rem, 100%), 1fr))",
  },
});
const MOST_DEVICES = 200;
const HOUR = 3_600_000;
const LONGEST = 31 * 24 * HOUR;

interface Draft {
  by: "sites" | "devices";
  siteIds: readonly string[];
  deviceIds: readonly string[];
  /** Local times, as a field of the browser has them. */
  startAt: string;
  endAt: string;
  reason: string;
  ticketNumber: string;
}

export function NewWindowDialog({ close }: { close: () => void }) {
  const styles = useStyles();
  const { api } = useSession();
  const [draft, setDraft] = useState<Draft>(blank);
  const [error, setError] = useState<ReturnType<typeof asApiError>>();
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const about = (field: string) => problem(error?.about(field));
  const lasting = lastingOf(draft);
  const wrongEnd = wrongEndOf(draft);
  return (
    <Ask
      title="New maintenance window"
      verb="Make the window"
      done="The maintenance window is made"
      wanting={wanting(draft) ?? wrongEnd}
      close={close}
      run={async ({ key }) => {
        setError(undefined);
        try {
          await api.POST("/api/maintenance", {
            params: { header: { "Idempotency-Key": key } },
            body: {
              ...(draft.by === "sites" ? { siteIds: [...draft.siteIds] } : { deviceIds: [...draft.deviceIds] }),
              startAt: new Date(draft.startAt).toISOString(),
              endAt: new Date(draft.endAt).toISOString(),
              reason: draft.reason.trim(),
              ...(draft.ticketNumber.trim() && { ticketNumber: draft.ticketNumber.trim() }),
            },
          });
        } catch (thrown) {
          setError(asApiError(thrown));
          throw thrown;
        }
      }}
    >
      <div>
        What goes down in the window opens no ticket. What is not back in time after it gets one that says so; the alert
        policy says how long that is. What was down before keeps its ticket.
      </div>
      <Field label="It is about">
        <RadioGroup
          layout="horizontal"
          value={draft.by}
          onChange={(_, data) => change({ by: data.value === "sites" ? "sites" : "devices" })}
        >
          <Radio value="sites" label="Every device of sites" />
          <Radio value="devices" label="Single devices" />
        </RadioGroup>
      </Field>
      {draft.by === "sites" ? (
        <SitePicker
          required
          value={draft.siteIds}
          onChange={(siteIds) => change({ siteIds })}
          error={error?.about("siteIds")}
        />
      ) : (
        <DevicePicker
          ids={draft.deviceIds}
          set={(deviceIds) => change({ deviceIds })}
          most={MOST_DEVICES}
          error={error?.about("deviceIds")}
        />
      )}
      <div className={styles.times}>
        <Field label="Start" required hint={`Time zone: ${ZONE}.`} {...about("startAt")}>
          <Input type="datetime-local" value={draft.startAt} onChange={(_, data) => change({ startAt: data.value })} />
        </Field>
        <Field
          label="End"
          required
          hint={lasting > 0 ? `It lasts ${length(lasting)}; 31 days at most.` : "31 days after the start at most."}
          {...(wrongEnd ? problem(wrongEnd) : about("endAt"))}
        >
          <Input type="datetime-local" value={draft.endAt} onChange={(_, data) => change({ endAt: data.value })} />
        </Field>
      </div>
      <Field label="What is done" required hint="Shown at every alert that stays silent." {...about("reason")}>
        <Textarea
          maxLength={500}
          resize="vertical"
          value={draft.reason}
          onChange={(_, data) => change({ reason: data.value })}
        />
      </Field>
      <Field label="Ticket number" {...about("ticketNumber")}>
        <Input
          maxLength={100}
          value={draft.ticketNumber}
          onChange={(_, data) => change({ ticketNumber: data.value })}
        />
      </Field>
    </Ask>
  );
}

function blank(): Draft {
  const now = Date.now();
  return {
    by: "sites",
    siteIds: [],
    deviceIds: [],
    startAt: local(now),
    endAt: local(now + HOUR),
    reason: "",
    ticketNumber: "",
  };
}

/** A moment as a field of the browser has it: local, to the minute. */
function local(moment: number): string {
  const at = new Date(moment);
  return new Date(moment - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Milliseconds from start to end; NaN while one of them is not given. */
function lastingOf({ startAt, endAt }: Draft): number {
  return new Date(endAt).getTime() - new Date(startAt).getTime();
}

/** What is wrong with the end, said at its field. */
function wrongEndOf(draft: Draft): string | undefined {
  const lasting = lastingOf(draft);
  if (lasting <= 0) return "The end must be after the start.";
  return lasting > LONGEST ? "A window lasts at most 31 days." : undefined;
}

function wanting(draft: Draft): string | undefined {
  if (draft.by === "sites" && draft.siteIds.length === 0) return "Choose at least one site.";
  if (draft.by === "devices" && draft.deviceIds.length === 0) return "Choose at least one device.";
  if (!draft.startAt || !draft.endAt) return "Say when it starts and ends.";
  if (!draft.reason.trim()) return "Say what is done.";
  return undefined;
}
