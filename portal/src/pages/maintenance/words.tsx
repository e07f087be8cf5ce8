/** What people call maintenance windows, their states, and what they are about. */
import { CalendarClockRegular, CheckmarkCircleRegular, type FluentIcon, WrenchRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { SiteNames } from "../../ui/sites";
import { Mark, type Tone } from "../../ui/status";
import { length, toTheMinute } from "../../ui/time";

export type Window = components["schemas"]["MaintenanceWindow"];

export const MAY_LOOK = "You may look only: maintenance windows need the role Alerts.Manage.";
/** Of many devices, only the first are named: each name is a read of its own. */
const NAMED = 10;

export const STATES: Record<Window["state"], readonly [Tone, string, FluentIcon]> = {
  active: ["doubtful", "In force", WrenchRegular],
  upcoming: ["quiet", "Planned", CalendarClockRegular],
  past: ["quiet", "Over", CheckmarkCircleRegular],
};

export function StateMark({ state }: { state: Window["state"] }) {
  const [tone, name, icon] = STATES[state];
  return (
    <Mark tone={tone} icon={icon}>
      {name}
    </Mark>
  );
}

/** The clock that times are shown by and typed in. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** From when to when, and for how long. */
export function span(startAt: string, endAt: string): string {
  const [start, end] = [new Date(startAt), new Date(endAt)];
  return `${toTheMinute(start)} to ${toTheMinute(end)} (${length(end.getTime() - start.getTime())})`;
}

/** How many devices, or how many sites: what a table can say without asking. */
export function scopeSize(row: Window): string {
  const { siteIds, deviceIds = [] } = row;
  const [count, what] = siteIds ? [siteIds.length, "site"] : [deviceIds.length, "device"];
  return `${count.toLocaleString()} ${count === 1 ? what : `${what}s`}`;
}

/** What a window is about: its sites, or its devices, by name. `brief`: as a cell of a table says it. */
export function Scope({ row, brief = false }: { row: Window; brief?: boolean }) {
  if (row.siteIds) {
    return (
      <span>
        {!brief && "Every device of "}
        <SiteNames ids={row.siteIds} most={brief ? 2 : row.siteIds.length} />
      </span>
    );
  }
  return <DeviceNames ids={row.deviceIds ?? []} />;
}

function DeviceNames({ ids }: { ids: readonly string[] }) {
  const { api } = useSession();
  const shown = ids.slice(0, NAMED);
  const names = useQuery({
    queryKey: ["device names", shown],
    queryFn: () =>
      Promise.all(
        shown.map(async (id) => {
          const params = { path: { device_id: id } };
          // A device that is gone has its id left.
          return (await api.GET("/api/devices/{device_id}", { params }).catch(() => undefined))?.data?.name ?? id;
        }),
      ),
    staleTime: 5 * 60_000,
  });
  const more = ids.length - shown.length;
  return (
    <span>
      {(names.data ?? shown).join(", ")}
      {more > 0 && ` and ${more.toLocaleString()} more`}
    </span>
  );
}
