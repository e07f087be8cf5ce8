/** The five verbs, as the portal names and draws them before the API has told what a type calls them. */
import {
  ArrowClockwiseRegular,
  type FluentIcon,
  PauseRegular,
  PlayRegular,
  StopRegular,
  TopSpeedRegular,
} from "@fluentui/react-icons";

export const VERBS = ["start", "stop", "pause", "resume", "restart"] as const;
export type Verb = (typeof VERBS)[number];

export const VERB_NAMES: Record<Verb, string> = {
  start: "Start",
  stop: "Stop",
  pause: "Pause",
  resume: "Resume",
  restart: "Restart",
};

export const VERB_ICONS: Record<Verb, FluentIcon> = {
  start: PlayRegular,
  stop: StopRegular,
  pause: PauseRegular,
  resume: TopSpeedRegular,
  restart: ArrowClockwiseRegular,
};
