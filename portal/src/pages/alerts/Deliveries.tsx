import { makeStyles, Text, tokens } from "@fluentui/react-components";
import {
  CheckmarkCircleFilled,
  ClockRegular,
  DismissCircleFilled,
  type FluentIcon,
  PauseCircleRegular,
  SubtractCircleRegular,
} from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { Failure } from "../../ui/Failure";
import { Mark, sentence, type Tone } from "../../ui/status";
import { Time } from "../../ui/time";
import type { Alert } from "./words";

type Delivery = components["schemas"]["Delivery"];
const SHOWN = 20;
const STATES: Record<Delivery["state"], readonly [Tone, string, FluentIcon]> = {
  pending: ["quiet", "On its way", ClockRegular],
  held: ["doubtful", "Held", PauseCircleRegular],
  delivered: ["good", "Delivered", CheckmarkCircleFilled],
  failed: ["bad", "Failed", DismissCircleFilled],
  skipped: ["quiet", "Not needed", SubtractCircleRegular],
};
const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid", gap: tokens.spacingVerticalXS },
  item: { borderTop: `1px solid ${tokens.colorNeutralStroke3}`, paddingTop: tokens.spacingVerticalXS },
  head: {
    display: "grid",
    gridTemplateColumns: "6rem minmax(6rem, 1fr) auto",
    columnGap: tokens.spacingHorizontalM,
    alignItems: "baseline",
  },
  quiet: { color: tokens.colorNeutralForeground3 },
  said: { display: "block", color: tokens.colorNeutralForeground2, overflowWrap: "anywhere" },
});

/** The messages of an alert to one sink, newest first. */
export function Deliveries({ alert, sinkId, sinkName }: { alert: Alert; sinkId: string; sinkName: string }) {
  const styles = useStyles();
  const { api } = useSession();
  // What is told of a device in an outage is told under the outage.
  const alertId = alert.parentId ? [alert.id, alert.parentId] : [alert.id];
  const deliveries = useQuery({
    queryKey: ["deliveries", sinkId, alertId],
    queryFn: async ({ signal }) => {
      const params = { path: { sink_id: sinkId }, query: { alertId, $top: SHOWN } };
      return (await api.GET("/api/sinks/{sink_id}/deliveries", { params, signal })).data;
    },
    refetchInterval: 30_000,
  });
  if (deliveries.error && !deliveries.data) {
    return <Failure error={deliveries.error} retry={() => void deliveries.refetch()} />;
  }
  if (!deliveries.data) return <Text className={styles.quiet}>Reading the deliveries</Text>;
  const { value, nextLink } = deliveries.data;
  if (value.length === 0) return <Text className={styles.quiet}>What was sent is no longer kept.</Text>;
  return (
    <>
      <ul className={styles.list} aria-label={`Deliveries to ${sinkName}`}>
        {value.map((delivery) => (
          <li key={delivery.id} className={styles.item}>
            <One delivery={delivery} />
          </li>
        ))}
      </ul>
      {nextLink && <Text className={styles.quiet}>{`The newest ${SHOWN} are shown.`}</Text>}
    </>
  );
}

function One({ delivery }: { delivery: Delivery }) {
  const styles = useStyles();
  const { attempts, detail, dueAt, lastError, state } = delivery;
  const [tone, name, icon] = STATES[state];
  const tries = attempts.length;
  return (
    <>
      <div className={styles.head}>
        <Text>{sentence(delivery.event.replace(/^.*\./, ""))}</Text>
        <span className={styles.quiet}>
          <Time value={delivery.eventAt} />
        </span>
        <Mark tone={tone} icon={icon}>
          {name}
        </Mark>
      </div>
      {state !== "delivered" && lastError && <Text className={styles.said}>{lastError}</Text>}
      {detail && <Text className={styles.said}>{detail}</Text>}
      {(tries > 1 || (tries > 0 && state !== "delivered")) && (
        <Text className={styles.said}>{tries === 1 ? "Tried once." : `Tried ${tries} times.`}</Text>
      )}
      {state === "pending" && dueAt && (
        <Text className={styles.said}>
          Next try <Time value={dueAt} due="due now" />
        </Text>
      )}
    </>
  );
}
