/** One value chosen out of a list that is asked for, or typed. */
import { Combobox, Option } from "@fluentui/react-components";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";

export interface Chosen {
  value: string;
  label: string;
}

export interface ChoiceSource {
  /** Tells sources apart. */
  key: readonly unknown[];
  load: (search: string) => Promise<readonly Chosen[]>;
}

/** Stands in a Field. What the list has not can be typed as it is. */
export function Choice(props: { source: ChoiceSource; value: string; onChange: (value: string) => void; id?: string }) {
  const { source, value, onChange, ...field } = props;
  const [typed, setTyped] = useState<string>();
  const search = useDeferredValue(typed ?? "");
  const found = useQuery({
    queryKey: ["choices", ...source.key, search],
    queryFn: () => source.load(search),
    placeholderData: keepPreviousData,
    staleTime: 5 * 60_000,
    retry: false,
  });
  // The name of what is chosen stays known while another search is looked at.
  const first = useQuery({
    queryKey: ["choices", ...source.key, ""],
    queryFn: () => source.load(""),
    staleTime: 5 * 60_000,
    retry: false,
  });
  const options = found.data ?? [];
  const name = [...options, ...(first.data ?? [])].find((one) => one.value === value)?.label ?? value;
  const exact = options.some((one) => one.value === typed);
  return (
    <Combobox
      {...field}
      freeform
      clearable
      value={typed ?? name}
      selectedOptions={value ? [value] : []}
      placeholder={found.isFetching ? "Loading" : "Not chosen"}
      onChange={(event) => setTyped(event.target.value)}
      onOptionSelect={(_, data) => {
        setTyped(undefined);
        onChange(data.optionValue ?? "");
      }}
      onBlur={() => {
        // What was typed and not chosen counts as it is; an emptied field is empty.
        if (typed !== undefined && !options.some((one) => one.label === typed)) onChange(typed.trim());
        setTyped(undefined);
      }}
    >
      {options.slice(0, 100).map((one) => (
        <Option key={one.value} value={one.value} text={one.label}>
          {one.label}
        </Option>
      ))}
      {typed && !exact && (
        <Option key="typed" value={typed.trim()} text={typed}>
          {`Use "${typed.trim()}"`}
        </Option>
      )}
      {found.error && (
        <Option key="error" value={value} text={name} disabled>
          {found.error.message}
        </Option>
      )}
    </Combobox>
  );
}
