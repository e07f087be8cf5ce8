"""A noisy day of three clients, minute by minute, and what the plain rule makes of it.

It is modelled on public reports about Resource Health (github.com/MicrosoftDocs/azure-docs/issues: 20560, more than 100
changes within hours; 43555, machines that run and are `unknown`; 34936, late and lost events;
github.com/microsoft/startstopv2-deployments/issues/110, stops that were meant). Times are minutes of the day.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.devices.records import Status
from shared.incidents.policy import Policy
from shared.incidents.records import Cause, PlannedWork, Sighting

START = datetime(2026, 3, 3, tzinfo=UTC)
DAY = 24 * 60
POLL = 15
CLIENTS = ("Alpine Dental", "Baker & Sons", "Cedar Law")
FLAPS, OUTAGE_DEVICES = 100, 60

Change = tuple[int, Status, Cause]


@dataclass
class Device:
    """A device and its day: minutes at which its state changed."""

    id: str
    client: str
    part: str
    region: str
    changes: list[Change] = field(default_factory=list)
    planned: list[PlannedWork] = field(default_factory=list)
    real: tuple[int, int] | None = None
    """Begin and end of the incident that deserves a ticket."""

    def at(self, minute: int) -> Change | None:
        """The last change up to a minute."""
        return next((change for change in reversed(self.changes) if change[0] <= minute), None)

    def away(self, begin: int, minutes: int, status: Status, cause: Cause = "platform") -> None:
        """A spell."""
        self.changes += [(begin, status, cause), (begin + minutes, "available", "unknown")]


@dataclass
class Day:
    """All that happens, in order of making."""

    random: random.Random
    devices: list[Device] = field(default_factory=list)

    def device(self, part: str, *, client: str | None = None, region: str = "westeurope") -> Device:
        """One more device."""
        number = len(self.devices)
        name = client or CLIENTS[number % len(CLIENTS)]
        self.devices.append(Device(f"{CLIENTS.index(name):032x}{number:020d}", name, part, region))
        return self.devices[-1]


def make(seed: int) -> Day:
    """The day."""
    day = Day(random.Random(seed))  # noqa: S311 a day that can be had again, no secret
    _flapping(day)
    _silences(day)
    _meant(day)
    _failures(day)
    _outage(day)
    for device in day.devices:
        device.changes.sort()
    return day


def _flapping(day: Day) -> None:
    device = day.device(f"one machine, {FLAPS} flaps")
    minute = begin = 8 * 60
    for _ in range(FLAPS):
        device.away(minute, day.random.randint(1, 2), "unavailable")
        minute += day.random.randint(3, 5)
    device.real = (begin, minute)


def _silences(day: Day) -> None:
    for _ in range(45):
        device, minute = day.device("Unknown for up to 25 minutes"), day.random.randint(0, 200)
        for _ in range(day.random.randint(1, 3)):
            device.away(minute, day.random.randint(6, 25), "unknown", "unknown")
            minute += day.random.randint(120, 400)
    device = day.device("Unknown for three hours")
    device.away(13 * 60, 180, "unknown", "unknown")
    device.real = (13 * 60, 16 * 60)


def _meant(day: Day) -> None:
    for _ in range(2):
        day.device("stopped by its user").away(18 * 60, 10 * 60, "unavailable", "user")
    for _ in range(3):
        device, begin = day.device("restarted through Tenantry"), day.random.randint(540, 1000)
        device.away(begin + 1, day.random.randint(2, 8), "unavailable", "user")
        device.planned.append(_work("action", "Restart by Alice", begin, begin + 9))
    for _ in range(6):
        device = day.device("patched in a maintenance window")
        device.away(2 * 60 + day.random.randint(0, 90), day.random.randint(5, 25), "unavailable", "guest")
        device.planned.append(_work("maintenance", "Maintenance: patches", 2 * 60, 4 * 60))
    device, begin = day.device("restarted, and did not come back"), 11 * 60
    device.away(begin + 1, 240, "unavailable", "user")
    device.planned.append(_work("action", "Restart by Bob", begin, begin + 3))
    device.real = (begin + 3 + 30, begin + 241)


def _failures(day: Day) -> None:
    spells: list[tuple[int, int, Status]] = [
        (200, 40, "unavailable"),
        (700, 120, "degraded"),
        (1000, 16, "unavailable"),
    ]
    for begin, minutes, status in spells:
        device = day.device("failures of single machines", region="northeurope")
        device.away(begin, minutes, status)
        device.real = (begin, begin + minutes)


def _outage(day: Day) -> None:
    """A region fails within three minutes and comes back one by one; a fifth of it falls once more."""
    begin = 16 * 60 + 7
    for number in range(OUTAGE_DEVICES):
        part = f"outage of a region, {OUTAGE_DEVICES} machines"
        device = day.device(part, client=CLIENTS[number % len(CLIENTS)], region="swedencentral")
        first, lasts = begin + day.random.randint(0, 3), day.random.randint(60, 100)
        device.away(first, lasts, "unavailable")
        if number % 5 == 0:
            device.away(first + lasts + day.random.randint(4, 12), day.random.randint(5, 20), "unavailable")
        device.real = (first, device.changes[-1][0])


def _work(kind: Any, what: str, begin: int, end: int) -> PlannedWork:
    ends_at = START + timedelta(minutes=end)
    grace = timedelta(minutes=Policy().grace_minutes)
    return PlannedWork(
        id=what,
        kind=kind,
        what=what,
        starts_at=START + timedelta(minutes=begin),
        ends_at=ends_at,
        back_by=ends_at + grace,
    )


def events(day: Day) -> list[tuple[int, Device, Change]]:
    """The events of the day as they arrive: up to four minutes late, some lost, some twice."""
    arriving = []
    for device in day.devices:
        for change in device.changes:
            arriving += [
                (change[0] + day.random.randint(0, 4), device, change)
                for chance in (0.97, 0.1)
                if day.random.random() < chance
            ]
    return sorted(arriving, key=lambda event: event[0])


def reads(day: Day, hints: list[tuple[int, Device, Change]]) -> Iterator[tuple[int, Device, Sighting]]:
    """What the polls, and the reads of a client that events ask for, see anew, in order."""
    readings = {(minute, client) for minute in range(0, DAY + POLL, POLL) for client in CLIENTS}
    readings |= {(minute, device.client) for minute, device, _ in hints}
    known: dict[str, Change] = {}
    for place, (minute, client) in enumerate(sorted(readings)):
        seen_at = START + timedelta(minutes=minute, milliseconds=place)
        for device in day.devices:
            change = device.at(minute)
            if device.client != client or change is None or known.get(device.id) == change:
                continue
            known[device.id] = change
            at = START + timedelta(minutes=change[0])
            yield minute, device, Sighting(at=at, seen_at=seen_at, status=change[1], cause=change[2])


def plain(day: Day, told: list[tuple[int, Device, Change]]) -> Counter[str]:
    """Tickets of the plain rule, by part of the day."""
    polled = [
        (minute, device, change)
        for minute in range(0, DAY + POLL, POLL)
        for device in day.devices
        if (change := device.at(minute)) is not None
    ]
    made: Counter[str] = Counter()
    away: set[str] = set()
    for _, device, change in sorted([*told, *polled], key=lambda one: one[0]):
        if change[1] == "available":
            away.discard(device.id)
        elif device.id not in away:
            away.add(device.id)
            made[device.part] += 1
    return made
