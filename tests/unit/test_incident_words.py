"""Causes, histories, business hours: what a decision is made of."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.devices import STATUSES, Change
from shared.incidents.business import next_open
from shared.incidents.cause import cause_of, sighting_of
from shared.incidents.history import merge, read
from shared.incidents.policy import BusinessHours
from shared.incidents.records import SIGHTINGS_KEPT, Cause, Sighting

START = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "reason_type, context, category, cause",
    [
        ("Unplanned", "Platform Initiated", "Unplanned", "platform"),
        ("Planned", "Platform Initiated", "Planned", "planned"),
        ("Planned", "Platform Initiated", None, "planned"),
        ("Planned", None, None, "planned"),
        ("Unplanned", None, None, "platform"),
        ("UserInitiated", None, None, "user"),
        ("Customer Initiated", "Customer Initiated", "Not Applicable", "user"),
        ("Unplanned", "Customer Initiated", None, "user"),
        ("UserInitiated", "Platform Initiated", "Unplanned", "platform"),
        (None, "VM Initiated", "Not Applicable", "guest"),
        (None, "customer-initiated", None, "user"),
        (None, "Unknown", "Unknown", "unknown"),
        (None, None, None, "unknown"),
        ("something new", "", "", "unknown"),
    ],
)
def test_who_did_it(reason_type: str | None, context: str | None, category: str | None, cause: Cause) -> None:
    assert cause_of(reason_type, context, category) == cause


@given(*[st.one_of(st.none(), st.text(max_size=20))] * 3)
def test_any_text_of_azure_names_a_cause_or_none(reason_type: str, context: str, category: str) -> None:
    assert cause_of(reason_type, context, category) in ("platform", "planned", "user", "guest", "unknown")


def test_a_change_is_seen_as_what_it_says() -> None:
    change = Change(
        device_id="d",
        at=START,
        seen_at=START,
        after="degraded",
        reason="Disk",
        reason_type="UserInitiated",
        category="",
    )
    assert sighting_of(change) == Sighting(at=START, seen_at=START, status="degraded", cause="user", reason="Disk")


SIGHTINGS = st.lists(
    st.builds(
        lambda at, late, status, cause: Sighting(
            at=START + timedelta(minutes=at), seen_at=START + timedelta(minutes=at + late), status=status, cause=cause
        ),
        st.integers(0, 30),
        st.integers(-2, 40),
        st.sampled_from([*STATUSES, None]),
        st.sampled_from(["platform", "user"]),
    ),
    max_size=20,
)


@given(SIGHTINGS, SIGHTINGS, SIGHTINGS, st.randoms(use_true_random=False))
def test_sightings_are_the_same_in_any_order_grouping_and_number(
    a: list[Sighting], b: list[Sighting], c: list[Sighting], order: random.Random
) -> None:
    together = merge([], [*a, *b, *c])
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == together
    mixed = [*a, *b, *c, *a]
    order.shuffle(mixed)
    assert merge([], mixed) == together
    assert merge(together, together) == together


def test_the_newest_sightings_are_kept() -> None:
    many = [Sighting(at=START + timedelta(minutes=n), seen_at=START, status="degraded") for n in range(200)]
    kept: list[Sighting] = []
    for one in many[::-1]:
        kept = merge(kept, [one])
    assert kept == many[-SIGHTINGS_KEPT:]


@given(SIGHTINGS, st.integers(0, 200))
def test_spells_follow_each_other_and_only_the_last_one_lasts(sightings: list[Sighting], minute: int) -> None:
    history = read(merge([], sightings), START + timedelta(minutes=minute))
    assert [s.at for s in history.statements] == sorted(s.at for s in history.statements)
    for earlier, later in zip(history.spells, history.spells[1:], strict=False):
        assert earlier.begin <= (earlier.end or later.begin) <= later.begin
        assert earlier.end is not None
    assert all(s.status not in ("available", "notReported", None) for spell in history.spells for s in spell.statements)
    assert (history.present is not None) == (history.status not in ("available", None))


def is_open(rules: BusinessHours, at: datetime) -> bool:
    return next_open(rules, at) == at


def hours(zone: str = "Europe/Zurich", **values: object) -> BusinessHours:
    return BusinessHours.model_validate({"timeZone": zone, **values})


@pytest.mark.parametrize(
    "now, opens",
    [
        (datetime(2026, 3, 3, 6, 59, tzinfo=UTC), datetime(2026, 3, 3, 7, tzinfo=UTC)),
        (datetime(2026, 3, 3, 12, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC)),
        (datetime(2026, 3, 3, 17, tzinfo=UTC), datetime(2026, 3, 4, 7, tzinfo=UTC)),
        (datetime(2026, 3, 6, 20, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        # The clocks go forward on Sunday the 29th: eight o'clock is an hour sooner in UTC.
        (datetime(2026, 3, 27, 20, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC)),
        # And back on Sunday the 25th of October.
        (datetime(2026, 10, 23, 20, tzinfo=UTC), datetime(2026, 10, 26, 7, tzinfo=UTC)),
    ],
)
def test_business_hours_go_by_the_wall_clock(now: datetime, opens: datetime) -> None:
    assert next_open(hours(), now) == opens


def test_holidays_are_no_working_days() -> None:
    assert next_open(hours(holidays=["2026-03-04"]), datetime(2026, 3, 3, 20, tzinfo=UTC)) == datetime(
        2026, 3, 5, 7, tzinfo=UTC
    )


def test_a_local_time_that_does_not_exist_is_no_obstacle() -> None:
    early = hours(days=["sun"], opens=time(2, 30), closes=time(4))
    opens = next_open(early, datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert opens == datetime(2026, 3, 29, 1, tzinfo=UTC), "when the clock shows three in place of two"


def test_zones_far_from_utc_have_their_own_day() -> None:
    now = datetime(2026, 3, 2, 19, tzinfo=UTC)
    assert is_open(hours("Pacific/Auckland"), now)
    assert is_open(hours("Pacific/Auckland"), now.astimezone(ZoneInfo("America/New_York")))


def test_four_years_of_holidays_end() -> None:
    mondays = [date(2026, 3, 2) + timedelta(weeks=n) for n in range(200)]
    assert next_open(hours(days=["mon"], holidays=mondays), START).date() == date(2026, 3, 2) + timedelta(weeks=200)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Zurich", "America/New_York", "Pacific/Auckland", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_the_next_opening_is_open_and_nothing_before_it_is(now: datetime, zone: str) -> None:
    rules = hours(zone)
    opens = next_open(rules, now)
    assert opens >= now
    assert is_open(rules, opens)
    if opens > now:
        assert not is_open(rules, now + (opens - now) / 2)
        assert opens.astimezone(ZoneInfo(zone)).time() == rules.opens
