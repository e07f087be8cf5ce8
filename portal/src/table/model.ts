/** What a table is described by. */
import type { ReactElement, ReactNode } from "react";
import type { paths } from "../api/schema";

/** Paths that answer with a page of rows. */
export type ListPath = {
  [P in keyof paths]: paths[P] extends {
    get: { responses: { 200: { content: { "application/json": { value: unknown[] } } } } };
  }
    ? P
    : never;
}[keyof paths];

/** A row of a list of the API. */
export type RowOf<P extends ListPath> = paths[P] extends {
  get: { responses: { 200: { content: { "application/json": { value: (infer R)[] } } } } };
}
  ? R
  : never;

/** Name of a query parameter of the API -> its values. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface Sort {
  column: string;
  descending: boolean;
}

export interface Option {
  value: string;
  label: string;
  count?: number;
}

/** How a list can be narrowed. */
export type Filter =
  | {
      kind: "values";
      /** The API's query parameter; several values are joined by OR. */
      param: string;
      label: string;
      options: readonly Option[] | (() => Promise<readonly Option[]>);
      /** Only one value at a time: the parameter is not repeatable. */
      single?: boolean;
      /** Chosen until the person chooses otherwise. */
      usual?: readonly string[];
    }
  | {
      kind: "date";
      label: string;
      /** The API's parameters for the beginning and the end, RFC 3339. */
      from: string;
      to?: string;
    };

export interface Column<Row> {
  /** Also what the API sorts by, where `sortable`. */
  id: string;
  name: string;
  /** What the cell says; also what is copied. */
  text: (row: Row) => string | number | null | undefined;
  /** What is drawn in place of the text. */
  draw?: (row: Row) => ReactNode;
  sortable?: boolean;
  width?: number;
  /** Numbers are aligned at their end. */
  numeric?: boolean;
  /** Not shown until the person asks for it. */
  hidden?: boolean;
  /** Takes what is left of the width. */
  grow?: boolean;
}

/** Something that can be done with a row, or with the selected ones. */
export interface RowAction {
  label: string;
  icon?: ReactElement;
  /** Why it cannot be done now; shown in its place. */
  disabled?: string | undefined;
  run: () => void;
}

/** What is selected: some rows by their ids, wherever they are, or all that match the filters. */
export type Selection<Row = unknown> =
  | { kind: "rows"; rows: ReadonlyMap<string, Row> }
  | { kind: "all"; count: number };

export const NOTHING: Selection<never> = { kind: "rows", rows: new Map<string, never>() };

/** Number of selected rows. */
export function selected(selection: Selection): number {
  return selection.kind === "all" ? selection.count : selection.rows.size;
}
