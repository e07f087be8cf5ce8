/** The connections to partner tenants: how each is, testing, signing in again, removing. */
import { Button, MessageBar, MessageBarBody, MessageBarTitle } from "@fluentui/react-components";
import {
  AddRegular,
  ArrowRightRegular,
  BeakerRegular,
  DeleteRegular,
  HistoryRegular,
  KeyRegular,
} from "@fluentui/react-icons";
import { useCallback, useState } from "react";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import type { Column, RowAction } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Failure } from "../../ui/Failure";
import { PageFrame } from "../../ui/PageFrame";
import { Task, useTask } from "../../ui/Task";
import { Time } from "../../ui/time";
import { RemoveDialog } from "./RemoveDialog";
import { type Connection, ConnectionState, STATES } from "./state";
import { TestDialog } from "./TestDialog";
import { useSignIn } from "./useSignIn";

const COLUMNS: readonly Column<Connection>[] = [
  {
    id: "name",
    name: "Name",
    text: (row) => row.name,
    draw: (row) => <AppLink to={wizardOf(row.id)}>{row.name}</AppLink>,
    sortable: true,
    width: 240,
  },
  {
    id: "status",
    name: "State",
    text: (row) => STATES[row.status][1],
    draw: (row) => <ConnectionState connection={row} />,
    sortable: true,
    width: 240,
  },
  { id: "authorizedBy", name: "Signed in by", text: (row) => row.authorizedBy, width: 220 },
  {
    id: "authorizedAt",
    name: "Signed in",
    text: (row) => row.authorizedAt,
    draw: (row) => <Time value={row.authorizedAt} />,
    width: 140,
  },
  {
    id: "lastTestedAt",
    name: "Tested",
    text: (row) => row.lastTestedAt,
    draw: (row) => <Time value={row.lastTestedAt} />,
    width: 140,
  },
  {
    id: "createdAt",
    name: "Created",
    text: (row) => row.createdAt,
    draw: (row) => <Time value={row.createdAt} />,
    sortable: true,
    width: 140,
  },
  { id: "partnerTenantId", name: "Partner tenant ID", text: (row) => row.partnerTenantId, width: 300 },
  { id: "reason", name: "Why it needs a sign-in", text: (row) => row.needsConsentReason, width: 240, grow: true },
];
const GOING = "It is being removed.";

/** Where a connection is set up. */
export function wizardOf(id: string): string {
  return `/setup/connections/${id}/setup`;
}

export default function ConnectionsPage() {
  const [query] = useSearchParams();
  const returned = query.get("connection");
  // Microsoft's sign-in sent the browser back: the wizard goes on where it left.
  if (returned) {
    const rest = new URLSearchParams(query);
    rest.delete("connection");
    if (rest.has("error")) rest.set("step", "signIn");
    return <Navigate replace to={`${wizardOf(encodeURIComponent(returned))}?${rest}`} />;
  }
  return <Connections refused={query.get("error") ? (query.get("message") ?? "The sign-in failed.") : undefined} />;
}

function Connections({ refused }: { refused: string | undefined }) {
  const navigate = useNavigate();
  const task = useTask();
  const signIn = useSignIn();
  const [asked, setAsked] = useState<{ deed: "test" | "remove"; connection: Connection }>();
  const { mutate } = signIn;
  const rowActions = useCallback(
    (row: Connection): readonly RowAction[] => {
      const going = row.status === "disabling" ? GOING : undefined;
      return [
        ...(row.status === "active"
          ? []
          : [
              {
                label: "Go on with the set-up",
                icon: <ArrowRightRegular />,
                disabled: going,
                run: () => void navigate(wizardOf(row.id)),
              },
            ]),
        {
          label: row.lastTestedAt ? "Test again" : "Test",
          icon: <BeakerRegular />,
          disabled: going ?? (row.authorizedAt ? undefined : "Nobody has signed in yet."),
          run: () => setAsked({ deed: "test", connection: row }),
        },
        {
          label: row.authorizedAt ? "Sign in again" : "Sign in",
          icon: <KeyRegular />,
          disabled: going,
          run: () => mutate(row.id),
        },
        {
          label: "Remove",
          icon: <DeleteRegular />,
          disabled: going,
          run: () => setAsked({ deed: "remove", connection: row }),
        },
        ...(row.operationId
          ? [{ label: "See the removal", icon: <HistoryRegular />, run: () => task.begin(row.operationId ?? "") }]
          : []),
      ];
    },
    [navigate, mutate, task.begin],
  );
  return (
    <PageFrame
      title="Connections"
      actions={
        <Button appearance="primary" icon={<AddRegular />} onClick={() => void navigate("/setup/connections/new")}>
          New connection
        </Button>
      }
    >
      {refused && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>The sign-in failed</MessageBarTitle>
            {refused.slice(0, 500)}
          </MessageBarBody>
        </MessageBar>
      )}
      {signIn.error && <Failure error={signIn.error} />}
      {task.id && <Task id={task.id} names={task.names} clear={task.clear} receipt />}
      <Table
        name="connections"
        label="connections"
        path="/api/connections"
        columns={COLUMNS}
        id={idOf}
        sort={{ column: "name", descending: false }}
        rowActions={rowActions}
        refreshSeconds={task.running ? 3 : 30}
        empty={{
          title: "Nothing is connected yet",
          text: (
            <>
              A connection is a sign-in of your company at Microsoft, through which Tenantry reaches your clients. It
              takes about five minutes.{" "}
              <AppLink inText to="/setup/connections/new">
                Make a connection
              </AppLink>
            </>
          ),
        }}
      />
      {asked?.deed === "test" && <TestDialog connection={asked.connection} close={() => setAsked(undefined)} />}
      {asked?.deed === "remove" && (
        <RemoveDialog connection={asked.connection} begun={task.begin} close={() => setAsked(undefined)} />
      )}
    </PageFrame>
  );
}

const idOf = (row: Connection) => row.id;
