import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import type { ScheduleDetail } from "./words";

/** One schedule with its ETag. `refresh`: seconds until it is read again; none for a form, which must not change. */
export function useSchedule(id: string | undefined, refresh?: number) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["schedule", id, refresh === undefined ? "form" : "page"],
    queryFn: async ({ signal }) => {
      const params = { path: { schedule_id: id ?? "" } };
      const { data, response } = await api.GET("/api/schedules/{schedule_id}", { params, signal });
      return { schedule: data as ScheduleDetail, etag: response.headers.get("ETag") ?? undefined };
    },
    enabled: id !== undefined,
    ...(refresh === undefined
      ? { staleTime: Number.POSITIVE_INFINITY, gcTime: 0 }
      : { refetchInterval: refresh * 1000 }),
  });
}
