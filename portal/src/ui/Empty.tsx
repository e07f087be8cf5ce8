import { makeStyles, Subtitle1, tokens } from "@fluentui/react-components";
import type { ReactNode } from "react";

const useStyles = makeStyles({
  root: {
    display: "grid",
    justifyItems: "center",
    gap: tokens.spacingVerticalS,
    padding: `${tokens.spacingVerticalXXXL} ${tokens.spacingHorizontalL}`,
    textAlign: "center",
    color: tokens.colorNeutralForeground2,
  },
  text: { maxWidth: "40rem" },
});

/** Nothing is here: why, and what to do. `whole`: it is all that the page has. */
export function Empty({ title, children, whole = false }: { title: string; children?: ReactNode; whole?: boolean }) {
  const styles = useStyles();
  return (
    <div className={styles.root}>
      <Subtitle1 as={whole ? "h1" : "h2"}>{title}</Subtitle1>
      {children && <div className={styles.text}>{children}</div>}
    </div>
  );
}
