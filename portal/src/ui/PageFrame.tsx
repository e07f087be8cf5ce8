import { makeStyles, Title2, tokens } from "@fluentui/react-components";
import { type ReactNode, useEffect } from "react";

const useStyles = makeStyles({
  root: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM, minHeight: "100%" },
  head: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "baseline",
    columnGap: tokens.spacingHorizontalL,
    rowGap: tokens.spacingVerticalXS,
  },
  aside: { color: tokens.colorNeutralForeground2 },
  actions: { marginLeft: "auto", display: "flex", gap: tokens.spacingHorizontalS, flexWrap: "wrap" },
  title: { overflowWrap: "anywhere" },
});

/** A page: its title (also the window's), a line beside it, its own actions, and what it holds. */
export function PageFrame(props: { title: string; aside?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  const styles = useStyles();
  useEffect(() => {
    document.title = `${props.title} - Tenantry`;
  }, [props.title]);
  return (
    <div className={styles.root}>
      <div className={styles.head}>
        <Title2 as="h1" className={styles.title}>
          {props.title}
        </Title2>
        {props.aside && <span className={styles.aside}>{props.aside}</span>}
        {props.actions && <div className={styles.actions}>{props.actions}</div>}
      </div>
      {props.children}
    </div>
  );
}
