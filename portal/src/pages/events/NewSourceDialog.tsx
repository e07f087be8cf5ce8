/** Making an event source. */
import { Field, Input, Radio, RadioGroup } from "@fluentui/react-components";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Picker } from "../../ui/Picker";
import { useEveryTenant } from "../tenants/every";
import type { MadeSource } from "./AddressDialog";
import type { Source } from "./SourcesTable";

/** The longest list that the API takes. */
const MOST_TENANTS = 100;

/** `made` is told of the source, with the address that is in this answer only. */
export function NewSourceDialog({ close, made }: { close: () => void; made: (source: MadeSource) => void }) {
  const { api } = useSession();
  const tenants = useEveryTenant();
  const [kind, setKind] = useState<Source["kind"]>("azure-monitor");
  const [name, setName] = useState("");
  const [only, setOnly] = useState(true);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const wanting = !name.trim()
    ? "Give it a name."
    : only && chosen.length === 0
      ? "Choose whose subscriptions it may speak of."
      : chosen.length > MOST_TENANTS
        ? `At most ${MOST_TENANTS} tenants: make another source for the others.`
        : undefined;
  return (
    <Ask
      title="Add an event source"
      verb="Add"
      why
      wanting={wanting}
      close={close}
      run={async ({ why, key }) => {
        const body = { kind, name: name.trim(), ...(only && { tenantIds: [...chosen] }), ...why };
        const params = { header: { "Idempotency-Key": key } };
        const { data } = await api.POST("/api/event-sources", { params, body });
        if (data) made(data);
      }}
    >
      <div>Makes an address with a secret in it, for one client's Azure or for several. It is shown once.</div>
      <Field label="What sends the events">
        <RadioGroup value={kind} onChange={(_, data) => setKind(data.value as Source["kind"])}>
          <Radio value="azure-monitor" label="Azure Monitor: an action group; any type of resource, after minutes" />
          <Radio value="event-grid" label="Event Grid: virtual machines, sooner" />
        </RadioGroup>
      </Field>
      <Field label="Name" required>
        <Input value={name} maxLength={100} onChange={(_, data) => setName(data.value)} />
      </Field>
      <Field label="Accepts events of">
        <RadioGroup value={only ? "some" : "every"} onChange={(_, data) => setOnly(data.value === "some")}>
          <Radio value="some" label="The subscriptions of these tenants only" />
          <Radio value="every" label="The subscriptions of every tenant" />
        </RadioGroup>
      </Field>
      {only && (
        <Picker
          label="Tenants"
          required
          options={(tenants.data ?? []).map((one) => ({ value: one.id, label: one.displayName }))}
          value={chosen}
          onChange={setChosen}
          error={tenants.error?.message}
        />
      )}
    </Ask>
  );
}
