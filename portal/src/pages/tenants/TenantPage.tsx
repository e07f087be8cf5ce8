/** One client tenant: how it is, what is wrong with it, its subscriptions, and the way to Microsoft's portals. */
import {
  Link,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Subtitle2,
  tokens,
} from "@fluentui/react-components";
import { ArrowSyncRegular, OpenRegular, PlugDisconnectedRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams, useSearchParams } from "react-router";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Linked } from "../../ui/Checks";
import { Deed } from "../../ui/Deed";
import { Facts } from "../../ui/Facts";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { Mark, sentence } from "../../ui/status";
import { Task, useTask } from "../../ui/Task";
import { Time } from "../../ui/time";
import { Diagnosis } from "./Diagnosis";
import { useEverySite } from "./every";
import { SubscriptionsTable } from "./SubscriptionsTable";
import { SyncDialog } from "./SyncDialog";
import { PORTALS, relationshipOf, type Tenant, TenantStatus } from "./status";
import { ADMINS_ONLY, namesOf, whyNotUnsync } from "./TenantsTable";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: tokens.spacingHorizontalXXL,
    gridTemplateColumns: "minmax(0, 2fr) minmax(0, 3fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  portals: {
    listStyleType: "none",
    margin: 0,
    padding: 0,
    display: "grid",
    gap: tokens.spacingVerticalSNudge,
    gridTemplateColumns: "repeat(auto-fill, minmax(14rem, 1fr))",
  },
  portal: { display: "inline-flex", alignItems: "center", gap: tokens.spacingHorizontalXS },
  sites: { display: "grid", gap: tokens.spacingVerticalXXS },
  table: { display: "flex", flexDirection: "column" },
});

export default function TenantPage() {
  const { tenantId = "" } = useParams();
  const { api } = useSession();
  const task = useTask();
  const tenant = useQuery({
    queryKey: ["tenant", tenantId],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/tenants/{tenant_id}", { params: { path: { tenant_id: tenantId } }, signal })).data,
    refetchInterval: ({ state }) => (task.running || state.data?.status === "pending" ? 3000 : 30_000),
  });
  return (
    <ReadPage title="Tenant" read={tenant}>
      {(data) => <Shown tenant={data} task={task} />}
    </ReadPage>
  );
}

function Shown({ tenant, task }: { tenant: Tenant; task: ReturnType<typeof useTask> }) {
  const styles = useStyles();
  const { can } = useSession();
  const [query] = useSearchParams();
  const sites = useEverySite();
  const [asked, setAsked] = useState<"sync" | "unsync">();
  const mayChange = can("Integration.Admin");
  const mapped = sites.data?.filter((site) => site.tenantId === tenant.id) ?? [];
  const steps = Object.entries(tenant.steps ?? {});
  return (
    <PageFrame
      title={tenant.displayName}
      aside={<TenantStatus tenant={tenant} />}
      actions={
        <>
          <Deed
            icon={<ArrowSyncRegular />}
            label={tenant.status === "synced" ? "Sync again" : "Sync"}
            disabled={mayChange ? undefined : ADMINS_ONLY}
            run={() => setAsked("sync")}
          />
          <Deed
            icon={<PlugDisconnectedRegular />}
            label="Unsync"
            disabled={whyNotUnsync(tenant, mayChange)}
            run={() => setAsked("unsync")}
          />
        </>
      }
    >
      {task.id && <Task id={task.id} names={task.names} clear={task.clear} />}
      {tenant.statusReason && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>{tenant.statusReason}</MessageBarTitle>
            <Linked text={tenant.statusFix ?? ""} />{" "}
            {tenant.consentUrl && (
              <Link inline href={tenant.consentUrl} target="_blank" rel="noreferrer">
                Consent link for its administrator
              </Link>
            )}
          </MessageBarBody>
        </MessageBar>
      )}
      <div className={styles.grid}>
        <div className={styles.part}>
          <Subtitle2 as="h2">What it is</Subtitle2>
          <Facts
            rows={[
              ["Tenant ID", tenant.id],
              ["Domain", tenant.defaultDomain],
              ["First domain", tenant.initialDomain],
              ["Relationship", relationshipOf(tenant)],
              ["Last sync", <Time key="t" value={tenant.lastSyncedAt} />],
              ["Application", tenant.enterpriseAppId],
              [
                "Sites",
                mapped.length > 0 ? (
                  <span key="sites" className={styles.sites}>
                    {mapped.map((site) => (
                      <AppLink key={site.id} to={`/setup/sites?search=${encodeURIComponent(site.id)}`}>
                        {`${site.clientName}, ${site.siteName}`}
                      </AppLink>
                    ))}
                  </span>
                ) : (
                  sites.data && "None is mapped: nothing of it is read."
                ),
              ],
            ]}
          />
          <Subtitle2 as="h2">Open in a new tab</Subtitle2>
          <ul className={styles.portals}>
            {PORTALS.map(([key, name]) => (
              <li key={key}>
                <Link className={styles.portal} href={tenant.links[key]} target="_blank" rel="noreferrer">
                  {name} <OpenRegular aria-hidden />
                </Link>
              </li>
            ))}
          </ul>
        </div>
        <div className={styles.part}>
          {mayChange && <Diagnosis id={tenant.id} atOnce={query.has("diagnose")} />}
          {steps.length > 0 && (
            <>
              <Subtitle2 as="h2">Steps of the last sync</Subtitle2>
              <Facts
                rows={steps.map(([step, outcome]) => [
                  sentence(step.replaceAll("-", " ")),
                  <Mark key={step} tone={outcome === "done" ? "good" : "quiet"}>
                    {outcome === "done" ? "Done" : "Not needed"}
                  </Mark>,
                ])}
              />
            </>
          )}
        </div>
      </div>
      <section className={styles.table}>
        <Subtitle2 as="h2">Azure subscriptions</Subtitle2>
        <SubscriptionsTable tenantId={tenant.id} />
      </section>
      {asked && (
        <SyncDialog
          verb={asked}
          tenants={[tenant]}
          begun={(id) => task.begin(id, namesOf([tenant]))}
          close={() => setAsked(undefined)}
        />
      )}
    </PageFrame>
  );
}
