import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";

const MOST = 1000;

/** What lies under a device and can be acted upon, read from Azure now. */
export function useChildren(id: string, enabled = true) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["children", id],
    queryFn: async ({ signal }) => {
      const params = { path: { device_id: id }, query: { $top: MOST } };
      return (await api.GET("/api/devices/{device_id}/children", { params, signal })).data?.value ?? [];
    },
    enabled,
    staleTime: 60_000,
  });
}
