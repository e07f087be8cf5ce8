/** A second person's word on an operation: who asked, until when, who decided; and the buttons for whoever may. */
import { Button, Card, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { useSession } from "../../session";
import { Facts } from "../../ui/Facts";
import type { Operation } from "../../ui/OperationProgress";
import { sentence } from "../../ui/status";
import { Time } from "../../ui/time";
import type { Deed } from "./Decide";
import { noDecision } from "./words";

const useStyles = makeStyles({
  root: { maxWidth: "56rem" },
  buttons: { display: "flex", gap: tokens.spacingHorizontalS, flexWrap: "wrap" },
});

export function Approval(props: {
  operation: Operation;
  approval: NonNullable<Operation["approval"]>;
  ask: (deed: Deed) => void;
}) {
  const styles = useStyles();
  const { can, me } = useSession();
  const { approval, operation, ask } = props;
  const pending = approval.state === "pending";
  const refused = noDecision(operation, me, can("CloudDevices.Update"));
  return (
    <Card className={styles.root} appearance="outline" role="region" aria-label="Approval">
      <Subtitle2 as="h2">{pending ? "A second person must approve it" : `Approval: ${approval.state}`}</Subtitle2>
      <Facts
        rows={[
          ["Asked by", approval.requestedByName || approval.requestedBy],
          ["Expires", pending && <Time key="e" value={approval.expiresAt} />],
          [sentence(approval.state), approval.decidedByName ?? approval.decidedBy],
          ["Decided", approval.decidedAt && <Time key="d" value={approval.decidedAt} />],
          ["Reason", approval.reason],
        ]}
      />
      {pending && refused && <Text>{refused}</Text>}
      {pending && (
        <div className={styles.buttons}>
          <Button appearance="primary" disabled={refused !== undefined} onClick={() => ask("approve")}>
            Approve
          </Button>
          <Button disabled={refused !== undefined} onClick={() => ask("reject")}>
            Reject
          </Button>
        </div>
      )}
    </Card>
  );
}
