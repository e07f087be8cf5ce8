/** Asking before an operation is approved, rejected, or its rest canceled. */
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import type { Operation } from "../../ui/OperationProgress";
import { useWaits } from "./useWaits";
import { askedBy, noCancel, nounOf } from "./words";

export type Deed = "approve" | "reject" | "cancel";

const WORDS: Record<Deed, { title: string; verb: string; done: string }> = {
  approve: { title: "Approve", verb: "Approve", done: "Approved" },
  reject: { title: "Reject", verb: "Reject", done: "Rejected" },
  cancel: { title: "Cancel", verb: "Cancel what has not begun", done: "Canceled" },
};

export function Decide({ deed, operation, close }: { deed: Deed; operation: Operation; close: () => void }) {
  const { api } = useSession();
  const waits = useWaits(operation, deed === "cancel");
  const words = WORDS[deed];
  const noun = nounOf(operation);
  const who = askedBy(operation) || "Somebody";
  const effect = {
    approve: `${who} asked for it. It begins at once, and what was sent to Azure cannot be taken back.`,
    reject: `${who} asked for it. Nothing of it is done; it ends as canceled, with your reason.`,
    cancel: operation.itemCount
      ? "Devices that have not begun are left as they are. What was sent to Azure goes on to its end."
      : "It has not begun, and never will: the device is left as it is.",
  }[deed];
  return (
    <Ask
      title={`${words.title}: ${noun}`}
      verb={words.verb}
      done={`${words.done}: ${noun}`}
      why
      wanting={deed === "cancel" ? noCancel(operation, true, waits) : undefined}
      close={close}
      run={({ why, key }) => {
        const call = {
          params: { path: { operation_id: operation.id }, header: { "Idempotency-Key": key } },
          body: why,
        };
        if (deed === "approve") return api.POST("/api/operations/{operation_id}/approve", call);
        if (deed === "reject") return api.POST("/api/operations/{operation_id}/reject", call);
        return api.POST("/api/operations/{operation_id}/cancel", call);
      }}
    >
      <div>{effect}</div>
    </Ask>
  );
}
