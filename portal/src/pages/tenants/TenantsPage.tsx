/** Every client tenant: which are synced, which are not and why, and syncing them. */
import { Button, Tooltip } from "@fluentui/react-components";
import { ArrowClockwiseRegular } from "@fluentui/react-icons";
import { useMutation } from "@tanstack/react-query";
import { newKey } from "../../api/client";
import { useSession } from "../../session";
import { Failure } from "../../ui/Failure";
import { PageFrame } from "../../ui/PageFrame";
import { Task, useTask } from "../../ui/Task";
import { ADMINS_ONLY, TenantsTable } from "./TenantsTable";

export default function TenantsPage() {
  const { api, can } = useSession();
  const task = useTask();
  const mayChange = can("Integration.Admin");
  const refresh = useMutation({
    mutationFn: async () =>
      (await api.POST("/api/tenants/refresh", { body: {}, headers: { "Idempotency-Key": newKey() } })).data,
    onSuccess: (operation) => operation && task.begin(operation.id),
  });
  const button = (
    <Button
      icon={<ArrowClockwiseRegular />}
      disabledFocusable={!mayChange || refresh.isPending || task.running}
      onClick={() => refresh.mutate()}
    >
      Refresh customers
    </Button>
  );
  return (
    <PageFrame
      title="Tenants"
      actions={
        mayChange ? (
          button
        ) : (
          <Tooltip content={ADMINS_ONLY} relationship="description">
            {button}
          </Tooltip>
        )
      }
    >
      {refresh.error && <Failure error={refresh.error} />}
      {task.id && <Task id={task.id} names={task.names} clear={task.clear} />}
      <TenantsTable name="tenants" keepFilters busy={task.running} begun={task.begin} />
    </PageFrame>
  );
}
