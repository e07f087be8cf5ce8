/** Choosing a time zone by its IANA name. */
import { Combobox, Field, Option } from "@fluentui/react-components";
import { useState } from "react";
import { problem } from "./problem";

const ZONES = [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])];

export function TimeZone(props: { value: string; choose: (zone: string) => void; said: string | undefined }) {
  const [text, setText] = useState<string>();
  const part = (text ?? "").toLowerCase().replaceAll(" ", "_");
  const shown = ZONES.filter((zone) => zone.toLowerCase().includes(part)).slice(0, 60);
  return (
    <Field label="Time zone" required hint="Whose clock the time is of." {...problem(props.said)}>
      <Combobox
        value={text ?? props.value}
        selectedOptions={[props.value]}
        placeholder="Type a city"
        onChange={(event) => setText(event.target.value)}
        onBlur={() => setText(undefined)}
        onOptionSelect={(_, data) => {
          // Typing takes the choice back, which comes here without an option: what is typed stays.
          if (!data.optionValue) return;
          props.choose(data.optionValue);
          setText(undefined);
        }}
      >
        {shown.map((zone) => (
          <Option key={zone} value={zone}>
            {zone}
          </Option>
        ))}
        {shown.length === 0 && <Option disabled>No time zone has this in its name</Option>}
      </Combobox>
    </Field>
  );
}
