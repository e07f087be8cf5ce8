"""Announcements: what happened that is no alert, told to the sinks of events in scope."""

from __future__ import annotations

import hashlib
from datetime import datetime

from shared import telemetry
from shared.app import App
from shared.errors import Conflict
from shared.jobs import Announce
from shared.outbox import line, sinks
from shared.outbox.records import Delivery, delivery_id
from shared.outbox.sinks import Sink
from shared.outbox.tell import cloud_event
from shared.store.tables import Kind, Record


class Announced(Record):
    """When an announcement was first made."""

    mark: str
    at: datetime


ANNOUNCED = Kind("Announcements", Announced, lambda a: ("announced", a.mark))


async def run(app: App, job: Announce) -> None:
    """Queue job: one delivery per sink in scope. The same announcement twice is one."""
    mark = hashlib.sha256(job.event_id.encode()).hexdigest()
    first = Announced(mark=mark, at=app.clock.now())
    try:
        await app.tables.insert(ANNOUNCED, first)
    except Conflict:
        first = await app.tables.get(ANNOUNCED, "announced", mark) or first
    told = [sink for sink in await sinks.every(app) if _concerns(sink, job)]
    await line.add(app, [_delivery(app, sink, job, first) for sink in told])
    await line.wake(app, {sink.id for sink in told if sink.enabled})


def _concerns(sink: Sink, job: Announce) -> bool:
    if not sink.wants(job.event) or (job.event == sinks.DISABLED and job.subject == sink.id):
        return False
    if sink.site_ids is None or job.site_ids is None:
        return sink.site_ids is None
    # Of a sink those may know who may see it: whoever sees all its sites.
    enough = all if job.event == sinks.DISABLED else any
    return enough(sink.concerns(site_id) for site_id in job.site_ids)


def _delivery(app: App, sink: Sink, job: Announce, first: Announced) -> Delivery:
    identifier, now = delivery_id(sink.id, first.at, job.event_id), app.clock.now()
    return Delivery(
        id=identifier,
        sink_id=sink.id,
        kind=sink.kind,
        event=job.event,
        event_at=first.at,
        subject=job.subject,
        lane=first.mark[:32],
        body=cloud_event(app, identifier, job.event, first.at, job.subject, job.data),
        line_at=now,
        due_at=now,
        traceparent=telemetry.traceparent(),
    )


async def give_up(app: App, job: Announce, reason: str) -> None:
    """Nothing to mark: what was announced stays as it is, and the poisoned job is listed, to be put back."""
