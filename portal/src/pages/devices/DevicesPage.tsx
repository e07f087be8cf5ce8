/** Every client's Azure resources: what they are, how they are, and what can be done with them. */
import { OpenRegular } from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { useSession } from "../../session";
import type { Column, Filter, RowAction, RowOf, Selection } from "../../table/model";
import { type Loaded, readAll } from "../../table/rows";
import type { TableState } from "../../table/state";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { PageFrame } from "../../ui/PageFrame";
import { siteOptions } from "../../ui/sites";
import { Health, healthName, PowerState, sentence } from "../../ui/status";
import { Time } from "../../ui/time";
import { ActDialog, type Target } from "./ActDialog";
import { mayOffer, offerName, VERB_ICONS, VERB_NAMES, VERBS, VERBS_DONE, type Verb } from "./actions";
import { ExportDialog } from "./ExportDialog";

type Device = RowOf<"/api/devices">;

const COLUMNS: readonly Column<Device>[] = [
  {
    id: "name",
    name: "Name",
    text: (row) => row.name,
    draw: (row) => <AppLink to={`/devices/${row.id}`}>{row.name}</AppLink>,
    sortable: true,
    width: 200,
  },
  {
    id: "status",
    name: "Status",
    text: (row) => row.status,
    draw: (row) => <Health status={row.status} />,
    sortable: true,
    width: 128,
  },
  {
    id: "powerState",
    name: "Power state",
    text: (row) => row.powerState,
    draw: (row) => <PowerState state={row.powerState ?? undefined} />,
    sortable: true,
    width: 128,
  },
  { id: "typeName", name: "Type", text: (row) => row.typeName, sortable: true, width: 160 },
  { id: "clientName", name: "Client", text: (row) => row.clientName, sortable: true, width: 124 },
  { id: "siteName", name: "Site", text: (row) => row.siteName, sortable: true, width: 123 },
  { id: "region", name: "Region", text: (row) => row.region, sortable: true, width: 160 },
  { id: "resourceGroup", name: "Group", text: (row) => row.resourceGroup, sortable: true, width: 150 },
  { id: "subscriptionName", name: "Subscription", text: (row) => row.subscriptionName, sortable: true, width: 190 },
  { id: "tenantName", name: "Tenant", text: (row) => row.tenantName, sortable: true, width: 150 },
  {
    id: "statusSince",
    name: "Status since",
    text: (row) => row.statusSince,
    draw: (row) => <Time value={row.statusSince} none="" />,
    sortable: true,
    width: 150,
  },
  {
    id: "lastRefreshed",
    name: "Refreshed",
    text: (row) => row.lastRefreshed,
    draw: (row) => <Time value={row.lastRefreshed} />,
    sortable: true,
    width: 150,
  },
];
const STATUSES = ["available", "unavailable", "degraded", "unknown", "notReported"];

export default function DevicesPage() {
  const { api, can } = useSession();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<{ verb: Verb; target: Target }>();
  const [exporting, setExporting] = useState<TableState>();
  const [refreshed, setRefreshed] = useState<string | null>();
  const onLoaded = useCallback((page: Loaded<Device>) => setRefreshed(page.lastRefreshed ?? null), []);
  const mayAct = can("CloudDevices.Update");

  const filters = useMemo<readonly Filter[]>(() => {
    const summary = () =>
      queries.fetchQuery({
        queryKey: ["devices", "summary"],
        queryFn: async () => (await api.GET("/api/devices/summary")).data,
        staleTime: 60_000,
      });
    return [
      {
        kind: "values",
        param: "status",
        label: "Status",
        options: STATUSES.map((value) => ({ value, label: healthName(value) })),
      },
      {
        kind: "values",
        param: "type",
        label: "Type",
        options: async () =>
          ((await summary())?.byType ?? []).map((one) => ({ value: one.type, label: one.typeName, count: one.count })),
      },
      {
        kind: "values",
        param: "clientName",
        label: "Client",
        options: async () =>
          ((await summary())?.byClient ?? []).map((one) => ({
            value: one.clientName,
            label: one.clientName,
            count: one.count,
          })),
      },
      {
        kind: "values",
        param: "siteId",
        label: "Site",
        options: async () => siteOptions(await readAll(api, "/api/sites", {})),
      },
      {
        kind: "values",
        param: "region",
        label: "Region",
        options: async () =>
          ((await summary())?.byRegion ?? []).map((one) => ({
            value: one.region,
            label: one.region,
            count: one.count,
          })),
      },
    ];
  }, [api, queries]);

  const rowActions = useCallback(
    (row: Device): readonly RowAction[] => [
      ...VERBS.map((verb) =>
        verbAction(verb, row, mayAct, () => setAsked({ verb, target: { kind: "one", id: row.id, name: row.name } })),
      ),
      {
        label: "Open in the Azure portal",
        icon: <OpenRegular />,
        run: () => void window.open(row.portalUrl, "_blank", "noopener"),
      },
    ],
    [mayAct],
  );
  const bulkActions = useCallback(
    (selection: Selection<Device>, state: TableState): readonly RowAction[] =>
      VERBS.map((verb) => {
        const Icon = VERB_ICONS[verb];
        const target = targetOf(selection, state, verb);
        const unfiltered = target.kind === "matching" && Object.keys(target.filters).length === 0;
        return {
          label: VERB_NAMES[verb],
          icon: <Icon />,
          disabled: !mayAct
            ? "You may look only: acting needs the role CloudDevices.Update."
            : unfiltered
              ? "Set a filter first: an action on everything is never meant."
              : target.kind === "some" && target.devices.length === 0
                ? `None of these can be ${VERBS_DONE[verb]} now.`
                : undefined,
          run: () => setAsked({ verb, target }),
        };
      }),
    [mayAct],
  );

  return (
    <PageFrame
      title="Cloud devices"
      aside={
        refreshed !== undefined && (
          <>
            Last refreshed <Time value={refreshed} />
          </>
        )
      }
    >
      <Table
        name="devices"
        label="cloud devices"
        path="/api/devices"
        columns={COLUMNS}
        id={idOf}
        filters={filters}
        search="Search names and groups"
        sort={{ column: "name", descending: false }}
        rowActions={rowActions}
        bulkActions={bulkActions}
        selectAll
        onExport={setExporting}
        onLoaded={onLoaded}
        empty={{
          title: "There are no devices yet",
          text: (
            <>
              Devices come from the Azure subscriptions of the tenants that your sites stand for.{" "}
              {can("Integration.Admin") ? (
                <>
                  Map them under{" "}
                  <AppLink to="/setup/sites" inText>
                    Setup, Sites
                  </AppLink>
                  .
                </>
              ) : (
                "An administrator maps them under Setup, and grants you sites."
              )}
            </>
          ),
        }}
      />
      {asked && <ActDialog verb={asked.verb} target={asked.target} close={() => setAsked(undefined)} />}
      {exporting && <ExportDialog filters={exporting.filters} close={() => setExporting(undefined)} />}
    </PageFrame>
  );
}

const idOf = (row: Device) => row.id;

/** What the verb would be done to: of selected rows, those that may offer it. */
function targetOf(selection: Selection<Device>, state: TableState, verb: Verb): Target {
  if (selection.kind === "all") return { kind: "matching", filters: state.filters, count: selection.count };
  const chosen = [...selection.rows.values()];
  const able = chosen.filter((row) => mayOffer(row, verb));
  const [only] = able;
  if (chosen.length === 1 && only) return { kind: "one", id: only.id, name: only.name };
  return { kind: "some", devices: able, others: chosen.filter((row) => !mayOffer(row, verb)) };
}

/** "a virtual machine", "an app service"; a word with u mostly sounds as "you". */
function aType({ typeName }: Device): string {
  const name = typeName.toLowerCase();
  return `${/^[aeio]/.test(name) ? "an" : "a"} ${name}`;
}

function verbAction(verb: Verb, row: Device, mayAct: boolean, run: () => void): RowAction {
  const Icon = VERB_ICONS[verb];
  const disabled = !mayAct
    ? "You may look only: acting needs the role CloudDevices.Update."
    : mayOffer(row, verb)
      ? undefined
      : row.actions.length === 0 && !row.uncertainActions
        ? `${sentence(aType(row))} has no such action.`
        : `Not for ${aType(row)}${row.powerState ? ` that is ${row.powerState}` : ""}.`;
  return { label: offerName({ action: verb, label: row.actionLabels?.[verb] }), icon: <Icon />, disabled, run };
}
