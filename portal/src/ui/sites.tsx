/** The sites that the person sees, by name: to choose from, and to say which an id means. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { components } from "../api/schema";
import { useSession } from "../session";
import { nextToken, readPage } from "../table/rows";
import type { Chosen } from "./Choice";
import { Picker } from "./Picker";

export type Site = components["schemas"]["Site"];

export function siteLabel(site: Site): string {
  return `${site.clientName}, ${site.siteName}`;
}

/** Every site of the person, by client; kept for a minute. */
export function useSites() {
  const { api } = useSession();
  return useQuery({
    queryKey: ["sites", "every"],
    queryFn: async ({ signal }) => {
      const found: Site[] = [];
      let token: string | undefined;
      do {
        const query = { $top: 1000, ...(token && { $skiptoken: token }) };
        const page = await readPage(api, "/api/sites", undefined, query, signal);
        found.push(...page.value);
        token = nextToken(page);
      } while (token);
      return found;
    },
    staleTime: 60_000,
  });
}

/** What an id of a site means: client and site, or the id where the person does not see it. */
export function useSiteName(): (id: string) => string {
  const { data } = useSites();
  return useMemo(() => {
    const names = new Map((data ?? []).map((site) => [site.id, siteLabel(site)]));
    return (id) => names.get(id) ?? id;
  }, [data]);
}

export function siteOptions(sites: readonly Site[]): Chosen[] {
  return sites.map((site) => ({ value: site.id, label: siteLabel(site) }));
}

/** Choosing sites by client and name. */
export function SitePicker(props: {
  value: readonly string[];
  onChange: (value: string[]) => void;
  label?: string;
  hint?: string;
  error?: string | undefined;
  required?: boolean;
}) {
  const sites = useSites();
  return (
    <Picker
      {...props}
      label={props.label ?? "Sites"}
      options={siteOptions(sites.data ?? [])}
      error={props.error ?? sites.error?.message}
    />
  );
}

/** Which sites: by name when they are few, else how many. Null is every site. */
export function SiteNames({ ids, most = 3 }: { ids: readonly string[] | null | undefined; most?: number }) {
  const siteName = useSiteName();
  if (!ids) return <>Every site</>;
  if (ids.length === 0) return <>None</>;
  const shown = ids.slice(0, most).map(siteName);
  return <>{ids.length > most ? `${shown.join("; ")} and ${ids.length - most} more` : shown.join("; ")}</>;
}
