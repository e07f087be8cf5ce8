"""When schedules must be looked at: one row per time, read by one timer, which never reads the schedules themselves.

The row is written before the schedule that needs it, and deleted after the run, so that no time is ever missed. A row
that its schedule does not know of was left behind, or is a moment ahead of it: it is dropped after a while.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.app import App
from shared.jobs import RunSchedule
from shared.schedules.records import DUE, DUE_PARTITION, Due, stamp

AT_ONCE = 2_000
"""Runs that one run of the timer asks for; the rest a minute later."""
ORPHANED = timedelta(minutes=10)
"""Longer than a request takes that writes a due row and then its schedule."""


async def remember(app: App, schedule_id: str, at: datetime, cause: str = "") -> None:
    """Have a schedule looked at, at a time."""
    await app.tables.put(DUE, Due(schedule_id=schedule_id, at=at, cause=cause))


async def forget(app: App, due: Due) -> None:
    """Not at that time any more."""
    await app.tables.delete(DUE, due)


async def send(app: App) -> int:
    """Timer, once a minute: one job for each time that has come; gives their number. A job too many does nothing."""
    beyond = stamp(app.clock.now() + timedelta(milliseconds=1))
    rows = app.tables.query(DUE, DUE_PARTITION, where="RowKey lt @beyond", parameters={"beyond": beyond}, limit=AT_ONCE)
    found = [RunSchedule(schedule_id=row.schedule_id, at=row.at, cause=row.cause) async for row in rows]
    await app.queues.send_all(found)
    return len(found)
