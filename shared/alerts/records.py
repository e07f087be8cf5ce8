"""Alerts as rows: open and silent ones in one partition by subject, closed ones by the month they were made in.

An alert's id names its subject (a device, an outage, a part of Tenantry) and a moment (incidents.ids), so that both
places follow from it. While it is moved from one to the other both rows are there: the one of more effects counts.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from shared.devices.records import Status
from shared.incidents.ids import alert_id, order, parse_id
from shared.incidents.records import Acknowledgement, Condition, Effect, Severity, Snooze, SuppressedBy
from shared.store.tables import Kind, Record

__all__ = ["alert_id", "order", "parse_id"]
OPEN = "open"
TIMELINE_LIMIT = 40
"""Entries kept: a device that flaps for days must not outgrow its row. The first one always stays."""
DETAIL_CHARS = 300
NAMES_KEPT = 50
"""Devices that an outage names."""
NAME_CHARS = 64
REASON_CHARS = 1000
"""Of what Azure says."""
MARKS_KEPT = 500
"""Devices of an outage that are told apart when they are counted; of a larger one the count is what is open."""

OutageCondition = Literal["outage", "alreadyDown", "serviceIssue"]
SelfCondition = Literal["pollLate", "tenantFailing", "sinkFailing", "poisonedWork"]
AlertKind = Literal["device", "outage", "self"]
State = Literal["open", "suppressed", "closed"]
StepKind = Literal[
    "opened",
    "reopened",
    "changed",
    "acknowledged",
    "unacknowledged",
    "snoozed",
    "woken",
    "suppressed",
    "closed",
    "redelivered",
]


class Step(Record):
    """One thing that happened to an alert. `at` is UTC."""

    at: datetime
    what: StepKind
    status: Status | None = None
    detail: str | None = None


class Subject(Record):
    """What an alert is about, as it was then: all that a ticket shows, without looking anything up."""

    name: str
    resource_id: str = ""
    type: str = ""
    region: str = ""
    resource_group: str = ""
    subscription_id: str = ""
    subscription_name: str = ""
    tenant_id: str = ""
    tenant_name: str = ""
    client_name: str = ""
    site_name: str = ""
    url: str = ""
    """Where it is looked at."""


class Member(Record):
    """A device of an outage."""

    id: str
    name: str
    status: Status | None = None
    """The last one seen; None when nothing is known of it any more."""
    down: bool = True
    """Whether it is among those that keep the outage open."""


class Members(Record):
    """The devices of an outage."""

    count: int = 0
    """That ever belonged to it."""
    open: int = 0
    devices: list[Member] = Field(default_factory=list)
    """The first NAMES_KEPT."""
    marks: str = ""
    """Ends of the ids of those counted, one after the other."""


class Issue(Record):
    """A service issue of Azure, as it was when an alert was opened."""

    id: str
    """Azure's tracking id; of one that Azure does not list, what the device's health calls it."""
    title: str = ""
    service: str = ""
    region: str = ""
    """Several are joined by a comma."""
    url: str = ""
    """Where it is followed."""


class Alert(Record):
    """Something that is, or was, wrong: with a device, with many of one client, or with Tenantry. Times are UTC."""

    id: str
    kind: AlertKind = "device"
    subject_id: str
    """Row key while it is open: a device's id, else `g...` or `self...`."""
    parent_id: str | None = None
    """The outage that it belongs to, whose ticket is its ticket; of one that closed by it, where it goes on."""
    client_key: str = ""
    """Whose lease guards it."""
    site_id: str | None = None
    site_ids: list[str] = Field(default_factory=list)
    """Of one of Tenantry's own that concerns several sites: all of them."""
    state: State = "open"
    condition: Condition | OutageCondition | SelfCondition
    severity: Severity = "high"
    opened_at: datetime
    """When it was made: told, or shown silently; of what we saw begin, when that began. Part of its id."""
    told_at: datetime | None = None
    """When people were first told. None: they never were."""
    since: datetime | None = None
    """Begin of what is wrong, as Azure tells it."""
    closed_at: datetime | None = None
    close_reason: str | None = None
    """One of incidents.CloseReason."""
    status: Status | None = None
    """The last one seen."""
    status_reason: str | None = None
    suppressed_by: SuppressedBy | None = None
    suppressed_until: datetime | None = None
    suppressed_detail: str | None = None
    acknowledgement: Acknowledgement | None = None
    snooze: Snooze | None = None
    subject: Subject
    first_poll: bool = False
    """It was so already when its subscription was first read."""
    service_issue: Issue | None = None
    """Azure's own issue that it fell with."""
    scope: str = ""
    """What the devices of an outage have in common, as grouping calls it."""
    last_join_at: datetime | None = None
    members: Members | None = None
    sink_ids: list[str] = Field(default_factory=list)
    """Sinks that were told of its opening, and are therefore told of what follows."""
    joined: dict[str, datetime] = Field(default_factory=dict)
    """Those that were made or enabled when it was open already, and when."""
    effect_count: int = 0
    """Number of the last effect applied to it: earlier ones change nothing."""
    effects: list[Effect] = Field(default_factory=list)
    """Of an alert without an incident: what is not told yet."""
    timeline: list[Step] = Field(default_factory=list)

    @property
    def device_id(self) -> str:
        """Of the device it is about; empty for an outage or for Tenantry itself."""
        return self.subject_id if self.kind == "device" else ""


def closed_key(subject_id: str, opened_at: datetime) -> tuple[str, str]:
    """Partition and row of an alert once it is closed."""
    return f"closed-{opened_at.astimezone(UTC):%Y%m}", order(subject_id, opened_at)


def _key(alert: Alert) -> tuple[str, str]:
    if alert.state == "closed":
        return closed_key(alert.subject_id, alert.opened_at)
    return OPEN, alert.subject_id


def _columns(alert: Alert) -> dict[str, Any]:
    return {"state": alert.state, "kind": alert.kind, "client": alert.client_key, "parent": alert.parent_id or ""}


ALERTS = Kind("Alerts", Alert, _key, _columns)


def client_key(client_name: str, subscription_id: str) -> str:
    """Whose alerts are worked on together: a client's, by any spelling; of what has no site, a subscription's."""
    if not client_name:
        return subscription_id
    return f"client-{hashlib.sha256(client_name.casefold().encode()).hexdigest()[:24]}"


def group_key(client_key: str, site_id: str | None) -> str:
    """Whose devices may share an outage: those of one site, because sinks, companies and people go by sites."""
    return f"{client_key}|{site_id or ''}"


def extended(timeline: list[Step], step: Step) -> list[Step]:
    """The timeline with one more step, bounded: what drops out is the oldest after the first."""
    if step.detail and len(step.detail) > DETAIL_CHARS:
        step = step.changed(detail=f"{step.detail[: DETAIL_CHARS - 1]}…")
    longer = [*timeline, step]
    return longer if len(longer) <= TIMELINE_LIMIT else [longer[0], *longer[-(TIMELINE_LIMIT - 1) :]]


class AlertBrief(TypedDict):
    """An alert as its device shows it."""

    id: str
    state: State
    condition: Condition | OutageCondition | SelfCondition
    severity: Severity
    openedAt: datetime
    suppressedBy: NotRequired[SuppressedBy]


def brief(alert: Alert) -> AlertBrief:
    """The alert as its device shows it."""
    shown: AlertBrief = {
        "id": alert.id,
        "state": alert.state,
        "condition": alert.condition,
        "severity": alert.severity,
        "openedAt": alert.opened_at,
    }
    if alert.suppressed_by is not None:
        shown["suppressedBy"] = alert.suppressed_by
    return shown
