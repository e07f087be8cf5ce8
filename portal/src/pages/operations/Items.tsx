/** What became of each target of an operation. */
import { useMemo } from "react";
import type { Column, Filter, RowOf } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { itemNoun, STATUS_NAMES, StatusMark } from "./words";

type Item = RowOf<"/api/operations/{operation_id}/items">;

const FILTERS: readonly Filter[] = [
  {
    kind: "values",
    param: "status",
    label: "Status",
    options: Object.entries(STATUS_NAMES).map(([value, label]) => ({ value, label })),
  },
];

export function Items({ id, kind, running }: { id: string; kind: string; running: boolean }) {
  const noun = itemNoun(kind);
  const inPath = useMemo(() => ({ operation_id: id }), [id]);
  const columns = useMemo(() => columnsOf(noun), [noun]);
  return (
    <Table
      name="operation-items"
      label={`${noun}s of the operation`}
      path="/api/operations/{operation_id}/items"
      inPath={inPath}
      columns={columns}
      id={(row) => row.target}
      filters={FILTERS}
      refreshSeconds={running ? 5 : 60}
      empty={{ title: "It has no parts", text: "Nothing was found that it could be about." }}
    />
  );
}

function columnsOf(noun: string): readonly Column<Item>[] {
  const name = (row: Item) => row.name ?? row.target;
  return [
    {
      id: "target",
      name: noun.charAt(0).toUpperCase() + noun.slice(1),
      text: name,
      draw: (row) => (noun === "device" ? <AppLink to={`/devices/${row.target}`}>{name(row)}</AppLink> : name(row)),
      width: 260,
    },
    { id: "clientName", name: "Client", text: (row) => row.clientName, width: 160, hidden: noun !== "device" },
    {
      id: "status",
      name: "Status",
      text: (row) => STATUS_NAMES[row.status],
      draw: (row) => <StatusMark status={row.status} />,
      width: 170,
    },
    {
      id: "error",
      name: "What happened",
      text: (row) => [row.error?.message, row.error?.fix].filter(Boolean).join(" "),
      width: 320,
      grow: true,
    },
    { id: "code", name: "Code", text: (row) => row.error?.code, width: 170, hidden: true },
    {
      id: "operationId",
      name: "Its own operation",
      text: (row) => row.operationId,
      draw: (row) => row.operationId && <AppLink to={`/operations/${row.operationId}`}>See it</AppLink>,
      width: 150,
      hidden: noun !== "device",
    },
  ];
}
