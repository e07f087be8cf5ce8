/** Whether a sink takes what it is sent, in a word with a sign. */
import { makeStyles, Tooltip, tokens } from "@fluentui/react-components";
import { Mark } from "../../ui/status";
import { Time } from "../../ui/time";
import { type Health, type Sink, useHealth } from "./data";

const useStyles = makeStyles({
  last: { display: "inline-flex", alignItems: "center", columnGap: tokens.spacingHorizontalS },
});
const DELIVERY: Record<string, ["good" | "bad" | "doubtful" | "quiet", string]> = {
  delivered: ["good", "Delivered"],
  failed: ["bad", "Failed"],
  pending: ["quiet", "Waits"],
  held: ["doubtful", "Held"],
  skipped: ["quiet", "Left out"],
};

export function DeliveryState({ state }: { state: string }) {
  const [tone, word] = DELIVERY[state] ?? ["quiet", state];
  return <Mark tone={tone}>{word}</Mark>;
}

export function SinkState({ sink, delivery }: { sink: Sink; delivery: Health["delivery"] | undefined }) {
  if (!sink.enabled) {
    if (!sink.disabledReason) return <Mark tone="quiet">Disabled</Mark>;
    return (
      <Tooltip content={sink.disabledReason} relationship="description">
        <span>
          <Mark tone="bad">Switched off</Mark>
        </span>
      </Tooltip>
    );
  }
  if (delivery?.circuit === "open") return <Mark tone="bad">Not answering</Mark>;
  if (delivery?.pausedUntil) return <Mark tone="doubtful">Asked to wait</Mark>;
  if (delivery && delivery.held > 0) return <Mark tone="doubtful">Tickets held</Mark>;
  return <Mark tone="good">Enabled</Mark>;
}

/** Cells of the list: each asks for the health of its own sink, once for all cells of a row. */
export function StateCell({ sink }: { sink: Sink }) {
  return <SinkState sink={sink} delivery={useHealth(sink.id).data?.delivery} />;
}

export function LastCell({ id }: { id: string }) {
  const styles = useStyles();
  const { data } = useHealth(id);
  if (!data) return null;
  return data.last ? (
    <span className={styles.last}>
      <DeliveryState state={data.last.state} />
      <Time value={data.last.eventAt} />
    </span>
  ) : (
    <>Nothing yet</>
  );
}

export function FailedCell({ id }: { id: string }) {
  const { data } = useHealth(id);
  if (!data) return null;
  return data.failed > 0 ? <Mark tone="bad">{data.failed.toLocaleString()}</Mark> : <>0</>;
}

export function WaitingCell({ id }: { id: string }) {
  const { data } = useHealth(id);
  return data ? (data.delivery.pending + data.delivery.held).toLocaleString() : null;
}
