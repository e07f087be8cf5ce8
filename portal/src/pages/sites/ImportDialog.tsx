/** Sites out of a CSV file: choose or drop it, see what is in it, then what became of each row. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Link,
  makeStyles,
  mergeClasses,
  Text,
  tokens,
} from "@fluentui/react-components";
import { DocumentRegular } from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { newKey } from "../../api/client";
import { useSession } from "../../session";
import { Failure } from "../../ui/Failure";
import { useOnce } from "../../ui/useOnce";
import { importFile, type PreviewRow, preview, TEMPLATE } from "./csv";
import { ImportPreview } from "./ImportPreview";
import { ImportResult } from "./ImportResult";

const MAX_BYTES = 1_000_000;
const useStyles = makeStyles({
  content: { display: "grid", gap: tokens.spacingVerticalM },
  drop: {
    display: "grid",
    justifyItems: "center",
    gap: tokens.spacingVerticalS,
    padding: tokens.spacingVerticalXXL,
    textAlign: "center",
    border: `2px dashed ${tokens.colorNeutralStroke1}`,
    borderRadius: tokens.borderRadiusLarge,
    overflowWrap: "anywhere",
  },
  over: { border: `2px dashed ${tokens.colorBrandStroke1}`, backgroundColor: tokens.colorNeutralBackground1Hover },
  hint: { color: tokens.colorNeutralForeground2 },
  icon: { fontSize: "28px", color: tokens.colorNeutralForeground3 },
});

/** A file as it was chosen: its rows, or why it cannot be sent. */
interface Chosen {
  name: string;
  text: string;
  rows?: readonly PreviewRow[];
  error?: Error;
}

async function read(file: File): Promise<Chosen> {
  const { name } = file;
  try {
    if (file.size > MAX_BYTES) throw new Error("The file is larger than 1 MB. Cut it into several.");
    const text = await file.text();
    return { name, text, rows: preview(text) };
  } catch (error) {
    return { name, text: "", error: error as Error };
  }
}

export function ImportDialog({ close }: { close: () => void }) {
  const styles = useStyles();
  const { api } = useSession();
  const queries = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<Chosen>();
  const [over, setOver] = useState(false);
  // Of each choice of a file its own: a second press of the button changes nothing.
  const [key, setKey] = useState(newKey);
  const run = useOnce({
    mutationFn: (text: string) => importFile(api, text, key),
    onError: () => setKey(newKey()),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["list"] }),
  });
  const choose = async (chosen: File | null | undefined) => {
    if (!chosen) return;
    setFile(await read(chosen));
    setKey(newKey());
    run.reset();
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Import sites</DialogTitle>
          <DialogContent className={styles.content}>
            {run.data ? (
              <ImportResult rows={run.data} />
            ) : (
              <>
                <Text>
                  A CSV file whose first line is <code>client,site,tenant</code>; the third column may be left out. A
                  tenant is named by its id, domain or name. A site that is there already is mapped anew where its row
                  names a tenant; the same file twice changes nothing.{" "}
                  <Link
                    inline
                    href={`data:text/csv;charset=utf-8,${encodeURIComponent(TEMPLATE)}`}
                    download="sites.csv"
                  >
                    Download a template
                  </Link>
                </Text>
                {/* biome-ignore lint/a11y/noStaticElementInteractions: the button within does the same by keyboard */}
                <div
                  className={mergeClasses(styles.drop, over && styles.over)}
                  onDragOver={(event) => {
                    event.preventDefault();
                    setOver(true);
                  }}
                  onDragLeave={() => setOver(false)}
                  onDrop={(event) => {
                    event.preventDefault();
                    setOver(false);
                    void choose(event.dataTransfer.files[0]);
                  }}
                >
                  <DocumentRegular className={styles.icon} aria-hidden />
                  <Text weight={file ? "semibold" : "regular"} aria-live="polite">
                    {file ? file.name : "Drop a file here, or choose one."}
                  </Text>
                  <Button onClick={() => input.current?.click()}>{file ? "Choose another" : "Choose a file"}</Button>
                  <input
                    ref={input}
                    type="file"
                    accept=".csv,text/csv"
                    hidden
                    aria-label="CSV file"
                    onChange={(event) => {
                      void choose(event.target.files?.[0]);
                      event.target.value = "";
                    }}
                  />
                </div>
                {file?.error && <Failure error={file.error} />}
                {file?.rows && <ImportPreview rows={file.rows} />}
              </>
            )}
            {run.error && <Failure error={run.error} />}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>{run.data ? "Close" : "Cancel"}</Button>
            {run.data ? (
              <Button
                onClick={() => {
                  setFile(undefined);
                  run.reset();
                }}
              >
                Import another
              </Button>
            ) : (
              <Button
                appearance="primary"
                disabled={!file?.rows?.length || run.isPending}
                onClick={() => file && run.mutate(file.text)}
              >
                {run.isPending ? "Importing" : "Import"}
              </Button>
            )}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
