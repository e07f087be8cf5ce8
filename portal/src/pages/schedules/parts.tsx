/** Parts of a schedule's page: its next runs, its approval, and what keeps its devices on. */
import {
  Button,
  Card,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  makeStyles,
  Subtitle2,
  Text,
  tokens,
} from "@fluentui/react-components";
import { useSession } from "../../session";
import { Facts } from "../../ui/Facts";
import { Time } from "../../ui/time";
import { localTime } from "./Runs";
import { noApproving, type ScheduleDetail } from "./words";

const useStyles = makeStyles({
  list: { margin: 0, paddingLeft: tokens.spacingHorizontalXL, display: "grid", rowGap: tokens.spacingVerticalS },
  when: { fontVariantNumeric: "tabular-nums" },
  quiet: { color: tokens.colorNeutralForeground3 },
  note: { display: "block", color: tokens.colorNeutralForeground2 },
  card: { maxWidth: "56rem" },
});

export function NextRuns({ schedule }: { schedule: ScheduleDetail }) {
  const styles = useStyles();
  if (!schedule.enabled) return <Text>It is off: there are none.</Text>;
  if (schedule.nextRuns.length === 0) return <Text>There are none: its rule has ended.</Text>;
  return (
    <>
      <ol className={styles.list}>
        {schedule.nextRuns.map((run) => (
          <li key={run.at}>
            <span className={styles.when}>{localTime(run.local)}</span>{" "}
            <span className={styles.quiet}>
              (<Time value={run.at} />)
            </span>
            {run.note && <span className={styles.note}>{run.note}</span>}
          </li>
        ))}
      </ol>
      <Text className={styles.quiet}>Local time of {schedule.timeZone}.</Text>
    </>
  );
}

export function Approval({ schedule, ask }: { schedule: ScheduleDetail; ask: () => void }) {
  const styles = useStyles();
  const { can, me } = useSession();
  const { approval } = schedule;
  const pending = approval.state === "pending";
  const refused = noApproving(schedule, me.name, can("CloudDevices.Update"));
  return (
    <Card className={styles.card} appearance="outline" role="region" aria-label="Approval">
      <Subtitle2 as="h2">{pending ? "A second person must approve it before it runs" : "Approved"}</Subtitle2>
      <Facts
        rows={[
          ["Why", approval.reason],
          ["Saved by", schedule.owner],
          ["Devices", approval.devices.toLocaleString()],
          ["Approved by", approval.approvedBy],
          ["Approved", approval.approvedAt && <Time key="a" value={approval.approvedAt} />],
        ]}
      />
      {pending && refused && <Text>{refused}</Text>}
      {pending && (
        <div>
          <Button appearance="primary" disabled={refused !== undefined} onClick={ask}>
            Approve
          </Button>
        </div>
      )}
    </Card>
  );
}

export function KeptOn({ schedule, end }: { schedule: ScheduleDetail; end: (() => void) | undefined }) {
  const kept = schedule.overrides.filter((one) => Date.parse(one.until) > Date.now());
  if (kept.length === 0) return null;
  return (
    <MessageBar intent="info" layout="multiline">
      <MessageBarBody>
        {kept.map((one) => (
          <div key={`${one.since}${one.until}`}>
            {one.deviceIds ? `${one.deviceIds.length} of its devices are` : "Its devices are"} kept on by {one.by}, ends{" "}
            <Time value={one.until} />
            {one.reason ? `: ${one.reason}` : "."} {one.ticketNumber}
          </div>
        ))}
      </MessageBarBody>
      {end && (
        <MessageBarActions>
          <Button size="small" onClick={end}>
            End it now
          </Button>
        </MessageBarActions>
      )}
    </MessageBar>
  );
}
