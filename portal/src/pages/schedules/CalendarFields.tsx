/** When a schedule runs: simple choices, or a rule for whoever knows iCalendar. */
import {
  Checkbox,
  Dropdown,
  Field,
  InfoLabel,
  Input,
  makeStyles,
  Option,
  Radio,
  RadioGroup,
  tokens,
} from "@fluentui/react-components";
import { DayList } from "../../ui/DayList";
import { problem } from "../../ui/problem";
import { TimeZone } from "../../ui/TimeZone";
import type { Draft } from "./draft";
import { type Calendar, DAYS, ruleOf } from "./rule";

const useStyles = makeStyles({
  row: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalM, alignItems: "end" },
  days: { display: "flex", flexWrap: "wrap", columnGap: tokens.spacingHorizontalM },
});
const KINDS: readonly [Calendar["kind"], string][] = [
  ["week", "On days of the week"],
  ["month", "Once a month"],
  ["once", "Once"],
  ["rule", "By a rule of iCalendar"],
];

export function CalendarFields(props: {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  about: (field: string) => string | undefined;
}) {
  const styles = useStyles();
  const { draft, change, about } = props;
  const { calendar } = draft;
  const choose = (kind: Calendar["kind"]) => {
    if (kind === "week") change({ calendar: { kind, days: ["MO", "TU", "WE", "TH", "FR"] } });
    else if (kind === "month") change({ calendar: { kind, day: 1 } });
    else if (kind === "once") change({ calendar: { kind } });
    // What was chosen is where the expert goes on.
    else change({ calendar: { kind, rule: ruleOf(calendar) } });
  };
  return (
    <>
      <Field label="It runs">
        <RadioGroup value={calendar.kind} onChange={(_, data) => choose(data.value as Calendar["kind"])}>
          {KINDS.map(([kind, label]) => (
            <Radio key={kind} value={kind} label={label} />
          ))}
        </RadioGroup>
      </Field>
      {calendar.kind === "week" && (
        <Field {...problem(about("rule"))}>
          <div role="group" aria-label="Days of the week" className={styles.days}>
            {DAYS.map(([code, name]) => (
              <Checkbox
                key={code}
                label={name}
                checked={calendar.days.includes(code)}
                onChange={(_, data) => {
                  const others = calendar.days.filter((one) => one !== code);
                  change({ calendar: { kind: "week", days: data.checked ? [...others, code] : others } });
                }}
              />
            ))}
          </div>
        </Field>
      )}
      {calendar.kind === "month" && (
        <Field label="Day of the month" hint="A month that has no such day is left out." {...problem(about("rule"))}>
          <Dropdown
            value={calendar.day === -1 ? "The last day" : String(calendar.day)}
            selectedOptions={[String(calendar.day)]}
            onOptionSelect={(_, data) => change({ calendar: { kind: "month", day: Number(data.optionValue) } })}
          >
            {[...Array.from({ length: 31 }, (_, index) => index + 1), -1].map((day) => (
              <Option key={day} value={String(day)}>
                {day === -1 ? "The last day" : String(day)}
              </Option>
            ))}
          </Dropdown>
        </Field>
      )}
      {calendar.kind === "rule" && (
        <Field
          required
          label={{
            children: (
              <InfoLabel info="RFC 5545, hourly at the finest. FREQ=MONTHLY;BYDAY=1SU is the first Sunday of a month, FREQ=DAILY;BYHOUR=7,12,19 three times a day.">
                Rule
              </InfoLabel>
            ),
          }}
          {...problem(about("rule"))}
        >
          <Input
            maxLength={200}
            value={calendar.rule}
            onChange={(_, data) => change({ calendar: { kind: "rule", rule: data.value } })}
          />
        </Field>
      )}
      {calendar.kind === "once" && about("rule") && <Field {...problem(about("rule"))} />}
      <Field {...problem(about("startAt"))}>
        <div className={styles.row}>
          <Field label={calendar.kind === "once" ? "Day" : "From"} required>
            <Input type="date" value={draft.day} onChange={(_, data) => change({ day: data.value })} />
          </Field>
          <Field label="Time" required>
            <Input type="time" value={draft.time} onChange={(_, data) => change({ time: data.value })} />
          </Field>
        </div>
      </Field>
      <TimeZone value={draft.timeZone} choose={(timeZone) => change({ timeZone })} said={about("timeZone")} />
      <DayList
        label="Days without a run, such as holidays"
        list="Days without a run"
        days={draft.holidays}
        set={(holidays) => change({ holidays })}
        said={about("holidays")}
      />
    </>
  );
}
