/** Removing a connection: exactly what is deleted, where. */
import { Field, Input, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import type { Names } from "../../ui/Task";
import { useEverySite, useEveryTenant } from "../tenants/every";
import { TenantList } from "../tenants/SyncDialog";
import { namesOf } from "../tenants/TenantsTable";
import type { Connection } from "./state";

const useStyles = makeStyles({ list: { margin: 0, paddingLeft: tokens.spacingHorizontalXL } });

export function RemoveDialog(props: {
  connection: Connection;
  begun: (operationId: string, names: Names) => void;
  close: () => void;
}) {
  const styles = useStyles();
  const { api } = useSession();
  const { connection } = props;
  const [typed, setTyped] = useState("");
  const tenants = useEveryTenant(connection.id);
  const sites = useEverySite();
  const present = useQuery({
    queryKey: ["connection version", connection.id],
    queryFn: async ({ signal }) => {
      const params = { path: { connection_id: connection.id } };
      return (
        (await api.GET("/api/connections/{connection_id}", { params, signal })).response.headers.get("ETag") ?? "*"
      );
    },
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const known = tenants.data ?? [];
  const touched = known.filter((one) => one.status !== "deactivated" || one.enterpriseAppId);
  const ids = new Set(known.map((one) => one.id));
  const mapped = sites.data?.filter((site) => site.tenantId && ids.has(site.tenantId)).length ?? 0;
  const error = tenants.error ?? sites.error ?? present.error;
  const ready = tenants.data && sites.data && present.data;
  return (
    <Ask
      title={`Remove ${connection.name}`}
      verb="Remove"
      done="The removal has begun"
      why
      wanting={!ready ? "Looking at what there is." : typed.trim() === connection.name ? undefined : "Type its name."}
      close={props.close}
      run={async ({ why }) => {
        const { data } = await api.DELETE("/api/connections/{connection_id}", {
          params: { path: { connection_id: connection.id }, query: why },
          headers: { "If-Match": present.data ?? "*" },
        });
        if (data) props.begun(data.id, { ...namesOf(known), [connection.id]: `The connection ${connection.name}` });
      }}
    >
      {error && <Failure error={error} />}
      {!ready && !error && <Loading label="Looking at what there is" />}
      {ready && (
        <>
          {touched.length > 0 ? (
            <>
              <Text>
                {`In ${touched.length === 1 ? "1 tenant" : `${touched.length.toLocaleString()} tenants`}, Tenantry's enterprise application is deleted where it was made, with its permissions and its roles in Azure:`}
              </Text>
              <TenantList tenants={touched} />
              {touched.some((one) => one.isPrimary) && (
                <Text>
                  In your own tenant, the sign-in made the application: only what was added to it is taken away.
                </Text>
              )}
            </>
          ) : (
            <Text>No client tenant holds anything of it.</Text>
          )}
          <Text>Here, these are deleted:</Text>
          <ul className={styles.list}>
            <li>the sign-in, with its token</li>
            <li>{`the list of ${known.length.toLocaleString()} tenants with their subscriptions and devices; open alerts close`}</li>
            <li>{`the mapping of ${mapped.toLocaleString()} sites`}</li>
            <li>the connection</li>
          </ul>
          <Text>Sites, grants, ticket sinks and the audit log stay. What each tenant answered is the receipt.</Text>
          <Field label={`Type ${connection.name} to confirm`} required>
            <Input value={typed} onChange={(_, data) => setTyped(data.value)} autoComplete="off" />
          </Field>
        </>
      )}
    </Ask>
  );
}
