"""The log of a sink: what was and is to be sent to it, with every attempt; and sending again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from shared import audit
from shared.access import Principal
from shared.app import App
from shared.clock import newest_first
from shared.errors import Conflict, NotFound, PreconditionFailed
from shared.incidents.ids import parse_id
from shared.outbox import line
from shared.outbox.records import (
    HEAD,
    HEADS,
    IN_LINE,
    LINE,
    LOG,
    LOGGED,
    TICKETS,
    UNOPENED,
    Delivery,
    State,
    Ticket,
    stub,
    ticket_row,
    time_of,
)
from shared.store.tables import Write, insert, put

CHUNK = 200
AT_ONCE = 16
COUNTED = 10_000
"""How many messages in line are counted at most."""
IN_ONE = 45
FEW = 4
"""So many rows in line are read one by one: a query over what lies between them could cost more."""


async def of_sink(
    app: App,
    sink_id: str,
    *,
    state: State | None = None,
    alert_ids: Sequence[str] = (),
    above: str = "",
    limit: int | None = None,
) -> list[Delivery]:
    """Deliveries to a sink, newest event first, from beyond an id; of these alerts only, if any are named."""
    logged = {"held": "pending"}.get(state or "", state)
    where, parameters = _where(logged, alert_ids)
    found: list[Delivery] = []
    after = LOGGED + above
    while limit is None or len(found) < limit:
        page = await app.tables.all(
            LOG, sink_id, prefix=LOGGED, above=after, where=where, parameters=parameters, limit=CHUNK
        )
        found += [row for row in await _whole(app, page) if state is None or row.state == state]
        if len(page) < CHUNK:
            break
        after = LOGGED + page[-1].id
    return found if limit is None else found[:limit]


def _where(logged: str | None, alert_ids: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """What of a filter the storage can do. Nothing of an alert lies before it was made, which its id tells."""
    parts, parameters = [], dict[str, Any]()
    if logged:
        parts.append("state eq @state")
        parameters["state"] = logged
    if alert_ids:
        named = {f"alert{number}": alert_id for number, alert_id in enumerate(alert_ids)}
        # The client finds a parameter by the spaces around it.
        parts.append(f"( {' or '.join(f'alert eq @{name}' for name in named)} )")
        parameters |= named
        made = [place[1] for place in map(parse_id, alert_ids) if place]
        if len(made) == len(alert_ids):
            parts.append("RowKey lt @last")
            parameters["last"] = LOGGED + newest_first(min(made)) + "~"
    return " and ".join(parts), parameters


async def count(app: App, sink_id: str, state: State | None, alert_ids: Sequence[str] = ()) -> int:
    """How many there are."""
    if alert_ids:
        return len(await of_sink(app, sink_id, state=state, alert_ids=alert_ids))
    in_line = state in ("pending", "held")
    where, parameters = ("state eq @state", {"state": state}) if state else ("", {})
    rows = app.tables.rows(
        LINE.table,
        sink_id,
        prefix=IN_LINE if in_line else LOGGED,
        where=where,
        parameters=parameters,
        select=["RowKey"],
    )
    return len([row async for row in rows])


async def one(app: App, sink_id: str, delivery_id: str) -> Delivery:
    """One delivery. Raises NotFound."""
    row = await app.tables.get(LOG, sink_id, LOGGED + delivery_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return (await _whole(app, [row]))[0]


async def _whole(app: App, rows: Sequence[Delivery]) -> list[Delivery]:
    """Those that are in line as they are there: the log only knows that they are."""
    gate, in_line = asyncio.Semaphore(AT_ONCE), await _in_line(app, rows)

    async def whole(row: Delivery) -> Delivery:
        if row.state != "pending":
            return row
        if row.key in in_line:
            return in_line[row.key]
        async with gate:
            # Between the two it may have ended.
            waiting = await app.tables.get(LINE, row.sink_id, row.key)
            return waiting or await app.tables.get(LOG, row.sink_id, LOGGED + row.id) or row

    return list(await asyncio.gather(*(whole(row) for row in rows)))


async def _in_line(app: App, rows: Sequence[Delivery]) -> dict[str, Delivery]:
    """What is in line of many of the log, by its key there: one query, as they lie together. Of few, nothing."""
    keys = sorted(row.key for row in rows if row.state == "pending")
    if len(keys) <= FEW:
        return {}
    found = app.tables.query(
        LINE,
        rows[0].sink_id,
        prefix=IN_LINE,
        where="RowKey ge @first and RowKey le @last",
        parameters={"first": keys[0], "last": keys[-1]},
        limit=2 * len(keys),
    )
    return {row.key: row async for row in found}


class SinkLag(TypedDict):
    """How a sink does; at most 10,000 are counted. `circuit`: open while nothing is sent after too many failures."""

    pending: int
    held: int
    circuit: Literal["closed", "open"]
    circuitUntil: NotRequired[datetime]
    pausedUntil: NotRequired[datetime]
    oldestPendingAt: NotRequired[datetime]


async def lag(app: App, sink_id: str) -> SinkLag:
    """How a sink does. Times are UTC; at most COUNTED are counted."""
    now = app.clock.now()
    head = await app.tables.get(HEADS, sink_id, HEAD)
    counts, oldest = Counter[str](), ""
    async for row in app.tables.rows(LINE.table, sink_id, prefix=IN_LINE, select=["RowKey", "state"], limit=COUNTED):
        counts[row["state"]] += 1
        if row["state"] == "pending":
            oldest = oldest or row["RowKey"]
    shown: SinkLag = {"pending": counts["pending"], "held": counts["held"], "circuit": "closed"}
    if oldest:
        shown["oldestPendingAt"] = time_of(oldest)
    if head is not None:
        if head.circuit.until is not None:
            shown["circuit"], shown["circuitUntil"] = "open", head.circuit.until
        if head.paused_until is not None and head.paused_until > now:
            shown["pausedUntil"] = head.paused_until
    return shown


async def redeliver(app: App, caller: Principal, sink_id: str, delivery_id: str, **why: str | None) -> Delivery:
    """Put one that ended back in line, with a full number of attempts. `why` goes to the audit log.

    Raises NotFound, and Conflict while it is in line.
    """
    row = await one(app, sink_id, delivery_id)
    if row.state in ("pending", "held"):
        raise Conflict("It is still in line, and is tried by itself.")
    if not await _again(app, [row]):
        raise Conflict("It was put back in line already.")
    await line.wake(app, {sink_id})
    await _audited(app, caller, "delivery.redeliver", f"{sink_id}/{delivery_id}", why)
    return await one(app, sink_id, delivery_id)


async def redeliver_failed(app: App, caller: Principal, sink_id: str, **why: str | None) -> int:
    """Put everything that failed back in line; gives the number. `why` goes to the audit log."""
    total, above = 0, LOGGED
    while True:
        page = await app.tables.all(LOG, sink_id, prefix=LOGGED, above=above, where="state eq 'failed'", limit=CHUNK)
        total += await _again(app, page)
        if len(page) < CHUNK:
            break
        above = LOGGED + page[-1].id
    await line.wake(app, {sink_id})
    await _audited(app, caller, "sink.redeliver", sink_id, why)
    return total


async def redeliver_alert(app: App, alert_id: str, sink_ids: Sequence[str]) -> int:
    """Put the ended deliveries of an alert to these sinks back in line, under the same ids; gives their number.

    Raises Conflict when there are none: nothing was told, or all of it is still in line.
    """
    place = parse_id(alert_id)
    opened_at = place[1] if place else app.clock.now()
    first, last = (LOGGED + newest_first(at) for at in (app.clock.now() + timedelta(days=1), opened_at))
    found: list[Delivery] = []
    for sink_id in sink_ids:
        found += await app.tables.all(
            LOG,
            sink_id,
            prefix=LOGGED,
            above=first,
            where="alert eq @alert and RowKey lt @last",
            parameters={"alert": alert_id, "last": last + "~"},
        )
    ended = [row for row in found if row.state != "pending"]
    if not found:
        raise Conflict("No sink was told of this alert, so there is nothing to send again.")
    if not ended:
        raise Conflict("Its deliveries are still under way; they are tried again by themselves.")
    total = 0
    for sink_id in sink_ids:
        total += await _again(app, [row for row in ended if row.sink_id == sink_id])
    await line.wake(app, sink_ids)
    return total


async def _again(app: App, rows: Sequence[Delivery]) -> int:
    """Put deliveries of one sink that ended back in line, as many as nobody else does; gives their number.

    The timer finds them when the job for it is never sent.
    """
    now = app.clock.now()
    opened = [row.alert_id for row in rows if row.verb == "opened" and row.alert_id and row.state == "failed"]
    if opened:
        await app.tables.delete_rows(LOG.table, rows[0].sink_id, [UNOPENED + alert_id for alert_id in set(opened)])
    await _pending_again(app, rows)
    total = 0
    for begin in range(0, len(rows), IN_ONE):
        chunk = rows[begin : begin + IN_ONE]
        try:
            await app.tables.transact(write for row in chunk for write in _put_back(row, now))
            total += len(chunk)
        except PreconditionFailed:
            for row in chunk:
                try:
                    await app.tables.transact(_put_back(row, now))
                    total += 1
                except PreconditionFailed:
                    continue  # somebody else puts it back at this moment
    return total


def _put_back(row: Delivery, now: datetime) -> list[Write]:
    fresh = row.changed(
        state="pending", line_at=now, due_at=now, attempt_count=0, done_at=None, last_error=None, detail=None
    )
    return [put(LOG, stub(fresh).changed(etag=row.etag)), insert(LINE, fresh)]


async def _pending_again(app: App, rows: Sequence[Delivery]) -> None:
    """A ticket shown as failed is shown as on its way."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one_ticket(sink_id: str, alert_id: str) -> None:
        async with gate:
            await app.tables.update(TICKETS, sink_id, ticket_row(alert_id), _hoping)

    failed = {(row.sink_id, row.alert_id) for row in rows if row.alert_id and row.state == "failed"}
    await asyncio.gather(*(one_ticket(sink_id, alert_id) for sink_id, alert_id in failed))


def _hoping(ticket: Ticket) -> Ticket | None:
    return ticket.changed(state="pending", last_error=None) if ticket.state == "failed" else None


async def _audited(app: App, caller: Principal, action: str, target: str, why: dict[str, str | None]) -> None:
    said = {name: text for name, text in why.items() if text is not None}
    await audit.record(app, caller.id, action, target, actor_name=caller.name, **said)


class DeliveryAttempt(TypedDict):
    """One time of sending. `status` is the receiver's, 0 without an answer."""

    at: datetime
    status: int
    error: str | None
    durationMs: int


class DeliveryView(TypedDict):
    """An event for a sink: `dueAt` while it waits for its turn, `doneAt` once it ended. `id` is its webhook-id."""

    id: str
    event: str
    eventAt: datetime
    subject: str
    alertId: str | None
    state: State
    lastError: str | None
    attempts: list[DeliveryAttempt]
    detail: NotRequired[str]
    dueAt: NotRequired[datetime]
    doneAt: NotRequired[datetime | None]


def view(row: Delivery) -> DeliveryView:
    """As the API shows it."""
    shown: DeliveryView = {
        "id": row.id,
        "event": row.event,
        "eventAt": row.event_at,
        "subject": row.subject,
        "alertId": row.alert_id,
        "state": row.state,
        "lastError": row.last_error,
        "attempts": [
            {"at": a.at, "status": a.status, "error": a.error, "durationMs": a.duration_ms} for a in row.attempts
        ],
    }
    if row.detail:
        shown["detail"] = row.detail
    if row.state == "pending":
        shown["dueAt"] = row.due_at
    elif row.state != "held":
        shown["doneAt"] = row.done_at
    return shown
