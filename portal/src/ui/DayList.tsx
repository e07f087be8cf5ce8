/** Days of the calendar, such as holidays. */
import { Button, Field, Input, makeStyles, Tag, TagGroup, tokens } from "@fluentui/react-components";
import { useState } from "react";
import { problem } from "./problem";

const useStyles = makeStyles({
  row: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalM, alignItems: "end" },
  tags: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalXS },
});

export function DayList(props: {
  label: string;
  /** What the list of the chosen days is called. */
  list: string;
  days: readonly string[];
  set: (days: string[]) => void;
  said: string | undefined;
}) {
  const styles = useStyles();
  const [day, setDay] = useState("");
  const add = () => {
    props.set([...new Set([...props.days, day])].sort());
    setDay("");
  };
  return (
    <>
      <div className={styles.row}>
        <Field label={props.label} {...problem(props.said)}>
          <Input type="date" value={day} onChange={(_, data) => setDay(data.value)} />
        </Field>
        <Button disabled={!day} onClick={add}>
          Add the day
        </Button>
      </div>
      {props.days.length > 0 && (
        <TagGroup
          className={styles.tags}
          aria-label={props.list}
          onDismiss={(_, data) => props.set(props.days.filter((one) => one !== data.value))}
        >
          {props.days.map((one) => (
            <Tag key={one} value={one} dismissible dismissIcon={{ "aria-label": `Remove ${one}` }} size="small">
              {one}
            </Tag>
          ))}
        </TagGroup>
      )}
    </>
  );
}
