"""Overrides, "keep on until": what a schedule would take away stays on, and is taken away at the end instead."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, InvalidInput, NotFound
from shared.schedules import calendar, due, targets
from shared.schedules.changes import Why, change, every, trail
from shared.schedules.records import GRACE, KEEPABLE, RUNS, Due, Override, Schedule

LONGEST = timedelta(days=31)
MOST = 10
"""Overrides of one schedule at a time."""
MAX_DEVICES = 50
"""That one override names."""


async def keep_on(
    app: App, caller: Principal, schedule: Schedule, until: datetime, device_ids: list[str] | None, why: Why
) -> Schedule:
    """Keep the devices of a schedule on, or some of them. For the same devices it takes the place of the one before.

    Raises InvalidInput for an end that is not to come, NotFound for a device that is none of the schedule's, Conflict
    when there is nothing that could be held off.
    """
    now = app.clock.now()
    if not now < until <= now + LONGEST:
        raise InvalidInput(f"until is to come, within {LONGEST.days} days.", target="until")
    until = until.astimezone(UTC)
    if schedule.action not in KEEPABLE:
        raise Conflict(f"This schedule does {schedule.action}: it takes nothing away.", code="nothingToKeepOn")
    # What is kept on already may be kept on longer, whenever the next run is.
    if not holding(schedule, now) and (schedule.next_due is None or schedule.next_due >= until):
        following = f"its next run is at {schedule.next_due.isoformat()}" if schedule.next_due else "it has no next run"
        raise Conflict(f"Nothing would be held off until then: {following}.", code="nothingToKeepOn", target="until")
    if device_ids is not None:
        found = await targets.find(app, caller, schedule.target, schedule.action)
        mine = {row.entry.id for row in found.devices}
        if others := [name for name in device_ids if name not in mine]:
            raise NotFound(f"The schedule is not about {', '.join(others)}.", target="deviceIds")
    wanted = None if device_ids is None else sorted(set(device_ids))
    new = Override(
        id=_id(wanted),
        at=now,
        until=until,
        device_ids=wanted,
        by=caller.id,
        by_name=caller.name,
        reason=why.reason,
        ticket_number=why.ticket_number,
    )
    await due.remember(app, schedule.id, until, new.id)

    def added(current: Schedule) -> Schedule:
        before = next((one for one in current.overrides if one.id == new.id), None)
        others = [one for one in current.overrides if one.id != new.id]
        if len(others) >= MOST:
            raise Conflict(f"The schedule has {MOST} overrides. End them first, or name more devices in one.")
        # One that is made longer goes on: what it held off already is still to be made up.
        return current.changed(overrides=[*others, new.changed(at=before.at) if before is not None else new])

    stored = await change(app, schedule.id, added)
    if stored is None:
        raise NotFound(f"There is no schedule {schedule.id}.")
    await trail(app, caller, "override", stored, why, until=until, devices=len(wanted or []) or None)
    return stored


def _id(device_ids: list[str] | None) -> str:
    """The same for the same devices."""
    return hashlib.sha256("|".join(device_ids or []).encode()).hexdigest()[:8]


async def end(app: App, caller: Principal, schedule: Schedule, why: Why) -> None:
    """End every override of a schedule now: what was held off is done within a minute or two."""
    now = app.clock.now()
    running = [one for one in schedule.overrides if one.until > now]
    for one in running:
        await due.remember(app, schedule.id, now, one.id)
    ending = {one.id: one for one in running}

    def ended(current: Schedule) -> Schedule | None:
        rows = [one.changed(until=now) if one == ending.get(one.id) else one for one in current.overrides]
        return current.changed(overrides=rows) if rows != current.overrides else None

    after = await change(app, schedule.id, ended)
    going_on = {(one.id, one.until) for one in after.overrides} if after is not None else set()
    for one in running:
        # One that somebody made anew meanwhile goes on, and may end at the same time.
        if (one.id, one.until) in going_on:
            continue
        await due.forget(app, Due(schedule_id=schedule.id, at=one.until, cause=one.id))
    if running:
        await trail(app, caller, "overrideEnd", schedule, why)


def holding(schedule: Schedule, now: datetime) -> list[Override]:
    """The overrides that hold off what the schedule does now."""
    return [one for one in schedule.overrides if one.holds(now)] if schedule.action in KEEPABLE else []


def is_kept(device_id: str, held_by: Iterable[Override]) -> bool:
    """Whether a device is kept on by any of them."""
    return any(one.device_ids is None or device_id in one.device_ids for one in held_by)


async def held_off(app: App, schedule: Schedule, override: Override) -> datetime | None:
    """When the last run was due that an override held off and that no later run made good; None: there is none."""
    now = app.clock.now()
    if schedule.next_due is not None and now - GRACE <= schedule.next_due <= now:
        # The calendar itself comes at this moment; a run that is later than that is missed, and makes up for nothing.
        return None
    async for row in app.tables.query(RUNS, schedule.id):
        if (row.due_at, row.cause) == (override.until, override.id):
            # Its own making up, half done.
            continue
        if row.begun_at < override.at:
            return None
        if override.id in row.kept_by:
            return row.due_at
        # One that was begun so late is missed, though another worker may be about to say so.
        if row.state != "missed" and row.begun_at - row.due_at <= GRACE:
            return None
    return None


async def started_since(app: App, since: datetime, until: datetime) -> set[str]:
    """Devices that another schedule was to start meanwhile: they are meant to be on."""
    found: set[str] = set()
    for other in await every(app):
        if other.action not in ("start", "resume") or not other.enabled or other.approval.missing:
            continue
        between = calendar.runs(other.calendar(), since, 1)
        if between and between[0].at <= until:
            owner = await targets.owner_of(app, other)
            matched = await targets.find(app, owner.principal, other.target, other.action)
            found |= {row.entry.id for row in matched.devices}
    return found
