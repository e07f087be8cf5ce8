"""The job that empties a sink's line: one worker at a time per sink, by a lease that ends by itself.

A job that finds the lease taken ends at once: whoever has it looks once more when done. A worker that dies holds the
line up for a minute at most; then the timer `deliver_due` puts the sink in line again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from shared.app import App
from shared.errors import Unavailable
from shared.jobs import Deliver, DeliverSlow
from shared.outbox import outcome, sinks
from shared.outbox.circuit import Circuit
from shared.outbox.ledger import LeaseLost, Ledger, take
from shared.outbox.records import IN_LINE, LINE, Delivery, Ticket, lane_of, milliseconds
from shared.outbox.sender import Sender
from shared.outbox.sinks import Sink
from shared.outbox.tickets import GONE, of_sink
from shared.sinks import KINDS
from shared.sinks.contract import SinkError, SinkSettings

log = logging.getLogger("tenantry.outbox")
RUN_SECONDS = 40.0
"""How long a job sends before it makes room for others; its successor goes on."""
QUICK_SECONDS = 5.0
"""The same for a sink that is not known as slow. One that needs more is sent the rest by jobs of slow ones."""
KEPT = timedelta(days=7)
"""How long a message waits in line."""
PAGE = 500


async def run(app: App, job: Deliver) -> None:
    """Queue job: send what waits for a sink."""
    quick = not isinstance(job, DeliverSlow)
    ends = time.monotonic() + (QUICK_SECONDS if quick else RUN_SECONDS)
    while True:
        ledger = await take(app, job.sink_id, quick=quick)
        if ledger is None:
            return
        try:
            behind = await _drain(app, ledger, ends)
        except LeaseLost:
            # Somebody else sends now, or may: nothing is known but what is stored.
            log.warning("The lease of the sink %s was lost", job.sink_id)
            await app.queues.send(job, delay=1)
            return
        if behind is None or not await _more(app, job.sink_id, behind):
            return


async def give_up(app: App, job: Deliver, reason: str) -> None:
    """Nothing to mark: what waits stays in line, and the timer puts the sink in line again."""


async def _drain(app: App, ledger: Ledger, ends: float) -> int | None:
    """Send, then end the lease. How many due messages are left behind others, or None when nothing can be sent now.

    Raises LeaseLost.
    """
    sink = await sinks.find(app, ledger.head.sink_id)
    if sink is None or sink.kind not in KINDS:
        await _end_all(app, ledger)
        await ledger.release(None)
        return None
    await _end_old(app, ledger)
    settings = await _settings(app, sink) if sink.enabled else None
    if settings is None:
        await _end_what_is_over(app, ledger)
        await ledger.release(None)
        return None
    await _look_at_version(app, ledger, sink)
    sender = Sender(app, sink, settings, ledger, ends)
    await sender.run()
    await ledger.release(_next(app, ledger, sender))
    if sender.why == "changed":
        return 0
    return None if sender.why else sender.behind


async def _settings(app: App, sink: Sink) -> SinkSettings | None:
    """The settings to send with, or None when there are none now."""
    try:
        return await sinks.settings_of(app, sink)
    except SinkError as error:
        await sinks.disable(app, sink, error.message)
    except Unavailable as error:
        log.warning("The sink %s waits: %s", sink.id, error)
    return None


def _next(app: App, ledger: Ledger, sender: Sender) -> datetime | None:
    """When there is something to send again."""
    if sender.why == "circuit":
        return ledger.head.circuit.until
    if sender.why == "paused":
        return ledger.head.paused_until
    if sender.why == "time":
        return app.clock.now()
    if sender.why or not sender.next_due:
        return None
    return datetime.fromtimestamp(int(sender.next_due) / 1000, UTC)


async def _more(app: App, sink_id: str, behind: int) -> bool:
    """Whether something came while the lease was held, whose own job found it taken."""
    now = {"now": milliseconds(app.clock.now())}
    found = app.tables.rows(
        LINE.table, sink_id, prefix=IN_LINE, where="due le @now", parameters=now, select=["RowKey"], limit=behind + 1
    )
    return len([row async for row in found]) > behind


async def _look_at_version(app: App, ledger: Ledger, sink: Sink) -> None:
    """A sink that was saved gets its chance: how it did before does not count, and what was held is tried."""
    if ledger.head.sink_version == sink.changed_at:
        return
    async for rows in _pages(app, sink.id, "state eq 'held'"):
        now = app.clock.now()
        await ledger.put_back([row.changed(state="pending", due_at=now) for row in rows])
    ledger.head = ledger.head.changed(sink_version=sink.changed_at, circuit=Circuit(), paused_until=None)


async def _end_all(app: App, ledger: Ledger) -> None:
    """The sink was deleted: what waits for it fails."""
    sink_id = ledger.head.sink_id
    async for rows in _pages(app, sink_id):
        tickets = await _tickets(app, sink_id, rows)
        for row in rows:
            ledger.add(outcome.given_up(row, tickets.get(row.alert_id or ""), GONE, app.clock.now()))
        await ledger.store()


async def _end_old(app: App, ledger: Ledger) -> None:
    """What has waited for a week fails, whatever it waited for."""
    sink_id, before = ledger.head.sink_id, app.clock.now() - KEPT
    # The row is read before its place in line is believed: one that was put back is younger than its event.
    async for rows in _pages(app, sink_id, "RowKey lt @old", {"old": IN_LINE + milliseconds(before)}):
        tickets = await _tickets(app, sink_id, rows)
        for row in rows:
            if row.line_at < before:
                error = f"{outcome.TOO_OLD} {row.last_error or ''}".strip()
                ledger.add(outcome.given_up(row, tickets.get(row.alert_id or ""), error, app.clock.now()))
        await ledger.store()


async def _end_what_is_over(app: App, ledger: Ledger) -> None:
    """While a sink is off: alerts that opened and closed meanwhile need not be told any more."""
    sink_id, known, over = ledger.head.sink_id, set[str](), list[str]()
    untold: dict[str, list[str]] = {}
    async for row in app.tables.rows(LINE.table, sink_id, prefix=IN_LINE, select=["RowKey", "verb", "tried"]):
        lane = lane_of(row["RowKey"])
        if lane not in known and row["verb"] == "opened" and not row["tried"]:
            untold[lane] = []
        known.add(lane)
        if lane in untold:
            untold[lane].append(row["RowKey"])
            if row["verb"] == "closed":
                over += untold.pop(lane)
                known.discard(lane)
    for begin in range(0, len(over), PAGE):
        read = [await app.tables.get(LINE, sink_id, key) for key in over[begin : begin + PAGE]]
        rows = [row for row in read if row is not None]
        tickets = await _tickets(app, sink_id, rows)
        for row in rows:
            ledger.add(outcome.skipped(row, tickets.get(row.alert_id or ""), app.clock.now()))
        await ledger.store()


async def _tickets(app: App, sink_id: str, rows: list[Delivery]) -> dict[str, Ticket]:
    return await of_sink(app, sink_id, {row.alert_id for row in rows if row.alert_id})


async def _pages(
    app: App, sink_id: str, where: str = "", parameters: dict[str, str] | None = None
) -> AsyncIterator[list[Delivery]]:
    above = ""
    while True:
        rows = await app.tables.all(
            LINE, sink_id, prefix=IN_LINE, above=above, where=where, parameters=parameters, limit=PAGE
        )
        if rows:
            yield rows
            above = rows[-1].key
        if len(rows) < PAGE:
            return
