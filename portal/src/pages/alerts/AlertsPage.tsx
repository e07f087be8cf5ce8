/** What is wrong, what was, and what nobody was told of. */
import { Link, makeStyles, tokens } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useSession } from "../../session";
import type { Column, Filter, Option } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { PageFrame } from "../../ui/PageFrame";
import { healthName, Mark } from "../../ui/status";
import { length, Time, useNow } from "../../ui/time";
import { useDeeds } from "./deeds";
import {
  type Alert,
  AlertState,
  CONDITIONS,
  KINDS,
  SEVERITIES,
  Severity,
  SILENCES,
  STATES,
  TICKET_STATES,
  type Ticket,
  ticketName,
} from "./words";

const useStyles = makeStyles({
  tickets: { display: "inline-flex", alignItems: "center", gap: tokens.spacingHorizontalS },
  more: { color: tokens.colorNeutralForeground3 },
});

const COLUMNS: readonly Column<Alert>[] = [
  {
    id: "title",
    name: "Title",
    text: (row) => row.title,
    draw: (row) => <AppLink to={`/alerts/${row.id}`}>{row.title}</AppLink>,
    width: 325,
  },
  {
    id: "severity",
    name: "Severity",
    text: (row) => row.severity,
    draw: (row) => <Severity level={row.severity} />,
    width: 105,
  },
  { id: "state", name: "State", text: (row) => row.state, draw: (row) => <AlertState state={row.state} />, width: 125 },
  { id: "condition", name: "Condition", text: (row) => CONDITIONS[row.condition], width: 125 },
  { id: "clientName", name: "Client", text: (row) => row.clientName, width: 140 },
  { id: "siteName", name: "Site", text: (row) => row.siteName, width: 110 },
  {
    id: "openedAt",
    name: "Opened",
    text: (row) => row.openedAt,
    draw: (row) => <Time value={row.openedAt} />,
    width: 145,
  },
  { id: "lasted", name: "Lasted", text: lasted, draw: (row) => <Lasted alert={row} />, numeric: true, width: 95 },
  {
    id: "closedAt",
    name: "Closed",
    text: (row) => row.closedAt,
    draw: (row) => <Time value={row.closedAt} none="" />,
    width: 145,
  },
  { id: "acknowledgedBy", name: "Acknowledged by", text: (row) => row.acknowledgement?.by, width: 145 },
  {
    id: "tickets",
    name: "Tickets",
    text: (row) => row.tickets.map(ticketName).join(", "),
    draw: (row) => <Tickets tickets={row.tickets} />,
    width: 150,
  },
  {
    id: "suppressedBy",
    name: "Silent because",
    text: (row) => row.suppressedBy && SILENCES[row.suppressedBy],
    width: 220,
    hidden: true,
  },
];
const STATUSES = ["available", "unavailable", "degraded", "unknown", "notReported"];

export default function AlertsPage() {
  const { api } = useSession();
  const queries = useQueryClient();
  const { deedsOf, dialog } = useDeeds();
  const clients = useCallback(async () => {
    const summary = await queries.fetchQuery({
      queryKey: ["devices", "summary"],
      queryFn: async () => (await api.GET("/api/devices/summary")).data,
      staleTime: 60_000,
    });
    return (summary?.byClient ?? []).map(({ clientName }) => ({ value: clientName, label: clientName }));
  }, [api, queries]);
  const sites = useCallback(async () => {
    const page = (await api.GET("/api/sites", { params: { query: { $top: 1000 } } })).data;
    return (page?.value ?? []).map(({ id, clientName, siteName }) => ({
      value: id,
      label: `${clientName}, ${siteName}`,
    }));
  }, [api]);
  const filters = useMemo<readonly Filter[]>(
    () => [
      { kind: "values", param: "state", label: "State", options: signed(STATES), usual: ["open"] },
      { kind: "values", param: "severity", label: "Severity", options: signed(SEVERITIES) },
      { kind: "values", param: "condition", label: "Condition", options: named(CONDITIONS) },
      { kind: "values", param: "kind", label: "About", options: named(KINDS) },
      {
        kind: "values",
        param: "status",
        label: "Status",
        options: STATUSES.map((value) => ({ value, label: healthName(value) })),
      },
      { kind: "values", param: "clientName", label: "Client", options: clients },
      { kind: "values", param: "siteId", label: "Site", options: sites },
      {
        kind: "values",
        param: "suppressedBy",
        label: "Silent because",
        options: [...named(SILENCES), { value: "none", label: "People were told" }],
      },
    ],
    [clients, sites],
  );
  return (
    <PageFrame title="Alerts" aside="Newest first">
      <Table
        name="alerts"
        label="alerts"
        path="/api/alerts"
        columns={COLUMNS}
        id={idOf}
        filters={filters}
        search="Search names of devices"
        rowActions={deedsOf}
        empty={{
          title: "Nothing is wrong",
          text: "No alert is open. To see what was, or what nobody was told of, choose another state.",
        }}
      />
      {dialog}
    </PageFrame>
  );
}

const idOf = (row: Alert) => row.id;

function named(names: Record<string, string>): readonly Option[] {
  return Object.entries(names).map(([value, label]) => ({ value, label }));
}

function signed(signs: Record<string, readonly [unknown, string, unknown]>): readonly Option[] {
  return Object.entries(signs).map(([value, [, label]]) => ({ value, label }));
}

function lasted(alert: Alert, now = Date.now()): string {
  const end = alert.closedAt ? new Date(alert.closedAt).getTime() : now;
  return length(end - new Date(alert.openedAt).getTime());
}

function Lasted({ alert }: { alert: Alert }) {
  return lasted(alert, useNow());
}

/** The first ticket, and how many there are beside it. */
function Tickets({ tickets }: { tickets: readonly Ticket[] }) {
  const styles = useStyles();
  const [first, ...others] = tickets;
  if (!first) return null;
  const [tone, state, icon] = TICKET_STATES[first.state];
  return (
    <span className={styles.tickets}>
      {first.number && first.url ? (
        <Link href={first.url} target="_blank" rel="noreferrer">
          {ticketName(first)}
        </Link>
      ) : (
        ticketName(first)
      )}
      <Mark tone={tone} icon={icon}>
        {state}
      </Mark>
      {others.length > 0 && <span className={styles.more}>{`and ${others.length} more`}</span>}
    </span>
  );
}
