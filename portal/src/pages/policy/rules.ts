/** The rules of the policy: their names, and what a technician notices of each. */
import type { Override, Rules } from "./data";

export type NumberRule =
  | "holdMinutes"
  | "unknownAfterMinutes"
  | "flapChanges"
  | "flapWindowMinutes"
  | "reopenMinutes"
  | "closeDelayMinutes"
  | "graceMinutes"
  | "outageGroupSize"
  | "outageWindowMinutes";
export type SwitchRule = "strict" | "ignoreUserInitiated" | "ignorePlanned" | "groupFirstPoll";
/** What an override may set. */
export type RuleName = Exclude<keyof Override, "clientNames" | "siteIds" | "types">;
export type WatchdogRule = keyof NonNullable<Rules["watchdog"]>;

interface Described {
  label: string;
  /** What changing it does to tickets. */
  effect: string;
}

/** The least and the most that the API takes. */
export interface Limits {
  min: number;
  max: number;
}

interface Numeric extends Limits {
  unit: "minutes" | "changes" | "devices";
  zero?: string;
}

export const NUMBERS: Readonly<Record<NumberRule, Numeric>> = {
  holdMinutes: { min: 0, max: 10080, unit: "minutes", zero: "At once" },
  unknownAfterMinutes: { min: 0, max: 10080, unit: "minutes", zero: "Never" },
  flapChanges: { min: 0, max: 60, unit: "changes", zero: "Never" },
  flapWindowMinutes: { min: 1, max: 1440, unit: "minutes" },
  reopenMinutes: { min: 0, max: 10080, unit: "minutes", zero: "Never" },
  closeDelayMinutes: { min: 0, max: 10080, unit: "minutes", zero: "At once" },
  graceMinutes: { min: 1, max: 10080, unit: "minutes" },
  outageGroupSize: { min: 0, max: 1000, unit: "devices", zero: "Never" },
  outageWindowMinutes: { min: 1, max: 1440, unit: "minutes" },
};

export const RULES: Readonly<Record<RuleName, Described>> = {
  openOn: {
    label: "States that open a ticket",
    effect: "More states: more tickets. A state that is left out here never opens one, unless a rule below says so.",
  },
  strict: {
    label: "Strict, as ConnectWise RMM",
    effect:
      "Whatever Azure reports other than available opens a ticket, unknown too, without waiting for it to last. Many more tickets.",
  },
  holdMinutes: {
    label: "Wait before a ticket opens",
    effect: "Longer: fewer tickets for short breaks, and every ticket comes that much later. 0: at once.",
  },
  unknownAfterMinutes: {
    label: "How long unknown must last",
    effect:
      "Azure says unknown when it has no signal of a device. Longer: fewer tickets of this kind, each later. 0: never one. Not used where unknown itself opens a ticket: when strict, or when it is one of the states that do.",
  },
  closeDelayMinutes: {
    label: "Wait before a ticket closes",
    effect: "Longer: tickets stay open for a while after the device is back, and are opened again less. 0: at once.",
  },
  reopenMinutes: {
    label: "Open the same ticket again within",
    effect: "Longer: fewer new tickets, more notes on one that was closed. 0: every failure gets a new ticket.",
  },
  flapChanges: {
    label: "Changes that make it flapping",
    effect:
      "So many changes between available and not, in the time below, are one ticket until it is calm again. Fewer: sooner gathered. 0: never, each time counts by itself.",
  },
  flapWindowMinutes: {
    label: "Within",
    effect: "Longer: slower ups and downs are gathered too, and the ticket stays open longer afterwards.",
  },
  ignoreUserInitiated: {
    label: "Silent when the customer stopped it",
    effect: "Off: a device that somebody of the client stops on purpose gets a ticket like any other.",
  },
  ignorePlanned: {
    label: "Silent for Azure's planned maintenance",
    effect: "Off: maintenance that Azure announced gets a ticket at once, like any failure.",
  },
  graceMinutes: {
    label: "Time to be back after planned work",
    effect:
      "After an action, a maintenance window or Azure's maintenance. Not back by then: a ticket that says overdue. Longer: fewer and later ones.",
  },
  outageGroupSize: {
    label: "Devices that make an outage",
    effect:
      "So many devices of one site in one region, or of one type, are one ticket with all of them inside. Fewer: sooner gathered. 0: never, each has its own ticket.",
  },
  outageWindowMinutes: {
    label: "Within",
    effect: "How close together they must go down. Longer: more is gathered into one ticket.",
  },
  groupFirstPoll: {
    label: "One ticket for what is down already",
    effect: "When a site is read for the first time. Off: each device that is down then gets its own ticket.",
  },
  severities: {
    label: "Severities",
    effect: "The first rule that matches counts. It decides a ticket's priority, and which ones come at night.",
  },
  businessHours: {
    label: "Business hours",
    effect:
      "Outside of them, what is less severe waits for the morning and opens only if it is still down. Fewer tickets at night, some later.",
  },
};

export const WATCHDOG: Readonly<Record<WatchdogRule, Described>> = {
  pollLateMinutes: {
    label: "A subscription was not read for",
    effect: "Shorter: you hear sooner that what you see is old. It is read every 15 minutes, so 20 is the least.",
  },
  tenantFailingMinutes: {
    label: "A tenant cannot be read for",
    effect: "Or its consent is gone. Longer: fewer tickets for Microsoft's short refusals. 15 is the least.",
  },
  sinkFailingMinutes: {
    label: "A ticket sink takes nothing for",
    effect: "The other sinks are told. Longer: fewer tickets for a PSA that is away for a moment. 5 is the least.",
  },
};

export const WATCHDOG_NUMBERS: Readonly<Record<WatchdogRule, Limits>> = {
  pollLateMinutes: { min: 20, max: 10080 },
  tenantFailingMinutes: { min: 15, max: 10080 },
  sinkFailingMinutes: { min: 5, max: 10080 },
};

export const SECTIONS: readonly { title: string; rules: readonly RuleName[] }[] = [
  { title: "When a ticket opens", rules: ["openOn", "strict", "holdMinutes", "unknownAfterMinutes"] },
  { title: "When it closes, and opens again", rules: ["closeDelayMinutes", "reopenMinutes"] },
  { title: "What comes and goes", rules: ["flapChanges", "flapWindowMinutes"] },
  { title: "Planned work", rules: ["ignoreUserInitiated", "ignorePlanned", "graceMinutes"] },
  { title: "Outages", rules: ["outageGroupSize", "outageWindowMinutes", "groupFirstPoll"] },
  { title: "How severe", rules: ["severities"] },
  { title: "At which hours", rules: ["businessHours"] },
];
export const RULE_NAMES: readonly RuleName[] = SECTIONS.flatMap((section) => section.rules);
export const WATCHDOG_RULES: readonly WatchdogRule[] = [
  "pollLateMinutes",
  "tenantFailingMinutes",
  "sinkFailingMinutes",
];

/** What two rules of the same label are told apart by, away from their section. */
export function fullLabel(name: RuleName): string {
  if (name === "flapWindowMinutes") return "Changes count within";
  if (name === "outageWindowMinutes") return "Devices count within";
  return RULES[name].label;
}

export function isNumber(name: RuleName): name is NumberRule {
  return name in NUMBERS;
}

export function isSwitch(name: RuleName): name is SwitchRule {
  return ["strict", "ignoreUserInitiated", "ignorePlanned", "groupFirstPoll"].includes(name);
}
