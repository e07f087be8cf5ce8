/** What people call the states of a tenant, its relationship, and the ways to its subscriptions. */
import { ClockRegular } from "@fluentui/react-icons";
import type { components } from "../../api/schema";
import { Mark, type Tone } from "../../ui/status";

export type Tenant = components["schemas"]["Tenant"];
type Subscription = components["schemas"]["Subscription"];

export const STATUSES: Record<Tenant["status"], [Tone, string]> = {
  synced: ["good", "Synced"],
  pending: ["quiet", "Pending"],
  failed: ["bad", "Failed"],
  deactivated: ["quiet", "Deactivated"],
};

const RELATIONSHIPS: Record<Tenant["relationship"], string> = {
  reseller: "Reseller",
  gdapOnly: "Admin access only (GDAP)",
  own: "Your own tenant",
};

const WAYS: Record<Subscription["access"], [Tone, string]> = {
  lighthouse: ["good", "Azure Lighthouse"],
  application: ["good", "Role of the application"],
  adminAgents: ["doubtful", "AdminAgents group"],
  none: ["bad", "Not reached"],
};

export function TenantStatus({ tenant }: { tenant: Tenant }) {
  const [tone, name] = STATUSES[tenant.status];
  return (
    <Mark tone={tone} {...(tenant.status === "pending" && { icon: ClockRegular })}>
      {name}
    </Mark>
  );
}

/** What people call a tenant's relationship with the provider. */
export function relationshipOf(tenant: Tenant): string {
  const name = RELATIONSHIPS[tenant.relationship];
  return tenant.relationshipEnded ? `${name}, ended` : name;
}

/** How a subscription is reached. */
export function Way({ subscription }: { subscription: Subscription }) {
  if (subscription.gone) return <Mark tone="quiet">Gone from Azure</Mark>;
  const [tone, name] = WAYS[subscription.access];
  return <Mark tone={tone}>{name}</Mark>;
}

/** Microsoft's portals, in the order shown. */
export const PORTALS: readonly (readonly [keyof Tenant["links"], string])[] = [
  ["azure", "Azure portal"],
  ["entra", "Entra admin center"],
  ["m365", "Microsoft 365 admin center"],
  ["exchange", "Exchange admin center"],
  ["intune", "Intune admin center"],
  ["teams", "Teams admin center"],
  ["sharepoint", "SharePoint admin center"],
  ["defender", "Defender portal"],
];
