/** Maintenance windows: times in which devices may be down, and nobody is told. */
import { Button, DrawerBody, DrawerHeader, DrawerHeaderTitle, OverlayDrawer } from "@fluentui/react-components";
import { AddRegular, DeleteRegular, DismissRegular, InfoRegular } from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { useSession } from "../../session";
import type { Column, Filter, RowAction } from "../../table/model";
import { readAll } from "../../table/rows";
import { Table } from "../../table/Table";
import { Deed } from "../../ui/Deed";
import { Facts } from "../../ui/Facts";
import { PageFrame } from "../../ui/PageFrame";
import { siteOptions } from "../../ui/sites";
import { length, Time, toTheMinute } from "../../ui/time";
import { EndDialog } from "./EndDialog";
import { NewWindowDialog } from "./NewWindowDialog";
import { MAY_LOOK, Scope, STATES, StateMark, scopeSize, span, type Window, ZONE } from "./words";

const lasting = (row: Window) => new Date(row.endAt).getTime() - new Date(row.startAt).getTime();

const COLUMNS: readonly Column<Window>[] = [
  { id: "reason", name: "What is done", text: (row) => row.reason, width: 220, grow: true },
  {
    id: "state",
    name: "State",
    text: (row) => STATES[row.state][1],
    draw: (row) => <StateMark state={row.state} />,
    width: 110,
  },
  { id: "scope", name: "About", text: scopeSize, draw: (row) => <Scope row={row} brief />, width: 240 },
  { id: "startAt", name: "Start", text: (row) => toTheMinute(new Date(row.startAt)), sortable: true, width: 170 },
  { id: "endAt", name: "End", text: (row) => toTheMinute(new Date(row.endAt)), sortable: true, width: 170 },
  { id: "lasting", name: "Lasts", text: (row) => length(lasting(row)), numeric: true, width: 110, hidden: true },
  { id: "createdBy", name: "Made by", text: (row) => row.createdBy, width: 140 },
  { id: "ticketNumber", name: "Ticket", text: (row) => row.ticketNumber, width: 110 },
  {
    id: "createdAt",
    name: "Made",
    text: (row) => row.createdAt,
    draw: (row) => <Time value={row.createdAt} />,
    sortable: true,
    width: 130,
    hidden: true,
  },
  { id: "endedBy", name: "Ended early by", text: (row) => row.endedBy, width: 140, hidden: true },
];

type Asked = { deed: "new" } | { deed: "end" | "show"; row: Window };

export default function MaintenancePage() {
  const { api, can } = useSession();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked>();
  const denied = can("Alerts.Manage") ? undefined : MAY_LOOK;
  const filters = useMemo<readonly Filter[]>(
    () => [
      {
        kind: "values",
        param: "state",
        label: "State",
        options: Object.entries(STATES).map(([value, [, label]]) => ({ value, label })),
      },
      {
        kind: "values",
        param: "siteId",
        label: "Site",
        options: async () =>
          siteOptions(
            await queries.fetchQuery({
              queryKey: ["list", "every site"],
              queryFn: () => readAll(api, "/api/sites", {}),
            }),
          ),
      },
    ],
    [api, queries],
  );
  const rowActions = useCallback(
    (row: Window): readonly RowAction[] => [
      { label: "Show all of it", icon: <InfoRegular />, run: () => setAsked({ deed: "show", row }) },
      {
        label: row.state === "upcoming" ? "Delete" : "End now",
        icon: <DeleteRegular />,
        disabled: denied ?? (row.state === "past" ? "It is over." : undefined),
        run: () => setAsked({ deed: "end", row }),
      },
    ],
    [denied],
  );
  const close = () => setAsked(undefined);
  return (
    <PageFrame
      title="Maintenance"
      aside={`Time zone: ${ZONE}`}
      actions={
        <Deed
          icon={<AddRegular />}
          label="New window"
          primary
          disabled={denied}
          run={() => setAsked({ deed: "new" })}
        />
      }
    >
      <Table
        name="maintenance"
        label="maintenance windows"
        path="/api/maintenance"
        columns={COLUMNS}
        id={idOf}
        filters={filters}
        sort={{ column: "startAt", descending: true }}
        rowActions={rowActions}
        empty={{
          title: "There are no maintenance windows",
          text: denied
            ? "Whoever has the role Alerts.Manage makes them, before devices are taken down on purpose."
            : "Make one before you take devices down: what goes down in it opens no ticket.",
        }}
      />
      {asked?.deed === "new" && <NewWindowDialog close={close} />}
      {asked?.deed === "end" && <EndDialog row={asked.row} close={close} />}
      {asked?.deed === "show" && <WindowDrawer row={asked.row} close={close} />}
    </PageFrame>
  );
}

const idOf = (row: Window) => row.id;

function WindowDrawer({ row, close }: { row: Window; close: () => void }) {
  return (
    <OverlayDrawer open position="end" size="medium" onOpenChange={(_, data) => !data.open && close()}>
      <DrawerHeader>
        <DrawerHeaderTitle
          action={<Button appearance="subtle" aria-label="Close" icon={<DismissRegular />} onClick={close} />}
        >
          {row.reason}
        </DrawerHeaderTitle>
      </DrawerHeader>
      <DrawerBody>
        <Facts
          rows={[
            ["State", <StateMark key="s" state={row.state} />],
            ["About", <Scope key="a" row={row} />],
            ["When", span(row.startAt, row.endAt)],
            ["Time zone", ZONE],
            ["Ticket", row.ticketNumber],
            ["Made by", row.createdBy],
            ["Made", <Time key="m" value={row.createdAt} />],
            ["Ended early by", row.endedBy],
          ]}
        />
      </DrawerBody>
    </OverlayDrawer>
  );
}
