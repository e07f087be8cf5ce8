/** Filters and sort of a table live in the address, so that a link or a reload shows the same; the rest is remembered. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { usePreference } from "../ui/preferences";
import type { Filter, Filters, Sort } from "./model";

export const PAGE_SIZES = [25, 50, 100, 250] as const;
const SORT = "sort";
const NO_FILTERS: Filters = {};

export interface TableState {
  filters: Filters;
  /** Whether the person filtered otherwise than is usual. */
  narrowed: boolean;
  sort: Sort | undefined;
  size: number;
  /** Opaque positions of the pages before this one, and of this one; the first page has none. */
  trail: readonly string[];
  setFilter: (param: string, values: readonly string[]) => void;
  /** Several at once: of two changes of the address one after the other, the second would undo the first. */
  setFilters: (wanted: Filters) => void;
  reset: () => void;
  setSort: (sort: Sort | undefined) => void;
  setSize: (size: number) => void;
  forward: (token: string) => void;
  back: () => void;
}

/** Parameters of the address that belong to filters. */
function paramsOf(filters: readonly Filter[], searchable: boolean): string[] {
  const named = filters.flatMap((one) =>
    one.kind === "values" ? [one.param] : one.to ? [one.from, one.to] : [one.from],
  );
  return searchable ? [...named, "search"] : named;
}

function usualOf(filters: readonly Filter[]): Filters {
  return Object.fromEntries(
    filters.flatMap((one) => (one.kind === "values" && one.usual ? [[one.param, one.usual] as const] : [])),
  );
}

/** The state of the table called `name`. `keep`: its filters are there again at the next visit. */
export function useTableState(
  name: string,
  filters: readonly Filter[],
  searchable: boolean,
  usual?: Sort,
  keep = false,
): TableState {
  const [query, setQuery] = useSearchParams();
  const [size, rememberSize] = usePreference<number>(`table.${name}.size`, 50);
  const [position, setPosition] = useState<{ of: string; trail: readonly string[] }>({ of: "", trail: [] });
  const params = useMemo(() => paramsOf(filters, searchable), [filters, searchable]);
  const address = query.toString();
  const usually = useMemo(() => usualOf(filters), [filters]);
  const known = useMemo(() => {
    const found = new URLSearchParams(address);
    // A parameter without a value is one that was cleared, where something is usual.
    const chosen = (one: string) => (found.has(one) ? found.getAll(one).filter(Boolean) : (usually[one] ?? []));
    return Object.fromEntries(params.map((one) => [one, chosen(one)] as const).filter(([, values]) => values.length));
  }, [address, params, usually]);
  const text = query.get(SORT);
  const sort = useMemo(() => (text ? sortOf(text) : usual), [text, usual]);
  // A page is a place in one order of one list: any change of these begins at the first page.
  const list = `${address} ${size}`;
  const trail = position.of === list ? position.trail : [];

  const change = useCallback(
    (edit: (next: URLSearchParams) => void) =>
      setQuery(
        (before) => {
          const next = new URLSearchParams(before);
          edit(next);
          return next;
        },
        { replace: true },
      ),
    [setQuery],
  );
  useKept(name, keep, known as Filters, change);
  const setFilters = useCallback(
    (wanted: Filters) =>
      change((next) => {
        for (const [param, values] of Object.entries(wanted)) {
          next.delete(param);
          for (const value of values) if (value) next.append(param, value);
          if (!next.has(param) && usually[param]) next.set(param, "");
        }
      }),
    [change, usually],
  );
  return {
    filters: known,
    narrowed: params.some((one) => query.has(one)),
    sort,
    size,
    trail,
    setFilter: useCallback((param, values) => setFilters({ [param]: values }), [setFilters]),
    setFilters,
    reset: useCallback(() => change((next) => params.forEach((one) => void next.delete(one))), [change, params]),
    setSort: useCallback(
      (wanted) =>
        change((next) => {
          if (wanted) next.set(SORT, wanted.descending ? `-${wanted.column}` : wanted.column);
          else next.delete(SORT);
        }),
      [change],
    ),
    setSize: rememberSize,
    forward: (token) => setPosition({ of: list, trail: [...trail, token] }),
    back: () => setPosition({ of: list, trail: trail.slice(0, -1) }),
  };
}

/** Remember the filters, and begin a visit whose address has none with those of the last one. */
function useKept(
  name: string,
  keep: boolean,
  filters: Filters,
  change: (edit: (next: URLSearchParams) => void) => void,
): void {
  const [kept, setKept] = usePreference<Filters>(`table.${name}.filters`, NO_FILTERS);
  const begun = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is remembered counts once, at the beginning
  useEffect(() => {
    if (!keep) return;
    if (!begun.current) {
      begun.current = true;
      if (Object.keys(filters).length === 0 && Object.keys(kept).length > 0) {
        change((next) => {
          for (const [param, values] of Object.entries(kept)) for (const value of values) next.append(param, value);
        });
        return;
      }
    }
    setKept(filters);
  }, [keep, filters]);
}

function sortOf(text: string): Sort {
  return { column: text.replace(/^-/, ""), descending: text.startsWith("-") };
}
