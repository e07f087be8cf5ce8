"""Sinks that are to be told of what is open: a row from before the sink is stored until it was told.

So the message that has it told may be lost: the row is found, and another one is sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.app import App
from shared.errors import PreconditionFailed
from shared.jobs import CatchUp
from shared.store.tables import Kind, Record

PARTITION = "joining"
LOST_AFTER = timedelta(minutes=5)
"""Since a job last said that it is at it: longer than one takes."""


class Joining(Record):
    """A sink that is to be told. `at` and `above` as of CatchUp."""

    sink_id: str
    at: datetime
    above: str = ""
    seen_at: datetime
    """When it was asked for, or a job was last at it."""


JOINING = Kind("Sinks", Joining, lambda j: (PARTITION, j.sink_id))


async def owe(app: App, sink_id: str, at: datetime) -> None:
    """Before a sink is stored that is to be told."""
    await app.tables.put(JOINING, Joining(sink_id=sink_id, at=at, seen_at=at))


async def begun(app: App, job: CatchUp) -> None:
    """A job is at it."""
    now = app.clock.now()

    def seen(row: Joining) -> Joining | None:
        return row.changed(above=job.above, seen_at=now) if row.at == job.at else None

    await app.tables.update(JOINING, PARTITION, job.sink_id, seen)


async def done(app: App, job: CatchUp) -> None:
    """The sink was told, or is not to be told any more."""
    row = await app.tables.get(JOINING, PARTITION, job.sink_id)
    if row is None or row.at != job.at:
        return
    try:
        await app.tables.delete(JOINING, row)
    except PreconditionFailed:
        return  # it is to be told anew


async def lost(app: App) -> list[CatchUp]:
    """The jobs of those whose message was lost."""
    before = app.clock.now() - LOST_AFTER
    rows = await app.tables.all(JOINING, PARTITION)
    return [CatchUp(sink_id=row.sink_id, at=row.at, above=row.above) for row in rows if row.seen_at < before]
