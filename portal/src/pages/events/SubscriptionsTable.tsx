import { useCallback, useMemo, useState } from "react";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import type { Column } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Ask } from "../../ui/Ask";
import { SiteNames } from "../../ui/sites";
import { Mark } from "../../ui/status";
import { Time } from "../../ui/time";
import { eventName } from "../sinks/events";

type Subscription = components["schemas"]["EventSubscription"];

export const MAY_NOT_SUBSCRIBE = "You may look only: changing subscriptions needs the role Alerts.Manage.";

/** Workflows that are told of events. Their deliveries are shown as those of sinks. */
export function SubscriptionsTable() {
  const { can } = useSession();
  const [ended, setEnded] = useState<Subscription>();
  const columns = useMemo<readonly Column<Subscription>[]>(
    () => [
      {
        id: "name",
        name: "Name",
        text: (row) => row.name,
        draw: (row) => <AppLink to={`/setup/sinks/${row.id}`}>{row.name}</AppLink>,
        sortable: true,
        width: 220,
      },
      {
        id: "enabled",
        name: "State",
        text: (row) => (row.enabled ? "On" : "Off"),
        draw: (row) => <Mark tone={row.enabled ? "good" : "quiet"}>{row.enabled ? "On" : "Off"}</Mark>,
        width: 100,
      },
      {
        id: "events",
        name: "Events",
        text: (row) => row.events?.map(eventName).join(", ") ?? "Every event",
        width: 280,
        grow: true,
      },
      {
        id: "sites",
        name: "Told of",
        text: (row) => row.siteIds?.join(", ") ?? "Every site",
        draw: (row) => <SiteNames ids={row.siteIds} most={2} />,
        width: 240,
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
    [],
  );
  const disabled = can("Alerts.Manage") ? undefined : MAY_NOT_SUBSCRIBE;
  const rowActions = useCallback(
    (row: Subscription) => [{ label: "End", disabled, run: () => setEnded(row) }],
    [disabled],
  );
  return (
    <>
      <Table
        name="event-subscriptions"
        label="event subscriptions"
        path="/api/event-subscriptions"
        columns={columns}
        id={idOf}
        sort={{ column: "createdAt", descending: false }}
        rowActions={rowActions}
        empty={{
          title: "No workflow listens",
          text: "In Logic Apps, an HTTP Webhook trigger whose subscribe method is a POST to /api/event-subscriptions with its own listCallbackUrl() appears here when the workflow is switched on.",
        }}
      />
      {ended && <EndDialog subscription={ended} close={() => setEnded(undefined)} />}
    </>
  );
}

function EndDialog({ subscription, close }: { subscription: Subscription; close: () => void }) {
  const { api } = useSession();
  return (
    <Ask
      title={`End ${subscription.name}`}
      verb="End"
      why
      done={`${subscription.name} has ended`}
      close={close}
      run={({ why }) => {
        const path = { subscription_id: subscription.id };
        return api.DELETE("/api/event-subscriptions/{subscription_id}", { params: { path, query: why } });
      }}
    >
      <div>
        The workflow is told of nothing any more; what was not sent yet is not sent, and its deliveries can no longer be
        looked at. The workflow itself stays as it is, and is not told that it ended: it subscribes again when it is
        switched off and on.
      </div>
    </Ask>
  );
}

const idOf = (row: Subscription) => row.id;
