import { makeStyles, Text, tokens } from "@fluentui/react-components";
import type { components } from "../../api/schema";
import { Health } from "../../ui/status";
import { Time } from "../../ui/time";
import { STEPS } from "./words";

const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid" },
  item: {
    display: "grid",
    gridTemplateColumns: "20px minmax(0, 1fr)",
    columnGap: tokens.spacingHorizontalM,
    ":not(:last-child) > :last-child": { paddingBottom: tokens.spacingVerticalL },
  },
  rail: {
    display: "grid",
    gridTemplateRows: "auto 1fr",
    justifyItems: "center",
    rowGap: tokens.spacingVerticalXXS,
    color: tokens.colorNeutralForeground3,
    fontSize: "20px",
  },
  line: { width: "2px", backgroundColor: tokens.colorNeutralStroke2 },
  body: { display: "grid", gap: tokens.spacingVerticalXXS, alignContent: "start" },
  head: { display: "flex", flexWrap: "wrap", columnGap: tokens.spacingHorizontalM, alignItems: "baseline" },
  when: { color: tokens.colorNeutralForeground3 },
  detail: { overflowWrap: "anywhere" },
});

/** What happened to an alert, newest first. */
export function Timeline({ entries }: { entries: readonly components["schemas"]["TimelineEntry"][] }) {
  const styles = useStyles();
  const newest = entries.map((entry, index) => ({ ...entry, index })).reverse();
  return (
    <ol className={styles.list}>
      {newest.map(({ index, at, what, status, detail }) => {
        const [name, Icon] = STEPS[what];
        return (
          <li key={index} className={styles.item}>
            <div className={styles.rail} aria-hidden>
              <Icon />
              {index > 0 && <div className={styles.line} />}
            </div>
            <div className={styles.body}>
              <div className={styles.head}>
                <Text weight="semibold">{name}</Text>
                {status && <Health status={status} />}
                <span className={styles.when}>
                  <Time value={at} />
                </span>
              </div>
              {detail && <Text className={styles.detail}>{detail}</Text>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
