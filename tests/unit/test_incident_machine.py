"""The rules of tickets, one by one: what opens, what waits, what closes, and what is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.devices import STATUSES
from shared.incidents import machine
from shared.incidents.ids import alert_id
from shared.incidents.policy import BusinessHours, Rules, SeverityRule
from shared.incidents.records import Cause, Effect, Incident, Observation, PlannedWork, Sighting, Snooze

START = datetime(2026, 3, 3, 12, tzinfo=UTC)
DEVICE = "1" * 32 + "a" * 20
DEFAULT = Rules()


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


class Case:
    """A device, its rules, and the effects so far in words."""

    def __init__(self, *works: PlannedWork, **rules: Any) -> None:
        self.rules = DEFAULT.model_copy(update=rules)
        self.works = works
        self.incident = Incident(device_id=DEVICE)
        self.effects: list[Effect] = []
        self.tags: dict[str, str] = {}

    def sees(
        self, status: Any, minute: float, cause: Cause = "platform", *, happened: float | None = None
    ) -> list[str]:
        """A read at a minute, of what happened then or before; the kinds of the effects."""
        happened_at = at(minute if happened is None else happened)
        sighting = Sighting(
            at=happened_at, seen_at=at(minute), status=status, cause=cause, reason=f"{status} by {cause}"
        )
        return self.looked(minute, sighting)

    def looked(self, minute: float, *sightings: Sighting) -> list[str]:
        """A look at a minute; the kinds of the effects."""
        observation = Observation(sightings, self.works, "Microsoft.Compute/virtualMachines", self.tags)
        return self.kept(machine.step(self.incident, observation, self.rules, at(minute)))

    def kept(self, stepped: machine.Stepped) -> list[str]:
        self.incident, effects = stepped
        self.incident = self.incident.changed(effects=[])
        self.effects += effects
        return [effect.kind for effect in effects]

    @property
    def said(self) -> str:
        """The last note."""
        return self.effects[-1].note

    @property
    def due(self) -> float | None:
        """The minute of the next look."""
        return (self.incident.due_at - START) / timedelta(minutes=1) if self.incident.due_at else None


def work(
    begin: float, end: float | None, back_by: float | None, kind: Any = "action", what: str = "Restart"
) -> PlannedWork:
    return PlannedWork(
        id=f"{kind}{begin}",
        kind=kind,
        what=what,
        starts_at=at(begin),
        ends_at=at(end) if end is not None else None,
        back_by=at(back_by) if back_by is not None else None,
    )


@pytest.mark.parametrize("status", STATUSES)
def test_unavailable_and_degraded_open_at_once(status: Any) -> None:
    case = Case()
    assert case.sees(status, 0) == {"unavailable": ["open"], "degraded": ["open"], "unknown": ["suppress"]}.get(
        status, []
    )


def test_strict_rules_open_on_unknown_at_once_too() -> None:
    assert Case(strict=True).sees("unknown", 0) == ["open"]


def test_not_reported_neither_opens_nor_closes() -> None:
    case = Case()
    assert case.sees("notReported", 0) == []
    case.sees("degraded", 1)
    assert case.sees("notReported", 2) == []
    assert case.incident.phase == "open"


def test_an_alert_is_named_by_its_device_and_the_moment_its_trouble_began() -> None:
    case = Case()
    case.sees("unavailable", 14, happened=0)
    assert case.incident.alert_id == alert_id(DEVICE, START)
    assert case.incident.opened_at == START


def test_whoever_sees_the_same_trouble_later_with_none_of_the_rows_makes_the_same_alert() -> None:
    first, later = Case(hold_minutes=5), Case(hold_minutes=5)
    assert first.sees("unavailable", 3, happened=0) == ["suppress"]
    assert first.looked(5) == ["open"]
    assert later.sees("unavailable", 60, happened=0) == ["open"]
    assert later.incident.alert_id == first.incident.alert_id


def test_what_was_down_when_it_was_first_read_or_for_days_is_named_by_when_that_was_seen() -> None:
    case = Case()
    seen = Sighting(at=at(0), seen_at=at(14), status="unavailable", cause="platform")
    observation = Observation((seen,), type="Microsoft.Compute/virtualMachines", first=True)
    case.kept(machine.step(case.incident, observation, case.rules, at(14)))
    assert case.incident.alert_id == alert_id(DEVICE, at(14))
    days = Case()
    days.sees("unavailable", 4 * 24 * 60, happened=0)
    assert days.incident.alert_id == alert_id(DEVICE, at(4 * 24 * 60))


def test_a_second_alert_of_the_same_trouble_has_another_id() -> None:
    case = Case()
    case.sees("unavailable", 5, happened=0)
    case.kept(machine.close(case.incident, "policyChanged", at(6)))
    seen = Sighting(at=at(0), seen_at=at(7), status="unavailable", cause="platform")
    assert case.looked(7, seen) == ["open"]
    assert case.incident.opened_at is not None
    assert case.incident.opened_at > at(6)


def test_recovery_closes_and_says_since_when_and_how_long_it_lasted() -> None:
    case = Case()
    case.sees("unavailable", 0)
    assert case.sees("available", 14, happened=9) == ["close"]
    assert case.effects[-1].close_reason == "recovered"
    assert case.said == "It is available again since 2026-03-03 12:09 UTC, after 9 minutes."


def test_a_device_that_is_gone_closes_with_that_reason() -> None:
    case = Case()
    case.sees("degraded", 0)
    assert case.sees(None, 15) == ["close"]
    assert case.incident.close_reason == "deviceDeleted"
    assert case.incident.status == "degraded"


def test_a_device_that_was_never_ill_leaves_without_an_alert() -> None:
    case = Case()
    assert case.sees("available", 0) == []
    assert case.sees(None, 15) == []


def test_a_device_that_is_back_after_it_was_gone_is_judged_anew_whatever_azure_says_of_when() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.sees(None, 15)
    assert case.sees("unavailable", 30, happened=0) == ["open"]
    assert case.incident.since == at(30)


def test_hold_down_waits_and_shows_so() -> None:
    case = Case(hold_minutes=10)
    assert case.sees("unavailable", 0) == ["suppress"]
    assert (case.incident.suppressed_by, case.due) == ("hold", 10)
    assert case.looked(9) == []
    assert case.looked(10) == ["open"]
    assert case.incident.alert_id == alert_id(DEVICE, START), "the silent alert has become a told one"


def test_who_is_back_within_the_hold_down_was_never_told() -> None:
    case = Case(hold_minutes=10)
    case.sees("unavailable", 0)
    assert case.sees("available", 8) == ["release"]
    assert case.effects[-1].close_reason is None, "so short a wait leaves no trace"
    assert case.incident.alert_id is None


@pytest.mark.parametrize("ends, reason", [("available", "recovered"), (None, "deviceDeleted")])
def test_a_silence_that_is_over_leaves_a_trace_that_says_how_it_ended(ends: Any, reason: str) -> None:
    case = Case(work(0, 60, 90, "maintenance"))
    case.sees("unavailable", 10)
    made = case.incident.alert_id
    assert case.sees(ends, 30) == ["release"]
    assert (case.effects[-1].alert_id, case.effects[-1].close_reason) == (made, reason)
    assert case.incident.alert_id is None
    assert case.sees("unavailable", 100) == ["open"]
    assert case.incident.alert_id != made


def test_unknown_opens_once_it_has_lasted() -> None:
    case = Case()
    case.sees("unknown", 0, "unknown")
    assert (case.incident.suppressed_by, case.due) == ("unknown", 30)
    assert case.looked(30) == ["open"]
    assert case.incident.severity == "low"


def test_unknown_never_opens_when_the_rules_say_never() -> None:
    case = Case(unknown_after_minutes=0)
    assert case.sees("unknown", 0, "unknown") == ["suppress"]
    assert case.due is None
    assert case.looked(10_000) == []


def test_a_silence_is_counted_from_its_begin_to_its_end() -> None:
    case = Case(open_on=["unavailable"])
    case.sees("unknown", 0, "unknown")
    case.sees("unknown", 20, "platform")
    assert case.due == 30
    assert case.sees("degraded", 25) == ["release"]
    assert case.looked(60) == []


def test_unknown_after_unavailable_is_the_same_incident_and_no_better() -> None:
    case = Case()
    case.sees("unavailable", 0)
    assert case.sees("unknown", 10, "unknown") == ["update"]
    assert (case.incident.condition, case.incident.severity, case.incident.status) == ("unavailable", "high", "unknown")


def test_a_change_of_state_is_a_note_with_the_new_severity() -> None:
    case = Case()
    case.sees("degraded", 0)
    assert case.sees("unavailable", 10) == ["update"]
    assert case.said == "Now unavailable (was degraded): unavailable by platform. Severity is now high."


def test_back_within_the_reopen_window_is_the_same_alert() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.sees("available", 10)
    assert case.sees("unavailable", 60) == ["reopen"]
    assert case.incident.alert_id == alert_id(DEVICE, START)
    case.sees("available", 70)
    assert case.sees("unavailable", 130) == ["open"]
    assert case.incident.alert_id == alert_id(DEVICE, at(130))


def test_while_it_may_be_reopened_there_is_no_silent_alert_beside_it() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.sees("available", 10)
    assert case.sees("unknown", 50, "unknown") == []
    assert (case.incident.phase, case.due) == ("suppressed", 70)
    assert case.looked(70) == ["suppress"]
    assert case.looked(80) == ["open"]


def test_the_close_delay_keeps_an_alert_open_over_short_recoveries() -> None:
    case = Case(close_delay_minutes=10)
    case.sees("unavailable", 0)
    assert case.sees("available", 5) == ["update"]
    assert case.due == 15
    assert case.sees("unavailable", 12) == ["update"]
    case.sees("available", 20)
    assert case.looked(29) == []
    assert case.looked(30) == ["close"]


def test_an_alert_is_not_kept_over_a_stop_that_was_meant() -> None:
    case = Case(close_delay_minutes=15)
    case.sees("unavailable", 0)
    case.sees("available", 5)
    assert case.sees("unavailable", 8, "user") == ["close"]
    case.sees("available", 10)
    assert case.sees("unknown", 12, "unknown") == []
    assert case.incident.phase == "suppressed"


@pytest.mark.parametrize("delay", [0, 15])
def test_an_alert_is_not_kept_once_the_delay_is_over(delay: int) -> None:
    case = Case(close_delay_minutes=delay)
    case.sees("unavailable", 0)
    case.sees("available", 10)
    case.looked(10 + delay)
    back = Sighting(at=at(10 + delay), seen_at=at(11 + delay), status="unknown")
    case.looked(11 + delay, back)
    assert case.incident.suppressed_by == "unknown"


def test_a_restart_that_does_not_come_back_is_overdue_even_where_it_flapped_before() -> None:
    case = Case(work(17, 20, 50))
    for n in range(7):
        case.sees(("unavailable", "available")[n % 2], 3 * n)
    assert case.incident.suppressed_by == "action"
    assert case.looked(50) == ["reopen"]
    assert case.incident.condition == "overdue"


def test_five_changes_within_the_window_are_one_flapping_incident() -> None:
    case = Case()
    kinds = [case.sees(("unavailable", "available")[n % 2], 3 * n) for n in range(40)]
    assert kinds[:5] == [["open"], ["close"], ["reopen"], ["close"], ["reopen"]]
    assert all(kind == [] for kind in kinds[5:])
    assert case.incident.condition == "flapping"
    assert "5 changes" in case.said
    assert case.due == 117 + 60
    assert case.looked(176) == []
    assert case.looked(177) == ["close"]


def test_who_stops_flapping_while_away_keeps_the_alert_as_what_it_is() -> None:
    case = Case()
    for n in range(7):
        case.sees(("unavailable", "available")[n % 2], 3 * n)
    assert case.looked(18 + 60) == ["update"]
    assert case.incident.condition == "unavailable"
    assert case.incident.since == at(18)


def test_short_silences_and_planned_restarts_are_no_flapping() -> None:
    case = Case()
    for n in range(20):
        case.sees(("unknown", "available")[n % 2], 3 * n, "unknown")
    restarts = [work(10 * n, 10 * n + 4, 10 * n + 34) for n in range(10)]
    other = Case(*restarts)
    for n in range(10):
        other.sees("unavailable", 10 * n, "user")
        other.sees("available", 10 * n + 4)
    assert not [effect for effect in (*case.effects, *other.effects) if effect.kind == "open"]


def test_changes_far_apart_are_no_flapping() -> None:
    case = Case()
    for n in range(12):
        case.sees(("unavailable", "available")[n % 2], 20 * n)
    assert not [effect for effect in case.effects if "flapping" in effect.note]


def test_a_silence_that_lasts_adds_to_the_changes_once_it_counts() -> None:
    case = Case(flap_changes=3)
    case.sees("unavailable", 0)
    case.sees("available", 5)
    case.sees("unknown", 10, "unknown")
    assert case.due == 40
    assert case.looked(40) == ["reopen"]
    assert case.incident.condition == "flapping"


def test_a_stop_that_was_meant_begins_the_count_of_changes_anew() -> None:
    case = Case()
    for n in range(7):
        case.sees(("unavailable", "available")[n % 2], 3 * n)
    assert case.sees("unavailable", 20, "user") == ["close"]
    assert case.sees("available", 25) == []
    assert case.incident.phase == "quiet"


def test_flapping_opens_even_where_each_spell_is_shorter_than_the_hold_down() -> None:
    case = Case(hold_minutes=10)
    kinds = [case.sees(("unavailable", "available")[n % 2], 3 * n) for n in range(6)]
    assert kinds[4] == ["open"]
    assert case.incident.condition == "flapping"


def test_a_user_s_stop_is_no_incident() -> None:
    case = Case()
    assert case.sees("unavailable", 0, "user") == ["suppress"]
    assert case.incident.suppressed_by == "userInitiated"
    assert case.looked(100_000) == []
    assert Case(ignore_user_initiated=False).sees("unavailable", 0, "user") == ["open"]


def test_silence_after_a_user_s_stop_says_nothing_new() -> None:
    case = Case()
    case.sees("unavailable", 0, "user")
    assert "open" not in case.sees("unknown", 10, "unknown") + case.looked(100)


def test_an_alert_that_turns_out_to_be_a_user_s_deed_closes_so() -> None:
    case = Case()
    case.sees("unavailable", 0)
    assert case.sees("unavailable", 10, "user", happened=0) == ["close"]
    assert case.incident.close_reason == "userInitiated"
    assert case.sees("unavailable", 20, "platform", happened=15) == ["reopen"]


def test_azure_s_maintenance_is_excused_for_the_grace_and_then_overdue() -> None:
    case = Case()
    assert case.sees("unavailable", 0, "planned") == ["suppress"]
    assert (case.incident.suppressed_by, case.due) == ("azurePlanned", 30)
    assert case.looked(30) == ["open"]
    assert case.incident.condition == "overdue"
    assert Case(ignore_planned=False).sees("unavailable", 0, "planned") == ["open"]


def test_our_own_restart_is_no_incident_when_it_comes_back_in_time() -> None:
    case = Case(work(0, 3, 33))
    assert case.sees("unavailable", 1, "user") == ["suppress"]
    assert (case.incident.suppressed_by, case.incident.suppressed_detail) == ("action", "Restart")
    assert case.sees("available", 20) == ["release"]


def test_a_restart_that_does_not_come_back_is_overdue_and_says_what_it_waited_for() -> None:
    case = Case(work(0, 3, 33, what="Restart by Alice"))
    case.sees("unavailable", 1, "user")
    assert case.looked(33) == ["open"]
    assert (case.incident.condition, case.incident.severity) == ("overdue", "high")
    assert case.said == (
        "Not back since 2026-03-03 12:01 UTC. It waited for: Restart by Alice; it should have been back by"
        " 2026-03-03 12:33 UTC."
    )


def test_what_was_stopped_through_tenantry_stays_excused_whatever_azure_calls_it() -> None:
    case = Case(work(0, 30, None, what="Stop"))
    case.sees("unavailable", 2, "user")
    case.sees("unavailable", 60, "platform")
    assert case.looked(10_000) == []
    assert case.incident.suppressed_by == "action"


def test_a_start_that_fails_to_bring_it_back_is_overdue() -> None:
    for first in ((), (work(0, 30, None, what="Stop"),)):
        case = Case(*first)
        case.sees("unavailable", 2, "user")
        case.works = (*first, work(500, 503, 533, what="Start"))
        case.looked(500)
        assert case.due == 533
        assert case.looked(533) == ["open"]


def test_a_stop_excuses_one_spell_and_not_what_comes_after_somebody_started_the_machine_elsewhere() -> None:
    stop = work(0, 32, None, what="Stop by Alice").changed(done_at=at(2))
    case = Case(stop)
    assert case.sees("unavailable", 1, "user") == ["suppress"]
    assert case.sees("available", 10) == ["release"]
    assert case.sees("unavailable", 20) == ["open"]


def test_a_machine_that_flickers_while_it_is_being_stopped_is_excused_still() -> None:
    case = Case(work(0, None, None, what="Stop by Alice"))
    assert case.sees("unavailable", 1) == ["suppress"]
    assert case.sees("available", 2) == ["release"]
    assert case.sees("unavailable", 3) == ["suppress"]
    case.works = (work(0, 34, None, what="Stop by Alice").changed(done_at=at(4)),)
    assert case.looked(5) == []
    assert case.sees("available", 8) == ["release"]
    assert case.sees("unavailable", 9) == ["open"]


@pytest.mark.parametrize("begin, excused", [(-1, False), (0, True), (60, True), (61, False)])
def test_a_maintenance_window_excuses_what_begins_in_it_to_the_minute(begin: int, excused: bool) -> None:
    case = Case(work(0, 60, 90, "maintenance", "Maintenance: patches"))
    assert case.sees("unavailable", begin) == (["suppress"] if excused else ["open"])
    if excused:
        assert case.incident.suppressed_by == "maintenance"


@pytest.mark.parametrize("begin, excused", [(-6, False), (-5, True), (0, True), (8, True), (9, False)])
def test_an_action_excuses_what_begins_within_five_minutes_of_it(begin: int, excused: bool) -> None:
    case = Case(work(0, 3, 33))
    seen = Sighting(at=at(begin), seen_at=at(max(begin, 0)), status="unavailable", cause="user")
    case.rules = Rules(ignore_user_initiated=False)
    assert case.looked(max(begin, 0), seen) == (["suppress"] if excused else ["open"])


def test_not_back_after_the_window_and_grace_is_overdue() -> None:
    case = Case(work(0, 60, 90, "maintenance", "Maintenance: patches"))
    case.sees("unavailable", 10)
    assert case.looked(89) == []
    assert case.looked(90) == ["open"]
    assert "Maintenance: patches" in case.said


def test_a_user_s_stop_within_a_window_stays_a_user_s_stop() -> None:
    case = Case(work(0, 60, 90, "maintenance"))
    case.sees("unavailable", 10, "user")
    assert case.looked(10_000) == []
    assert case.incident.suppressed_by == "userInitiated"


@pytest.mark.parametrize("windows", [((0, 120), (30, 60)), ((0, 60), (30, 120))])
def test_of_two_windows_the_longer_one_counts(windows: tuple[tuple[int, int], ...]) -> None:
    case = Case(*(work(begin, end, end + 30, "maintenance") for begin, end in windows))
    case.sees("unavailable", 40)
    assert case.due == 150


@pytest.mark.parametrize("restart, due", [((10, 13, 43), 150), ((100, 103, 200), 200)])
def test_a_restart_within_a_window_may_take_as_long_as_either(restart: tuple[int, int, int], due: int) -> None:
    case = Case(work(0, 120, 150, "maintenance"), work(*restart))
    case.sees("unavailable", restart[0] + 1)
    assert case.due == due


def test_a_failure_from_before_the_window_keeps_its_ticket() -> None:
    case = Case(work(30, 60, 90, "maintenance"))
    assert case.sees("unavailable", 29) == ["open"]
    assert case.looked(40) == []


def test_order_is_azure_s_time_and_late_news_changes_nothing() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.sees("available", 20)
    late = Sighting(at=at(10), seen_at=at(11), status="degraded")
    assert case.looked(21, late, late) == []
    assert case.incident.phase == "quiet"


def test_a_read_that_stands_against_newer_times_is_believed_after_twenty_minutes() -> None:
    case = Case()
    case.sees("available", 0)
    assert case.sees("unavailable", 15, happened=-5) == []
    assert case.due == 35
    assert case.looked(35) == ["open"]
    assert case.incident.since == at(15)


def test_a_stale_read_that_the_next_one_takes_back_opens_nothing() -> None:
    case = Case()
    case.sees("available", 0)
    case.sees("unavailable", 15, happened=-5)
    assert case.sees("available", 30, happened=0) == []
    assert case.looked(1000) == []


def test_a_begin_that_azure_corrects_is_believed_at_once() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.sees("unavailable", 15, "guest", happened=-5)
    case.looked(100)
    assert case.incident.since == at(-5)


def test_a_clock_of_azure_that_is_ahead_delays_nothing() -> None:
    case = Case(hold_minutes=10)
    case.sees("unavailable", 0, happened=30)
    assert case.due == 10
    assert case.looked(10) == ["open"]
    assert case.incident.since == at(0)


def test_another_cause_of_the_same_moment_counts_from_when_it_was_read() -> None:
    case = Case()
    case.sees("unavailable", 0, "user")
    assert case.sees("unavailable", 15, "platform", happened=0) == ["open"]
    assert case.sees("unavailable", 30, "user", happened=0) == ["close"]


def test_a_policy_that_no_longer_counts_it_closes_the_alert() -> None:
    case = Case()
    case.sees("degraded", 0)
    case.rules = Rules(open_on=["unavailable"])
    assert case.looked(10) == ["close"]
    assert case.incident.close_reason == "policyChanged"


def test_what_recovered_unnoticed_closes_as_recovered_whatever_came_after() -> None:
    case = Case(open_on=["unavailable"])
    case.sees("unavailable", 0)
    back = Sighting(at=at(10), seen_at=at(11), status="available")
    assert case.looked(15, back, Sighting(at=at(12), seen_at=at(13), status="degraded")) == ["close"]
    assert case.incident.close_reason == "recovered"


def test_a_longer_hold_down_does_not_close_what_is_open() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.rules = Rules(hold_minutes=60)
    assert case.looked(10) == []
    assert case.incident.phase == "open"


def test_unknown_that_only_strict_rules_count_closes_when_they_are_strict_no_more() -> None:
    case = Case(strict=True)
    case.sees("unknown", 0, "unknown")
    case.rules = Rules()
    assert case.looked(10) == ["close", "suppress"]
    assert case.effects[-2].close_reason == "policyChanged"
    assert case.incident.suppressed_by == "unknown"
    assert case.looked(30) == ["open"]


def test_unknown_that_has_lasted_stays_open_when_the_rules_are_strict_no_more() -> None:
    case = Case(strict=True)
    case.sees("unknown", 0, "unknown")
    case.rules = Rules()
    assert case.looked(30) == []
    assert case.incident.phase == "open"


def test_what_flapped_and_is_silent_now_was_back_and_says_so() -> None:
    case = Case(unknown_after_minutes=600)
    for n in range(6):
        case.sees(("unavailable", "available")[n % 2], 3 * n)
    assert case.sees("unknown", 20, "unknown") == []
    assert case.looked(15 + 60) == ["close"]
    assert case.effects[-1].close_reason == "recovered"
    assert case.said == "It was available again, and that it is unknown now is no incident so far."


def test_severity_is_that_of_the_first_rule_that_matches() -> None:
    case = Case(
        severities=[
            SeverityRule(severity="critical", tags={"Tier": "*"}, conditions=["unavailable"]),
            SeverityRule(severity="low", types=["microsoft.compute/VIRTUALMACHINES"]),
        ]
    )
    case.sees("unavailable", 0)
    assert case.incident.severity == "low"
    case.tags = {"tier": "production"}
    assert case.looked(1) == ["update"]
    assert (case.incident.severity, case.said) == ("critical", "Severity is now critical.")


def test_below_always_from_an_alert_waits_for_business_hours() -> None:
    hours = BusinessHours(
        time_zone="UTC", opens=(START + timedelta(hours=1)).time(), closes=START.time().replace(hour=17)
    )
    case = Case(business_hours=hours)
    assert case.sees("degraded", 0) == ["suppress"]
    assert (case.incident.suppressed_by, case.due) == ("businessHours", 60)
    assert case.looked(60) == ["open"]
    assert Case(business_hours=hours).sees("unavailable", 0) == ["open"], "high opens at any hour"


def test_an_alert_of_the_day_closes_at_night() -> None:
    hours = BusinessHours(time_zone="UTC", opens=START.time(), closes=START.time().replace(hour=13))
    case = Case(business_hours=hours)
    assert case.sees("degraded", 0) == ["open"]
    assert case.sees("available", 300) == ["close"]


def test_a_snooze_is_silent_and_tells_at_its_end_what_changed() -> None:
    case = Case()
    case.sees("degraded", 0)
    assert case.kept(machine.snooze(case.incident, Snooze(by="Alice", at=at(1), until=at(60)), at(1))) == ["update"]
    assert case.said == "Snoozed by Alice until 2026-03-03 13:00 UTC"
    assert case.sees("unavailable", 10) == []
    assert case.due == 60
    assert case.looked(60) == ["update"]
    assert case.said.startswith("The snooze of Alice is over. Now unavailable (was degraded)")
    assert case.incident.snooze is None


def test_a_snoozed_alert_still_closes_and_nothing_opens_until_the_snooze_ends() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.kept(machine.snooze(case.incident, Snooze(by="Alice", at=at(1), until=at(120)), at(1)))
    assert case.sees("available", 10) == ["close"]
    assert case.sees("unavailable", 20) == []
    assert case.incident.suppressed_by == "snooze"
    assert case.looked(70) == ["suppress"]
    assert case.looked(120) == ["open"]


def test_a_snooze_until_it_changes_ends_with_the_change() -> None:
    case = Case()
    case.sees("degraded", 0)
    case.kept(machine.snooze(case.incident, Snooze(by="Alice", at=at(1), until_change=True), at(1)))
    assert case.sees("degraded", 10, "guest") == []
    assert case.sees("unavailable", 20) == ["update"]
    assert case.incident.snooze is None


def test_what_changed_before_a_snooze_does_not_end_it() -> None:
    case = Case()
    case.sees("degraded", 0)
    case.sees("unavailable", 10)
    case.kept(machine.snooze(case.incident, Snooze(by="Alice", at=at(11), until_change=True), at(11)))
    assert case.looked(12) == []
    assert case.incident.snooze is not None


def test_a_snooze_of_an_incident_that_was_never_told_ends_with_it() -> None:
    case = Case(hold_minutes=10)
    case.sees("unavailable", 0)
    assert case.kept(machine.snooze(case.incident, Snooze(by="Alice", at=at(1)), at(1))) == ["suppress"]
    assert case.sees("available", 5) == ["release"]
    assert case.incident.snooze is None


def test_whoever_wakes_an_alert_is_told_what_was_missed() -> None:
    case = Case()
    case.sees("degraded", 0)
    case.kept(machine.snooze(case.incident, Snooze(by="Alice", at=at(1)), at(1)))
    case.sees("unavailable", 10)
    assert case.kept(machine.wake(case.incident, "Bob", at(15))) == ["update"]
    assert case.due == 15
    assert case.looked(15) == ["update"]
    assert case.said.startswith("Now unavailable")


def test_an_acknowledgement_is_a_note_and_holds_over_a_reopening_but_not_for_the_next_alert() -> None:
    case = Case()
    case.sees("unavailable", 0)
    assert case.kept(machine.acknowledge(case.incident, "Alice", "on it", at(1))) == ["update"]
    assert case.said == "Acknowledged by Alice: on it"
    case.sees("available", 5)
    case.looked(6)
    assert case.sees("unavailable", 10) == ["reopen"]
    asked = case.incident.acknowledgement
    assert asked is not None
    assert asked.note == "on it"
    case.sees("available", 15)
    assert case.sees("unavailable", 80) == ["open"]
    assert machine.unacknowledge(case.incident, "Bob", at(81))[1] == ()


def test_an_acknowledgement_is_taken_back_once() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.kept(machine.acknowledge(case.incident, "Alice", None, at(1)))
    assert case.kept(machine.unacknowledge(case.incident, "Bob", at(2))) == ["update"]
    assert machine.unacknowledge(case.incident, "Bob", at(3))[1] == ()


def test_people_s_acts_on_a_quiet_device_do_nothing() -> None:
    quiet = Incident(device_id=DEVICE)
    assert machine.acknowledge(quiet, "Alice", None, START) == (quiet, ())
    assert machine.snooze(quiet, Snooze(by="Alice", at=START), START) == (quiet, ())
    assert machine.wake(quiet, "Alice", START) == (quiet, ())
    assert machine.absorb(quiet, START) == (quiet, ())


def test_a_device_that_leaves_our_sight_leaves_nothing_open() -> None:
    case = Case()
    case.sees("unavailable", 0)
    assert case.kept(machine.close(case.incident, "tenantUnsynced", at(5))) == ["close"]
    assert case.effects[-1].close_reason == "tenantUnsynced"
    assert case.looked(6) == []
    assert case.sees("unavailable", 7) == ["open"], "what comes into sight again is a new incident"
    silent = Case(hold_minutes=10)
    silent.sees("unavailable", 0)
    assert silent.kept(machine.close(silent.incident, "siteUnmapped", at(5))) == ["release"]
    stopped = Case()
    stopped.sees("unavailable", 0, "user")
    assert stopped.kept(machine.close(stopped.incident, "siteUnmapped", at(5))) == ["release"]
    assert stopped.effects[-1].close_reason == "siteUnmapped"


def test_an_outage_takes_an_alert_over_and_another_stands_in_its_place() -> None:
    case = Case()
    case.sees("unavailable", 0)
    own = case.incident.alert_id
    assert case.kept(machine.absorb(case.incident, at(0))) == ["close", "open"]
    closed, opened = case.effects[-2:]
    assert (closed.alert_id, closed.close_reason) == (own, "mergedIntoOutage")
    assert opened.alert_id == case.incident.alert_id != own
    assert case.looked(1) == []
    assert case.sees("available", 10) == ["close"]


def test_a_merged_alert_is_never_reopened() -> None:
    case = Case()
    case.sees("unavailable", 0)
    case.kept(machine.close(case.incident, "mergedIntoOutage", at(1)))
    assert case.looked(2) == ["open"]


def test_a_spell_longer_than_what_is_remembered_keeps_its_begin() -> None:
    case = Case(flap_changes=0)
    for n in range(200):
        case.sees(("unavailable", "degraded")[n % 2], n)
    assert case.incident.since == START
    assert len(case.incident.sightings) == 64
