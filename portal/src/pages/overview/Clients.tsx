import { makeStyles, tokens } from "@fluentui/react-components";
import type { components } from "../../api/schema";
import { AppLink } from "../../ui/AppLink";

const useStyles = makeStyles({
  table: { borderCollapse: "collapse", width: "100%" },
  head: {
    textAlign: "left",
    color: tokens.colorNeutralForeground3,
    fontWeight: tokens.fontWeightRegular,
    padding: `${tokens.spacingVerticalXS} 0`,
  },
  cell: { padding: `${tokens.spacingVerticalXS} 0`, borderTop: `1px solid ${tokens.colorNeutralStroke2}` },
  number: { textAlign: "right", fontVariantNumeric: "tabular-nums" },
});
const SHOWN = 12;

/** Devices of each client that are down or degraded, the worst client first. */
export function Clients({ clients }: { clients: readonly components["schemas"]["ClientCount"][] }) {
  const styles = useStyles();
  const worst = [...clients].sort(
    (a, b) =>
      b.byStatus.unavailable - a.byStatus.unavailable ||
      b.byStatus.degraded - a.byStatus.degraded ||
      a.clientName.localeCompare(b.clientName),
  );
  return (
    <>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col" className={styles.head}>
              Client
            </th>
            {["Unavailable", "Degraded", "Devices"].map((name) => (
              <th key={name} scope="col" className={`${styles.head} ${styles.number}`}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {worst.slice(0, SHOWN).map((one) => (
            <tr key={one.clientName}>
              <td className={styles.cell}>
                <AppLink to={`/devices?clientName=${encodeURIComponent(one.clientName)}`}>
                  {one.clientName || "No client"}
                </AppLink>
              </td>
              <td className={`${styles.cell} ${styles.number}`}>{one.byStatus.unavailable.toLocaleString()}</td>
              <td className={`${styles.cell} ${styles.number}`}>{one.byStatus.degraded.toLocaleString()}</td>
              <td className={`${styles.cell} ${styles.number}`}>{one.count.toLocaleString()}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {worst.length > SHOWN && <span>{`and ${worst.length - SHOWN} more clients`}</span>}
    </>
  );
}
