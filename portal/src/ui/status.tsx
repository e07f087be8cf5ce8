/** States as an icon with a word: colour alone says nothing. */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import {
  CheckmarkCircleFilled,
  CircleHintFilled,
  ClockRegular,
  DismissCircleFilled,
  type FluentIcon,
  PowerRegular,
  QuestionCircleFilled,
  WarningFilled,
} from "@fluentui/react-icons";

const useStyles = makeStyles({
  root: { display: "inline-flex", alignItems: "baseline", gap: tokens.spacingHorizontalXS, whiteSpace: "nowrap" },
  icon: { fontSize: "16px", flexShrink: 0, alignSelf: "center" },
  good: { color: tokens.colorStatusSuccessForeground1 },
  bad: { color: tokens.colorStatusDangerForeground1 },
  doubtful: { color: tokens.colorStatusWarningForeground1 },
  quiet: { color: tokens.colorNeutralForeground3 },
});

export type Tone = "good" | "bad" | "doubtful" | "quiet";

/** A word with a sign of its tone. */
export function Mark({ tone, icon: Icon, children }: { tone: Tone; icon?: FluentIcon; children: string }) {
  const styles = useStyles();
  const Usual = {
    good: CheckmarkCircleFilled,
    bad: DismissCircleFilled,
    doubtful: WarningFilled,
    quiet: CircleHintFilled,
  }[tone];
  const Sign = Icon ?? Usual;
  return (
    <span className={styles.root}>
      <Sign className={mergeClasses(styles.icon, styles[tone])} aria-hidden />
      {children}
    </span>
  );
}

const HEALTH: Record<string, [Tone, string, FluentIcon?]> = {
  available: ["good", "Available"],
  unavailable: ["bad", "Unavailable"],
  degraded: ["doubtful", "Degraded"],
  unknown: ["quiet", "Unknown", QuestionCircleFilled],
  notReported: ["quiet", "Not reported"],
};

/** What people call a health state. */
export function healthName(status: string): string {
  return HEALTH[status.charAt(0).toLowerCase() + status.slice(1)]?.[1] ?? status;
}

/** Azure's health of a device. */
export function Health({ status }: { status: string }) {
  const [tone, name, icon] = HEALTH[status.charAt(0).toLowerCase() + status.slice(1)] ?? ["quiet", status];
  return (
    <Mark tone={tone} {...(icon && { icon })}>
      {name}
    </Mark>
  );
}

/** Whether a device runs, as Azure calls it. */
export function PowerState({ state }: { state: string | undefined }) {
  if (!state) return null;
  const running = /^(running|active|online|started|ready|enabled|succeeded)$/i.test(state);
  const moving = /ing$/i.test(state) && !running;
  return (
    <Mark tone={running ? "good" : "quiet"} icon={moving ? ClockRegular : PowerRegular}>
      {sentence(state)}
    </Mark>
  );
}

/** A camelCase name in words. */
export function sentence(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
