import { useQuery, useQueryClient } from "@tanstack/react-query";
import { newKey } from "../../api/client";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { useOnce } from "../../ui/useOnce";

type Report = components["schemas"]["CheckReport"];

/** Test a connection. What was found last is kept while the portal is open. */
export function useTest(connectionId: string) {
  const { api } = useSession();
  const queries = useQueryClient();
  const key = ["report", connectionId];
  const report = useQuery<Report>({ queryKey: key, enabled: false, gcTime: Number.POSITIVE_INFINITY });
  const test = useOnce({
    mutationFn: async () => {
      const { data } = await api.POST("/api/connections/{connection_id}/test", {
        params: { path: { connection_id: connectionId } },
        headers: { "Idempotency-Key": newKey() },
      });
      return data;
    },
    onSuccess: async (found) => {
      queries.setQueryData(key, found);
      await queries.invalidateQueries({ queryKey: ["connection", connectionId] });
      await queries.invalidateQueries({ queryKey: ["list"] });
    },
  });
  return { report: report.data, test };
}
