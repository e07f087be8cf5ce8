/** The address of an event source, which is shown this one time. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Text,
  tokens,
} from "@fluentui/react-components";
import { useState } from "react";
import type { components } from "../../api/schema";

export type MadeSource = components["schemas"]["NewEventSource"];

const useStyles = makeStyles({
  content: { display: "grid", gap: tokens.spacingVerticalM },
  address: { fontFamily: tokens.fontFamilyMonospace, overflowWrap: "anywhere", userSelect: "all" },
});
const WHERE: Record<MadeSource["kind"], string> = {
  "azure-monitor":
    "In the client's subscription make an activity log alert of the category Resource Health, with an action group whose webhook is this address, and the common alert schema switched on.",
  "event-grid":
    "In the client's subscription make a system topic of the type Health Resources, with an event subscription whose webhook is this address, in either schema.",
};

export function AddressDialog({ made, close }: { made: MadeSource; close: () => void }) {
  const styles = useStyles();
  const [copied, setCopied] = useState(false);
  const { url } = made;
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{`The address of ${made.name}`}</DialogTitle>
          <DialogContent className={styles.content}>
            {url ? (
              <>
                <MessageBar intent="warning" layout="multiline">
                  <MessageBarBody>
                    <MessageBarTitle>It is shown now and never again</MessageBarTitle>
                    Whoever has it can make Tenantry read these subscriptions, and nothing else.
                  </MessageBarBody>
                </MessageBar>
                <code className={styles.address}>{url}</code>
                <Text>{WHERE[made.kind]}</Text>
              </>
            ) : (
              <Text>
                The source was made, and the answer that had its address was lost. Delete it, and add another one.
              </Text>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>{url ? "I have kept it" : "Close"}</Button>
            {url && (
              <Button
                appearance="primary"
                onClick={() => void navigator.clipboard.writeText(url).then(() => setCopied(true))}
              >
                {copied ? "Copied" : "Copy"}
              </Button>
            )}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
