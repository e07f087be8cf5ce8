"""A sink that is deleted closes its open tickets first: nobody would close them afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared import outbox
from shared.access import Principal
from shared.alerts import texts
from shared.alerts.records import ALERTS, OPEN, Alert
from shared.app import App
from shared.jobs import CloseAlerts
from shared.outbox import Notice, sinks
from shared.outbox.sinks import Sink

REASON = "sinkRemoved"
PATIENCE = timedelta(days=1)
"""How long a sink that does not answer is waited for; then its tickets stay as they are."""
SHORTEST, LONGEST = 1.0, 60.0
"""Seconds between two looks at what is left: half of the time that it took so far, within these."""
LAST = 999_999
"""Number of the last thing that a sink is told of an alert."""


async def remove_sink(app: App, caller: Principal, sink: Sink, *, etag: str | None = None, **why: str | None) -> None:
    """Delete a sink: at once when it has no open ticket or is off, else once they are closed.

    Raises PreconditionFailed when it is not that version any more, Conflict when others change it all the time.
    """
    if not sink.enabled or not await _with_tickets(app, sink.id):
        await sinks.remove(app, caller, sink, etag=etag, **why)
        return
    await sinks.leave(app, caller, sink, etag=etag, **why)
    await app.queues.send(_job(sink))


async def run(app: App, job: CloseAlerts, sink_id: str) -> None:
    """Queue job: tell a leaving sink to close what it has open, again and again until it has; then drop it."""
    sink = await sinks.find(app, sink_id)
    if sink is None or sink.leaving is None:
        return
    left = await _with_tickets(app, sink_id)
    if not left or not sink.enabled or app.clock.now() - sink.leaving > PATIENCE:
        await sinks.drop(app, sink)
        return
    await outbox.tell(app, [_closing(alert, sink_id, sink.leaving) for alert in left])
    age = (app.clock.now() - sink.leaving).total_seconds()
    await app.queues.send(job, delay=min(LONGEST, max(SHORTEST, age / 2)))


async def jobs(app: App) -> list[CloseAlerts]:
    """One for each sink that is leaving, in case the one that was sent is lost."""
    return [_job(sink) for sink in await sinks.every(app) if sink.leaving is not None]


def _job(sink: Sink) -> CloseAlerts:
    return CloseAlerts(subscription_id="", reason=REASON, sink_id=sink.id)


async def _with_tickets(app: App, sink_id: str) -> list[Alert]:
    """The open alerts that have an open ticket there, or whose opening is on its way: it may be made at this moment."""
    rows = [row for row in await app.tables.all(ALERTS, OPEN, where="state eq 'open'") if sink_id in row.sink_ids]
    known = await outbox.tickets(app, [(row.id, [sink_id]) for row in rows])
    return [row for row in rows if any(ticket["state"] in ("open", "pending") for ticket in known[row.id])]


def _closing(alert: Alert, sink_id: str, at: datetime) -> Notice:
    """The end of an alert for one sink; for the others it goes on."""
    ended = alert.changed(state="closed", closed_at=at, close_reason=REASON)
    return Notice(
        event="closed",
        alert_id=alert.id,
        number=LAST,
        at=at,
        subject=alert.subject_id,
        data=dict(texts.view(ended, [])),
        title=texts.title(alert),
        text=texts.closing(REASON),
        severity=alert.severity,
        site_id=alert.site_id,
        client_name=alert.subject.client_name,
        url=alert.subject.url,
        sink_ids=[sink_id],
    )
