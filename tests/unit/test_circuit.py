"""When a sink is left alone, how fast it is sent to, and what a failure does to a message: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.outbox import circuit, outcome
from shared.outbox.circuit import BACK_OFF, FAILURES, Circuit, Rate
from shared.outbox.records import Attempt, Delivery, Ticket, lane_of, milliseconds, time_of
from shared.outbox.tell import MAX_TEXT_CHARS, _cut, _stored_chars
from shared.sinks.contract import Receipt, SinkError, TicketRef

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DESK = "connectwise"


def opened(**fields: object) -> Delivery:
    """An opening in line."""
    row = Delivery(
        id="d1",
        sink_id="s1",
        kind=DESK,
        event="tenantry.alert.opened",
        event_at=NOW,
        subject="device",
        lane="device-1",
        alert_id="device-1",
        line_at=NOW,
        due_at=NOW,
    )
    return row.changed(**fields)


def tried(status: int = 0, error: str | None = None) -> Attempt:
    return Attempt(at=NOW, status=status, error=error)


def refused(row: Delivery, error: SinkError, state: Circuit | None = None) -> outcome.Outcome:
    return outcome.refused(row, None, error, tried(error.status, error.message), NOW, state or Circuit())


def test_five_failures_in_a_row_open_the_circuit_for_half_a_minute_and_each_probe_doubles_it_to_a_quarter_hour() -> (
    None
):
    state, waits, now = Circuit(), [], NOW
    for _ in range(FAILURES - 1):
        state = state.failed(now)
        assert state.at(now) == "closed"
    for _ in range(8):
        state = state.failed(now)
        assert state.at(now) == "open"
        waits.append(state.wait)
        now += timedelta(seconds=state.wait)
        assert state.at(now) == "probe"
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert state.since == NOW


def test_what_was_under_way_when_the_circuit_opened_does_not_lengthen_it() -> None:
    state = Circuit()
    for _ in range(FAILURES + 10):
        state = state.failed(NOW)
    assert state.wait == circuit.FIRST_WAIT


@given(
    per_minute=st.integers(2, 600),
    burst=st.integers(1, 40),
    steps=st.lists(st.floats(0, 20), min_size=1, max_size=200),
)
def test_no_more_begin_in_any_minute_than_the_rate_allows(per_minute: int, burst: int, steps: list[float]) -> None:
    burst = min(burst, per_minute - 1)
    rate, now, begun = Rate(), NOW, list[datetime]()
    for step in steps:
        now += timedelta(seconds=step)
        rate, wait = rate.begun(now, per_minute, burst)
        if not wait:
            begun.append(now)
    for first in begun:
        assert sum(first <= at < first + timedelta(minutes=1) for at in begun) <= per_minute


def test_who_waits_as_long_as_told_may_begin() -> None:
    rate, now = Rate(), NOW
    for _ in range(100):
        rate, wait = rate.begun(now, 60, 10)
        if wait:
            now += wait
            rate, wait = rate.begun(now, 60, 10)
        assert not wait
    assert now - NOW <= timedelta(seconds=110)


def test_who_comes_after_a_clock_that_was_ahead_waits_once_as_everybody_does() -> None:
    rate, wait = Rate(at=NOW + timedelta(days=1)).begun(NOW, 60, 10)
    assert timedelta() < wait <= timedelta(seconds=2)
    assert not rate.begun(NOW + wait, 60, 10)[1]


def test_a_message_is_tried_ten_times_and_waits_ever_longer() -> None:
    row, waits = opened(), []
    for _ in BACK_OFF:
        row = refused(row, SinkError("busy", status=503)).row
        waits.append((row.due_at - NOW).total_seconds())
    assert row.state == "pending"
    assert waits == sorted(waits)
    assert refused(row, SinkError("busy", status=503)).row.state == "failed"


@pytest.mark.parametrize(
    "error, state, counted",
    [
        (SinkError("no", status=400, permanent=True), "failed", 0),
        (SinkError("no company", held=True), "held", 0),
        (SinkError("gone", status=410, permanent=True, disable=True), "pending", 0),
        (SinkError("slow down", status=429, retry_after=60), "pending", 0),
        (SinkError("slow down", status=429), "pending", 0),
        (SinkError("down", status=0), "pending", 1),
    ],
)
def test_only_what_may_be_the_messages_own_fault_counts(error: SinkError, state: str, counted: int) -> None:
    result = refused(opened(), error)
    assert (result.row.state, result.row.attempt_count, len(result.row.attempts)) == (state, counted, 1)
    assert result.ticket is not None
    assert result.ticket.last_error == error.message


def test_a_failed_probe_costs_nothing_and_comes_back_with_the_circuit() -> None:
    state = Circuit(failures=9, wait=60, until=NOW, since=NOW)
    row = refused(opened(attempt_count=9), SinkError("down"), state).row
    assert (row.state, row.attempt_count) == ("pending", 9)
    assert row.due_at == NOW + timedelta(seconds=120)


def test_a_ticket_that_we_closed_is_not_taken_for_one_closed_by_hand() -> None:
    ref = TicketRef("7", "T7", "https://psa/7", "closed")
    ours = Ticket(alert_id="device-1", sink_id="s1", kind=DESK, state="closed", external_id="7")
    again = outcome.taken(opened(), ours, Receipt(200, ref, closed_by_hand=True), tried(200), NOW, tickets=True)
    assert again.ticket is not None
    assert (again.ticket.state, again.ticket.closed_by_hand) == ("closed", False)
    by_hand = Receipt(200, ref, closed_by_hand=True)
    theirs = outcome.taken(opened(), ours.changed(state="open"), by_hand, tried(200), NOW, tickets=True)
    assert theirs.ticket is not None
    assert theirs.ticket.closed_by_hand
    assert theirs.ticket.ref is not None
    assert theirs.ticket.ref.state == "open", "for a kind it is one that we left open"


def test_a_place_in_line_says_when_and_which_lane() -> None:
    row = opened(event_at=NOW + timedelta(milliseconds=7), number=3)
    assert lane_of(row.key) == "device-1"
    assert time_of(row.key) == row.event_at
    assert opened(number=2).key < opened(number=10).key < row.key
    assert milliseconds(NOW) < milliseconds(NOW + timedelta(days=20_000))


@given(st.text(alphabet='a"\\\n é', max_size=9000))
def test_a_text_is_cut_to_what_its_row_holds(text: str) -> None:
    cut = _cut(text)
    assert _stored_chars(cut) <= MAX_TEXT_CHARS
    assert cut == text or cut.endswith("…")
