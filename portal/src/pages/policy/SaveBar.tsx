/** How much is changed and not saved; it stays in sight. */
import {
  Button,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Text,
  tokens,
} from "@fluentui/react-components";
import type { ApiError } from "../../api/errors";
import { Failure } from "../../ui/Failure";
import type { Wrong } from "./limits";

const useStyles = makeStyles({
  bar: {
    position: "sticky",
    bottom: 0,
    zIndex: 1,
    display: "grid",
    gap: tokens.spacingVerticalS,
    padding: `${tokens.spacingVerticalM} 0`,
    backgroundColor: tokens.colorNeutralBackground1,
    borderTop: `1px solid ${tokens.colorNeutralStroke1}`,
  },
  buttons: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalS },
});

export function SaveBar(props: {
  count: number;
  /** What must be mended first. */
  wrong: readonly Wrong[];
  error: ApiError | undefined;
  review: () => void;
  reset: () => void;
  /** Reads the policy again, under the changes. */
  again: () => Promise<void>;
}) {
  const styles = useStyles();
  const { count, wrong, error } = props;
  if (count === 0 && !error) return null;
  const stale = error?.status === 412;
  return (
    <div className={styles.bar} role="region" aria-label="Changes that are not saved">
      {stale && (
        <div role="alert">
          <MessageBar intent="warning" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>Somebody else changed the policy</MessageBarTitle>
              Nothing was saved. Read it again: your changes are kept, and put on what holds now. Then look at them once
              more, and save.
            </MessageBarBody>
            <MessageBarActions>
              <Button onClick={() => void props.again()}>Read it again</Button>
            </MessageBarActions>
          </MessageBar>
        </div>
      )}
      {error && !stale && <Failure error={error} />}
      <div className={styles.buttons}>
        <Button appearance="primary" disabled={count === 0 || stale || wrong.length > 0} onClick={props.review}>
          Review and save
        </Button>
        <Button onClick={props.reset}>Discard</Button>
        <Text aria-live="polite">{`${count} ${count === 1 ? "change is" : "changes are"} not saved`}</Text>
        {wrong.length > 0 && (
          <Text aria-live="polite">{`Mend first: ${wrong.map(({ label }) => label).join("; ")}.`}</Text>
        )}
      </div>
    </div>
  );
}
