/** Who did what to what, why, and how it came out; and whether the log is as it was written. */
import { Button } from "@fluentui/react-components";
import { useCallback, useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import type { Column, Filter, Option, RowAction, RowOf } from "../../table/model";
import type { Loaded } from "../../table/rows";
import { Table } from "../../table/Table";
import { PageFrame } from "../../ui/PageFrame";
import { siteLabel, useSites } from "../../ui/sites";
import { Mark, sentence, type Tone } from "../../ui/status";
import type { Names } from "../../ui/Task";
import { Time } from "../../ui/time";
import { useNames } from "../tenants/every";
import { EntryDrawer } from "./EntryDrawer";
import { Known, Target, Tenant, targetName } from "./Target";
import { VerifyDialog } from "./VerifyDialog";

export type Entry = RowOf<"/api/audit">;

const TONES: Record<string, Tone> = {
  accepted: "quiet",
  succeeded: "good",
  failed: "bad",
  refused: "bad",
  canceled: "doubtful",
  unknown: "doubtful",
};

/** `schedules.override.end` -> "Schedules: override end". */
export function actionName(action: string): string {
  const [area = "", ...verbs] = action.split(".");
  return `${sentence(area)}: ${verbs.map((verb) => sentence(verb).toLowerCase()).join(" ")}`;
}

/** Who did it; a timer has no name. */
export function actorName(entry: Entry): string {
  return entry.actorName || (entry.actor === "tenantry" ? "Tenantry" : entry.actor);
}

const COLUMNS: readonly Column<Entry>[] = [
  { id: "at", name: "When", text: (row) => row.at, draw: (row) => <Time value={row.at} />, width: 140 },
  { id: "actor", name: "Who", text: actorName, width: 140 },
  { id: "action", name: "What", text: (row) => actionName(row.action), width: 180 },
  {
    id: "outcome",
    name: "Outcome",
    text: (row) => row.outcome,
    draw: (row) => <Mark tone={TONES[row.outcome] ?? "quiet"}>{sentence(row.outcome)}</Mark>,
    width: 130,
  },
  {
    id: "target",
    name: "On what",
    text: (row) => targetName(row, {}),
    draw: (row) => <Target entry={row} />,
    width: 200,
  },
  {
    id: "tenantId",
    name: "Client tenant",
    text: (row) => row.tenantId,
    draw: (row) => row.tenantId && <Tenant id={row.tenantId} />,
    width: 150,
  },
  { id: "reason", name: "Reason", text: (row) => row.reason, width: 200, grow: true },
  { id: "ticketNumber", name: "Ticket", text: (row) => row.ticketNumber, width: 110 },
];

export default function AuditPage() {
  const [query, setQuery] = useSearchParams();
  const [shown, setShown] = useState<Entry>();
  const [verifying, setVerifying] = useState(false);
  const [seen, setSeen] = useState<readonly Entry[]>([]);
  const onLoaded = useCallback((page: Loaded<Entry>) => setSeen(page.value), []);
  const known = useKnown();
  const actor = query.get("actor");
  const target = query.get("target");
  const filters = useMemo<readonly Filter[]>(
    () => [
      { kind: "date", label: "When", from: "from", to: "to" },
      { kind: "values", param: "actor", label: "Who", single: true, options: people(seen, actor) },
      { kind: "values", param: "target", label: "On what", single: true, options: targets(seen, target, known) },
    ],
    [seen, actor, target, known],
  );
  const rowActions = useCallback(
    (row: Entry): readonly RowAction[] => [
      { label: "Show the whole entry", run: () => setShown(row) },
      { label: `All by ${actorName(row)}`, run: () => setQuery({ actor: row.actor }) },
      { label: "All on the same", run: () => setQuery({ target: row.target }) },
    ],
    [setQuery],
  );
  return (
    <PageFrame title="Audit log" actions={<Button onClick={() => setVerifying(true)}>Verify a day</Button>}>
      <Known value={known}>
        <Table
          name="audit"
          label="entries of the audit log"
          path="/api/audit"
          columns={COLUMNS}
          id={idOf}
          filters={filters}
          rowActions={rowActions}
          onLoaded={onLoaded}
          empty={{ title: "Nothing was done in the last 30 days", text: "Choose an earlier time under When." }}
        />
        {shown && <EntryDrawer entry={shown} close={() => setShown(undefined)} />}
      </Known>
      {verifying && <VerifyDialog close={() => setVerifying(false)} />}
    </PageFrame>
  );
}

const idOf = (row: Entry) => row.id;

/** What is on the page can be chosen, and what is chosen already. */
function people(seen: readonly Entry[], chosen: string | null): Option[] {
  const found = new Map(seen.map((row) => [row.actor, actorName(row)]));
  if (chosen && !found.has(chosen)) found.set(chosen, chosen);
  return [...found].map(([value, label]) => ({ value, label }));
}

function targets(seen: readonly Entry[], chosen: string | null, known: Names): Option[] {
  const found = new Map(seen.map((row) => [row.target, targetName(row, known)]));
  if (chosen && !found.has(chosen)) found.set(chosen, known[chosen] ?? chosen);
  return [...found].map(([value, label]) => ({ value, label }));
}

/** Names of what has a list, by id. */
function useKnown(): Names {
  const names = useNames();
  const sites = useSites();
  return useMemo(
    () => ({ ...names, ...Object.fromEntries((sites.data ?? []).map((one) => [one.id, siteLabel(one)])) }),
    [names, sites.data],
  );
}
