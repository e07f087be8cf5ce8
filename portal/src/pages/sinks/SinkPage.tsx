/** One sink: how it does, what it is told of, and everything that was sent to it. */
import {
  Button,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Subtitle2,
  Tooltip,
  tokens,
} from "@fluentui/react-components";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { useSession } from "../../session";
import { Facts } from "../../ui/Facts";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { fieldsOf, isSecret, labelOf, type Schema } from "../../ui/schema";
import { SiteNames } from "../../ui/sites";
import { Time } from "../../ui/time";
import { type Asked, MAY_NOT, SinkDialog, useTest } from "./acts";
import { Deliveries } from "./Deliveries";
import { type SinkDetail, useHealth, useKinds, useSink } from "./data";
import { eventName } from "./events";
import { SinkState } from "./SinkState";
import { TestOutcome } from "./TestOutcome";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: `${tokens.spacingVerticalL} ${tokens.spacingHorizontalXXL}`,
    gridTemplateColumns: "minmax(0, 1fr) minmax(0, 1fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
});

export default function SinkPage() {
  const { sinkId = "" } = useParams();
  const read = useSink(sinkId);
  return (
    <ReadPage title="Ticket sink" read={read}>
      {(data) => <Detail sink={data.sink} />}
    </ReadPage>
  );
}

function Detail({ sink }: { sink: SinkDetail }) {
  const styles = useStyles();
  const { can } = useSession();
  const navigate = useNavigate();
  const kinds = useKinds();
  const health = useHealth(sink.id);
  const test = useTest();
  const [asked, setAsked] = useState<Asked>();
  const kind = kinds.data?.find((one) => one.kind === sink.kind);
  const mayChange = can("Alerts.Manage");
  const failed = health.data?.failed ?? 0;
  const { delivery } = sink;
  const deeds: readonly (readonly [string, () => void, boolean])[] = [
    ["Send a test", () => test.mutate(sink.id), !test.isPending],
    ["Edit", () => void navigate(`/setup/sinks/${sink.id}/edit`), !sink.subscription],
    [sink.enabled ? "Disable" : "Enable", () => setAsked("toggle"), !sink.subscription],
    ["Delete", () => setAsked("delete"), true],
  ];
  return (
    <PageFrame
      title={sink.name}
      aside={kind?.title}
      actions={deeds.map(([label, run, possible]) =>
        mayChange ? (
          <Button key={label} disabled={!possible} onClick={run}>
            {label}
          </Button>
        ) : (
          <Tooltip key={label} content={MAY_NOT} relationship="description">
            <Button disabledFocusable>{label}</Button>
          </Tooltip>
        ),
      )}
    >
      {!sink.enabled && sink.disabledReason && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>Tenantry switched it off</MessageBarTitle>
            {sink.disabledReason} What is to be sent waits. Mend the cause, then enable it.
          </MessageBarBody>
        </MessageBar>
      )}
      {delivery.circuit === "open" && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>It failed too often in a row</MessageBarTitle>
            Nothing is lost: one message is tried <Time value={delivery.circuitUntil} />, and the rest follows when it
            is taken.
          </MessageBarBody>
        </MessageBar>
      )}
      {delivery.held > 0 && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>{`${delivery.held.toLocaleString()} held`}</MessageBarTitle>
            The settings do not say yet where these belong, such as the company of a site. They go out when they do.
          </MessageBarBody>
        </MessageBar>
      )}
      <TestOutcome test={test} />
      <div className={styles.grid}>
        <section className={styles.part}>
          <Subtitle2 as="h2">Now</Subtitle2>
          <Facts
            rows={[
              ["State", <SinkState key="s" sink={sink} delivery={delivery} />],
              ["In line", delivery.pending.toLocaleString()],
              ["Oldest in line", delivery.oldestPendingAt && <Time key="o" value={delivery.oldestPendingAt} />],
              ["Asked to wait", delivery.pausedUntil && <Time key="p" value={delivery.pausedUntil} />],
              ["Failed", failed.toLocaleString()],
              ["Told of", <SiteNames key="t" ids={sink.siteIds} most={8} />],
              ["Events", sink.events ? sink.events.map(eventName).join("; ") : kind?.tickets ? "Alerts" : "All"],
              ["Made", <Time key="m" value={sink.createdAt} />],
              ["Changed", <Time key="c" value={sink.changedAt} />],
            ]}
          />
          {failed > 0 && mayChange && (
            <div>
              <Button onClick={() => setAsked("redeliver")}>Send again what failed</Button>
            </div>
          )}
        </section>
        <section className={styles.part}>
          <Subtitle2 as="h2">Settings</Subtitle2>
          {kind && <Facts rows={settingRows(kind.settings, sink.settings)} />}
        </section>
      </div>
      <Subtitle2 as="h2">Deliveries</Subtitle2>
      <Deliveries sinkId={sink.id} />
      {asked && (
        <SinkDialog
          asked={asked}
          sink={sink}
          tickets={kind?.tickets ?? false}
          close={() => setAsked(undefined)}
          gone={() => void navigate("/setup/sinks", { replace: true })}
        />
      )}
    </PageFrame>
  );
}

/** The settings by the names that the form gives them; of secrets that they are kept, never what they are. */
function settingRows(schema: Schema, settings: Readonly<Record<string, unknown>>): [string, string][] {
  return fieldsOf(schema, schema).map(([name, field]) => {
    const value = settings[name];
    return [labelOf(name, field), isSecret(field) ? "Never shown" : said(value, field, schema)];
  });
}

function said(value: unknown, field: Schema, root: Schema): string {
  if (value === null || value === undefined || value === "") return "";
  if (Array.isArray(value)) return value.length === 0 ? "None" : value.length.toLocaleString();
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value !== "object") return String(value);
  const names = new Map(fieldsOf(field, root));
  const given = Object.entries(value).filter(([, one]) => one !== null && one !== "");
  return given.map(([name, one]) => `${labelOf(name, names.get(name) ?? {})} ${String(one)}`).join(", ");
}
