import { Field, Textarea } from "@fluentui/react-components";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import type { Alert } from "./words";

export interface DeedProps {
  alert: Alert;
  close: () => void;
}

/** Take an alert over. */
export function AcknowledgeDialog({ alert, close }: DeedProps) {
  const { api } = useSession();
  const [note, setNote] = useState("");
  const before = alert.acknowledgement;
  return (
    <Ask
      title={`Acknowledge ${alert.title}`}
      verb="Acknowledge"
      why
      run={({ why, key }) =>
        api.POST("/api/alerts/{alert_id}/acknowledge", {
          params: { path: { alert_id: alert.id }, header: { "Idempotency-Key": key } },
          body: { ...why, ...(note.trim() && { note: note.trim() }) },
        })
      }
      done="Acknowledged"
      close={close}
    >
      <div>
        {before
          ? `${before.by} looks after it now. From here on you do; its tickets get a note that says so.`
          : "You say that you look after it. It stays open, and its tickets get a note that says so."}
      </div>
      <Field label="Note" hint="What is being done about it. Goes into the tickets.">
        <Textarea maxLength={500} resize="vertical" value={note} onChange={(_, data) => setNote(data.value)} />
      </Field>
    </Ask>
  );
}

/** Nobody looks after the alert any more. */
export function TakeBackDialog({ alert, close }: DeedProps) {
  const { api } = useSession();
  return (
    <Ask
      title={`Take back the acknowledgement of ${alert.title}`}
      verb="Take back"
      why
      run={({ why }) =>
        api.DELETE("/api/alerts/{alert_id}/acknowledge", {
          params: { path: { alert_id: alert.id }, query: why },
        })
      }
      done="Acknowledgement taken back"
      close={close}
    >
      <div>
        {`${alert.acknowledgement?.by ?? "Nobody"} no longer looks after it, and nobody does until somebody acknowledges it. Its tickets get a note that says so.`}
      </div>
    </Ask>
  );
}

/** Be told again. */
export function WakeDialog({ alert, close }: DeedProps) {
  const { api } = useSession();
  return (
    <Ask
      title={`End the snooze of ${alert.title}`}
      verb="End snooze"
      why
      run={({ why }) =>
        api.DELETE("/api/alerts/{alert_id}/snooze", { params: { path: { alert_id: alert.id }, query: why } })
      }
      done="Snooze ended"
      close={close}
    >
      <div>What happens from now on is told again, and what changed meanwhile is told at once.</div>
    </Ask>
  );
}

/** Tell the sinks again. */
export function RedeliverDialog({ alert, close }: DeedProps) {
  const { api } = useSession();
  const count = alert.tickets.length;
  return (
    <Ask
      title={`Redeliver ${alert.title}`}
      verb="Redeliver"
      why
      run={({ why, key }) =>
        api.POST("/api/alerts/{alert_id}/redeliver", {
          params: { path: { alert_id: alert.id }, header: { "Idempotency-Key": key } },
          body: why,
        })
      }
      done="On its way again"
      close={close}
    >
      <div>
        {`Everything that was told of it is sent again, under the same ids, to ${count === 1 ? "the sink that was" : `the ${count} sinks that were`} told. A ticket that exists is not made a second time. What is still under way is left to it.`}
      </div>
    </Ask>
  );
}
