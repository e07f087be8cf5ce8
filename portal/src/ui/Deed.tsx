import { Button, Tooltip } from "@fluentui/react-components";
import type { ReactElement } from "react";

/** A button that says why it cannot be pressed now: `disabled` is the reason. */
export function Deed(props: {
  label: string;
  icon?: ReactElement;
  primary?: boolean;
  disabled?: string | undefined;
  /** What it began is under way. */
  busy?: boolean;
  run: () => void;
}) {
  const button = (
    <Button
      appearance={props.primary ? "primary" : "secondary"}
      icon={props.icon ?? null}
      disabledFocusable={props.disabled !== undefined || props.busy === true}
      onClick={props.run}
    >
      {props.label}
    </Button>
  );
  if (props.disabled === undefined) return button;
  return (
    <Tooltip content={props.disabled} relationship="description">
      {button}
    </Tooltip>
  );
}
