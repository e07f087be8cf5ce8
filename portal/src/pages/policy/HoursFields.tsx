/** When people work, and from which severity on a ticket opens all the same. */
import { Checkbox, Field, Input, makeStyles, Switch, tokens } from "@fluentui/react-components";
import { DayList } from "../../ui/DayList";
import { problem } from "../../ui/problem";
import { TimeZone } from "../../ui/TimeZone";
import type { BusinessHours } from "./data";
import { SeveritySelect } from "./SeveritySelect";
import { clock, DAYS, WORKDAYS } from "./words";

const useStyles = makeStyles({
  part: { display: "grid", gap: tokens.spacingVerticalM, maxWidth: "44rem" },
  row: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalM },
  days: { display: "flex", flexWrap: "wrap", columnGap: tokens.spacingHorizontalM },
});

export function HoursFields(props: {
  hours: BusinessHours | null | undefined;
  set: (hours: BusinessHours | null) => void;
  about: (path: string) => string | undefined;
}) {
  const styles = useStyles();
  const { hours, set, about } = props;
  const change = (part: Partial<BusinessHours>) => hours && set({ ...hours, ...part });
  const at = (field: string) => about(`businessHours.${field}`);
  const days = hours?.days ?? WORKDAYS;
  return (
    <div className={styles.part}>
      <Field {...problem(about("businessHours"))}>
        <Switch
          label="Only in business hours"
          checked={Boolean(hours)}
          onChange={(_, data) => set(data.checked ? usual() : null)}
        />
      </Field>
      {hours && (
        <>
          <TimeZone value={hours.timeZone} choose={(timeZone) => change({ timeZone })} said={at("timeZone")} />
          <Field label="Days" {...problem(at("days"))}>
            <div role="group" aria-label="Days" className={styles.days}>
              {DAYS.map(([day, name]) => (
                <Checkbox
                  key={day}
                  label={name}
                  checked={days.includes(day)}
                  onChange={(_, data) =>
                    change({
                      days: DAYS.map(([one]) => one).filter((one) =>
                        one === day ? data.checked === true : days.includes(one),
                      ),
                    })
                  }
                />
              ))}
            </div>
          </Field>
          <div className={styles.row}>
            <Field label="Opens" {...problem(at("opens"))}>
              <Input
                type="time"
                value={clock(hours.opens, "08:00")}
                onChange={(_, data) => change({ opens: `${data.value}:00` })}
              />
            </Field>
            <Field label="Closes" {...problem(at("closes"))}>
              <Input
                type="time"
                value={clock(hours.closes, "18:00")}
                onChange={(_, data) => change({ closes: `${data.value}:00` })}
              />
            </Field>
            <SeveritySelect
              label="At any hour from"
              value={hours.alwaysFrom ?? "high"}
              set={(alwaysFrom) => change({ alwaysFrom })}
              said={at("alwaysFrom")}
            />
          </div>
          <DayList
            label="Holidays"
            list="Holidays"
            days={hours.holidays ?? []}
            set={(holidays) => change({ holidays })}
            said={at("holidays")}
          />
        </>
      )}
    </div>
  );
}

function usual(): BusinessHours {
  return {
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    days: [...WORKDAYS],
    opens: "08:00:00",
    closes: "18:00:00",
    holidays: [],
    alwaysFrom: "high",
  };
}
