/** The steps in order: those that are over can be opened again. */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import { CheckmarkRegular } from "@fluentui/react-icons";
import { Link } from "react-router";
import type { Connection } from "../state";
import { MOVED, open, position, STEPS, type StepId } from "./order";

const NARROW = "@media (max-width: 1000px)";
const useStyles = makeStyles({
  list: {
    listStyleType: "none",
    margin: 0,
    padding: 0,
    display: "grid",
    alignContent: "start",
    gap: tokens.spacingVerticalXS,
    [NARROW]: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalXXS },
  },
  step: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalS}`,
    borderRadius: tokens.borderRadiusMedium,
    color: tokens.colorNeutralForeground2,
    textDecorationLine: "none",
    [NARROW]: { gap: tokens.spacingHorizontalS, padding: tokens.spacingHorizontalXS },
  },
  link: { ":hover": { backgroundColor: tokens.colorNeutralBackground1Hover } },
  here: {
    color: tokens.colorNeutralForeground1,
    fontWeight: tokens.fontWeightSemibold,
    backgroundColor: tokens.colorNeutralBackground1Selected,
  },
  name: {
    // In a narrow window only the present step is spelled out for the eye; the others are still read out.
    [NARROW]: { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)" },
  },
  shown: { [NARROW]: { position: "static", width: "auto", height: "auto", overflow: "visible", clipPath: "none" } },
  sign: {
    display: "inline-grid",
    placeItems: "center",
    width: "24px",
    height: "24px",
    flexShrink: 0,
    boxSizing: "border-box",
    borderRadius: tokens.borderRadiusCircular,
    border: `1px solid ${tokens.colorNeutralStrokeAccessible}`,
    fontSize: tokens.fontSizeBase200,
    fontVariantNumeric: "tabular-nums",
  },
  over: {
    border: `1px solid ${tokens.colorCompoundBrandStroke}`,
    color: tokens.colorCompoundBrandForeground1,
  },
  now: {
    border: `1px solid ${tokens.colorBrandBackground}`,
    backgroundColor: tokens.colorBrandBackground,
    color: tokens.colorNeutralForegroundOnBrand,
  },
});

export function Stepper({ here, connection }: { here: StepId; connection: Connection | undefined }) {
  const styles = useStyles();
  return (
    <nav aria-label="Steps of the set-up">
      <ol className={styles.list}>
        {STEPS.map((step, index) => {
          const current = step.id === here;
          const over = !current && (index < position(here) || connection?.status === "active");
          const inside = (
            <>
              <span className={mergeClasses(styles.sign, over && styles.over, current && styles.now)} aria-hidden>
                {over ? <CheckmarkRegular /> : index + 1}
              </span>
              <span className={mergeClasses(styles.name, current && styles.shown)}>{step.name}</span>
            </>
          );
          return (
            <li key={step.id} aria-current={current ? "step" : undefined}>
              {!current && open(step.id, connection) && connection ? (
                <Link className={mergeClasses(styles.step, styles.link)} to={{ search: `?step=${step.id}` }} {...MOVED}>
                  {inside}
                </Link>
              ) : (
                <span className={mergeClasses(styles.step, current && styles.here)}>{inside}</span>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
