/** Testing a connection from the list: every check, and what to do about it. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  Text,
  tokens,
} from "@fluentui/react-components";
import { Checks, countOf } from "../../ui/Checks";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import type { Connection } from "./state";
import { useTest } from "./useTest";

const useStyles = makeStyles({ content: { display: "grid", gap: tokens.spacingVerticalM } });

export function TestDialog({ connection, close }: { connection: Connection; close: () => void }) {
  const styles = useStyles();
  const { test } = useTest(connection.id);
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{`Test ${connection.name}`}</DialogTitle>
          <DialogContent className={styles.content}>
            {test.isIdle && <Text>Asks Microsoft about everything that the connection needs. Nothing is changed.</Text>}
            {test.isPending && <Loading label="Asking Microsoft" />}
            {test.error && <Failure error={test.error} />}
            {test.data && (
              <>
                <Text role="status">{countOf(test.data.checks)}</Text>
                <Checks checks={test.data.checks} />
              </>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Close</Button>
            <Button appearance="primary" disabledFocusable={test.isPending} onClick={() => test.mutate()}>
              {test.data ? "Test again" : "Test"}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
