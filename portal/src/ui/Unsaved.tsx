import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
} from "@fluentui/react-components";
import { useEffect, useState } from "react";
import { useBlocker } from "react-router";

/** Given to `navigate` where the form itself is left: it is saved, or was cancelled. */
export const LEAVING = { state: { leaving: true } };

const drafts = new Set<symbol>();

/** Whether leaving the page would lose something: a draft that was changed, or an open dialog. */
export function holdsWork(): boolean {
  return drafts.size > 0 || document.querySelector('[role="dialog"], [role="alertdialog"]') !== null;
}

/** Asks before a page is left whose draft is no longer as it was first drawn. */
export function Unsaved({ draft }: { draft: unknown }) {
  const now = JSON.stringify(draft);
  const [first] = useState(now);
  const changed = now !== first;
  const blocker = useBlocker(({ currentLocation, nextLocation, historyAction }) => {
    const meant = historyAction !== "POP" && nextLocation.state?.leaving === true;
    return changed && !meant && currentLocation.pathname !== nextLocation.pathname;
  });
  useEffect(() => {
    if (!changed) return;
    const draft = Symbol("draft");
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    drafts.add(draft);
    window.addEventListener("beforeunload", warn);
    return () => {
      drafts.delete(draft);
      window.removeEventListener("beforeunload", warn);
    };
  }, [changed]);
  if (blocker.state !== "blocked") return null;
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && blocker.reset()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Leave without saving?</DialogTitle>
          <DialogContent>What you changed on this page is not saved, and is lost when you leave it.</DialogContent>
          <DialogActions>
            <Button onClick={() => blocker.proceed()}>Leave</Button>
            <Button appearance="primary" onClick={() => blocker.reset()}>
              Stay here
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
