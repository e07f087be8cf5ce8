"""Outages: which openings share a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.incidents.grouping import Gathering, Group, GroupPlan, Issue, Opening, Single, plan
from shared.incidents.policy import Rules

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
VM, SQL = "Microsoft.Compute/virtualMachines", "Microsoft.Sql/servers/databases"


def opening(number: int, minutes_ago: float = 1, **values: object) -> Opening:
    base = Opening(
        device_id=f"d{number}",
        client="client",
        region="westeurope",
        type=VM,
        first_poll=False,
        service_issue_id=None,
        name=f"vm-{number}",
        since=NOW - timedelta(minutes=minutes_ago),
        alert_id=f"d{number}-1",
    )
    return replace(base, **values)  # type: ignore[arg-type]  # the fields of a dataclass by name


def single(number: int, minutes_ago: float = 5, **values: object) -> Single:
    at = NOW - timedelta(minutes=minutes_ago)
    base = Single(f"d{number}", "client", "westeurope", VM, False, None, at, f"d{number}-1", at)
    return replace(base, **values)  # type: ignore[arg-type]  # the fields of a dataclass by name


def group(key: str, began: float, joined: float, identifier: str = "g-1") -> Group:
    return Group(identifier, "client", key, NOW - timedelta(minutes=began), NOW - timedelta(minutes=joined))


def planned(
    openings: Sequence[Opening],
    *,
    there: Sequence[Group] = (),
    recent: Sequence[Group] = (),
    singles: Sequence[Single] = (),
    issues: Sequence[Issue] = (),
    rules: Rules | None = None,
    by_type: dict[str, Rules] | None = None,
) -> GroupPlan:
    known = {name.casefold(): own for name, own in (by_type or {}).items()}
    general = rules or Rules()
    of_type = (lambda name: known.get(name.casefold(), general)) if by_type is not None else None
    return plan(openings, there, recent, singles, issues, general, NOW, of_type=of_type)


def only(found: GroupPlan) -> Gathering:
    assert found.alone == ()
    assert len(found.gatherings) == 1
    return found.gatherings[0]


def ids(found: Sequence[Opening | Single]) -> list[str]:
    return sorted(one.device_id for one in found)


def test_five_devices_of_a_region_within_the_window_are_one_outage() -> None:
    gathering = only(planned([opening(n, n) for n in range(5)]))
    assert (gathering.kind, gathering.key, gathering.group_id) == ("new", "region:westeurope", None)
    assert ids(gathering.openings) == ["d0", "d1", "d2", "d3", "d4"]


def test_four_devices_have_tickets_of_their_own() -> None:
    assert len(planned([opening(n) for n in range(4)]).alone) == 4


def test_five_clients_with_one_device_each_are_no_outage() -> None:
    assert len(planned([opening(n, client=f"client {n}") for n in range(5)]).alone) == 5


def test_an_outage_of_three_clients_is_one_ticket_each() -> None:
    found = planned([opening(n, client=f"client {n % 3}") for n in range(60)])
    assert [(g.client, len(g.openings)) for g in found.gatherings] == [(f"client {n}", 20) for n in range(3)]


def test_one_type_over_many_regions_is_one_outage() -> None:
    gathering = only(planned([opening(n, region=f"region {n}", type=SQL) for n in range(5)]))
    assert gathering.key == f"type:{SQL.lower()}"


def test_devices_of_a_type_go_by_the_rules_of_that_type() -> None:
    three = [opening(n, n * 40, region=f"region {n}") for n in range(3)]
    assert planned(three).gatherings == ()
    own = {VM: Rules(outage_group_size=3, outage_window_minutes=90)}
    assert only(planned(three, by_type=own)).key == f"type:{VM.lower()}"
    assert planned(three, by_type={SQL: own[VM]}).gatherings == ()
    assert only(planned(three, rules=Rules(outage_group_size=0), by_type=own)).key == f"type:{VM.lower()}"


def test_a_type_that_is_not_grouped_is_in_no_group_and_makes_none() -> None:
    never = {SQL: Rules(outage_group_size=0, group_first_poll=False)}
    mixed = [*(opening(n) for n in range(4)), opening(4, type=SQL)]
    assert len(planned(mixed).gatherings) == 1
    assert len(planned(mixed, by_type=never).alone) == 5
    found = planned([*mixed, opening(5)], by_type=never)
    assert ids(found.alone) == ["d4"]
    of_issue = [opening(n, type=SQL, service_issue_id="X-1") for n in range(3)]
    assert len(planned(of_issue, by_type=never).alone) == 3
    first = [opening(n, type=SQL if n else VM, first_poll=True) for n in range(3)]
    assert len(planned(first, by_type=never).alone) == 3


def test_global_is_no_region() -> None:
    mixed = [opening(n, region="global", type=f"A/t{n}") for n in range(6)]
    assert len(planned(mixed).alone) == 6


def test_what_began_at_different_times_of_the_night_is_no_outage_of_the_morning() -> None:
    assert len(planned([opening(n, 60 * n) for n in range(8)]).alone) == 8


def test_those_that_opened_just_before_are_drawn_in() -> None:
    gathering = only(planned([opening(0), opening(1)], singles=[single(n) for n in (2, 3, 4)]))
    assert ids(gathering.absorbed) == ["d2", "d3", "d4"]


def test_an_old_ticket_of_the_region_stays_what_it_is() -> None:
    gathering = only(planned([opening(n) for n in range(5)], singles=[single(9, 600)]))
    assert gathering.absorbed == ()


def test_an_open_outage_takes_one_more_while_it_grows() -> None:
    gathering = only(planned([opening(0)], there=[group("region:westeurope", 40, 10)]))
    assert (gathering.kind, gathering.group_id) == ("joined", "g-1")


def test_an_outage_that_no_longer_grows_takes_no_single_device() -> None:
    assert len(planned([opening(0)], there=[group("region:westeurope", 200, 120)]).alone) == 1


def test_a_second_wave_joins_the_outage_that_is_still_open() -> None:
    gathering = only(planned([opening(n) for n in range(5)], there=[group("region:westeurope", 2000, 1900)]))
    assert (gathering.kind, len(gathering.openings)) == ("joined", 5)


def test_an_outage_that_ended_just_now_is_reopened_by_a_second_wave() -> None:
    gathering = only(planned([opening(n) for n in range(5)], recent=[group("region:westeurope", 90, 80)]))
    assert (gathering.kind, gathering.group_id) == ("reopened", "g-1")


def test_a_member_that_is_back_goes_into_its_outage_again() -> None:
    back = opening(0, last_group_id="g-1")
    assert only(planned([back], there=[group("region:westeurope", 300, 200)])).kind == "joined"
    assert only(planned([back], recent=[group("region:westeurope", 300, 200)])).kind == "reopened"
    assert planned([back]).alone == (back,)


def test_a_member_that_is_back_joins_the_outage_of_its_region_that_is_open_by_now() -> None:
    ended, present = group("region:westeurope", 300, 200), group("region:westeurope", 300, 200, "g-2")
    assert only(planned([opening(0, last_group_id="g-1")], there=[present], recent=[ended])).group_id == "g-2"


def test_devices_of_one_service_issue_are_one_ticket_from_two_on() -> None:
    two = [opening(n, service_issue_id="TRACK-1", region=f"r{n}") for n in range(2)]
    assert only(planned(two)).key == "serviceIssue:TRACK-1"
    assert len(planned(two[:1]).alone) == 1
    assert only(planned(two[:1], there=[group("serviceIssue:TRACK-1", 900, 800)])).kind == "joined"


def test_an_issue_that_names_the_devices_is_enough() -> None:
    issues = [Issue("TRACK-2", frozenset({"d0", "d1"}))]
    found = planned([opening(0), opening(1), opening(2)], issues=issues)
    assert [ids(g.openings) for g in found.gatherings] == [["d0", "d1"]]
    assert ids(found.alone) == ["d2"]


def test_what_is_down_at_a_first_poll_is_one_ticket_of_the_client() -> None:
    found = [opening(n, 10_000 * n, first_poll=True, region=f"r{n}") for n in range(3)]
    assert only(planned(found)).key == "firstPoll"


def test_a_lone_device_of_a_first_poll_has_its_own_ticket() -> None:
    assert len(planned([opening(0, first_poll=True)]).alone) == 1
    assert len(planned([opening(0, first_poll=True)], there=[group("firstPoll", 500, 400)]).alone) == 1


def test_what_was_down_before_anybody_looked_makes_no_outage_of_what_falls_now() -> None:
    assert len(planned([*(opening(n) for n in range(4)), opening(4, first_poll=True)]).alone) == 5


def test_the_client_s_next_subscription_joins_within_the_hour() -> None:
    gathering = only(planned([opening(0, first_poll=True)], there=[group("firstPoll", 50, 50)]))
    assert gathering.kind == "joined"
    gathering = only(planned([opening(0, first_poll=True)], singles=[single(1, 30, first_poll=True)]))
    assert ids(gathering.absorbed) == ["d1"]


def test_first_polls_are_not_grouped_when_the_rules_say_so() -> None:
    found = [opening(n, first_poll=True) for n in range(9)]
    assert len(planned(found, rules=Rules(group_first_poll=False)).alone) == 9


def test_one_device_alone_is_never_an_outage() -> None:
    assert len(planned([opening(0)], rules=Rules(outage_group_size=1)).alone) == 1


def test_a_size_of_zero_groups_nothing() -> None:
    found = [opening(n, service_issue_id="TRACK-1") for n in range(9)]
    assert len(planned(found, rules=Rules(outage_group_size=0)).alone) == 9


OPENINGS = st.lists(
    st.builds(
        opening,
        st.integers(0, 30),
        st.integers(0, 200),
        client=st.sampled_from(["a", "b"]),
        region=st.sampled_from(["westeurope", "WestEurope", "global", ""]),
        type=st.sampled_from([VM, SQL]),
        first_poll=st.booleans(),
        service_issue_id=st.sampled_from([None, None, "T"]),
        last_group_id=st.sampled_from([None, None, "g-1"]),
    ),
    max_size=14,
    unique_by=lambda one: one.device_id,
)
SINGLES = st.lists(
    st.builds(single, st.integers(31, 60), st.integers(0, 90), client=st.sampled_from(["a", "b"])),
    max_size=8,
    unique_by=lambda one: one.device_id,
)


@given(OPENINGS, SINGLES, st.booleans())
def test_every_opening_has_exactly_one_place_in_whatever_order_they_come(
    openings: list[Opening], singles: list[Single], there: bool
) -> None:
    groups = [replace(group("region:westeurope", 40, 5), client="a")] if there else []
    found = planned(openings, there=groups, singles=singles)
    placed = [*found.alone, *(one for g in found.gatherings for one in g.openings)]
    assert ids(placed) == ids(openings)
    assert len({(g.client, g.key) for g in found.gatherings}) == len(found.gatherings)
    absorbed = [one for g in found.gatherings for one in g.absorbed]
    assert len(set(ids(absorbed))) == len(absorbed)
    for gathering in found.gatherings:
        assert gathering.openings, "nothing is drawn in without a reason"
        members: list[Opening | Single] = [*gathering.openings, *gathering.absorbed]
        assert {one.client for one in members} == {gathering.client}
    assert planned(openings[::-1], there=groups, singles=singles[::-1]) == found
