"""Which openings belong to one outage: one ticket for a client's site with the devices inside, not one a device. Pure.

Devices belong together by what Azure says (a service issue), because they were down before anybody looked (the first
poll of a subscription), or because enough of one site's began to be away within a short time in one region or of
one type. The times that count are Azure's, so that alerts which waited for the morning make no outage of the night.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from shared.incidents.policy import Rules

FIRST_POLL = "firstPoll"
FIRST_POLL_WINDOW = timedelta(hours=1)
"""The first polls of a site's subscriptions come within it."""
FEW = 2
"""Devices that make a group where Azure, or the first poll, says that they belong together."""
_NOWHERE = frozenset({"", "global"})
"""Regions that say nothing about where a device is."""


@dataclass(frozen=True)
class Opening:
    """An alert about to be opened or reopened."""

    device_id: str
    client: str
    """Whose it is, a client's site: groups never cross it."""
    region: str
    type: str
    first_poll: bool
    """It was down already when its subscription was first polled."""
    service_issue_id: str | None
    """Azure's own word on the device, when it has one."""
    name: str
    since: datetime
    """When the device began to be away."""
    alert_id: str
    last_group_id: str | None = None
    """Of a reopened alert: the group that it belonged to."""


@dataclass(frozen=True)
class Single:
    """An alert that was opened lately and belongs to no group."""

    device_id: str
    client: str
    region: str
    type: str
    first_poll: bool
    service_issue_id: str | None
    since: datetime
    alert_id: str
    opened_at: datetime


@dataclass(frozen=True)
class Group:
    """A group that is open, or closed so lately that it may be reopened."""

    id: str
    client: str
    key: str
    began_at: datetime
    """The earliest `since` of its members, or when it was opened."""
    last_join_at: datetime


@dataclass(frozen=True)
class Issue:
    """An active service issue."""

    id: str
    device_ids: frozenset[str] = frozenset()
    """Those it impacts, as far as Azure names them."""


@dataclass(frozen=True)
class Gathering:
    """What happens to one group."""

    kind: Literal["new", "joined", "reopened"]
    client: str
    key: str
    """serviceIssue:<id as Azure spells it> | firstPoll | region:<region> | type:<type>, the last two in lower case."""
    group_id: str | None
    """None for a new one."""
    openings: tuple[Opening, ...]
    absorbed: tuple[Single, ...] = ()
    """Their own alerts close, mergedIntoOutage, and one within the group takes each one's place."""


@dataclass(frozen=True)
class GroupPlan:
    """Where each opening goes: every one is in `alone` or in exactly one of the gatherings."""

    alone: tuple[Opening, ...] = ()
    gatherings: tuple[Gathering, ...] = ()


RulesOf = Callable[[str], Rules]
Grouped = Callable[[Opening | Single], bool]


@dataclass
class _Client:
    """The plan of one client while it is made."""

    name: str
    left: list[Opening]
    singles: list[Single]
    open_groups: Sequence[Group]
    recent_groups: Sequence[Group]
    done: dict[str, Gathering] = field(default_factory=dict)

    def take(self, key: str, openings: Collection[Opening], singles: Collection[Single] = ()) -> None:
        """Put them into the group of a key: the open one, else the one that was closed lately, else a new one."""
        groups = [("joined", g) for g in self.open_groups if g.key == key]
        groups += [("reopened", g) for g in self.recent_groups if g.key == key]
        before = self.done.get(key)
        kind: Literal["new", "joined", "reopened"] = "new"
        group_id = None
        if groups:
            kind = "joined" if groups[0][0] == "joined" else "reopened"
            group_id = groups[0][1].id
        self.done[key] = Gathering(
            kind,
            self.name,
            key,
            group_id,
            (*(before.openings if before else ()), *openings),
            (*(before.absorbed if before else ()), *singles),
        )
        self.left = [one for one in self.left if one not in openings]
        self.singles = [one for one in self.singles if one not in singles]

    def open_group(self, key: str) -> Group | None:
        """The open group of a key."""
        return next((group for group in self.open_groups if group.key == key), None)


def plan(
    openings: Sequence[Opening],
    open_groups: Sequence[Group],
    recent_groups: Sequence[Group],
    recent_alerts: Sequence[Single],
    service_issues: Sequence[Issue],
    rules: Rules,
    now: datetime,
    *,
    of_type: RulesOf | None = None,
) -> GroupPlan:
    """Where openings go.

    `rules` are the site's, by which a region, a service issue and a first poll go; `of_type` gives those of a type,
    by which its own groups go, and which may keep its devices out of any group.

    `open_groups` are all of the clients; `recent_groups` those closed within `rules.reopen_minutes`, newest first;
    `recent_alerts` the open alerts outside of groups that were opened within the last hour or the outage window,
    whichever is longer.
    """
    plans = [
        _of_client(
            _Client(
                name,
                sorted((o for o in openings if o.client == name), key=lambda o: (o.since, o.device_id)),
                sorted((s for s in recent_alerts if s.client == name), key=lambda s: (s.since, s.device_id)),
                [g for g in open_groups if g.client == name],
                [g for g in recent_groups if g.client == name],
            ),
            service_issues,
            rules,
            of_type or (lambda _: rules),
            now,
        )
        for name in sorted({opening.client for opening in openings})
    ]
    return GroupPlan(
        tuple(one for client in plans for one in client.left),
        tuple(gathering for client in plans for gathering in client.done.values()),
    )


def _of_client(client: _Client, issues: Sequence[Issue], rules: Rules, of_type: RulesOf, now: datetime) -> _Client:
    _rejoin(client)
    if rules.group_first_poll:
        _first_poll(client, lambda one: of_type(one.type).group_first_poll, now)

    def grouped(one: Opening | Single) -> bool:
        return of_type(one.type).outage_group_size > 0

    if rules.outage_group_size:
        _service_issues(client, issues, grouped)
        _together(client, "region", lambda one: one.region if grouped(one) else "", lambda _: rules)
    _together(client, "type", lambda one: one.type if grouped(one) else "", of_type)
    return client


def _rejoin(client: _Client) -> None:
    """What is reopened goes back into its group, which is reopened too unless a younger one of its key is open."""
    by_id = {group.id: group for group in (*client.recent_groups, *client.open_groups)}
    for opening in list(client.left):
        group = by_id.get(opening.last_group_id or "")
        if group is not None:
            client.take(group.key, [opening])


def _first_poll(client: _Client, grouped: Grouped, now: datetime) -> None:
    found = [one for one in client.left if one.first_poll and grouped(one)]
    if not found:
        return
    recent = [one for one in client.singles if one.first_poll and grouped(one)]
    singles = [one for one in recent if now - one.opened_at <= FIRST_POLL_WINDOW]
    group = client.open_group(FIRST_POLL)
    joins = group is not None and now - group.last_join_at <= FIRST_POLL_WINDOW
    if joins or len(found) + len(singles) >= FEW:
        client.take(FIRST_POLL, found, singles)


def _service_issues(client: _Client, issues: Sequence[Issue], grouped: Grouped) -> None:
    """Azure's word holds for as long as it stands, so a device may join at any time."""

    def issue_of(one: Opening | Single) -> str | None:
        if not grouped(one):
            return None
        return one.service_issue_id or next((issue.id for issue in issues if one.device_id in issue.device_ids), None)

    for issue_id in sorted({named for one in client.left if (named := issue_of(one)) is not None}):
        key = f"serviceIssue:{issue_id}"
        found = [one for one in client.left if issue_of(one) == issue_id]
        singles = [one for one in client.singles if issue_of(one) == issue_id]
        known = any(group.key == key for group in (*client.open_groups, *client.recent_groups))
        if known or len(found) + len(singles) >= FEW:
            client.take(key, found, singles)


def _together(client: _Client, name: str, value: Callable[[Opening | Single], str], rules_of: RulesOf) -> None:
    """Groups of what began to be away within a window of each other, in one region or of one type.

    `value` is the region or type of a device, empty for one that joins none; `rules_of` gives the rules for it.

    A few join an open group only while it still grows; enough for a group of their own always do, for a client has
    one open group of a key.
    """
    for scope in sorted({value(one).casefold() for one in client.left if not one.first_poll}):
        if scope in _NOWHERE:
            continue
        key, rules = f"{name}:{scope}", rules_of(scope)
        size, window = max(FEW, rules.outage_group_size), timedelta(minutes=rules.outage_window_minutes)
        openings = [one for one in client.left if value(one).casefold() == scope and not one.first_poll]
        singles = [one for one in client.singles if value(one).casefold() == scope and not one.first_poll]
        chosen = _outage([*(o.since for o in openings), *(s.since for s in singles)], size, window)
        group = client.open_group(key)

        def joins(since: datetime, group: Group | None = group, window: timedelta = window) -> bool:
            return group is not None and group.began_at - window <= since <= group.last_join_at + window

        near = [one for one in openings if one.since in chosen or joins(one.since)]
        if near:
            client.take(key, near, [one for one in singles if one.since in chosen])


def _outage(times: Iterable[datetime], size: int, window: timedelta) -> frozenset[datetime]:
    """The times of an outage: the most that lie within one window, and those up to a window away from them.

    Empty when the most are fewer than `size`.
    """
    ordered = sorted(times)
    core: list[datetime] = []
    for place, first in enumerate(ordered):
        within = [at for at in ordered[place:] if at - first <= window]
        if len(within) > len(core):
            core = within
    if not core or len(core) < size:
        return frozenset()
    return frozenset(at for at in ordered if core[0] - window <= at <= core[-1] + window)
