/** Reading the rows of a table from the API. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Api } from "../api/client";
import { useSession } from "../session";
import { asMoment } from "./dates";
import type { Filter, ListPath, RowOf } from "./model";
import type { TableState } from "./state";

export interface Loaded<Row> {
  value: Row[];
  nextLink?: string;
  count?: number;
  /** Newest refresh, where the list tells it. */
  lastRefreshed?: string | null;
}

type AnyGet = (path: string, options: unknown) => Promise<{ data?: unknown }>;

/** One page of a list; `path` and its parameters as in the API's document. */
export async function readPage<P extends ListPath>(
  api: Api,
  path: P,
  inPath: Record<string, string> | undefined,
  query: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Loaded<RowOf<P>>> {
  // The client's types cannot follow a path that is itself a parameter; `P` ties the rows to it.
  const { data } = await (api.GET as unknown as AnyGet)(path, { params: { query, path: inPath }, signal });
  return data as Loaded<RowOf<P>>;
}

/** Every row of a list, page by page. */
export async function readAll<P extends ListPath>(
  api: Api,
  path: P,
  query: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<RowOf<P>[]> {
  const rows: RowOf<P>[] = [];
  let token: string | undefined;
  do {
    const page = await readPage(
      api,
      path,
      undefined,
      { ...query, $top: 1000, ...(token && { $skiptoken: token }) },
      signal,
    );
    rows.push(...page.value);
    token = nextToken(page);
  } while (token !== undefined);
  return rows;
}

/** The page that the table stands on read again every `refresh` seconds while the window is looked at. */
export function useRows<P extends ListPath>(
  path: P,
  inPath: Record<string, string> | undefined,
  always: Record<string, unknown> | undefined,
  state: TableState,
  filters: readonly Filter[],
  refresh: number,
) {
  const { api } = useSession();
  const token = state.trail.at(-1);
  const dates = filters.flatMap((one) => (one.kind === "date" ? [one.from, one.to] : []));
  const query = {
    ...always,
    ...Object.fromEntries(
      Object.entries(state.filters).map(([name, values]) => [
        name,
        dates.includes(name) ? values.map((one) => asMoment(one)) : values,
      ]),
    ),
    $top: state.size,
    $count: true,
    ...(state.sort && { $orderby: state.sort.column + (state.sort.descending ? " desc" : "") }),
    ...(token && { $skiptoken: token }),
  };
  return useQuery({
    queryKey: ["list", path, inPath, query],
    queryFn: ({ signal }) => readPage(api, path, inPath, query, signal),
    placeholderData: keepPreviousData,
    refetchInterval: refresh * 1000,
  });
}

/** The position of the page that follows. */
export function nextToken(page: Loaded<unknown> | undefined): string | undefined {
  return page?.nextLink ? (new URL(page.nextLink).searchParams.get("$skiptoken") ?? undefined) : undefined;
}
