/** A CSV of every device that matches: made in the background, then downloaded. */
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
import { useEffect } from "react";
import { download } from "../../api/client";
import { useSession } from "../../session";
import type { Filters } from "../../table/model";
import { Failure } from "../../ui/Failure";
import { type Operation, OperationProgress, useOperation } from "../../ui/OperationProgress";
import { useOnce } from "../../ui/useOnce";

const useStyles = makeStyles({ content: { display: "grid", gap: tokens.spacingVerticalM } });

export function ExportDialog({ filters, close }: { filters: Filters; close: () => void }) {
  const styles = useStyles();
  const { api, users } = useSession();
  const begin = useOnce({
    mutationFn: async () =>
      (await api.POST("/api/devices/export", { params: { query: filters as Record<string, string[]> } as object }))
        .data as Operation,
  });
  const operation = useOperation(begin.data?.id);
  const url =
    operation.data?.status === "succeeded"
      ? (operation.data.result as { downloadUrl?: string })?.downloadUrl
      : undefined;
  const fetching = useOnce({ mutationFn: (from: string) => download(from, "devices.csv", users) });
  const { mutate } = fetching;
  useEffect(() => {
    if (url) mutate(url);
  }, [url, mutate]);
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Export devices</DialogTitle>
          <DialogContent className={styles.content}>
            <Text>
              A CSV file of every device that matches the filters, with all columns. It is kept for two days, for you
              alone.
            </Text>
            {begin.data && <OperationProgress id={begin.data.id} noun="Export" />}
            {(begin.error ?? fetching.error) && <Failure error={(begin.error ?? fetching.error) as Error} />}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Close</Button>
            {url ? (
              <Button appearance="primary" onClick={() => fetching.mutate(url)}>
                Download again
              </Button>
            ) : (
              <Button appearance="primary" disabled={begin.isPending || begin.isSuccess} onClick={() => begin.mutate()}>
                Export
              </Button>
            )}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
