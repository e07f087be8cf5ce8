/** Step 5: the customers that Microsoft lists, and which of them are to be synced. */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { ArrowClockwiseRegular } from "@fluentui/react-icons";
import { useEffect, useRef } from "react";
import { newKey } from "../../../api/client";
import { useSession } from "../../../session";
import { Failure } from "../../../ui/Failure";
import { Task, useTask } from "../../../ui/Task";
import { useOnce } from "../../../ui/useOnce";
import { useEveryTenant, useNames } from "../../tenants/every";
import { TenantsTable } from "../../tenants/TenantsTable";
import type { Connection } from "../state";
import { StepFrame } from "./StepFrame";

const useStyles = makeStyles({
  head: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalM },
});

export function CustomersStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const { api } = useSession();
  const task = useTask();
  const names = useNames();
  const tenants = useEveryTenant(connection.id, task.running ? 3 : 30);
  const { begin } = task;
  const refresh = useOnce({
    mutationFn: async (key: string) => {
      const { data } = await api.POST("/api/tenants/refresh", {
        body: { connectionId: connection.id },
        headers: { "Idempotency-Key": key },
      });
      return data;
    },
    onSuccess: (operation) => operation && begin(operation.id),
  });
  const { mutate } = refresh;
  const begun = useRef(false);
  const none = tenants.data?.length === 0 && task.id === undefined;
  useEffect(() => {
    if (!none || begun.current) return;
    begun.current = true;
    // The list is read without being asked for; the key makes a reload find the same piece of work again.
    mutate(`first-refresh-${connection.id}-${connection.lastTestedAt ?? ""}`);
  }, [none, mutate, connection.id, connection.lastTestedAt]);
  const count = (status: string) => tenants.data?.filter((one) => one.status === status).length ?? 0;
  const [synced, pending] = [count("synced"), count("pending")];
  return (
    <StepFrame
      step="customers"
      fill
      title="Choose customers"
      text="Choose those whose cloud you look after, and sync them. Tenantry's enterprise application is made in each. You can sync and unsync any of them later."
      wanting={synced > 0 ? undefined : "Sync one customer at least."}
    >
      <div className={styles.head}>
        <Text role="status">
          {tenants.data && tenants.data.length > 0
            ? `${tenants.data.length.toLocaleString()} tenants, ${synced.toLocaleString()} synced${pending ? `, ${pending.toLocaleString()} under way` : ""}.`
            : task.id === undefined || task.running
              ? "Microsoft is asked for the list of your customers."
              : "No customer is known yet."}
        </Text>
        <Button
          size="small"
          icon={<ArrowClockwiseRegular />}
          disabledFocusable={refresh.isPending || task.running}
          onClick={() => refresh.mutate(newKey())}
        >
          Read the list again
        </Button>
      </div>
      {refresh.error && <Failure error={refresh.error} retry={() => refresh.mutate(newKey())} />}
      {tenants.error && <Failure error={tenants.error} retry={() => void tenants.refetch()} />}
      {task.id && <Task id={task.id} names={{ ...names, ...task.names }} clear={task.clear} />}
      <TenantsTable
        name="wizard"
        connectionId={connection.id}
        busy={refresh.isPending || task.running || pending > 0}
        begun={begin}
      />
    </StepFrame>
  );
}
