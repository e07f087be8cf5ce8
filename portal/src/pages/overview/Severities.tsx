/** How many alerts have each severity: a bar to look at, and words. */
import { makeStyles, tokens } from "@fluentui/react-components";
import type { components } from "../../api/schema";
import { SEVERITIES } from "../alerts/words";

export type Counts = components["schemas"]["SeverityCounts"];
const ORDER = ["critical", "high", "medium", "low"] as const;
const COLOURS: Record<keyof Counts, string> = {
  critical: tokens.colorPaletteDarkRedForeground2,
  high: tokens.colorStatusDangerBackground3,
  medium: tokens.colorStatusWarningBackground3,
  low: tokens.colorNeutralForeground3,
};
const useStyles = makeStyles({
  bar: {
    display: "flex",
    height: "8px",
    marginBottom: tokens.spacingVerticalXXS,
    minWidth: "4px",
    gap: "1px",
    borderRadius: tokens.borderRadiusSmall,
    overflow: "hidden",
  },
});

/** As long as its part of `most`. The words beside it say the same. */
export function SeverityBar({ counts, most }: { counts: Counts; most: number }) {
  const styles = useStyles();
  const total = ORDER.reduce((sum, one) => sum + counts[one], 0);
  if (total === 0) return null;
  return (
    <div className={styles.bar} style={{ width: `${(100 * total) / Math.max(1, most)}%` }} aria-hidden>
      {ORDER.filter((one) => counts[one] > 0).map((one) => (
        <div key={one} style={{ backgroundColor: COLOURS[one], flexGrow: counts[one] }} />
      ))}
    </div>
  );
}

/** "1 critical, 2 high". */
export function severityWords(counts: Counts): string {
  return ORDER.filter((one) => counts[one] > 0)
    .map((one) => `${counts[one].toLocaleString()} ${SEVERITIES[one][1].toLowerCase()}`)
    .join(", ");
}

/** The worse first. */
export function compareSeverities(one: Counts | undefined, other: Counts | undefined): number {
  for (const severity of ORDER) {
    const difference = (other?.[severity] ?? 0) - (one?.[severity] ?? 0);
    if (difference) return difference;
  }
  return 0;
}
