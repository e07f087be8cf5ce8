"""Where operations are looked for."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.progress import partitions


def test_months_are_named_newest_first_over_the_end_of_a_year() -> None:
    assert partitions(datetime(2026, 2, 10, tzinfo=UTC), months=4) == ["202602", "202601", "202512", "202511"]


def test_at_the_end_of_a_month_the_next_one_counts_for_a_worker_whose_clock_is_ahead() -> None:
    assert partitions(datetime(2026, 11, 30, 1, tzinfo=UTC), months=2) == ["202612", "202611"]
    assert partitions(datetime(2026, 12, 31, 23, tzinfo=UTC), months=2) == ["202701", "202612"]
