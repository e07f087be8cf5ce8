/** What about an alert is to be known first: who looks after it, that it is silent, that it goes on elsewhere. */
import { MessageBar, MessageBarBody, makeStyles, tokens } from "@fluentui/react-components";
import { AppLink } from "../../ui/AppLink";
import { Time } from "../../ui/time";
import { type Alert, SILENCES } from "./words";

const useStyles = makeStyles({ root: { display: "grid", gap: tokens.spacingVerticalS, overflowWrap: "anywhere" } });

export function Notices({ alert }: { alert: Alert }) {
  const styles = useStyles();
  const { acknowledgement, snooze } = alert;
  const present = alert.state !== "closed";
  const silent = alert.state === "suppressed" && alert.suppressedBy !== "snooze";
  if (!(present && (acknowledgement || snooze || silent)) && !alert.parentId) return null;
  return (
    <div className={styles.root}>
      {present && acknowledgement && (
        <MessageBar intent="success" layout="multiline">
          <MessageBarBody>
            {acknowledgement.by} looks after it, since <Time value={acknowledgement.at} />
            {acknowledgement.note ? `: ${acknowledgement.note}` : "."}
          </MessageBarBody>
        </MessageBar>
      )}
      {present && snooze && (
        <MessageBar intent="info" layout="multiline">
          <MessageBarBody>
            Snoozed by {snooze.by}; ends <End snooze={snooze} />. Nobody is told of it until then.
          </MessageBarBody>
        </MessageBar>
      )}
      {present && silent && (
        <MessageBar intent="info" layout="multiline">
          <MessageBarBody>
            {`Nobody is told of it. ${alert.suppressedBy ? SILENCES[alert.suppressedBy] : ""}`}
            {alert.suppressedDetail && `: ${alert.suppressedDetail}`}
            {alert.suppressedUntil && (
              <>
                {" "}
                It is looked at again <Time value={alert.suppressedUntil} />
              </>
            )}
            .
          </MessageBarBody>
        </MessageBar>
      )}
      {alert.parentId && (
        <MessageBar intent="info" layout="multiline">
          <MessageBarBody>
            It belongs to an outage, whose tickets are its tickets.{" "}
            <AppLink inText to={`/alerts/${alert.parentId}`}>
              See the outage
            </AppLink>
          </MessageBarBody>
        </MessageBar>
      )}
    </div>
  );
}

function End({ snooze }: { snooze: NonNullable<Alert["snooze"]> }) {
  if (snooze.until) {
    return (
      <>
        <Time value={snooze.until} due="now" />
        {snooze.untilChange && " or when its status changes"}
      </>
    );
  }
  return snooze.untilChange ? "when its status changes" : "when it is over";
}
