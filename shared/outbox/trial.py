"""Trying a sink out: one event, sent now, or for a sink of tickets its settings proved, and what the receiver said."""

from __future__ import annotations

import math
import time
import uuid
from typing import Literal

from typing_extensions import TypedDict

from shared import audit
from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, Forbidden, InvalidInput, PreconditionFailed, TooManyRequests, Unavailable
from shared.outbox import given, sinks
from shared.outbox.asking import ask
from shared.outbox.circuit import Rate
from shared.outbox.sinks import Sink
from shared.outbox.tell import cloud_event
from shared.sinks.contract import Message, SinkError
from shared.store.tables import Kind, Record

EVENT = "tenantry.sink.test"
PER_MINUTE, BURST = 10, 5
"""Tries of one sink: each is a request to somebody else's system, made because somebody pressed a button."""


class Tries(Record):
    """How often a sink was tried lately."""

    sink_id: str
    rate: Rate = Rate()


TRIES = Kind("SinkTries", Tries, lambda tries: ("tries", tries.sink_id))


class SinkTrial(TypedDict):
    """What became of a try. `status` is the receiver's, 0 without an answer."""

    outcome: Literal["passed", "failed"]
    status: int
    detail: str
    durationMs: int


class SinkChoice(TypedDict):
    """Something of the other system that can be chosen for a setting."""

    id: str
    name: str


async def run(app: App, caller: Principal, sink: Sink, **why: str | None) -> SinkTrial:
    """Test a sink, whether it is enabled or not.

    `why` goes to the audit log (reason, ticket_number, request_id). Raises TooManyRequests.
    """
    await _count(app, sink)
    identifier = uuid.uuid4().hex
    data = {"id": identifier, "sinkId": sink.id, "name": sink.name, "requestedBy": caller.name}
    body = cloud_event(app, identifier, EVENT, app.clock.now(), sink.id, data)
    message = Message(identifier, EVENT, body.encode(), title=f"Test of {sink.name}", text="Tenantry can reach this.")
    started = time.monotonic()
    outcome: Literal["passed", "failed"]
    try:
        settings = await sinks.settings_of(app, sink)
        outlet = sinks.outlet(app, sink.id)
        receipt = await ask(outlet, settings, given.kind_of(sink.kind).test(outlet, settings, message))
        outcome, status = "passed", receipt.status
        detail = receipt.detail or f"The receiver answered {status}."
    except SinkError as error:
        outcome, status, detail = "failed", error.status, error.message
    await audit.record(
        app,
        caller.id,
        "sink.test",
        sink.id,
        actor_name=caller.name,
        outcome="succeeded" if outcome == "passed" else "failed",
        **{name: text for name, text in why.items() if text is not None},
    )
    took = int((time.monotonic() - started) * 1000)
    return {"outcome": outcome, "status": status, "detail": detail, "durationMs": took}


async def _count(app: App, sink: Sink) -> None:
    """One try more. Raises TooManyRequests when that is too many, or another one is counted at this moment."""
    tries = await app.tables.get(TRIES, "tries", sink.id) or Tries(sink_id=sink.id)
    rate, wait = tries.rate.begun(app.clock.now(), PER_MINUTE, BURST)
    if wait:
        seconds = math.ceil(wait.total_seconds())
        raise TooManyRequests(f"{sink.name} was tested too often.", retry_after=seconds)
    counted = tries.changed(rate=rate)
    try:
        await (app.tables.put(TRIES, counted) if tries.etag else app.tables.insert(TRIES, counted))
    except (Conflict, PreconditionFailed):
        raise TooManyRequests(f"A test of {sink.name} is running already.", retry_after=1) from None


async def choices(app: App, caller: Principal, sink: Sink, name: str, search: str) -> list[SinkChoice]:
    """What the other system offers for a setting: `{id, name}`, at most 100.

    Raises Forbidden for who may not see every client, InvalidInput for a setting without choices and when the receiver
    refuses us, Unavailable when it is down.
    """
    if caller.sites is not None:
        raise Forbidden("Choices show every client in the other system: only who sees every site may ask for them.")
    try:
        settings = await sinks.settings_of(app, sink)
        outlet = sinks.outlet(app, sink.id)
        found = given.kind_of(sink.kind).choices(outlet, settings, name, search)
        rows = await ask(outlet, settings, found, (InvalidInput,))
        return [{"id": row["id"], "name": row["name"]} for row in rows]
    except SinkError as error:
        if error.permanent or error.disable:
            raise InvalidInput(error.message, target="settings") from error
        raise Unavailable(error.message) from error
