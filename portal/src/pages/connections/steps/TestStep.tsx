/** Step 4: everything that the connection needs, looked at, with what to do. */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { BeakerRegular } from "@fluentui/react-icons";
import { Checks, countOf } from "../../../ui/Checks";
import { Failure } from "../../../ui/Failure";
import { Loading } from "../../../ui/Loading";
import { Mark } from "../../../ui/status";
import { Time } from "../../../ui/time";
import type { Connection } from "../state";
import { useTest } from "../useTest";
import { StepFrame } from "./StepFrame";

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalM, maxWidth: "56rem" },
  head: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalM },
});

export function TestStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const { report, test } = useTest(connection.id);
  const passed = connection.status === "tested" || connection.status === "active";
  return (
    <StepFrame
      step="test"
      title="Test the connection"
      text="Asks Microsoft about everything that the connection needs, from the sign-in to the relationships with your customers. Nothing is changed. What fails says what to do; then test again."
      wanting={passed ? undefined : "The test must pass first. A warning does not stop you."}
    >
      <div className={styles.root}>
        <div className={styles.head}>
          <Button
            appearance={passed ? "secondary" : "primary"}
            icon={<BeakerRegular />}
            disabledFocusable={test.isPending}
            onClick={() => test.mutate()}
          >
            {connection.lastTestedAt ? "Test again" : "Test connection"}
          </Button>
          <span role="status">
            {report && !test.isPending ? (
              <Mark tone={report.outcome === "passed" ? "good" : "bad"}>
                {`${report.outcome === "passed" ? "The test passed" : "The test failed"}: ${countOf(report.checks)}`}
              </Mark>
            ) : (
              connection.lastTestedAt &&
              !test.isPending && (
                <Text>
                  Tested <Time value={connection.lastTestedAt} />
                  {passed ? ", and passed." : ". Test it again to see what was found."}
                </Text>
              )
            )}
          </span>
        </div>
        {test.error && <Failure error={test.error} />}
        {test.isPending && <Loading label="Asking Microsoft" />}
        {report && !test.isPending && <Checks checks={report.checks} />}
      </div>
    </StepFrame>
  );
}
