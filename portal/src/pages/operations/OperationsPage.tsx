/** Everything that takes long: what runs, what waits for a second person, and what came of the rest. */
import { CheckmarkRegular, DismissCircleRegular, DismissRegular } from "@fluentui/react-icons";
import { useCallback, useMemo, useState } from "react";
import { useSession } from "../../session";
import type { Column, Filter, RowAction } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { ended, type Operation } from "../../ui/OperationProgress";
import { PageFrame } from "../../ui/PageFrame";
import { Time } from "../../ui/time";
import { Decide, type Deed } from "./Decide";
import {
  aboutName,
  askedBy,
  devicePath,
  kindName,
  noCancel,
  noDecision,
  OperationMark,
  percentOf,
  STATUS_NAMES,
  type Status,
  statusName,
} from "./words";

const COLUMNS: readonly Column<Operation>[] = [
  {
    id: "kind",
    name: "What",
    text: (row) => kindName(row.kind),
    draw: (row) => <AppLink to={`/operations/${row.id}`}>{kindName(row.kind)}</AppLink>,
    width: 150,
  },
  {
    id: "about",
    name: "On",
    text: aboutName,
    draw: (row) => {
      const path = devicePath(row);
      return path ? <AppLink to={path}>{aboutName(row)}</AppLink> : aboutName(row);
    },
    width: 175,
  },
  {
    id: "status",
    name: "Status",
    text: statusName,
    draw: (row) => <OperationMark operation={row} />,
    width: 175,
  },
  {
    id: "percentComplete",
    name: "Progress",
    text: (row) => (ended(row.status) ? "" : `${percentOf(row)} %`),
    numeric: true,
    width: 105,
  },
  { id: "askedBy", name: "Asked by", text: (row) => askedBy(row), width: 125 },
  {
    id: "createdAt",
    name: "Asked",
    text: (row) => row.createdAt,
    draw: (row) => <Time value={row.createdAt} />,
    width: 145,
  },
  {
    id: "lastUpdatedAt",
    name: "Last change",
    text: (row) => row.lastUpdatedAt,
    draw: (row) => <Time value={row.lastUpdatedAt} />,
    width: 145,
    hidden: true,
  },
  { id: "reason", name: "Reason", text: (row) => row.reason, width: 130, grow: true },
  { id: "ticketNumber", name: "Ticket", text: (row) => row.ticketNumber, width: 100 },
  { id: "error", name: "Error", text: (row) => row.error?.message, width: 260, hidden: true },
];
const STATUSES = (Object.entries(STATUS_NAMES) as [Status, string][]).map(([value, label]) => ({ value, label }));

export default function OperationsPage() {
  const { api, can, me } = useSession();
  const [asked, setAsked] = useState<{ deed: Deed; operation: Operation }>();
  const mayAct = can("CloudDevices.Update");
  const seesTenants = can("CloudDevices.Read", "Microsoft365.Read");

  const filters = useMemo<readonly Filter[]>(() => {
    const status: Filter = { kind: "values", param: "status", label: "Status", options: STATUSES };
    const tenant: Filter = {
      kind: "values",
      param: "tenantId",
      label: "Tenant",
      options: async () => {
        const { data } = await api.GET("/api/tenants", { params: { query: { $top: 1000 } } });
        return (data?.value ?? []).map((one) => ({ value: one.id, label: one.displayName }));
      },
    };
    return seesTenants ? [status, tenant] : [status];
  }, [api, seesTenants]);

  const rowActions = useCallback(
    (operation: Operation): readonly RowAction[] => {
      const undecided = noDecision(operation, me, mayAct);
      const ask = (deed: Deed) => () => setAsked({ deed, operation });
      return [
        { label: "Approve", icon: <CheckmarkRegular />, disabled: undecided, run: ask("approve") },
        { label: "Reject", icon: <DismissRegular />, disabled: undecided, run: ask("reject") },
        {
          label: "Cancel what has not begun",
          icon: <DismissCircleRegular />,
          disabled: noCancel(operation, mayAct),
          run: ask("cancel"),
        },
      ];
    },
    [me, mayAct],
  );

  return (
    <PageFrame title="Operations" aside="Newest first">
      <Table
        name="operations"
        label="operations"
        path="/api/operations"
        columns={COLUMNS}
        id={idOf}
        filters={filters}
        rowActions={rowActions}
        refreshSeconds={10}
        empty={{
          title: "Nothing was asked for yet",
          text: "Actions on devices, refreshes, exports and syncs of tenants are shown here while they run and afterwards.",
        }}
      />
      {asked && <Decide deed={asked.deed} operation={asked.operation} close={() => setAsked(undefined)} />}
    </PageFrame>
  );
}

const idOf = (row: Operation) => row.id;
