"""When a schedule runs: an iCalendar rule in the wall time of a time zone, without holidays. Pure.

Rules: RFC 5545, 3.3.10, evaluated by python-dateutil on wall time alone; the time zone then says which instant that
is. An hour that daylight saving skips is run at the instant when the clock jumps, one that it repeats the first time.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from shared.errors import InvalidInput

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
MAX_RULE_CHARS = 200
MAX_COUNT = 1_000
HORIZON = timedelta(days=3_660)
"""A run that is further away is as good as none."""
AHEAD = timedelta(days=5 * 366)
"""How far in the future one may begin."""
FIRST_YEAR, LAST_YEAR = 2_000, 9_000
_SHIFT = 7_600
"""Years, a multiple of the 400 after which the calendar repeats itself. The library looks for a rule that never runs
until the year 9999, which takes seconds: from there it gives up at once."""
_STEPS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_RANGES = {
    "INTERVAL": (1, 1_000),
    "COUNT": (1, MAX_COUNT),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSETPOS": (-366, 366),
}
_SINGLE = ("INTERVAL", "COUNT", "BYMINUTE")
_DAY = "(MO|TU|WE|TH|FR|SA|SU)"
_PATTERNS = {
    "FREQ": re.compile("|".join(FREQUENCIES)),
    "WKST": re.compile(_DAY),
    "BYDAY": re.compile(rf"([+-]?[1-5])?{_DAY}(,([+-]?[1-5])?{_DAY})*"),
    "UNTIL": re.compile(r"\d{8}(T\d{6}Z?)?"),
}
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:00)?", re.ASCII)


@dataclass(frozen=True)
class Calendar:
    """A rule that was understood."""

    zone: ZoneInfo
    starts: datetime
    """Wall time, without a zone."""
    rule: dict[str, str]
    """Its parts by name, without UNTIL."""
    until: datetime | None
    """Wall time without a zone, or UTC."""
    holidays: frozenset[date]


@dataclass(frozen=True)
class Moment:
    """One run. `at` is UTC, `local` the same in the time zone; `note` says what daylight saving does to it."""

    at: datetime
    local: datetime
    note: str = ""


def parse(time_zone: str, rule: str, start_at: str, holidays: Sequence[date]) -> Calendar:
    """A calendar out of what was sent, or is stored.

    Raises InvalidInput for a time zone that does not exist, a begin that is no time, and a rule that is none, runs more
    often than hourly, or has parts that are not offered.
    """
    zone = _zone(time_zone)
    starts = _local_time(start_at)
    parts = _parts(rule)
    until = _until(parts.pop("UNTIL", None))
    return Calendar(zone, starts, parts, until, frozenset(holidays))


def check(calendar: Calendar, now: datetime) -> None:
    """Raises InvalidInput, with why, for a begin too far away, skipped or shown twice, and when it runs no more.

    Asked when one is saved only: a state may change its clock after that. `now` is UTC.
    """
    _check_begin(calendar.starts, calendar.zone)
    begin = calendar.starts.replace(tzinfo=calendar.zone)
    if begin > now + AHEAD or begin.year < FIRST_YEAR:
        raise _far()
    if runs(calendar, now, 1):
        return
    ever = runs(calendar, begin.astimezone(UTC) - timedelta(seconds=1), 1)
    if not ever:
        raise _bad("It would never run: no date within ten years fits all its parts and is no holiday")
    raise _bad(f"It would run no more: UNTIL or COUNT ended it. Its first run was {ever[0].local.isoformat()}")


def runs(calendar: Calendar, after: datetime, count: int) -> list[Moment]:
    """The next runs after an instant (UTC), at most `count`, each later than the one before."""
    found: list[Moment] = []
    since = after.astimezone(calendar.zone).replace(tzinfo=None) - timedelta(days=1)
    for wall in _walls(calendar, since):
        if wall > max(since, calendar.starts) + HORIZON:
            break
        if wall.date() in calendar.holidays:
            continue
        moment = _moment(wall, calendar.zone)
        if calendar.until is not None and (wall if calendar.until.tzinfo is None else moment.at) > calendar.until:
            break
        if moment.at > (found[-1].at if found else after):
            found.append(moment)
            if len(found) >= count:
                break
    return found


def _walls(calendar: Calendar, since: datetime) -> Iterator[datetime]:
    """Wall times that fit the rule, from `since` on."""
    begin = calendar.starts
    step = _STEPS.get(calendar.rule["FREQ"])
    if step is not None and "COUNT" not in calendar.rule and since > begin:
        # Whole intervals later the rule goes on as before, and years of hours need not be counted.
        step *= int(calendar.rule.get("INTERVAL", "1"))
        begin += (since - begin) // step * step
    text = ";".join(f"{name}={value}" for name, value in calendar.rule.items())
    try:
        rule = rrulestr(text, dtstart=begin.replace(year=begin.year + _SHIFT))
    except ValueError:
        # An interval of hours that meets none of the hours asked for.
        return
    for wall in rule.xafter(since.replace(year=since.year + _SHIFT), inc=True):
        yield wall.replace(year=wall.year - _SHIFT)


def _far() -> InvalidInput:
    return InvalidInput(f"startAt lies from the year {FIRST_YEAR} to five years ahead.", target="startAt")


def _moment(wall: datetime, zone: ZoneInfo) -> Moment:
    first = wall.replace(tzinfo=zone)
    at = first.astimezone(UTC)
    clock = f"{wall:%H:%M}"
    if _skipped(wall, zone):
        at = _jump(wall, zone)
        local = at.astimezone(zone)
        return Moment(at, local, f"The clock skips {clock} on that day: it runs when it jumps, at {local:%H:%M}.")
    note = f"The clock shows {clock} twice on that day: it runs once, the first time." if _repeated(wall, zone) else ""
    return Moment(at, first, note)


def _skipped(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock never shows a wall time."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall


def _repeated(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock shows a wall time that it does not skip twice."""
    return wall.replace(tzinfo=zone).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset()


def _jump(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clock jumps over a wall time. In a gap fold 1 lies before the jump, fold 0 after."""
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone).astimezone(UTC)
    while (seconds := int((after - before).total_seconds())) > 1:
        middle = before + timedelta(seconds=seconds // 2)
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after


@lru_cache(maxsize=1)
def _zone_names() -> tuple[str, ...]:
    return tuple(sorted(zoneinfo.available_timezones() - {"Factory", "localtime"}))


def _zone(name: str) -> ZoneInfo:
    if name in _zone_names():
        return ZoneInfo(name)
    near = difflib.get_close_matches(name, _zone_names(), n=1, cutoff=0.8)
    hint = f"Did you mean {near[0]}?" if near else "Use a name of the IANA database, like Europe/Berlin."
    raise InvalidInput(f"There is no time zone {name}. {hint}", target="timeZone")


def _local_time(text: str) -> datetime:
    if re.search(r"(Z|[+-]\d{1,2}(:?\d{2})?)$", text[10:], re.IGNORECASE):
        raise InvalidInput("startAt is the local time of timeZone: leave its offset out.", target="startAt")
    try:
        wall = datetime.fromisoformat(text) if _LOCAL.fullmatch(text) else None
    except ValueError:
        wall = None
    if wall is None:
        raise InvalidInput("startAt is a local time in whole minutes, like 2026-03-02T19:00.", target="startAt")
    if not FIRST_YEAR <= wall.year <= LAST_YEAR:
        raise _far()
    return wall


def _check_begin(wall: datetime, zone: ZoneInfo) -> None:
    day, clock = f"{wall:%Y-%m-%d}", f"{wall:%H:%M}"
    if _skipped(wall, zone):
        jump = _jump(wall, zone).astimezone(zone)
        said = f"{clock} does not exist on {day} in {zone.key}: the clock jumps over it, to {jump:%H:%M}."
        raise InvalidInput(f"{said} Begin then, or on another day.", target="startAt")
    if _repeated(wall, zone):
        said = f"{clock} comes twice on {day} in {zone.key}: the clock is set back."
        raise InvalidInput(f"{said} Begin at another time, or on another day.", target="startAt")


def _bad(why: str) -> InvalidInput:
    return InvalidInput(f"{why}.", target="rule")


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name == "FREQ" and value in ("MINUTELY", "SECONDLY"):
            raise _bad(f"FREQ={value} is too often: HOURLY is the finest")
        if name not in _RANGES and name not in _PATTERNS:
            known = ", ".join(sorted({*_RANGES, *_PATTERNS}))
            raise _bad(f"{name or 'An empty part'} is no part of a rule that is offered here. There are {known}")
        if name in parts:
            raise _bad(f"{name} is there twice")
        if not _fits(name, value):
            raise _bad(f"{name}={value} is no value of {name}{_hint(name)}")
        parts[name] = value
    if "FREQ" not in parts:
        raise _bad("FREQ is missing: one of " + ", ".join(FREQUENCIES))
    if "COUNT" in parts and "UNTIL" in parts:
        raise _bad("A rule has COUNT or UNTIL, not both")
    long = parts["FREQ"] in ("MONTHLY", "YEARLY")
    if not long and ("BYSETPOS" in parts or re.search(r"\d", parts.get("BYDAY", ""))):
        raise _bad("BYSETPOS and numbered days (1MO) are for FREQ=MONTHLY and YEARLY")
    return parts


def _fits(name: str, value: str) -> bool:
    if name in _PATTERNS:
        return _PATTERNS[name].fullmatch(value) is not None
    low, high = _RANGES[name]
    values = value.split(",")
    if len(values) > (1 if name in _SINGLE else 31):
        return False
    return all(
        re.fullmatch(r"[+-]?\d{1,4}", text, re.ASCII) is not None
        and low <= int(text) <= high
        and (int(text) != 0 or low == 0)
        for text in values
    )


def _hint(name: str) -> str:
    if name in _RANGES:
        low, high = _RANGES[name]
        return f": {'one number' if name in _SINGLE else 'numbers'} from {low} to {high}"
    return {"FREQ": f": one of {', '.join(FREQUENCIES)}", "UNTIL": ": 20261231 or 20261231T180000Z"}.get(
        name, ": MO, TU, WE, TH, FR, SA, SU, in a month or year also 1MO or -1FR"
    )


def _until(text: str | None) -> datetime | None:
    """The end of a rule: a day is meant with all its hours, a time without Z is wall time."""
    if text is None:
        return None
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        if len(text) == 8:
            return datetime.combine(day, time.max)
        clock = time(int(text[9:11]), int(text[11:13]), int(text[13:15]))
    except ValueError as error:
        raise _bad(f"UNTIL={text} is no date") from error
    return datetime.combine(day, clock, UTC if text.endswith("Z") else None)
