/** What was looked at, how it is, and what to do about what is wrong. */
import { Link, makeStyles, Text, tokens } from "@fluentui/react-components";
import type { components } from "../api/schema";
import { Mark, type Tone } from "./status";

type Check = components["schemas"]["Check"];
const TONES: Record<Check["outcome"], [Tone, string]> = {
  passed: ["good", "Passed"],
  warning: ["doubtful", "Warning"],
  failed: ["bad", "Failed"],
  skipped: ["quiet", "Not looked at"],
};
const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0, borderTop: `1px solid ${tokens.colorNeutralStroke2}` },
  item: {
    display: "grid",
    gridTemplateColumns: "9rem minmax(0, 1fr)",
    columnGap: tokens.spacingHorizontalM,
    padding: `${tokens.spacingVerticalS} 0`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    "@media (max-width: 600px)": { gridTemplateColumns: "minmax(0, 1fr)", rowGap: tokens.spacingVerticalXS },
  },
  body: { display: "grid", gap: tokens.spacingVerticalXXS, overflowWrap: "anywhere" },
  detail: { color: tokens.colorNeutralForeground2 },
  fix: {
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalS}`,
    marginTop: tokens.spacingVerticalXS,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground3,
  },
});

/** Every check with its outcome; a fix stands below what it mends. */
export function Checks({ checks }: { checks: readonly Check[] }) {
  const styles = useStyles();
  return (
    <ul className={styles.list} aria-label="Checks">
      {checks.map((check) => {
        const [tone, word] = TONES[check.outcome];
        return (
          <li key={check.id} className={styles.item}>
            <Mark tone={tone}>{word}</Mark>
            <div className={styles.body}>
              <Text weight="semibold">{check.title}</Text>
              <span className={styles.detail}>{check.detail}</span>
              {check.fix && (
                <div className={styles.fix}>
                  <Text weight="semibold">What to do: </Text>
                  <Linked text={check.fix} />
                </div>
              )}
            </div>
          </li>
        );
      })}
    </ul>
  );
}

/** How many checks came out how, in one line: "9 passed, 1 failed". */
export function countOf(checks: readonly Check[]): string {
  return (["failed", "warning", "passed", "skipped"] as const)
    .map((outcome) => [checks.filter((check) => check.outcome === outcome).length, TONES[outcome][1]] as const)
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word.toLowerCase()}`)
    .join(", ");
}

/** A text whose web addresses can be followed; they are long, so they are not spelled out. */
export function Linked({ text }: { text: string }) {
  const parts = text.split(/(https?:\/\/\S+)/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 1 ? (
          <Link key={part} inline href={part} target="_blank" rel="noreferrer">
            the link of {new URL(part).hostname}
          </Link>
        ) : (
          part
        ),
      )}
    </>
  );
}
