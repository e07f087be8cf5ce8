"""How many tickets the plain rule makes of a noisy day (bench/noisy_day.py), and how many the incident machine does.

The plain rule opens a ticket for anything but available and closes it at available, at each poll and at each event that
arrives. Ours takes events as hints to read Azure, and gets what was read late, twice and shuffled. No server is needed:
it is the decision that is measured.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.noisy_day import CLIENTS, DAY, START, Day, Device, events, make, plain, reads
from shared.incidents import grouping, machine
from shared.incidents.grouping import Group, Opening, Single
from shared.incidents.ids import alert_id
from shared.incidents.policy import Policy
from shared.incidents.records import Effect, Incident, Observation, Sighting

LIMIT = 10
"""So many times fewer tickets than the plain rule makes."""
LATEST = 35
"""Minutes after a real incident's end in which its ticket may still come: one poll, and what was late."""
TYPE = "Microsoft.Compute/virtualMachines"
SEED, OTHER_DAYS = 7, 20
"""The day that is shown, and how many others are counted: what happens on them differs, not the kinds of it."""


@dataclass
class Book:
    """The tickets that ours makes, and which devices they cover when."""

    by_part: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    reopened: int = 0
    updates: int = 0
    covered: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    since: dict[str, int] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    ended: dict[str, datetime] = field(default_factory=dict)
    member_of: dict[str, str] = field(default_factory=dict)
    """Device id -> its group, the last one it had."""

    def opening(self, device: Device, minute: int) -> None:
        """A device is in an open ticket from now on."""
        self.since.setdefault(device.id, minute)

    def closing(self, device: Device, minute: int, now: datetime) -> None:
        """A device is in none any more; the ticket of its group closes with the last."""
        self.covered[device.id].append((self.since.pop(device.id), minute))
        group = self.member_of.get(device.id)
        if group is not None and not any(self.member_of.get(other) == group for other in self.since):
            self.ended[group] = now


def ours(day: Day, seen: list[tuple[int, Device, Sighting]]) -> Book:
    """The day through the machine and grouping."""
    arriving: dict[int, list[tuple[Device, Sighting]]] = defaultdict(list)
    for minute, device, sighting in seen:
        arriving[minute + day.random.randint(0, 2)].append((device, sighting))
        if day.random.random() < 0.15:
            arriving[minute + day.random.randint(1, 30)].append((device, sighting))
    book = Book()
    incidents = {device.id: Incident(device_id=device.id) for device in day.devices}
    for minute in range(DAY + 12 * 60):
        now = START + timedelta(minutes=minute, seconds=59)
        new: dict[str, list[Sighting]] = defaultdict(list)
        for device, sighting in arriving[minute]:
            new[device.id].append(sighting)
        for client in CLIENTS:
            due = [
                device
                for device in day.devices
                if device.client == client
                and (device.id in new or (incidents[device.id].due_at or now + timedelta(1)) <= now)
            ]
            if due:
                _batch(book, client, due, new, incidents, day, now, minute)
    return book


def _batch(
    book: Book,
    client: str,
    due: list[Device],
    new: dict[str, list[Sighting]],
    incidents: dict[str, Incident],
    day: Day,
    now: datetime,
    minute: int,
) -> None:
    openings: dict[str, tuple[Device, Effect]] = {}
    rules = Policy().for_device(client, None, TYPE)
    for device in due:
        observation = Observation(tuple(new[device.id]), tuple(device.planned), TYPE)
        incidents[device.id], effects = machine.step(incidents[device.id], observation, rules, now)
        for effect in effects:
            if effect.kind == "close":
                book.closing(device, minute, now)
            elif effect.kind in ("open", "reopen"):
                openings[device.id] = (device, effect)
            book.updates += effect.kind == "update"
    if not openings:
        return
    by_id = {device.id: device for device in day.devices}
    plan = grouping.plan(
        [_opening(book, device, effect, incidents[device.id]) for device, effect in openings.values()],
        [group for key, group in book.groups.items() if key not in book.ended],
        [book.groups[key] for key, at in book.ended.items() if now - at < timedelta(minutes=rules.reopen_minutes)],
        [
            single
            for device_id in book.since
            if device_id not in book.member_of
            and (single := _single(by_id[device_id], incidents[device_id])) is not None
        ],
        (),
        rules,
        now,
    )
    for opening in plan.alone:
        device, effect = openings[opening.device_id]
        book.member_of.pop(device.id, None)
        book.opening(device, minute)
        if effect.kind == "open":
            book.opened += 1
            book.by_part[device.part] += 1
        else:
            book.reopened += 1
    for gathering in plan.gatherings:
        members = [by_id[one.device_id] for one in gathering.openings]
        members += [by_id[one.device_id] for one in gathering.absorbed]
        group_id = gathering.group_id or alert_id(gathering.key.replace("-", ""), now)
        began = min([*(one.since for one in gathering.openings), *(one.since for one in gathering.absorbed)])
        if gathering.group_id is None:
            book.opened += 1
            book.by_part[members[0].part] += 1
        else:
            book.reopened += gathering.kind == "reopened"
            book.updates += gathering.kind == "joined"
            began = min(began, book.groups[group_id].began_at)
        book.ended.pop(group_id, None)
        book.groups[group_id] = Group(group_id, client, gathering.key, began, now)
        for single in gathering.absorbed:
            incidents[single.device_id], _ = machine.absorb(incidents[single.device_id], now)
        for device in members:
            book.member_of[device.id] = group_id
            book.opening(device, minute)


def _opening(book: Book, device: Device, effect: Effect, incident: Incident) -> Opening:
    group = book.member_of.get(device.id) if effect.kind == "reopen" else None
    since = incident.since or effect.at
    return Opening(device.id, device.client, device.region, TYPE, False, None, device.id, since, effect.alert_id, group)


def _single(device: Device, incident: Incident) -> Single | None:
    if incident.alert_id is None or incident.opened_at is None:
        return None
    return Single(
        device.id,
        device.client,
        device.region,
        TYPE,
        False,
        None,
        incident.since or incident.opened_at,
        incident.alert_id,
        incident.opened_at,
    )


def measure(seed: int) -> dict[str, Any]:
    """Both rules over one day: `{parts: [{part, devices, plain, ours}], plain, ours, ratio, missed, wrong, ...}`."""
    day = make(seed)
    told = events(day)
    seen = list(reads(day, told))
    theirs, book = plain(day, told), ours(day, seen)
    missed, delays = [], []
    for device in day.devices:
        times = book.covered[device.id] + ([(book.since[device.id], DAY * 2)] if device.id in book.since else [])
        if device.real is not None:
            begin, end = device.real
            hits = [opened for opened, closed in times if closed >= begin and opened <= end + LATEST]
            missed += [device.part] if not hits else []
            delays += [max(0, min(hits) - begin)] if hits else []
    parts = Counter(device.part for device in day.devices)
    unreal = {part for part in parts if not any(d.real for d in day.devices if d.part == part)}
    return {
        "seed": seed,
        "reads": len(seen),
        "parts": [
            {"part": part, "devices": count, "plain": theirs[part], "ours": book.by_part[part]}
            for part, count in parts.items()
        ],
        "plain": theirs.total(),
        "ours": book.opened,
        "ratio": round(theirs.total() / max(1, book.opened), 1),
        "reopened": book.reopened,
        "notes": book.updates,
        "missed": missed,
        "wrong": sum(book.by_part[part] for part in unreal),
        "leftOpen": len(book.since),
        "minutesToTicket": {"median": statistics.median(delays), "worst": max(delays)},
    }


def run() -> dict[str, Any]:
    """The day that is shown, and of the others `{others: {days, ratios: {worst, median}, missed}}`."""
    others = [measure(SEED + number) for number in range(1, OTHER_DAYS + 1)]
    ratios = [day["ratio"] for day in others]
    found = {
        "days": len(others),
        "ratios": {"worst": min(ratios), "median": statistics.median(ratios)},
        "missed": sum(len(day["missed"]) for day in others),
        "wrong": sum(day["wrong"] for day in others),
    }
    return measure(SEED) | {"others": found}


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    rows = [*result["parts"], {"part": "tickets", "devices": "", "plain": result["plain"], "ours": result["ours"]}]
    soon, others = result["minutesToTicket"], result["others"]
    times = others["ratios"]
    return "\n".join(
        [
            f"{'a noisy day':38} {'devices':>7} {'plain rule':>10} {'ours':>5}",
            *(f"{row['part']:38} {row['devices']:>7} {row['plain']:>10} {row['ours']:>5}" for row in rows),
            f"{result['ratio']} times fewer tickets; reopened: {result['reopened']}; notes: {result['notes']}",
            f"real incidents missed: {len(result['missed'])}; tickets for what is none: {result['wrong']}",
            f"minutes from a real incident's begin to its ticket: median {soon['median']:g}, worst {soon['worst']:g}",
            (
                f"{others['days']} other days: {times['median']:g} times fewer (median),"
                f" {times['worst']:g} at worst; missed: {others['missed']}; for what is none: {others['wrong']}"
            ),
        ]
    )


def failures(result: dict[str, Any]) -> list[str]:
    """Which limits are passed, in words."""
    found = [f"a real incident has no ticket: {part}" for part in result["missed"]]
    if result["others"]["missed"]:
        found.append(f"{result['others']['missed']} real incidents of other days have no ticket")
    if result["ratio"] < LIMIT:
        found.append(f"{result['ratio']} times fewer tickets than the plain rule, at least {LIMIT}")
    if result["wrong"]:
        found.append(f"{result['wrong']} tickets for what is no incident")
    if result["leftOpen"]:
        found.append(f"{result['leftOpen']} devices are back and in an open ticket")
    return found
