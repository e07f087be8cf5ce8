/** Choosing a synced tenant by typing a part of its name. */
import { Combobox, Field, Option } from "@fluentui/react-components";
import { useState } from "react";
import { useEveryTenant } from "../tenants/every";

const SHOWN = 50;

export function TenantPicker(props: {
  /** Tenant id. */
  value: string | undefined;
  onChange: (id: string | undefined) => void;
  hint: string;
}) {
  const tenants = useEveryTenant();
  const synced = tenants.data?.filter((one) => one.status === "synced") ?? [];
  const chosen = synced.find((one) => one.id === props.value);
  const [typed, setTyped] = useState<string>();
  const part = (typed ?? "").toLowerCase();
  const found = synced.filter((one) => `${one.displayName} ${one.defaultDomain}`.toLowerCase().includes(part));
  return (
    <Field label="Tenant" hint={props.hint}>
      <Combobox
        clearable
        placeholder={tenants.isPending ? "Reading the tenants" : "A synced tenant"}
        value={typed ?? chosen?.displayName ?? ""}
        selectedOptions={props.value ? [props.value] : []}
        onChange={(event) => setTyped(event.target.value)}
        onOpenChange={(_, data) => !data.open && setTyped(undefined)}
        onOptionSelect={(_, data) => {
          setTyped(undefined);
          props.onChange(data.optionValue);
        }}
      >
        {found.slice(0, SHOWN).map((one) => (
          <Option key={one.id} value={one.id} text={one.displayName}>
            {`${one.displayName} (${one.defaultDomain})`}
          </Option>
        ))}
        {tenants.data && found.length === 0 && <Option disabled>No synced tenant matches</Option>}
      </Combobox>
    </Field>
  );
}
