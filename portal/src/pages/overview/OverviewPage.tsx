/** What is wrong now, by client; how old the data is; what failed, what is open elsewhere, and what was done last. */
import { MessageBar, MessageBarBody, makeStyles, Subtitle2, tokens } from "@fluentui/react-components";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { PageFrame } from "../../ui/PageFrame";
import { Time } from "../../ui/time";
import { Clients } from "./Clients";
import { type AlertSummary, type DeviceSummary, useAlertSummary, useDeviceSummary } from "./data";
import { FailingTenants } from "./Failing";
import { GivenUpWork } from "./GivenUp";
import { LastOperations, OpenAlerts } from "./Lists";
import { StatusBar } from "./StatusBar";
import { OpenTickets } from "./Tickets";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: `${tokens.spacingVerticalXXL} ${tokens.spacingHorizontalXXXL}`,
    gridTemplateColumns: "minmax(0, 3fr) minmax(0, 2fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  column: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalXXL },
  part: { display: "grid", gap: tokens.spacingVerticalS, alignContent: "start" },
});

export default function OverviewPage() {
  const devices = useDeviceSummary();
  const alerts = useAlertSummary();
  if (!devices.data) {
    return (
      <PageFrame title="Overview">
        {devices.error ? (
          <Failure error={devices.error} retry={() => void devices.refetch()} />
        ) : (
          <Loading label="Reading how things are" />
        )}
      </PageFrame>
    );
  }
  return (
    <PageFrame
      title="Overview"
      aside={
        devices.data.lastRefreshed && (
          <>
            Last refreshed <Time value={devices.data.lastRefreshed} />
          </>
        )
      }
    >
      {alerts.data?.latePolls && <Late polls={alerts.data.latePolls} />}
      {alerts.error && <Failure error={alerts.error} retry={() => void alerts.refetch()} />}
      <Content devices={devices.data} alerts={alerts.data} />
    </PageFrame>
  );
}

function Content({ devices, alerts }: { devices: DeviceSummary; alerts: AlertSummary | undefined }) {
  const styles = useStyles();
  const { can } = useSession();
  const wrong = (
    <>
      <FailingTenants failing={devices.failing} />
      {can("Integration.Admin") && <GivenUpWork />}
    </>
  );
  if (devices.total === 0 && devices.failing.length === 0 && !alerts?.count) {
    return (
      <>
        <Nothing />
        {wrong}
      </>
    );
  }
  return (
    <>
      <StatusBar counts={devices.byStatus} total={devices.total} />
      <div className={styles.grid}>
        <div className={styles.column}>
          <section className={styles.part}>
            <Subtitle2 as="h2">By client</Subtitle2>
            <Clients devices={devices} alerts={alerts} />
          </section>
          {wrong}
        </div>
        <div className={styles.column}>
          <section className={styles.part}>
            <Subtitle2 as="h2">Newest open alerts</Subtitle2>
            <OpenAlerts />
          </section>
          {alerts && <OpenTickets alerts={alerts} />}
          <section className={styles.part}>
            <Subtitle2 as="h2">Last operations</Subtitle2>
            <LastOperations />
          </section>
        </div>
      </div>
    </>
  );
}

function Nothing() {
  const { can } = useSession();
  return (
    <Empty title="No client's devices are here yet">
      {can("Integration.Admin") ? (
        <>
          Connect your partner tenant, sync your customers, and map them to your sites.{" "}
          <AppLink inText to="/setup/connections">
            Begin the set-up
          </AppLink>
        </>
      ) : (
        "An administrator connects your partner tenant and grants you sites."
      )}
    </Empty>
  );
}

function Late({ polls }: { polls: NonNullable<AlertSummary["latePolls"]> }) {
  return (
    <MessageBar intent="warning" layout="multiline">
      <MessageBarBody>
        {`${polls.count.toLocaleString()} of ${polls.of.toLocaleString()} subscriptions were not polled for more than ${polls.minutes} minutes. `}
        The longest wait began <Time value={polls.oldest} />. What you see of them may be out of date.
      </MessageBarBody>
    </MessageBar>
  );
}
