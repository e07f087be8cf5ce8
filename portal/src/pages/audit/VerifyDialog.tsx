import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  makeStyles,
  tokens,
} from "@fluentui/react-components";
import { useState } from "react";
import { useSession } from "../../session";
import { Facts } from "../../ui/Facts";
import { Failure } from "../../ui/Failure";
import { Mark } from "../../ui/status";
import { useOnce } from "../../ui/useOnce";

const useStyles = makeStyles({
  content: { display: "grid", gap: tokens.spacingVerticalM },
  hash: { fontFamily: tokens.fontFamilyMonospace, fontSize: tokens.fontSizeBase200 },
});

/** Whether the entries of a day are as they were written. */
export function VerifyDialog({ close }: { close: () => void }) {
  const styles = useStyles();
  const { api } = useSession();
  const [day, setDay] = useState(() => new Date().toISOString().slice(0, 10));
  const verify = useOnce({
    mutationFn: async () => (await api.GET("/api/audit/verify", { params: { query: { day } } })).data,
  });
  const { data } = verify;
  return (
    <Dialog open onOpenChange={(_, change) => !change.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Verify a day of the audit log</DialogTitle>
          <DialogContent className={styles.content}>
            <div>
              Each entry carries the hash of the one before it, so that a changed or removed one shows. Keep the hashes
              elsewhere, and they prove later that nothing was taken away.
            </div>
            <Field label="Day (UTC)">
              <Input type="date" value={day} onChange={(_, change) => setDay(change.value)} />
            </Field>
            {verify.error && <Failure error={verify.error} retry={() => verify.mutate()} />}
            {data && (
              <>
                <MessageBar intent={data.ok ? "success" : "error"} layout="multiline">
                  <MessageBarBody>{data.message}</MessageBarBody>
                </MessageBar>
                {data.chains.map((chain) => (
                  <Facts
                    key={chain.tenantId ?? "provider"}
                    rows={[
                      ["Client tenant", chain.tenantId ?? "None or several"],
                      [
                        "Verdict",
                        <Mark key="v" tone={chain.ok ? "good" : "bad"}>
                          {chain.ok ? "As it was written" : `${chain.problems} problems`}
                        </Mark>,
                      ],
                      ["Entries", chain.entries.toLocaleString()],
                      ["First problem", chain.firstProblem?.what],
                      [
                        "Hash",
                        chain.head && (
                          <span key="h" className={styles.hash}>
                            {chain.head.hash}
                          </span>
                        ),
                      ],
                    ]}
                  />
                ))}
              </>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Close</Button>
            <Button appearance="primary" disabled={!day || verify.isPending} onClick={() => verify.mutate()}>
              Verify
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
