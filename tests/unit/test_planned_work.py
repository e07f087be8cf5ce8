"""What planned work says of a device: begin, end, and when it is to be back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.alerts.maintenance import Window
from shared.alerts.planned import EARLY, LONGEST, of_actions, of_window
from shared.incidents.records import PlannedWork
from shared.operations.planned import DeviceWork, Work, work

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
GRACE = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)


def judged(*works: Work, now: datetime = NOW) -> list[PlannedWork]:
    device = DeviceWork(device_id="d", subscription_id="s", device_type="A.B/c", works=list(works))
    return list(of_actions(device, lambda kind: GRACE if kind == "A.B/c" else timedelta(), now))


def test_a_restart_excuses_what_began_in_it_until_its_end_and_the_grace() -> None:
    under_way = work("o", "restart", "Alice Anders", NOW - MINUTE)
    [row] = judged(under_way)
    assert (row.what, row.ends_at) == ("Restart by Alice Anders", None)
    assert row.back_by == under_way.starts_at + LONGEST + GRACE
    [row] = judged(under_way.changed(ends_at=NOW))
    assert (row.starts_at, row.ends_at, row.back_by) == (NOW - MINUTE, NOW, NOW + GRACE)


@pytest.mark.parametrize("verb", ["stop", "pause"])
def test_what_we_stopped_is_to_stay_away_until_somebody_starts_it(verb: str) -> None:
    stopped = work("o", "stop" if verb == "stop" else "pause", "", NOW - MINUTE)
    [row] = judged(stopped)
    assert (row.what, row.ends_at, row.back_by) == (verb.capitalize(), None, None)
    [row] = judged(stopped.changed(ends_at=NOW))
    assert (row.ends_at, row.back_by) == (NOW + GRACE, None)


def test_a_stop_excuses_nothing_that_began_after_the_start_that_followed() -> None:
    stopped = work("o1", "stop", "Bob", NOW - 10 * MINUTE).changed(ends_at=NOW - 9 * MINUTE)
    started = work("o2", "start", "Bob", NOW)
    stop, start = judged(stopped, started)
    assert stop.ends_at == NOW - EARLY
    assert start.back_by is not None
    soon = started.changed(starts_at=NOW - 8 * MINUTE)
    assert judged(stopped, soon)[0].ends_at == stopped.ends_at


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_an_action_that_failed_excuses_nothing_beyond_its_end(verb: str) -> None:
    begun = work("o", "stop" if verb == "stop" else "restart", "Bob", NOW - MINUTE)
    [row] = judged(begun.changed(ends_at=NOW, failed=True))
    assert (row.ends_at, row.back_by) == (NOW, NOW)


def test_an_action_whose_end_was_never_noted_does_not_excuse_for_ever() -> None:
    begun = work("o", "restart", "Bob", NOW - timedelta(days=2))
    [row] = judged(begun)
    assert (row.ends_at, row.back_by) == (begun.starts_at + LONGEST, begun.starts_at + LONGEST + GRACE)


def window(**fields: object) -> Window:
    return Window.model_validate(
        {
            "id": "w",
            "starts_at": NOW,
            "ends_at": NOW + 60 * MINUTE,
            "reason": "Patching",
            "created_at": NOW,
            "changed_at": NOW,
            **fields,
        }
    )


def test_a_window_excuses_until_its_end_and_the_grace() -> None:
    row = of_window(window(site_ids=["a"]), GRACE)
    assert (row.kind, row.what, row.starts_at) == ("maintenance", "Maintenance: Patching", NOW)
    assert (row.ends_at, row.back_by) == (NOW + 60 * MINUTE, NOW + 90 * MINUTE)


def test_a_window_is_about_its_sites_or_its_devices() -> None:
    assert window(site_ids=["a"]).covers("d", "a")
    assert not window(site_ids=["a"]).covers("d", "b")
    assert not window(site_ids=["a"]).covers("d", None)
    assert window(device_ids=["d"]).covers("d", None)
    assert not window(device_ids=["d"]).covers("e", "a")


def test_a_window_is_to_come_then_holds_then_is_over() -> None:
    row = window(site_ids=["a"])
    assert row.state(NOW - MINUTE) == "upcoming"
    assert row.state(NOW) == "active"
    assert row.state(NOW + 60 * MINUTE) == "past"
