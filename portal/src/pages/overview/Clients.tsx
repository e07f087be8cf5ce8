import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import { AppLink } from "../../ui/AppLink";
import type { AlertSummary, DeviceSummary } from "./data";
import { compareSeverities, SeverityBar, severityWords } from "./Severities";

const NARROW = "@media (max-width: 500px)";
const useStyles = makeStyles({
  table: { borderCollapse: "collapse", width: "100%" },
  head: {
    textAlign: "left",
    color: tokens.colorNeutralForeground3,
    fontWeight: tokens.fontWeightRegular,
    padding: `${tokens.spacingVerticalXS} 0`,
  },
  cell: {
    padding: `${tokens.spacingVerticalS} 0`,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
    verticalAlign: "top",
  },
  client: { overflowWrap: "anywhere", paddingRight: tokens.spacingHorizontalM },
  alerts: { width: "36%", [NARROW]: { width: "30%" } },
  number: { textAlign: "right", fontVariantNumeric: "tabular-nums", paddingLeft: tokens.spacingHorizontalM },
  wide: { [NARROW]: { display: "none" } },
  none: { color: tokens.colorNeutralForeground3 },
});
const SHOWN = 12;

/** What is wrong with each client: its open alerts, and its devices that are down or degraded; the worst client first. */
export function Clients({ devices, alerts }: { devices: DeviceSummary; alerts: AlertSummary | undefined }) {
  const styles = useStyles();
  const counts = new Map(devices.byClient.map((one) => [one.clientName, one]));
  const open = new Map(alerts?.byClient.map((one) => [one.clientName, one.bySeverity]));
  const most = Math.max(0, ...(alerts?.byClient.map((one) => one.count) ?? []));
  const down = (name: string, status: "unavailable" | "degraded") => counts.get(name)?.byStatus[status] ?? 0;
  const worst = [...new Set([...counts.keys(), ...open.keys()])].sort(
    (a, b) =>
      compareSeverities(open.get(a), open.get(b)) ||
      down(b, "unavailable") - down(a, "unavailable") ||
      down(b, "degraded") - down(a, "degraded") ||
      a.localeCompare(b),
  );
  return (
    <>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col" className={styles.head}>
              Client
            </th>
            <th scope="col" className={mergeClasses(styles.head, styles.alerts)}>
              Open alerts
            </th>
            {["Unavailable", "Degraded", "Devices"].map((name) => (
              <th
                key={name}
                scope="col"
                className={mergeClasses(styles.head, styles.number, name === "Devices" && styles.wide)}
              >
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {worst.slice(0, SHOWN).map((name) => {
            const severities = open.get(name);
            const query = `clientName=${encodeURIComponent(name)}`;
            return (
              <tr key={name}>
                <td className={mergeClasses(styles.cell, styles.client)}>
                  {name ? <AppLink to={`/devices?${query}`}>{name}</AppLink> : "Tenantry itself"}
                </td>
                <td className={styles.cell}>
                  {severities ? (
                    <>
                      <SeverityBar counts={severities} most={most} />
                      <AppLink to={`/alerts?${name ? query : "kind=self"}`}>{severityWords(severities)}</AppLink>
                    </>
                  ) : (
                    <span className={styles.none}>{alerts ? "none" : ""}</span>
                  )}
                </td>
                {[
                  down(name, "unavailable"),
                  down(name, "degraded"),
                  // A client that has no devices any more may have alerts still.
                  counts.get(name)?.count ?? 0,
                ].map((number, place) => (
                  <td
                    key={["Unavailable", "Degraded", "Devices"][place]}
                    className={mergeClasses(styles.cell, styles.number, place === 2 && styles.wide)}
                  >
                    {name ? number.toLocaleString() : ""}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
      {worst.length > SHOWN && (
        <span className={styles.none}>{`and ${(worst.length - SHOWN).toLocaleString()} more clients`}</span>
      )}
    </>
  );
}
