/** The policy in plain words. */
import { length } from "../../ui/time";
import { CONDITIONS, SEVERITIES } from "../alerts/words";
import type { BusinessHours, Override, Rules, Severity, SeverityRule } from "./data";
import { fullLabel, isNumber, isSwitch, NUMBERS, RULE_NAMES, type RuleName } from "./rules";

export const OPENINGS = ["unavailable", "degraded", "unknown"] as const;
export const CONDITION_NAMES = ["unavailable", "degraded", "unknown", "flapping", "overdue"] as const;
export const LEVELS: readonly Severity[] = ["critical", "high", "medium", "low"];
export const DAYS = [
  ["mon", "Monday"],
  ["tue", "Tuesday"],
  ["wed", "Wednesday"],
  ["thu", "Thursday"],
  ["fri", "Friday"],
  ["sat", "Saturday"],
  ["sun", "Sunday"],
] as const;
export type Day = (typeof DAYS)[number][0];
export const WORKDAYS: readonly Day[] = ["mon", "tue", "wed", "thu", "fri"];

export function minutes(count: number | undefined): string {
  return count === undefined || Number.isNaN(count) ? "Nothing" : length(count * 60_000);
}

/** What a rule says. */
export function ruleInWords(name: RuleName, rules: Omit<Rules, "overrides" | "watchdog">): string {
  if (isSwitch(name)) return rules[name] ? "Yes" : "No";
  if (isNumber(name)) {
    const { unit, zero } = NUMBERS[name];
    const count = rules[name];
    if (count === 0 && zero) return zero;
    if (unit === "minutes" || count === undefined || Number.isNaN(count)) return minutes(count);
    return `${count.toLocaleString()} ${unit}`;
  }
  if (name === "openOn") return rules.openOn?.map((one) => CONDITIONS[one]).join(", ") || "None";
  if (name === "severities") return rules.severities?.map(severityInWords).join("; ") || "As usual";
  return hoursInWords(rules.businessHours);
}

export function severityInWords(rule: SeverityRule): string {
  const parts = [
    rule.conditions?.length && rule.conditions.map((one) => CONDITIONS[one].toLowerCase()).join(" or "),
    rule.types?.length && rule.types.map(shortType).join(" or "),
    ...Object.entries(rule.tags ?? {}).map(([name, value]) => `tag ${name} = ${value}`),
  ].filter(Boolean);
  return `${SEVERITIES[rule.severity][1]} for ${parts.length ? parts.join(", ") : "everything"}`;
}

export function hoursInWords(hours: BusinessHours | null | undefined): string {
  if (!hours) return "Any hour";
  const days = (hours.days ?? WORKDAYS).map((day) => day.charAt(0).toUpperCase() + day.slice(1));
  const free = hours.holidays?.length ?? 0;
  const said = `${days.join(", ")} from ${clock(hours.opens, "08:00")} to ${clock(hours.closes, "18:00")} of ${hours.timeZone}`;
  const always = `at any hour from ${SEVERITIES[hours.alwaysFrom ?? "high"][1].toLowerCase()} on`;
  return `${said}${free ? `, ${free} ${free === 1 ? "holiday" : "holidays"}` : ""}; ${always}`;
}

/** A time of the day without its seconds. */
export function clock(time: string | undefined, usual: string): string {
  return (time ?? usual).slice(0, 5);
}

function shortType(type: string): string {
  return type.replace(/^Microsoft\./, "");
}

/** What an override is about: all that it names must match. */
export function scopeInWords(override: Override, siteName: (id: string) => string): string {
  const named = (values: readonly string[]) =>
    values.length > 3 ? `${values.slice(0, 3).join(" or ")} or ${values.length - 3} more` : values.join(" or ");
  const parts = [
    override.clientNames?.length && `client ${named(override.clientNames)}`,
    override.siteIds?.length && `site ${named(override.siteIds.map(siteName))}`,
    override.types?.length && `type ${named(override.types.map(shortType))}`,
  ].filter(Boolean);
  const said = parts.join(", ");
  return said ? said.charAt(0).toUpperCase() + said.slice(1) : "Nothing yet";
}

/** The rules that an override sets. */
export function rulesSet(override: Override): RuleName[] {
  return RULE_NAMES.filter((name) => override[name] !== undefined);
}

export function overrideInWords(override: Override): string {
  const said = rulesSet(override).map((name) => `${fullLabel(name)}: ${ruleInWords(name, override).toLowerCase()}`);
  return said.join("; ") || "No rule of its own";
}

/** The whole policy as a person would tell it. */
export function sentences(rules: Rules): string[] {
  const opens = rules.openOn ?? [];
  const unknownOpens = rules.strict || opens.includes("unknown");
  const states = rules.strict ? "anything but available" : opens.join(" or ");
  const { holdMinutes, unknownAfterMinutes, closeDelayMinutes, reopenMinutes, flapChanges, outageGroupSize } = rules;
  return [
    states
      ? `A device that is ${states} gets a ticket ${holdMinutes ? `once it has been so for ${minutes(holdMinutes)}` : "at once"}.`
      : "No state of a device opens a ticket by itself.",
    ...(unknownOpens
      ? []
      : [
          unknownAfterMinutes
            ? `One that Azure has no signal of gets a ticket after ${minutes(unknownAfterMinutes)}.`
            : "One that Azure has no signal of gets no ticket.",
        ]),
    `A ticket closes ${closeDelayMinutes ? `once the device has been back for ${minutes(closeDelayMinutes)}` : "as soon as the device is back"}; ${
      reopenMinutes
        ? `if it fails again within ${minutes(reopenMinutes)}, the same ticket opens again.`
        : "if it fails again, it gets a new one."
    }`,
    flapChanges
      ? `${flapChanges} changes within ${minutes(rules.flapWindowMinutes)} are one flapping ticket.`
      : "What comes and goes is not gathered into one ticket.",
    `What the customer stopped ${rules.ignoreUserInitiated ? "stays silent" : "gets a ticket like any failure"}; Azure's planned maintenance ${
      rules.ignorePlanned ? `stays silent for ${minutes(rules.graceMinutes)}` : "gets a ticket too"
    }.`,
    `After planned work a device has ${minutes(rules.graceMinutes)} to be back; then it gets an overdue ticket.`,
    outageGroupSize
      ? `${outageGroupSize} devices of one site in one region, or of one type, within ${minutes(rules.outageWindowMinutes)} are one outage ticket.`
      : "Every device has its own ticket: nothing is gathered into outages.",
    rules.groupFirstPoll
      ? "What is down already when a site is first read is one ticket."
      : "What is down already when a site is first read gets a ticket each.",
    rules.severities?.length
      ? `Severities: ${rules.severities.map(severityInWords).join("; ")}; for the rest as usual.`
      : "Unavailable and overdue are high, degraded and flapping medium, unknown low.",
    rules.businessHours
      ? `Business hours: ${hoursInWords(rules.businessHours)}. The rest waits for the morning.`
      : "Tickets open at any hour.",
  ];
}
