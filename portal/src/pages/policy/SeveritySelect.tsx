import { Field, Select } from "@fluentui/react-components";
import { problem } from "../../ui/problem";
import { SEVERITIES } from "../alerts/words";
import type { Severity } from "./data";
import { LEVELS } from "./words";

export function SeveritySelect(props: {
  label: string;
  value: Severity;
  set: (severity: Severity) => void;
  said: string | undefined;
}) {
  return (
    <Field label={props.label} {...problem(props.said)}>
      <Select
        value={props.value}
        onChange={(_, data) => {
          const severity = LEVELS.find((one) => one === data.value);
          if (severity) props.set(severity);
        }}
      >
        {LEVELS.map((one) => (
          <option key={one} value={one}>
            {SEVERITIES[one][1]}
          </option>
        ))}
      </Select>
    </Field>
  );
}
