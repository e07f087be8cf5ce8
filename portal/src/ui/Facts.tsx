import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import type { ReactNode } from "react";

const useStyles = makeStyles({
  root: {
    display: "grid",
    gridTemplateColumns: "minmax(7rem, 9rem) minmax(0, 1fr)",
    columnGap: tokens.spacingHorizontalM,
    rowGap: tokens.spacingVerticalS,
    margin: 0,
  },
  wide: {
    gridTemplateColumns: "minmax(10rem, 17rem) minmax(0, 1fr)",
    "@media (max-width: 600px)": { gridTemplateColumns: "minmax(0, 1fr)", rowGap: tokens.spacingVerticalXXS },
  },
  name: { color: tokens.colorNeutralForeground3 },
  value: { margin: 0, overflowWrap: "anywhere" },
  below: { "@media (max-width: 600px)": { marginBottom: tokens.spacingVerticalS } },
});

/** Names with what they are; what is empty is left out. `wide`: the names are long. */
export function Facts(props: { rows: readonly (readonly [string, ReactNode])[]; wide?: boolean }) {
  const styles = useStyles();
  return (
    <dl className={mergeClasses(styles.root, props.wide && styles.wide)}>
      {props.rows.map(([name, value]) =>
        value === undefined || value === null || value === "" || value === false ? null : (
          <div key={name} style={{ display: "contents" }}>
            <dt className={styles.name}>{name}</dt>
            <dd className={mergeClasses(styles.value, props.wide && styles.below)}>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
