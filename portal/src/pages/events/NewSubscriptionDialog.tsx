/** Subscribing a workflow that cannot do so itself, by the address of its trigger. */
import { Field, Input, Radio, RadioGroup } from "@fluentui/react-components";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Picker } from "../../ui/Picker";
import { SitePicker } from "../../ui/sites";
import { EVENTS, eventName } from "../sinks/events";

const OPTIONS = Object.keys(EVENTS).map((one) => ({ value: one, label: eventName(one) }));

export function NewSubscriptionDialog({ close }: { close: () => void }) {
  const { api, me } = useSession();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState<readonly string[]>([]);
  const [everySite, setEverySite] = useState(me.sites === null);
  const [sites, setSites] = useState<readonly string[]>([]);
  const wanting =
    !name.trim() || !url.trim()
      ? "Give it a name, and the workflow's address."
      : !everySite && sites.length === 0
        ? "Choose its sites."
        : undefined;
  return (
    <Ask
      title="Subscribe a workflow"
      verb="Subscribe"
      why
      done={`${name.trim()} is told of events`}
      wanting={wanting}
      close={close}
      run={({ why, key }) =>
        api.POST("/api/event-subscriptions", {
          params: { header: { "Idempotency-Key": key } },
          body: {
            name: name.trim(),
            callbackUrl: url.trim(),
            ...(events.length > 0 && { events: [...events] }),
            ...(!everySite && { siteIds: [...sites] }),
            ...why,
          },
        })
      }
    >
      <div>
        It is sent each event as a CloudEvent from now on, not what is open already. An address that is subscribed
        already is not subscribed twice: it gets what is asked for here. One that answers 401, 403, 404 or 410 has ended
        its subscription.
      </div>
      <Field label="Name" required>
        <Input value={name} maxLength={100} onChange={(_, data) => setName(data.value)} />
      </Field>
      <Field label="Address of the workflow's trigger" required hint="It is a key: it is kept, and never shown again.">
        <Input
          type="password"
          autoComplete="off"
          value={url}
          maxLength={4000}
          onChange={(_, data) => setUrl(data.value)}
        />
      </Field>
      <Picker
        label="Events"
        options={OPTIONS}
        value={events}
        onChange={setEvents}
        hint="Without any: every event, also those to come."
      />
      {me.sites === null && (
        <Field label="Sites">
          <RadioGroup value={everySite ? "every" : "some"} onChange={(_, data) => setEverySite(data.value === "every")}>
            <Radio value="every" label="Every site, also those to come" />
            <Radio value="some" label="These sites only" />
          </RadioGroup>
        </Field>
      )}
      {!everySite && <SitePicker label="Which sites" required value={sites} onChange={setSites} />}
    </Ask>
  );
}
