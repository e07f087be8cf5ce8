/** What an exception is about, and the rules that it sets. */
import { Button, Dropdown, makeStyles, Option, Text, tokens } from "@fluentui/react-components";
import { DismissRegular } from "@fluentui/react-icons";
import { Picker } from "../../ui/Picker";
import { SitePicker, useSites } from "../../ui/sites";
import type { Override } from "./data";
import { RuleField } from "./RuleField";
import { fullLabel, isNumber, isSwitch, RULE_NAMES, type RuleName } from "./rules";
import { useTypes } from "./useTypes";
import { rulesSet } from "./words";

const useStyles = makeStyles({
  form: { display: "grid", gap: tokens.spacingVerticalM },
  scope: { display: "grid", gap: tokens.spacingVerticalM, maxWidth: "44rem" },
  rule: { display: "grid", gap: tokens.spacingVerticalXS, justifyItems: "start" },
  wrong: { color: tokens.colorStatusDangerForeground1 },
});

export function OverrideForm(props: {
  row: Override;
  set: (row: Override) => void;
  about: (path: string) => string | undefined;
  said: string | undefined;
}) {
  const styles = useStyles();
  const { row, set, about } = props;
  const sites = useSites();
  const types = useTypes();
  const clients = [...new Set((sites.data ?? []).map((one) => one.clientName))];
  const names = rulesSet(row);
  return (
    <div className={styles.form}>
      <div className={styles.scope}>
        <Text>It is for what matches all that is named here; name at least one.</Text>
        <Picker
          label="Clients"
          options={clients.map((name) => ({ value: name, label: name }))}
          value={row.clientNames ?? []}
          onChange={(value) => set(named(row, "clientNames", value))}
          error={about("clientNames")}
        />
        <SitePicker
          value={row.siteIds ?? []}
          onChange={(value) => set(named(row, "siteIds", value))}
          error={about("siteIds")}
        />
        <Picker
          label="Types"
          free
          options={types}
          value={row.types ?? []}
          onChange={(value) => set(named(row, "types", value))}
          error={about("types")}
        />
      </div>
      {names.map((name) => (
        <div key={name} className={styles.rule}>
          <RuleField alone name={name} rules={row} change={(part) => set({ ...row, ...part })} about={about} />
          <Button
            size="small"
            appearance="subtle"
            icon={<DismissRegular />}
            aria-label={`As everywhere: ${fullLabel(name)}`}
            onClick={() => {
              const { [name]: _, ...rest } = row;
              set(rest);
            }}
          >
            As everywhere
          </Button>
        </div>
      ))}
      <Dropdown
        aria-label="Add a rule to the exception"
        placeholder="Add a rule"
        value=""
        selectedOptions={[]}
        onOptionSelect={(_, data) => {
          const name = RULE_NAMES.find((one) => one === data.optionValue);
          if (name) set({ ...row, ...begun(name) });
        }}
      >
        {RULE_NAMES.filter((name) => !names.includes(name)).map((name) => (
          <Option key={name} value={name}>
            {fullLabel(name)}
          </Option>
        ))}
      </Dropdown>
      {props.said && (
        <Text role="alert" className={styles.wrong}>
          {props.said}
        </Text>
      )}
    </div>
  );
}

/** What was emptied is not named at all. */
function named(row: Override, name: "clientNames" | "siteIds" | "types", values: string[]): Override {
  const { [name]: _, ...rest } = row;
  return values.length ? { ...rest, [name]: values } : rest;
}

/** A rule that was just added: an own value, to be changed. */
function begun(name: RuleName): Override {
  if (isSwitch(name)) return { [name]: true };
  if (isNumber(name)) return { [name]: 30 };
  if (name === "openOn") return { openOn: ["unavailable"] };
  return name === "severities" ? { severities: [] } : { businessHours: null };
}
