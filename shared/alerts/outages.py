"""The rows of outages, and what they say. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.alerts.looks import Look
from shared.alerts.records import (
    MARKS_KEPT,
    NAME_CHARS,
    NAMES_KEPT,
    Alert,
    Issue,
    Member,
    Members,
    OutageCondition,
    Subject,
    alert_id,
)
from shared.alerts.surroundings import Surroundings
from shared.alerts.texts import REASONS
from shared.app import App
from shared.devices.type_names import type_name
from shared.health import service_issues
from shared.health.service_issues import ServiceIssue
from shared.incidents.grouping import FIRST_POLL, Gathering, Opening, Single
from shared.incidents.ids import naming
from shared.incidents.records import SEVERITIES, Effect, Incident, Severity
from shared.store.tables import Kind, Record

PARTITION = "ended"
MARK_CHARS = 6
"""Of a device's id, from its end: 30 bits of a hash tell the devices of one outage apart."""
NAMES_IN_A_NOTE = 10
ISSUE_CHARS = 200
"""Of the services and regions that an issue names."""


class Ended(Record):
    """Where the last outage of a site and scope is, so that one of the same may open it again. Times are UTC."""

    client_key: str
    site_id: str | None = None
    subject_id: str
    alert_id: str
    scope: str
    began_at: datetime
    last_join_at: datetime
    closed_at: datetime


ENDED = Kind("Alerts", Ended, lambda e: (PARTITION, f"{e.client_key}|{e.subject_id}"))


def ended(row: Alert, at: datetime) -> Ended:
    """The pointer to an outage that closes."""
    return Ended(
        client_key=row.client_key,
        site_id=row.site_id,
        subject_id=row.subject_id,
        alert_id=row.id,
        scope=row.scope,
        began_at=row.since or row.opened_at,
        last_join_at=row.last_join_at or row.opened_at,
        closed_at=at,
    )


def subject_id(group_key: str, scope: str) -> str:
    """What an outage is called while it is open: there is one of a site and scope."""
    return f"g{hashlib.sha256(f'{group_key}|{scope}'.encode()).hexdigest()[:24]}"


def new(around: Surroundings, gathering: Gathering, issue: Issue | None, began: datetime, now: datetime) -> Alert:
    """A new outage that nobody was told of."""
    identifier = subject_id(around.group_key, gathering.key)
    name, condition, region, kind = _about(gathering, issue)
    at = naming(None if gathering.key == FIRST_POLL else began, now)
    site = around.place.site if around.place else None
    made = alert_id(identifier, at)
    return Alert(
        id=made,
        kind="outage",
        subject_id=identifier,
        client_key=around.key,
        site_id=around.site_id,
        condition=condition,
        opened_at=at,
        since=began,
        subject=Subject(
            name=name,
            client_name=around.client_name,
            site_name=site.site_name if site else "",
            region=region,
            type=kind,
        ),
        service_issue=issue,
        scope=gathering.key,
        members=Members(),
        effects=[Effect(kind="open", at=now, alert_id=made, number=1)],
    )


def reopened(row: Alert, now: datetime) -> Alert:
    """A closed outage as it is opened again; its sinks are not told yet."""
    effect = Effect(kind="reopen", at=now, alert_id=row.id, number=row.effect_count + 1)
    return row.changed(state="open", closed_at=None, close_reason=None, effects=[effect], etag=None)


def issue_of(app: App, around: Surroundings, issues: Sequence[ServiceIssue], look: Look) -> Issue | None:
    """Azure's issue that a device fell with, if any."""
    identifier = service_issues.of_device(issues, look.device) if look.device else None
    if identifier is None or look.device is None:
        return None
    return _named(app, around, issues, identifier) or Issue(
        id=identifier,
        title=look.device.health.service_issue_title or "",
        url=service_issues.url(app.settings, identifier, around.subscription_id),
    )


def issue_of_group(
    app: App,
    around: Surroundings,
    issues: Sequence[ServiceIssue],
    gathering: Gathering,
    of_devices: Mapping[str, Issue | None],
    there: Mapping[str, Alert],
) -> Issue | None:
    """The issue that a group is about, from Azure's list, else as one of its devices names it."""
    what, _, identifier = gathering.key.partition(":")
    if what != "serviceIssue":
        return None
    rows = [there.get(one.device_id) for one in gathering.absorbed]
    known = [of_devices.get(one.device_id) for one in gathering.openings] + [row.service_issue for row in rows if row]
    found = next((issue for issue in known if issue is not None and issue.id == identifier), None)
    return _named(app, around, issues, identifier) or found or Issue(id=identifier)


def _named(app: App, around: Surroundings, issues: Sequence[ServiceIssue], identifier: str) -> Issue | None:
    found = next((issue for issue in issues if issue.id == identifier), None)
    if found is None:
        return None
    return Issue(
        id=found.id,
        title=found.title,
        service=found.service[:ISSUE_CHARS],
        region=", ".join(found.regions)[:ISSUE_CHARS],
        url=service_issues.url(app.settings, found.id, around.subscription_id),
    )


def _about(gathering: Gathering, issue: Issue | None) -> tuple[str, OutageCondition, str, str]:
    """Name, condition, region and type."""
    what, _, value = gathering.key.partition(":")
    members: list[Opening | Single] = [*gathering.openings, *gathering.absorbed]
    first = members[0]
    if gathering.key == FIRST_POLL:
        return "Devices that were down already when first read", "alreadyDown", "", ""
    if what == "serviceIssue":
        title, region = (issue.title, issue.region) if issue is not None else ("", "")
        return f"Azure service issue: {title or value}", "serviceIssue", region, ""
    if what == "region":
        return f"Outage in {first.region}", "outage", first.region, ""
    return f"Outage of {type_name(first.type)} devices", "outage", "", first.type


def counted(before: Members, members: Sequence[Alert], left: Mapping[str, Incident | None]) -> Members:
    """The devices of an outage, from the rows of those that are open. `left`: incidents of those that were."""
    down = {row.subject_id: row for row in members}
    fresh = joined(before, sorted(members, key=lambda row: row.opened_at))
    marks = (before.marks + "".join(_mark(row.subject_id) for row in fresh))[: MARKS_KEPT * MARK_CHARS]
    devices: list[Member] = []
    for known in before.devices:
        row, incident = down.get(known.id), left.get(known.id)
        if row is not None:
            devices.append(known.changed(status=row.status, down=True))
        elif known.id in left:
            devices.append(known.changed(status=incident.status if incident is not None else None, down=False))
        else:
            devices.append(known)
    devices += [Member(id=row.subject_id, name=row.subject.name[:NAME_CHARS], status=row.status) for row in fresh]
    return Members(
        count=max(before.count, len(marks) // MARK_CHARS, len(members)),
        open=len(members),
        devices=devices[:NAMES_KEPT],
        marks=marks,
    )


def joined(before: Members, members: Sequence[Alert]) -> list[Alert]:
    """Those that were not in the outage before."""
    known = {before.marks[begin : begin + MARK_CHARS] for begin in range(0, len(before.marks), MARK_CHARS)}
    return [row for row in members if _mark(row.subject_id) not in known]


def _mark(identifier: str) -> str:
    """What tells a device from the others of its outage."""
    return identifier[-MARK_CHARS:]


def severity_of(members: Sequence[Alert]) -> Severity:
    """The highest among its devices."""
    return min((row.severity for row in members), key=SEVERITIES.index)


def snooze_is_over(row: Alert, now: datetime) -> bool:
    """Whether a snooze ends with a change that is seen now."""
    snooze = row.snooze
    return snooze is None or snooze.until_change or (snooze.until is not None and now >= snooze.until)


def opening(row: Alert) -> str:
    """The sentence of an opening."""
    count = row.members.open if row.members else 0
    return f"{count} devices are down together." if count > 1 else "1 device is down."


def change(before: Members, after: Members, members: Sequence[Alert], left: Mapping[str, Incident | None]) -> str:
    """What changed, in a few sentences: who is back, who is down again, who is down now too."""
    present = {row.subject_id for row in members}
    names = {member.id: member.name for member in before.devices}
    fresh = joined(before, members)
    again = [member.name for member in before.devices if not member.down and member.id in present]
    back = [names[one] for one, incident in left.items() if incident is None or incident.close_reason == "recovered"]
    unnamed = before.open + len(fresh) + len(again) - after.open - len(left)
    said = [
        _listed("Available again", back, unnamed),
        *(
            f"{names[one]}: {REASONS[incident.close_reason]}"
            for one, incident in left.items()
            if incident is not None and incident.close_reason in REASONS and incident.close_reason != "recovered"
        ),
        _listed("Down again", again),
        _listed("Down now too", [row.subject.name for row in fresh]),
        f"{after.open} of {after.count} devices are down.",
    ]
    return " ".join(filter(None, said))


def _listed(what: str, names: Sequence[str], unnamed: int = 0) -> str:
    """`Down again: vm-1, vm-2 and 3 more.`, empty without any."""
    more = max(0, len(names) - NAMES_IN_A_NOTE) + max(0, unnamed)
    if not names:
        return f"{what}: {more}." if more else ""
    return f"{what}: {', '.join(names[:NAMES_IN_A_NOTE])}{f' and {more} more' if more else ''}."
