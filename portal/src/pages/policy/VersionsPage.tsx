/** Every version of the alert policy: who set it, when, why, and what it changed. */
import { Button, DrawerBody, DrawerHeader, DrawerHeaderTitle, OverlayDrawer, Text } from "@fluentui/react-components";
import { DismissRegular, InfoRegular } from "@fluentui/react-icons";
import { useCallback, useMemo, useState } from "react";
import type { Column, RowAction } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Facts } from "../../ui/Facts";
import { PageFrame } from "../../ui/PageFrame";
import { useSiteName } from "../../ui/sites";
import { Time } from "../../ui/time";
import { Changes } from "./Changes";
import { type Change, changesOf } from "./changes";
import { type PolicyVersion, rulesOf } from "./data";

type SiteName = (id: string) => string;

export default function VersionsPage() {
  const siteName = useSiteName();
  const [shown, setShown] = useState<PolicyVersion>();
  const columns = useMemo<readonly Column<PolicyVersion>[]>(
    () => [
      { id: "version", name: "Version", text: (row) => `Version ${row.version}`, width: 120 },
      {
        id: "changedAt",
        name: "When",
        text: (row) => row.changedAt,
        draw: (row) => <Time value={row.changedAt} />,
        width: 150,
      },
      { id: "changedBy", name: "Who", text: (row) => row.changedBy, width: 160 },
      { id: "changed", name: "What changed", text: (row) => briefly(row, siteName), width: 360, grow: true },
      { id: "reason", name: "Why", text: (row) => row.reason, width: 220 },
      { id: "ticketNumber", name: "Ticket", text: (row) => row.ticketNumber, width: 110 },
    ],
    [siteName],
  );
  const rowActions = useCallback(
    (row: PolicyVersion): readonly RowAction[] => [
      { label: "See what changed", icon: <InfoRegular />, run: () => setShown(row) },
    ],
    [],
  );
  return (
    <PageFrame title="Versions of the policy" aside={<AppLink to="/setup/policy">The policy in force</AppLink>}>
      <Table
        name="policy-versions"
        label="versions"
        path="/api/alerts/policy/versions"
        columns={columns}
        id={idOf}
        rowActions={rowActions}
        empty={{ title: "Nobody has changed the policy yet", text: "Its rules are as Tenantry came with them." }}
      />
      {shown && <VersionDrawer row={shown} siteName={siteName} close={() => setShown(undefined)} />}
    </PageFrame>
  );
}

const idOf = (row: PolicyVersion) => String(row.version);

/** What a version changed; undefined when it, or the one before it, cannot be read. */
function changesIn(row: PolicyVersion, siteName: SiteName): Change[] | undefined {
  return row.before ? changesOf(row.before, rulesOf(row), siteName) : undefined;
}

function briefly(row: PolicyVersion, siteName: SiteName): string {
  const changes = changesIn(row, siteName);
  if (!changes) return "It cannot be read";
  if (changes.length === 0) return "Nothing that you see";
  return changes.map((one) => `${one.what}: ${one.before} → ${one.after}`).join("; ");
}

function VersionDrawer({ row, siteName, close }: { row: PolicyVersion; siteName: SiteName; close: () => void }) {
  const changes = changesIn(row, siteName);
  return (
    <OverlayDrawer open position="end" size="medium" onOpenChange={(_, data) => !data.open && close()}>
      <DrawerHeader>
        <DrawerHeaderTitle
          action={<Button appearance="subtle" aria-label="Close" icon={<DismissRegular />} onClick={close} />}
        >
          {`Version ${row.version}`}
        </DrawerHeaderTitle>
      </DrawerHeader>
      <DrawerBody>
        <Facts
          rows={[
            ["Set by", row.changedBy],
            ["Set", <Time key="t" value={row.changedAt} />],
            ["Why", row.reason],
            ["Ticket", row.ticketNumber],
          ]}
        />
        {changes?.length ? <Changes label="What changed" changes={changes} /> : <Text>{briefly(row, siteName)}.</Text>}
      </DrawerBody>
    </OverlayDrawer>
  );
}
