/** The steps of the wizard, and which a connection's own state lets be opened. */
import type { Connection } from "../state";

export const STEPS = [
  { id: "name", name: "Name" },
  { id: "permissions", name: "Permissions" },
  { id: "signIn", name: "Sign in" },
  { id: "test", name: "Test" },
  { id: "customers", name: "Customers" },
  { id: "sites", name: "Sites" },
  { id: "confirm", name: "Confirm" },
  { id: "done", name: "Done" },
] as const;
export type StepId = (typeof STEPS)[number]["id"];

const FURTHEST: Record<Connection["status"], StepId> = {
  draft: "signIn",
  authorized: "test",
  needsConsent: "signIn",
  tested: "confirm",
  active: "done",
  disabling: "name",
};
const BEGIN: Record<Connection["status"], StepId> = {
  draft: "permissions",
  authorized: "test",
  needsConsent: "signIn",
  tested: "customers",
  active: "done",
  disabling: "name",
};

/** Goes with a move from one step to another: the next one takes the focus. */
export const MOVED = { state: { moved: true } };

/** Position of a step. */
export function position(step: StepId): number {
  return STEPS.findIndex((one) => one.id === step);
}

/** Whether a step can be opened in this state; undefined: the connection is not made yet. */
export function open(step: StepId, connection: Connection | undefined): boolean {
  return position(step) <= position(connection ? FURTHEST[connection.status] : "name");
}

/**
 * The step to show: the wanted one where the state allows it, else where the state stands.
 * `synced` and `mapped` count tenants and sites of the connection: with them a tested one goes on further.
 */
export function stepOf(
  wanted: string | null,
  connection: Connection | undefined,
  progress: { synced: number; mapped: number },
): StepId {
  const known = STEPS.find((one) => one.id === wanted)?.id;
  if (known && open(known, connection)) return known;
  if (!connection) return "name";
  if (connection.status !== "tested") return BEGIN[connection.status];
  if (progress.synced === 0) return "customers";
  return progress.mapped === 0 ? "sites" : "confirm";
}
