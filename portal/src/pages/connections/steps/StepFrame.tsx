/** One step: its heading, what it is about, what is done in it, and the way back and on. */
import { Button, makeStyles, mergeClasses, tokens, typographyStyles } from "@fluentui/react-components";
import { type ReactNode, useEffect, useRef } from "react";
import { useLocation, useNavigate } from "react-router";
import { Deed } from "../../../ui/Deed";
import { MOVED, position, STEPS, type StepId } from "./order";

const useStyles = makeStyles({
  root: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalL, minWidth: 0 },
  head: { display: "grid", gap: tokens.spacingVerticalXS, maxWidth: "44rem" },
  title: { ...typographyStyles.subtitle1, margin: 0, outlineStyle: "none" },
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
  const location = useLocation();
  const heading = useRef<HTMLHeadingElement>(null);
  const moved = (location.state as { moved?: boolean } | null)?.moved === true;
  useEffect(() => {
    // Who goes from step to step by keyboard or ear goes on at the beginning of the next one.
    if (!moved) return;
    heading.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [moved]);
  const at = position(props.step);
  const [before, after] = [STEPS[at - 1]?.id, STEPS[at + 1]?.id];
  const go = (step: StepId | undefined) => step && void navigate({ search: `?step=${step}` }, MOVED);
  return (
    <section className={styles.root}>
      <div className={styles.head}>
        <h2 ref={heading} tabIndex={-1} className={styles.title}>
          {props.title}
        </h2>
        <div className={styles.text}>{props.text}</div>
      </div>
      {props.children && <div className={mergeClasses(styles.body, props.fill && styles.fill)}>{props.children}</div>}
      {!props.last && (
        <div className={styles.foot}>
          {before && <Button onClick={() => go(before)}>Back</Button>}
          <Deed
            primary
            label={props.next ?? "Next"}
            disabled={props.wanting}
            busy={props.busy ?? false}
            run={() => (props.onNext ? props.onNext() : go(after))}
          />
        </div>
      )}
    </section>
  );
}
