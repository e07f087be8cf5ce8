import { useCallback, useMemo, useState } from "react";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import type { Column } from "../../table/model";
import { Table } from "../../table/Table";
import { Ask } from "../../ui/Ask";
import { Time } from "../../ui/time";
import { useNames } from "../tenants/every";

export type Source = components["schemas"]["EventSource"];

export const KINDS: Record<Source["kind"], string> = {
  "azure-monitor": "Azure Monitor",
  "event-grid": "Event Grid",
};

/** What may send events, and when each was last heard of. */
export function SourcesTable() {
  const names = useNames();
  const [removed, setRemoved] = useState<Source>();
  const columns = useMemo<readonly Column<Source>[]>(
    () => [
      { id: "name", name: "Name", text: (row) => row.name, sortable: true, width: 220 },
      { id: "kind", name: "Kind", text: (row) => KINDS[row.kind], sortable: true, width: 150 },
      {
        id: "tenants",
        name: "Accepts events of",
        text: (row) => row.tenantIds?.map((id) => names[id] ?? id).join(", ") ?? "Every tenant",
        width: 260,
        grow: true,
      },
      {
        id: "lastEventAt",
        name: "Last event",
        text: (row) => row.lastEventAt ?? "never",
        draw: (row) => <Time value={row.lastEventAt} />,
        width: 150,
      },
      {
        id: "createdAt",
        name: "Made",
        text: (row) => row.createdAt,
        draw: (row) => <Time value={row.createdAt} />,
        sortable: true,
        width: 150,
      },
    ],
    [names],
  );
  const rowActions = useCallback((row: Source) => [{ label: "Delete", run: () => setRemoved(row) }], []);
  return (
    <>
      <Table
        name="event-sources"
        label="event sources"
        path="/api/event-sources"
        columns={columns}
        id={idOf}
        sort={{ column: "name", descending: false }}
        rowActions={rowActions}
        empty={{
          title: "Azure tells nothing yet",
          text: "Clients are read every 15 minutes. Add a source, and give its address to an action group or to an event subscription, to hear of changes sooner.",
        }}
      />
      {removed && <RemoveDialog source={removed} close={() => setRemoved(undefined)} />}
    </>
  );
}

function RemoveDialog({ source, close }: { source: Source; close: () => void }) {
  const { api } = useSession();
  return (
    <Ask
      title={`Delete ${source.name}`}
      verb="Delete"
      why
      done={`${source.name} is deleted`}
      close={close}
      run={({ why }) =>
        api.DELETE("/api/event-sources/{source_id}", { params: { path: { source_id: source.id }, query: why } })
      }
    >
      <div>
        What is sent to its address is refused from now on, and the address cannot be brought back. Its clients are
        still read every 15 minutes. Take the address out of Azure too: {KINDS[source.kind]} goes on sending to it.
      </div>
    </Ask>
  );
}

const idOf = (row: Source) => row.id;
