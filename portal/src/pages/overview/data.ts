/** What the overview reads, again every half minute. */
import { useQuery } from "@tanstack/react-query";
import type { components } from "../../api/schema";
import { useSession } from "../../session";

export type DeviceSummary = components["schemas"]["DeviceSummary"];
export type AlertSummary = components["schemas"]["AlertSummary"];
export const REFRESH = 30_000;

export function useDeviceSummary() {
  const { api } = useSession();
  return useQuery({
    queryKey: ["devices", "summary"],
    queryFn: async ({ signal }) => (await api.GET("/api/devices/summary", { signal })).data,
    refetchInterval: REFRESH,
  });
}

export function useAlertSummary() {
  const { api } = useSession();
  return useQuery({
    queryKey: ["alerts", "summary"],
    queryFn: async ({ signal }) => (await api.GET("/api/alerts/summary", { signal })).data,
    refetchInterval: REFRESH,
  });
}
