"""Business hours: whether people work at a moment, and when they do again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.incidents.policy import BusinessHours

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_open(hours: BusinessHours, at: datetime) -> bool:
    """Whether people work at a moment: what the clock on their wall says is what counts."""
    wall = at.astimezone(ZoneInfo(hours.time_zone))
    return _works(hours, wall.date()) and hours.opens <= wall.time() < hours.closes


def next_open(hours: BusinessHours, at: datetime) -> datetime:
    """The first moment from `at` on (UTC) at which people work: `at` itself when they do.

    On a day on which the clocks change that may be the moment they do; a day on which the change leaves nothing of the
    hours has none. There always is such a moment: a policy names a bounded number of holidays.
    """
    if is_open(hours, at):
        return at
    zone = ZoneInfo(hours.time_zone)
    day = at.astimezone(zone).date()
    while True:
        if _works(hours, day):
            found = [moment for moment in _beginnings(hours, day, zone) if moment > at and is_open(hours, moment)]
            if found:
                return min(found)
        day += timedelta(days=1)


def _works(hours: BusinessHours, day: date) -> bool:
    return _DAYS[day.weekday()] in hours.days and day not in hours.holidays


def _beginnings(hours: BusinessHours, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """When the hours of a day may begin: at their time, twice if the clock shows it twice, or where the clock jumps."""
    begin = datetime.combine(day, time(), zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    yield from (datetime.combine(day, hours.opens, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    yield begin
    before = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() != before:
        low, high = int(begin.timestamp()), int(end.timestamp())
        while high - low > 1:
            middle = (low + high) // 2
            same = datetime.fromtimestamp(middle, zone).utcoffset() == before
            low, high = (middle, high) if same else (low, middle)
        yield datetime.fromtimestamp(high, UTC)
