"""Trying a sink out: one event, sent now, and what the receiver said."""

from __future__ import annotations

import time
import uuid
from typing import Any

from shared import audit
from shared.access import Principal
from shared.alerts import deliveries, sinks
from shared.alerts.sinks import Sink
from shared.app import App
from shared.sinks import KINDS
from shared.sinks.contract import Message, SinkError

EVENT = "tenantry.sink.test"


async def run(app: App, caller: Principal, sink: Sink, **why: str | None) -> dict[str, Any]:
    """Send a test event, whether the sink is enabled or not: `{outcome, status, detail, durationMs}`.

    `why` goes to the audit log (reason, ticket_number, request_id).
    """
    identifier = uuid.uuid4().hex
    data = {"id": identifier, "sinkId": sink.id, "name": sink.name, "requestedBy": caller.name}
    body = deliveries.cloud_event(app, identifier, EVENT, app.clock.now(), sink.id, data)
    started = time.monotonic()
    try:
        outlet = await sinks.outlet_of(app, sink)
        message = Message(identifier, EVENT, body.encode())
        status = await KINDS[sink.kind].send(outlet, sinks.settings_of(sink), message)
        outcome, detail = "passed", f"The receiver answered {status}."
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
