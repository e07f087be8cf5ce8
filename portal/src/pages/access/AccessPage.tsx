/** Who sees which sites: roles come from Microsoft Entra ID, sites are granted here. */
import { Button, Field, Input, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Facts } from "../../ui/Facts";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { PageFrame } from "../../ui/PageFrame";
import { SitePicker } from "../../ui/sites";

const useStyles = makeStyles({
  form: { display: "flex", gap: tokens.spacingHorizontalS, alignItems: "end", flexWrap: "wrap" },
  id: { minWidth: "22rem", "@media (max-width: 800px)": { minWidth: "100%" } },
  part: { display: "grid", gap: tokens.spacingVerticalM, maxWidth: "52rem" },
});

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
const ID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

export default function AccessPage() {
  const styles = useStyles();
  const [query, setQuery] = useSearchParams();
  const chosen = query.get("principal") ?? "";
  const [typed, setTyped] = useState(chosen);
  const wrong = typed !== "" && !ID.test(typed.trim());
  return (
    <PageFrame title="Access">
      <section className={styles.part}>
        <Text>
          A person or application needs both: an app role, assigned in Microsoft Entra ID to the enterprise application
          of Tenantry, and the sites it is about, granted here. Without a grant nobody sees anything.
        </Text>
        <form
          className={styles.form}
          onSubmit={(event) => {
            event.preventDefault();
            if (typed && !wrong) setQuery({ principal: typed.trim() });
          }}
        >
          <Field
            className={styles.id}
            label="Object id of a person or application"
            validationMessage={wrong ? "An object id looks like 00000000-0000-0000-0000-000000000000." : null}
          >
            <Input value={typed} maxLength={36} onChange={(_, data) => setTyped(data.value)} />
          </Field>
          <Button type="submit" appearance="primary" disabled={typed === "" || wrong}>
            Show its sites
          </Button>
        </form>
        {chosen && <Grant key={chosen} id={chosen} />}
      </section>
      <section className={styles.part}>
        <Subtitle2 as="h2">What each app role allows</Subtitle2>
        <Facts rows={ROLES} wide />
      </section>
    </PageFrame>
  );
}

function Grant({ id }: { id: string }) {
  const styles = useStyles();
  const { api } = useSession();
  const [sites, setSites] = useState<string[]>();
  const [asking, setAsking] = useState(false);
  const grant = useQuery({
    queryKey: ["access", id],
    queryFn: async ({ signal }) => {
      const params = { path: { principal_id: id } };
      const { data, response } = await api.GET("/api/access/{principal_id}", { params, signal });
      return { siteIds: data?.siteIds ?? [], etag: response.headers.get("ETag") };
    },
  });
  if (grant.error) return <Failure error={grant.error} retry={() => void grant.refetch()} />;
  if (!grant.data) return <Loading label="Reading what is granted" />;
  const { siteIds, etag } = grant.data;
  const value = sites ?? siteIds;
  const [added, taken] = [value.filter((one) => !siteIds.includes(one)), siteIds.filter((one) => !value.includes(one))];
  return (
    <div className={styles.part}>
      <SitePicker label="Sites that it sees" value={value} onChange={setSites} />
      <div>
        <Button
          appearance="primary"
          disabledFocusable={added.length + taken.length === 0}
          onClick={() => setAsking(true)}
        >
          Save
        </Button>
      </div>
      {asking && (
        <Ask
          title="Change which sites it sees"
          verb="Save"
          why
          done="Its sites are saved"
          close={() => setAsking(false)}
          run={async ({ why }) => {
            const headers = etag ? { "If-Match": etag } : {};
            await api.PUT("/api/access/{principal_id}", {
              params: { path: { principal_id: id } },
              headers,
              body: { ...why, siteIds: value },
            });
            setSites(undefined);
          }}
        >
          <div>
            {`${added.length} granted, ${taken.length} taken away. It holds from its next request on; what it has begun goes on.`}
          </div>
        </Ask>
      )}
    </div>
  );
}
