import { makeStyles, tokens } from "@fluentui/react-components";
import type { components } from "../../api/schema";
import { AppLink } from "../../ui/AppLink";
import { healthName } from "../../ui/status";

type Counts = components["schemas"]["StatusCounts"];
const STATUSES = ["unavailable", "degraded", "unknown", "available", "notReported"] as const;
const COLOURS: Record<keyof Counts, string> = {
  unavailable: tokens.colorStatusDangerBackground3,
  degraded: tokens.colorStatusWarningBackground3,
  unknown: tokens.colorNeutralForeground3,
  available: tokens.colorStatusSuccessBackground3,
  notReported: tokens.colorNeutralStroke1,
};
const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalM },
  bar: { display: "flex", height: "12px", borderRadius: tokens.borderRadiusMedium, overflow: "hidden", gap: "2px" },
  list: {
    listStyleType: "none",
    margin: 0,
    padding: 0,
    display: "flex",
    flexWrap: "wrap",
    gap: `${tokens.spacingVerticalS} ${tokens.spacingHorizontalXXL}`,
  },
  one: {
    display: "grid",
    gridTemplateColumns: "auto 1fr",
    columnGap: tokens.spacingHorizontalS,
    alignItems: "baseline",
  },
  key: { width: "10px", height: "10px", borderRadius: tokens.borderRadiusSmall },
  number: {
    fontSize: tokens.fontSizeHero700,
    lineHeight: tokens.lineHeightHero700,
    fontWeight: tokens.fontWeightSemibold,
    fontVariantNumeric: "tabular-nums",
  },
});

/** How many devices are in each state: a bar, and the numbers, each a link to the devices. */
export function StatusBar({ counts, total }: { counts: Counts; total: number }) {
  const styles = useStyles();
  return (
    <div className={styles.root}>
      <div className={styles.bar} aria-hidden>
        {STATUSES.map((status) =>
          counts[status] === 0 ? null : (
            <div
              key={status}
              style={{
                backgroundColor: COLOURS[status],
                flexGrow: counts[status] / Math.max(1, total),
                minWidth: "4px",
              }}
            />
          ),
        )}
      </div>
      <ul className={styles.list}>
        {STATUSES.map((status) => (
          <li key={status} className={styles.one}>
            <span className={styles.key} style={{ backgroundColor: COLOURS[status] }} aria-hidden />
            <span>
              <div className={styles.number}>{counts[status].toLocaleString()}</div>
              <AppLink to={`/devices?status=${status}`}>{healthName(status)}</AppLink>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
