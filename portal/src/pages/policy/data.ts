/** Reading the alert policy, and what of it is sent back. */
import { useQuery } from "@tanstack/react-query";
import type { components } from "../../api/schema";
import { useSession } from "../../session";

export type PolicyVersion = components["schemas"]["PolicyVersion"];
/** Every rule; what an override sets, or a change was made to, is some of them. */
export type Rules = components["schemas"]["Policy"];
export type Override = components["schemas"]["Override"];
export type SeverityRule = components["schemas"]["SeverityRule"];
export type BusinessHours = components["schemas"]["BusinessHours"];
export type Severity = SeverityRule["severity"];

export interface Read {
  policy: PolicyVersion;
  etag: string;
}

export const POLICY_KEY = ["policy"];

/** The policy in force, with the ETag that it was read with. It is not read again behind a form that is filled in. */
export function usePolicy() {
  const { api } = useSession();
  return useQuery({
    queryKey: POLICY_KEY,
    queryFn: async ({ signal }): Promise<Read> => {
      const { data, response } = await api.GET("/api/alerts/policy", { signal });
      return { policy: data as PolicyVersion, etag: response.headers.get("ETag") ?? "*" };
    },
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
}

/** The rules of a version, without who set it and when. */
export function rulesOf(version: PolicyVersion): Rules {
  const { version: _v, changedAt: _a, changedBy: _b, unreadable: _u, unreadableVersion: _n, ...rest } = version;
  const { before: _f, reason: _r, ticketNumber: _t, ...rules } = rest;
  return rules;
}

/** Whether two values say the same; the order of the keys of an object says nothing. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}

function sorted(_: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
