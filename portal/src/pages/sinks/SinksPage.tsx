/** Where tickets and events go: each sink, whether it takes them, and what failed. */
import { Button, Tooltip } from "@fluentui/react-components";
import { AddRegular } from "@fluentui/react-icons";
import { useCallback, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { useSession } from "../../session";
import type { Column, RowAction } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { PageFrame } from "../../ui/PageFrame";
import { SiteNames } from "../../ui/sites";
import { Time } from "../../ui/time";
import { type Asked, MAY_NOT, SinkDialog, useTest } from "./acts";
import { type Sink, useKinds } from "./data";
import { eventName } from "./events";
import { FailedCell, LastCell, StateCell, WaitingCell } from "./SinkState";
import { TestOutcome } from "./TestOutcome";

const NOBODY_IS_TOLD = {
  title: "Nobody is told yet",
  text: "Add your PSA, a Teams channel or a webhook: each alert then makes its ticket or message there, and is closed there too.",
};
/** Who sees some sites only does not see the sinks of every site: there may be such. */
const NONE_SEEN = {
  title: "No sink is for your sites alone",
  text: "A sink that is told of other sites too is shown only to people who see all of those.",
};

export default function SinksPage() {
  const { can, me } = useSession();
  const navigate = useNavigate();
  const kinds = useKinds();
  const test = useTest();
  const [asked, setAsked] = useState<{ what: Asked; sink: Sink }>();
  const mayChange = can("Alerts.Manage");
  const columns = useMemo<readonly Column<Sink>[]>(() => {
    const titles = new Map((kinds.data ?? []).map((one) => [one.kind, one.title]));
    return [
      {
        id: "name",
        name: "Name",
        text: (row) => row.name,
        draw: (row) => <AppLink to={`/setup/sinks/${row.id}`}>{row.name}</AppLink>,
        sortable: true,
        width: 190,
      },
      { id: "kind", name: "Kind", text: (row) => titles.get(row.kind) ?? row.kind, sortable: true, width: 190 },
      {
        id: "state",
        name: "State",
        text: (row) => (row.enabled ? "enabled" : (row.disabledReason ?? "disabled")),
        draw: (row) => <StateCell sink={row} />,
        width: 150,
      },
      { id: "last", name: "Last delivery", text: () => null, draw: (row) => <LastCell id={row.id} />, width: 220 },
      {
        id: "failed",
        name: "Failed",
        text: () => null,
        draw: (row) => <FailedCell id={row.id} />,
        numeric: true,
        width: 90,
      },
      {
        id: "waiting",
        name: "Waiting",
        text: () => null,
        draw: (row) => <WaitingCell id={row.id} />,
        numeric: true,
        width: 95,
      },
      {
        id: "sites",
        name: "Told of",
        text: (row) => row.siteIds?.join(", ") ?? "Every site",
        draw: (row) => <SiteNames ids={row.siteIds} most={2} />,
        grow: true,
        width: 190,
      },
      {
        id: "events",
        name: "Events",
        text: (row) => row.events?.map(eventName).join(", ") ?? "All that it takes",
        hidden: true,
        width: 220,
      },
      {
        id: "createdAt",
        name: "Made",
        text: (row) => row.createdAt,
        draw: (row) => <Time value={row.createdAt} />,
        sortable: true,
        width: 120,
        hidden: true,
      },
    ];
  }, [kinds.data]);
  const { mutate } = test;
  const rowActions = useCallback(
    (row: Sink): readonly RowAction[] => {
      const disabled = mayChange ? undefined : MAY_NOT;
      const own = row.subscription ? "Its workflow made it, and ends it." : disabled;
      return [
        { label: "Send a test", disabled, run: () => mutate(row.id) },
        { label: "Edit", disabled: own, run: () => void navigate(`/setup/sinks/${row.id}/edit`) },
        {
          label: row.enabled ? "Disable" : "Enable",
          disabled: own,
          run: () => setAsked({ what: "toggle", sink: row }),
        },
        { label: "Send again what failed", disabled, run: () => setAsked({ what: "redeliver", sink: row }) },
        { label: "Delete", disabled, run: () => setAsked({ what: "delete", sink: row }) },
      ];
    },
    [mayChange, mutate, navigate],
  );
  return (
    <PageFrame
      title="Ticket sinks"
      aside="Where tickets and events go"
      actions={
        mayChange ? (
          <Button appearance="primary" icon={<AddRegular />} onClick={() => void navigate("/setup/sinks/new")}>
            Add a sink
          </Button>
        ) : (
          <Tooltip content={MAY_NOT} relationship="description">
            <Button icon={<AddRegular />} disabledFocusable>
              Add a sink
            </Button>
          </Tooltip>
        )
      }
    >
      <Table
        name="sinks"
        label="ticket sinks"
        path="/api/sinks"
        columns={columns}
        id={idOf}
        sort={{ column: "name", descending: false }}
        rowActions={rowActions}
        empty={me.sites === null ? NOBODY_IS_TOLD : NONE_SEEN}
      >
        <TestOutcome test={test} />
      </Table>
      {asked && (
        <SinkDialog
          asked={asked.what}
          sink={asked.sink}
          tickets={kinds.data?.find((one) => one.kind === asked.sink.kind)?.tickets ?? false}
          close={() => setAsked(undefined)}
        />
      )}
    </PageFrame>
  );
}

const idOf = (row: Sink) => row.id;
