/** Which site a tenant probably stands for: the one of the same name. */
import type { components } from "../../api/schema";

type Tenant = Pick<components["schemas"]["Tenant"], "id" | "displayName">;
type Site = Pick<components["schemas"]["Site"], "id" | "clientName" | "siteName" | "tenantId">;

/** What companies add to their names and people leave out. */
const FORMS = new Set(
  (
    "the and co company corp corporation inc incorporated limited llc llp lp ltd plc pte pty group holding holdings " +
    "ab ag as asa aps bv ev gmbh kg kgaa nv oy oyj sa sarl sas se sl spa srl sro ug"
  ).split(" "),
);

/** A company's name without what people write differently: case, accents, signs, and the legal form. */
export function plain(name: string): string {
  const letters = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    // "B.V." is one word, "O'Neill" too.
    .replace(/[.'’]/g, "");
  const words = letters.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const kept = words.filter((word) => !FORMS.has(word));
  return (kept.length > 0 ? kept : words).join(" ");
}

/**
 * Tenant id -> id of the unmapped site that has its name, as client or as client and site.
 * Two tenants or two sites of one name suggest nothing: only a person knows which.
 */
export function suggest(tenants: readonly Tenant[], sites: readonly Site[]): ReadonlyMap<string, string> {
  const free = sites.filter((site) => !site.tenantId);
  const byName = new Map<string, Set<string>>();
  for (const site of free) {
    for (const name of [plain(site.clientName), plain(`${site.clientName} ${site.siteName}`)]) {
      byName.set(name, (byName.get(name) ?? new Set()).add(site.id));
    }
  }
  const wanted = new Map<string, string[]>();
  for (const tenant of tenants) {
    const name = plain(tenant.displayName);
    wanted.set(name, [...(wanted.get(name) ?? []), tenant.id]);
  }
  const found = new Map<string, string>();
  const taken = new Set<string>();
  for (const [name, ids] of wanted) {
    const [site, more] = [...(byName.get(name) ?? [])];
    const [tenant, other] = ids;
    if (!site || more || !tenant || other || taken.has(site)) continue;
    taken.add(site);
    found.set(tenant, site);
  }
  return found;
}
