/** What fails, told once for each cause: a tenant's sync, a connection of many tenants, the reads of subscriptions. */
import type { components } from "../../api/schema";

export type Failing = components["schemas"]["FailingSubscription"];
type Tenant = components["schemas"]["Tenant"];

export interface Failed {
  key: string;
  name: string;
  /** Where it can be looked at. */
  to: string;
  what: string;
  message: string;
  fix: string;
  /** The oldest read among its subscriptions, RFC 3339; null: never read; undefined: it has none that are shown. */
  read: string | null | undefined;
}

/** Codes of what ails a connection, and so all that it leads to. */
const OF_CONNECTION = ["needsConsent", "connectionNotActive"];

export function failures(tenants: readonly Tenant[], failing: readonly Failing[]): Failed[] {
  const groups = new Map<string, Failing[]>();
  for (const one of failing) {
    const key = OF_CONNECTION.includes(one.code)
      ? `${one.code}|${one.message}`
      : one.code === "tenantFailed"
        ? one.tenantId
        : `${one.tenantId}|${one.code}|${one.message}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const found = tenants.map((tenant): Failed => {
    const own = groups.get(tenant.id);
    groups.delete(tenant.id);
    return {
      key: tenant.id,
      name: tenant.displayName,
      to: `/setup/tenants/${tenant.id}`,
      what: "Sync failed",
      message: tenant.statusReason ?? "The sync failed.",
      fix: tenant.statusFix ?? "Sync the tenant again.",
      read: own && oldest(own),
    };
  });
  for (const [key, rows] of groups) {
    const [first] = rows;
    if (!first) continue;
    const ofConnection = OF_CONNECTION.includes(first.code);
    const names = new Set(rows.map((row) => row.clientName || row.tenantName));
    const subscriptions = rows.length === 1 ? first.subscriptionName : `${rows.length} subscriptions`;
    found.push({
      key,
      name: names.size === 1 ? [...names].join() : `${names.size} clients`,
      to: ofConnection ? "/setup/tenants" : `/setup/tenants/${first.tenantId}`,
      what: ofConnection ? `Connection: ${subscriptions}` : subscriptions,
      message: first.message,
      fix: first.fix,
      read: oldest(rows),
    });
  }
  return found;
}

function oldest(rows: readonly Failing[]): string | null {
  const times = rows.map((row) => row.lastRefreshed ?? "").sort();
  return times[0] || null;
}
