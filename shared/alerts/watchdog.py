"""Whether Tenantry does its own work: what is wrong for too long is an alert like any other, and closes by itself.

Facts are read by one job every five minutes, `conditions` judges them. What fails is never told to itself: a sink's
alert goes to the other sinks.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared import outbox, poison
from shared.alerts import carry, lease, maintenance, policies, vitals
from shared.alerts.records import ALERTS, OPEN, Alert, SelfCondition, Subject, alert_id
from shared.app import App
from shared.devices import Place, places
from shared.devices.places import STATES_UNREAD
from shared.incidents.policy import Watchdog
from shared.incidents.records import Severity
from shared.jobs import Watch
from shared.outbox import sinks
from shared.outbox.records import HEAD, HEADS, IN_LINE, LINE
from shared.poison import Poisoned

PREFIX = "self"
"""Of the subjects of these alerts."""
LEASE = "watchdog"
TOLD_WITHIN = timedelta(hours=1)
"""So long after its opening an alert is told again, under the same ids: whoever opened it may have died before."""
AT_ONCE = 16
NAMED = 5
"""Clients that a note names."""
SEVERITIES: dict[SelfCondition, Severity] = {
    "pollLate": "high",
    "tenantFailing": "high",
    "sinkFailing": "high",
    "poisonedWork": "high",
}
OVER: dict[str, str] = {
    "pollLate": "Health is polled in time again.",
    "tenantFailing": "It can be read again.",
    "sinkFailing": "The sink works again, or was switched off or deleted.",
    "poisonedWork": "No work is given up any more.",
}


@dataclass(frozen=True)
class SinkState:
    """How a sink does. Times are UTC."""

    id: str
    name: str
    enabled: bool = True
    disabled_reason: str | None = None
    """Why it was switched off by itself; None when people did."""
    changed_at: datetime | None = None
    refused_since: datetime | None = None
    """The first failure in a row, while its circuit is open."""
    oldest_at: datetime | None = None
    """Since when the first in its line waits."""
    last_error: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is looked at: every subscription with what it belongs to, every sink, and the work that was given up."""

    places: tuple[Place, ...] = ()
    sinks: tuple[SinkState, ...] = ()
    poisoned: tuple[Poisoned, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Something that is wrong for too long."""

    key: str
    """The same for the same problem, however long it lasts."""
    condition: SelfCondition
    name: str
    """In a few words, the same as long as it lasts."""
    note: str
    """All that is known, in sentences."""
    since: datetime
    site_ids: tuple[str, ...] = ()
    """Whose sinks are told; empty: the sinks of every site."""
    not_to: str | None = None
    """A sink that is not told."""
    subject: Subject | None = None
    """What is known of the tenant it is about."""
    follow: bool = False
    """Whether people hear of it again when the note has changed."""

    @property
    def subject_id(self) -> str:
        """Row key of its alert while that is open."""
        return subject_of(self.key)


def subject_of(key: str) -> str:
    """Row key of the open alert of a problem, by the problem's key."""
    return f"{PREFIX}{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def conditions(facts: Facts, rules: Watchdog, now: datetime) -> tuple[Problem, ...]:
    """What is wrong for longer than the rules allow. Pure."""
    found = [
        *_late(facts.places, timedelta(minutes=rules.poll_late_minutes), now),
        *_failing(facts.places, timedelta(minutes=rules.tenant_failing_minutes), now),
        *_unreached(facts.sinks, timedelta(minutes=rules.sink_failing_minutes), now),
        *_given_up(facts.poisoned, facts.places),
    ]
    return tuple(found)


def late(rows: Iterable[Place], limit: timedelta, now: datetime) -> tuple[list[tuple[datetime, Place]], int]:
    """The subscriptions not polled for longer than the limit, the oldest poll first, and how many are polled at all.

    A refusal by Azure is no lateness.
    """
    asked = [
        (max(at for at in (row.subscription.last_refreshed_at, row.subscription.last_attempt_at) if at), row)
        for row in rows
        if not row.not_polled and (row.subscription.last_refreshed_at or row.subscription.last_attempt_at)
    ]
    return sorted(((at, row) for at, row in asked if now - at > limit), key=lambda pair: pair[0]), len(asked)


def _late(rows: Iterable[Place], limit: timedelta, now: datetime) -> Iterable[Problem]:
    """One problem, however many subscriptions: what is late is the cycle."""
    found, polled = late(rows, limit, now)
    if not found:
        return
    oldest, place = found[0]
    many = f"{len(found)} of {polled} subscriptions were" if polled > 1 else "The only subscription was"
    yield Problem(
        key="pollLate",
        condition="pollLate",
        name="Health polls are late",
        note=(
            f"{many} not polled for more than {_minutes(limit)}. The longest wait is that of "
            f"{place.subscription.name}, since {_time(oldest)}. Look whether the Functions app runs, "
            "its timers are enabled, and its queues move."
        ),
        since=oldest,
    )


def _failing(rows: Iterable[Place], limit: timedelta, now: datetime) -> Iterable[Problem]:
    """One problem per tenant, or per connection when it is the connection's sign-in that is gone."""
    grouped: dict[tuple[str, str], list[tuple[datetime, Place]]] = {}
    for row in rows:
        failure = row.failure if row.shown else None
        if failure is None or failure["code"] == STATES_UNREAD:
            continue
        since = failure["since"] or row.subscription.failing_since
        if since is None or now - since <= limit:
            continue
        consent = row.connection is not None and row.connection.status == "needsConsent"
        key = ("connection", row.subscription.connection_id) if consent else ("tenant", row.subscription.tenant_id)
        grouped.setdefault(key, []).append((since, row))
    for (kind, identifier), found in sorted(grouped.items()):
        since, first = min(found, key=lambda pair: pair[0])
        failure = first.failure
        site_ids = tuple(sorted({row.site.id for _, row in found if row.site is not None}))
        name = f"{_tenant_name(first)} cannot be read"
        if kind == "connection":
            name = f"The connection {first.connection.name if first.connection else identifier} needs a sign-in"
        yield Problem(
            key=f"{kind}|{identifier}",
            condition="tenantFailing",
            name=name,
            note=(
                f"{name}: {_count(found)} not read since {_time(since)}. "
                f"{failure['message'] if failure else ''} {failure['fix'] if failure else ''}"
            ).strip(),
            since=since,
            site_ids=site_ids if kind == "tenant" else (),
            subject=_subject(first, alone=len(site_ids) == 1) if kind == "tenant" else None,
        )


def _tenant_name(place: Place) -> str:
    return place.tenant.display_name if place.tenant is not None else place.subscription.tenant_id


def _subject(place: Place, *, alone: bool) -> Subject:
    site = place.site if alone else None
    return Subject(
        name="",
        tenant_id=place.subscription.tenant_id,
        tenant_name=_tenant_name(place),
        client_name=site.client_name if site else "",
        site_name=site.site_name if site else "",
    )


def _unreached(rows: Iterable[SinkState], limit: timedelta, now: datetime) -> Iterable[Problem]:
    """One problem per sink. Who switched a sink off by hand knows it."""
    for sink in rows:
        if not sink.enabled:
            since = sink.changed_at if sink.disabled_reason is not None else None
            said = f"It was switched off because of this: {sink.disabled_reason} Mend it, then enable it again."
        else:
            since = min((at for at in (sink.refused_since, sink.oldest_at) if at is not None), default=None)
            said = f"What is to be sent waits. {sink.last_error or ''}".strip()
        if since is None or now - since <= limit:
            continue
        yield Problem(
            key=f"sink|{sink.id}",
            condition="sinkFailing",
            name=f"The sink {sink.name} gets nothing",
            note=f"The sink {sink.name} gets nothing since {_time(since)}. {said}",
            since=since,
            not_to=sink.id,
        )


def _given_up(rows: Iterable[Poisoned], places: Iterable[Place]) -> Iterable[Problem]:
    """One problem, however much work: at once, as five tries have failed already.

    High, because a client's tickets may neither open nor close until the work is put back: so whose they are is said.
    """
    waiting = sorted((row for row in rows if row.state == "poisoned"), key=lambda row: row.failed_at)
    if not waiting:
        return
    queues = ", ".join(sorted({row.queue for row in waiting}))
    many = "1 job was" if len(waiting) == 1 else f"{len(waiting)} jobs were"
    named = [_about(row, tuple(places)) for row in waiting]
    whom = list(dict.fromkeys(words for words, _ in named if words))
    more = f" and {len(whom) - NAMED} more" if len(whom) > NAMED else ""
    about = f" It was for {', '.join(whom[:NAMED])}{more}; tickets there may be wrong until then." if whom else ""
    subjects = [subject for _, subject in named]
    yield Problem(
        key="poisonedWork",
        condition="poisonedWork",
        name="Work was given up",
        note=(
            f"{many} given up after failing five times, the first at {_time(waiting[0].failed_at)} (queue: {queues})."
            f"{about} Read the function's log, then put it back: "
            "GET /service/poison, POST /service/poison/{id}/requeue."
        ),
        since=waiting[0].failed_at,
        subject=subjects[0] if all(subject == subjects[0] for subject in subjects) else None,
        follow=True,
    )


def _about(row: Poisoned, places: Sequence[Place]) -> tuple[str, Subject | None]:
    """Whose work it was, in words and as the subject of an alert, as far as the message says."""
    try:
        said = json.loads(row.body)
    except ValueError:
        return "", None
    if not isinstance(said, dict):
        return "", None
    for place in places:
        subscription = place.subscription
        if said.get("subscription_id") == subscription.id:
            subject = _subject(place, alone=True).changed(
                subscription_id=subscription.id, subscription_name=subscription.name
            )
            whose = subject.client_name or subject.tenant_name
            return f"{whose} (subscription {subscription.name})", subject
        if said.get("tenant_id") == subscription.tenant_id:
            return _tenant_name(place), _subject(place, alone=False)
    return "", None


def _count(found: list[tuple[datetime, Place]]) -> str:
    return "1 subscription" if len(found) == 1 else f"{len(found)} subscriptions"


def _minutes(span: timedelta) -> str:
    return f"{span // timedelta(minutes=1)} minutes"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


async def run_watch(app: App, job: Watch) -> None:
    """Queue job: open an alert for each problem that has none, and close those whose problem is over.

    It also makes known again what was changed in policy and maintenance windows a short time ago.
    """
    held = await lease.take(app, LEASE)
    if not isinstance(held, lease.Lease):
        # Another looks at this moment; the timer comes back.
        return
    try:
        rules = (await policies.load(app)).watchdog
        now = app.clock.now()
        facts = await look(app)
        problems = {row.subject_id: row for row in conditions(facts, rules, now)}
        present = {row.subject_id: row for row in await app.tables.all(ALERTS, OPEN, prefix=PREFIX)}
        for subject_id, known in present.items():
            if subject_id not in problems:
                await carry.end_alert(app, known, "recovered", OVER.get(known.condition, "It is over."), now)
        for subject_id, problem in problems.items():
            await _keep_open(app, present.get(subject_id), problem, now)
    finally:
        await lease.release(app, held)
    await policies.make_known(app)
    await maintenance.make_known(app)
    await vitals.record(
        app,
        facts.places,
        poisoned=sum(row.state == "poisoned" for row in facts.poisoned),
        failing_sinks=sum(problem.condition == "sinkFailing" for problem in problems.values()),
    )


async def _keep_open(app: App, alert: Alert | None, problem: Problem, now: datetime) -> None:
    if alert is None:
        await carry.raise_alert(app, _draft(problem, now), problem.note, sink_ids=await _told(app, problem))
    elif now - alert.opened_at < TOLD_WITHIN:
        await carry.raise_alert(app, alert, problem.note, sink_ids=alert.sink_ids)
    if alert is not None and problem.follow:
        await carry.follow_alert(app, alert, problem.note, now)


async def give_up_watch(app: App, job: Watch, reason: str) -> None:
    """Nothing to mark: the timer looks again, and the poisoned job is a problem of its own."""


async def look(app: App) -> Facts:
    """The facts as they are now."""
    every_place, every_sink, given_up = await asyncio.gather(places.every(app), sinks.every(app), poison.listed(app))
    gate = asyncio.Semaphore(AT_ONCE)

    async def state(sink: sinks.Sink) -> SinkState:
        async with gate:
            head = await app.tables.get(HEADS, sink.id, HEAD)
            waiting = await app.tables.all(LINE, sink.id, prefix=IN_LINE, where="state eq 'pending'", limit=1)
        first = waiting[0] if waiting else None
        open_since = head.circuit.since if head is not None and head.circuit.until is not None else None
        return SinkState(
            id=sink.id,
            name=sink.name,
            enabled=sink.enabled,
            disabled_reason=sink.disabled_reason,
            changed_at=sink.changed_at,
            refused_since=open_since,
            oldest_at=first.line_at if first is not None else None,
            last_error=first.last_error if first is not None else None,
        )

    states = await asyncio.gather(*(state(sink) for sink in every_sink))
    return Facts(tuple(every_place), tuple(states), tuple(given_up))


async def _told(app: App, problem: Problem) -> list[str]:
    """The sinks of its sites, or of every site, without the one that fails."""
    found: list[str] = []
    for site_id in problem.site_ids or (None,):
        found += await outbox.sinks_for(app, site_id)
    return [name for name in dict.fromkeys(found) if name != problem.not_to]


def _draft(problem: Problem, now: datetime) -> Alert:
    """The alert of a problem. Pure."""
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    about = (problem.subject or Subject(name="")).changed(name=problem.name)
    return Alert(
        id=alert_id(problem.subject_id, at),
        kind="self",
        subject_id=problem.subject_id,
        site_id=problem.site_ids[0] if len(problem.site_ids) == 1 else None,
        condition=problem.condition,
        severity=SEVERITIES[problem.condition],
        opened_at=at,
        since=problem.since,
        subject=about,
    )
