import {
  Button,
  Checkbox,
  Field,
  Input,
  InteractionTag,
  InteractionTagPrimary,
  InteractionTagSecondary,
  makeStyles,
  Popover,
  PopoverSurface,
  PopoverTrigger,
  Radio,
  RadioGroup,
  SearchBox,
  Text,
  tokens,
} from "@fluentui/react-components";
import { ChevronDownRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { absolute } from "../ui/time";
import { PERIODS, periodLabel } from "./dates";
import type { Filter, Option } from "./model";
import type { TableState } from "./state";

const useStyles = makeStyles({
  bar: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS, alignItems: "center" },
  search: { minWidth: "16rem", flexGrow: 0 },
  surface: { display: "grid", gap: tokens.spacingVerticalS, minWidth: "16rem", maxWidth: "24rem" },
  options: { display: "grid", maxHeight: "20rem", overflowY: "auto" },
  label: { display: "flex", justifyContent: "space-between", gap: tokens.spacingHorizontalM },
  count: { color: tokens.colorNeutralForeground3, fontVariantNumeric: "tabular-nums" },
  tag: { maxWidth: "min(24rem, 100%)" },
  tagText: { display: "block", minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  said: { color: tokens.colorNeutralForeground2 },
});
const TYPING_PAUSE = 250;

/** The search box and a button for each filter; below, what the list is filtered by. */
export function FilterBar(props: {
  filters: readonly Filter[];
  searchable: boolean;
  searchLabel: string;
  state: TableState;
  tools: ReactNode;
}) {
  const styles = useStyles();
  const { filters, state } = props;
  return (
    <>
      <div className={styles.bar}>
        {props.searchable && <Search label={props.searchLabel} state={state} />}
        {filters.map((filter) =>
          filter.kind === "values" ? (
            <ValuesFilter key={filter.param} filter={filter} state={state} />
          ) : (
            <DateFilter key={filter.from} filter={filter} state={state} />
          ),
        )}
        {props.tools}
      </div>
      {(filters.length > 0 || props.searchable) && <FilteredBy filters={filters} state={state} />}
    </>
  );
}

function Search({ label, state }: { label: string; state: TableState }) {
  const styles = useStyles();
  const stored = state.filters.search?.[0] ?? "";
  const [text, setText] = useState(stored);
  const { setFilter } = state;
  useEffect(() => setText(stored), [stored]);
  useEffect(() => {
    if (text === stored) return;
    const timer = window.setTimeout(() => setFilter("search", [text.trim()]), TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text, stored, setFilter]);
  return (
    <SearchBox
      className={styles.search}
      placeholder={label}
      aria-label={label}
      maxLength={200}
      value={text}
      onChange={(_, data) => setText(data.value)}
    />
  );
}

type Values = Extract<Filter, { kind: "values" }>;

function useOptions(filter: Values, enabled: boolean): { options: readonly Option[]; loading: boolean } {
  const load = typeof filter.options === "function" ? filter.options : undefined;
  const found = useQuery({
    queryKey: ["options", filter.param, filter.label],
    queryFn: () => load?.() ?? [],
    enabled: enabled && load !== undefined,
    staleTime: 60_000,
  });
  return { options: load ? (found.data ?? []) : (filter.options as readonly Option[]), loading: found.isLoading };
}

function ValuesFilter({ filter, state }: { filter: Values; state: TableState }) {
  const styles = useStyles();
  const [open, setOpen] = useState(false);
  const [part, setPart] = useState("");
  const chosen = state.filters[filter.param] ?? [];
  const { options, loading } = useOptions(filter, open);
  const shown = options.filter((one) => one.label.toLowerCase().includes(part.toLowerCase()));
  const toggle = (value: string, on: boolean) => {
    const rest = filter.single ? [] : chosen.filter((one) => one !== value);
    state.setFilter(filter.param, on ? [...rest, value] : rest);
  };
  return (
    <Popover open={open} onOpenChange={(_, data) => setOpen(data.open)} trapFocus positioning="below-start">
      <PopoverTrigger disableButtonEnhancement>
        <Button icon={<ChevronDownRegular />} iconPosition="after" appearance={chosen.length ? "primary" : "secondary"}>
          {filter.label}
          {chosen.length > 0 && ` (${chosen.length})`}
        </Button>
      </PopoverTrigger>
      <PopoverSurface className={styles.surface} aria-label={`Filter by ${filter.label}`}>
        {options.length > 8 && (
          <SearchBox
            placeholder={`Find in ${filter.label.toLowerCase()}`}
            aria-label={`Find in ${filter.label.toLowerCase()}`}
            value={part}
            onChange={(_, data) => setPart(data.value)}
          />
        )}
        <div className={styles.options} role="group" aria-label={filter.label}>
          {shown.slice(0, 200).map((one) => (
            <Checkbox
              key={one.value}
              checked={chosen.includes(one.value)}
              onChange={(_, data) => toggle(one.value, data.checked === true)}
              label={
                <span className={styles.label}>
                  {one.label}
                  {one.count !== undefined && <span className={styles.count}>{one.count.toLocaleString()}</span>}
                </span>
              }
            />
          ))}
          {shown.length === 0 && <Text>{loading ? "Loading" : "Nothing to choose from."}</Text>}
        </div>
        {/* It can be focused while the options are on their way: else the surface would never be shown to screen readers. */}
        <Button size="small" disabledFocusable={chosen.length === 0} onClick={() => state.setFilter(filter.param, [])}>
          Clear
        </Button>
      </PopoverSurface>
    </Popover>
  );
}

type Dates = Extract<Filter, { kind: "date" }>;

function DateFilter({ filter, state }: { filter: Dates; state: TableState }) {
  const styles = useStyles();
  const [from, to] = [state.filters[filter.from]?.[0], filter.to ? state.filters[filter.to]?.[0] : undefined];
  const period = periodLabel(from) ? from : undefined;
  const set = (since?: string, until?: string) =>
    state.setFilters({
      [filter.from]: since ? [since] : [],
      ...(filter.to && { [filter.to]: until ? [until] : [] }),
    });
  return (
    <Popover trapFocus positioning="below-start">
      <PopoverTrigger disableButtonEnhancement>
        <Button icon={<ChevronDownRegular />} iconPosition="after" appearance={from || to ? "primary" : "secondary"}>
          {filter.label}
        </Button>
      </PopoverTrigger>
      <PopoverSurface className={styles.surface} aria-label={`Filter by ${filter.label}`}>
        <RadioGroup
          aria-label={filter.label}
          value={period ?? (from || to ? "custom" : "")}
          onChange={(_, data) => set(data.value || undefined)}
        >
          <Radio value="" label="Any time" />
          {PERIODS.map(({ name, label }) => (
            <Radio key={name} value={name} label={label} />
          ))}
        </RadioGroup>
        <Field label="From">
          <Input
            type="datetime-local"
            max={local(new Date().toISOString())}
            value={local(period ? undefined : from)}
            onChange={(_, data) => set(past(utc(data.value)), to)}
          />
        </Field>
        {filter.to && (
          <Field label="Until">
            <Input
              type="datetime-local"
              value={local(to)}
              onChange={(_, data) => set(period ? undefined : from, utc(data.value))}
            />
          </Field>
        )}
      </PopoverSurface>
    </Popover>
  );
}

/** A moment as a field of the browser shows it: in local time, without a zone. */
function local(moment: string | undefined): string {
  if (!moment) return "";
  const date = new Date(moment);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function utc(text: string): string | undefined {
  return text ? new Date(text).toISOString() : undefined;
}

/** What lies ahead is now: the API takes no beginning in the future. */
function past(moment: string | undefined): string | undefined {
  const now = new Date().toISOString();
  return moment && moment > now ? now : moment;
}

function FilteredBy({ filters, state }: { filters: readonly Filter[]; state: TableState }) {
  const styles = useStyles();
  const search = state.filters.search?.[0];
  const any = Object.values(state.filters).some((values) => values.length > 0);
  return (
    <div className={styles.bar} aria-live="polite">
      <Text className={styles.said}>{any ? "Filtered by" : "Unfiltered"}</Text>
      {search && <FilterTag text={`Search: ${search}`} remove={() => state.setFilter("search", [])} />}
      {filters.map((filter) =>
        filter.kind === "values" ? (
          <ValueTags key={filter.param} filter={filter} state={state} />
        ) : (
          <DateTags key={filter.from} filter={filter} state={state} />
        ),
      )}
      {state.narrowed && (
        <Button size="small" appearance="subtle" onClick={state.reset}>
          Reset filters
        </Button>
      )}
    </div>
  );
}

function FilterTag({ text, remove }: { text: string; remove: () => void }) {
  const styles = useStyles();
  return (
    <InteractionTag size="small" appearance="brand" className={styles.tag} title={text}>
      <InteractionTagPrimary hasSecondaryAction className={styles.tagText} onClick={remove}>
        {text}
      </InteractionTagPrimary>
      <InteractionTagSecondary aria-label={`Remove ${text}`} onClick={remove} />
    </InteractionTag>
  );
}

/** The chosen values by their names, for which the options are asked for. */
function ValueTags({ filter, state }: { filter: Values; state: TableState }) {
  const chosen = state.filters[filter.param] ?? [];
  const { options } = useOptions(filter, chosen.length > 0);
  return chosen.map((value) => (
    <FilterTag
      key={value}
      text={`${filter.label}: ${options.find((one) => one.value === value)?.label ?? value}`}
      remove={() =>
        state.setFilter(
          filter.param,
          chosen.filter((one) => one !== value),
        )
      }
    />
  ));
}

function DateTags({ filter, state }: { filter: Dates; state: TableState }) {
  const words = [
    [filter.from, "since"],
    [filter.to, "until"],
  ] as const;
  return words.map(([param, word]) => {
    const value = param && state.filters[param]?.[0];
    if (!param || !value) return null;
    const text = periodLabel(value) ?? `${word} ${absolute(new Date(value))}`;
    return <FilterTag key={param} text={`${filter.label}: ${text}`} remove={() => state.setFilter(param, [])} />;
  });
}
