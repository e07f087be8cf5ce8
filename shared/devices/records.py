"""Devices as rows: the resource with its health, each change of it, and the outbox of changes not yet acted upon.

All three live in the partition of their subscription, so that one transaction writes a device together with its change.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from pydantic import Field

from shared.clock import newest_first
from shared.store.tables import Kind, Record

Status = Literal["available", "unavailable", "degraded", "unknown", "notReported"]
"""Resource Health's availability state: `unknown` also for its null, `notReported` when it lists no such resource."""
STATUSES: tuple[Status, ...] = get_args(Status)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Health(Record):
    """What Resource Health says of one resource. `since` is its `occuredTime` in UTC.

    Fields: learn.microsoft.com/rest/api/resourcehealth/availability-statuses/list-by-subscription-id.
    """

    status: Status
    since: datetime | None = None
    reason: str | None = None
    """Its summary, or its title when it has none."""
    reason_type: str | None = None
    """Planned, Unplanned, UserInitiated... a free text of Azure."""
    context: str | None = None
    """Platform Initiated, Customer Initiated, VM Initiated, Unknown."""
    category: str | None = None
    """Planned, Unplanned, Not Applicable."""
    recommended_actions: list[dict[str, str]] = Field(default_factory=list)
    """`{text, url?}` in the order of Azure; only while not available."""
    service_issue: str | None = None
    """Correlation id (else the title) of an active service issue of Azure's that impacts the resource."""
    service_issue_title: str | None = None


class Device(Record):
    """One Azure resource as it was last observed. Times are UTC."""

    id: str
    """See `device_id`."""
    resource_id: str
    """As Azure spells it; compare it lower-cased."""
    name: str
    """Of a child resource `parent/child`."""
    type: str
    """As Azure spells it: `Microsoft.Compute/virtualMachines`."""
    region: str = ""
    resource_group: str = ""
    subscription_id: str
    """Lower case."""
    tenant_id: str
    tags: dict[str, str] = Field(default_factory=dict)
    health: Health
    power_state: str | None = None
    """The run state when it was polled, in the words of shared/capabilities/; None of what no poll reads it of."""
    first_seen_at: datetime
    changed_at: datetime
    """When the row was last written."""


class Change(Record):
    """A change of a device's health."""

    device_id: str
    at: datetime
    """When it happened, as Azure tells it, else when it was seen."""
    seen_at: datetime
    before: Status | None = None
    """None: the device was not known before."""
    after: Status | None = None
    """None: the device is gone from Azure."""
    reason: str | None = None
    reason_type: str | None = None
    context: str | None = None
    category: str | None = None


class HealthEvent(Record):
    """A change that waits to be turned into alerts: applied in order of its row key, then deleted."""

    device_id: str
    change: Change
    device: Device
    """As it was after the change; before it, when the device is gone."""
    first_poll: bool = False
    """It was like this already when its subscription was read for the first time."""


def _change_row(change: Change) -> str:
    return f"change|{change.device_id}|{newest_first(change.seen_at)}"


def _event_row(event: HealthEvent) -> str:
    # Whole numbers: floats would give two times a millisecond apart one key.
    milliseconds = (event.change.seen_at - _EPOCH) // timedelta(milliseconds=1)
    return f"event|{milliseconds:015d}|{event.device_id}"


DEVICES = Kind("Devices", Device, lambda d: (d.subscription_id, f"device|{d.id}"))
CHANGES = Kind("Devices", Change, lambda c: (subscription_of(c.device_id), _change_row(c)))
EVENTS = Kind("Devices", HealthEvent, lambda e: (subscription_of(e.device_id), _event_row(e)))
DEVICE_PREFIX, CHANGE_PREFIX, EVENT_PREFIX = "device|", "change|", "event|"

_SUBSCRIPTION_CHARS, _HASH_CHARS = 32, 20


def device_id(subscription_id: str, resource_id: str) -> str:
    """The id of a resource: its subscription's id without dashes, then 100 bits of the hash of its lower-cased id."""
    mark = base64.b32encode(hashlib.sha256(resource_id.lower().encode()).digest()[:15]).decode().lower()
    return subscription_id.replace("-", "").lower() + mark[:_HASH_CHARS]


def subscription_of(identifier: str) -> str:
    """The subscription (lower case, with dashes) that a device id names; empty when it is no device id."""
    head = identifier[:_SUBSCRIPTION_CHARS]
    if len(identifier) != _SUBSCRIPTION_CHARS + _HASH_CHARS:
        return ""
    try:
        return str(uuid.UUID(hex=head))
    except ValueError:
        return ""


def status_of(state: Any) -> Status:
    """Ours for Resource Health's availability state: its null, and any state we do not know, is `unknown`."""
    found = str(state or "").lower()
    return next((status for status in STATUSES if status == found), "unknown")
