"""Outages: one alert, and one ticket, for devices of a client's site that fell together, with the devices inside.

A device's alert that belongs to an outage names it as its parent and is told by it alone. The outage's row comes before
those of its devices; what it says is made of the rows that are there (`settle`), so that work cut off anywhere is
finished by whoever looks next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from shared import outbox
from shared.alerts import carry, due, looks, outages, texts
from shared.alerts.carry import Carried
from shared.alerts.gathering import in_turn
from shared.alerts.looks import TICK, Look
from shared.alerts.outages import ENDED, Ended
from shared.alerts.records import ALERTS, OPEN, Alert, Issue, Members, closed_key, group_key
from shared.alerts.surroundings import Surroundings
from shared.app import App
from shared.devices.records import device_id
from shared.health import service_issues
from shared.health.service_issues import ServiceIssue
from shared.incidents import grouping, machine, notes
from shared.incidents.grouping import Gathering, Group, Opening, Single
from shared.incidents.ids import parse_id
from shared.incidents.records import INCIDENTS, CloseReason, Effect, Incident

LATELY = timedelta(hours=1)
"""How long an alert of its own may be drawn into an outage that forms, if the outage window is not longer."""


@dataclass
class Arrangement:
    """Where the openings of a batch belong."""

    parents: dict[str, Alert] = field(default_factory=dict)
    """Device id -> its outage."""
    issues: dict[str, Issue | None] = field(default_factory=dict)
    """Device id -> Azure's issue."""
    absorbed: list[Look] = field(default_factory=list)
    """Devices whose own alert closes because an outage takes it over; their incidents are stored so."""
    goes_on: dict[str, str] = field(default_factory=dict)
    """Id of an outage that takes alerts over -> where they go on, in words."""

    def of(self, identifier: str) -> dict[str, Any]:
        """What an opening of a device shows of it."""
        parent = self.parents.get(identifier)
        return {"parent_id": parent.id if parent else None, "service_issue": self.issues.get(identifier)}

    def merged(self, identifier: str, draft: Alert, effect: Effect) -> tuple[Alert, Effect]:
        """The closing of an alert that an outage takes over, naming the outage."""
        parent = self.parents.get(identifier)
        if parent is None:
            return draft, effect
        return draft.changed(parent_id=parent.id), effect.changed(note=self.goes_on.get(parent.id, effect.note))


def guarded_until(now: datetime) -> datetime:
    """When a device is looked at whose alert is being taken over, should that be cut off."""
    return now + due.SOON


async def arrange(app: App, around: Surroundings, found: Sequence[Look], now: datetime) -> Arrangement:
    """Put the openings among the effects of a batch into outages, whose rows are stored then."""
    arranged = Arrangement()
    if all(_opening_of(look.incident) is None for look in found):
        return arranged
    rows = await app.tables.all(
        ALERTS, OPEN, where="client eq @client and state eq 'open'", parameters={"client": around.key}
    )
    there = {row.subject_id: row for row in rows}
    issues: list[ServiceIssue] = []
    openings: list[Opening] = []
    by_id = {look.id: look for look in found}
    for look in found:
        effect = _opening_of(look.incident)
        if effect is None:
            continue
        row = there.get(look.id)
        if row is not None and row.id == effect.alert_id and row.effect_count >= effect.number:
            continue  # an earlier try has put it where it belongs
        if not openings and around.place is not None:
            issues = await service_issues.active(app, around.place)
        issue = outages.issue_of(app, around, issues, look)
        arranged.issues[look.id] = issue
        openings.append(await _opening(app, around, look, effect, issue.id if issue else None, now))
    if not openings:
        return arranged
    rules = around.rules("")
    longest = max(around.rules(one.type).outage_window_minutes for one in openings)
    plan = grouping.plan(
        openings,
        [_group(row) for row in rows if row.kind == "outage"],
        [_recent(row) for row in await _ended(app, around.key, now - timedelta(minutes=rules.reopen_minutes))],
        _singles(rows, openings, now - max(LATELY, timedelta(minutes=max(longest, rules.outage_window_minutes)))),
        [_issue(around.subscription_id, issue) for issue in issues],
        rules,
        now,
        of_type=around.rules,
    )
    for gathering in plan.gatherings:
        issue = outages.issue_of_group(app, around, issues, gathering, arranged.issues, there)
        group = await _gathered(app, around, gathering, there, issue, now)
        for opening in gathering.openings:
            arranged.parents[opening.device_id] = group
            arranged.issues[opening.device_id] = issue or arranged.issues[opening.device_id]
        for single in gathering.absorbed:
            look = await _absorbed(app, by_id.get(single.device_id), there[single.device_id], now)
            arranged.absorbed.append(look)
            arranged.parents[single.device_id] = group
            arranged.issues[single.device_id] = issue or there[single.device_id].service_issue
        # What was absorbed before and cut off then comes as an opening.
        if gathering.absorbed or any(_merges(by_id[one.device_id].incident) for one in gathering.openings):
            tickets = await outbox.tickets(app, [(group.id, group.sink_ids)])
            arranged.goes_on[group.id] = texts.goes_on(group, tickets[group.id])
    return arranged


def _merges(incident: Incident) -> bool:
    return any(effect.close_reason == "mergedIntoOutage" for effect in incident.effects)


def _opening_of(incident: Incident) -> Effect | None:
    return next((effect for effect in reversed(incident.effects) if effect.kind in ("open", "reopen")), None)


async def _opening(
    app: App, around: Surroundings, look: Look, effect: Effect, issue_id: str | None, now: datetime
) -> Opening:
    subject = look.subject(app, around)
    place = parse_id(effect.alert_id)
    before = await app.tables.get(ALERTS, *closed_key(*place)) if effect.kind == "reopen" and place else None
    return Opening(
        device_id=look.id,
        client=around.group_key,
        region=subject.region if subject else "",
        type=look.type,
        first_poll=look.first_poll,
        service_issue_id=issue_id,
        name=subject.name if subject else "",
        since=look.incident.since or now,
        alert_id=effect.alert_id,
        last_group_id=before.parent_id if before is not None else None,
    )


def _group(row: Alert) -> Group:
    began = row.since or row.opened_at
    return Group(row.id, group_key(row.client_key, row.site_id), row.scope, began, row.last_join_at or row.opened_at)


def _recent(row: Ended) -> Group:
    return Group(row.alert_id, group_key(row.client_key, row.site_id), row.scope, row.began_at, row.last_join_at)


def _issue(subscription_id: str, issue: ServiceIssue) -> grouping.Issue:
    return grouping.Issue(issue.id, frozenset(device_id(subscription_id, name) for name in issue.resource_ids))


def _singles(rows: Iterable[Alert], openings: Sequence[Opening], since: datetime) -> list[Single]:
    opening = {one.device_id for one in openings}
    return [
        Single(
            device_id=row.subject_id,
            client=group_key(row.client_key, row.site_id),
            region=row.subject.region,
            type=row.subject.type,
            first_poll=row.first_poll,
            service_issue_id=row.service_issue.id if row.service_issue else None,
            since=row.since or row.opened_at,
            alert_id=row.id,
            opened_at=row.told_at or row.opened_at,
        )
        for row in rows
        if row.kind == "device"
        and row.parent_id is None
        and (row.told_at or row.opened_at) >= since
        and row.subject_id not in opening
    ]


async def _ended(app: App, key: str, since: datetime) -> list[Ended]:
    found = await app.tables.all(ENDED, outages.PARTITION, prefix=f"{key}|")
    return sorted((row for row in found if row.closed_at >= since), key=lambda row: row.closed_at, reverse=True)


async def _absorbed(app: App, look: Look | None, row: Alert, now: datetime) -> Look:
    """A device whose alert an outage takes over: its incident stored so, with a look at it in case that is cut off."""
    if look is None:
        incident = await app.tables.get(INCIDENTS, *INCIDENTS.key(Incident(device_id=row.subject_id)))
        look = Look(incident or Incident(device_id=row.subject_id), (), None, row)
    await due.remember(app, look.id, guarded_until(now), now)
    after, _ = machine.absorb(look.incident, looks.time_of(look, now))
    (look,) = await looks.store(app, [(look, after)], now)
    return look


async def _gathered(
    app: App,
    around: Surroundings,
    gathering: Gathering,
    there: dict[str, Alert],
    issue: Issue | None,
    now: datetime,
) -> Alert:
    """The outage's row, stored before any device names it: new, joined, or taken out of the closed ones."""
    began = min([*(one.since for one in gathering.openings), *(one.since for one in gathering.absorbed)])
    subject_id = outages.subject_id(around.group_key, gathering.key)
    row = there.get(subject_id)
    if row is None and gathering.group_id is not None and (place := parse_id(gathering.group_id)) is not None:
        closed = await app.tables.get(ALERTS, *closed_key(*place))
        row = outages.reopened(closed, now) if closed is not None else None
    if row is None:
        row = outages.new(around, gathering, issue, began, now)
        if await app.tables.get(ALERTS, *closed_key(row.subject_id, row.opened_at)) is not None:
            # The same devices, since the same time, were one before: this is another.
            row = outages.new(around, gathering, issue, now, now)
    since = min(row.since or began, began)
    return await app.tables.put(ALERTS, row.changed(last_join_at=now, since=since))


async def settle_client(app: App, key: str, now: datetime, reason: CloseReason = "recovered") -> None:
    """Bring a client's outages to what their devices are: told, changed, or closed with the last of them."""
    where = "client eq @client and kind eq 'outage'"
    for row in await app.tables.all(ALERTS, OPEN, where=where, parameters={"client": key}):
        members = await app.tables.all(
            ALERTS, OPEN, where="parent eq @parent and state eq 'open'", parameters={"parent": row.id}
        )
        await _settle(app, row, members, now, reason)


async def _settle(app: App, row: Alert, members: Sequence[Alert], now: datetime, reason: CloseReason) -> None:
    at = max([now, *(step.at + TICK for step in row.timeline[-1:])])
    if not members:
        await _end(app, row, at, reason)
        return
    before = row.members or Members()
    left = await _left(app, before, members)
    after = outages.counted(before, members, left)
    changed = row.changed(members=after, severity=outages.severity_of(members))
    if not row.effects:
        if after == before and changed.severity == row.severity:
            return
        if row.snooze is not None and not outages.snooze_is_over(row, now):
            await app.tables.put(ALERTS, changed)
            return
        said = [outages.change(before, after, members, left)]
        said += [notes.severity(changed.severity)] if changed.severity != row.severity else []
        changed = changed.changed(effects=[_effect(row, "update", at, " ".join(said))], snooze=None)
    if changed != row:
        changed = await app.tables.put(ALERTS, changed)
    effect = changed.effects[0]
    inside = sorted(members, key=lambda member: member.subject.name)
    if effect.kind == "update":
        inside = outages.joined(before, inside)
    await _say(app, changed, effect.changed(note=effect.note or outages.opening(changed)), inside)


async def _left(app: App, before: Members, members: Sequence[Alert]) -> dict[str, Incident | None]:
    """What became of the named devices that were down and are not among the outage's any more."""
    present = {row.subject_id for row in members}
    gone = [member.id for member in before.devices if member.down and member.id not in present]

    async def one(identifier: str) -> Incident | None:
        return await app.tables.get(INCIDENTS, *INCIDENTS.key(Incident(device_id=identifier)))

    return dict(zip(gone, await in_turn(gone, one), strict=True))


def _effect(row: Alert, kind: Literal["update", "close"], at: datetime, note: str) -> Effect:
    return Effect(kind=kind, at=at, alert_id=row.id, number=row.effect_count + 1, note=note)


async def _say(app: App, row: Alert, effect: Effect, inside: Sequence[Alert]) -> None:
    """Tell the outage's sinks of an effect that is in its row, then take it out of there.

    `inside`: the devices that the text describes.
    """
    carried = Carried(app, inside=inside)
    if effect.kind == "open":
        await carry.open_alert(carried, row, effect)
    elif effect.kind == "reopen":
        await carry.reopen_alert(carried, row, effect)
    else:
        await carry.update_alert(carried, row, effect)
    await carried.finish()
    await app.tables.update(ALERTS, OPEN, row.subject_id, lambda current: current.changed(effects=[]))


async def _end(app: App, row: Alert, at: datetime, reason: CloseReason) -> None:
    """The last device has left: close it, or drop a row that never came to have one."""
    if any(effect.kind in ("open", "reopen") and effect.number > row.effect_count for effect in row.effects):
        await app.tables.delete(ALERTS, row)
        return
    await app.tables.put(ENDED, outages.ended(row, at))
    carried = Carried(app)
    before = row.members or Members()
    note = f"All {before.count} devices are available again." if reason == "recovered" else ""
    last = row.changed(members=outages.counted(before, [], await _left(app, before, [])))
    await carry.close_alert(carried, last, reason, _effect(row, "close", at, note))
    await carried.finish()
