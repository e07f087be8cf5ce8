/** What a sink's form knows beyond its schema: where the values of a setting can be chosen from. */
import { useCallback } from "react";
import { useSession } from "../../session";
import type { ChoiceSource } from "../../ui/Choice";
import type { Schema } from "../../ui/schema";
import { siteOptions, useSites } from "../../ui/sites";

const CHOICES = /Choices `(\w+)`/i;

/** A description for people: without the names of lists that the form offers itself. */
export function describe(schema: Schema): string {
  return (schema.description ?? "")
    .replace(/(: )?Choices `\w+`, such as/gi, "Such as")
    .replace(/:? ?Choices `\w+`\.?/gi, "")
    .replace(/`([^`]+)`/g, "“$1”")
    .trim();
}

/** Sites by name; and of a sink that is stored, what its system offers. That shows every client there. */
export function useSources(sinkId: string | undefined, kind: string) {
  const { api, me } = useSession();
  const sites = useSites().data;
  return useCallback(
    (name: string, schema: Schema): ChoiceSource | undefined => {
      if (name === "siteId") return { key: ["sites", sites?.length], load: async () => siteOptions(sites ?? []) };
      // The priorities of severities are described where they stand together.
      const list = schema.description?.match(CHOICES)?.[1] ?? (SEVERITIES.includes(name) ? "priorities" : undefined);
      if (!list || !sinkId || me.sites !== null) return undefined;
      return {
        key: [sinkId, kind, list],
        load: async (search) => {
          const params = { path: { sink_id: sinkId, name: list }, query: { search } };
          const { data } = await api.GET("/api/sinks/{sink_id}/choices/{name}", { params });
          return (data?.value ?? []).map((one) => ({ value: one.id, label: one.name }));
        },
      };
    },
    [api, me, sites, sinkId, kind],
  );
}

const SEVERITIES = ["critical", "high", "medium", "low"];
