"""The line before each sink: putting deliveries into it, and waking who sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from shared.app import App
from shared.errors import PreconditionFailed
from shared.jobs import Deliver
from shared.outbox import sinks
from shared.outbox.ledger import RENEWED
from shared.outbox.records import HEAD, HEADS, IN_LINE, LINE, LOG, Delivery, Head, milliseconds, stub
from shared.outbox.sinks import Sink
from shared.store.tables import insert

IN_ONE = 50
"""Deliveries in one transaction: two rows each."""
IN_ONE_CHARS = 1_500_000
"""Of their bodies: a transaction takes 4 MiB
(learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions)."""
AT_ONCE = 8
OVERDUE = timedelta(seconds=5)
"""A lease that should have been renewed for so long is nobody's any more."""


async def add(app: App, rows: Iterable[Delivery]) -> None:
    """Put new deliveries in line. One that is there or was there already stays as it is."""
    by_sink: dict[str, list[Delivery]] = {}
    for row in rows:
        by_sink.setdefault(row.sink_id, []).append(row)
    gate = asyncio.Semaphore(AT_ONCE)

    async def store(chunk: Sequence[Delivery]) -> None:
        async with gate:
            try:
                await app.tables.transact(step for row in chunk for step in (insert(LINE, row), insert(LOG, stub(row))))
            except PreconditionFailed:
                if len(chunk) > 1:
                    await _one_by_one(app, chunk)

    async with asyncio.TaskGroup() as group:
        for of_sink in by_sink.values():
            for chunk in _chunks(of_sink):
                group.create_task(store(chunk))


async def _one_by_one(app: App, rows: Sequence[Delivery]) -> None:
    for row in rows:
        try:
            await app.tables.transact([insert(LINE, row), insert(LOG, stub(row))])
        except PreconditionFailed:
            continue  # told before


def _chunks(rows: Sequence[Delivery]) -> Iterable[list[Delivery]]:
    chunk: list[Delivery] = []
    seen: set[str] = set()
    size = 0
    for row in rows:
        if row.id in seen:
            continue
        seen.add(row.id)
        length = len(row.body) + len(row.text)
        if chunk and (len(chunk) == IN_ONE or size + length > IN_ONE_CHARS):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += length
    if chunk:
        yield chunk


async def wake(app: App, sink_ids: Collection[str]) -> None:
    """Have what is in line sent: one job per sink, however many rows there are."""
    await app.queues.send_all(Deliver(sink_id=sink_id) for sink_id in sink_ids)


async def deliver_due(app: App) -> None:
    """Timer: wake every sink that has something to send by now and that nobody sends to, or will at once."""
    now = app.clock.now()

    async def look(sink: Sink) -> None:
        head = await app.tables.get(HEADS, sink.id, HEAD) or Head(sink_id=sink.id)
        if head.leased(now):
            left = (head.until or now) - now
            if left < RENEWED - OVERDUE:
                # Whoever has it does not renew it any more. If he does after all, this job ends at once.
                await app.queues.send(head.job, delay=left.total_seconds() + 1)
        elif sink.enabled and head.sink_version != sink.changed_at and await _anything(app, sink.id):
            # It was saved, and nobody has sent since: what is held may go now, however it did before.
            await app.queues.send(head.job)
        elif head.circuit.at(now) != "open" and (head.paused_until or now) <= now and await anything_due(app, sink.id):
            await app.queues.send(head.job)

    await asyncio.gather(*(look(sink) for sink in await sinks.every(app)))


async def anything_due(app: App, sink_id: str) -> bool:
    """Whether something in line could be sent now."""
    found = app.tables.rows(
        LINE.table,
        sink_id,
        prefix=IN_LINE,
        where="due le @now",
        parameters={"now": milliseconds(app.clock.now())},
        select=["RowKey"],
        limit=1,
    )
    return bool([row async for row in found])


async def _anything(app: App, sink_id: str) -> bool:
    """Whether anything is in line."""
    return bool([row async for row in app.tables.rows(LINE.table, sink_id, prefix=IN_LINE, select=["RowKey"], limit=1)])
