import { MessageBar, MessageBarBody, MessageBarTitle } from "@fluentui/react-components";
import { Failure } from "../../ui/Failure";
import type { useTest } from "./acts";

/** What came of a test, in the receiver's own words. */
export function TestOutcome({ test }: { test: ReturnType<typeof useTest> }) {
  if (test.isPending) {
    return (
      <MessageBar intent="info" role="status">
        <MessageBarBody>The test is under way. A receiver may take 15 seconds to answer.</MessageBarBody>
      </MessageBar>
    );
  }
  if (test.error) return <Failure error={test.error} />;
  if (!test.data) return null;
  const { outcome, detail, status, durationMs } = test.data;
  const passed = outcome === "passed";
  return (
    <MessageBar intent={passed ? "success" : "error"} layout="multiline" role="status">
      <MessageBarBody>
        <MessageBarTitle>{passed ? "The test passed" : "The test failed"}</MessageBarTitle>
        {detail} {status ? `(HTTP ${status}, ${durationMs.toLocaleString()} ms)` : "(no answer)"}
      </MessageBarBody>
    </MessageBar>
  );
}
