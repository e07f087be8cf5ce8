/** Which site a tenant gets: one that is free, a new one, or none for now. */
import { Combobox, Option } from "@fluentui/react-components";
import { useState } from "react";
import type { components } from "../../api/schema";
import { siteName } from "./SiteDialog";
import { plain } from "./suggest";

type Site = components["schemas"]["Site"];
export type Choice = { kind: "site"; id: string } | { kind: "new" } | { kind: "none" };

const SHOWN = 50;
const [NEW, NONE] = ["new", "none"];

export function SitePicker(props: {
  label: string;
  choice: Choice;
  /** Sites that are not mapped, and not chosen for another tenant. */
  free: readonly Site[];
  /** Name of the tenant: sites of that client come first. */
  tenantName: string;
  /** What a new site would be called. */
  newName: string;
  onChange: (choice: Choice) => void;
}) {
  const { choice, free } = props;
  const [opened, setOpened] = useState(false);
  const [typed, setTyped] = useState<string>();
  const chosen = choice.kind === "site" ? free.find((site) => site.id === choice.id) : undefined;
  const said = choice.kind === "new" ? `New: ${props.newName}` : chosen ? siteName(chosen) : "";
  const part = (typed ?? "").toLowerCase();
  // Options are made for the list that is open only: there may be hundreds of tenants and of sites.
  const matching = opened ? free.filter((site) => siteName(site).toLowerCase().includes(part)) : [];
  const wanted = plain(props.tenantName);
  const near = matching.filter((site) => plain(site.clientName) === wanted);
  const found = [...near, ...matching.filter((site) => !near.includes(site))];
  return (
    <Combobox
      aria-label={props.label}
      placeholder="Not chosen"
      positioning={{ position: "below", align: "start", fallbackPositions: ["above-start"], autoSize: "height" }}
      value={typed ?? said}
      selectedOptions={[choice.kind === "site" ? `site ${choice.id}` : choice.kind === "new" ? `${NEW}` : `${NONE}`]}
      onChange={(event) => setTyped(event.target.value)}
      onOpenChange={(_, data) => {
        setOpened(data.open);
        if (!data.open) setTyped(undefined);
      }}
      onOptionSelect={(_, data) => {
        const value = data.optionValue ?? "";
        setTyped(undefined);
        if (value.startsWith("site ")) props.onChange({ kind: "site", id: value.slice(5) });
        else if (value) props.onChange({ kind: value === NEW ? "new" : "none" });
      }}
    >
      {opened && (
        <>
          {found.slice(0, SHOWN).map((site) => (
            <Option key={site.id} value={`site ${site.id}`} text={siteName(site)}>
              {siteName(site)}
            </Option>
          ))}
          <Option value={`${NEW}`} text={`New: ${props.newName}`}>
            {`New: ${props.newName}`}
          </Option>
          <Option value={`${NONE}`} text="">
            None for now
          </Option>
        </>
      )}
    </Combobox>
  );
}
