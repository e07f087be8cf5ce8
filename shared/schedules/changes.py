"""What people do to schedules: make, replace, delete and approve one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared import audit, capabilities
from shared.access import Principal
from shared.app import App
from shared.capabilities import Verb
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed
from shared.schedules import calendar, due, targets
from shared.schedules.records import (
    DUE,
    PARTITION,
    RUNS,
    SCHEDULES,
    Approval,
    Due,
    Run,
    Schedule,
    Target,
    run_row,
)
from shared.schedules.targets import MAX_DEVICES, Found

MAX_SCHEDULES = 500
"""Of an installation."""
MAX_OWN = 100
"""Of one owner, so that nobody uses them all up."""
MAX_SITES = 2_000
"""Of a schedule; more do not fit its row."""
MAX_TARGET_CHARS = 100_000
"""Of a target as it is stored."""
NAMED = 20
"""Devices that an error names."""


@dataclass(frozen=True)
class Wanted:
    """A schedule as a caller wants it."""

    name: str
    action: Verb
    time_zone: str
    rule: str
    start_at: str
    holidays: list[date]
    target: Target
    enabled: bool = True
    confirm: bool = False


@dataclass(frozen=True)
class Why:
    """What the audit log is told beside the deed."""

    reason: str | None = None
    ticket_number: str | None = None
    request_id: str | None = None


async def every(app: App) -> list[Schedule]:
    """All schedules."""
    return await app.tables.all(SCHEDULES, PARTITION)


def sees(caller: Principal, schedule: Schedule) -> bool:
    """Whether every site of a schedule is the caller's."""
    return caller.sites is None or (bool(schedule.site_ids) and caller.sites.issuperset(schedule.site_ids))


async def get(app: App, caller: Principal, schedule_id: str) -> Schedule:
    """One schedule. Raises NotFound, also when it has a site that is not the caller's."""
    found = await app.tables.get(SCHEDULES, PARTITION, schedule_id)
    if found is None or not sees(caller, found):
        raise NotFound(f"There is no schedule {schedule_id}.")
    return found


async def create(app: App, caller: Principal, wanted: Wanted, why: Why) -> Schedule:
    """Make a schedule.

    Raises InvalidInput for a calendar that is none and for a target too large, NotFound for a device out of reach,
    Conflict when nothing matches, when a confirmation is missing, or when there are too many schedules.
    """
    now = app.clock.now()
    owners = [row.get("owner") async for row in app.tables.rows(SCHEDULES.table, PARTITION, select=["owner"])]
    if len(owners) >= MAX_SCHEDULES:
        raise Conflict(f"There are {MAX_SCHEDULES} schedules already. Delete some first.", code="tooMany")
    if owners.count(caller.id) >= MAX_OWN:
        said = f"You own {MAX_OWN} schedules already. Delete some first, or let one be about more devices by a filter."
        raise Conflict(said, code="tooMany")
    new = await _made(app, caller, wanted, None, now)
    if new.next_due is not None:
        await due.remember(app, new.id, new.next_due)
    stored = await app.tables.insert(SCHEDULES, new)
    await trail(app, caller, "create", stored, why)
    return stored


async def replace(
    app: App, caller: Principal, before: Schedule, wanted: Wanted, version: int | None, why: Why
) -> Schedule:
    """Replace a schedule; the caller owns it from now on. What needs an approval needs it anew when it changed.

    Raises as `create`, and PreconditionFailed when it is not that version any more (None: that of `before`).
    """
    now = app.clock.now()
    new = await _made(app, caller, wanted, before, now)
    if new.next_due is not None:
        await due.remember(app, new.id, new.next_due)
    replaced: list[Schedule] = []

    def change(current: Schedule) -> Schedule:
        _same(current, version if version is not None else before.version)
        replaced.append(current)
        kept = {"version": current.version + 1, "overrides": current.overrides if new.enabled else []}
        return new.changed(**kept)

    stored = await app.tables.update(SCHEDULES, PARTITION, before.id, change)
    if stored is None:
        raise NotFound(f"There is no schedule {before.id}.")
    await _let_go(app, replaced[-1], stored, now)
    await trail(app, caller, "replace", stored, why)
    return stored


def _same(current: Schedule, version: int) -> None:
    if current.version != version:
        raise PreconditionFailed("It has changed since you read it. Read it again, then repeat.")


async def _let_go(app: App, before: Schedule, after: Schedule, now: datetime) -> None:
    """Forget the time that was next. A run that was due then and had not begun is no run any more: say so."""
    at = before.next_due
    if at is None or at == after.next_due:
        return
    if at > now:
        await due.forget(app, Due(schedule_id=before.id, at=at))
        return
    row = Run(
        schedule_id=before.id,
        due_at=at,
        action=before.action,
        state="missed",
        reason="changed",
        message="The schedule was changed when this was due and had not begun.",
        begun_at=now,
        worked_until=now,
    )
    try:
        await app.tables.insert(RUNS, row)
    except Conflict:
        return


async def delete(app: App, caller: Principal, schedule: Schedule, version: int | None, why: Why) -> None:
    """Delete a schedule; what it has begun goes on. Raises PreconditionFailed when it is not that version any more."""
    current: Schedule | None = schedule
    for _ in range(8):
        if current is None:
            return
        if version is not None:
            _same(current, version)
        try:
            await app.tables.delete(SCHEDULES, current)
            break
        except PreconditionFailed:
            # A run has begun meanwhile, or somebody changed it.
            current = await app.tables.get(SCHEDULES, PARTITION, schedule.id)
    else:
        raise Conflict("It is being changed by many at once. Try again.")
    await trail(app, caller, "delete", current, why)
    rows = [Due(schedule_id=current.id, at=one.until, cause=one.id) for one in current.overrides]
    if current.next_due is not None:
        rows.append(Due(schedule_id=current.id, at=current.next_due))
    await app.tables.delete_rows(DUE.table, DUE.key(rows[0])[0] if rows else "", [DUE.key(row)[1] for row in rows])


async def approve(app: App, caller: Principal, schedule: Schedule, version: int | None, why: Why) -> Schedule:
    """A second person lets a schedule run as it is.

    Raises Forbidden for its owner, Conflict when it needs nobody's approval or has it, PreconditionFailed when it
    changed.
    """
    if not schedule.approval.why:
        raise Conflict("This schedule needs no approval.", code="noApprovalNeeded")
    if caller.id == schedule.owner_id:
        raise Forbidden("You saved this schedule: another person must approve it.", code="approvalByRequester")
    now = app.clock.now()

    def change(current: Schedule) -> Schedule:
        if current.approval.by:
            raise Conflict("It is approved already.", code="alreadyDecided")
        _same(current, version if version is not None else schedule.version)
        approval = current.approval.changed(by=caller.id, by_name=caller.name, at=now)
        return current.changed(approval=approval, version=current.version + 1)

    stored = await app.tables.update(SCHEDULES, PARTITION, schedule.id, change)
    if stored is None:
        raise NotFound(f"There is no schedule {schedule.id}.")
    await trail(app, caller, "approve", stored, why)
    return stored


async def _made(app: App, caller: Principal, wanted: Wanted, before: Schedule | None, now: datetime) -> Schedule:
    when = calendar.parse(wanted.time_zone, wanted.rule, wanted.start_at, wanted.holidays)
    calendar.check(when, now)
    if len(wanted.target.model_dump_json()) > MAX_TARGET_CHARS:
        raise InvalidInput("The filter is too long. Name fewer values.", code="tooMany", target="target.filter")
    found = await targets.find(app, caller, wanted.target, wanted.action)
    _check(wanted, found)
    fresh = Schedule(
        id=before.id if before else uuid.uuid4().hex[:16],
        name=wanted.name,
        action=wanted.action,
        time_zone=wanted.time_zone,
        rule=wanted.rule,
        start_at=wanted.start_at,
        holidays=sorted(set(wanted.holidays)),
        target=wanted.target,
        enabled=wanted.enabled,
        confirm=wanted.confirm,
        site_ids=sorted(found.site_ids),
        owner_id=caller.id,
        owner_name=caller.name,
        owner_unlimited=caller.sites is None,
        approval=_approval(app, caller, wanted, found, before),
        created_at=before.created_at if before else now,
        created_by_name=before.created_by_name if before else caller.name,
        changed_at=now,
    )
    return fresh.changed(next_due=fresh.next_after(now))


def _check(wanted: Wanted, found: Found) -> None:
    if found.missing:
        raise NotFound(f"There is no device {_names(found.missing)}.", target="target.deviceIds")
    if found.unable:
        said = f"{wanted.action} cannot be done to {_names(found.unable)}, by their type."
        raise Conflict(said, code="actionNotAvailable", target="target.deviceIds")
    if not found.devices:
        said = f"No device that one can {wanted.action} matches now. A schedule that would do nothing is not made."
        raise Conflict(said, code="nothingMatches", target="target.filter")
    if len(found.devices) > MAX_DEVICES:
        said = f"{len(found.devices)} devices match; a schedule is about at most {MAX_DEVICES}. Name fewer."
        raise InvalidInput(said, code="tooMany", target="target.filter")
    if len(found.site_ids) > MAX_SITES:
        said = f"The filter reaches {len(found.site_ids)} sites, more than {MAX_SITES}. Name sites or clients in it."
        raise InvalidInput(said, code="tooMany", target="target.filter")
    if (effect := _marked(wanted.action, found)) and not wanted.confirm:
        raise Conflict(f"{effect} Send confirm: true to do it.", code="confirmationRequired", target="confirm")


def _names(device_ids: tuple[str, ...]) -> str:
    more = len(device_ids) - NAMED
    return ", ".join(device_ids[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _marked(verb: Verb, found: Found) -> str:
    """What a marked action among them does; empty when there is none."""
    known = (capabilities.find(row.entry.type, verb) for row in found.devices)
    return next((one.effect for one in known if one is not None and one.needs_confirmation), "")


def _approval(app: App, caller: Principal, wanted: Wanted, found: Found, before: Schedule | None) -> Approval:
    """The approval a schedule needs; the one it had while its owner wants no more than was approved."""
    count, limit = len(found.devices), app.settings.approval_above_devices
    why = _marked(wanted.action, found)
    if limit and count > limit:
        why = f"It is about {count} devices; above {limit} a second person approves."
    if before is not None and why and before.approval.by and is_within(before, caller, wanted, found):
        return before.approval
    return Approval(why=why, devices=count)


def is_within(before: Schedule, caller: Principal, wanted: Wanted, found: Found) -> bool:
    """Whether the same owner wants the same as before, or less: not on more days, in no other site."""
    asked = (wanted.action, wanted.target, wanted.rule, wanted.time_zone, wanted.start_at)
    return (
        caller.id == before.owner_id
        and asked == (before.action, before.target, before.rule, before.time_zone, before.start_at)
        and set(before.holidays) <= set(wanted.holidays)
        and found.site_ids <= set(before.site_ids)
    )


async def trail(app: App, by: Principal, verb: str, schedule: Schedule, why: Why, **details: Any) -> None:
    """Write an act on a schedule into the audit log."""
    await audit.record(
        app,
        by.id,
        f"schedules.{verb}",
        schedule.id,
        actor_name=by.name,
        outcome="succeeded",
        reason=why.reason,
        ticket_number=why.ticket_number,
        request_id=why.request_id or "",
        name=schedule.name,
        schedule=f"{schedule.action} {schedule.rule} from {schedule.start_at} {schedule.time_zone}",
        sites=len(schedule.site_ids),
        enabled=schedule.enabled,
        **details,
    )


async def change(app: App, schedule_id: str, how: Callable[[Schedule], Schedule | None]) -> Schedule | None:
    """Change the row of a schedule; None when it is gone. `how` as in Tables.update."""
    return await app.tables.update(SCHEDULES, PARTITION, schedule_id, how)


async def run_of(app: App, schedule_id: str, at: datetime, cause: str) -> Run | None:
    """What is stored of a run."""
    return await app.tables.get(RUNS, schedule_id, run_row(at, cause))
