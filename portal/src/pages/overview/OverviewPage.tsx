/** What is wrong now, by client; how old the data is; what failed, and what was done last. */
import { MessageBar, MessageBarBody, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { PageFrame } from "../../ui/PageFrame";
import { Time } from "../../ui/time";
import { Clients } from "./Clients";
import { LastOperations, OpenAlerts } from "./Lists";
import { StatusBar } from "./StatusBar";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: `${tokens.spacingVerticalXXL} ${tokens.spacingHorizontalXXXL}`,
    gridTemplateColumns: "minmax(0, 3fr) minmax(0, 2fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid", gap: tokens.spacingVerticalS },
});
const REFRESH = 30_000;
const LATE_MINUTES = 30;

export default function OverviewPage() {
  const styles = useStyles();
  const { api, can } = useSession();
  const summary = useQuery({
    queryKey: ["devices", "summary"],
    queryFn: async ({ signal }) => (await api.GET("/api/devices/summary", { signal })).data,
    refetchInterval: REFRESH,
  });
  if (summary.error && !summary.data) {
    return (
      <PageFrame title="Overview">
        <Failure error={summary.error} retry={() => void summary.refetch()} />
      </PageFrame>
    );
  }
  if (!summary.data) {
    return (
      <PageFrame title="Overview">
        <Loading label="Reading how things are" />
      </PageFrame>
    );
  }
  const { data } = summary;
  if (data.total === 0 && data.failing.length === 0) {
    return (
      <PageFrame title="Overview">
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
      </PageFrame>
    );
  }
  const late = data.lastRefreshed && Date.now() - new Date(data.lastRefreshed).getTime() > LATE_MINUTES * 60_000;
  return (
    <PageFrame
      title="Overview"
      aside={
        <>
          Last refreshed <Time value={data.lastRefreshed} />
        </>
      }
    >
      {late && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            {`Nothing was refreshed for more than ${LATE_MINUTES} minutes, where it should be every 15. What you see may be out of date.`}
          </MessageBarBody>
        </MessageBar>
      )}
      <StatusBar counts={data.byStatus} total={data.total} />
      <div className={styles.grid}>
        <section className={styles.part}>
          <Subtitle2 as="h2">Open alerts</Subtitle2>
          <OpenAlerts />
        </section>
        <section className={styles.part}>
          <Subtitle2 as="h2">By client</Subtitle2>
          <Clients clients={data.byClient} />
        </section>
        {data.failing.length > 0 && (
          <section className={styles.part}>
            <Subtitle2 as="h2">{`Cannot be refreshed (${data.failing.length})`}</Subtitle2>
            <ul className={styles.list}>
              {data.failing.slice(0, 8).map((one) => (
                <li key={one.subscriptionId}>
                  <Text weight="semibold" block>
                    {[one.clientName || one.tenantName, one.subscriptionName].filter(Boolean).join(", ")}
                  </Text>
                  <Text block>{`${one.message} ${one.fix}`}</Text>
                  <Text size={200}>
                    Its data is from <Time value={one.lastRefreshed} none="before it failed" />
                  </Text>
                </li>
              ))}
            </ul>
          </section>
        )}
        <section className={styles.part}>
          <Subtitle2 as="h2">Last operations</Subtitle2>
          <LastOperations />
        </section>
      </div>
    </PageFrame>
  );
}
