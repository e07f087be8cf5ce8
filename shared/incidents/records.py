"""The words of the incident machine: what was seen, what is known besides, what is remembered, what is to be done.

An incident is one device's condition over time. All times are aware and UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.devices.records import Status, subscription_of
from shared.store.tables import Kind, Record

Cause = Literal["platform", "planned", "user", "guest", "unknown"]
"""Who made it so, as Resource Health tells: Azure, Azure by plan, the customer, the machine's own system, or nobody."""
Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
Condition = Literal["unavailable", "degraded", "unknown", "flapping", "overdue"]
"""What a device's alert is about; `overdue`: planned work ended, and the device has not come back."""
Phase = Literal["quiet", "suppressed", "open"]
SuppressedBy = Literal[
    "hold", "unknown", "userInitiated", "azurePlanned", "action", "schedule", "maintenance", "snooze", "businessHours"
]
CloseReason = Literal[
    "recovered",
    "deviceDeleted",
    "siteUnmapped",
    "tenantUnsynced",
    "subscriptionGone",
    "userInitiated",
    "plannedWork",
    "policyChanged",
    "mergedIntoOutage",
]
SIGHTINGS_KEPT = 64
"""A device that flaps for days must not outgrow its row; the oldest go first."""


class Sighting(Record):
    """One state of a device, as a read of Resource Health showed it. `status` None: gone from Azure."""

    at: datetime
    """Azure's own time of the change; sightings are ordered by it."""
    seen_at: datetime
    """When it was (last) read."""
    status: Status | None = None
    cause: Cause = "unknown"
    reason: str | None = None


class PlannedWork(Record):
    """Work that may take a device down: an action, a schedule's run or a maintenance window."""

    id: str
    kind: Literal["action", "schedule", "maintenance"]
    what: str
    """In words for a ticket: `Restart by Alice`, `Maintenance: patching`."""
    starts_at: datetime
    ends_at: datetime | None = None
    """A spell that begins between start and end is its doing. None: still under way."""
    done_at: datetime | None = None
    """Of an action that takes a device down for good: when it was through with it. With an end, None is at once."""
    back_by: datetime | None = None
    """When the device should be back at the latest. None: when somebody starts it again."""


class Snooze(Record):
    """No more noise about an incident until a time or until it changes (both None: until it ends)."""

    by: str
    at: datetime
    until: datetime | None = None
    until_change: bool = False


class Acknowledgement(Record):
    """Somebody looks after it."""

    by: str
    at: datetime
    note: str | None = None


class Effect(Record):
    """One thing to do to the alert of an incident, and to its tickets. Carrying it out twice does it once."""

    kind: Literal["open", "reopen", "update", "close", "suppress", "release"]
    """`suppress` shows or refreshes the silent alert of a suppressed incident, `release` ends it untold: with a reason
    it is kept as closed, without one nothing is left. `open` after `suppress` turns the silent alert into a told one.
    """
    at: datetime
    alert_id: str = ""
    """The alert it is about: a step may close one and make the next silent one. Empty: the incident's."""
    number: int
    """Counts the effects of an incident: what is sent because of this one has ids made of it."""
    close_reason: CloseReason | None = None
    """Of a `close`, and of a `release` that leaves a trace."""
    note: str = ""
    """One sentence for the ticket: what happened."""


class Incident(Record):
    """What is remembered of one device. The row is written before its effects are carried out."""

    device_id: str
    sightings: list[Sighting] = Field(default_factory=list)
    """Ordered by `at`, one per (at, status, cause), at most SIGHTINGS_KEPT."""
    phase: Phase = "quiet"
    alert_id: str | None = None
    """Of the present alert; while quiet, of the last one, which may be reopened."""
    opened_at: datetime | None = None
    """When what the present or last alert is about began, or when it was made: part of its id, unchanged when it is
    reopened."""
    told: bool = False
    """Whether the present alert was ever opened, and not only suppressed."""
    condition: Condition | None = None
    severity: Severity | None = None
    status: Status | None = None
    status_reason: str | None = None
    since: datetime | None = None
    """Begin of the present spell."""
    suppressed_by: SuppressedBy | None = None
    suppressed_until: datetime | None = None
    suppressed_detail: str | None = None
    closed_at: datetime | None = None
    close_reason: CloseReason | None = None
    acknowledgement: Acknowledgement | None = None
    snooze: Snooze | None = None
    due_at: datetime | None = None
    """When it must be looked at again though nothing new was seen."""
    effects: list[Effect] = Field(default_factory=list)
    """Decided and perhaps not carried out yet."""
    effect_count: int = 0


INCIDENTS = Kind(
    "Incidents", Incident, lambda i: (subscription_of(i.device_id), i.device_id), lambda i: {"phase": i.phase}
)


@dataclass(frozen=True)
class Observation:
    """All that a decision looks at beside the incident: new sightings, planned work around them, type and tags."""

    sightings: tuple[Sighting, ...] = ()
    planned: tuple[PlannedWork, ...] = ()
    type: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    first: bool = False
    """Its subscription was never read before."""
