/** The table in which tenants are synced and unsynced, one by one or many at once. */
import {
  ArrowSyncRegular,
  CopyRegular,
  OpenRegular,
  PlugDisconnectedRegular,
  StethoscopeRegular,
} from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { useSession } from "../../session";
import type { Column, Filter, RowAction, Selection } from "../../table/model";
import { readAll } from "../../table/rows";
import type { TableState } from "../../table/state";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import type { Names } from "../../ui/Task";
import { Time } from "../../ui/time";
import { useToasts } from "../../ui/toasts";
import { AT_ONCE, NEVER_UNSYNCED, SyncDialog } from "./SyncDialog";
import { PORTALS, relationshipOf, STATUSES, type Tenant, TenantStatus } from "./status";

export const ADMINS_ONLY = "You may look only: this needs the role Integration.Admin.";
const BUSY_SECONDS = 3;
const CALM_SECONDS = 30;

const COLUMNS: readonly Column<Tenant>[] = [
  {
    id: "displayName",
    name: "Name",
    text: (row) => row.displayName,
    draw: (row) => <AppLink to={`/setup/tenants/${row.id}`}>{row.displayName}</AppLink>,
    sortable: true,
    width: 220,
  },
  {
    id: "status",
    name: "Status",
    text: (row) => STATUSES[row.status][1],
    draw: (row) => <TenantStatus tenant={row} />,
    sortable: true,
    width: 130,
  },
  {
    id: "reason",
    name: "Why, and what to do",
    text: (row) => [row.statusReason, row.statusFix].filter(Boolean).join(" "),
    width: 300,
    grow: true,
  },
  { id: "defaultDomain", name: "Domain", text: (row) => row.defaultDomain, sortable: true, width: 190 },
  { id: "id", name: "Tenant ID", text: (row) => row.id, width: 300 },
  { id: "relationship", name: "Relationship", text: relationshipOf, sortable: true, width: 190 },
  {
    id: "subscriptionCount",
    name: "Subscriptions",
    text: (row) => row.subscriptionCount,
    sortable: true,
    numeric: true,
    width: 125,
  },
  {
    id: "lastSyncedAt",
    name: "Last sync",
    text: (row) => row.lastSyncedAt,
    draw: (row) => <Time value={row.lastSyncedAt} />,
    sortable: true,
    width: 130,
  },
];

const FILTERS: readonly Filter[] = [
  {
    kind: "values",
    param: "status",
    label: "Status",
    options: Object.entries(STATUSES).map(([value, [, label]]) => ({ value, label })),
  },
];

export interface Asked {
  verb: "sync" | "unsync";
  tenants: readonly Tenant[];
}

export function TenantsTable(props: {
  name: string;
  /** Only those of one connection. */
  connectionId?: string;
  keepFilters?: boolean;
  /** Work on tenants is under way: the rows are read more often. */
  busy: boolean;
  begun: (operationId: string, names: Names) => void;
  children?: ReactNode;
}) {
  const { api, can } = useSession();
  const { connectionId, begun } = props;
  const queries = useQueryClient();
  const toasts = useToasts();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Asked>();
  const mayChange = can("Integration.Admin");
  const always = useMemo(() => (connectionId ? { connectionId } : undefined), [connectionId]);
  const rowActions = useCallback(
    (row: Tenant): readonly RowAction[] => [
      {
        label: row.status === "synced" ? "Sync again" : "Sync",
        icon: <ArrowSyncRegular />,
        disabled: mayChange ? undefined : ADMINS_ONLY,
        run: () => setAsked({ verb: "sync", tenants: [row] }),
      },
      {
        label: "Unsync",
        icon: <PlugDisconnectedRegular />,
        disabled: whyNotUnsync(row, mayChange),
        run: () => setAsked({ verb: "unsync", tenants: [row] }),
      },
      {
        label: "Diagnose",
        icon: <StethoscopeRegular />,
        disabled: mayChange ? undefined : ADMINS_ONLY,
        run: () => void navigate(`/setup/tenants/${row.id}?diagnose=1`),
      },
      ...(row.consentUrl
        ? [
            {
              label: "Copy the consent link",
              icon: <CopyRegular />,
              run: () =>
                void navigator.clipboard
                  .writeText(row.consentUrl ?? "")
                  .then(() => toasts.done("Copied", `Send it to an administrator of ${row.displayName}.`)),
            },
          ]
        : []),
      ...PORTALS.slice(0, 3).map(([key, label]) => ({
        label: `Open in the ${label}`,
        icon: <OpenRegular />,
        run: () => void window.open(row.links[key], "_blank", "noopener"),
      })),
    ],
    [mayChange, navigate, toasts],
  );

  const ask = useCallback(
    async (verb: Asked["verb"], selection: Selection, state: TableState) => {
      const query = selection.kind === "all" ? { ...always, ...state.filters } : { ...always };
      const found = await queries.fetchQuery({
        queryKey: ["list", "tenants to act on", query],
        queryFn: () => readAll(api, "/api/tenants", query),
        staleTime: 0,
      });
      const chosen = selection.kind === "all" ? found : found.filter((one) => selection.rows.has(one.id));
      setAsked({ verb, tenants: chosen });
    },
    [api, always, queries],
  );
  const bulkActions = useCallback(
    (selection: Selection, state: TableState): readonly RowAction[] => {
      const count = selection.kind === "all" ? selection.count : selection.rows.size;
      const disabled = !mayChange
        ? ADMINS_ONLY
        : count > AT_ONCE
          ? `At most ${AT_ONCE.toLocaleString()} at once: narrow the list by a filter.`
          : undefined;
      return [
        {
          label: "Sync",
          icon: <ArrowSyncRegular />,
          disabled,
          run: () => void ask("sync", selection, state).catch(toasts.failed),
        },
        {
          label: "Unsync",
          icon: <PlugDisconnectedRegular />,
          disabled,
          run: () => void ask("unsync", selection, state).catch(toasts.failed),
        },
      ];
    },
    [ask, mayChange, toasts.failed],
  );

  return (
    <>
      <Table
        name={props.name}
        label="tenants"
        path="/api/tenants"
        {...(always && { always })}
        columns={COLUMNS}
        id={idOf}
        filters={FILTERS}
        search="Search names, domains and ids"
        sort={{ column: "displayName", descending: false }}
        keepFilters={props.keepFilters ?? false}
        rowActions={rowActions}
        {...(mayChange && { bulkActions })}
        selectAll
        refreshSeconds={props.busy ? BUSY_SECONDS : CALM_SECONDS}
        empty={
          props.busy
            ? { title: "The list is being read", text: "Customers appear here as Microsoft names them." }
            : {
                title: "No customer is known yet",
                text: "Connect the tenant of your company to Microsoft, test it, then read the list of customers.",
              }
        }
      >
        {props.children}
      </Table>
      {asked && (
        <SyncDialog
          verb={asked.verb}
          tenants={asked.tenants}
          begun={(id) => begun(id, namesOf(asked.tenants))}
          close={() => setAsked(undefined)}
        />
      )}
    </>
  );
}

const idOf = (row: Tenant) => row.id;

/** Tenant id -> name. */
export function namesOf(tenants: readonly Tenant[]): Names {
  return Object.fromEntries(tenants.map((one) => [one.id, one.displayName]));
}

/** Why a tenant cannot be unsynced now; undefined when it can. */
export function whyNotUnsync(tenant: Tenant, mayChange: boolean): string | undefined {
  if (!mayChange) return ADMINS_ONLY;
  if (tenant.isPrimary) return NEVER_UNSYNCED;
  if (tenant.status === "deactivated" && !tenant.enterpriseAppId) return "It is not synced.";
  return undefined;
}
