/** The five verbs, as the portal names and draws them before the API has told what a type calls them. */
import {
  ArrowClockwiseRegular,
  type FluentIcon,
  PauseRegular,
  PlayRegular,
  StopRegular,
  TopSpeedRegular,
} from "@fluentui/react-icons";
import type { components } from "../../api/schema";

export const VERBS = ["start", "stop", "pause", "resume", "restart"] as const;
export type Verb = (typeof VERBS)[number];

export const VERB_NAMES: Record<Verb, string> = {
  start: "Start",
  stop: "Stop",
  pause: "Pause",
  resume: "Resume",
  restart: "Restart",
};

/** What has been done to a device afterwards: "2 can be restarted". */
export const VERBS_DONE: Record<Verb, string> = {
  start: "started",
  stop: "stopped",
  pause: "paused",
  resume: "resumed",
  restart: "restarted",
};

type Offering = Pick<components["schemas"]["Device"], "actions" | "uncertainActions">;

/** Whether the verb may be possible, as far as the list knows: of some only Azure can tell. */
export function mayOffer(device: Offering, verb: Verb): boolean {
  return device.actions.includes(verb) || (device.uncertainActions?.includes(verb) ?? false);
}

/** The verb with what it is for this type, where that is another word: "Pause (hibernate)". */
export function offerName({ action, label }: { action: Verb; label?: string | undefined }): string {
  const name = VERB_NAMES[action];
  if (!label) return name;
  return label.startsWith(name) ? label : `${name} (${label.charAt(0).toLowerCase()}${label.slice(1)})`;
}

export const VERB_ICONS: Record<Verb, FluentIcon> = {
  start: PlayRegular,
  stop: StopRegular,
  pause: PauseRegular,
  resume: TopSpeedRegular,
  restart: ArrowClockwiseRegular,
};
