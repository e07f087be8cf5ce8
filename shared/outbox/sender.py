"""Sending what waits for one sink, while its lease is held: in order, several at once, stored in batches.

Nothing is read or written for a single message: messages come in pages, outcomes go in transactions of many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

from shared import correlation, telemetry
from shared.app import App
from shared.outbox import outcome, sinks
from shared.outbox.asking import ask
from shared.outbox.circuit import FAILURES, Circuit
from shared.outbox.ledger import RENEWED, RESERVE, LeaseLost, Ledger
from shared.outbox.outcome import Outcome
from shared.outbox.records import IN_LINE, LINE, UNOPENED, UNOPENEDS, Attempt, Delivery, Ticket, lane_of, milliseconds
from shared.outbox.sinks import Sink
from shared.outbox.tickets import of_sink
from shared.sinks import KINDS
from shared.sinks.contract import SinkError, SinkSettings

log = logging.getLogger("tenantry.outbox")
PAGE = 1000
PROBES = 200
"""Messages among which the one is chosen that is tried after silence."""
KEPT_SECONDS = 0.2
FULL = 33
"""Outcomes that are stored at once: they fill a transaction. Fewer are stored when they have waited."""
WAITED_SECONDS = 1.0
LOOK_SECONDS = 2.0
"""How often it is looked whether the sink was changed."""
SHORT_PAUSE = 5.0
"""Seconds: a receiver that asks for no more is waited for; otherwise the lease is given back meanwhile."""
PAUSE_SLICE = 0.02
UNSTORED = 300
"""Outcomes that wait to be stored at most."""
SLOW_SECONDS = 5.0
"""What one message may take at a sink that is not slow."""

Ended = Literal["", "time", "circuit", "paused", "off", "changed"]


@dataclass(frozen=True)
class _Waiting:
    """The first of a lane's messages whose time has not come."""

    key: str
    unopened: bool
    """It is an opening that waits for people."""


class Sender:
    """One run over what waits for a sink. `ledger` has the lease, `ends` is when to stop (monotonic)."""

    def __init__(self, app: App, sink: Sink, settings: SinkSettings, ledger: Ledger, ends: float) -> None:
        self.app, self.sink, self.settings, self.ledger, self.ends = app, sink, settings, ledger, ends
        self.kind = KINDS[sink.kind]
        self.why: Ended = ""
        """Why it stopped; empty: there is nothing more to send now."""
        self.next_due: str = ""
        """When the next message is due (as the column has it), once there is nothing more to send now."""
        self.behind = 0
        """Messages that are due but behind one of their lane that is not."""
        self._slow: bool | None = None
        """Whether something failed or took long; None while nothing was tried."""
        self._per_minute = app.settings.sink_messages_per_minute or self.kind.PER_MINUTE
        self._burst = max(1, min(self.kind.CONCURRENCY, self._per_minute // 2))
        self._pausing = asyncio.Lock()
        self._over = asyncio.Event()
        self._waiting: dict[str, _Waiting] = {}
        self._unopened: set[str] = set()
        self._tickets: dict[str, Ticket] = {}

    async def run(self) -> None:
        """Send until there is nothing more to send, or there is a reason to stop (`why`).

        Raises LeaseLost.
        """
        lost = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep())
                await self._send_all()
                self._over.set()
        except* LeaseLost:
            lost = True
        if lost:
            raise LeaseLost
        if self._slow is not None:
            self.ledger.head = self.ledger.head.changed(slow=self._slow or self.why == "time")
        await self.ledger.store()

    async def _send_all(self) -> None:
        now = self.app.clock.now()
        if self._quiet() > SHORT_PAUSE:
            self.why = "paused"
        elif self.ledger.head.circuit.at(now) == "open":
            self.why = "circuit"
        elif self.ledger.head.circuit.at(now) == "probe":
            await self._probe()
        while not self.why and await self._walk():
            continue

    async def _probe(self) -> None:
        """Try single messages until one tells how the receiver is."""
        await self._look_around()
        page = await self._page("", PROBES)
        lanes = [lane for lane in self._lanes(page) if lane[0].lane not in self._waiting]
        # The least tried first: one message that the receiver cannot digest must not stand for all.
        for lane in sorted(lanes, key=lambda rows: len(rows[0].attempts)):
            await self._fetch_tickets(lane[:1])
            await self._lane(lane[:1])
            if self.why or self.ledger.head.circuit.until is None:
                break
        await self.ledger.store()

    async def _walk(self) -> int:
        """Send all that is due, in order; how many outcomes there were."""
        await self._look_around()
        above, count = "", 0
        self.behind = 0
        while not self.why:
            page = await self._page(above, PAGE)
            if not page:
                break
            above = page[-1].key
            count += await self._send_page(page)
            if len(page) < PAGE:
                break
        return count

    async def _send_page(self, page: list[Delivery]) -> int:
        await self._fetch_tickets(page)
        lanes, counts = iter(self._lanes(page)), [0]

        async def work(lanes: Iterator[list[Delivery]]) -> None:
            for lane in lanes:
                counts[0] += await self._lane(lane)
                if self.why:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.kind.CONCURRENCY, len(page))):
                group.create_task(work(lanes))
        await self.ledger.store()
        self._tickets.clear()
        return counts[0]

    async def _page(self, above: str, limit: int) -> list[Delivery]:
        due = {"now": milliseconds(self.app.clock.now())}
        return await self.app.tables.all(
            LINE, self.sink.id, prefix=IN_LINE, above=above, where="due le @now", parameters=due, limit=limit
        )

    async def _look_around(self) -> None:
        """Which lanes must wait, and which alerts a sink of events was never told of."""
        now = milliseconds(self.app.clock.now())
        waiting: dict[str, _Waiting] = {}
        self.next_due = ""
        async for row in self.app.tables.rows(
            LINE.table,
            self.sink.id,
            prefix=IN_LINE,
            where="due gt @now",
            parameters={"now": now},
            select=["RowKey", "due", "state", "verb"],
        ):
            lane = lane_of(row["RowKey"])
            if lane not in waiting:
                waiting[lane] = _Waiting(row["RowKey"], row["state"] == "held" and row["verb"] == "opened")
            if row["state"] != "held" and (not self.next_due or row["due"] < self.next_due):
                self.next_due = row["due"]
        self._waiting = waiting
        if not self.kind.TICKETS:
            self._unopened = {
                row.alert_id async for row in self.app.tables.query(UNOPENEDS, self.sink.id, prefix=UNOPENED)
            }

    def _lanes(self, page: Sequence[Delivery]) -> list[list[Delivery]]:
        lanes: dict[str, list[Delivery]] = {}
        for row in page:
            lanes.setdefault(row.lane, []).append(row)
        return [sorted(rows, key=lambda row: row.number) for rows in lanes.values()]

    async def _fetch_tickets(self, rows: Sequence[Delivery]) -> None:
        """A kind that can be searched is told what an earlier delivery gave; a first opening has none."""
        if self.kind.TICKETS:
            later = {r.alert_id for r in rows if r.alert_id and (r.verb != "opened" or r.reopened or r.attempts)}
            self._tickets |= await of_sink(self.app, self.sink.id, later) if later else {}

    async def _lane(self, rows: list[Delivery]) -> int:
        """The events of one alert, one after the other, until one stays in line; how many outcomes there were."""
        lane, count = rows[0].lane, 0
        waiting = self._waiting.get(lane)
        if waiting is not None:
            over = max((place for place, row in enumerate(rows) if row.verb == "closed"), default=-1)
            if not waiting.unopened or over < 0:
                self.behind += len(rows)
                return 0
            count += await self._skip(waiting, rows[: over + 1])
            if not count:
                self.behind += len(rows)
                return 0
            rows = rows[over + 1 :]
        for place, row in enumerate(rows):
            if not await self._may_begin():
                return count
            count += 1
            result = await self._deliver(row)
            if result.in_line:
                self._waiting[lane] = _Waiting(row.key, result.row.state == "held" and row.verb == "opened")
                self.behind += len(rows) - place - 1
                break
        return count

    async def _skip(self, waiting: _Waiting, rows: Sequence[Delivery]) -> int:
        """End the events of an alert that was over before its opening could be sent."""
        ticket = self._tickets.get(rows[0].lane)
        if ticket is not None and ticket.external_id and ticket.state == "open":
            return 0  # an opening that was to be sent again: there is a ticket to be closed
        first = await self.app.tables.get(LINE, self.sink.id, waiting.key)
        self._waiting.pop(rows[0].lane, None)
        for row in ([first] if first else []) + list(rows):
            ticket = self._tickets.get(row.alert_id or "")
            self._keep_outcome(outcome.skipped(row, ticket, self.app.clock.now()))
        return len(rows)

    async def _may_begin(self) -> bool:
        """Wait for the sink's rate. False when nothing more is to be begun."""
        while not self.why:
            if self.ledger.unstored >= UNSTORED:
                await self.ledger.store()
            now = self.app.clock.now()
            if time.monotonic() >= self.ends or self.ledger.left < RESERVE:
                self.why = "time"
                break
            if self._quiet() > 0:
                await self._pause()
                continue
            rate, wait = self.ledger.head.rate.begun(now, self._per_minute, self._burst)
            self.ledger.head = self.ledger.head.changed(rate=rate)
            if not wait:
                return True
            await asyncio.sleep(min(1.0, wait.total_seconds(), max(0.0, self.ends - time.monotonic())))
        return False

    def _quiet(self) -> float:
        """Seconds for which the receiver wants to be left alone."""
        now = self.app.clock.now()
        return ((self.ledger.head.paused_until or now) - now).total_seconds()

    async def _pause(self) -> None:
        """Wait for a part of a short pause here: to come back would take longer."""
        async with self._pausing:
            await asyncio.sleep(max(0.0, min(PAUSE_SLICE, self._quiet())))

    async def _deliver(self, row: Delivery) -> Outcome:
        ticket = self._tickets.get(row.alert_id or "")
        result = outcome.unsent(
            row,
            ticket,
            tickets=self.kind.TICKETS,
            unopened=row.alert_id in self._unopened,
            now=self.app.clock.now(),
        )
        result = result or await self._attempt(row, ticket)
        self._keep_outcome(result)
        return result

    async def _attempt(self, row: Delivery, ticket: Ticket | None) -> Outcome:
        began, started, circuit = self.app.clock.now(), time.monotonic(), self.ledger.head.circuit

        def attempt(status: int, error: str | None) -> Attempt:
            took = int((time.monotonic() - started) * 1000)
            return Attempt(at=began, status=status, error=error, duration_ms=took)

        outlet, said = sinks.outlet(self.app, self.sink.id), outcome.message(row, ticket)
        verbs = {"opened": self.kind.open, "closed": self.kind.close} if row.alert_id else {}
        try:
            with _span(row):
                sent = verbs.get(row.verb, self.kind.update)(outlet, self.settings, said)
                receipt = await ask(outlet, self.settings, sent)
        except SinkError as error:
            failure = error
        else:
            self._slow = self._slow or time.monotonic() - started > SLOW_SECONDS
            self.ledger.head = self.ledger.head.changed(circuit=Circuit())
            return outcome.taken(
                row, ticket, receipt, attempt(receipt.status, None), self.app.clock.now(), tickets=self.kind.TICKETS
            )
        now = self.app.clock.now()
        result = outcome.refused(row, ticket, failure, attempt(failure.status, failure.message), now, circuit)
        await self._learn(failure, circuit)
        return result

    async def _learn(self, failure: SinkError, begun: Circuit) -> None:
        """What a failure says of the sink as a whole. `begun`: the circuit when the message was begun."""
        now = self.app.clock.now()
        if failure.disable:
            if self.why != "off":
                self.why = "off"
                await sinks.disable(self.app, self.sink, failure.message)
        elif failure.held:
            return
        elif failure.permanent:
            # It did answer.
            self.ledger.head = self.ledger.head.changed(circuit=Circuit())
        elif failure.status != HTTPStatus.TOO_MANY_REQUESTS:
            self._count(now)
        else:
            if self.ledger.head.circuit.failures <= begun.failures:
                # Else one of those under way at the same time was told so already.
                self._count(now)
            own = 2.0 ** (min(self.ledger.head.circuit.failures, FAILURES) - 1)
            until = now + timedelta(seconds=max(failure.retry_after or 0.0, own))
            self.ledger.head = self.ledger.head.changed(paused_until=max(self.ledger.head.paused_until or until, until))
            if self._quiet() > SHORT_PAUSE:
                self.why = self.why or "paused"

    def _count(self, now: datetime) -> None:
        """Count a failure in a row."""
        self._slow = True
        self.ledger.head = self.ledger.head.changed(circuit=self.ledger.head.circuit.failed(now))
        if self.ledger.head.circuit.at(now) == "open":
            self.why = self.why or "circuit"

    def _keep_outcome(self, result: Outcome) -> None:
        self.ledger.add(result)
        row = result.row
        if row.alert_id is None:
            return
        if result.ticket is not None:
            self._tickets[row.alert_id] = result.ticket
        if row.verb == "opened" and row.state == "failed" and not self.kind.TICKETS:
            self._unopened.add(row.alert_id)

    async def _keep(self) -> None:
        """Store outcomes and keep the lease while messages are under way. Raises LeaseLost."""
        looked = stored = time.monotonic()
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEPT_SECONDS):
                    await self._over.wait()
            if self.ledger.left < RESERVE:
                raise LeaseLost
            if self.ledger.unstored >= FULL or time.monotonic() - stored > WAITED_SECONDS:
                stored = time.monotonic()
                await self.ledger.store()
            if self.ledger.left < RENEWED:
                await self.ledger.renew()
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                present = await sinks.find(self.app, self.sink.id)
                if present is None or present.changed_at != self.sink.changed_at:
                    self.why = self.why or "changed"


def _span(row: Delivery) -> AbstractContextManager[object]:
    """The sending of a delivery: of the trace that put it in line, linked to the job that sends it."""
    about = {
        "tenantry.correlation_id": correlation.current(),
        "tenantry.sink_id": row.sink_id,
        "tenantry.sink.kind": row.kind,
        "tenantry.event": row.event,
        "tenantry.alert_id": row.alert_id,
        "tenantry.delivery_id": row.id,
    }
    here = telemetry.traceparent() or ""
    return telemetry.span(f"deliver {row.kind}", "internal", about, parent=row.traceparent or "", link=here)
