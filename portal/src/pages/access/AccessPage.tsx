/** Who sees which sites: roles come from Microsoft Entra ID, sites are granted here. */
import { Button, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { AddRegular, EditRegular } from "@fluentui/react-icons";
import { useCallback } from "react";
import { useSearchParams } from "react-router";
import type { Column, RowAction, RowOf } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Facts } from "../../ui/Facts";
import { PageFrame } from "../../ui/PageFrame";
import { SiteNames } from "../../ui/sites";
import { Time } from "../../ui/time";
import { GrantDialog, NEW } from "./GrantDialog";

const useStyles = makeStyles({ part: { display: "grid", gap: tokens.spacingVerticalM } });

type Access = RowOf<"/api/access">;

const ROLES: readonly [string, string][] = [
  ["CloudDevices.Read", "Sees devices, alerts, operations and schedules of the granted sites."],
  ["CloudDevices.Update", "Also starts, stops, pauses, resumes and restarts, approves, and plans schedules."],
  ["Alerts.Manage", "Also acknowledges and snoozes alerts, and manages sinks, policy and maintenance of the sites."],
  ["Microsoft365.Read", "Sees Microsoft 365 people of the granted sites."],
  ["Microsoft365.Manage", "Also changes them."],
  ["Microsoft365.ManagePrivileged", "Also those with directory roles."],
  ["Collections.Read", "Sees device collections."],
  ["Collections.Manage", "Also manages them."],
  ["Integration.Admin", "Everything, on every site."],
];

const COLUMNS: readonly Column<Access>[] = [
  {
    id: "name",
    name: "Name",
    text: (row) => row.name,
    draw: (row) => <AppLink to={`/setup/access?principal=${row.principalId}`}>{row.name || "Not named"}</AppLink>,
    sortable: true,
    width: 200,
  },
  { id: "principalId", name: "Object id", text: (row) => row.principalId, sortable: true, width: 310 },
  {
    id: "sites",
    name: "Sites",
    text: (row) => row.siteIds.length,
    draw: (row) => <SiteNames ids={row.siteIds} />,
    width: 260,
    grow: true,
  },
  {
    id: "changedAt",
    name: "Changed",
    text: (row) => row.changedAt,
    draw: (row) => <Time value={row.changedAt} />,
    sortable: true,
    width: 150,
  },
];

export default function AccessPage() {
  const styles = useStyles();
  const [query, setQuery] = useSearchParams();
  const chosen = query.get("principal");
  const choose = useCallback(
    (principal: string | undefined) =>
      setQuery((before) => {
        const next = new URLSearchParams(before);
        if (principal) next.set("principal", principal);
        else next.delete("principal");
        return next;
      }),
    [setQuery],
  );
  const rowActions = useCallback(
    (row: Access): readonly RowAction[] => [
      { label: "Change its sites", icon: <EditRegular />, run: () => choose(row.principalId) },
    ],
    [choose],
  );
  return (
    <PageFrame
      title="Access"
      actions={
        <Button appearance="primary" icon={<AddRegular />} onClick={() => choose(NEW)}>
          Grant sites
        </Button>
      }
    >
      <Text>
        A person or application needs both: an app role, assigned in Microsoft Entra ID to the enterprise application of
        Tenantry, and the sites it is about, granted here. Without a grant nobody but an Integration.Admin sees
        anything.
      </Text>
      <Table
        name="access"
        label="Who is granted sites"
        path="/api/access"
        columns={COLUMNS}
        id={(row) => row.principalId}
        sort={{ column: "name", descending: false }}
        rowActions={rowActions}
        empty={{
          title: "Nobody is granted a site",
          text: "Grant sites to those who are no Integration.Admin: until then they see nothing.",
        }}
      />
      <section className={styles.part}>
        <Subtitle2 as="h2">What each app role allows</Subtitle2>
        <Facts rows={ROLES} wide />
      </section>
      {chosen && <GrantDialog key={chosen} principal={chosen} close={() => choose(undefined)} />}
    </PageFrame>
  );
}
