/** What became of each run of a schedule. */
import { useMemo } from "react";
import type { Column, RowOf } from "../../table/model";
import { Table } from "../../table/Table";
import { AppLink } from "../../ui/AppLink";
import { Mark, type Tone } from "../../ui/status";
import { length, Time } from "../../ui/time";

type Run = RowOf<"/api/schedules/{schedule_id}/runs">;

const STATES: Record<Run["state"], readonly [Tone, string]> = {
  starting: ["quiet", "Starting"],
  started: ["good", "Started"],
  missed: ["bad", "Missed"],
  overridden: ["quiet", "Kept on"],
  nothingToDo: ["quiet", "Nothing to do"],
};
const COLUMNS: readonly Column<Run>[] = [
  {
    id: "dueAt",
    name: "Due",
    text: (row) => row.dueAt,
    draw: (row) => <Time value={row.dueAt} />,
    width: 140,
  },
  { id: "dueLocal", name: "Local time", text: (row) => localTime(row.dueLocal), width: 150 },
  {
    id: "state",
    name: "What became of it",
    text: (row) => STATES[row.state][1],
    draw: (row) => <Mark tone={STATES[row.state][0]}>{STATES[row.state][1]}</Mark>,
    width: 170,
  },
  { id: "devices", name: "Devices", text: (row) => row.devices, numeric: true, width: 100 },
  { id: "kept", name: "Kept on", text: (row) => row.kept || "", numeric: true, width: 100 },
  {
    id: "outOfScope",
    name: "Out of reach",
    text: (row) => row.outOfScope || "",
    numeric: true,
    width: 120,
    hidden: true,
  },
  {
    id: "late",
    name: "Late by",
    text: (row) => (row.lateSeconds >= 60 ? length(row.lateSeconds * 1000) : ""),
    width: 110,
  },
  {
    id: "message",
    name: "Why",
    text: (row) => row.message ?? (row.keptBy ? `Kept on by ${row.keptBy.join(", ")}` : ""),
    width: 260,
    grow: true,
  },
  {
    id: "operation",
    name: "Operation",
    text: (row) => row.operationId,
    draw: (row) => row.operationId && <AppLink to={`/operations/${row.operationId}`}>See it</AppLink>,
    width: 110,
  },
];

export function Runs({ id }: { id: string }) {
  const inPath = useMemo(() => ({ schedule_id: id }), [id]);
  return (
    <Table
      name="schedule-runs"
      label="runs of the schedule"
      path="/api/schedules/{schedule_id}/runs"
      inPath={inPath}
      columns={COLUMNS}
      id={(row) => `${row.dueAt} ${row.because}`}
      empty={{
        title: "It has not run yet",
        text: "Each run is listed here, and each that was missed with the reason.",
      }}
    />
  );
}

/** "2026-12-01 19:00" of a local time with its offset. */
export function localTime(text: string): string {
  return text.slice(0, 16).replace("T", " ");
}
