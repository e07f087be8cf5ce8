/** What was sent to a sink, newest first, and every attempt at it. */
import {
  Button,
  DrawerBody,
  DrawerHeader,
  DrawerHeaderTitle,
  makeStyles,
  OverlayDrawer,
  Subtitle2,
  Text,
  tokens,
} from "@fluentui/react-components";
import { DismissRegular } from "@fluentui/react-icons";
import { useCallback, useMemo, useState } from "react";
import { useSession } from "../../session";
import type { Column, Filter, RowAction } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Ask } from "../../ui/Ask";
import { Facts } from "../../ui/Facts";
import { Mark } from "../../ui/status";
import { absolute, Time } from "../../ui/time";
import { MAY_NOT } from "./acts";
import type { Delivery } from "./data";
import { eventName } from "./events";
import { DeliveryState } from "./SinkState";

const useStyles = makeStyles({
  part: { display: "grid", gap: tokens.spacingVerticalM, paddingBottom: tokens.spacingVerticalXL },
  list: { display: "grid", gap: tokens.spacingVerticalM, margin: 0, padding: 0, listStyleType: "none" },
  attempt: { display: "grid", gap: tokens.spacingVerticalXXS, overflowWrap: "anywhere" },
  quiet: { color: tokens.colorNeutralForeground3, fontVariantNumeric: "tabular-nums" },
});

const FILTERS: readonly Filter[] = [
  {
    kind: "values",
    param: "state",
    label: "State",
    single: true,
    options: [
      { value: "delivered", label: "Delivered" },
      { value: "failed", label: "Failed" },
      { value: "pending", label: "Waits" },
      { value: "held", label: "Held" },
      { value: "skipped", label: "Left out" },
    ],
  },
];

export function Deliveries({ sinkId }: { sinkId: string }) {
  const { api, can } = useSession();
  const [seen, setSeen] = useState<Delivery>();
  const [again, setAgain] = useState<Delivery>();
  const inPath = useMemo(() => ({ sink_id: sinkId }), [sinkId]);
  const columns = useMemo<readonly Column<Delivery>[]>(
    () => [
      { id: "event", name: "Event", text: (row) => eventName(row.event), width: 190 },
      {
        id: "state",
        name: "State",
        text: (row) => row.state,
        draw: (row) => <DeliveryState state={row.state} />,
        width: 120,
      },
      {
        id: "eventAt",
        name: "Happened",
        text: (row) => row.eventAt,
        draw: (row) => <Time value={row.eventAt} />,
        width: 140,
      },
      {
        id: "sent",
        name: "Sent",
        text: (row) => row.doneAt,
        draw: (row) =>
          row.dueAt ? (
            <>
              Next try <Time value={row.dueAt} due="due now" />
            </>
          ) : (
            <Time value={row.doneAt} none="" />
          ),
        width: 160,
      },
      { id: "attempts", name: "Attempts", text: (row) => row.attempts.length, numeric: true, width: 100 },
      { id: "what", name: "What was said", text: (row) => row.lastError ?? row.detail, grow: true, width: 220 },
      {
        id: "alert",
        name: "Alert",
        text: (row) => row.alertId,
        draw: (row) => (row.alertId ? <AppLink to={`/alerts/${row.alertId}`}>See it</AppLink> : null),
        width: 90,
      },
    ],
    [],
  );
  const rowActions = useCallback(
    (row: Delivery): readonly RowAction[] => [
      { label: "See every attempt", run: () => setSeen(row) },
      {
        label: "Send again",
        disabled: !can("Alerts.Manage")
          ? MAY_NOT
          : row.state === "pending" || row.state === "held"
            ? "It is still in line, and is tried by itself."
            : undefined,
        run: () => setAgain(row),
      },
    ],
    [can],
  );
  return (
    <>
      <Table
        name="deliveries"
        label="deliveries"
        path="/api/sinks/{sink_id}/deliveries"
        inPath={inPath}
        columns={columns}
        id={idOf}
        filters={FILTERS}
        rowActions={rowActions}
        empty={{ title: "Nothing was sent yet", text: "The next alert of its sites is; or send a test." }}
      />
      {seen && <Attempts delivery={seen} close={() => setSeen(undefined)} />}
      {again && (
        <Ask
          title={`Send again: ${eventName(again.event).toLowerCase()}`}
          verb="Send again"
          why
          done="It is in line again"
          close={() => setAgain(undefined)}
          run={({ why, key }) =>
            api.POST("/api/sinks/{sink_id}/deliveries/{delivery_id}/redeliver", {
              params: { path: { sink_id: sinkId, delivery_id: again.id }, header: { "Idempotency-Key": key } },
              body: why,
            })
          }
        >
          <div>
            It is sent once more, under the same id, with a full number of attempts. A receiver that took it already
            knows it by that id; a PSA is searched first, so that no second ticket is made.
          </div>
        </Ask>
      )}
    </>
  );
}

const idOf = (row: Delivery) => row.id;

function Attempts({ delivery, close }: { delivery: Delivery; close: () => void }) {
  const styles = useStyles();
  return (
    <OverlayDrawer open position="end" size="medium" onOpenChange={(_, data) => !data.open && close()}>
      <DrawerHeader>
        <DrawerHeaderTitle
          heading={{ as: "h2" }}
          action={<Button appearance="subtle" icon={<DismissRegular />} aria-label="Close" onClick={close} />}
        >
          {eventName(delivery.event)}
        </DrawerHeaderTitle>
      </DrawerHeader>
      <DrawerBody className={styles.part}>
        <Facts
          rows={[
            ["State", <DeliveryState key="s" state={delivery.state} />],
            ["Happened", absolute(new Date(delivery.eventAt))],
            ["Next try", delivery.dueAt && absolute(new Date(delivery.dueAt))],
            ["What was said", delivery.lastError ?? delivery.detail],
            ["Event", delivery.event],
            ["About", delivery.subject],
            ["Id (webhook-id)", delivery.id],
          ]}
        />
        <Subtitle2 as="h3">Attempts</Subtitle2>
        {delivery.attempts.length === 0 && <Text>It was not tried yet.</Text>}
        <ol className={styles.list}>
          {delivery.attempts.map((attempt) => (
            <li key={attempt.at} className={styles.attempt}>
              <Mark tone={attempt.error ? "bad" : "good"}>
                {attempt.status ? `HTTP ${attempt.status}` : attempt.error ? "No answer" : "Taken"}
              </Mark>
              <span className={styles.quiet}>
                {absolute(new Date(attempt.at))}, {attempt.durationMs.toLocaleString()} ms
              </span>
              {attempt.error && <Text>{attempt.error}</Text>}
            </li>
          ))}
        </ol>
      </DrawerBody>
    </OverlayDrawer>
  );
}
