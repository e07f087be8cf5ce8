/** Asking before tenants are synced or unsynced: what is made or removed there, and in which. */
import { makeStyles, tokens } from "@fluentui/react-components";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import type { Tenant } from "./status";

/** How many the API takes in one call. */
export const AT_ONCE = 1000;
const NAMED = 10;
const useStyles = makeStyles({ list: { margin: 0, paddingLeft: tokens.spacingHorizontalXL } });

export const NEVER_UNSYNCED = "Your own tenant cannot be unsynced. Remove the connection instead.";

export function SyncDialog(props: {
  verb: "sync" | "unsync";
  /** Those chosen; of an unsync the provider's own stays out. */
  tenants: readonly Tenant[];
  begun: (operationId: string) => void;
  close: () => void;
}) {
  const { api } = useSession();
  const { verb } = props;
  const tenants = verb === "sync" ? props.tenants : props.tenants.filter((one) => !one.isPrimary);
  const named = tenants.length > 0 ? tenants : props.tenants;
  const noun = named.length === 1 ? (named[0]?.displayName ?? "") : `${named.length.toLocaleString()} tenants`;
  return (
    <Ask
      title={`${verb === "sync" ? "Sync" : "Unsync"} ${noun}`}
      verb={verb === "sync" ? "Sync" : "Unsync"}
      done={verb === "sync" ? `The sync of ${noun} has begun` : `The unsync of ${noun} has begun`}
      why
      wanting={tenants.length === 0 ? NEVER_UNSYNCED : undefined}
      close={props.close}
      run={async ({ why, key }) => {
        const call = { body: { ...why, tenantIds: tenants.map((one) => one.id) }, headers: { "Idempotency-Key": key } };
        const { data } =
          verb === "sync" ? await api.POST("/api/tenants/sync", call) : await api.POST("/api/tenants/unsync", call);
        if (data) props.begun(data.id);
      }}
    >
      {verb === "sync" ? (
        <div>
          Tenantry's enterprise application is made there, given the permissions that the connection lists, and proved
          to work. That takes some seconds a tenant; what is there already stays as it is.
        </div>
      ) : (
        <div>
          Tenantry's enterprise application is deleted there, with its permissions and its roles in Azure. The devices
          leave the lists and their alerts close at once. Sites stay mapped: sync again, and the devices come back.
        </div>
      )}
      <TenantList tenants={tenants} />
      {tenants.length > 0 && tenants.length < props.tenants.length && <div>{NEVER_UNSYNCED}</div>}
    </Ask>
  );
}

/** The first tenants by name, and how many more there are. */
export function TenantList({ tenants }: { tenants: readonly Tenant[] }) {
  const styles = useStyles();
  const rest = tenants.length - NAMED;
  return (
    <ul className={styles.list}>
      {tenants.slice(0, NAMED).map((one) => (
        <li key={one.id}>{one.displayName}</li>
      ))}
      {rest > 0 && <li>{`and ${rest.toLocaleString()} more`}</li>}
    </ul>
  );
}
