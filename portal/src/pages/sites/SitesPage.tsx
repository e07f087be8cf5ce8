/** Clients' sites, and which tenant each stands for. */
import {
  AddRegular,
  ArrowUploadRegular,
  DeleteRegular,
  LinkDismissRegular,
  LinkRegular,
  RenameRegular,
} from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { useSession } from "../../session";
import type { Column, Filter, RowAction, RowOf } from "../../table/model";
import { readAll } from "../../table/rows";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Ask } from "../../ui/Ask";
import { Deed } from "../../ui/Deed";
import { PageFrame } from "../../ui/PageFrame";
import { Mark } from "../../ui/status";
import { ADMINS_ONLY } from "../tenants/TenantsTable";
import { ImportDialog } from "./ImportDialog";
import { MapDialog } from "./MapDialog";
import { NewSiteDialog, RenameDialog, siteName, useSite } from "./SiteDialog";

type Site = RowOf<"/api/sites">;

const COLUMNS: readonly Column<Site>[] = [
  { id: "clientName", name: "Client", text: (row) => row.clientName, sortable: true, width: 200 },
  { id: "siteName", name: "Site", text: (row) => row.siteName, sortable: true, width: 180 },
  {
    id: "tenantName",
    name: "Tenant",
    text: (row) => row.tenantName ?? row.tenantId,
    draw: (row) =>
      row.tenantId ? (
        <AppLink to={`/setup/tenants/${row.tenantId}`}>{row.tenantName ?? row.tenantId}</AppLink>
      ) : (
        <Mark tone="quiet">Not mapped</Mark>
      ),
    width: 200,
  },
  {
    id: "subscriptions",
    name: "Subscriptions",
    text: (row) => (row.tenantId ? (row.subscriptionIds ? `${row.subscriptionIds.length} chosen` : "All") : ""),
    width: 130,
  },
  {
    id: "azure",
    name: "Azure",
    text: (row) => row.azure && (row.azure.polled ? "Read" : "Not read"),
    draw: (row) =>
      row.azure && <Mark tone={row.azure.polled ? "good" : "doubtful"}>{row.azure.polled ? "Read" : "Not read"}</Mark>,
    width: 120,
  },
  { id: "reason", name: "Why it is not read", text: (row) => row.azure?.reason, width: 240, grow: true },
  { id: "id", name: "ID", text: (row) => row.id, sortable: true, width: 220 },
];

interface Asked {
  deed: "new" | "import" | "rename" | "map" | "unmap" | "delete";
  site?: Site;
}

export default function SitesPage() {
  const { api, can } = useSession();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked>();
  const mayChange = can("Integration.Admin");
  const filters = useMemo<readonly Filter[]>(
    () => [
      {
        kind: "values",
        param: "clientName",
        label: "Client",
        options: async () => {
          const sites = await queries.fetchQuery({
            queryKey: ["list", "every site"],
            queryFn: () => readAll(api, "/api/sites", {}),
          });
          const counts = new Map<string, number>();
          for (const site of sites) counts.set(site.clientName, (counts.get(site.clientName) ?? 0) + 1);
          return [...counts].map(([value, count]) => ({ value, label: value, count }));
        },
      },
    ],
    [api, queries],
  );
  const rowActions = useCallback(
    (row: Site): readonly RowAction[] => {
      const denied = mayChange ? undefined : ADMINS_ONLY;
      const ask = (deed: Asked["deed"]) => () => setAsked({ deed, site: row });
      return [
        { label: "Rename", icon: <RenameRegular />, disabled: denied, run: ask("rename") },
        {
          label: row.tenantId ? "Change the mapping" : "Map to a tenant",
          icon: <LinkRegular />,
          disabled: denied,
          run: ask("map"),
        },
        {
          label: "Unmap",
          icon: <LinkDismissRegular />,
          disabled: denied ?? (row.tenantId ? undefined : "It is not mapped."),
          run: ask("unmap"),
        },
        {
          label: "Delete",
          icon: <DeleteRegular />,
          disabled: denied ?? (row.tenantId ? "It is mapped to a tenant: unmap it first." : undefined),
          run: ask("delete"),
        },
      ];
    },
    [mayChange],
  );
  const close = () => setAsked(undefined);
  const { deed, site } = asked ?? {};
  return (
    <PageFrame
      title="Sites"
      actions={
        <>
          <Deed
            icon={<ArrowUploadRegular />}
            label="Import"
            disabled={mayChange ? undefined : ADMINS_ONLY}
            run={() => setAsked({ deed: "import" })}
          />
          <Deed
            icon={<AddRegular />}
            label="New site"
            primary
            disabled={mayChange ? undefined : ADMINS_ONLY}
            run={() => setAsked({ deed: "new" })}
          />
        </>
      }
    >
      <Table
        name="sites"
        label="sites"
        path="/api/sites"
        columns={COLUMNS}
        id={idOf}
        filters={filters}
        search="Search names and ids"
        sort={{ column: "clientName", descending: false }}
        rowActions={rowActions}
        empty={{
          title: "There are no sites yet",
          text: mayChange
            ? "A site is one place of a client, and stands for the client's tenant. Make one, or import a file of them."
            : "An administrator makes them, and grants people what they may see.",
        }}
      />
      {deed === "new" && <NewSiteDialog close={close} />}
      {deed === "import" && <ImportDialog close={close} />}
      {deed === "rename" && site && <RenameDialog site={site} close={close} />}
      {deed === "map" && site && <MapDialog site={site} close={close} />}
      {deed === "unmap" && site && <UnmapDialog site={site} close={close} />}
      {deed === "delete" && site && <DeleteDialog site={site} close={close} />}
    </PageFrame>
  );
}

const idOf = (row: Site) => row.id;

function UnmapDialog({ site, close }: { site: Site; close: () => void }) {
  const { api } = useSession();
  const present = useSite(site.id);
  return (
    <Ask
      title={`Unmap ${siteName(site)}`}
      verb="Unmap"
      done="The site is unmapped"
      why
      wanting={present.data ? undefined : "Reading the site."}
      close={close}
      run={({ why }) =>
        api.DELETE("/api/sites/{site_id}/mapping", {
          params: { path: { site_id: site.id }, query: why },
          headers: { "If-Match": present.data ?? "*" },
        })
      }
    >
      <div>
        {`It then stands for no tenant: the devices of ${site.tenantName ?? "the tenant"} leave the lists, and their alerts close. The tenant stays synced, and nothing is changed in it.`}
      </div>
    </Ask>
  );
}

function DeleteDialog({ site, close }: { site: Site; close: () => void }) {
  const { api } = useSession();
  const present = useSite(site.id);
  return (
    <Ask
      title={`Delete ${siteName(site)}`}
      verb="Delete"
      done="The site is deleted"
      why
      wanting={present.data ? undefined : "Reading the site."}
      close={close}
      run={({ why }) =>
        api.DELETE("/api/sites/{site_id}", {
          params: { path: { site_id: site.id }, query: why },
          headers: { "If-Match": present.data ?? "*" },
        })
      }
    >
      <div>It is taken out of every grant of people and daemons. A site made anew under its name is another one.</div>
    </Ask>
  );
}
