import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { ended, type Operation } from "../../ui/OperationProgress";

/** Whether an item of an operation on several waits to begin; undefined while that is not known, or not `wanted`. */
export function useWaits({ id, status, itemCount }: Operation, wanted: boolean): boolean | undefined {
  const { api } = useSession();
  const enabled = wanted && itemCount !== undefined && !ended(status);
  const { data } = useQuery({
    queryKey: ["operation", id, "waits"],
    queryFn: async ({ signal }) => {
      const { data } = await api.GET("/api/operations/{operation_id}/items", {
        params: { path: { operation_id: id }, query: { status: ["notStarted"], $top: 1 } },
        signal,
      });
      return (data?.value ?? []).length > 0;
    },
    enabled,
    staleTime: 0,
    refetchInterval: 5000,
  });
  return enabled ? data : undefined;
}
