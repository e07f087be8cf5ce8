"""Reading alerts: the open ones from one partition, the closed ones month by month, merged newest first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from shared import audit, progress
from shared.access import Principal
from shared.alerts import deliveries, work
from shared.alerts.records import ALERTS, OPEN, Alert, Step, closed_key, extended, order, parse_id, view
from shared.app import App
from shared.devices import places
from shared.devices.places import Place
from shared.errors import Conflict, NotFound

State = Literal["open", "closed", "suppressed"]
TICKETS_AT_ONCE = 32


@dataclass(frozen=True)
class Filter:
    """What a list keeps; an empty set keeps everything. Names are compared without case."""

    states: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    site_ids: frozenset[str] = frozenset()
    client_names: frozenset[str] = frozenset()
    tenant_ids: frozenset[str] = frozenset()
    subscription_ids: frozenset[str] = frozenset()
    device_ids: frozenset[str] = frozenset()
    search: str = ""
    caller: Principal | None = field(default=None, compare=False)

    def keeps(self, alert: Alert) -> bool:
        """Whether an alert is shown."""
        about = alert.subject
        pairs = (
            (self.states, alert.state),
            (self.statuses, alert.status),
            (self.site_ids, alert.site_id or ""),
            (self.client_names, about.client_name),
            (self.tenant_ids, about.tenant_id),
            (self.subscription_ids, about.subscription_id),
            (self.device_ids, alert.device_id),
        )
        if any(wanted and value.casefold() not in {w.casefold() for w in wanted} for wanted, value in pairs):
            return False
        if self.search and self.search.casefold() not in about.name.casefold():
            return False
        return self.caller is None or self.caller.sees_site(alert.site_id)

    def wants(self, state: str) -> bool:
        """Whether alerts in that state can be in the list."""
        return not self.states or state in self.states


async def listed(app: App, wanted: Filter, *, above: str = "", limit: int | None) -> list[Alert]:
    """Alerts newest first, from beyond a position (`records.order` of the last one shown), at most `limit`."""
    found: list[Alert] = []
    async for alert in _merged(app, wanted, above):
        if wanted.keeps(alert):
            found.append(alert)
            if limit is not None and len(found) >= limit:
                break
    return found


async def _merged(app: App, wanted: Filter, above: str) -> AsyncIterator[Alert]:
    """Open and closed alerts in one order; one that is being moved shows once."""
    opened: list[tuple[str, Alert]] = []
    if wanted.wants("open"):
        every = [(order(a.device_id, a.opened_at), a) for a in await app.tables.all(ALERTS, OPEN)]
        beyond = [row for row in every if row[0] > above]
        found = {place.subscription.id: place for place in await places.every(app)} if beyond else {}
        present = [row for row in beyond if _present(found.get(row[1].subject.subscription_id), wanted.caller)]
        opened = sorted(present, key=lambda row: row[0], reverse=True)
    if wanted.wants("closed"):
        for month in progress.partitions(app):
            async for alert in app.tables.query(ALERTS, f"closed-{month}", above=above):
                key = order(alert.device_id, alert.opened_at)
                while opened and opened[-1][0] < key:
                    yield opened.pop()[1]
                if opened and opened[-1][0] == key:
                    opened.pop()
                yield alert
    while opened:
        yield opened.pop()[1]


def _present(place: Place | None, caller: Principal | None) -> bool:
    """Whether an open alert is shown, by where its device stands now.

    It is hidden as soon as its tenant is unsynced or its site unmapped; the job that closes it comes later.
    """
    if place is None or not place.shown:
        return False
    return caller is None or caller.sees_site(place.site.id if place.site else None)


async def get(app: App, caller: Principal, alert_id: str) -> Alert:
    """One alert. Raises NotFound, also outside the caller's sites and for an open one whose device is not shown."""
    place = parse_id(alert_id)
    if place is not None:
        device_id, opened_at = place
        for partition, row in (closed_key(device_id, opened_at), (OPEN, device_id)):
            alert = await app.tables.get(ALERTS, partition, row)
            if alert is None or alert.id != alert_id or not caller.sees_site(alert.site_id):
                continue
            if alert.state == "closed" or _present(await places.of(app, alert.subject.subscription_id), caller):
                return alert
    raise NotFound(f"There is no alert {alert_id}.")


async def open_alert_of(app: App, device_id: str) -> Alert | None:
    """The open alert of a device, or None."""
    return await app.tables.get(ALERTS, OPEN, device_id)


async def shown(app: App, alerts: list[Alert], *, timeline: bool = False) -> list[dict[str, Any]]:
    """The alerts as the API shows them, with their tickets."""
    gate = asyncio.Semaphore(TICKETS_AT_ONCE)

    async def one(alert: Alert) -> dict[str, Any]:
        async with gate:
            return view(alert, await work.tickets(app, alert), timeline=timeline)

    return list(await asyncio.gather(*(one(alert) for alert in alerts)))


async def redeliver(app: App, caller: Principal, alert_id: str, **why: str | None) -> Alert:
    """Send the alert's events again to every sink that was told of it, under the same ids.

    `why` goes to the audit log. Raises NotFound, Conflict while a delivery is still under way or when none was told.
    """
    alert = await get(app, caller, alert_id)
    rows = [row for sink_id in alert.sink_ids for row in await work.delivered(app, alert, sink_id)]
    if not rows:
        raise Conflict("No sink was told of this alert, so there is nothing to send again.")
    ended = [row for row in rows if row.state != "pending"]
    if not ended:
        raise Conflict("Its deliveries are still under way; they are tried again by themselves.")
    for row in ended:
        await deliveries.again(app, row)
    step = Step(at=app.clock.now(), what="redelivered", detail=caller.name)
    partition, row_key = ALERTS.key(alert)
    changed = await app.tables.update(
        ALERTS, partition, row_key, lambda current: current.changed(timeline=extended(current.timeline, step))
    )
    await audit.record(
        app,
        caller.id,
        "alert.redeliver",
        alert_id,
        actor_name=caller.name,
        **{name: value for name, value in why.items() if value is not None},
    )
    return changed or alert
