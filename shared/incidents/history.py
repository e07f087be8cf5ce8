"""What a device's sightings say together, in whatever order and however often they were delivered.

A poll tells only what it sees at its moment, and Azure's word about when it began may be late, repeated or revised.
So sightings are kept as a set and put in order each time they are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.devices.records import Status
from shared.incidents.records import SIGHTINGS_KEPT, Cause, Sighting

STANDS = timedelta(minutes=20)
"""A read whose `at` is older than what was known is Azure's last word once it stood so long: a poll every 15 minutes
would have replaced it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One state of a device and the moment from which on it counts."""

    at: datetime
    status: Status | None
    cause: Cause
    reason: str | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Spell:
    """A run of states other than available. `end` None: it lasts."""

    statements: tuple[Statement, ...]
    end: datetime | None

    @property
    def begin(self) -> datetime:
        """When it began."""
        return self.statements[0].at

    @property
    def last(self) -> Statement:
        """Its last, or present, state."""
        return self.statements[-1]


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a device since it was last gone, in order of time."""

    statements: tuple[Statement, ...] = ()
    spells: tuple[Spell, ...] = ()
    gone: bool = False
    """It is no longer in Azure."""
    due_at: datetime | None = None
    """When the order may change by itself."""

    @property
    def status(self) -> Status | None:
        """The present one; None when nothing is known, or the device is gone."""
        return self.statements[-1].status if self.statements else None

    @property
    def present(self) -> Spell | None:
        """The spell that lasts."""
        return self.spells[-1] if self.spells and self.spells[-1].end is None else None


def merge(known: Iterable[Sighting], new: Iterable[Sighting]) -> list[Sighting]:
    """All sightings, ordered, one per (at, status, cause), the newest SIGHTINGS_KEPT of them.

    Commutative, associative and idempotent, so that order and number of deliveries do not matter. A sighting of
    notReported is no statement about the device and is left out.
    """
    found: dict[tuple[datetime, str, Cause], Sighting] = {}
    for one in (*known, *new):
        if one.status == "notReported":
            continue
        key = (one.at, one.status or "", one.cause)
        other = found.get(key)
        if other is None or (one.seen_at, one.reason or "") > (other.seen_at, other.reason or ""):
            found[key] = one
    return [found[key] for key in sorted(found)][-SIGHTINGS_KEPT:]


def read(sightings: Sequence[Sighting], now: datetime) -> History:
    """The history that sightings (as `merge` gives them) tell at a time."""
    if not sightings:
        return History()
    due_at: datetime | None = None
    ordered: list[Statement] = []
    by_reading = sorted(sightings, key=lambda s: (s.seen_at, s.at, s.status or "", s.cause))
    for place, one in enumerate(by_reading):
        later = next((other.seen_at for other in by_reading[place + 1 :] if other.seen_at > one.seen_at), None)
        at, due_at = _counts_from(one, ordered, later, now)
        ordered.append(Statement(at, one.status, one.cause, one.reason, one.seen_at))
    # Of what counts from the same moment, the later read stays the later one.
    ordered.sort(key=lambda s: s.at)
    gone = [place for place, statement in enumerate(ordered) if statement.status is None]
    statements = tuple(ordered[gone[-1] + 1 :] if gone else ordered)
    return History(statements, _spells(statements), gone=bool(gone) and not statements, due_at=due_at)


def _counts_from(
    one: Sighting, before: Sequence[Statement], later: datetime | None, now: datetime
) -> tuple[datetime, datetime | None]:
    """From when a sighting counts, and when that may change. `later` is when something else was seen after it.

    It counts from its `at`, but never from after it was seen. What was seen before it and contradicts it by a later
    time gives way once the sighting stood for `STANDS`, and at once when it said that the device was gone: that is
    our own reading.
    """
    at = min(one.at, one.seen_at)
    against = [s for s in before if s.seen_at < one.seen_at and s.at > at and s.status != one.status]
    if not against or one.status is None:
        return at, None
    if any(s.status is None for s in against):
        return one.seen_at, None
    stands_at = one.seen_at + STANDS
    if (later or now) >= stands_at:
        return one.seen_at, None
    return at, None if later else stands_at


def _spells(statements: Sequence[Statement]) -> tuple[Spell, ...]:
    spells: list[Spell] = []
    run: list[Statement] = []
    for statement in statements:
        if statement.status != "available":
            run.append(statement)
        elif run:
            spells.append(Spell(tuple(run), statement.at))
            run = []
    if run:
        spells.append(Spell(tuple(run), None))
    return tuple(spells)
