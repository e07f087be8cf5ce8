import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { Health } from "../../ui/status";
import { Time } from "../../ui/time";

const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid", gap: tokens.spacingVerticalL },
  item: {
    display: "grid",
    gap: tokens.spacingVerticalXXS,
    borderLeft: `2px solid ${tokens.colorNeutralStroke1}`,
    paddingLeft: tokens.spacingHorizontalM,
  },
  head: { display: "flex", gap: tokens.spacingHorizontalM, alignItems: "center", flexWrap: "wrap" },
  when: { color: tokens.colorNeutralForeground3 },
});

/** The newest changes of a device's health. */
export function HealthTimeline({ id }: { id: string }) {
  const styles = useStyles();
  const { api } = useSession();
  const history = useQuery({
    queryKey: ["history", id],
    queryFn: async ({ signal }) => {
      const params = { path: { device_id: id }, query: { $top: 20 } };
      return (await api.GET("/api/devices/{device_id}/history", { params, signal })).data;
    },
    refetchInterval: 30_000,
  });
  if (history.error) return <Failure error={history.error} retry={() => void history.refetch()} />;
  if (!history.data) return <Loading label="Reading its history" />;
  if (history.data.value.length === 0) {
    return <Text className={styles.when}>Its health has not changed since it was first seen.</Text>;
  }
  return (
    <ol className={styles.list}>
      {history.data.value.map((change) => (
        <li key={`${change.at}${change.after}`} className={styles.item}>
          <div className={styles.head}>
            <Health status={change.after ?? "unknown"} />
            <span className={styles.when}>
              <Time value={change.at} />
            </span>
          </div>
          {change.reason && <Text>{change.reason}</Text>}
        </li>
      ))}
    </ol>
  );
}
