/** Which tenant a site stands for, and which of its subscriptions. */
import { Checkbox, Field, makeStyles, Radio, RadioGroup, Spinner, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Failure } from "../../ui/Failure";
import { siteName, useSite } from "./SiteDialog";
import { TenantPicker } from "./TenantPicker";

type Site = components["schemas"]["Site"];
const useStyles = makeStyles({
  list: { display: "grid", maxHeight: "14rem", overflowY: "auto", paddingLeft: tokens.spacingHorizontalL },
});

export function MapDialog({ site, close }: { site: Site; close: () => void }) {
  const styles = useStyles();
  const { api } = useSession();
  const [tenant, setTenant] = useState(site.tenantId);
  const [narrow, setNarrow] = useState(site.subscriptionIds !== undefined);
  const [chosen, setChosen] = useState<readonly string[]>(site.subscriptionIds ?? []);
  const present = useSite(site.id);
  const subscriptions = useQuery({
    queryKey: ["subscriptions", tenant],
    queryFn: async ({ signal }) => {
      const params = { path: { tenant_id: tenant ?? "" }, query: { $top: 1000 } };
      return (await api.GET("/api/tenants/{tenant_id}/subscriptions", { params, signal })).data?.value ?? [];
    },
    enabled: tenant !== undefined,
  });
  const wanting = !tenant
    ? "Choose a tenant."
    : narrow && chosen.length === 0
      ? "Choose a subscription."
      : present.isPending
        ? "Reading the site."
        : undefined;
  return (
    <Ask
      title={`Map ${siteName(site)}`}
      verb="Map"
      done="The site is mapped; its devices are read now"
      why
      wanting={wanting}
      close={close}
      run={({ why }) =>
        api.PUT("/api/sites/{site_id}/mapping", {
          params: { path: { site_id: site.id } },
          body: { ...why, tenantId: tenant ?? "", ...(narrow && { subscriptionIds: [...chosen] }) },
          headers: { "If-Match": present.data ?? "*" },
        })
      }
    >
      <div>The devices of the tenant's subscriptions are then listed under this client and site.</div>
      <TenantPicker
        value={tenant}
        onChange={(id) => {
          setTenant(id);
          setChosen([]);
        }}
        hint="Only synced tenants can be mapped."
      />
      {tenant && (
        <Field label="Subscriptions">
          <RadioGroup
            value={narrow ? "some" : "all"}
            onChange={(_, data) => setNarrow(data.value === "some")}
            aria-label="Subscriptions"
          >
            <Radio value="all" label="All of them, also those to come" />
            <Radio value="some" label="Only some: the tenant is shared between sites" />
          </RadioGroup>
        </Field>
      )}
      {tenant && narrow && (
        <div className={styles.list} role="group" aria-label="Subscriptions of this site">
          {subscriptions.isPending && <Spinner size="tiny" label="Reading the subscriptions" />}
          {subscriptions.data?.map((one) => (
            <Checkbox
              key={one.id}
              label={one.name}
              checked={chosen.includes(one.id)}
              onChange={(_, data) =>
                setChosen(data.checked ? [...chosen, one.id] : chosen.filter((each) => each !== one.id))
              }
            />
          ))}
          {subscriptions.data?.length === 0 && <div>It has no Azure subscription that Tenantry can see.</div>}
        </div>
      )}
      {(present.error ?? subscriptions.error) && <Failure error={(present.error ?? subscriptions.error) as Error} />}
    </Ask>
  );
}
