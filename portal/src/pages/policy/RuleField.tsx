/** One rule: its value, or the field that changes it, and beside it what a technician notices. */
import { Checkbox, Field, Input, makeStyles, Switch, Text, tokens } from "@fluentui/react-components";
import { type ReactNode, useId } from "react";
import { problem } from "../../ui/problem";
import { CONDITIONS } from "../alerts/words";
import type { Override } from "./data";
import { HoursFields } from "./HoursFields";
import { fullLabel, isNumber, isSwitch, type Limits, NUMBERS, RULES, type RuleName } from "./rules";
import { SeverityFields } from "./SeverityFields";
import { OPENINGS, ruleInWords } from "./words";

const useStyles = makeStyles({
  row: {
    display: "grid",
    gap: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalXXL}`,
    gridTemplateColumns: "minmax(0, 20rem) minmax(0, 1fr)",
    alignItems: "start",
    "@media (max-width: 760px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  wide: { display: "grid", gap: tokens.spacingVerticalM },
  effect: { color: tokens.colorNeutralForeground2, maxWidth: "44rem", paddingTop: tokens.spacingVerticalXS },
  label: { display: "block", fontWeight: tokens.fontWeightSemibold },
  value: { overflowWrap: "anywhere" },
  states: { display: "flex", flexWrap: "wrap" },
  number: { maxWidth: "10rem", fontVariantNumeric: "tabular-nums" },
});

/** What a rule is drawn with: the rules as they are wanted, and how they are changed; read only without `change`. */
export interface RuleProps {
  rules: Omit<Override, "clientNames" | "siteIds" | "types">;
  change?: ((part: RuleProps["rules"]) => void) | undefined;
  /** What the API said of a field, by its path. */
  about: (path: string) => string | undefined;
}

/** `alone`: it stands away from its section, and its label says all. */
export function RuleField(props: RuleProps & { name: RuleName; alone?: boolean }) {
  const { name, rules, change, about, alone = false } = props;
  const id = useId();
  const label = alone ? fullLabel(name) : RULES[name].label;
  const { effect } = RULES[name];
  if (!change) {
    return (
      <Described id={id} effect={effect}>
        <Value label={label} value={ruleInWords(name, rules)} />
      </Described>
    );
  }
  const said = problem(about(name));
  if (isNumber(name)) {
    return (
      <NumberRow
        label={label}
        effect={effect}
        unit={NUMBERS[name].unit}
        limits={NUMBERS[name]}
        value={rules[name]}
        set={(value) => change({ [name]: value })}
        said={about(name)}
      />
    );
  }
  if (isSwitch(name)) {
    return (
      <Described id={id} effect={effect}>
        <Field {...said}>
          <Switch
            label={label}
            checked={rules[name] ?? false}
            aria-describedby={id}
            onChange={(_, data) => change({ [name]: data.checked })}
          />
        </Field>
      </Described>
    );
  }
  if (name === "openOn") {
    return (
      <Described id={id} effect={effect}>
        <OpenOn label={label} rules={rules} change={change} said={said} describedBy={id} />
      </Described>
    );
  }
  return (
    <Stacked label={label} effect={effect}>
      {name === "severities" ? (
        <SeverityFields rows={rules.severities ?? []} set={(severities) => change({ severities })} about={about} />
      ) : (
        <HoursFields hours={rules.businessHours} set={(businessHours) => change({ businessHours })} about={about} />
      )}
    </Stacked>
  );
}

function OpenOn(props: {
  label: string;
  rules: RuleProps["rules"];
  change: (part: RuleProps["rules"]) => void;
  said: ReturnType<typeof problem>;
  describedBy: string;
}) {
  const styles = useStyles();
  const chosen = props.rules.openOn ?? [];
  return (
    <Field label={props.label} {...props.said}>
      <div role="group" aria-label={props.label} aria-describedby={props.describedBy} className={styles.states}>
        {OPENINGS.map((one) => (
          <Checkbox
            key={one}
            label={CONDITIONS[one]}
            checked={chosen.includes(one)}
            onChange={(_, data) =>
              props.change({
                openOn: OPENINGS.filter((other) => (other === one ? data.checked === true : chosen.includes(other))),
              })
            }
          />
        ))}
      </div>
    </Field>
  );
}

/** A number with its unit. What is no number is kept as it is, and said to be wrong. */
export function NumberRow(props: {
  label: string;
  effect: string;
  unit: string;
  limits: Limits;
  value: number | undefined;
  set: (value: number) => void;
  said: string | undefined;
}) {
  const styles = useStyles();
  const id = useId();
  const { value } = props;
  return (
    <Described id={id} effect={props.effect}>
      <Field label={props.label} {...problem(props.said)}>
        <Input
          type="number"
          min={props.limits.min}
          max={props.limits.max}
          className={styles.number}
          value={value === undefined || Number.isNaN(value) ? "" : String(value)}
          contentAfter={<Text>{props.unit}</Text>}
          aria-describedby={id}
          onChange={(_, data) => props.set(data.value === "" ? Number.NaN : Number(data.value))}
        />
      </Field>
    </Described>
  );
}

/** What may only be looked at. */
export function Value({ label, value }: { label: string; value: string }) {
  const styles = useStyles();
  return (
    <div>
      <Text className={styles.label}>{label}</Text>
      <Text className={styles.value}>{value}</Text>
    </div>
  );
}

/** Something with its explanation beside it. */
export function Described({ id, effect, children }: { id?: string; effect: string; children: ReactNode }) {
  const styles = useStyles();
  return (
    <div className={styles.row}>
      {children}
      <Text {...(id && { id })} className={styles.effect}>
        {effect}
      </Text>
    </div>
  );
}

function Stacked({ label, effect, children }: { label: string; effect: string; children: ReactNode }) {
  const styles = useStyles();
  return (
    <div className={styles.wide} role="group" aria-label={label}>
      <Text className={styles.effect}>{effect}</Text>
      {children}
    </div>
  );
}
