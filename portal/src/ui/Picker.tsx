/** Several values chosen out of a list that can be searched. */
import {
  Field,
  makeStyles,
  Tag,
  TagPicker,
  TagPickerControl,
  TagPickerGroup,
  TagPickerInput,
  TagPickerList,
  TagPickerOption,
  tokens,
} from "@fluentui/react-components";
import { useState } from "react";
import type { Chosen } from "./Choice";

const useStyles = makeStyles({
  list: { maxHeight: "18rem" },
  tag: { maxWidth: "100%", gridTemplateColumns: "auto minmax(0, 1fr) auto" },
  tagText: { overflow: "hidden", textOverflow: "ellipsis" },
  tags: { maxHeight: "12rem", overflowY: "auto" },
  none: { padding: tokens.spacingHorizontalS, color: tokens.colorNeutralForeground3 },
});
const SHOWN = 50;

export function Picker(props: {
  label: string;
  options: readonly Chosen[];
  value: readonly string[];
  onChange: (value: string[]) => void;
  hint?: string | undefined;
  error?: string | undefined;
  required?: boolean;
  /** What the list has not can be typed. */
  free?: boolean;
  /** Told of what is typed, where the list is asked for by it. */
  onSearch?: (text: string) => void;
}) {
  const styles = useStyles();
  const [text, setText] = useState("");
  const search = (next: string) => {
    setText(next);
    props.onSearch?.(next);
  };
  const names = new Map(props.options.map((one) => [one.value, one.label]));
  const matching = props.options.filter(
    (one) =>
      !props.value.includes(one.value) && `${one.label} ${one.value}`.toLowerCase().includes(text.trim().toLowerCase()),
  );
  const own = props.free && text.trim() && !names.has(text.trim()) ? text.trim() : undefined;
  return (
    <Field
      label={props.label}
      required={props.required ?? false}
      {...(props.hint && { hint: props.hint })}
      {...(props.error && { validationMessage: props.error })}
    >
      <TagPicker
        selectedOptions={[...props.value]}
        onOptionSelect={(_, data) => {
          if (data.value !== "") props.onChange(data.selectedOptions);
          search("");
        }}
      >
        <TagPickerControl>
          {props.value.length > 0 && (
            <TagPickerGroup aria-label={`${props.label}: chosen`} className={styles.tags}>
              {props.value.map((one) => (
                <Tag
                  key={one}
                  value={one}
                  size="small"
                  shape="rounded"
                  className={styles.tag}
                  primaryText={{ className: styles.tagText }}
                >
                  {names.get(one) ?? one}
                </Tag>
              ))}
            </TagPickerGroup>
          )}
          <TagPickerInput
            aria-label={props.label}
            // What is chosen stands beside the box: once there is some, an empty box must not keep a form from being sent.
            required={props.required === true && props.value.length === 0}
            value={text}
            onChange={(event) => search(event.target.value)}
          />
        </TagPickerControl>
        <TagPickerList className={styles.list}>
          {own ? <TagPickerOption value={own} text={own}>{`Use "${own}"`}</TagPickerOption> : null}
          {matching.slice(0, SHOWN).map((one) => (
            <TagPickerOption key={one.value} value={one.value} text={one.label}>
              {one.label}
            </TagPickerOption>
          ))}
          {matching.length === 0 && !own ? (
            <TagPickerOption value="" text="">
              {text ? "Nothing matches" : "Nothing more to choose"}
            </TagPickerOption>
          ) : null}
          {matching.length > SHOWN ? (
            <TagPickerOption value="" text="">
              {`${(matching.length - SHOWN).toLocaleString()} more: type a part of the name`}
            </TagPickerOption>
          ) : null}
        </TagPickerList>
      </TagPicker>
    </Field>
  );
}
