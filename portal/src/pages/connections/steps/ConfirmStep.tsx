/** Step 7: how many sites are mapped; completing makes the connection active. */
import { MessageBar, MessageBarBody, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { newKey } from "../../../api/client";
import { useSession } from "../../../session";
import { Failure } from "../../../ui/Failure";
import { Loading } from "../../../ui/Loading";
import { useOnce } from "../../../ui/useOnce";
import { useEverySite, useEveryTenant } from "../../tenants/every";
import { TenantList } from "../../tenants/SyncDialog";
import type { Connection } from "../state";
import { MOVED } from "./order";
import { StepFrame } from "./StepFrame";

const useStyles = makeStyles({
  figures: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalXXXL, margin: 0 },
  figure: { display: "flex", flexDirection: "column-reverse" },
  number: {
    margin: 0,
    fontSize: tokens.fontSizeHero800,
    lineHeight: tokens.lineHeightHero800,
    fontWeight: tokens.fontWeightSemibold,
    fontVariantNumeric: "tabular-nums",
  },
  name: { color: tokens.colorNeutralForeground2 },
});

export function ConfirmStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const { api } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const tenants = useEveryTenant(connection.id);
  const sites = useEverySite();
  const [key, setKey] = useState(newKey);
  const complete = useOnce({
    mutationFn: async () => {
      const { data } = await api.POST("/api/connections/{connection_id}/complete", {
        params: { path: { connection_id: connection.id } },
        headers: { "Idempotency-Key": key },
      });
      return data;
    },
    onError: () => setKey(newKey()),
    onSuccess: async () => {
      await queries.invalidateQueries();
      void navigate({ search: "?step=done" }, MOVED);
    },
  });
  const ids = new Set(tenants.data?.map((one) => one.id));
  const mapped = sites.data?.filter((site) => site.tenantId && ids.has(site.tenantId)) ?? [];
  const covered = new Set(mapped.map((site) => site.tenantId));
  const synced = tenants.data?.filter((one) => one.status === "synced") ?? [];
  const left = synced.filter((one) => !covered.has(one.id));
  const error = tenants.error ?? sites.error;
  const loading = tenants.isPending || sites.isPending;
  return (
    <StepFrame
      step="confirm"
      title="Confirm the mapped sites"
      text="When you complete the set-up, the devices of these sites are read at once, and then every 15 minutes."
      next="Complete setup"
      onNext={() => complete.mutate()}
      busy={loading || complete.isPending}
    >
      {error && <Failure error={error} />}
      {loading && !error && <Loading label="Counting" />}
      {!loading && !error && (
        <>
          <dl className={styles.figures}>
            {(
              [
                ["sites mapped", mapped.length],
                ["tenants synced", synced.length],
                ["tenants known", tenants.data?.length ?? 0],
              ] as const
            ).map(([name, count]) => (
              <div key={name} className={styles.figure}>
                <dt className={styles.name}>{name}</dt>
                <dd className={styles.number}>{count.toLocaleString()}</dd>
              </div>
            ))}
          </dl>
          {left.length > 0 && (
            <MessageBar intent="warning" layout="multiline">
              <MessageBarBody>
                {left.length === 1
                  ? "One synced tenant has no site, so nothing of it is read:"
                  : `${left.length.toLocaleString()} synced tenants have no site, so nothing of them is read:`}
                <TenantList tenants={left} />
              </MessageBarBody>
            </MessageBar>
          )}
          {mapped.length === 0 && <Text>No site is mapped: the connection works, and reads nothing.</Text>}
        </>
      )}
      {complete.error && <Failure error={complete.error} />}
    </StepFrame>
  );
}
