from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Clock, newest_first, rfc3339

TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))


@given(TIMES, TIMES)
def test_newer_times_sort_before_older_ones(one: datetime, other: datetime) -> None:
    if one - other >= timedelta(milliseconds=1):
        assert newest_first(one) < newest_first(other)


@given(TIMES)
def test_a_key_part_has_a_fixed_width_of_digits(at: datetime) -> None:
    assert len(newest_first(at)) == 15
    assert newest_first(at).isdigit()


def test_times_are_written_in_utc_with_a_z() -> None:
    east = datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(east) == "2026-01-31T12:00:00Z"
    assert rfc3339(east.replace(microsecond=250_000)) == "2026-01-31T12:00:00.250Z"


def test_a_stepped_clock_is_ahead_by_what_was_stepped() -> None:
    clock = Clock()
    clock.advance(3600)
    assert clock.now() - datetime.now(UTC) > timedelta(minutes=59)
