"""When schedules run: wall time, daylight saving, holidays, and rules that are none."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.schedules import calendar
from shared.schedules.calendar import Calendar, Moment

BERLIN = "Europe/Berlin"
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "UTC",
]


def made(rule: str, start_at: str, zone: str = BERLIN, holidays: tuple[date, ...] = ()) -> Calendar:
    return calendar.parse(zone, rule, start_at, holidays)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(moments: list[Moment]) -> list[str]:
    return [moment.local.isoformat(timespec="minutes") for moment in moments]


def test_a_rule_runs_at_the_same_wall_time_in_summer_and_winter() -> None:
    found = calendar.runs(made("FREQ=WEEKLY;BYDAY=FR", "2026-03-20T19:00"), at("2026-03-20T00:00"), 3)
    assert shown(found) == ["2026-03-20T19:00+01:00", "2026-03-27T19:00+01:00", "2026-04-03T19:00+02:00"]
    assert [moment.note for moment in found] == ["", "", ""]


def test_an_hour_that_is_skipped_is_run_when_the_clock_jumps() -> None:
    found = calendar.runs(made("FREQ=DAILY", "2026-03-01T02:30"), at("2026-03-28T12:00"), 2)
    assert shown(found) == ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]
    assert found[0].at == at("2026-03-29T01:00")
    assert found[0].note == "The clock skips 02:30 on that day: it runs when it jumps, at 03:00."


def test_an_hour_that_comes_twice_is_run_the_first_time_only() -> None:
    found = calendar.runs(made("FREQ=DAILY", "2026-03-01T02:30"), at("2026-10-24T12:00"), 2)
    assert shown(found) == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    assert "twice" in found[0].note
    hourly = calendar.runs(made("FREQ=HOURLY", "2026-03-01T00:00"), at("2026-10-24T23:30"), 3)
    assert shown(hourly) == ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00", "2026-10-25T04:00+01:00"]


def test_runs_that_the_jump_brings_together_are_one() -> None:
    found = calendar.runs(made("FREQ=HOURLY", "2026-03-01T00:00"), at("2026-03-28T23:30"), 3)
    assert shown(found) == ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]


def test_half_an_hour_of_daylight_saving_is_jumped_over_as_well() -> None:
    found = calendar.runs(made("FREQ=DAILY", "2026-09-01T02:15", "Australia/Lord_Howe"), at("2026-10-03T00:00"), 1)
    assert shown(found) == ["2026-10-04T02:30+11:00"]


def test_it_does_not_run_on_a_holiday() -> None:
    rule = made("FREQ=DAILY", "2026-12-01T19:00", holidays=(date(2026, 12, 25), date(2026, 12, 26)))
    assert shown(calendar.runs(rule, at("2026-12-24T00:00"), 2)) == [
        "2026-12-24T19:00+01:00",
        "2026-12-27T19:00+01:00",
    ]


@pytest.mark.parametrize(
    "rule, last",
    [
        ("FREQ=DAILY;COUNT=3", "2026-06-03T19:00+02:00"),
        ("FREQ=DAILY;UNTIL=20260603", "2026-06-03T19:00+02:00"),
        ("FREQ=DAILY;UNTIL=20260603T190000", "2026-06-03T19:00+02:00"),
        ("FREQ=DAILY;UNTIL=20260603T170000Z", "2026-06-03T19:00+02:00"),
        ("FREQ=DAILY;UNTIL=20260603T165959Z", "2026-06-02T19:00+02:00"),
    ],
)
def test_a_rule_ends(rule: str, last: str) -> None:
    ending = made(rule, "2026-06-01T19:00")
    assert shown(calendar.runs(ending, at("2026-01-01T00:00"), 9))[-1] == last
    with pytest.raises(InvalidInput, match=r"no more.*2026-06-01T19:00"):
        calendar.check(ending, at("2026-06-04T00:00"))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=300",
    ],
)
def test_a_rule_that_never_runs_is_refused_and_costs_little(rule: str) -> None:
    never = made(rule, "2026-06-01T19:00")
    begun = time.process_time()
    with pytest.raises(InvalidInput, match="never run"):
        calendar.check(never, at("2026-05-01T00:00"))
    assert time.process_time() - begun < 3


def test_a_rule_whose_every_day_is_a_holiday_never_runs() -> None:
    rule = made("FREQ=DAILY;COUNT=2", "2026-06-01T19:00", holidays=(date(2026, 6, 1), date(2026, 6, 2)))
    with pytest.raises(InvalidInput, match="never run"):
        calendar.check(rule, at("2026-05-01T00:00"))


def test_years_of_hours_are_not_counted_one_by_one() -> None:
    hourly = made("FREQ=HOURLY;INTERVAL=5", "2000-01-01T00:00", "UTC")
    begun = time.process_time()
    [found] = calendar.runs(hourly, at("2026-06-01T00:00"), 1)
    assert time.process_time() - begun < 0.2
    assert (found.at - at("2000-01-01T00:00")) % timedelta(hours=5) == timedelta()


@pytest.mark.parametrize(
    "rule, why",
    [
        ("", "empty"),
        ("daily", "no part"),
        ("FREQ=MINUTELY", "HOURLY is the finest"),
        ("FREQ=SECONDLY", "HOURLY is the finest"),
        ("FREQ=FORTNIGHTLY", "one of YEARLY"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;BYSECOND=5", "BYSECOND is no part"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is no part"),
        ("FREQ=DAILY;BYMINUTE=0,30", "one number"),
        ("FREQ=DAILY;BYHOUR=24", "from 0 to 23"),
        ("FREQ=DAILY;BYHOUR=", "from 0 to 23"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0"),
        ("FREQ=DAILY;INTERVAL=0", "from 1"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "not both"),
        ("FREQ=DAILY;UNTIL=20261301", "no date"),
        ("FREQ=WEEKLY;BYDAY=1MO", "MONTHLY"),
        ("FREQ=WEEKLY;BYDAY=XX", "MO, TU"),
        ("FREQ=DAILY;BYSETPOS=1", "MONTHLY"),
        ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "no part"),
    ],
)
def test_what_is_no_rule_is_refused_with_why(rule: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        made(rule, "2026-06-01T19:00")
    assert caught.value.target == "rule"


@pytest.mark.parametrize(
    "start, why",
    [
        ("2026-03-29T02:30", "does not exist on 2026-03-29 in Europe/Berlin: the clock jumps over it, to 03:00"),
        ("2026-10-25T02:30", "comes twice on 2026-10-25"),
        ("2026-06-01T19:00Z", "leave its offset out"),
        ("2026-06-01T19:00+02:00", "leave its offset out"),
        ("2026-06-01", "local time in whole minutes"),
        ("2026-06-31T19:00", "local time in whole minutes"),
        ("2026-06-01T19:00:30", "local time in whole minutes"),
        ("tomorrow", "local time in whole minutes"),
    ],
)
def test_a_begin_that_is_no_local_time_is_refused_with_why(start: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        calendar.check(made("FREQ=DAILY", start), at("2026-01-01T00:00"))
    assert caught.value.target == "startAt"


def test_a_begin_that_a_later_change_of_the_clock_made_odd_still_runs() -> None:
    first, second = calendar.runs(made("FREQ=DAILY", "2026-03-29T02:30"), at("2026-01-01T00:00"), 2)
    assert (f"{first.local:%d %H:%M}", f"{second.local:%d %H:%M}") == ("29 03:00", "30 02:30")
    assert calendar.runs(made("FREQ=DAILY", "2026-10-25T02:30"), at("2026-01-01T00:00"), 1)[0].note


@pytest.mark.parametrize("start", ["1999-12-31T00:00", "2040-01-01T00:00"])
def test_a_begin_out_of_all_bounds_is_refused(start: str) -> None:
    with pytest.raises(InvalidInput, match="five years ahead"):
        calendar.check(made("FREQ=DAILY", start), at("2026-01-01T00:00"))


@pytest.mark.parametrize(
    "name, hint", [("Europe/Berln", "Europe/Berlin"), ("W. Europe Standard Time", "IANA"), ("../x", "IANA"), ("", "I")]
)
def test_a_time_zone_that_does_not_exist_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint) as caught:
        made("FREQ=DAILY", "2026-06-01T19:00", name)
    assert caught.value.target == "timeZone"


@st.composite
def daily(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A daily rule in some zone, and an instant around which to look."""
    day = draw(st.dates(date(2026, 1, 1), date(2035, 12, 31)))
    zone = draw(st.sampled_from(ZONES))
    clock = draw(st.times()).replace(second=0, microsecond=0)
    interval = draw(st.integers(1, 4))
    holidays = draw(st.lists(st.dates(day, day + timedelta(days=30)), max_size=4))
    try:
        found = made(f"FREQ=DAILY;INTERVAL={interval}", f"{day}T{clock:%H:%M}", zone, tuple(holidays))
    except InvalidInput:
        found = made("FREQ=DAILY", f"{day}T12:00", zone, tuple(holidays))
    return found, datetime.combine(day, clock, UTC) + timedelta(days=draw(st.integers(-2, 400)))


@given(daily())
@settings(max_examples=200, deadline=None)
def test_runs_come_one_after_the_other_and_once_a_day(case: tuple[Calendar, datetime]) -> None:
    rule, after = case
    found = calendar.runs(rule, after, 40)
    assert len(found) == 40
    assert all(earlier.at < later.at for earlier, later in zip([Moment(after, after), *found], found, strict=False))
    days = [moment.local.date() for moment in found]
    assert len(set(days)) == len(days)
    assert not rule.holidays & set(days)
    assert [moment for moment in found if moment.local.astimezone(UTC) != moment.at] == []
    # From any of them on, the same follow: what is stored is one instant.
    assert calendar.runs(rule, found[9].at, 30) == found[10:]


def by_brute_force(rule: Calendar, hours: set[int], minute: int, days: set[int], after: datetime) -> list[datetime]:
    """The same by looking at every minute of three weeks: which one the clock shows, or first shows beyond it."""
    zone, wanted = rule.zone, []
    wall = max(rule.starts, after.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)).replace(minute=0)
    end = wall + timedelta(days=21)
    while wall < end:
        here = wall.replace(minute=minute)
        if here.hour in hours and here.weekday() in days and here >= rule.starts:
            wanted.append(here)
        wall += timedelta(hours=1)
    clock, instants = after - timedelta(days=2), []
    while wanted:
        shows = clock.astimezone(zone).replace(tzinfo=None)
        while wanted and shows >= wanted[0]:
            instants.append(clock)
            wanted.pop(0)
        clock += timedelta(minutes=1)
    return sorted({instant for instant in instants if instant > after})


@given(
    zone=st.sampled_from(ZONES),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=4),
    minute=st.sampled_from([0, 15, 30, 45]),
    days=st.sets(st.integers(0, 6), min_size=1),
    after=st.datetimes(datetime(2026, 1, 1), datetime(2032, 1, 1)),
    change=st.sampled_from([None, (3, 8), (3, 28), (10, 3), (10, 25), (11, 1)]),
)
@settings(max_examples=60, deadline=None)
def test_runs_are_what_a_look_at_every_minute_finds(
    zone: str,
    hours: set[int],
    minute: int,
    days: set[int],
    after: datetime,
    change: tuple[int, int] | None,
) -> None:
    if change is not None:
        after = after.replace(month=change[0], day=change[1])
    since = after.replace(second=0, microsecond=0, tzinfo=UTC)
    names = ",".join(["MO", "TU", "WE", "TH", "FR", "SA", "SU"][day] for day in sorted(days))
    text = f"FREQ=WEEKLY;BYDAY={names};BYHOUR={','.join(map(str, sorted(hours)))};BYMINUTE={minute}"
    rule = made(text, "2026-01-01T12:00", zone)
    expected = by_brute_force(rule, hours, minute, days, since)
    assert [moment.at for moment in calendar.runs(rule, since, len(expected))] == expected


def test_the_zones_of_these_tests_change_their_clocks() -> None:
    seasons = [datetime(2026, 1, 15), datetime(2026, 7, 15)]
    changing = [zone for zone in ZONES if len({day.replace(tzinfo=ZoneInfo(zone)).utcoffset() for day in seasons}) > 1]
    assert len(changing) >= 4
