"""Business hours by the clock on the wall, also on the days on which somebody changes it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from shared.incidents.business import is_open, next_open
from shared.incidents.policy import BusinessHours

MINUTE = timedelta(minutes=1)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def hours(zone: str, opens: time, closes: time, **rest: Any) -> BusinessHours:
    return BusinessHours.model_validate({"timeZone": zone, "opens": opens, "closes": closes, "days": EVERY_DAY} | rest)


def changes(zone: str) -> list[datetime]:
    """The hours of the year in which the clocks of a zone change."""
    found, info = [], ZoneInfo(zone)
    at, offset = YEAR, YEAR.astimezone(info).utcoffset()
    while at < YEAR + timedelta(days=365):
        later = at + timedelta(hours=6)
        if (new := later.astimezone(info).utcoffset()) != offset:
            found.append(at)
        at, offset = later, new
    return found


def signature(zone: str) -> tuple[Any, ...]:
    """Zones with the same one have the same clocks all year."""
    info = ZoneInfo(zone)
    return YEAR.astimezone(info).utcoffset(), tuple(
        (at, (at + timedelta(hours=6)).astimezone(info).utcoffset()) for at in changes(zone)
    )


ZONES = sorted({signature(zone): zone for zone in sorted(available_timezones()) if zone != "localtime"}.values())
SPANS = [
    (time(8), time(18)),
    (time(2, 30), time(3, 15)),
    (time(2, 15), time(2, 45)),
    (time(1, 30), time(2)),
    (time(0), time(0, 30)),
    (time(0, 30), time(1)),
    (time(23, 30), time(23, 45)),
    (time(0), time(23, 59, 59)),
]


def test_the_next_open_moment_is_open_in_every_zone_whenever_its_clocks_change() -> None:
    seen = 0
    for zone in ZONES:
        for change in changes(zone):
            for opens, closes in SPANS:
                wanted = hours(zone, opens, closes)
                for step in range(-8, 12):
                    at = change + timedelta(minutes=step * 97, seconds=step)
                    found = next_open(wanted, at)
                    assert is_open(wanted, found), (zone, opens, at, found)
                    assert at <= found <= at + timedelta(days=2), (zone, opens, at, found)
                    assert next_open(wanted, found) == found
                    seen += 1
    assert seen > 5_000, "the zones of this machine have clocks that change"


@pytest.mark.parametrize(
    "zone", ["Europe/Zurich", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "Atlantic/Azores"]
)
def test_no_open_moment_is_passed_over_on_a_day_of_change(zone: str) -> None:
    for change in changes(zone):
        begin = change - timedelta(hours=12)
        for opens, closes in SPANS:
            wanted, expected = hours(zone, opens, closes), begin + timedelta(days=3)
            for minute in reversed(range(36 * 60)):
                at = begin + minute * MINUTE
                if is_open(wanted, at):
                    expected = at
                if minute % 31 == 0 and expected < begin + timedelta(days=3):
                    assert next_open(wanted, at) == expected, (zone, opens, at)


@pytest.mark.parametrize(
    "zone, opens, closes, at, expected",
    [
        ("Europe/Zurich", time(2, 30), time(3, 15), (2026, 3, 28, 23), (2026, 3, 29, 1)),
        ("Europe/Zurich", time(2, 15), time(2, 45), (2026, 3, 28, 23), (2026, 3, 30, 0, 15)),
        ("Australia/Lord_Howe", time(2, 15), time(2, 45), (2026, 10, 3, 12), (2026, 10, 3, 15, 30)),
        ("Europe/Zurich", time(2, 30), time(2, 45), (2026, 10, 25, 0, 50), (2026, 10, 25, 1, 30)),
    ],
)
def test_hours_within_a_change_begin_with_it_fall_out_or_come_twice(
    zone: str, opens: time, closes: time, at: tuple[int, int, int, int], expected: tuple[int, int, int, int]
) -> None:
    assert next_open(hours(zone, opens, closes), datetime(*at, tzinfo=UTC)) == datetime(*expected, tzinfo=UTC)


def test_days_off_and_holidays_are_passed_over() -> None:
    wanted = hours("UTC", time(8), time(18), days=["mon", "tue"], holidays=["2026-06-01"])
    assert next_open(wanted, datetime(2026, 5, 30, 12, tzinfo=UTC)) == datetime(2026, 6, 2, 8, tzinfo=UTC)
    assert next_open(wanted, datetime(2026, 6, 2, 18, tzinfo=UTC)) == datetime(2026, 6, 8, 8, tzinfo=UTC)
