/** A tenant's Azure subscriptions: how each is reached, and how old what is known of it is. */
import { useMemo } from "react";
import type { Column, RowOf } from "../../table/model";
import { Table } from "../../table/Table";
import { Time } from "../../ui/time";
import { Way } from "./status";

type Subscription = RowOf<"/api/tenants/{tenant_id}/subscriptions">;

const COLUMNS: readonly Column<Subscription>[] = [
  { id: "name", name: "Name", text: (row) => row.name, sortable: true, width: 230 },
  {
    id: "access",
    name: "Reached by",
    text: (row) => row.access,
    draw: (row) => <Way subscription={row} />,
    sortable: true,
    width: 190,
  },
  {
    id: "lastRefreshed",
    name: "Data as of",
    text: (row) => row.lastRefreshed,
    draw: (row) => <Time value={row.lastRefreshed} />,
    sortable: true,
    width: 140,
  },
  { id: "deviceCount", name: "Devices", text: (row) => row.deviceCount, numeric: true, width: 100 },
  {
    id: "trouble",
    name: "Trouble, and what to do",
    text: (row) => [row.lastError?.message, row.lastError?.fix, row.accessReason].filter(Boolean).join(" "),
    width: 320,
    grow: true,
  },
  {
    id: "failingSince",
    name: "Failing since",
    text: (row) => row.failingSince,
    draw: (row) => <Time value={row.failingSince} none="" />,
    width: 140,
  },
  { id: "state", name: "State in Azure", text: (row) => row.state, width: 130 },
  { id: "id", name: "Subscription ID", text: (row) => row.id, width: 300 },
];

export function SubscriptionsTable({ tenantId }: { tenantId: string }) {
  const inPath = useMemo(() => ({ tenant_id: tenantId }), [tenantId]);
  return (
    <Table
      name="subscriptions"
      label="Azure subscriptions"
      path="/api/tenants/{tenant_id}/subscriptions"
      inPath={inPath}
      columns={COLUMNS}
      id={idOf}
      sort={{ column: "name", descending: false }}
      empty={{
        title: "No Azure subscription is known",
        text: "Subscriptions are found when the tenant is synced. The diagnosis says why none is visible.",
      }}
    />
  );
}

const idOf = (row: Subscription) => row.id;
