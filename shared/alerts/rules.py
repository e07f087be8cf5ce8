"""What a health event does to a device's alert: a pure function, the first form of the incident rules.

Whatever Resource Health reports other than available opens, available closes, and notReported (no statement at all)
does neither. A device that is gone from Azure closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.alerts.records import Alert, Step, Subject, alert_id, extended
from shared.devices.records import HealthEvent

Action = Literal["none", "open", "change", "close"]
OPENS = frozenset({"unavailable", "degraded", "unknown"})


@dataclass(frozen=True)
class Effect:
    """What to do, and the alert as it is afterwards (None with `none`)."""

    action: Action
    alert: Alert | None = None


NOTHING = Effect("none")


def apply(alert: Alert | None, event: HealthEvent, event_key: str, subject: Subject, site_id: str | None) -> Effect:
    """The effect of one event on the open alert of its device, or on its absence.

    `event_key` sorts events of a device in time. Applying an event again gives the same effect again (so that work
    cut off half-way is finished), and one older than the last applied gives none.
    """
    status, at = event.change.after, event.change.seen_at
    if alert is not None and event_key < alert.last_event:
        return NOTHING
    if alert is None:
        if status not in OPENS:
            return NOTHING
        return Effect("open", _opened(event, event_key, subject, site_id))
    if event_key == alert.last_event:
        return Effect("open", alert) if alert.opened_at == at else NOTHING
    if status is None:
        return Effect("close", closed(alert, "deviceDeleted", at, event_key=event_key))
    if status == "available":
        return Effect("close", closed(alert, "recovered", at, event=event, event_key=event_key))
    if status == "notReported":
        return NOTHING
    step = Step(at=at, what="changed", status=status, detail=event.change.reason)
    return Effect(
        "change",
        alert.changed(
            status=status,
            status_reason=event.change.reason,
            last_event=event_key,
            timeline=extended(alert.timeline, step),
        ),
    )


def closed(
    alert: Alert, reason: str, at: datetime, *, event: HealthEvent | None = None, event_key: str | None = None
) -> Alert:
    """The alert closed at a time, with the device's status when an event tells it."""
    step = Step(at=at, what="closed", status=event.change.after if event else None, detail=reason)
    values = {
        "state": "closed",
        "closed_at": at,
        "close_reason": reason,
        "last_event": event_key or alert.last_event,
        "timeline": extended(alert.timeline, step),
        "etag": None,
    }
    if event is not None:
        values |= {"status": event.change.after, "status_reason": event.change.reason}
    return alert.changed(**values)


def _opened(event: HealthEvent, event_key: str, subject: Subject, site_id: str | None) -> Alert:
    status, at = event.change.after, event.change.seen_at
    if status is None:
        raise ValueError("a device that is gone opens no alert")
    return Alert(
        id=alert_id(event.device_id, at),
        device_id=event.device_id,
        site_id=site_id,
        condition=status,
        opened_at=at,
        status=status,
        status_reason=event.change.reason,
        subject=subject,
        last_event=event_key,
        timeline=[Step(at=at, what="opened", status=status, detail=event.change.reason)],
    )
