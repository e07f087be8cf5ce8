/** Reading sinks and their kinds, and writing one. */
import { useQuery } from "@tanstack/react-query";
import type { Api } from "../../api/client";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import type { Schema } from "../../ui/schema";

export type Sink = components["schemas"]["Sink"];
export type SinkDetail = components["schemas"]["SinkDetail"];
export type SinkBody = components["schemas"]["SinkBody"];
export type Delivery = components["schemas"]["Delivery"];

export interface Kind {
  kind: string;
  title: string;
  /** It makes tickets; else it is told of events. */
  tickets: boolean;
  needed: readonly string[];
  settings: Schema;
}

/** The kinds of sinks there are. */
export function useKinds() {
  const { api } = useSession();
  return useQuery({
    queryKey: ["sinks", "kinds"],
    queryFn: async ({ signal }) => (await api.GET("/api/sinks/kinds", { signal })).data?.value as Kind[],
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** One sink with the ETag that it had when it was read. */
export function useSink(id: string, live = true) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["sink", id],
    queryFn: async ({ signal }) => {
      const call = { params: { path: { sink_id: id } }, signal };
      const { data, response } = await api.GET("/api/sinks/{sink_id}", call);
      return { sink: data as SinkDetail, etag: response.headers.get("ETag") };
    },
    enabled: id !== "",
    ...(live ? { refetchInterval: 15_000 } : { staleTime: 0, gcTime: 0, refetchOnWindowFocus: false }),
  });
}

export interface Health {
  delivery: components["schemas"]["SinkLag"];
  last: Delivery | undefined;
  failed: number;
}

/** How a sink does: what waits, the newest delivery, and how many failed for good. */
export function useHealth(id: string) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["sink", id, "health"],
    queryFn: async ({ signal }): Promise<Health> => {
      const path = { sink_id: id };
      const [sink, last, failed] = await Promise.all([
        api.GET("/api/sinks/{sink_id}", { params: { path }, signal }),
        api.GET("/api/sinks/{sink_id}/deliveries", { params: { path, query: { $top: 1 } }, signal }),
        api.GET("/api/sinks/{sink_id}/deliveries", {
          params: { path, query: { $top: 1, $count: true, state: "failed" } },
          signal,
        }),
      ]);
      return {
        delivery: (sink.data as SinkDetail).delivery,
        last: last.data?.value[0],
        failed: failed.data?.count ?? 0,
      };
    },
    staleTime: 15_000,
    refetchInterval: 30_000,
  });
}

/** A header that makes a write fail when somebody else was first. */
export function ifMatch(etag: string | null | undefined): { headers?: { "If-Match": string } } {
  return etag ? { headers: { "If-Match": etag } } : {};
}

/** A sink as it is, to be sent back with something changed. */
export function bodyOf(sink: Sink): SinkBody {
  const { kind, name, settings, siteIds, events, enabled } = sink;
  return { kind, name, settings, siteIds, events, enabled };
}

export async function replaceSink(api: Api, id: string, body: SinkBody, etag: string | null): Promise<SinkDetail> {
  const call = { params: { path: { sink_id: id } }, body, ...ifMatch(etag) };
  return (await api.PUT("/api/sinks/{sink_id}", call)).data as unknown as SinkDetail;
}
