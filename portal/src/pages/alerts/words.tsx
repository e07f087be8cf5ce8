/** What people call the parts of an alert, and their signs. */
import {
  AlertBadgeRegular,
  AlertSnoozeRegular,
  AlertUrgentFilled,
  ArrowTrendingDownRegular,
  CheckmarkCircleFilled,
  ClockRegular,
  DismissCircleFilled,
  type FluentIcon,
  InfoFilled,
  PauseCircleRegular,
  PersonRegular,
  SubtractCircleRegular,
  WarningFilled,
} from "@fluentui/react-icons";
import type { components } from "../../api/schema";
import { Mark, type Tone } from "../../ui/status";

export type Alert = components["schemas"]["Alert"];
export type Ticket = components["schemas"]["AlertTicket"];
type Signed = readonly [Tone, string, FluentIcon];

export const SEVERITIES: Record<Alert["severity"], Signed> = {
  critical: ["bad", "Critical", AlertUrgentFilled],
  high: ["bad", "High", DismissCircleFilled],
  medium: ["doubtful", "Medium", WarningFilled],
  low: ["quiet", "Low", InfoFilled],
};

export const STATES: Record<Alert["state"], Signed> = {
  open: ["bad", "Open", AlertBadgeRegular],
  suppressed: ["quiet", "Suppressed", AlertSnoozeRegular],
  closed: ["good", "Closed", CheckmarkCircleFilled],
};

export const TICKET_STATES: Record<Ticket["state"], Signed> = {
  pending: ["quiet", "On its way", ClockRegular],
  open: ["bad", "Open", AlertBadgeRegular],
  closed: ["good", "Closed", CheckmarkCircleFilled],
  failed: ["bad", "Failed", DismissCircleFilled],
  held: ["doubtful", "Held", PauseCircleRegular],
  skipped: ["quiet", "Not needed", SubtractCircleRegular],
};

export const CONDITIONS: Record<Alert["condition"], string> = {
  unavailable: "Unavailable",
  degraded: "Degraded",
  unknown: "Unknown",
  flapping: "Flapping",
  overdue: "Overdue",
  outage: "Outage",
  alreadyDown: "Already down",
  serviceIssue: "Azure service issue",
  pollLate: "Polling is late",
  tenantFailing: "Tenant cannot be read",
  sinkFailing: "Sink gets nothing",
  poisonedWork: "Work was given up",
};

export const KINDS: Record<Alert["kind"], string> = {
  device: "A device",
  outage: "An outage",
  self: "Tenantry itself",
};

export const SILENCES: Record<NonNullable<Alert["suppressedBy"]>, string> = {
  hold: "It waits, should the device be back soon",
  unknown: "Azure does not know its state",
  userInitiated: "Somebody of the client took it down",
  azurePlanned: "Planned maintenance of Azure",
  action: "An action took it down",
  schedule: "A schedule took it down",
  maintenance: "Maintenance window",
  snooze: "It is snoozed",
  businessHours: "It waits for business hours",
};

const ENDINGS: Record<string, string> = {
  recovered: "It is available again",
  deviceDeleted: "The resource was deleted from Azure",
  siteUnmapped: "Its subscription is no longer mapped to a site",
  tenantUnsynced: "Its tenant is no longer synced",
  subscriptionGone: "Its subscription is gone",
  userInitiated: "It was stopped on purpose",
  plannedWork: "It is down because of planned work",
  policyChanged: "By the policy it needs no ticket",
  mergedIntoOutage: "It goes on in its outage",
};

/** Why an alert closed. */
export function ending(reason: string | undefined): string | undefined {
  return reason && (ENDINGS[reason] ?? reason);
}

export const STEPS: Record<components["schemas"]["TimelineEntry"]["what"], readonly [string, FluentIcon]> = {
  opened: ["Opened", AlertBadgeRegular],
  reopened: ["Opened again", AlertBadgeRegular],
  changed: ["Changed", ArrowTrendingDownRegular],
  acknowledged: ["Acknowledged", PersonRegular],
  unacknowledged: ["Acknowledgement taken back", PersonRegular],
  snoozed: ["Snoozed", AlertSnoozeRegular],
  woken: ["Snooze ended", ClockRegular],
  suppressed: ["Silent", AlertSnoozeRegular],
  closed: ["Closed", CheckmarkCircleFilled],
  redelivered: ["Sent again", ClockRegular],
};

const SINKS: Record<string, string> = {
  connectwise: "ConnectWise PSA",
  autotask: "Autotask PSA",
  halopsa: "HaloPSA",
  webhook: "Webhook",
  logicApps: "Logic Apps",
  teams: "Teams",
};

/** What people call a kind of sink. */
export function sinkKind(kind: string | undefined): string {
  return kind ? (SINKS[kind] ?? kind) : "Sink";
}

function Signal({ of: [tone, name, icon] }: { of: Signed }) {
  return (
    <Mark tone={tone} icon={icon}>
      {name}
    </Mark>
  );
}

export function Severity({ level }: { level: Alert["severity"] }) {
  return <Signal of={SEVERITIES[level]} />;
}

export function AlertState({ state }: { state: Alert["state"] }) {
  return <Signal of={STATES[state]} />;
}

export function TicketState({ state }: { state: Ticket["state"] }) {
  return <Signal of={TICKET_STATES[state]} />;
}

/** A ticket's number, leading into the other system where the way is known. */
export function ticketName(ticket: Ticket): string {
  return ticket.number ? `#${ticket.number.replace(/^#/, "")}` : sinkKind(ticket.kind);
}
