"""Telling sinks of alerts: one row in line per event and sink, and one job per sink."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic_core import to_json

from shared import telemetry
from shared.app import App
from shared.clock import rfc3339
from shared.outbox import line, sinks
from shared.outbox.records import Delivery, delivery_id
from shared.sinks.contract import ALERT_EVENTS

MAX_BODY_CHARS = 16_000
"""Of an event in JSON, as it lies in its row: Standard Webhooks recommends 20 kB as the most."""
MAX_TITLE_CHARS = 100
MAX_TEXT_CHARS = 4_000
"""Of a ticket's text, if the event leaves no room for more."""
MAX_TOLD_CHARS = 24_000
"""Of both together: what else is in their row takes a quarter of it."""


@dataclass(frozen=True)
class Notice:
    """What happened to an alert, for the sinks of it. `data` is the alert as the API shows it."""

    event: Literal["opened", "updated", "closed"]
    alert_id: str
    number: int
    """Of the effect: what is sent because of it has an id made of this."""
    at: datetime
    subject: str
    """The device, group or thing it is about."""
    data: dict[str, Any]
    title: str
    text: str
    """Plain: of an opening all there is to know, else what happened."""
    severity: str
    site_id: str | None
    client_name: str
    url: str = ""
    reopened: bool = False
    sink_ids: Sequence[str] = field(default_factory=list)

    @property
    def type(self) -> str:
        """CloudEvents type."""
        return f"tenantry.alert.{self.event}"


async def sinks_for(app: App, site_id: str | None) -> list[str]:
    """Ids of the sinks that are told of a new alert at a site (None: at none).

    Those that are switched off are among them: they get it when they are on again, if it is not too old by then.
    """
    return [
        sink.id
        for sink in await sinks.every(app)
        if sink.leaving is None and sink.concerns(site_id) and any(sink.wants(event) for event in ALERT_EVENTS)
    ]


async def tell(app: App, notices: Iterable[Notice]) -> None:
    """Put events in line for their sinks, and have them sent. Telling the same again changes nothing."""
    known = {sink.id: sink for sink in await sinks.every(app)}
    rows: list[Delivery] = []
    for notice in notices:
        for sink_id in dict.fromkeys(notice.sink_ids):
            sink = known.get(sink_id)
            late = sink is not None and sink.leaving is not None and notice.at > sink.leaving
            if sink is not None and not late and sink.wants(notice.type):
                rows.append(_delivery(app, sink, notice))
    await line.add(app, rows)
    await line.wake(app, {row.sink_id for row in rows if known[row.sink_id].enabled})


def _delivery(app: App, sink: sinks.Sink, notice: Notice) -> Delivery:
    identifier = delivery_id(sink.id, notice.at, f"{notice.alert_id}|{notice.number}|{notice.event}")
    now = app.clock.now()
    body = cloud_event(app, identifier, notice.type, notice.at, notice.subject, notice.data)
    return Delivery(
        id=identifier,
        sink_id=sink.id,
        kind=sink.kind,
        event=notice.type,
        event_at=notice.at,
        subject=notice.subject,
        lane=notice.alert_id,
        number=notice.number,
        alert_id=notice.alert_id,
        body=body,
        title=notice.title[:MAX_TITLE_CHARS],
        text=_cut(notice.text, max(MAX_TEXT_CHARS, MAX_TOLD_CHARS - _stored_chars(body))),
        severity=notice.severity,
        site_id=notice.site_id,
        client_name=notice.client_name,
        url=notice.url,
        reopened=notice.reopened,
        line_at=now,
        due_at=now,
        traceparent=telemetry.traceparent(),
    )


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
    if _stored_chars(text) > MAX_BODY_CHARS:
        short = {name: data[name] for name in ("id", "kind", "title", "status", "state", "severity") if name in data}
        text = to_json({**body, "data": {**short, "truncated": True}}).decode()
    return text


def _stored_chars(text: str) -> int:
    """How long a text is as JSON: a row keeps it so."""
    return len(text) + text.count('"') + text.count("\\") + text.count("\n")


def _cut(text: str, room: int = MAX_TEXT_CHARS) -> str:
    """As much of a ticket's text as its row has room for."""
    if _stored_chars(text) <= room:
        return text
    text = text[:room]
    return text[: len(text) - (_stored_chars(text) - len(text)) - 1].rstrip() + "…"
