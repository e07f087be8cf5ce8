/** The one table of the portal: filters, order, pages, selection and actions over a list of the API. */
import { Button, makeStyles, ProgressBar, tokens } from "@fluentui/react-components";
import { ArrowClockwiseRegular, ArrowDownloadRegular, TextDensityRegular } from "@fluentui/react-icons";
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Empty } from "../ui/Empty";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { usePreference } from "../ui/preferences";
import { FilterBar } from "./Filters";
import type { GridProps } from "./Grid";
import {
  type Column,
  type Filter,
  type ListPath,
  NOTHING,
  type RowAction,
  type RowOf,
  type Selection,
  type Sort,
  selected,
} from "./model";
import { ColumnMenu, Foot, RowMenu, Selected } from "./parts";
import { type Loaded, nextToken, useRows } from "./rows";
import { type TableState, useTableState } from "./state";

// The grid is most of the code: it comes when the first table does.
const Grid = lazy(() => import("./Grid")) as unknown as <Row>(props: GridProps<Row>) => ReactNode;

const useStyles = makeStyles({
  root: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalS, flexGrow: 1, minHeight: "24rem" },
  tools: { marginLeft: "auto", display: "flex" },
  frame: { position: "relative", flexGrow: 1, minHeight: "20rem" },
  grid: { position: "absolute", inset: 0 },
  over: {
    position: "absolute",
    inset: "40px 1px 1px",
    display: "grid",
    placeItems: "center",
    backgroundColor: tokens.colorNeutralBackground1,
  },
  progress: { position: "absolute", top: 0, left: 0, right: 0, zIndex: 1 },
});
const REFRESH_SECONDS = 30;
const NO_FILTERS: readonly Filter[] = [];
const NO_ROWS: readonly never[] = [];
const NO_LAYOUT: GridProps<unknown>["layout"] = [];

interface TableProps<P extends ListPath> {
  /** Names what is remembered of it, and says what it lists. */
  name: string;
  label: string;
  path: P;
  inPath?: Record<string, string>;
  /** Sent with every read. */
  always?: Record<string, unknown>;
  columns: readonly Column<RowOf<P>>[];
  id: (row: RowOf<P>) => string;
  filters?: readonly Filter[];
  /** The list takes `search`; what the box says. */
  search?: string;
  sort?: Sort;
  /** The filters are there again at the next visit. */
  keepFilters?: boolean;
  /** What can be done with one row; an empty list hides nothing, it says that there is nothing. */
  rowActions?: (row: RowOf<P>) => readonly RowAction[];
  /** What can be done with the selected rows; rows can be selected only where this is given. */
  bulkActions?: (selection: Selection<RowOf<P>>, state: TableState) => readonly RowAction[];
  /** All that match can be selected, not only rows. */
  selectAll?: boolean;
  /** Begins an export of what matches. */
  onExport?: (state: TableState) => void;
  empty: { title: string; text: ReactNode };
  /** Told of each page that was read. */
  onLoaded?: (page: Loaded<RowOf<P>>) => void;
  /** Drawn between the filters and the rows. */
  children?: ReactNode;
  refreshSeconds?: number;
}

export function Table<P extends ListPath>(props: TableProps<P>) {
  const styles = useStyles();
  const filters = props.filters ?? NO_FILTERS;
  const state = useTableState(props.name, filters, props.search !== undefined, props.sort, props.keepFilters);
  const refresh = props.refreshSeconds ?? REFRESH_SECONDS;
  const page = useRows(props.path, props.inPath, props.always, state, filters, refresh);
  const [condensed, setCondensed] = usePreference("condensed", true);
  const [layout, setLayout] = usePreference<GridProps<unknown>["layout"]>(`table.${props.name}.columns`, NO_LAYOUT);
  const [hidden, setHidden] = usePreference<readonly string[] | undefined>(`table.${props.name}.hidden`, undefined);
  // What is selected outlives a turn of the page, but not other filters: nobody acts on what they no longer look for.
  const sought = JSON.stringify(state.filters);
  const [picked, setPicked] = useState<{ of: string; selection: Selection<RowOf<P>> }>({ of: "", selection: NOTHING });
  const selection = picked.of === sought ? picked.selection : NOTHING;
  // Columns are put back by a new grid.
  const [generation, setGeneration] = useState(0);
  const columns = useMemo(
    () => props.columns.map((one) => ({ ...one, hidden: hidden ? hidden.includes(one.id) : (one.hidden ?? false) })),
    [props.columns, hidden],
  );
  const { rowActions, bulkActions } = props;
  const name = props.columns[0];
  const actions = useMemo(
    () => rowActions && ((row: RowOf<P>) => <RowMenu name={String(name?.text(row) ?? "")} actions={rowActions(row)} />),
    [rowActions, name],
  );
  const rows = page.data?.value ?? NO_ROWS;
  // Until the answer comes, the rows of the filters before are shown: those are not to be selected.
  const listed = useRef(sought);
  if (!page.isPlaceholderData) listed.current = sought;
  const total = page.data?.count;
  const onSelect = useCallback(
    (chosen: ReadonlyMap<string, RowOf<P>>, onPage: readonly string[]) =>
      setPicked(({ of, selection }) => {
        if (listed.current !== sought) return { of: sought, selection: { kind: "rows", rows: new Map() } };
        const before = of === sought && selection.kind === "rows" ? [...selection.rows] : [];
        const kept = before.filter(([id]) => !onPage.includes(id));
        return { of: sought, selection: { kind: "rows", rows: new Map([...kept, ...chosen]) } };
      }),
    [sought],
  );
  const { onLoaded, id } = props;
  // Of the selected rows that are on this page, the newest is known.
  const current = useMemo((): Selection<RowOf<P>> => {
    if (selection.kind === "all") return selection;
    const fresh = rows.map((row) => [id(row), row] as const).filter(([each]) => selection.rows.has(each));
    return { kind: "rows", rows: new Map([...selection.rows, ...fresh]) };
  }, [selection, rows, id]);
  useEffect(() => {
    if (page.data) onLoaded?.(page.data);
  }, [page.data, onLoaded]);
  const resetColumns = () => {
    setLayout(NO_LAYOUT);
    setHidden(undefined);
    setGeneration(generation + 1);
  };

  return (
    <div className={styles.root}>
      <FilterBar
        filters={filters}
        searchable={props.search !== undefined}
        searchLabel={props.search ?? ""}
        state={state}
        tools={
          <div className={styles.tools} role="group" aria-label={`Tools of ${props.label}`}>
            <Button
              appearance="subtle"
              icon={<ArrowClockwiseRegular />}
              aria-label="Read again"
              onClick={() => void page.refetch()}
            />
            <ColumnMenu columns={columns} setHidden={setHidden} reset={resetColumns} />
            <Button
              appearance="subtle"
              icon={<TextDensityRegular />}
              aria-label={condensed ? "More space between rows" : "Less space between rows"}
              onClick={() => setCondensed(!condensed)}
            />
            {props.onExport && (
              <Button appearance="subtle" icon={<ArrowDownloadRegular />} onClick={() => props.onExport?.(state)}>
                Export
              </Button>
            )}
          </div>
        }
      />
      {props.children}
      {page.error && <Failure error={page.error} retry={() => void page.refetch()} />}
      <div className={styles.frame}>
        {page.isFetching && <ProgressBar className={styles.progress} aria-label={`Reading ${props.label}`} />}
        <div className={styles.grid}>
          <Suspense fallback={<Loading label="Loading the table" />}>
            <Grid
              key={generation}
              label={props.label}
              columns={columns}
              rows={rows}
              id={props.id}
              condensed={condensed}
              sort={state.sort}
              onSort={state.setSort}
              selection={bulkActions ? (selection.kind === "all" ? "all" : selection.rows) : undefined}
              onSelect={onSelect}
              actions={actions}
              layout={layout}
              onLayout={setLayout}
            />
          </Suspense>
        </div>
        {page.isSuccess && rows.length === 0 && (
          <div className={styles.over}>
            {state.narrowed ? (
              <Empty title="Nothing matches">
                <Button onClick={state.reset}>Reset filters</Button>
              </Empty>
            ) : (
              <Empty title={props.empty.title}>{props.empty.text}</Empty>
            )}
          </div>
        )}
      </div>
      {bulkActions && selected(selection) > 0 && (
        <Selected
          selection={selection}
          total={props.selectAll ? total : undefined}
          setSelection={(wanted) => setPicked({ of: sought, selection: wanted })}
          actions={bulkActions(current, state)}
        />
      )}
      <Foot state={state} rows={rows.length} total={total} next={nextToken(page.data)} />
    </div>
  );
}
