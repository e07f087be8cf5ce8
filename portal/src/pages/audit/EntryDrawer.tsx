import { Button, DrawerBody, DrawerHeader, DrawerHeaderTitle, OverlayDrawer } from "@fluentui/react-components";
import { DismissRegular } from "@fluentui/react-icons";
import { Facts } from "../../ui/Facts";
import { sentence } from "../../ui/status";
import { Time } from "../../ui/time";
import { actionName, actorName, type Entry } from "./AuditPage";
import { Target } from "./Target";

/** All of one entry, with the ids that Microsoft's support and our log ask for. */
export function EntryDrawer({ entry, close }: { entry: Entry; close: () => void }) {
  return (
    <OverlayDrawer open position="end" size="medium" onOpenChange={(_, data) => !data.open && close()}>
      <DrawerHeader>
        <DrawerHeaderTitle
          action={<Button appearance="subtle" aria-label="Close" icon={<DismissRegular />} onClick={close} />}
        >
          {actionName(entry.action)}
        </DrawerHeaderTitle>
      </DrawerHeader>
      <DrawerBody>
        <Facts
          rows={[
            ["When", <Time key="t" value={entry.at} />],
            ["Who", actorName(entry)],
            ["Who, by id", entry.actor],
            ["Action", entry.action],
            ["Outcome", sentence(entry.outcome)],
            ["On what", <Target key="o" entry={entry} />],
            ["On what, by id", entry.target],
            ["Client tenant", entry.tenantId],
            ["Reason", entry.reason],
            ["Ticket", entry.ticketNumber],
            ["Caller's request id", entry.requestId],
            ["Our request id", entry.clientRequestId],
            ["Azure's request id", entry.azureRequestId],
            ...Object.entries(entry.details).map(([name, value]): [string, string] => [
              sentence(name),
              typeof value === "string" ? value : JSON.stringify(value),
            ]),
            ["Entry id", entry.id],
          ]}
        />
      </DrawerBody>
    </OverlayDrawer>
  );
}
