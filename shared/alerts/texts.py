"""An alert in words, for tickets, and as the API and its events show it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NotRequired

from typing_extensions import TypedDict

from shared.alerts.records import (
    Alert,
    AlertKind,
    Issue,
    OutageCondition,
    SelfCondition,
    State,
    Step,
    StepKind,
)
from shared.devices.records import Status
from shared.devices.type_names import type_name
from shared.incidents.notes import CLOSED
from shared.incidents.records import Condition, Severity, SuppressedBy
from shared.outbox import AlertTicket

TITLE_CHARS = 100
CLIENT_CHARS = 40
"""Of a title, when all of it does not fit."""
REASON_CHARS = 600
DEVICES_SHOWN = 50
IN_WORDS = {
    "unavailable": "is unavailable",
    "degraded": "is degraded",
    "flapping": "goes up and down",
    "overdue": "has not come back",
    "unknown": "is in an unknown state",
}
"""A condition of a device after its name."""
CONDITIONS = {
    "flapping": "going up and down",
    "overdue": "not back after planned work",
    "unknown": "in an unknown state",
    "outage": "several devices down together",
    "alreadyDown": "down already when first read",
    "serviceIssue": "a service issue of Azure",
    "pollLate": "health is read too late",
    "tenantFailing": "a tenant cannot be read",
    "sinkFailing": "a sink gets nothing",
    "poisonedWork": "work was given up",
}
"""What an alert is about; others by their own word."""
STATUSES = {"unknown": "in an unknown state", "notReported": "not reported"}
REASONS: dict[str, str] = {
    **{reason: f"{words}." for reason, words in CLOSED.items()},
    "sinkRemoved": "This sink was removed from Tenantry, which no longer looks after the ticket.",
}
"""Why an alert closed, as a ticket says it."""


def title(alert: Alert) -> str:
    """One line of at most TITLE_CHARS, the client first; the same for the whole life of an alert's condition."""
    about = alert.subject
    if alert.kind == "self":
        return _cut(about.name, TITLE_CHARS)
    words = f" {IN_WORDS.get(alert.condition, f'is {alert.condition}')}" if alert.kind == "device" else ""
    client = f"{about.client_name}: " if about.client_name else ""
    if len(client) + len(about.name) + len(words) > TITLE_CHARS and client:
        client = f"{_cut(about.client_name, CLIENT_CHARS)}: "
    return f"{client}{_cut(about.name, TITLE_CHARS - len(client) - len(words))}{words}"


def body(alert: Alert, note: str = "", inside: Sequence[Alert] = ()) -> str:
    """All there is to know, for whoever opens the ticket. `inside`: the devices of an outage."""
    about = alert.subject
    since = alert.since or alert.opened_at
    lines = [note, ""] if note else []
    facts = [
        ("Device", about.name if alert.kind == "device" else ""),
        ("What", _condition(alert)),
        ("Severity", alert.severity),
        ("Since", _time(since)),
        ("Azure says", (alert.status_reason or "")[:REASON_CHARS]),
        *_issue(alert.service_issue),
        ("Type", type_name(about.type) if about.type else ""),
        ("Region", about.region),
        ("Resource group", about.resource_group),
        ("Subscription", _named(about.subscription_name, about.subscription_id)),
        ("Tenant", _named(about.tenant_name, about.tenant_id)),
        ("Client", about.client_name),
        ("Site", about.site_name),
        ("Resource", about.resource_id),
        ("Look at it", about.url),
    ]
    lines += [f"{name}: {value}" for name, value in facts if value]
    if alert.members is not None:
        shown = alert.members
        lines += ["", f"Devices ({shown.open} of {shown.count} down):", *described(inside)]
    lines += ["", f"Tenantry alert {alert.id}"]
    return "\n".join(lines)


def longer(note: str, inside: Sequence[Alert]) -> str:
    """What happened, and the devices that it is about."""
    return "\n".join([note, "", *described(inside)]) if inside else note


def described(devices: Sequence[Alert]) -> list[str]:
    """Two lines per device: what and where it is and how it does, and where it is looked at; DEVICES_SHOWN at most."""
    lines: list[str] = []
    for row in devices[:DEVICES_SHOWN]:
        about = row.subject
        place = [type_name(about.type), about.resource_group, about.subscription_name or about.subscription_id]
        status = _status(row.status or row.condition)
        lines.append(f"- {about.name}: {status} ({', '.join(filter(None, place))})")
        lines += [f"  {about.url}"] if about.url else []
    if len(devices) > DEVICES_SHOWN:
        lines.append(f"- and {len(devices) - DEVICES_SHOWN} more")
    return lines


def goes_on(outage: Alert, tickets: Sequence[AlertTicket]) -> str:
    """Why the ticket of a device closes that an outage takes over: where it goes on, by number and link if known."""
    known = [f"{row['number']} {row.get('url', '')}".strip() for row in tickets if row.get("number")]
    where = f"ticket {', '.join(known)}" if known else f"Tenantry alert {outage.id}"
    return f"{REASONS['mergedIntoOutage']} {title(outage)}: {where}"


def closing(reason: str, note: str = "") -> str:
    """Why an alert closed, in the words of who closed it, if there are any."""
    return note or REASONS.get(reason, reason)


def _condition(alert: Alert) -> str:
    words = CONDITIONS.get(alert.condition, alert.condition)
    if alert.status is not None and alert.status != alert.condition:
        return f"{words}, now {_status(alert.status)}"
    return words


def _status(status: str) -> str:
    return STATUSES.get(status, CONDITIONS.get(status, status))


def _issue(issue: Issue | None) -> list[tuple[str, str]]:
    if issue is None:
        return []
    return [
        ("Azure service issue", _named(issue.title, f"tracking id {issue.id}") if issue.title else issue.id),
        ("Affected service", issue.service),
        ("Affected regions", issue.region),
        ("Follow it", issue.url),
    ]


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: max(0, chars - 1)]}…"


def _named(name: str, identifier: str) -> str:
    return f"{name} ({identifier})" if name and identifier else name or identifier


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class OutageDevice(TypedDict):
    """A device of an outage; `status` null: nothing is known of it any more."""

    id: str
    name: str
    status: Status | None


class OutageMembers(TypedDict):
    """The devices of an outage: how many ever belonged to it, how many are down now, and the first 50."""

    count: int
    open: int
    devices: list[OutageDevice]


class AcknowledgementView(TypedDict):
    """Who looks after an alert."""

    by: str
    at: datetime
    note: NotRequired[str]


class SnoozeView(TypedDict):
    """Who silenced an alert, and until when; without `until` and `untilChange` until it ends."""

    by: str
    at: datetime
    untilChange: bool
    until: NotRequired[datetime]


class ServiceIssue(TypedDict):
    """A service issue of Azure; what Azure does not tell is empty."""

    id: str
    title: str
    service: str
    region: str
    url: str


class TimelineEntry(TypedDict):
    """One thing that happened to an alert."""

    at: datetime
    what: StepKind
    status: NotRequired[Status]
    detail: NotRequired[str]


class _OfDevice(TypedDict, total=False):
    deviceId: str
    deviceName: str
    resourceId: str
    type: str
    typeName: str
    region: str
    resourceGroup: str
    subscriptionId: str
    subscriptionName: str
    tenantId: str
    tenantName: str
    status: Status | None
    statusReason: str | None


class _Course(TypedDict, total=False):
    since: datetime
    url: str
    parentId: str
    closedAt: datetime
    closeReason: str
    toldAt: datetime
    suppressedBy: SuppressedBy
    suppressedUntil: datetime
    suppressedDetail: str


class _Parts(TypedDict, total=False):
    acknowledgement: AcknowledgementView
    snooze: SnoozeView
    members: OutageMembers
    serviceIssue: ServiceIssue
    timeline: list[TimelineEntry]


class AlertView(_OfDevice, _Course, _Parts, TypedDict):
    """An alert. What is of a device is there for the kind `device` only; `timeline` is in no list. Times are UTC."""

    id: str
    kind: AlertKind
    title: str
    state: State
    condition: Condition | OutageCondition | SelfCondition
    severity: Severity
    clientName: str
    siteId: str | None
    siteName: str
    openedAt: datetime
    tickets: list[AlertTicket]


def view(alert: Alert, tickets: list[AlertTicket], *, timeline: bool = False) -> AlertView:
    """The alert as the API and its events show it."""
    about = alert.subject
    of_device: _OfDevice = _of_device(alert) if alert.kind == "device" else {}
    return {
        "id": alert.id,
        "kind": alert.kind,
        "title": title(alert),
        "state": alert.state,
        "condition": alert.condition,
        "severity": alert.severity,
        "clientName": about.client_name,
        "siteId": alert.site_id,
        "siteName": about.site_name,
        "openedAt": alert.opened_at,
        "tickets": tickets,
        **of_device,
        **_course(alert),
        **_parts(alert, timeline=timeline),
    }


def _parts(alert: Alert, *, timeline: bool) -> _Parts:
    shown: _Parts = {}
    if (done := alert.acknowledgement) is not None:
        shown["acknowledgement"] = {"by": done.by, "at": done.at}
        if done.note is not None:
            shown["acknowledgement"]["note"] = done.note
    if (snooze := alert.snooze) is not None:
        shown["snooze"] = {"by": snooze.by, "at": snooze.at, "untilChange": snooze.until_change}
        if snooze.until is not None:
            shown["snooze"]["until"] = snooze.until
    if (kept := alert.members) is not None:
        devices: list[OutageDevice] = [{"id": row.id, "name": row.name, "status": row.status} for row in kept.devices]
        shown["members"] = {"count": kept.count, "open": kept.open, "devices": devices}
    if (issue := alert.service_issue) is not None:
        shown["serviceIssue"] = {
            "id": issue.id,
            "title": issue.title,
            "service": issue.service,
            "region": issue.region,
            "url": issue.url,
        }
    if timeline:
        shown["timeline"] = [_step(step) for step in alert.timeline]
    return shown


def _of_device(alert: Alert) -> _OfDevice:
    about = alert.subject
    return {
        "deviceId": alert.subject_id,
        "deviceName": about.name,
        "resourceId": about.resource_id,
        "type": about.type,
        "typeName": type_name(about.type) if about.type else "",
        "region": about.region,
        "resourceGroup": about.resource_group,
        "subscriptionId": about.subscription_id,
        "subscriptionName": about.subscription_name,
        "tenantId": about.tenant_id,
        "tenantName": about.tenant_name,
        "status": alert.status,
        "statusReason": alert.status_reason,
    }


def _course(alert: Alert) -> _Course:
    """What became of it, as far as anything did."""
    shown: _Course = {}
    if alert.since is not None:
        shown["since"] = alert.since
    if alert.subject.url:
        shown["url"] = alert.subject.url
    if alert.parent_id is not None:
        shown["parentId"] = alert.parent_id
    if alert.closed_at is not None:
        shown["closedAt"] = alert.closed_at
    if alert.close_reason is not None:
        shown["closeReason"] = alert.close_reason
    if alert.told_at is not None:
        shown["toldAt"] = alert.told_at
    if alert.suppressed_by is not None:
        shown["suppressedBy"] = alert.suppressed_by
    if alert.suppressed_until is not None:
        shown["suppressedUntil"] = alert.suppressed_until
    if alert.suppressed_detail is not None:
        shown["suppressedDetail"] = alert.suppressed_detail
    return shown


def _step(step: Step) -> TimelineEntry:
    shown: TimelineEntry = {"at": step.at, "what": step.what}
    if step.status is not None:
        shown["status"] = step.status
    if step.detail is not None:
        shown["detail"] = step.detail
    return shown
