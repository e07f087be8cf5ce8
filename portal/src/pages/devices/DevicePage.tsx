/** One device: what it is, how it is and was, what was done to it, and what can be done. */
import {
  Button,
  Link,
  MessageBar,
  MessageBarBody,
  makeStyles,
  Subtitle2,
  Tooltip,
  tokens,
} from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Facts } from "../../ui/Facts";
import { Failure } from "../../ui/Failure";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { Health, PowerState } from "../../ui/status";
import { Time } from "../../ui/time";
import { ActDialog } from "./ActDialog";
import { offerName, VERB_ICONS, type Verb } from "./actions";
import { Children } from "./Children";
import { HealthTimeline } from "./HealthTimeline";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: tokens.spacingHorizontalXXL,
    gridTemplateColumns: "minmax(0, 2fr) minmax(0, 3fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  actions: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS },
});

export default function DevicePage() {
  const { deviceId = "" } = useParams();
  const { api } = useSession();
  const device = useQuery({
    queryKey: ["device", deviceId],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/devices/{device_id}", { params: { path: { device_id: deviceId } }, signal })).data,
    refetchInterval: 30_000,
  });
  return (
    <ReadPage title="Device" read={device}>
      {(data) => <Device device={data} />}
    </ReadPage>
  );
}

function Device({ device }: { device: components["schemas"]["DeviceDetail"] }) {
  const styles = useStyles();
  return (
    <PageFrame
      title={device.name}
      aside={device.typeName}
      actions={
        <Link href={device.portalUrl} target="_blank" rel="noreferrer">
          Open in the Azure portal
        </Link>
      }
    >
      {device.refreshError && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>{`It could not be refreshed: ${device.refreshError.message ?? ""} What is shown is older.`}</MessageBarBody>
        </MessageBar>
      )}
      <Actions id={device.id} name={device.name} />
      <div className={styles.grid}>
        <section className={styles.part}>
          <Subtitle2 as="h2">Now</Subtitle2>
          <Facts
            rows={[
              ["Status", <Health key="s" status={device.status} />],
              ["Since", <Time key="t" value={device.statusSince} />],
              ["Power state", device.powerState && <PowerState key="p" state={device.powerState} />],
              ["Azure says", device.statusReason],
              ["Cause", [device.reasonType, device.context].filter(Boolean).join(", ")],
              [
                "Open alert",
                device.openAlert && <AppLink to={`/alerts/${device.openAlert.id}`}>See the alert</AppLink>,
              ],
              ["Refreshed", <Time key="r" value={device.lastRefreshed} />],
              ["First seen", <Time key="f" value={device.firstSeenAt} />],
            ]}
          />
          <Subtitle2 as="h2">Where</Subtitle2>
          <Facts
            rows={[
              ["Client", device.clientName],
              ["Site", device.siteName],
              ["Tenant", device.tenantName],
              ["Subscription", device.subscriptionName],
              ["Resource group", device.resourceGroup],
              ["Region", device.region],
              [
                "Type",
                <span key="y" title={device.type}>
                  {device.typeName}
                </span>,
              ],
              ["Resource id", device.resourceId],
              ...Object.entries(device.tags ?? {}).map(([name, value]): [string, string] => [
                `Tag ${name}`,
                String(value),
              ]),
            ]}
          />
        </section>
        <section className={styles.part}>
          <Subtitle2 as="h2">Health</Subtitle2>
          <HealthTimeline id={device.id} />
        </section>
      </div>
      <Children id={device.id} name={device.name} />
    </PageFrame>
  );
}

function Actions({ id, name }: { id: string; name: string }) {
  const styles = useStyles();
  const { api, can } = useSession();
  const [asked, setAsked] = useState<Verb>();
  const offers = useQuery({
    queryKey: ["actions", id],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/devices/{device_id}/actions", { params: { path: { device_id: id } }, signal })).data,
  });
  if (offers.error) return <Failure error={offers.error} retry={() => void offers.refetch()} />;
  const mayAct = can("CloudDevices.Update");
  return (
    <div className={styles.actions} role="group" aria-label="Actions" aria-busy={offers.isPending}>
      {(offers.data?.value ?? []).map((offer) => {
        const Icon = VERB_ICONS[offer.action];
        const reason = mayAct ? offer.reason : "You may look only: acting needs the role CloudDevices.Update.";
        return (
          <Tooltip key={offer.action} content={reason ?? offer.effect} relationship="description">
            <Button
              icon={<Icon />}
              disabledFocusable={!mayAct || !offer.available}
              onClick={() => setAsked(offer.action)}
            >
              {offerName(offer)}
            </Button>
          </Tooltip>
        );
      })}
      {asked && <ActDialog verb={asked} target={{ kind: "one", id, name }} close={() => setAsked(undefined)} />}
    </div>
  );
}
