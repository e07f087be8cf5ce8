/** What people call schedules, their states, and what they are about. */
import { PowerRegular } from "@fluentui/react-icons";
import type { components } from "../../api/schema";
import { Mark } from "../../ui/status";

export type Schedule = components["schemas"]["Schedule"];
export type ScheduleDetail = components["schemas"]["ScheduleDetail"];
export type Target = components["schemas"]["ScheduleTarget"];
type Filter = NonNullable<Target["filter"]>;

export const MAY_LOOK = "You may look only: this needs the role CloudDevices.Update.";
const FIELDS: readonly [Exclude<keyof Filter, "search" | "tags">, string][] = [
  ["clientName", "client"],
  ["siteId", "site"],
  ["tenantId", "tenant"],
  ["subscriptionId", "subscription"],
  ["resourceGroup", "group"],
  ["type", "type"],
  ["region", "region"],
  ["status", "status"],
];

/** A filter in words: "client Contoso; tag environment = dev". */
export function filterInWords(filter: Filter): string {
  const parts = FIELDS.flatMap(([field, name]) => {
    const values = filter[field];
    return values?.length ? [`${name} ${values.map((one) => one.replace(/^Microsoft\./, "")).join(" or ")}`] : [];
  });
  if (filter.search) parts.push(`name with "${filter.search}"`);
  for (const [name, value] of Object.entries(filter.tags ?? {})) parts.push(`tag ${name} = ${value}`);
  return parts.join("; ");
}

export function targetInWords(target: Target): string {
  const count = target.deviceIds?.length;
  if (count) return count === 1 ? "1 device" : `${count.toLocaleString()} devices`;
  return target.filter ? filterInWords(target.filter) : "";
}

/** Whether anything keeps its devices on now. */
function isKept(schedule: Schedule): boolean {
  return schedule.overrides.some((one) => Date.parse(one.until) > Date.now());
}

export function stateName(schedule: Schedule): string {
  if (!schedule.enabled) return "Off";
  if (schedule.approval.state === "pending") return "Waits for approval";
  if (isKept(schedule)) return "Kept on";
  return schedule.nextRunAt ? "On" : "Has ended";
}

export function StateMark({ schedule }: { schedule: Schedule }) {
  const name = stateName(schedule);
  if (name === "On") return <Mark tone="good">{name}</Mark>;
  if (name === "Waits for approval") return <Mark tone="doubtful">{name}</Mark>;
  return (
    <Mark tone="quiet" icon={PowerRegular}>
      {name}
    </Mark>
  );
}

/** Why it cannot be held off; undefined when it can. The API has the last word. */
export function noKeepingOn(schedule: Schedule, mayAct: boolean): string | undefined {
  if (!mayAct) return MAY_LOOK;
  if (!["stop", "pause", "restart"].includes(schedule.action))
    return "It takes nothing away, so nothing can be kept on.";
  if (!schedule.enabled) return "It is off: nothing would be held off.";
  return undefined;
}

/** Why the person cannot approve it; undefined when they can. */
export function noApproving(schedule: Schedule, name: string, mayAct: boolean): string | undefined {
  if (!mayAct) return MAY_LOOK;
  return schedule.owner === name ? "You saved it: another person must approve it." : undefined;
}
