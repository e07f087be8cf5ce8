/** One step: its heading, what it is about, what is done in it, and the way back and on. */
import { Button, makeStyles, mergeClasses, Subtitle1, Tooltip, tokens } from "@fluentui/react-components";
import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { position, STEPS, type StepId } from "./order";

const useStyles = makeStyles({
  root: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalL, minWidth: 0 },
  head: { display: "grid", gap: tokens.spacingVerticalXS, maxWidth: "44rem" },
  text: { color: tokens.colorNeutralForeground2 },
  body: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM, minWidth: 0 },
  fill: { flexGrow: 1 },
  foot: {
    display: "flex",
    flexWrap: "wrap",
    gap: tokens.spacingHorizontalS,
    paddingTop: tokens.spacingVerticalM,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
});

export function StepFrame(props: {
  step: StepId;
  title: string;
  text: ReactNode;
  children?: ReactNode;
  /** The word on the way on; "Next" unless given. */
  next?: string;
  /** Does something before the way on is open, and goes on by itself. */
  onNext?: () => void;
  /** Why there is no way on yet. */
  wanting?: string | undefined;
  busy?: boolean;
  /** What it holds takes all the height there is. */
  fill?: boolean;
  /** The last step has no way on. */
  last?: boolean;
}) {
  const styles = useStyles();
  const navigate = useNavigate();
  const at = position(props.step);
  const [before, after] = [STEPS[at - 1]?.id, STEPS[at + 1]?.id];
  const go = (step: StepId | undefined) => step && void navigate({ search: `?step=${step}` });
  const blocked = props.wanting !== undefined || props.busy === true;
  const next = (
    <Button
      appearance="primary"
      disabledFocusable={blocked}
      onClick={() => (props.onNext ? props.onNext() : go(after))}
    >
      {props.next ?? "Next"}
    </Button>
  );
  return (
    <section className={styles.root}>
      <div className={styles.head}>
        <Subtitle1 as="h2">{props.title}</Subtitle1>
        <div className={styles.text}>{props.text}</div>
      </div>
      {props.children && <div className={mergeClasses(styles.body, props.fill && styles.fill)}>{props.children}</div>}
      {!props.last && (
        <div className={styles.foot}>
          {before && <Button onClick={() => go(before)}>Back</Button>}
          {props.wanting === undefined ? (
            next
          ) : (
            <Tooltip content={props.wanting} relationship="description">
              {next}
            </Tooltip>
          )}
        </div>
      )}
    </section>
  );
}
