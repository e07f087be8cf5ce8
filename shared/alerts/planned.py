"""Which planned work is around a device: our own actions and people's maintenance windows, as the rules take them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared import sites
from shared.alerts import maintenance, policies
from shared.alerts.maintenance import Window
from shared.app import App
from shared.incidents.records import PlannedWork
from shared.operations import planned as actions
from shared.operations.planned import DeviceWork, Work

LONGEST = timedelta(hours=3)
"""More than an action takes, waiting in line included: one that nobody ended by then ended then."""
EARLY = timedelta(minutes=5)
"""How much sooner than planned work a spell may begin and still be its doing."""


async def of_devices(
    app: App,
    subscription_id: str,
    site_id: str | None,
    device_ids: Sequence[str],
    *,
    types: Mapping[str, str] | None = None,
) -> dict[str, tuple[PlannedWork, ...]]:
    """Device id -> the planned work that may concern it, by its begin; every id that was asked for is in it.

    `types` (device id -> ARM type) lets a maintenance window go by the grace that the policy gives the device's type.
    Two queries and two point reads, whatever the number of devices.
    """
    now = app.clock.now()
    works, windows, policy, site_map = await asyncio.gather(
        actions.of_subscription(app, subscription_id), maintenance.around(app), policies.load(app), sites.load(app)
    )
    site = site_map.by_id.get(site_id or "")
    client = site.client_name if site else ""
    graces: dict[str, timedelta] = {}

    def grace(kind: str) -> timedelta:
        if kind not in graces:
            graces[kind] = timedelta(minutes=policy.for_device(client, site_id, kind).grace_minutes)
        return graces[kind]

    found: dict[str, tuple[PlannedWork, ...]] = {}
    for device_id in device_ids:
        kind = (types or {}).get(device_id, "")
        rows = [of_window(row, grace(kind)) for row in windows if row.covers(device_id, site_id)]
        if device_id in works:
            rows += of_actions(works[device_id], grace, now)
        found[device_id] = tuple(sorted(rows, key=lambda row: (row.starts_at, row.id)))
    return found


def of_window(window: Window, grace: timedelta) -> PlannedWork:
    """A maintenance window: who goes away in it is to be back by its end and the grace. Pure."""
    return PlannedWork(
        id=window.id,
        kind="maintenance",
        what=f"Maintenance: {window.reason}",
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        back_by=window.ends_at + grace,
    )


def of_actions(device: DeviceWork, grace: Callable[[str], timedelta], now: datetime) -> Iterable[PlannedWork]:
    """A device's actions. Pure.

    Whoever was started or restarted is to be back by the end of that and the grace. Who was stopped is to stay away;
    that it goes is seen late, so a spell may begin within the grace, but not after the next action. What failed
    excuses nothing beyond its end.
    """
    margin = grace(device.device_type)
    for index, row in enumerate(device.works):
        following = device.works[index + 1].starts_at if index + 1 < len(device.works) else None
        yield _of_action(row, margin, following, now)


def _of_action(row: Work, grace: timedelta, following: datetime | None, now: datetime) -> PlannedWork:
    ended = row.ends_at
    if ended is None and now - row.starts_at > LONGEST:
        ended = row.starts_at + LONGEST
    back_by: datetime | None = None
    ends_at = ended
    if ended is None:
        back_by = None if row.stops else row.starts_at + LONGEST + grace
    elif row.failed:
        back_by = ended
    elif row.stops:
        ends_at = ended + grace
        if following is not None:
            ends_at = max(ended, min(ends_at, following - EARLY))
    else:
        back_by = ended + grace
    return PlannedWork(
        id=row.id,
        kind=row.kind,
        what=row.what,
        starts_at=row.starts_at,
        ends_at=ends_at,
        done_at=ended,
        back_by=back_by,
    )
