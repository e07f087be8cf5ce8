/** Every client tenant: which are synced, which are not and why, and syncing them. */
import { ArrowClockwiseRegular } from "@fluentui/react-icons";
import { newKey } from "../../api/client";
import { useSession } from "../../session";
import { Deed } from "../../ui/Deed";
import { Failure } from "../../ui/Failure";
import { PageFrame } from "../../ui/PageFrame";
import { Task, useTask } from "../../ui/Task";
import { useOnce } from "../../ui/useOnce";
import { useNames } from "./every";
import { ADMINS_ONLY, TenantsTable } from "./TenantsTable";

export default function TenantsPage() {
  const { api, can } = useSession();
  const task = useTask();
  const names = useNames();
  const mayChange = can("Integration.Admin");
  const refresh = useOnce({
    mutationFn: async () =>
      (await api.POST("/api/tenants/refresh", { body: {}, headers: { "Idempotency-Key": newKey() } })).data,
    onSuccess: (operation) => operation && task.begin(operation.id),
  });
  return (
    <PageFrame
      title="Tenants"
      actions={
        <Deed
          icon={<ArrowClockwiseRegular />}
          label="Refresh customers"
          disabled={mayChange ? undefined : ADMINS_ONLY}
          busy={refresh.isPending || task.running}
          run={() => refresh.mutate()}
        />
      }
    >
      {refresh.error && <Failure error={refresh.error} />}
      {task.id && <Task id={task.id} names={{ ...names, ...task.names }} clear={task.clear} />}
      <TenantsTable name="tenants" keepFilters busy={task.running} begun={task.begin} />
    </PageFrame>
  );
}
