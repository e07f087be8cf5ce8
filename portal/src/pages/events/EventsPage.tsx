/** What Azure tells Tenantry, and which workflows Tenantry tells: event sources and event subscriptions. */
import { makeStyles, Tab, TabList, Text } from "@fluentui/react-components";
import { AddRegular } from "@fluentui/react-icons";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { useSession } from "../../session";
import { Deed } from "../../ui/Deed";
import { PageFrame } from "../../ui/PageFrame";
import { AddressDialog, type MadeSource } from "./AddressDialog";
import { NewSourceDialog } from "./NewSourceDialog";
import { NewSubscriptionDialog } from "./NewSubscriptionDialog";
import { SourcesTable } from "./SourcesTable";
import { MAY_NOT_SUBSCRIBE, SubscriptionsTable } from "./SubscriptionsTable";

const LIST = "list";
const SUBSCRIPTIONS = "subscriptions";
const useStyles = makeStyles({ text: { maxWidth: "52rem" } });

export default function EventsPage() {
  const styles = useStyles();
  const { can } = useSession();
  const [query, setQuery] = useSearchParams();
  const [making, setMaking] = useState(false);
  const admin = can("Integration.Admin");
  const outgoing = !admin || query.get(LIST) === SUBSCRIPTIONS;
  const [made, setMade] = useState<MadeSource>();
  const close = () => setMaking(false);
  return (
    <PageFrame
      title="Events"
      actions={
        <Deed
          primary
          icon={<AddRegular />}
          label={outgoing ? "Subscribe a workflow" : "Add a source"}
          disabled={outgoing && !can("Alerts.Manage") ? MAY_NOT_SUBSCRIBE : undefined}
          run={() => setMaking(true)}
        />
      }
    >
      {admin && (
        <TabList
          selectedValue={outgoing ? SUBSCRIPTIONS : "sources"}
          onTabSelect={(_, data) => setQuery(data.value === SUBSCRIPTIONS ? { [LIST]: SUBSCRIPTIONS } : {})}
        >
          <Tab value="sources">Received from Azure</Tab>
          <Tab value={SUBSCRIPTIONS}>Sent to workflows</Tab>
        </TabList>
      )}
      <Text className={styles.text}>
        {outgoing
          ? "Workflows of Logic Apps that are told of alerts and of what Tenantry does. A workflow makes its subscription when it is switched on, and ends it itself; one whose address is gone is deleted."
          : "Azure Monitor and Event Grid tell of a change of health sooner than the next poll would see it. The Azure subscription that an event is about is read at once, and what is read decides."}
      </Text>
      {outgoing ? <SubscriptionsTable /> : <SourcesTable />}
      {making &&
        (outgoing ? <NewSubscriptionDialog close={close} /> : <NewSourceDialog close={close} made={setMade} />)}
      {made && <AddressDialog made={made} close={() => setMade(undefined)} />}
    </PageFrame>
  );
}
