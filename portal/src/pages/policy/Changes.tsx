import { makeStyles, tokens } from "@fluentui/react-components";
import type { Change } from "./changes";

const useStyles = makeStyles({
  table: { width: "100%", borderCollapse: "collapse", tableLayout: "fixed" },
  cell: {
    textAlign: "start",
    verticalAlign: "top",
    overflowWrap: "anywhere",
    padding: `${tokens.spacingVerticalS} ${tokens.spacingHorizontalS} ${tokens.spacingVerticalS} 0`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  what: { fontWeight: tokens.fontWeightSemibold },
  before: { color: tokens.colorNeutralForeground3 },
});

/** What is different: each rule as it was, and as it is then. */
export function Changes({ changes, label }: { changes: readonly Change[]; label: string }) {
  const styles = useStyles();
  return (
    <table className={styles.table} aria-label={label}>
      <thead>
        <tr>
          {["Rule", "Before", "After"].map((name) => (
            <th key={name} scope="col" className={styles.cell}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {changes.map((one) => (
          <tr key={`${one.what}|${one.before}|${one.after}`}>
            <th scope="row" className={`${styles.cell} ${styles.what}`}>
              {one.what}
            </th>
            <td className={`${styles.cell} ${styles.before}`}>{one.before}</td>
            <td className={styles.cell}>{one.after}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
