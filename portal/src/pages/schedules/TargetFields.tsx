/** What a schedule is about: devices by name, or whatever matches a filter when it runs. */
import {
  Dropdown,
  Field,
  Input,
  makeStyles,
  Option,
  Radio,
  RadioGroup,
  Text,
  Textarea,
  tokens,
} from "@fluentui/react-components";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue } from "react";
import { useSession } from "../../session";
import { DevicePicker } from "../../ui/DevicePicker";
import { Failure } from "../../ui/Failure";
import type { Draft, TargetFilter } from "./draft";
import { filterInWords } from "./words";

const useStyles = makeStyles({ said: { color: tokens.colorPaletteRedForeground1 } });

export function TargetFields(props: {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  problem: string | undefined;
}) {
  const styles = useStyles();
  const { draft, change } = props;
  return (
    <>
      <Field label="It acts on">
        <RadioGroup value={draft.by} onChange={(_, data) => change({ by: data.value as Draft["by"] })}>
          <Radio value="filter" label="Whatever matches a filter when it runs" />
          <Radio value="devices" label="These devices" />
        </RadioGroup>
      </Field>
      {draft.by === "devices" ? (
        <DevicePicker ids={draft.deviceIds} set={(deviceIds) => change({ deviceIds })} most={1000} />
      ) : (
        <FilterFields draft={draft} change={change} />
      )}
      {props.problem && (
        <Text className={styles.said} role="alert">
          {props.problem}
        </Text>
      )}
    </>
  );
}

function FilterFields({ draft, change }: { draft: Draft; change: (part: Partial<Draft>) => void }) {
  const { api } = useSession();
  const summary = useQuery({
    queryKey: ["devices", "summary"],
    queryFn: async () => (await api.GET("/api/devices/summary")).data,
    staleTime: 60_000,
  });
  const { filter } = draft;
  const set = (part: Partial<TargetFilter>) => {
    const next = { ...filter, ...part };
    change({ filter: Object.fromEntries(Object.entries(next).filter(([, value]) => value?.length)) });
  };
  const { clientName: _client, type: _type, search: _search, ...others } = filter;
  const rest = filterInWords(others);
  return (
    <>
      {summary.error && <Failure error={summary.error} retry={() => void summary.refetch()} />}
      <Several
        label="Clients"
        options={(summary.data?.byClient ?? []).map((one) => [one.clientName, one.clientName])}
        chosen={filter.clientName ?? []}
        set={(clientName) => set({ clientName })}
      />
      <Several
        label="Types"
        options={(summary.data?.byType ?? []).map((one) => [one.type, one.typeName])}
        chosen={filter.type ?? []}
        set={(type) => set({ type })}
      />
      <Field label="Part of the name or group">
        <Input maxLength={200} value={filter.search ?? ""} onChange={(_, data) => set({ search: data.value })} />
      </Field>
      <Field label="Tags" hint="One a line, such as environment=dev. A device must have all of them.">
        <Textarea
          resize="vertical"
          value={draft.tags}
          placeholder="environment=dev"
          onChange={(_, data) => change({ tags: data.value })}
        />
      </Field>
      {rest && <Text>{`Also kept of its filter: ${rest}.`}</Text>}
      <Matching filter={filter} tagged={draft.tags.trim() !== ""} />
    </>
  );
}

function Several(props: {
  label: string;
  options: readonly (readonly [value: string, label: string])[];
  chosen: readonly string[];
  set: (values: string[]) => void;
}) {
  // What was chosen stays choosable, also when nothing of it is left.
  const known = new Map(props.options);
  for (const value of props.chosen) if (!known.has(value)) known.set(value, value);
  return (
    <Field label={props.label}>
      <Dropdown
        multiselect
        placeholder="Any"
        value={props.chosen.map((value) => known.get(value) ?? value).join(", ")}
        selectedOptions={[...props.chosen]}
        onOptionSelect={(_, data) => props.set(data.selectedOptions)}
      >
        {[...known].map(([value, label]) => (
          <Option key={value} value={value} text={label}>
            {label}
          </Option>
        ))}
      </Dropdown>
    </Field>
  );
}

/** How many devices the filter finds at this moment. */
function Matching({ filter, tagged }: { filter: TargetFilter; tagged: boolean }) {
  const { api } = useSession();
  const settled = useDeferredValue(filter);
  const empty = Object.keys(settled).length === 0;
  const found = useQuery({
    queryKey: ["list", "matching", settled],
    queryFn: async ({ signal }) => {
      const { tags: _, ...listed } = settled;
      const query = { ...listed, $top: 1, $count: true };
      return (await api.GET("/api/devices", { params: { query }, signal })).data;
    },
    enabled: !empty,
    placeholderData: keepPreviousData,
  });
  if (empty && !tagged) return <Text>Set at least one of these.</Text>;
  if (empty) return <Text>How many devices have these tags is told when you save.</Text>;
  if (found.error) return <Failure error={found.error} retry={() => void found.refetch()} />;
  const count = found.data?.count;
  return (
    <Text aria-live="polite">
      {count === undefined
        ? "Counting"
        : `${count.toLocaleString()} ${count === 1 ? "device matches" : "devices match"} now${tagged ? ", before the tags are looked at" : ""}. Only those that can do the action are touched.`}
    </Text>
  );
}
