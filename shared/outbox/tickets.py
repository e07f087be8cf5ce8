"""What became of alerts at their sinks, as the API shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from shared.app import App
from shared.outbox import sinks
from shared.outbox.records import TICKET, TICKETS, Ticket, TicketState, ticket_row

AT_ONCE = 16
SPARE = 400
"""How many rows of other alerts are read between those that are asked for, before each is asked for by itself."""
FEW = 4
OFF = "The sink is switched off. Once it is on again it is sent what is at most 7 days old."
GONE = "The sink was deleted."


class AlertTicket(TypedDict):
    """What became of an alert at a sink; `skipped`: it was over before anything could be sent."""

    sinkId: str
    kind: NotRequired[str]
    externalId: NotRequired[str]
    number: NotRequired[str]
    url: NotRequired[str]
    state: TicketState
    closedByHand: NotRequired[bool]
    lastError: NotRequired[str]


async def tickets(app: App, alerts: Sequence[tuple[str, Sequence[str]]]) -> dict[str, list[AlertTicket]]:
    """The tickets of alerts, each with the ids of its sinks: alert id -> one row per sink, in their order."""
    wanted: dict[str, list[str]] = {}
    for alert_id, sink_ids in alerts:
        for sink_id in sink_ids:
            wanted.setdefault(sink_id, []).append(alert_id)
    if not wanted:
        return {alert_id: [] for alert_id, _ in alerts}
    known = {sink.id: sink for sink in await sinks.every(app)}
    found = dict(zip(wanted, await asyncio.gather(*(of_sink(app, s, ids) for s, ids in wanted.items())), strict=True))
    return {
        alert_id: [_view(sink_id, known.get(sink_id), found[sink_id].get(alert_id)) for sink_id in sink_ids]
        for alert_id, sink_ids in alerts
    }


async def of_sink(app: App, sink_id: str, alert_ids: Iterable[str]) -> dict[str, Ticket]:
    """The tickets of alerts at one sink, as far as there are any: one query where the alerts lie close together."""
    rows = {ticket_row(alert_id): alert_id for alert_id in alert_ids}
    found: dict[str, Ticket] = {}
    left = sorted(rows)
    if len(left) > FEW:
        limit = 2 * len(left) + SPARE
        # The rows from the first to the last of those wanted; the character after it ends the range.
        reached, count = "", 0
        async for ticket in app.tables.query(
            TICKETS,
            sink_id,
            prefix=TICKET,
            where="RowKey ge @first and RowKey le @last",
            parameters={"first": left[0], "last": left[-1]},
            limit=limit,
        ):
            reached, count = ticket_row(ticket.alert_id), count + 1
            if reached in rows:
                found[rows[reached]] = ticket
        left = [row for row in left if row > reached] if count == limit else []
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: str) -> Ticket | None:
        async with gate:
            return await app.tables.get(TICKETS, sink_id, row)

    for single in await asyncio.gather(*(one(row) for row in left)):
        if single is not None:
            found[single.alert_id] = single
    return found


def _view(sink_id: str, sink: sinks.Sink | None, ticket: Ticket | None) -> AlertTicket:
    state: TicketState = ticket.state if ticket is not None else "pending" if sink is not None else "skipped"
    shown: AlertTicket = {"sinkId": sink_id, "state": state}
    if sink is not None or ticket is not None:
        shown["kind"] = sink.kind if sink is not None else ticket.kind if ticket is not None else ""
    if ticket is not None:
        _of_ticket(shown, ticket)
    if shown["state"] == "pending":
        if sink is not None and not sink.enabled:
            shown["lastError"] = OFF
    elif sink is None and ticket is None:
        shown["lastError"] = GONE
    return shown


def _of_ticket(shown: AlertTicket, ticket: Ticket) -> None:
    """What there is in the other system."""
    if ticket.external_id:
        shown["externalId"] = ticket.external_id
    if ticket.number:
        shown["number"] = ticket.number
    if ticket.url:
        shown["url"] = ticket.url
    if ticket.closed_by_hand:
        shown["closedByHand"] = True
    if ticket.last_error:
        shown["lastError"] = ticket.last_error
