/** What the open alerts have become in other systems. */
import { Link, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { AppLink } from "../../ui/AppLink";
import { sinkKind } from "../alerts/words";
import type { AlertSummary } from "./data";

type Sink = AlertSummary["tickets"][number];
type Ticket = Sink["newest"][number];

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalS, alignContent: "start" },
  sinks: { listStyleType: "none", margin: 0, padding: 0, display: "grid" },
  sink: {
    display: "grid",
    gap: tokens.spacingVerticalXS,
    padding: `${tokens.spacingVerticalS} 0`,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  head: {
    display: "flex",
    flexWrap: "wrap",
    columnGap: tokens.spacingHorizontalM,
    alignItems: "baseline",
    overflowWrap: "anywhere",
  },
  quiet: { color: tokens.colorNeutralForeground3 },
  counts: { marginLeft: "auto", fontVariantNumeric: "tabular-nums" },
  tickets: { listStyleType: "none", margin: 0, padding: 0, display: "grid", gap: tokens.spacingVerticalXXS },
  ticket: { display: "flex", columnGap: tokens.spacingHorizontalM, overflowWrap: "anywhere" },
  number: { whiteSpace: "nowrap" },
});

export function OpenTickets({ alerts }: { alerts: AlertSummary }) {
  const styles = useStyles();
  return (
    <section className={styles.root}>
      <Subtitle2 as="h2">Open tickets</Subtitle2>
      {alerts.tickets.length === 0 ? (
        <Text>{alerts.count > 0 ? "The open alerts have none: no sink was told." : "There are none."}</Text>
      ) : (
        <ul className={styles.sinks}>
          {alerts.tickets.map((sink) => (
            <li key={sink.sinkId} className={styles.sink}>
              <div className={styles.head}>
                <Text weight="semibold">
                  {sink.name ? <AppLink to={`/setup/sinks/${sink.sinkId}`}>{sink.name}</AppLink> : sinkKind(sink.kind)}
                </Text>
                {sink.name && <span className={styles.quiet}>{sinkKind(sink.kind)}</span>}
                <span className={styles.counts}>{countWords(sink)}</span>
              </div>
              {sink.newest.length > 0 && (
                <ul className={styles.tickets} aria-label={`Newest tickets of ${sink.name ?? sinkKind(sink.kind)}`}>
                  {sink.newest.map((ticket) => (
                    <li key={ticket.alertId} className={styles.ticket}>
                      <There ticket={ticket} />
                      <AppLink to={`/alerts/${ticket.alertId}`}>{ticket.title}</AppLink>
                    </li>
                  ))}
                </ul>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** The ticket in its own system, where it can be named. */
function There({ ticket }: { ticket: Ticket }) {
  const styles = useStyles();
  const number = ticket.number && `#${ticket.number.replace(/^#/, "")}`;
  if (ticket.url) {
    return (
      <Link className={styles.number} href={ticket.url} target="_blank" rel="noreferrer">
        {number || "Open it there"}
      </Link>
    );
  }
  return number ? <span className={styles.number}>{number}</span> : null;
}

function countWords(sink: Sink): string {
  const words = [
    [sink.open, "open"],
    [sink.pending, "on their way"],
    [sink.held, "held"],
    [sink.failed, "failed"],
  ] as const;
  return words
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count.toLocaleString()} ${word}`)
    .join(", ");
}
