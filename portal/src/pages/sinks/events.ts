/** The events that a sink may be told of, in words. */

export const EVENTS: Readonly<Record<string, string>> = {
  "tenantry.alert.opened": "An alert opened",
  "tenantry.alert.updated": "An alert changed",
  "tenantry.alert.closed": "An alert closed",
  "tenantry.operation.completed": "An action has ended",
  "tenantry.schedule.missed": "A schedule's run was missed",
  "tenantry.tenant.synced": "A tenant is connected",
  "tenantry.tenant.failed": "A tenant could not be connected",
  "tenantry.connection.needsConsent": "A connection needs a new sign-in",
  "tenantry.sink.disabled": "Another sink was switched off",
};

/** What people call an event. */
export function eventName(type: string): string {
  return EVENTS[type] ?? (type === "tenantry.sink.test" ? "A test" : type);
}
