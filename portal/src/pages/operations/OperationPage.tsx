/** One operation: what was asked, how far it is, and what honestly came of it. */
import { Button, makeStyles, Subtitle2, Tooltip, tokens } from "@fluentui/react-components";
import { useState } from "react";
import { useParams } from "react-router";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Facts } from "../../ui/Facts";
import { ended, type Operation, useOperation } from "../../ui/OperationProgress";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { Time } from "../../ui/time";
import { Approval } from "./Approval";
import { Decide, type Deed } from "./Decide";
import { Items } from "./Items";
import { Outcome } from "./Outcome";
import { useWaits } from "./useWaits";
import { aboutName, askedBy, devicePath, kindName, noCancel, nounOf, OperationMark } from "./words";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gap: tokens.spacingHorizontalXXL,
    gridTemplateColumns: "minmax(0, 2fr) minmax(0, 3fr)",
    "@media (max-width: 1000px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  items: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM, flexGrow: 1, minHeight: "28rem" },
});

export default function OperationPage() {
  const { operationId = "" } = useParams();
  const operation = useOperation(operationId);
  return (
    <ReadPage title="Operation" read={operation}>
      {(data) => <Shown operation={data} />}
    </ReadPage>
  );
}

function Shown({ operation }: { operation: Operation }) {
  const styles = useStyles();
  const { can } = useSession();
  const [asked, setAsked] = useState<Deed>();
  const mayAct = can("CloudDevices.Update");
  const waits = useWaits(operation, noCancel(operation, mayAct) === undefined);
  const uncancelable = noCancel(operation, mayAct, waits);
  const device = devicePath(operation);
  const cancel = (
    <Button disabledFocusable={uncancelable !== undefined} onClick={() => setAsked("cancel")}>
      Cancel what has not begun
    </Button>
  );
  return (
    <PageFrame
      title={nounOf(operation)}
      aside={<OperationMark operation={operation} />}
      actions={
        !ended(operation.status) &&
        (uncancelable ? (
          <Tooltip content={uncancelable} relationship="description">
            {cancel}
          </Tooltip>
        ) : (
          cancel
        ))
      }
    >
      {operation.approval && <Approval operation={operation} approval={operation.approval} ask={setAsked} />}
      <div className={styles.grid}>
        <section className={styles.part}>
          <Subtitle2 as="h2">What was asked</Subtitle2>
          <Facts
            rows={[
              ["What", kindName(operation.kind)],
              [
                "On",
                device ? (
                  <AppLink key="o" to={device}>
                    {aboutName(operation)}
                  </AppLink>
                ) : (
                  aboutName(operation)
                ),
              ],
              ["Asked by", askedBy(operation)],
              ["Asked", <Time key="c" value={operation.createdAt} />],
              [ended(operation.status) ? "Ended" : "Last change", <Time key="l" value={operation.lastUpdatedAt} />],
              ["Reason", operation.reason],
              ["Ticket", operation.ticketNumber],
              ["Operation id", operation.id],
            ]}
          />
        </section>
        <section className={styles.part}>
          <Subtitle2 as="h2">What came of it</Subtitle2>
          <Outcome operation={operation} />
        </section>
      </div>
      {operation.itemCount !== undefined && (
        <section className={styles.items}>
          <Subtitle2 as="h2">One by one</Subtitle2>
          <Items id={operation.id} kind={operation.kind} running={!ended(operation.status)} />
        </section>
      )}
      {asked && <Decide deed={asked} operation={operation} close={() => setAsked(undefined)} />}
    </PageFrame>
  );
}
