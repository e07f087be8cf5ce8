import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { Mark } from "../../ui/status";
import { Time } from "../../ui/time";
import { SEVERITIES } from "../alerts/words";
import { nounOf, OperationMark } from "../operations/words";
import { REFRESH } from "./data";

const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid" },
  row: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto",
    columnGap: tokens.spacingHorizontalL,
    padding: `${tokens.spacingVerticalS} 0`,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  when: { color: tokens.colorNeutralForeground3, whiteSpace: "nowrap" },
});
const SHOWN = 8;

/** The newest open alerts. */
export function OpenAlerts() {
  const { api } = useSession();
  const alerts = useQuery({
    queryKey: ["alerts", "open"],
    queryFn: async ({ signal }) => {
      const query = { state: ["open" as const], $top: SHOWN, $count: true };
      return (await api.GET("/api/alerts", { params: { query }, signal })).data;
    },
    refetchInterval: REFRESH,
  });
  if (alerts.error) return <Failure error={alerts.error} retry={() => void alerts.refetch()} />;
  if (!alerts.data) return <Loading label="Reading the alerts" />;
  if (alerts.data.value.length === 0) return <Text>Nothing is wrong that anybody should be told of.</Text>;
  return (
    <>
      <Rows
        rows={alerts.data.value.map((alert) => {
          const [tone, name, icon] = SEVERITIES[alert.severity];
          return {
            key: alert.id,
            link: <AppLink to={`/alerts/${alert.id}`}>{alert.title}</AppLink>,
            below: (
              <Mark tone={tone} icon={icon}>
                {name}
              </Mark>
            ),
            at: alert.openedAt,
          };
        })}
      />
      <AppLink to="/alerts">{`All ${(alerts.data.count ?? alerts.data.value.length).toLocaleString()} open alerts`}</AppLink>
    </>
  );
}

/** What was done last. */
export function LastOperations() {
  const { api } = useSession();
  const operations = useQuery({
    queryKey: ["operations", "last"],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/operations", { params: { query: { $top: SHOWN } }, signal })).data,
    refetchInterval: REFRESH,
  });
  if (operations.error) return <Failure error={operations.error} retry={() => void operations.refetch()} />;
  if (!operations.data) return <Loading label="Reading the operations" />;
  if (operations.data.value.length === 0) return <Text>Nothing was done yet.</Text>;
  return (
    <Rows
      rows={operations.data.value.map((one) => ({
        key: one.id,
        link: <AppLink to={`/operations/${one.id}`}>{nounOf(one)}</AppLink>,
        below: <OperationMark operation={one} />,
        at: one.createdAt,
      }))}
    />
  );
}

function Rows({ rows }: { rows: readonly { key: string; link: ReactNode; below: ReactNode; at: string }[] }) {
  const styles = useStyles();
  return (
    <ul className={styles.list}>
      {rows.map((row) => (
        <li key={row.key} className={styles.row}>
          <div>
            <div>{row.link}</div>
            {row.below}
          </div>
          <span className={styles.when}>
            <Time value={row.at} />
          </span>
        </li>
      ))}
    </ul>
  );
}
