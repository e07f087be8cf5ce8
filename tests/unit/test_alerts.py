"""The rules of alerts: what a health event does, for any sequence of them, applied once or again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.alerts import rules
from shared.alerts.records import (
    TIMELINE_LIMIT,
    Alert,
    Step,
    Subject,
    alert_id,
    closed_key,
    extended,
    order,
    parse_id,
)
from shared.devices import EVENTS, STATUSES, Change, Device, Health, HealthEvent, Status, device_id

START = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
RESOURCE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
DEVICE = device_id(SUBSCRIPTION, RESOURCE)
SUBJECT = Subject(resource_id=RESOURCE, name="vm", type="t", subscription_id=SUBSCRIPTION, tenant_id="tenant")
AFTER: st.SearchStrategy[Status | None] = st.sampled_from([*STATUSES, None])
TIMES = st.integers(0, 7_000_000_000_000_000).map(lambda micros: START + timedelta(microseconds=micros))


def event(after: Status | None, minute: int = 0) -> HealthEvent:
    at = START + timedelta(minutes=minute)
    device = Device(
        id=DEVICE,
        resource_id=RESOURCE,
        name="vm",
        type="t",
        subscription_id=SUBSCRIPTION,
        tenant_id="tenant",
        health=Health(status=after or "available"),
        first_seen_at=START,
        changed_at=at,
    )
    change = Change(device_id=DEVICE, at=at, seen_at=at, after=after, reason=f"{after} at {minute}")
    return HealthEvent(device_id=DEVICE, change=change, device=device)


def apply(alert: Alert | None, happened: HealthEvent) -> rules.Effect:
    return rules.apply(alert, happened, EVENTS.key(happened)[1], SUBJECT, "site")


def after_effect(alert: Alert | None, effect: rules.Effect) -> Alert | None:
    """The open alert once the effect is stored."""
    if effect.action == "none":
        return alert
    return None if effect.action == "close" else effect.alert


def test_what_resource_health_reports_as_not_available_opens() -> None:
    for status in STATUSES:
        action = apply(None, event(status)).action
        assert action == ("open" if status in ("unavailable", "degraded", "unknown") else "none"), status


def test_not_reported_neither_opens_nor_closes() -> None:
    opened = apply(None, event("degraded")).alert
    assert apply(None, event("notReported")) == rules.NOTHING
    assert apply(opened, event("notReported", 1)) == rules.NOTHING


def test_a_device_that_was_never_ill_leaves_without_an_alert() -> None:
    assert apply(None, event(None)) == rules.NOTHING


def test_closing_says_why_and_when() -> None:
    opened = apply(None, event("degraded")).alert
    recovered, deleted = apply(opened, event("available", 5)).alert, apply(opened, event(None, 5)).alert
    assert recovered is not None
    assert deleted is not None
    assert (recovered.close_reason, recovered.status) == ("recovered", "available")
    assert (deleted.close_reason, deleted.status) == ("deviceDeleted", "degraded")
    assert recovered.closed_at == deleted.closed_at == START + timedelta(minutes=5)
    assert recovered.id == deleted.id == alert_id(DEVICE, START)


@given(st.lists(AFTER, max_size=12))
def test_applying_each_event_twice_ends_as_applying_it_once(statuses: list[Status | None]) -> None:
    once: Alert | None = None
    twice: Alert | None = None
    for minute, status in enumerate(statuses):
        happened = event(status, minute)
        once = after_effect(once, apply(once, happened))
        first = apply(twice, happened)
        twice = after_effect(twice, first)
        if twice is not None:
            repeated = apply(twice, happened)
            assert repeated.action in ("none", "open")
            assert repeated.alert in (None, twice)
            if first.action == "open":
                assert repeated == rules.Effect("open", twice)
    assert once == twice


@given(st.lists(AFTER, min_size=1, max_size=12))
def test_there_is_an_open_alert_exactly_while_the_last_word_was_bad(statuses: list[Status | None]) -> None:
    alert: Alert | None = None
    for minute, status in enumerate(statuses):
        alert = after_effect(alert, apply(alert, event(status, minute)))
    said = [status for status in statuses if status != "notReported"]
    assert (alert is not None) == (bool(said) and said[-1] in rules.OPENS)
    if alert is not None:
        assert alert.status == said[-1]


@given(st.lists(AFTER, min_size=2, max_size=8), st.integers(0, 7))
def test_an_event_older_than_the_last_applied_changes_nothing(statuses: list[Status | None], place: int) -> None:
    alert: Alert | None = None
    for minute, status in enumerate(statuses):
        alert = after_effect(alert, apply(alert, event(status, minute + 10)))
    if alert is not None:
        assert apply(alert, event("available", min(place, 9))) == rules.NOTHING


@given(TIMES)
def test_an_id_leads_to_the_device_and_the_time_of_opening(at: datetime) -> None:
    assert parse_id(alert_id(DEVICE, at)) == (DEVICE, at.replace(microsecond=at.microsecond // 1000 * 1000))


@given(TIMES)
def test_a_closed_alert_is_found_by_its_id(at: datetime) -> None:
    place = parse_id(alert_id(DEVICE, at))
    assert place is not None
    assert closed_key(*place) == closed_key(DEVICE, at)


@given(st.text(max_size=80))
def test_any_text_as_an_id_is_parsed_or_refused(text: str) -> None:
    place = parse_id(text)
    assert place is None or closed_key(*place)[1]


@given(TIMES, TIMES)
def test_closed_alerts_lie_in_order_newest_first_across_months(one: datetime, other: datetime) -> None:
    millisecond = timedelta(milliseconds=1)
    if one - other >= millisecond:
        assert order(DEVICE, one) < order(DEVICE, other)
        assert closed_key(DEVICE, one)[0] >= closed_key(DEVICE, other)[0]


def test_a_timeline_keeps_its_beginning_and_its_latest_steps() -> None:
    timeline: list[Step] = []
    for minute in range(TIMELINE_LIMIT * 2):
        timeline = extended(timeline, Step(at=START + timedelta(minutes=minute), what="changed"))
    assert len(timeline) == TIMELINE_LIMIT
    assert timeline[0].at == START
    assert timeline[-1].at == START + timedelta(minutes=TIMELINE_LIMIT * 2 - 1)
