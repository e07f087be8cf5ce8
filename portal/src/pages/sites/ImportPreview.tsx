/** What a chosen file holds, before it is sent. */
import { MessageBar, MessageBarBody, makeStyles, Text, tokens } from "@fluentui/react-components";
import type { PreviewRow } from "./csv";

const SHOWN = 5;
const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalS },
  frame: { maxHeight: "14rem", overflow: "auto", border: `1px solid ${tokens.colorNeutralStroke2}` },
  table: { width: "100%", borderCollapse: "collapse", "& th": { textAlign: "left" } },
  cell: {
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalS}`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    overflowWrap: "anywhere",
    verticalAlign: "top",
  },
  number: {
    width: "3rem",
    textAlign: "right",
    fontVariantNumeric: "tabular-nums",
    color: tokens.colorNeutralForeground3,
  },
  wrong: { margin: 0, paddingLeft: tokens.spacingHorizontalXL },
});

export function ImportPreview({ rows }: { rows: readonly PreviewRow[] }) {
  const styles = useStyles();
  const wrong = rows.filter((row) => row.wrong);
  const count = `${rows.length.toLocaleString()} ${rows.length === 1 ? "row" : "rows"}`;
  return (
    <div className={styles.root}>
      <Text role="status">{rows.length > SHOWN ? `${count}; the first ${SHOWN} are:` : count}</Text>
      {rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <div className={styles.frame} tabIndex={0} role="group" aria-label="First rows of the file">
          <table className={styles.table}>
            <thead>
              <tr>
                {["Row", "Client", "Site", "Tenant"].map((name) => (
                  <th key={name} className={styles.cell}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, SHOWN).map((row) => (
                <tr key={row.number}>
                  <td className={`${styles.cell} ${styles.number}`}>{row.number}</td>
                  <td className={styles.cell}>{row.client}</td>
                  <td className={styles.cell}>{row.site}</td>
                  <td className={styles.cell}>{row.tenant}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {wrong.length > 0 && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            These rows will fail; the others are imported all the same.
            <ul className={styles.wrong}>
              {wrong.slice(0, SHOWN).map((row) => (
                <li key={row.number}>{`Row ${row.number}: ${row.wrong}`}</li>
              ))}
              {wrong.length > SHOWN && <li>{`and ${(wrong.length - SHOWN).toLocaleString()} more`}</li>}
            </ul>
          </MessageBarBody>
        </MessageBar>
      )}
    </div>
  );
}
