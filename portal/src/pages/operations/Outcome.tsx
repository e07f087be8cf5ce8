/** How far an operation is, and what came of it, with how that is known. */
import {
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  ProgressBar,
  Text,
  tokens,
} from "@fluentui/react-components";
import { Facts } from "../../ui/Facts";
import { ended, type Operation } from "../../ui/OperationProgress";
import { PowerState } from "../../ui/status";
import { Time } from "../../ui/time";
import { percentOf, waitsForApproval } from "./words";

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalM },
  percent: { fontVariantNumeric: "tabular-nums" },
});
const PROOFS: Record<string, string> = {
  state: "The device is in the state that this leads to.",
  operation: "Azure says that it is done; the device's own state tells nothing of it.",
  acceptance: "Azure has taken it, and names nothing that could be asked for its end.",
};

export function Outcome({ operation }: { operation: Operation }) {
  const styles = useStyles();
  const { status, result, error } = operation;
  const percent = percentOf(operation);
  return (
    <div className={styles.root} aria-live="polite">
      {!ended(status) && (
        <>
          <Text className={styles.percent}>{under(operation)}</Text>
          {!waitsForApproval(operation) && (
            <ProgressBar aria-label="Progress" {...(percent > 0 && status === "running" && { value: percent / 100 })} />
          )}
        </>
      )}
      {error && (
        <MessageBar intent={status === "failed" ? "error" : "warning"} layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>{error.message}</MessageBarTitle>
            {error.fix}
            {error.reason && ` The reason given: ${error.reason}`}
          </MessageBarBody>
        </MessageBar>
      )}
      {status === "outcomeUnknown" && (
        <Text>Whether it was done could not be found out. Look at the device before you ask for it again.</Text>
      )}
      {status === "succeeded" && !result && <Text>It was done.</Text>}
      {result && (
        <Facts
          rows={[
            ["Power state", result.powerState && <PowerState key="p" state={result.powerState} />],
            ["Known by", result.provenBy && PROOFS[result.provenBy]],
            ["Part", result.child],
            ["Succeeded", result.succeeded?.toLocaleString()],
            ["Failed", result.failed?.toLocaleString()],
            ["Canceled", result.canceled?.toLocaleString()],
            ["Outcome unknown", result.outcomeUnknown?.toLocaleString()],
            ["Rows", result.rows?.toLocaleString()],
            ["Kept until", result.expiresAt && <Time key="e" value={result.expiresAt} />],
            ["Our request id", result.clientRequestId],
            ["Azure's request id", result.azureRequestId],
          ]}
        />
      )}
      {error && <Facts rows={[["Code", error.code]]} />}
    </div>
  );
}

function under(operation: Operation): string {
  if (waitsForApproval(operation)) {
    return operation.itemCount === undefined
      ? "Nothing is sent to Azure yet: it waits for a second person."
      : "Nothing is sent to Azure yet: it waits for a second person. Devices that cannot do it are refused already.";
  }
  if (operation.status === "notStarted") return "It is in line, and nothing of it has begun.";
  const percent = percentOf(operation);
  return percent > 0 ? `Under way: ${percent} %` : "Under way";
}
