"""Storing what became of deliveries while a sink's lease is held: in transactions of many, each renewing the lease.

So whoever has lost the lease stores nothing more; what it sent meanwhile is sent again under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from shared import telemetry
from shared.app import App
from shared.errors import Conflict, PreconditionFailed, Unavailable
from shared.outbox.outcome import Outcome
from shared.outbox.records import HEAD, HEADS, LINE, LOG, TICKETS, UNOPENEDS, Delivery, Head, Unopened
from shared.sinks import KINDS
from shared.store.tables import Write, delete, put

log = logging.getLogger("tenantry.outbox")
LEASE = timedelta(seconds=60)
RENEWED = timedelta(seconds=40)
"""With less of it left it is renewed."""
RESERVE = timedelta(seconds=20)
"""With less of it left nobody sends: longer than a request may take."""
SOON = timedelta(seconds=60)
"""What is due sooner gets a job of its own; what is due later waits for the timer, which comes every minute."""
IN_ONE = 99
"""Writes of a transaction beside the lease's."""
NO_ANSWER_SECONDS = 0.5
"""Before what the storage did not answer is sent to it again."""


class LeaseLost(Exception):
    """Another worker sends now, or may."""


class Ledger:
    """The lease of a sink's line and what is to be written under it. `head` may be changed but for its lease."""

    def __init__(self, app: App, head: Head) -> None:
        self.app, self.head = app, head
        self._done: list[Outcome] = []
        self._storing = asyncio.Lock()

    @property
    def unstored(self) -> int:
        """How many outcomes wait to be stored."""
        return len(self._done)

    @property
    def left(self) -> timedelta:
        """Of the lease."""
        now = self.app.clock.now()
        return (self.head.until or now) - now

    def add(self, result: Outcome) -> None:
        """Have an outcome stored by the next `store`."""
        self._done.append(result)

    async def store(self) -> None:
        """Store the outcomes so far. Raises LeaseLost."""
        async with self._storing:
            while self._done:
                count, writes = 0, dict[str, Write]()
                for result in self._done:
                    more = _writes(result)
                    if len(writes) + len(more) > IN_ONE:
                        break
                    writes |= more
                    count += 1
                try:
                    await self._transact(writes.values())
                except PreconditionFailed:
                    await self._one_by_one(self._done[:count])
                for result in self._done[:count]:
                    telemetry.count("tenantry.deliveries", kind=result.row.kind, outcome=result.row.state)
                del self._done[:count]

    async def put_back(self, rows: Sequence[Delivery]) -> None:
        """Change rows that stay in line. Raises LeaseLost."""
        for begin in range(0, len(rows), IN_ONE):
            await self._twice([put(LINE, row.changed(etag=None)) for row in rows[begin : begin + IN_ONE]])

    async def renew(self) -> None:
        """Keep the lease when it is not stored to anyway. Raises LeaseLost."""
        async with self._storing:
            await self._twice([])

    async def release(self, next_at: datetime | None) -> None:
        """End the lease; have a job come when the next message is due, unless one does already."""
        now, head = self.app.clock.now(), self.head
        if next_at is not None and next_at - now <= SOON and not _comes(head, now, next_at):
            wait = (next_at - now).total_seconds()
            await self.app.queues.send(head.job, delay=max(0.0, wait))
            head = head.changed(wake_at=next_at)
        try:
            await self.app.tables.put(HEADS, head.changed(holder="", until=None))
        except PreconditionFailed:
            log.warning("The lease of the sink %s had ended before its work", head.sink_id)

    async def _one_by_one(self, batch: Sequence[Outcome]) -> None:
        for result in batch:
            try:
                await self._transact(_writes(result).values())
            except PreconditionFailed:
                # Only the holder of the lease takes rows out of the line; a row that is gone was deleted altogether.
                log.warning("The delivery %s to %s is not in line any more", result.row.id, self.head.sink_id)

    async def _twice(self, writes: Sequence[Write]) -> None:
        """Do writes that may be done again. Raises LeaseLost."""
        try:
            await self._transact(writes)
        except PreconditionFailed:
            await self._transact(writes)

    async def _transact(self, writes: Iterable[Write]) -> None:
        """Do these writes and renew the lease, again until there is an answer or the lease runs out.

        Raises LeaseLost; PreconditionFailed also when they were done already and the answer was lost.
        """
        steps = list(writes)
        while True:
            try:
                await self._try(steps)
            except Unavailable:
                if self.left < RESERVE:
                    raise LeaseLost from None
                await asyncio.sleep(NO_ANSWER_SECONDS)
            else:
                return

    async def _try(self, writes: Sequence[Write]) -> None:
        renewed = self.head.changed(until=self.app.clock.now() + LEASE)
        try:
            *_, etag = await self.app.tables.transact([*writes, put(HEADS, renewed)])
        except PreconditionFailed:
            present = await self.app.tables.get(HEADS, self.head.sink_id, HEAD)
            if present is None or present.holder != self.head.holder:
                raise LeaseLost from None
            self.head = self.head.changed(etag=present.etag)
            raise
        self.head = self.head.changed(until=renewed.until, etag=etag)


async def take(app: App, sink_id: str, *, quick: bool = False) -> Ledger | None:
    """Take the lease; None when somebody has it. `quick`: not of a slow sink, whose own job is sent instead."""
    now = app.clock.now()
    present = await app.tables.get(HEADS, sink_id, HEAD)
    if present is not None and present.leased(now):
        return None
    head = present or Head(sink_id=sink_id)
    if head.slow and quick:
        await app.queues.send(head.job)
        return None
    wanted = head.changed(holder=uuid.uuid4().hex, until=now + LEASE)
    try:
        return Ledger(app, await (app.tables.put(HEADS, wanted) if present else app.tables.insert(HEADS, wanted)))
    except (Conflict, PreconditionFailed):
        return None


def _comes(head: Head, now: datetime, next_at: datetime) -> bool:
    """Whether a job that was sent before comes in time."""
    return head.wake_at is not None and now < head.wake_at <= next_at


def _writes(result: Outcome) -> dict[str, Write]:
    """The writes of an outcome by their rows: of two for one row the later counts."""
    row = result.row.changed(etag=None)
    if result.in_line:
        writes = {row.key: put(LINE, row)}
    else:
        writes = {row.key: delete(LINE, row), LOG.key(row)[1]: put(LOG, row)}
    if result.ticket is not None:
        writes[TICKETS.key(result.ticket)[1]] = put(TICKETS, result.ticket.changed(etag=None))
    searched = row.kind in KINDS and KINDS[row.kind].TICKETS
    if row.alert_id is not None and row.verb == "opened" and row.state == "failed" and not searched:
        mark = Unopened(alert_id=row.alert_id, sink_id=row.sink_id)
        writes[UNOPENEDS.key(mark)[1]] = put(UNOPENEDS, mark)
    return writes
