"""Doing what a schedule is due for: one queue job per time, each of whose steps may be cut off and done again.

The run's row is inserted first, so that a time that comes twice is run once. Then the action is started, under a key
that stands for it alone; then what became of it is stored and told; then the next time is written down.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from shared import audit, operations
from shared.app import App
from shared.devices.listing import Row
from shared.errors import Conflict, InvalidInput, PreconditionFailed
from shared.jobs import Announce, RunSchedule
from shared.schedules import due, overrides, targets
from shared.schedules.changes import change, run_of
from shared.schedules.records import GRACE, MADE_UP, PARTITION, RUNS, SCHEDULES, Due, Override, Run, Schedule
from shared.schedules.views import view_run

WORKING = timedelta(minutes=2)
"""How long a worker has for one run before another one takes it for dead."""
MOST_MISSED = 100
"""Times that were missed one after the other and are written down by one job."""
LATE = timedelta(minutes=2)
"""From then on a run says how late it began."""


async def run(app: App, job: RunSchedule) -> None:
    """Queue job: one run of a schedule, or what is left to do of it."""
    now, this = app.clock.now(), Due(schedule_id=job.schedule_id, at=job.at, cause=job.cause)
    schedule = await app.tables.get(SCHEDULES, PARTITION, job.schedule_id)
    row = await run_of(app, job.schedule_id, job.at, job.cause)
    override = _override(schedule, this)
    expected = schedule is not None and (override is not None if this.cause else schedule.next_due == this.at)
    if schedule is not None and not expected and row is not None and row.state == "starting" and row.worked_until < now:
        why = (
            "It was cut off, and the schedule was changed before it went on. What it had begun is among the operations."
        )
        await _store(app, schedule, _missed(row, "changed", why))
        await due.forget(app, this)
        return
    if schedule is None or not expected:
        if (row is not None and row.state != "starting") or now - this.at > due.ORPHANED:
            await due.forget(app, this)
        return
    if row is None or row.state == "starting":
        held_off = await overrides.held_off(app, schedule, override) if override and row is None else this.at
        if held_off is not None:
            mine = await _claim(app, schedule, this, row, now)
            if mine is None:
                return
            await _store(app, schedule, await _carry_out(app, schedule, mine, override))
    await _go_on(app, schedule, this, now)


def _override(schedule: Schedule | None, this: Due) -> Override | None:
    """The override that ends at this time."""
    found = schedule.overrides if schedule is not None else []
    return next((one for one in found if one.id == this.cause and one.until == this.at), None)


async def _claim(app: App, schedule: Schedule, this: Due, row: Run | None, now: datetime) -> Run | None:
    """The row of the run, ours to carry out; None while another worker is at it."""
    fresh = Run(
        schedule_id=this.schedule_id,
        due_at=this.at,
        cause=this.cause,
        action=schedule.action,
        begun_at=now,
        worked_until=now + WORKING,
    )
    try:
        if row is None:
            return await app.tables.insert(RUNS, fresh)
        if row.worked_until > now:
            return None
        return await app.tables.put(RUNS, row.changed(worked_until=now + WORKING))
    except (Conflict, PreconditionFailed):
        return None


async def _carry_out(app: App, schedule: Schedule, row: Run, override: Override | None) -> Run:
    """Do it, if it is to be done; the run as it ends. Judged by when it was begun: another worker may have begun it."""
    late = row.begun_at - row.due_at
    if late > GRACE:
        why = f"Nobody came to it for {_minutes(late)}; later than {_minutes(GRACE)} it is not begun any more."
        return _missed(row, "late", why)
    if override is not None and schedule.action not in MADE_UP:
        return row.changed(state="nothingToDo", message=f"A {schedule.action} that was held off is not made up for.")
    held_by = [one for one in overrides.holding(schedule, row.begun_at) if one is not override]
    row = row.changed(kept_by=[one.id for one in held_by], kept_by_names=sorted({one.by_name for one in held_by}))
    if any(one.device_ids is None for one in held_by):
        until = max(one.until for one in held_by if one.device_ids is None)
        why = f"{' and '.join(row.kept_by_names)} keeps the devices on until {until.isoformat(timespec='minutes')}."
        return row.changed(state="overridden", message=why)
    if schedule.approval.missing:
        return _missed(row, "notApproved", f"Nobody has approved the schedule. {schedule.approval.why}")
    owner = await targets.owner_of(app, schedule)
    if not owner.sites:
        why = f"{schedule.owner_name}, who saved the schedule, has none of its sites any more. Save it anew."
        return _missed(row, "ownerLostSites", why)
    try:
        found = await targets.find(app, owner.principal, schedule.target, schedule.action)
    except InvalidInput as error:
        return _missed(row, error.code, error.message)
    lost = len(schedule.site_ids) - len(owner.sites)
    said = f"{lost} of its sites are no longer {schedule.owner_name}'s." if lost else None
    return await _start(app, schedule, row.changed(message=said), override, found, held_by, owner.every_site)


async def _start(
    app: App,
    schedule: Schedule,
    row: Run,
    override: Override | None,
    found: targets.Found,
    held_by: list[Override],
    every_site: bool,
) -> Run:
    if not found.devices:
        return _missed(row, "nothingMatches", "No device matched that the schedule and its owner may act on.")
    going = [one for one in found.devices if not overrides.is_kept(one.entry.id, held_by)]
    kept = len(found.devices) - len(going)
    if override is not None:
        going = await _made_up(app, schedule, override, going, row.begun_at)
    row = row.changed(devices=len(going), kept=kept, out_of_scope=len(found.missing))
    if not going:
        state = "overridden" if kept else "nothingToDo"
        return row.changed(state=state, message="Every device is kept on, or was to be started meanwhile.")
    limit, approval = app.settings.approval_above_devices, schedule.approval
    try:
        operation = await operations.start_many(
            app,
            verb=schedule.action,
            found=going,
            asked_by=schedule.owner_id,
            asked_by_name=f"schedule {schedule.name}",
            every_site=every_site,
            kind="schedule",
            reason=f"Schedule {schedule.name}",
            confirm=schedule.confirm,
            # Of a target that has grown beyond what was approved, the run itself is to be approved.
            approved_by=approval.by or None if len(going) <= max(limit, 2 * approval.devices) else None,
            key=f"{schedule.id}|{row.due_at.isoformat()}|{row.cause}",
        )
    except (Conflict, InvalidInput) as error:
        return _missed(row, error.code, error.message)
    if operation.status == "canceled":
        why = (operation.error or {}).get("message", "")
        return _missed(row.changed(operation_id=operation.id), "canceled", f"It was canceled before it began. {why}")
    late = row.begun_at - row.due_at
    said = [f"Begun {_minutes(late)} late."] if late > LATE else []
    said += [row.message] if row.message else []
    return row.changed(state="started", operation_id=operation.id, message=" ".join(said) or None)


async def _made_up(app: App, schedule: Schedule, override: Override, going: list[Row], now: datetime) -> list[Row]:
    """What of it is stopped at the end of an override: what it kept on, and no schedule was to start since."""
    since = await overrides.held_off(app, schedule, override)
    if since is None:
        return []
    meant = await overrides.started_since(app, since, now)
    return [
        one
        for one in going
        if one.entry.id not in meant and (override.device_ids is None or one.entry.id in override.device_ids)
    ]


def _missed(row: Run, reason: str, message: str) -> Run:
    return row.changed(state="missed", reason=reason, message=message)


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{minutes // 60} hours"


async def _store(app: App, schedule: Schedule, ended: Run) -> None:
    """Store what became of a run, once it is told. Told twice after a kill, it is the same event."""
    if ended.state == "missed":
        await _announce(app, schedule, ended, 1)
    await _trail(app, schedule, ended)
    await app.tables.put(RUNS, ended)


async def _announce(app: App, schedule: Schedule, row: Run, count: int) -> None:
    told = Announce(
        event="tenantry.schedule.missed",
        event_id=f"{schedule.id}|{row.due_at.isoformat()}|{row.cause}|missed",
        subject=schedule.id,
        site_ids=schedule.site_ids,
        data=view_run(row, schedule.time_zone)
        | {"scheduleId": schedule.id, "scheduleName": schedule.name, "owner": schedule.owner_name, "missed": count},
    )
    await app.queues.send_all(told.parts())


async def _trail(app: App, schedule: Schedule, row: Run, **details: Any) -> None:
    await audit.record(
        app,
        "tenantry",
        f"schedules.{'missed' if row.state == 'missed' else 'run'}",
        schedule.id,
        actor_name=f"schedule {schedule.name}",
        outcome="failed" if row.state == "missed" else "accepted",
        once=f"{schedule.id}|{row.due_at.isoformat()}|{row.cause}|{row.state}",
        dueAt=row.due_at,
        state=row.state,
        reason=row.reason or row.message,
        operationId=row.operation_id,
        devices=row.devices,
        **details,
    )


async def _go_on(app: App, schedule: Schedule, this: Due, now: datetime) -> None:
    """Write down when the schedule is due next, and that this time is done."""
    if this.cause:

        def over(current: Schedule) -> Schedule | None:
            rows = [one for one in current.overrides if one.id != this.cause or one.until != this.at]
            return current.changed(overrides=rows) if rows != current.overrides else None

        await change(app, schedule.id, over)
    else:
        following = await _following(app, schedule, this.at, now)
        if following is not None:
            await due.remember(app, schedule.id, following)
        await change(app, schedule.id, lambda row: row.changed(next_due=following) if row.next_due == this.at else None)
    await due.forget(app, this)


async def _following(app: App, schedule: Schedule, at: datetime, now: datetime) -> datetime | None:
    """The next time that can still be run; those that went by meanwhile are missed, and told of together."""
    following, missed = schedule.next_after(at), list[Run]()
    while following is not None and now - following > GRACE and len(missed) < MOST_MISSED:
        row = Run(schedule_id=schedule.id, due_at=following, action=schedule.action, begun_at=now, worked_until=now)
        missed.append(_missed(row, "late", f"Nobody came to it for {_minutes(now - following)}."))
        following = schedule.next_after(following)
    if missed:
        await _announce(app, schedule, missed[0], len(missed))
        await _trail(app, schedule, missed[0], missed=len(missed), lastDueAt=missed[-1].due_at)
        for row in missed:
            try:
                await app.tables.insert(RUNS, row)
            except Conflict:
                continue
    return following


async def give_up(app: App, job: RunSchedule, reason: str) -> None:
    """The job was poisoned: the run is missed, and the schedule goes on."""
    now, this = app.clock.now(), Due(schedule_id=job.schedule_id, at=job.at, cause=job.cause)
    schedule = await app.tables.get(SCHEDULES, PARTITION, job.schedule_id)
    if schedule is None:
        await due.forget(app, this)
        return
    row = await run_of(app, job.schedule_id, job.at, job.cause)
    if row is None:
        row = Run(
            schedule_id=schedule.id,
            due_at=job.at,
            cause=job.cause,
            action=schedule.action,
            begun_at=now,
            worked_until=now,
        )
    if row.state == "starting":
        await _store(app, schedule, _missed(row, "gaveUp", reason))
    if this.cause or schedule.next_due == this.at:
        await _go_on(app, schedule, this, now)
    else:
        # It was changed: what the calendar of now would have had since then was never to be run.
        await due.forget(app, this)
