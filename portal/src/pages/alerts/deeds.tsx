/** What people can do about an alert, and why not; to take back or end is offered where there is something to. */
import {
  AlertOffRegular,
  AlertSnoozeRegular,
  ArrowSyncRegular,
  PersonAvailableRegular,
  PersonProhibitedRegular,
} from "@fluentui/react-icons";
import { useCallback, useState } from "react";
import { useSession } from "../../session";
import type { RowAction } from "../../table/model";
import { AcknowledgeDialog, RedeliverDialog, TakeBackDialog, WakeDialog } from "./DeedDialogs";
import { SnoozeDialog } from "./SnoozeDialog";
import type { Alert } from "./words";

type Deed = "acknowledge" | "takeBack" | "snooze" | "wake" | "redeliver";

const DIALOGS = {
  acknowledge: AcknowledgeDialog,
  takeBack: TakeBackDialog,
  snooze: SnoozeDialog,
  wake: WakeDialog,
  redeliver: RedeliverDialog,
} as const;

/** The actions of an alert, and the dialog of the one that was asked for. */
export function useDeeds() {
  const { can } = useSession();
  const [asked, setAsked] = useState<{ deed: Deed; alert: Alert }>();
  const mayAct = can("Alerts.Manage");
  const deedsOf = useCallback(
    (alert: Alert): readonly RowAction[] => {
      const refused = mayAct ? undefined : "You may look only: this needs the role Alerts.Manage.";
      const deed = (name: Deed, label: string, icon: RowAction["icon"], reason: string | undefined): RowAction => ({
        label,
        ...(icon && { icon }),
        disabled: refused ?? reason,
        run: () => setAsked({ deed: name, alert }),
      });
      const over = alert.state === "closed" ? "It is closed." : undefined;
      const untold = alert.state === "suppressed" ? "Nobody was told of it: there is nothing to look after." : over;
      const acknowledged = alert.acknowledgement !== undefined;
      const snoozed = alert.snooze !== undefined;
      return [
        deed("acknowledge", acknowledged ? "Acknowledge again" : "Acknowledge", <PersonAvailableRegular />, untold),
        ...(acknowledged ? [deed("takeBack", "Take back", <PersonProhibitedRegular />, untold)] : []),
        deed("snooze", snoozed ? "Change the snooze" : "Snooze", <AlertSnoozeRegular />, over),
        ...(snoozed ? [deed("wake", "End snooze", <AlertOffRegular />, over)] : []),
        deed(
          "redeliver",
          "Redeliver",
          <ArrowSyncRegular />,
          alert.tickets.length > 0 ? undefined : "No sink was told of it.",
        ),
      ];
    },
    [mayAct],
  );
  const Dialog = asked && DIALOGS[asked.deed];
  const dialog = asked && Dialog && <Dialog alert={asked.alert} close={() => setAsked(undefined)} />;
  return { deedsOf, dialog };
}
