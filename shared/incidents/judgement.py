"""Whether a device deserves a ticket at a moment, from its history, planned work and rules alone.

The judgement knows nothing of alerts that exist: what has to be done about them follows from comparing (machine.py).
So it may be repeated, and what was missed yesterday is made good today.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.devices.records import Status
from shared.incidents.history import History, Spell
from shared.incidents.policy import Rules
from shared.incidents.records import Cause, Condition, PlannedWork, SuppressedBy

SLACK = timedelta(minutes=5)
"""Azure's clock and the time of a request differ: a spell may begin so much before or after the action that caused it.
A window's times are what people typed, and mean what they say."""
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why a device may be away, and until when (FOREVER: until somebody starts it)."""

    by: SuppressedBy
    until: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is right at a moment.

    `keeps`: an alert that is open stays so, though none would be opened. `away`: the device is not available, by
    whatever rule. `due_at`: when the verdict may change by itself.
    """

    kind: Literal["quiet", "suppressed", "open"] = "quiet"
    condition: Condition | None = None
    status: Status | None = None
    reason: str | None = None
    since: datetime | None = None
    by: SuppressedBy | None = None
    until: datetime | None = None
    detail: str | None = None
    changes: int = 0
    """Of a flapping device."""
    keeps: bool = False
    away: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Opening:
    """When a spell opens an alert, and what it waits for until then."""

    at: datetime
    by: SuppressedBy


def judge(history: History, planned: Sequence[PlannedWork], rules: Rules, now: datetime) -> Verdict:
    """The verdict on a device. Snoozes and business hours are not its matter."""
    if not history.statements:
        return Verdict(due_at=history.due_at)
    last = history.statements[-1]
    flapping = _flapping(history, planned, rules, now)
    spell = history.present
    due: list[datetime | None] = [history.due_at]
    if spell is None:
        verdict = _of_available(history, planned, rules, now, flapping)
    else:
        verdict = _of_away(history, spell, planned, rules, now, flapping)
        # A silence that begins to count does more than open: it adds to the changes of a device that flaps.
        due += [opening.at for opening in _openings(spell, rules)]
    return replace(
        verdict,
        status=last.status,
        reason=last.reason,
        away=spell is not None,
        due_at=earliest((verdict.due_at, *due), now),
    )


def earliest(times: Iterable[datetime | None], now: datetime) -> datetime | None:
    """The first of the times that are still to come."""
    return min((at for at in times if at is not None and now < at < FOREVER), default=None)


@dataclass(frozen=True, slots=True)
class _Flapping:
    """A run of changes between available and not that is not over yet."""

    since: datetime
    changes: int
    over_at: datetime


def _of_available(
    history: History, planned: Sequence[PlannedWork], rules: Rules, now: datetime, flapping: _Flapping | None
) -> Verdict:
    if not history.spells:
        return Verdict()
    spell = history.spells[-1]
    if flapping is not None:
        return _flaps(flapping)
    closes_at = (spell.end or now) + timedelta(minutes=rules.close_delay_minutes)
    if now >= closes_at or not _was_open(history, planned, rules, now):
        return Verdict()
    return Verdict(keeps=True, condition=_condition(spell), since=spell.begin, due_at=closes_at)


def _of_away(
    history: History,
    spell: Spell,
    planned: Sequence[PlannedWork],
    rules: Rules,
    now: datetime,
    flapping: _Flapping | None,
) -> Verdict:
    condition = _condition(spell)
    excuse = excuse_of(spell, history, planned, rules)
    if excuse is not None and now < excuse.until:
        until = None if excuse.until == FOREVER else excuse.until
        return Verdict(
            kind="suppressed",
            condition=condition,
            since=spell.begin,
            by=excuse.by,
            until=until,
            detail=excuse.what,
            due_at=until,
        )
    if excuse is None and flapping is not None:
        return _flaps(flapping)
    openings = _openings(spell, rules)
    first = min(openings, key=lambda o: (o.at, o.by), default=None)
    kept = excuse is None and _was_open(history, planned, rules, now)
    if kept or (first is not None and first.at <= now):
        if excuse is None:
            return Verdict(kind="open", condition=condition, since=spell.begin)
        detail = f"{excuse.what.rstrip('.')}; it should have been back by {clock_time(excuse.until)}"
        return Verdict(kind="open", condition="overdue", since=spell.begin, detail=detail)
    if first is None:
        if spell.last.status == "unknown" and rules.unknown_after_minutes == 0:
            return Verdict(kind="suppressed", condition=condition, since=spell.begin, by="unknown")
        return Verdict()
    return Verdict(
        kind="suppressed",
        condition=condition,
        since=spell.begin,
        by=first.by,
        until=first.at,
        keeps=first.by == "hold",
        due_at=first.at,
    )


def excuse_of(spell: Spell, history: History, planned: Sequence[PlannedWork], rules: Rules) -> Excuse | None:
    """Why the device may be away in a spell of its history; the excuse may be over. None: there never was one.

    An action that covers the spell's begin counts before what Resource Health names as cause: our own restart is a
    customer's deed to Azure, and yet the device has to be back. Work that begins while the device is away for a
    reason joins in: a start says when it should be back, a window may take longer.
    """
    works = sorted(planned, key=lambda w: (w.starts_at, w.id))
    deed: Excuse | None = None
    window: Excuse | None = None
    earlier = [s for s in history.spells if s.begin < spell.begin]
    covering = [w for w in works if _covers(w, spell) and not _undone(w, earlier)]
    if all(w.kind == "maintenance" for w in covering):
        cause, since = _present_cause(spell)
        if cause == "user" and rules.ignore_user_initiated:
            deed = Excuse("userInitiated", FOREVER, spell.last.reason or "Somebody of the customer did it")
        elif cause == "planned" and rules.ignore_planned:
            until = since + timedelta(minutes=rules.grace_minutes)
            window = Excuse("azurePlanned", until, spell.last.reason or "Planned maintenance by Azure")
        elif not covering:
            return None
    for work in works:
        if work not in covering:
            latest = max((e.until for e in (deed, window) if e is not None), default=spell.begin)
            if not spell.begin < work.starts_at <= latest:
                continue
        excuse = Excuse(work.kind, work.back_by or FOREVER, work.what)
        if work.kind != "maintenance":
            deed = excuse
        elif window is None or excuse.until > window.until:
            window = excuse
    if deed is None or (window is not None and window.until > deed.until):
        return window
    return deed


def _covers(work: PlannedWork, spell: Spell) -> bool:
    """Whether a spell began during planned work. An action upon a device that was seen away before did not cause it."""
    if work.kind != "maintenance" and spell.statements[0].seen_at < work.starts_at:
        return False
    slack = timedelta() if work.kind == "maintenance" else SLACK
    return work.starts_at - slack <= spell.begin <= (work.ends_at or FOREVER - slack) + slack


def _undone(work: PlannedWork, spells: Iterable[Spell]) -> bool:
    """Whether the device was back, after an action that took it down for good, in one of these spells.

    Somebody started it elsewhere: what comes after is not the action's doing.
    """
    if work.kind == "maintenance" or work.back_by is not None or work.ends_at is None:
        return False
    done_at = work.done_at or work.starts_at
    return any(spell.end is not None and spell.end > done_at and _covers(work, spell) for spell in spells)


def clock_time(at: datetime) -> str:
    """A time as tickets write it: `2026-01-31 12:00 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _present_cause(spell: Spell) -> tuple[Cause, datetime]:
    """The cause of the present state and since when it is that one.

    `unknown` without a cause says nothing new: a machine that was stopped falls silent too.
    """
    cause: Cause = "unknown"
    since = spell.begin
    for statement in spell.statements:
        if statement.status == "unknown" and statement.cause == "unknown":
            continue
        if statement.cause != cause:
            cause, since = statement.cause, statement.at
    return cause, since


def _condition(spell: Spell) -> Condition:
    """By the last state that is known: falling silent makes a failure no better."""
    for statement in reversed(spell.statements):
        if statement.status in ("unavailable", "degraded"):
            return statement.status
    return "unknown"


def _openings(spell: Spell, rules: Rules) -> list[_Opening]:
    """When a spell opens, as far as its end allows."""
    found: list[_Opening] = []
    first = next((s.at for s in spell.statements if s.status in rules.opening), None)
    if first is not None:
        found.append(_Opening(first + timedelta(minutes=rules.hold_minutes), "hold"))
    if "unknown" not in rules.opening and rules.unknown_after_minutes:
        after = timedelta(minutes=rules.unknown_after_minutes)
        found += [
            _Opening(begin + after, "unknown")
            for begin, end in _unknown_runs(spell)
            if end is None or begin + after <= end
        ]
    return [o for o in found if spell.end is None or o.at < spell.end]


def _unknown_runs(spell: Spell) -> Iterable[tuple[datetime, datetime | None]]:
    begin: datetime | None = None
    for statement in spell.statements:
        if statement.status == "unknown":
            begin = begin or statement.at
        elif begin is not None:
            yield begin, statement.at
            begin = None
    if begin is not None:
        yield begin, spell.end


def _excused(spell: Spell, history: History, planned: Sequence[PlannedWork], rules: Rules, now: datetime) -> bool:
    """Whether the device may be away in a spell: until its end, or now."""
    at = spell.end or now
    excuse = excuse_of(spell, history, planned, rules)
    return excuse is not None and at < excuse.until


def _was_open(history: History, planned: Sequence[PlannedWork], rules: Rules, now: datetime) -> bool:
    """Whether an alert of an earlier spell is not closed yet, because the pauses since were shorter than the delay."""
    delay = timedelta(minutes=rules.close_delay_minutes)
    following: datetime = now
    for spell in reversed(history.spells):
        if spell.end is not None:
            if following - spell.end >= delay:
                return False
            if _excused(spell, history, planned, rules, now):
                return False
            if any(o.at <= spell.end for o in _openings(spell, rules)):
                return True
        following = spell.begin
    return False


def _flapping(history: History, planned: Sequence[PlannedWork], rules: Rules, now: datetime) -> _Flapping | None:
    """The run of changes that lasts, if there were enough of them within the window at some time of it.

    A spell that somebody meant begins the count anew: the device was worked on.
    """
    if not rules.flap_changes:
        return None
    window = timedelta(minutes=rules.flap_window_minutes)
    changes: list[datetime] = []
    begin = enough = 0
    for spell in history.spells:
        if _excused(spell, history, planned, rules, now):
            changes, begin, enough = [], 0, 0
            continue
        if not _could_open(spell, rules, now):
            continue
        for at in (spell.begin, spell.end):
            if at is None:
                continue
            if changes and at - changes[-1] >= window:
                begin, enough = len(changes), 0
            changes.append(at)
            if len(changes) - begin >= rules.flap_changes and at - changes[-rules.flap_changes] <= window:
                enough = len(changes)
    if not enough or now >= changes[-1] + window:
        return None
    return _Flapping(changes[begin], len(changes) - begin, changes[-1] + window)


def _could_open(spell: Spell, rules: Rules, now: datetime) -> bool:
    """Whether the spell is more than a silence too short to count; how long it must last does not matter here."""
    if any(s.status in rules.opening for s in spell.statements):
        return True
    return any(o.at <= (spell.end or now) for o in _openings(spell, rules))


def _flaps(flapping: _Flapping) -> Verdict:
    return Verdict(
        kind="open",
        condition="flapping",
        since=flapping.since,
        changes=flapping.changes,
        due_at=flapping.over_at,
    )
