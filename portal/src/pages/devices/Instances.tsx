/** Which machines of a scale set, or nodes of a cluster, an action is done to. */
import { Checkbox, Field, Input, makeStyles, Radio, RadioGroup, tokens } from "@fluentui/react-components";
import { useState } from "react";
import { Loading } from "../../ui/Loading";
import { useChildren } from "./children";

type Needed = "optional" | "one" | "some";

const useStyles = makeStyles({
  list: { display: "grid", maxHeight: "12rem", overflowY: "auto", border: `1px solid ${tokens.colorNeutralStroke2}` },
});
const LABELS: Record<Needed, string> = {
  optional: "Only these of it (none: all of it)",
  one: "Which one of it",
  some: "Which of it",
};
const MACHINES = "virtualMachines/";

export function Instances(props: {
  id: string;
  needed: Needed;
  chosen: readonly string[];
  set: (chosen: string[]) => void;
}) {
  const styles = useStyles();
  const { needed, chosen, set } = props;
  const children = useChildren(props.id);
  const label = LABELS[needed];
  if (children.isPending) return <Loading label="Reading its machines" />;
  const found = (children.data ?? [])
    .filter(({ child }) => child.startsWith(MACHINES))
    .map(({ child }) => child.slice(MACHINES.length));
  if (found.length === 0) return <ByName label={label} needed={needed} set={set} />;
  if (needed === "one") {
    return (
      <Field label={label} required>
        <RadioGroup className={styles.list} value={chosen[0] ?? ""} onChange={(_, data) => set([data.value])}>
          {found.map((name) => (
            <Radio key={name} value={name} label={name} />
          ))}
        </RadioGroup>
      </Field>
    );
  }
  return (
    <Field label={label} required={needed === "some"}>
      <div role="group" aria-label={label} className={styles.list}>
        {found.map((name) => (
          <Checkbox
            key={name}
            label={name}
            checked={chosen.includes(name)}
            onChange={(_, data) => set(data.checked ? [...chosen, name] : chosen.filter((one) => one !== name))}
          />
        ))}
      </div>
    </Field>
  );
}

/** Where Azure lists none, the person names them. */
function ByName({ label, needed, set }: { label: string; needed: Needed; set: (chosen: string[]) => void }) {
  const [text, setText] = useState("");
  return (
    <Field
      label={label}
      required={needed !== "optional"}
      hint={needed === "one" ? "Its name." : "Names, with commas between them."}
    >
      <Input
        value={text}
        onChange={(_, data) => {
          setText(data.value);
          const names = needed === "one" ? [data.value] : data.value.split(",");
          set(names.map((one) => one.trim()).filter(Boolean));
        }}
      />
    </Field>
  );
}
