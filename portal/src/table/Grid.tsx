/** The grid itself, by AG Grid; loaded apart from the rest of the portal. Rows, order and pages come from the API. */
import {
  CellStyleModule,
  ClientSideRowModelApiModule,
  ClientSideRowModelModule,
  type ColDef,
  ColumnApiModule,
  type ColumnState,
  type GridApi,
  ModuleRegistry,
  RowApiModule,
  RowSelectionModule,
  type RowSelectionOptions,
  RowStyleModule,
  type SelectionColumnDef,
  TooltipModule,
  themeQuartz,
} from "ag-grid-community";
import { AgGridReact, type CustomCellRendererProps } from "ag-grid-react";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import type { Column, Sort } from "./model";

ModuleRegistry.registerModules([
  CellStyleModule,
  ClientSideRowModelApiModule,
  ClientSideRowModelModule,
  ColumnApiModule,
  RowApiModule,
  RowSelectionModule,
  RowStyleModule,
  TooltipModule,
]);

const THEME = themeQuartz.withParams({
  accentColor: "var(--colorBrandBackground)",
  backgroundColor: "var(--colorNeutralBackground1)",
  borderColor: "var(--colorNeutralStroke2)",
  foregroundColor: "var(--colorNeutralForeground1)",
  headerBackgroundColor: "var(--colorNeutralBackground2)",
  headerTextColor: "var(--colorNeutralForeground2)",
  headerFontWeight: 600,
  fontFamily: "inherit",
  fontSize: 14,
  wrapperBorderRadius: 4,
});

export interface GridProps<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  id: (row: Row) => string;
  condensed: boolean;
  sort: Sort | undefined;
  onSort: (sort: Sort | undefined) => void;
  /** The selected rows by their ids, "all", or undefined where nothing can be selected. */
  selection: ReadonlyMap<string, Row> | "all" | undefined;
  onSelect: (chosen: ReadonlyMap<string, Row>, onPage: readonly string[]) => void;
  /** What the last column of a row holds. */
  actions?: ((row: Row) => ReactNode) | undefined;
  /** Order, width and visibility of the columns as they were left. */
  layout: readonly ColumnState[];
  onLayout: (layout: readonly ColumnState[]) => void;
}

/** On a phone nothing is pinned: pinned columns would leave no room for the others. */
const WIDE = window.matchMedia("(min-width: 801px)").matches;
const SELECTION: RowSelectionOptions = {
  mode: "multiRow",
  checkboxes: true,
  headerCheckbox: true,
  enableClickSelection: false,
};
const SELECTION_COLUMN: SelectionColumnDef = {
  pinned: WIDE ? "left" : null,
  width: 44,
  suppressHeaderMenuButton: true,
};
const ACTIONS = "actions";

export default function Grid<Row>(props: GridProps<Row>) {
  const grid = useRef<GridApi<Row>>(null);
  const { sort, columns, rows, selection, actions, layout, onLayout } = props;
  const definitions = useMemo(() => definitionsOf(columns, actions, sort), [columns, actions, sort]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the marks are set anew for each page of rows
  useEffect(() => {
    grid.current?.forEachNode((node) => {
      const marked = selection === "all" || (selection?.has(node.id ?? "") ?? false);
      if (node.isSelected() !== marked) node.setSelected(marked, false, "api");
    });
  }, [rows, selection]);

  return (
    <AgGridReact<Row>
      theme={THEME}
      aria-label={props.label}
      columnDefs={definitions}
      rowData={rows as Row[]}
      getRowId={({ data }) => props.id(data)}
      rowHeight={props.condensed ? 34 : 48}
      headerHeight={props.condensed ? 36 : 48}
      {...(selection !== undefined && { rowSelection: SELECTION, selectionColumnDef: SELECTION_COLUMN })}
      suppressCellFocus={false}
      suppressMovableColumns={false}
      maintainColumnOrder
      suppressDragLeaveHidesColumns
      enableCellTextSelection
      ensureDomOrder
      tooltipShowDelay={400}
      onGridReady={({ api }) => {
        grid.current = api;
        api.applyColumnState({ state: [...layout], applyOrder: true });
      }}
      onSortChanged={({ api, source }) => {
        if (source !== "uiColumnSorted") return;
        const by = api.getColumnState().find((one) => one.sort);
        props.onSort(by ? { column: by.colId, descending: by.sort === "desc" } : undefined);
      }}
      onSelectionChanged={({ api, source }) => {
        if (source === "api" || source === "rowDataChanged") return;
        const onPage: string[] = [];
        const chosen = new Map<string, Row>();
        api.forEachNode((node) => {
          if (node.id === undefined) return;
          onPage.push(node.id);
          if (node.isSelected() && node.data) chosen.set(node.id, node.data);
        });
        props.onSelect(chosen, onPage);
      }}
      onCellKeyDown={({ event }) => {
        // A cell takes the focus, not what is in it: Enter presses that.
        const cell = event?.target;
        if (!(event instanceof KeyboardEvent) || event.key !== "Enter" || !(cell instanceof HTMLElement)) return;
        if (cell.getAttribute("role") !== "gridcell") return;
        event.preventDefault();
        cell.querySelector<HTMLElement>("a[href], button")?.click();
      }}
      onColumnMoved={({ finished, source, api }) => {
        if (finished && source === "uiColumnMoved") onLayout(layoutOf(api.getColumnState()));
      }}
      onColumnResized={({ finished, source, api }) => {
        if (finished && source === "uiColumnResized") onLayout(layoutOf(api.getColumnState()));
      }}
      noRowsOverlayComponent={() => null}
    />
  );
}

function layoutOf(state: readonly ColumnState[]): ColumnState[] {
  return state.map(({ colId, width, flex }) => ({ colId, ...(width && { width }), ...(flex != null && { flex }) }));
}

function definitionsOf<Row>(
  columns: readonly Column<Row>[],
  actions: ((row: Row) => ReactNode) | undefined,
  sort: Sort | undefined,
): ColDef<Row>[] {
  const shown: ColDef<Row>[] = columns.map((column, index) => ({
    colId: column.id,
    headerName: column.name,
    valueGetter: ({ data }) => (data ? column.text(data) : undefined),
    tooltipValueGetter: ({ value }) => (column.draw ? undefined : value),
    cellRenderer: column.draw ? Drawn : undefined,
    cellRendererParams: { draw: column.draw },
    sortable: column.sortable ?? false,
    sort: sort?.column === column.id ? (sort.descending ? "desc" : "asc") : null,
    // The rows come sorted from the API.
    comparator: () => 0,
    // Only at first: what the person made of it stays when the definitions change, as with each sort.
    initialWidth: column.width ?? 150,
    minWidth: 80,
    ...(column.grow && { initialFlex: 1, minWidth: column.width ?? 150 }),
    pinned: index === 0 && WIDE ? "left" : null,
    hide: column.hidden ?? false,
    ...(column.numeric && { type: "rightAligned", cellStyle: { fontVariantNumeric: "tabular-nums" } }),
  }));
  if (!actions) return shown;
  return [
    ...shown,
    {
      colId: ACTIONS,
      headerName: "Actions",
      cellRenderer: Drawn,
      cellRendererParams: { draw: actions },
      pinned: WIDE ? "right" : null,
      width: 84,
      resizable: false,
      sortable: false,
      suppressMovable: true,
    },
  ];
}

function Drawn<Row>({ data, draw }: CustomCellRendererProps<Row> & { draw: (row: Row) => ReactNode }) {
  return data ? draw(data) : null;
}
