/** A dialog that asks before something is done, does it, and stays with the error when that fails. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  tokens,
} from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { newKey } from "../api/client";
import { Failure } from "./Failure";
import { useToasts } from "./toasts";
import { useOnce } from "./useOnce";
import { given, NO_REASON, Why } from "./Why";

const useStyles = makeStyles({ content: { display: "grid", gap: tokens.spacingVerticalM } });

/** What a deed is told: why it is done, and a key that makes a second try of the same press harmless. */
export interface Told {
  why: { reason?: string; ticketNumber?: string };
  key: string;
}

export function Ask(props: {
  title: string;
  /** Says exactly what will happen; also fields of a form. */
  children: ReactNode;
  /** The word on the button: the deed itself, never "OK". */
  verb: string;
  /** Does it. What it throws is shown, and the dialog stays. */
  run: (told: Told) => Promise<unknown>;
  /** Said in a corner when it is done. */
  done?: string;
  /** The deed takes a reason and a ticket number. */
  why?: boolean;
  /** Why the button cannot be pressed yet. */
  wanting?: string | undefined;
  close: () => void;
}) {
  const styles = useStyles();
  const queries = useQueryClient();
  const toasts = useToasts();
  const [why, setWhy] = useState(NO_REASON);
  const [key, setKey] = useState(newKey);
  const deed = useOnce({
    mutationFn: () => props.run({ why: given(why), key }),
    // What is changed after an error is another request.
    onError: () => setKey(newKey()),
    onSuccess: () => {
      void queries.invalidateQueries();
      if (props.done) toasts.done(props.done);
      props.close();
    },
  });
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && props.close()}>
      <DialogSurface>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!deed.isPending && props.wanting === undefined) deed.mutate();
          }}
        >
          <DialogBody>
            <DialogTitle>{props.title}</DialogTitle>
            <DialogContent className={styles.content}>
              {props.children}
              {props.why && <Why value={why} onChange={setWhy} />}
              {deed.error && <Failure error={deed.error} />}
              {props.wanting && <div>{props.wanting}</div>}
            </DialogContent>
            <DialogActions>
              {/* Beside a deed that cancels, "Cancel" could mean either. */}
              <Button onClick={props.close}>{props.verb.startsWith("Cancel") ? "Keep it" : "Cancel"}</Button>
              <Button appearance="primary" type="submit" disabled={deed.isPending || props.wanting !== undefined}>
                {props.verb}
              </Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
