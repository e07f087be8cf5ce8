"""Reading tickets back from sinks that can be asked: one that people closed there is shown so, and left alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from shared.app import App
from shared.errors import PreconditionFailed, Unavailable
from shared.jobs import ReadTickets
from shared.outbox import sinks
from shared.outbox.asking import ask
from shared.outbox.records import TICKET, TICKETS, Ticket
from shared.sinks import KINDS
from shared.sinks.contract import SinkError, TicketRef

log = logging.getLogger("tenantry.outbox")
IN_ONE = 100
"""What a kind is asked for at once."""


async def read_all(app: App) -> None:
    """Timer: one job per enabled sink of tickets."""
    found = [s for s in await sinks.every(app) if s.enabled and s.kind in KINDS and KINDS[s.kind].TICKETS]
    await app.queues.send_all(ReadTickets(sink_id=sink.id) for sink in found)


async def run(app: App, job: ReadTickets) -> None:
    """Queue job: ask a sink for its open tickets. What cannot be read now is read by the next job."""
    sink = await sinks.find(app, job.sink_id)
    if sink is None or not sink.enabled or sink.kind not in KINDS or not KINDS[sink.kind].TICKETS:
        return
    try:
        settings = await sinks.settings_of(app, sink)
        above = ""
        while True:
            page = await app.tables.all(
                TICKETS, sink.id, prefix=TICKET, above=above, where="state eq 'open'", limit=IN_ONE
            )
            refs = [ticket.ref for ticket in page if ticket.ref is not None]
            if refs:
                outlet = sinks.outlet(app, sink.id)
                found = await ask(outlet, settings, KINDS[sink.kind].read(outlet, settings, refs))
                await _learn(app, page, found)
            if len(page) < IN_ONE:
                return
            above = TICKETS.key(page[-1])[1]
    except SinkError as error:
        log.warning("The tickets of the sink %s cannot be read: %s", sink.id, error.message)
        if error.disable:
            await sinks.disable(app, sink, error.message)
    except Unavailable as error:
        log.warning("The tickets of the sink %s are not read: %s", sink.id, error)


async def _learn(app: App, tickets: Sequence[Ticket], found: Sequence[TicketRef]) -> None:
    """Store what is not as we thought. A ticket that a delivery changes at this moment is left to that delivery."""
    present = {ref.external_id: ref for ref in found}

    async def one(ticket: Ticket) -> None:
        ref = present.get(ticket.external_id)
        if ref is None:
            return
        after = ticket.changed(number=ref.number or ticket.number, url=ref.url or ticket.url)
        if ref.state == "closed":
            after = after.changed(state="closed", closed_by_hand=True, last_error=None)
        if after == ticket:
            return
        try:
            await app.tables.put(TICKETS, after)
        except PreconditionFailed:
            log.info("The ticket of %s changes while it is read", ticket.alert_id)

    await asyncio.gather(*(one(ticket) for ticket in tickets))


async def give_up(app: App, job: ReadTickets, reason: str) -> None:
    """Nothing to mark: the next job reads them."""
