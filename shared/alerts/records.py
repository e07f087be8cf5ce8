"""Alerts as rows: the open ones in one partition by device, the closed ones by the month they were opened in.

An alert's id names its device and the moment it was opened, so that both places follow from it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from shared.clock import newest_first
from shared.devices.records import Status
from shared.store.tables import Kind, Record

OPEN = "open"
TIMELINE_LIMIT = 50
"""Entries kept: a device that flaps for days must not outgrow its row. The first one always stays."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(Record):
    """One thing that happened to an alert. `at` is UTC."""

    at: datetime
    what: Literal["opened", "changed", "closed", "redelivered"]
    status: Status | None = None
    detail: str | None = None


class Subject(Record):
    """The device an alert is about, as it was then: what a ticket shows, without looking anything up."""

    resource_id: str
    name: str
    type: str
    region: str = ""
    resource_group: str = ""
    subscription_id: str
    subscription_name: str = ""
    tenant_id: str
    tenant_name: str = ""
    client_name: str = ""
    site_name: str = ""


class Alert(Record):
    """A device that is, or was, not available. Times are UTC."""

    id: str
    device_id: str
    site_id: str | None = None
    state: Literal["open", "closed"] = "open"
    condition: Status
    """The status that opened it."""
    opened_at: datetime
    closed_at: datetime | None = None
    close_reason: str | None = None
    """recovered | deviceDeleted | siteUnmapped | tenantUnsynced | subscriptionGone."""
    status: Status
    """The last one seen."""
    status_reason: str | None = None
    subject: Subject
    sink_ids: list[str] = Field(default_factory=list)
    """Sinks that were told of its opening, and are therefore told of its end."""
    closing_ids: list[str] = Field(default_factory=list)
    """Those told of its end: the same, as far as they still exist."""
    last_event: str
    """Row key of the last health event applied: older ones change nothing."""
    timeline: list[Step] = Field(default_factory=list)


def alert_id(device_id: str, opened_at: datetime) -> str:
    """The id of the alert of a device opened at a time (milliseconds in base 36)."""
    number, digits = (opened_at - _EPOCH) // timedelta(milliseconds=1), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return f"{device_id}-{digits or '0'}"


def parse_id(identifier: str) -> tuple[str, datetime] | None:
    """Device id and time of opening in an alert's id, or None when it is not one."""
    device_id, _, digits = identifier.rpartition("-")
    if not device_id or not digits or len(digits) > 10 or not set(digits) <= set(_DIGITS):
        return None
    try:
        return device_id, _EPOCH + timedelta(milliseconds=int(digits, 36))
    except OverflowError:
        return None


def order(device_id: str, opened_at: datetime) -> str:
    """Sorts alerts newest first, and is the row key of a closed one."""
    return f"{newest_first(opened_at)}{device_id}"


def closed_key(device_id: str, opened_at: datetime) -> tuple[str, str]:
    """Partition and row of an alert once it is closed."""
    return f"closed-{opened_at.astimezone(UTC):%Y%m}", order(device_id, opened_at)


def _key(alert: Alert) -> tuple[str, str]:
    if alert.state == "open":
        return OPEN, alert.device_id
    return closed_key(alert.device_id, alert.opened_at)


ALERTS = Kind("Alerts", Alert, _key)


def extended(timeline: list[Step], step: Step) -> list[Step]:
    """The timeline with one more step, bounded: what drops out is the oldest after the first."""
    longer = [*timeline, step]
    return longer if len(longer) <= TIMELINE_LIMIT else [longer[0], *longer[-(TIMELINE_LIMIT - 1) :]]


def brief(alert: Alert) -> dict[str, Any]:
    """The alert as its device shows it."""
    return {"id": alert.id, "condition": alert.condition, "openedAt": alert.opened_at}


def view(alert: Alert, tickets: list[dict[str, Any]], *, timeline: bool = False) -> dict[str, Any]:
    """The alert as the API and its events show it."""
    about = alert.subject
    shown: dict[str, Any] = {
        "id": alert.id,
        "title": f"{about.name} is {alert.condition}",
        "deviceId": alert.device_id,
        "deviceName": about.name,
        "resourceId": about.resource_id,
        "type": about.type,
        "region": about.region,
        "resourceGroup": about.resource_group,
        "subscriptionId": about.subscription_id,
        "subscriptionName": about.subscription_name,
        "tenantId": about.tenant_id,
        "tenantName": about.tenant_name,
        "clientName": about.client_name,
        "siteId": alert.site_id,
        "siteName": about.site_name,
        "state": alert.state,
        "condition": alert.condition,
        "openedAt": alert.opened_at,
        "status": alert.status,
        "statusReason": alert.status_reason,
        "tickets": tickets,
    }
    if alert.closed_at is not None:
        shown |= {"closedAt": alert.closed_at, "closeReason": alert.close_reason}
    if timeline:
        shown["timeline"] = [step.model_dump(exclude_none=True) for step in alert.timeline]
    return shown
