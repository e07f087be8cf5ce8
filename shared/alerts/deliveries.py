"""Deliveries: each event for each sink is a row before it is sent, and stays one with every attempt.

Their keys follow from the event, so that work done twice tells a sink once; the key is also the webhook-id.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field
from pydantic_core import to_json

from shared.alerts import sinks
from shared.alerts.sinks import Sink
from shared.app import App
from shared.clock import newest_first, rfc3339
from shared.errors import Conflict, PreconditionFailed
from shared.jobs import Announce, Deliver
from shared.sinks import KINDS
from shared.sinks.contract import Message, SinkError
from shared.store.tables import Kind, Record

BACK_OFF = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
"""Seconds between attempts; a delivery fails after the last, about a day after the first."""
LEASE = timedelta(seconds=60)
"""How long a worker has for one attempt; more than the longest time-out of a sink."""
SHORT_WAIT = 60
"""Seconds. Shorter waits are a hidden message, longer ones a row that a timer looks at."""
MAX_BODY_CHARS = 20_000
"""What Standard Webhooks recommends as the most; and it fits a row."""
ATTEMPTS_KEPT = 20
RESUMED = timedelta(days=7)
"""How old a delivery that failed because its sink was off may be, to be sent once the sink is on again."""
OFF = "The sink is switched off. Enable it: what is at most 7 days old is sent then. Redeliver older alerts after that."
DUE = "due"
DUE_BATCH = 500


class Attempt(Record):
    """One time of sending. `at` is UTC; `status` is the receiver's, 0 without an answer."""

    at: datetime
    status: int = 0
    error: str | None = None
    duration_ms: int = 0


class Delivery(Record):
    """One event for one sink. Times are UTC."""

    id: str
    """Row key and webhook-id."""
    sink_id: str
    kind: str
    event: str
    event_at: datetime
    subject: str
    alert_id: str | None = None
    body: str
    """The CloudEvent, sent as it is."""
    state: Literal["pending", "delivered", "failed"] = "pending"
    after: str | None = None
    """The delivery to the same sink that must be there first."""
    due_at: datetime
    lease_until: datetime | None = None
    attempt_count: int = 0
    """Since it was last put in line."""
    attempts: list[Attempt] = Field(default_factory=list)
    last_error: str | None = None
    done_at: datetime | None = None
    sink_off: bool = False
    """It failed because the sink was off, or because the receiver switched it off."""


class Due(Record):
    """Points at a delivery that is to be tried again at a time."""

    due_at: datetime
    sink_id: str
    delivery_id: str


class Announced(Record):
    """When an announcement was first made."""

    mark: str
    at: datetime


DELIVERIES = Kind("Deliveries", Delivery, lambda d: (d.sink_id, d.id), lambda d: {"state": d.state})
DUES = Kind(
    "DeliveriesDue",
    Due,
    lambda d: (DUE, f"{int(d.due_at.timestamp() * 1000):015d}|{d.sink_id}|{d.delivery_id}"),
)
ANNOUNCED = Kind("Announcements", Announced, lambda a: ("announced", a.mark))


def delivery_id(sink_id: str, at: datetime, key: str) -> str:
    """The id of the delivery of an event (its time and a key of its own) to a sink."""
    return f"{newest_first(at)}{hashlib.sha256(f'{key}|{sink_id}'.encode()).hexdigest()[:24]}"


def cloud_event(app: App, identifier: str, event: str, at: datetime, subject: str, data: dict[str, Any]) -> str:
    """The event in CloudEvents' structured JSON. Data that is too long is cut to what says where to read it."""
    body = {
        "specversion": "1.0",
        "id": identifier,
        "source": app.settings.public_api_url,
        "type": event,
        "subject": subject,
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "data": data,
    }
    text = to_json(body).decode()
    if len(text) > MAX_BODY_CHARS:
        short = {name: data[name] for name in ("id", "kind", "status", "state") if name in data}
        text = to_json({**body, "data": {**short, "truncated": True}}).decode()
    return text


async def create(
    app: App,
    sink: Sink,
    event: str,
    at: datetime,
    subject: str,
    data: dict[str, Any],
    *,
    key: str,
    alert_id: str | None = None,
    after: str | None = None,
) -> None:
    """Store a delivery and put it in line. Doing so again changes nothing that was stored."""
    identifier = delivery_id(sink.id, at, key)
    row = Delivery(
        id=identifier,
        sink_id=sink.id,
        kind=sink.kind,
        event=event,
        event_at=at,
        subject=subject,
        alert_id=alert_id,
        body=cloud_event(app, identifier, event, at, subject, data),
        after=after,
        due_at=app.clock.now(),
    )
    try:
        await app.tables.insert(DELIVERIES, row)
    except Conflict:
        stored = await app.tables.get(DELIVERIES, sink.id, identifier)
        if stored is None or stored.state != "pending":
            return
    await app.queues.send(Deliver(sink_id=sink.id, delivery_id=identifier))


async def run_announcement(app: App, job: Announce) -> None:
    """Queue job: one delivery per sink in scope. The same announcement twice is one."""
    mark = hashlib.sha256(job.event_id.encode()).hexdigest()
    first = Announced(mark=mark, at=app.clock.now())
    try:
        await app.tables.insert(ANNOUNCED, first)
    except Conflict:
        first = await app.tables.get(ANNOUNCED, "announced", mark) or first
    for sink in await sinks.every(app):
        concerned = job.site_ids is None or any(sink.concerns(site_id) for site_id in job.site_ids)
        if sink.enabled and (concerned or sink.site_ids is None):
            await create(app, sink, job.event, first.at, job.subject, job.data, key=job.event_id)


async def run(app: App, job: Deliver) -> None:
    """Queue job: one attempt, unless it is too early, another worker is at it, or an earlier delivery is under way."""
    row = await app.tables.get(DELIVERIES, job.sink_id, job.delivery_id)
    if row is None or row.state != "pending":
        return
    now = app.clock.now()
    if row.lease_until is not None and row.lease_until > now:
        await app.queues.send(job, delay=(row.lease_until - now).total_seconds() + 1)
        return
    if row.due_at > now:
        await _schedule(app, row)
        return
    if row.after is not None:
        earlier = await app.tables.get(DELIVERIES, row.sink_id, row.after)
        if earlier is not None and earlier.state == "pending":
            later = max(earlier.due_at, now) + timedelta(seconds=1)
            await _put(app, row.changed(due_at=later))
            await _schedule(app, row.changed(due_at=later))
            return
        if earlier is not None and earlier.state == "failed":
            said = "The event before it was never delivered, so this one was not sent."
            await _end(app, row, said, sink_off=earlier.sink_off)
            return
    sink = await sinks.find(app, row.sink_id)
    if sink is None or not sink.enabled:
        await _end(app, row, "The sink was deleted." if sink is None else OFF, sink_off=sink is not None)
        return
    try:
        row = await app.tables.put(DELIVERIES, row.changed(lease_until=now + LEASE))
    except PreconditionFailed:
        return  # another worker took it, and its own message comes back if it dies
    await _attempt(app, sink, row)


async def _attempt(app: App, sink: Sink, row: Delivery) -> None:
    began, started = app.clock.now(), time.monotonic()
    status, failure = 0, None
    try:
        outlet = await sinks.outlet_of(app, sink)
        message = Message(row.id, row.event, row.body.encode())
        status = await KINDS[sink.kind].send(outlet, sinks.settings_of(sink), message)
    except SinkError as error:
        status, failure = error.status, error
    attempt = Attempt(
        at=began,
        status=status,
        error=failure.message if failure else None,
        duration_ms=int((time.monotonic() - started) * 1000),
    )
    count = row.attempt_count + 1
    row = row.changed(
        attempts=[*row.attempts, attempt][-ATTEMPTS_KEPT:],
        attempt_count=count,
        lease_until=None,
        last_error=attempt.error,
    )
    now = app.clock.now()
    if failure is None:
        await _put(app, row.changed(state="delivered", done_at=now))
        return
    if failure.disable:
        await sinks.disable(app, sink.id, failure.message)
    if failure.permanent or count > len(BACK_OFF):
        await _put(app, row.changed(state="failed", done_at=now, sink_off=failure.disable))
        return
    wait = max(BACK_OFF[count - 1], failure.retry_after or 0)
    row = row.changed(due_at=now + timedelta(seconds=wait))
    await _put(app, row)
    await _schedule(app, row)


async def _schedule(app: App, row: Delivery) -> None:
    wait = (row.due_at - app.clock.now()).total_seconds()
    if wait <= SHORT_WAIT:
        await app.queues.send(Deliver(sink_id=row.sink_id, delivery_id=row.id), delay=max(0, wait))
    else:
        await app.tables.put(DUES, Due(due_at=row.due_at, sink_id=row.sink_id, delivery_id=row.id))


async def deliver_due(app: App) -> None:
    """Timer: put the deliveries whose time has come back in line."""
    now = app.clock.now()
    async for due in app.tables.query(DUES, DUE, limit=DUE_BATCH):
        if due.due_at > now:
            return
        await app.queues.send(Deliver(sink_id=due.sink_id, delivery_id=due.delivery_id))
        await app.tables.delete(DUES, due.changed(etag=None))


async def give_up(app: App, job: Deliver, reason: str) -> None:
    """The delivery's message was poisoned."""
    row = await app.tables.get(DELIVERIES, job.sink_id, job.delivery_id)
    if row is not None and row.state == "pending":
        await _end(app, row, reason)


async def _end(app: App, row: Delivery, error: str, *, sink_off: bool = False) -> None:
    now = app.clock.now()
    await _put(app, row.changed(state="failed", last_error=error, lease_until=None, done_at=now, sink_off=sink_off))


async def _put(app: App, row: Delivery) -> None:
    """Store what became of it. Only the holder of the lease writes; another's change means that the lease ran out."""
    try:
        await app.tables.put(DELIVERIES, row)
    except PreconditionFailed:
        return


async def again(app: App, row: Delivery) -> None:
    """Put a delivery that has ended back in line, with a full number of attempts."""
    fresh = row.changed(
        state="pending",
        due_at=app.clock.now(),
        attempt_count=0,
        done_at=None,
        lease_until=None,
        last_error=None,
        sink_off=False,
    )
    # The timer finds it if we are killed before the message is sent; a second message does nothing.
    due = fresh.due_at + timedelta(seconds=SHORT_WAIT)
    await app.tables.put(DUES, Due(due_at=due, sink_id=row.sink_id, delivery_id=row.id))
    await app.tables.put(DELIVERIES, fresh)
    await app.queues.send(Deliver(sink_id=row.sink_id, delivery_id=row.id))


async def resume(app: App, sink_id: str) -> int:
    """Put deliveries that failed because their sink was off back in line, oldest first; gives their number.

    Alerts that opened while it was off have none, and stay unsent.
    """
    since, missed = app.clock.now() - RESUMED, list[Delivery]()
    async for row in app.tables.query(DELIVERIES, sink_id, where="state eq 'failed'"):
        if row.event_at < since:
            break
        if row.sink_off:
            missed.append(row)
    for row in reversed(missed):
        # Somebody redelivers it at this moment.
        with contextlib.suppress(PreconditionFailed):
            await again(app, row)
    return len(missed)


async def of_sink(
    app: App, sink_id: str, *, state: str | None = None, above: str = "", limit: int | None = None
) -> list[Delivery]:
    """Deliveries to a sink, newest event first, from beyond an id."""
    where, parameters = ("state eq @state", {"state": state}) if state else ("", {})
    return await app.tables.all(DELIVERIES, sink_id, above=above, where=where, parameters=parameters, limit=limit)


def view(row: Delivery) -> dict[str, Any]:
    """As the API shows it."""
    shown: dict[str, Any] = {
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
    if row.state == "pending":
        shown["dueAt"] = row.due_at
    else:
        shown["doneAt"] = row.done_at
    return shown
