/** What became of each row of a file. */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useState } from "react";
import { Mark, type Tone } from "../../ui/status";
import type { Imported } from "./csv";

const RESULTS: Record<Imported["result"], [Tone, string]> = {
  failed: ["bad", "Failed"],
  created: ["good", "Created"],
  updated: ["good", "Updated"],
  unchanged: ["quiet", "Unchanged"],
};
const MOST = 500;
const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalS },
  counts: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalL },
  frame: { maxHeight: "22rem", overflow: "auto", border: `1px solid ${tokens.colorNeutralStroke2}` },
  table: { width: "100%", borderCollapse: "collapse", "& th": { textAlign: "left" } },
  cell: {
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalS}`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    verticalAlign: "top",
  },
  number: { textAlign: "right", fontVariantNumeric: "tabular-nums", color: tokens.colorNeutralForeground3 },
  error: { color: tokens.colorNeutralForeground2 },
  more: { justifySelf: "start" },
});

export function ImportResult({ rows }: { rows: readonly Imported[] }) {
  const styles = useStyles();
  const failed = rows.filter((row) => row.result === "failed");
  const [all, setAll] = useState(failed.length === 0);
  const shown = all ? rows : failed;
  return (
    <div className={styles.root}>
      <div className={styles.counts} role="status">
        {rows.length === 0 && <Text>The file has no rows.</Text>}
        {(Object.keys(RESULTS) as Imported["result"][]).map((result) => {
          const count = rows.filter((row) => row.result === result).length;
          return count === 0 ? null : (
            <Mark key={result} tone={RESULTS[result][0]}>
              {`${count.toLocaleString()} ${RESULTS[result][1].toLowerCase()}`}
            </Mark>
          );
        })}
      </div>
      {failed.length > 0 && (
        <Text>Rows that failed changed nothing; the others are kept. Mend them, and import the file again.</Text>
      )}
      {shown.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <div className={styles.frame} tabIndex={0} role="group" aria-label="Rows of the file">
          <table className={styles.table}>
            <thead>
              <tr>
                <th className={styles.cell}>Row</th>
                <th className={styles.cell}>Site</th>
                <th className={styles.cell}>Result</th>
              </tr>
            </thead>
            <tbody>
              {shown.slice(0, MOST).map((row) => (
                <tr key={row.row}>
                  <td className={`${styles.cell} ${styles.number}`}>{row.row.toLocaleString()}</td>
                  <td className={styles.cell}>{[row.clientName, row.siteName].filter(Boolean).join(", ")}</td>
                  <td className={styles.cell}>
                    <Mark tone={RESULTS[row.result][0]}>{RESULTS[row.result][1]}</Mark>
                    {row.error && <div className={styles.error}>{row.error}</div>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown.length > MOST && <Text>{`The first ${MOST} of ${shown.length.toLocaleString()} are shown.`}</Text>}
      {failed.length > 0 && failed.length < rows.length && (
        <Button className={styles.more} size="small" onClick={() => setAll(!all)}>
          {all ? "Show only what failed" : "Show every row"}
        </Button>
      )}
    </div>
  );
}
