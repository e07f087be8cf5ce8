import { Link, makeStyles, Subtitle2, tokens } from "@fluentui/react-components";
import { AppLink } from "../../ui/AppLink";
import { Facts } from "../../ui/Facts";
import { Health } from "../../ui/status";
import { Time } from "../../ui/time";
import { type Alert, CONDITIONS, ending, SILENCES } from "./words";

const useStyles = makeStyles({ section: { display: "grid", gap: tokens.spacingVerticalM } });

/** What it is, and where. */
export function AlertFacts({ alert }: { alert: Alert }) {
  const styles = useStyles();
  return (
    <>
      <section className={styles.section} aria-labelledby="what">
        <Subtitle2 as="h2" id="what">
          What
        </Subtitle2>
        <Facts
          rows={[
            ["Condition", CONDITIONS[alert.condition]],
            [
              "Device",
              alert.deviceId && (
                <AppLink to={`/devices/${alert.deviceId}`}>{alert.deviceName || alert.deviceId}</AppLink>
              ),
            ],
            ["Status", alert.status && <Health status={alert.status} />],
            ["Azure says", alert.statusReason],
            ["Wrong since", alert.since && <Time value={alert.since} />],
            ["Opened", <Time key="o" value={alert.openedAt} />],
            ["People told", <Time key="t" value={alert.toldAt} none="Nobody was told" />],
            ["Silent because", alert.suppressedBy && SILENCES[alert.suppressedBy]],
            ["Closed", alert.closedAt && <Time value={alert.closedAt} />],
            ["Closed because", ending(alert.closeReason)],
            ["Belongs to", alert.parentId && <AppLink to={`/alerts/${alert.parentId}`}>Its outage</AppLink>],
          ]}
        />
      </section>
      <section className={styles.section} aria-labelledby="where">
        <Subtitle2 as="h2" id="where">
          Where
        </Subtitle2>
        <Facts
          rows={[
            ["Client", alert.clientName],
            ["Site", alert.siteName],
            ["Tenant", alert.tenantName],
            ["Subscription", alert.subscriptionName],
            ["Resource group", alert.resourceGroup],
            ["Region", alert.region],
            ["Type", alert.typeName],
            ["Resource id", alert.resourceId],
          ]}
        />
      </section>
    </>
  );
}

/** Azure's own issue that it fell with. */
export function ServiceIssue({ issue }: { issue: NonNullable<Alert["serviceIssue"]> }) {
  const styles = useStyles();
  return (
    <section className={styles.section} aria-labelledby="issue">
      <Subtitle2 as="h2" id="issue">
        Azure service issue
      </Subtitle2>
      <Facts
        rows={[
          ["Title", issue.title],
          ["Tracking id", issue.id],
          ["Services", issue.service],
          ["Regions", issue.region],
          [
            "Follow it",
            issue.url && (
              <Link href={issue.url} target="_blank" rel="noreferrer">
                Open in Azure Service Health
              </Link>
            ),
          ],
        ]}
      />
    </section>
  );
}
