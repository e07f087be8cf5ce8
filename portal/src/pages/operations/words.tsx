/** What people call operations, their states and what they are about, and what can be done with one. */
import { ArrowSyncCircleRegular, ClockRegular, QuestionCircleFilled } from "@fluentui/react-icons";
import type { Me } from "../../session";
import { ended, type Operation } from "../../ui/OperationProgress";
import { Mark } from "../../ui/status";
import { VERB_NAMES, type Verb } from "../devices/actions";

export type Status = Operation["status"];

const KINDS: Record<string, readonly [name: string, noun: string]> = {
  "tenants.sync": ["Sync tenants", "tenant"],
  "tenants.unsync": ["Unsync tenants", "tenant"],
  "tenants.refresh": ["Refresh tenants", "connection"],
  "devices.refresh": ["Refresh devices", "subscription"],
  "devices.export": ["Export devices", "device"],
  "connection.remove": ["Remove a connection", "tenant"],
};
export const STATUS_NAMES: Record<Status, string> = {
  notStarted: "Waits to begin",
  running: "Running",
  succeeded: "Succeeded",
  failed: "Failed",
  canceled: "Canceled",
  outcomeUnknown: "Outcome unknown",
};
export const MAY_LOOK = "You may look only: acting needs the role CloudDevices.Update.";

/** The verb of an action on a device or several; undefined for other work. */
function verbOf(kind: string): Verb | undefined {
  const [area, verb] = kind.split(".");
  return (area === "device" || area === "devices") && verb && verb in VERB_NAMES ? (verb as Verb) : undefined;
}

/** The kind in words: "Restart", "Sync tenants". */
export function kindName(kind: string): string {
  const verb = verbOf(kind);
  return verb ? VERB_NAMES[verb] : (KINDS[kind]?.[0] ?? kind);
}

/** Name of one of the operation's items. */
export function itemNoun(kind: string): string {
  return verbOf(kind) ? "device" : (KINDS[kind]?.[1] ?? "item");
}

/** What the operation is about, as far as it is told. */
export function aboutName(operation: Operation): string {
  if (operation.resourceName) return operation.resourceName;
  const count = operation.itemCount;
  if (count) return `${count.toLocaleString()} ${itemNoun(operation.kind)}${count === 1 ? "" : "s"}`;
  return operation.kind.startsWith("device.") ? "1 device" : "";
}

/** Page of the device that it is about, if it is about one. */
export function devicePath(operation: Operation): string | undefined {
  return operation.resource && operation.kind.startsWith("device.") ? `/devices/${operation.resource}` : undefined;
}

/** "Restart of vm-1"; of other work its kind alone. */
export function nounOf(operation: Operation): string {
  const about = aboutName(operation);
  return verbOf(operation.kind) && about ? `${kindName(operation.kind)} of ${about}` : kindName(operation.kind);
}

/** Who asked for it, as far as it is told. */
export function askedBy(operation: Operation): string | undefined {
  return operation.askedBy ?? operation.approval?.requestedByName;
}

/** Its state in words; of an end that was good for a part only, how much that was. */
export function statusName(operation: Operation): string {
  const { status, result, itemCount } = operation;
  if (waitsForApproval(operation)) return "Waits for approval";
  if (status !== "failed" || !result?.succeeded || !itemCount) return STATUS_NAMES[status];
  return `${result.succeeded.toLocaleString()} of ${itemCount.toLocaleString()} succeeded`;
}

/** Percent of it that is done, as far as that is told: what has not ended is not done whole. */
export function percentOf({ status, percentComplete }: Operation): number {
  return ended(status) ? percentComplete : Math.min(percentComplete, 99);
}

/** The state of an operation as a sign with words. */
export function OperationMark({ operation }: { operation: Operation }) {
  const name = statusName(operation);
  return name === STATUS_NAMES[operation.status] ? (
    <StatusMark status={operation.status} />
  ) : (
    <Mark tone="doubtful">{name}</Mark>
  );
}

/** A state as a sign with a word. */
export function StatusMark({ status }: { status: Status }) {
  const name = STATUS_NAMES[status];
  switch (status) {
    case "succeeded":
      return <Mark tone="good">{name}</Mark>;
    case "failed":
      return <Mark tone="bad">{name}</Mark>;
    case "outcomeUnknown":
      return (
        <Mark tone="doubtful" icon={QuestionCircleFilled}>
          {name}
        </Mark>
      );
    case "running":
      return (
        <Mark tone="quiet" icon={ArrowSyncCircleRegular}>
          {name}
        </Mark>
      );
    case "notStarted":
      return (
        <Mark tone="quiet" icon={ClockRegular}>
          {name}
        </Mark>
      );
    default:
      return <Mark tone="quiet">{name}</Mark>;
  }
}

/** Whether a second person has still to decide. */
export function waitsForApproval(operation: Operation): boolean {
  return operation.approval?.state === "pending" && !ended(operation.status);
}

const NOTHING_WAITS = "Nothing waits to begin any more: what was sent to Azure goes on to its end.";

/** Why its rest cannot be canceled; undefined when it can. `waits`: whether one of its items does, if known. */
export function noCancel(operation: Operation, mayAct: boolean, waits?: boolean): string | undefined {
  if (!mayAct) return MAY_LOOK;
  if (!verbOf(operation.kind)) return "Only actions on devices can be canceled.";
  if (ended(operation.status)) return "It has ended.";
  if (waits === false) return NOTHING_WAITS;
  if (operation.kind.startsWith("device.") && operation.status !== "notStarted") {
    return "It was begun already, and goes on to its end.";
  }
  return undefined;
}

/** Why the person cannot approve or reject it; undefined when they can. The API has the last word. */
export function noDecision(operation: Operation, me: Me, mayAct: boolean): string | undefined {
  const { approval } = operation;
  if (!mayAct) return MAY_LOOK;
  if (!approval) return "It needs no approval.";
  if (approval.state !== "pending") return `It is ${approval.state} already.`;
  if (approval.requestedBy === me.id) return "You asked for it yourself: another person must decide.";
  if (Date.parse(approval.expiresAt) <= Date.now()) return "The time to approve it is over.";
  return undefined;
}
