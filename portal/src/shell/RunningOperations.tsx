import { makeStyles, tokens } from "@fluentui/react-components";
import { ArrowSyncCircleRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { useSession } from "../session";
import { OPERATION_READERS } from "./pages";

const useStyles = makeStyles({
  link: {
    display: "inline-flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalS}`,
    borderRadius: tokens.borderRadiusMedium,
    color: tokens.colorNeutralForeground2,
    fontVariantNumeric: "tabular-nums",
    textDecorationLine: "none",
    whiteSpace: "nowrap",
    ":hover": { backgroundColor: tokens.colorNeutralBackground3Hover },
  },
  icon: { fontSize: "20px" },
  words: { "@media (max-width: 800px)": { display: "none" } },
});
const SECONDS = 30;

/** How many operations run or wait, as a link to them; nothing while there are none. Asked only while the window is seen. */
export function RunningOperations() {
  const styles = useStyles();
  const { api, can } = useSession();
  const running = useQuery({
    queryKey: ["list", "running"],
    queryFn: async ({ signal }) => {
      const query = { status: ["running" as const, "notStarted" as const], $top: 1, $count: true };
      return (await api.GET("/api/operations", { params: { query }, signal })).data?.count ?? 0;
    },
    enabled: can(...OPERATION_READERS),
    refetchInterval: SECONDS * 1000,
  });
  const count = running.data ?? 0;
  if (count === 0) return null;
  // Begins with what is seen, so that whoever speaks to the browser can name it by that.
  const text = `${count.toLocaleString()} unfinished ${count === 1 ? "operation" : "operations"}`;
  return (
    <Link className={styles.link} to="/operations?status=running&status=notStarted" aria-label={text}>
      <ArrowSyncCircleRegular className={styles.icon} aria-hidden />
      {count.toLocaleString()} <span className={styles.words}>unfinished</span>
    </Link>
  );
}
