/** What an alert has become in other systems, and every message about it. */
import { Link, MessageBar, MessageBarBody, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { Deliveries } from "./Deliveries";
import { type Alert, sinkKind, type Ticket, TicketState, ticketName } from "./words";

const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid", gap: tokens.spacingVerticalM },
  card: {
    display: "grid",
    gap: tokens.spacingVerticalS,
    padding: tokens.spacingHorizontalM,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground1,
  },
  head: { display: "flex", flexWrap: "wrap", columnGap: tokens.spacingHorizontalM, alignItems: "baseline" },
  name: { overflowWrap: "anywhere" },
  kind: { color: tokens.colorNeutralForeground3 },
  end: { marginLeft: "auto", display: "flex", gap: tokens.spacingHorizontalM, alignItems: "baseline" },
});

/** One card for each sink that was told. */
export function Tickets({ alert }: { alert: Alert }) {
  const styles = useStyles();
  const { api } = useSession();
  const sinks = useQuery({
    queryKey: ["sinks", "names"],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/sinks", { params: { query: { $top: 1000 } }, signal })).data?.value ?? [],
    staleTime: 60_000,
  });
  if (alert.tickets.length === 0) {
    return (
      <Text>{alert.toldAt ? "No sink is set up for its site, so there are none." : "Nobody was told of it."}</Text>
    );
  }
  return (
    <ul className={styles.list}>
      {alert.tickets.map((ticket) => {
        const sink = sinks.data?.find((one) => one.id === ticket.sinkId);
        return (
          <li key={ticket.sinkId} className={styles.card}>
            <Head ticket={ticket} name={sink?.name} />
            {ticket.closedByHand && (
              <Text>Somebody closed it there. Tenantry writes no more into it, and leaves it closed.</Text>
            )}
            {ticket.lastError && (
              <MessageBar intent={ticket.state === "failed" ? "error" : "warning"} layout="multiline">
                <MessageBarBody>{ticket.lastError}</MessageBarBody>
              </MessageBar>
            )}
            {sink && <Deliveries alert={alert} sinkId={sink.id} sinkName={sink.name} />}
            {sinks.isSuccess && !sink && (
              <Text className={styles.kind}>It also serves other sites or is gone; its deliveries are not shown.</Text>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Head({ ticket, name }: { ticket: Ticket; name: string | undefined }) {
  const styles = useStyles();
  const number = ticket.number && (ticket.url ? <Out to={ticket.url}>{ticketName(ticket)}</Out> : ticketName(ticket));
  return (
    <div className={styles.head}>
      <Text weight="semibold" className={styles.name}>
        {name ?? sinkKind(ticket.kind)}
      </Text>
      {name && <Text className={styles.kind}>{sinkKind(ticket.kind)}</Text>}
      <span className={styles.end}>
        {number || (ticket.url && <Out to={ticket.url}>Open it there</Out>)}
        <TicketState state={ticket.state} />
      </span>
    </div>
  );
}

function Out({ to, children }: { to: string; children: string }) {
  return (
    <Link href={to} target="_blank" rel="noreferrer">
      {children}
    </Link>
  );
}
