/** Rules that give alerts their severity; the first that matches counts. */
import { Button, Dropdown, Field, makeStyles, Option, Text, Textarea, tokens } from "@fluentui/react-components";
import { AddRegular, ArrowUpRegular, DeleteRegular } from "@fluentui/react-icons";
import { Picker } from "../../ui/Picker";
import { problem } from "../../ui/problem";
import { CONDITIONS } from "../alerts/words";
import type { SeverityRule } from "./data";
import { SeveritySelect } from "./SeveritySelect";
import { useTypes } from "./useTypes";
import { CONDITION_NAMES } from "./words";

const useStyles = makeStyles({
  list: { display: "grid", gap: tokens.spacingVerticalM, justifyItems: "start" },
  rule: {
    display: "grid",
    gap: tokens.spacingVerticalM,
    padding: tokens.spacingHorizontalM,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    width: "100%",
    maxWidth: "44rem",
    boxSizing: "border-box",
  },
  side: {
    display: "grid",
    gap: `${tokens.spacingVerticalM} ${tokens.spacingHorizontalL}`,
    gridTemplateColumns: "repeat(auto-fit, minmax(min(14rem, 100%), 1fr))",
  },
  buttons: { display: "flex", gap: tokens.spacingHorizontalS },
});

export function SeverityFields(props: {
  rows: readonly SeverityRule[];
  set: (rows: SeverityRule[]) => void;
  about: (path: string) => string | undefined;
}) {
  const styles = useStyles();
  const { rows, set, about } = props;
  const types = useTypes();
  return (
    <div className={styles.list}>
      {rows.length === 0 && (
        <Text>None: unavailable and overdue are high, degraded and flapping medium, unknown low.</Text>
      )}
      {rows.map((row, index) => {
        const change = (part: Partial<SeverityRule>) =>
          set(rows.map((one, at) => (at === index ? { ...one, ...part } : one)));
        const name = `Severity rule ${index + 1}`;
        return (
          // Rules have no name of their own, and are told apart by their place.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          <div key={index} role="group" aria-label={name} className={styles.rule}>
            <div className={styles.side}>
              <SeveritySelect
                label="Severity"
                value={row.severity}
                set={(severity) => change({ severity })}
                said={about(`severities.${index}.severity`)}
              />
              <Field label="Conditions" {...problem(about(`severities.${index}.conditions`))}>
                <Dropdown
                  multiselect
                  placeholder="Any"
                  value={(row.conditions ?? []).map((one) => CONDITIONS[one]).join(", ")}
                  selectedOptions={row.conditions ?? []}
                  onOptionSelect={(_, data) =>
                    change({ conditions: some(CONDITION_NAMES.filter((one) => data.selectedOptions.includes(one))) })
                  }
                >
                  {CONDITION_NAMES.map((one) => (
                    <Option key={one} value={one} text={CONDITIONS[one]}>
                      {CONDITIONS[one]}
                    </Option>
                  ))}
                </Dropdown>
              </Field>
            </div>
            <Picker
              label="Types"
              hint="None: every type."
              free
              options={types}
              value={row.types ?? []}
              onChange={(value) => change({ types: some(value) })}
              error={about(`severities.${index}.types`)}
            />
            <Tags tags={row.tags ?? {}} set={(tags) => change({ tags })} said={about(`severities.${index}.tags`)} />
            <div className={styles.buttons}>
              <Button
                appearance="subtle"
                icon={<ArrowUpRegular />}
                disabled={index === 0}
                aria-label={`Move ${name.toLowerCase()} up`}
                onClick={() =>
                  set([
                    ...rows.slice(0, index - 1),
                    row,
                    ...rows.filter((_, at) => at === index - 1),
                    ...rows.slice(index + 1),
                  ])
                }
              >
                Up
              </Button>
              <Button
                appearance="subtle"
                icon={<DeleteRegular />}
                aria-label={`Remove ${name.toLowerCase()}`}
                onClick={() => set(rows.filter((_, at) => at !== index))}
              >
                Remove
              </Button>
            </div>
          </div>
        );
      })}
      <Button icon={<AddRegular />} onClick={() => set([...rows, { severity: "critical" }])}>
        Add a severity rule
      </Button>
    </div>
  );
}

function Tags(props: {
  tags: Readonly<Record<string, string>>;
  set: (tags: Record<string, string> | null) => void;
  said: string | undefined;
}) {
  const lines = Object.entries(props.tags).map(([name, value]) => `${name}=${value}`);
  return (
    <Field
      label="Tags"
      hint="One in each line, such as tier=production; * is any value. All must match."
      {...problem(props.said)}
    >
      <Textarea
        resize="vertical"
        placeholder="tier=production"
        defaultValue={lines.join("\n")}
        onBlur={(event) => props.set(tagsOf(event.target.value))}
      />
    </Field>
  );
}

function tagsOf(text: string): Record<string, string> | null {
  const pairs = text
    .split("\n")
    .filter((line) => line.trim())
    .map((line): [string, string] => {
      const [name = "", ...value] = line.split("=");
      return [name.trim(), value.join("=").trim() || "*"];
    });
  return pairs.length ? Object.fromEntries(pairs) : null;
}

/** Nothing chosen is no condition at all. */
function some<T>(values: readonly T[]): T[] | null {
  return values.length ? [...values] : null;
}
