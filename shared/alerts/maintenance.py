"""Maintenance windows: times in which people may take devices down, and nobody is told.

A window is a row of its own. Its id begins with the end it was made with, so that those that are still of account are
one range of keys.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from shared import audit, sites
from shared.access import Principal
from shared.app import App
from shared.devices import DEVICES, Place, places, subscription_of
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed
from shared.jobs import ApplyEvents
from shared.store.tables import Kind, Record

State = Literal["upcoming", "active", "past"]
PARTITION = "window"
MAX_SITES, MAX_DEVICES = 200, 200
MAX_OF_CALLER, MAX_WINDOWS = 200, 1_000
"""Windows that are not past: of one caller who is limited to sites, and altogether. Every judgement reads them all."""
LONGEST = timedelta(days=31)
AHEAD = timedelta(days=366)
"""How far in the future one may begin."""
OF_ACCOUNT = timedelta(days=8)
"""So long after its end one may still excuse a device: more than the longest grace of a policy."""
RECENT = timedelta(minutes=10)
"""Twice the time between two looks of the watchdog: so long a change is made known again."""
AT_ONCE = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(Record):
    """Sites or devices, one of the two, and a time. Times are UTC."""

    id: str
    site_ids: list[str] | None = None
    device_ids: list[str] | None = None
    starts_at: datetime
    ends_at: datetime
    """As it was made, or when it was ended early."""
    reason: str
    ticket_number: str | None = None
    created_at: datetime
    created_by: str = ""
    created_by_name: str = ""
    changed_at: datetime
    ended_by_name: str | None = None
    """Who ended it early."""

    def state(self, now: datetime) -> State:
        """Whether it is still to come, holds now, or is over."""
        if now < self.starts_at:
            return "upcoming"
        return "active" if now < self.ends_at else "past"

    def covers(self, device_id: str, site_id: str | None) -> bool:
        """Whether it is about a device of a site (None: of none)."""
        if self.device_ids is not None:
            return device_id in self.device_ids
        return site_id is not None and site_id in (self.site_ids or ())


WINDOWS = Kind("Maintenance", Window, lambda w: (PARTITION, w.id))


def _mark(at: datetime) -> str:
    return f"{(at - _EPOCH) // timedelta(milliseconds=1):015d}"


async def every(app: App) -> list[Window]:
    """All windows, by the end they were made with."""
    return await app.tables.all(WINDOWS, PARTITION)


async def around(app: App) -> list[Window]:
    """The windows that may excuse a device now: to come, present, and over for a few days. One query."""
    return await app.tables.all(WINDOWS, PARTITION, above=_mark(app.clock.now() - OF_ACCOUNT))


class Scope:
    """What of windows a caller sees: their sites and devices that are in his sites, as these are now."""

    def __init__(self, caller: Principal, every_place: list[Place]) -> None:
        self._caller = caller
        self._site_of = {row.subscription.id: row.site.id for row in every_place if row.shown and row.site is not None}

    def site_of(self, device_id: str) -> str | None:
        """The site of a device by its subscription; None when it is shown nowhere."""
        return self._site_of.get(subscription_of(device_id))

    def seen(self, window: Window) -> tuple[list[str], list[str]]:
        """Its sites and its devices, as far as the caller sees them."""
        mine = [name for name in window.site_ids or [] if self._caller.sees_site(name)]
        return mine, [name for name in window.device_ids or [] if self._caller.sees_site(self.site_of(name))]

    def sees(self, window: Window) -> bool:
        """Whether it is about anything of his."""
        return any(self.seen(window))

    def owns(self, window: Window) -> bool:
        """Whether it is about his alone. What is gone from Azure or unmapped is nobody's, and in nobody's way."""
        others = (name for name in window.device_ids or [] if self.site_of(name) is not None)
        wanted = [*(window.site_ids or []), *others]
        site_ids, device_ids = self.seen(window)
        return set(wanted) <= {*site_ids, *device_ids}


async def scope(app: App, caller: Principal) -> Scope:
    """The caller's scope at this moment."""
    return Scope(caller, await places.every(app))


async def get(app: App, caller: Principal, window_id: str) -> tuple[Window, Scope]:
    """One window, with what the caller sees of it. Raises NotFound, also when it is about nothing of his."""
    found, seen = await asyncio.gather(app.tables.get(WINDOWS, PARTITION, window_id), scope(app, caller))
    if found is None or not seen.sees(found):
        raise NotFound(f"There is no maintenance window {window_id}.")
    return found, seen


async def create(
    app: App,
    caller: Principal,
    *,
    site_ids: list[str] | None,
    device_ids: list[str] | None,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    ticket_number: str | None = None,
    request_id: str = "",
) -> tuple[Window, Scope]:
    """Make a window; what is down already because it began is judged again at once.

    Raises InvalidInput (one of the two kinds of targets, begin before end, the end to come, at most LONGEST), NotFound
    for a site or device that is not there or out of scope, Conflict when there are too many already.
    """
    now = app.clock.now()
    _check(site_ids, device_ids, starts_at, ends_at, now)
    seen = await scope(app, caller)
    await _check_targets(app, caller, seen, site_ids or [], device_ids or [])
    await _check_number(app, caller, now)
    window = Window(
        id=f"{_mark(ends_at)}-{uuid.uuid4().hex[:12]}",
        site_ids=None if site_ids is None else sorted(set(site_ids)),
        device_ids=None if device_ids is None else sorted(set(device_ids)),
        starts_at=starts_at.astimezone(UTC),
        ends_at=ends_at.astimezone(UTC),
        reason=reason,
        ticket_number=ticket_number,
        created_at=now,
        created_by=caller.id,
        created_by_name=caller.name,
        changed_at=now,
    )
    stored = await app.tables.insert(WINDOWS, window)
    await _trail(app, caller, "maintenance.create", stored, reason, ticket_number, request_id)
    await judge_again(app, [stored])
    return stored, seen


def _check(
    site_ids: list[str] | None, device_ids: list[str] | None, starts_at: datetime, ends_at: datetime, now: datetime
) -> None:
    if (site_ids is None) == (device_ids is None):
        raise InvalidInput("Name siteIds or deviceIds, one of the two.", target="siteIds")
    if starts_at >= ends_at:
        raise InvalidInput("startAt must be before endAt.", target="startAt")
    if ends_at <= now:
        raise InvalidInput("endAt must be in the future.", target="endAt")
    if ends_at - starts_at > LONGEST:
        raise InvalidInput(f"A window lasts at most {LONGEST.days} days. Make another one after it.", target="endAt")
    if starts_at - now > AHEAD:
        raise InvalidInput(f"startAt is more than {AHEAD.days} days ahead.", target="startAt")


async def _check_targets(app: App, caller: Principal, seen: Scope, site_ids: list[str], device_ids: list[str]) -> None:
    known = (await sites.load(app)).by_id
    for site_id in site_ids:
        caller.require_site(site_id, f"site {site_id}")
        if site_id not in known:
            raise NotFound(f"There is no site {site_id}.", target="siteIds")
    gate = asyncio.Semaphore(AT_ONCE)

    async def there(device_id: str) -> bool:
        site_id = seen.site_of(device_id)
        if site_id is None or not caller.sees_site(site_id):
            return False
        async with gate:
            return await app.tables.get(DEVICES, subscription_of(device_id), f"device|{device_id}") is not None

    found = await asyncio.gather(*(there(device_id) for device_id in device_ids))
    if missing := [device_id for device_id, is_there in zip(device_ids, found, strict=True) if not is_there]:
        raise NotFound(f"There is no device {', '.join(missing)}.", target="deviceIds")


async def _check_number(app: App, caller: Principal, now: datetime) -> None:
    rows = [row for row in await around(app) if row.state(now) != "past"]
    mine = sum(row.created_by == caller.id for row in rows)
    if caller.sites is not None and mine >= MAX_OF_CALLER:
        raise Conflict(f"You have {mine} maintenance windows that are not over. End some, or name more sites in one.")
    if len(rows) >= MAX_WINDOWS:
        raise Conflict(f"There are {len(rows)} maintenance windows that are not over. End some first.")


async def end(
    app: App, caller: Principal, window: Window, seen: Scope, *, etag: str | None = None, **why: str | None
) -> None:
    """End a window: one that holds is over from now on, one to come goes away, one that is over stays as it is.

    `etag` None: whatever version is there. Raises Forbidden when it is about sites outside the caller's too,
    PreconditionFailed when it is not that version any more.
    """
    if not seen.owns(window):
        raise Forbidden("This window is about sites outside yours too. Ask an Integration.Admin to end it.")
    now = app.clock.now()
    state = window.state(now)
    if state == "past":
        return
    try:
        if state == "upcoming":
            await app.tables.delete(WINDOWS, window)
        else:
            await app.tables.put(WINDOWS, window.changed(ends_at=now, changed_at=now, ended_by_name=caller.name))
    except PreconditionFailed:
        if etag is not None:
            raise
        # Whoever was faster ended it: nothing else changes a window.
        return
    await _trail(
        app,
        caller,
        "maintenance.end",
        window,
        why.get("reason"),
        why.get("ticket_number"),
        why.get("request_id") or "",
    )
    await judge_again(app, [window])


async def _trail(
    app: App, by: Principal, action: str, window: Window, reason: str | None, ticket_number: str | None, request_id: str
) -> None:
    await audit.record(
        app,
        by.id,
        action,
        window.id,
        actor_name=by.name,
        outcome="succeeded",
        reason=reason,
        ticket_number=ticket_number,
        request_id=request_id,
        siteIds=window.site_ids,
        devices=len(window.device_ids or []),
        startAt=window.starts_at,
        endAt=window.ends_at,
    )


async def judge_again(app: App, windows: Collection[Window]) -> None:
    """Have the incidents that windows are about judged by the windows as they are now."""
    shown = [row for row in await places.every(app) if row.shown and row.site is not None]
    jobs: dict[str, ApplyEvents] = {}
    for window in windows:
        for row in shown:
            name = row.subscription.id
            if row.site is not None and row.site.id in (window.site_ids or ()):
                jobs[f"{name}|all"] = ApplyEvents(subscription_id=name, everything=True)
            if mine := [device for device in window.device_ids or () if subscription_of(device) == name]:
                jobs[f"{name}|{window.id}"] = ApplyEvents(subscription_id=name, due=mine)
    await app.queues.send_all(jobs.values())


async def make_known(app: App) -> None:
    """Timer: judge again what windows changed in the last minutes, in case whoever did it died before he asked for it.

    A window that was to come and is gone needs nothing: it excused nobody yet, or its devices are due soon.
    """
    now = app.clock.now()
    if recent := [row for row in await around(app) if now - row.changed_at < RECENT]:
        await judge_again(app, recent)


class MaintenanceWindow(TypedDict):
    """A maintenance window: of its sites or devices those that are the caller's. Times are UTC."""

    id: str
    state: State
    startAt: datetime
    endAt: datetime
    reason: str
    createdAt: datetime
    createdBy: str
    siteIds: NotRequired[list[str]]
    deviceIds: NotRequired[list[str]]
    ticketNumber: NotRequired[str]
    endedBy: NotRequired[str]


def view(window: Window, seen: Scope, now: datetime) -> MaintenanceWindow:
    """As the API shows it: of its targets those in the caller's sites."""
    site_ids, device_ids = seen.seen(window)
    shown: MaintenanceWindow = {
        "id": window.id,
        "state": window.state(now),
        "startAt": window.starts_at,
        "endAt": window.ends_at,
        "reason": window.reason,
        "createdAt": window.created_at,
        "createdBy": window.created_by_name or window.created_by,
    }
    if window.site_ids is not None:
        shown["siteIds"] = site_ids
    if window.device_ids is not None:
        shown["deviceIds"] = device_ids
    if window.ticket_number is not None:
        shown["ticketNumber"] = window.ticket_number
    if window.ended_by_name is not None:
        shown["endedBy"] = window.ended_by_name
    return shown
