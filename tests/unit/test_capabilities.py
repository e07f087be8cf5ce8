"""The capability tables: every verb of every type is answered, and an unavailable one says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import capabilities
from shared.capabilities import VERBS
from shared.capabilities.compute import ROWS, VIRTUAL_MACHINE

STATES = ("running", "stopped", "deallocated", "starting", "stopping", "deallocating", "hibernated", "unknown", None)


@pytest.mark.parametrize(
    "state, verbs",
    [
        ("running", ["stop", "restart"]),
        ("deallocated", ["start"]),
        ("stopped", ["start", "stop"]),
        ("hibernated", ["start"]),
        ("starting", []),
        ("deallocating", []),
        ("unknown", ["start", "stop", "restart"]),
        (None, ["start", "stop", "restart"]),
    ],
)
def test_a_machine_offers_what_its_power_state_allows(state: str | None, verbs: list[str]) -> None:
    assert capabilities.offered(VIRTUAL_MACHINE.upper(), state) == verbs


def test_stopping_a_machine_ends_its_bill() -> None:
    stop = capabilities.find(VIRTUAL_MACHINE, "stop")
    assert stop is not None
    assert (stop.operation_name, stop.ends_in) == ("deallocate", "deallocated")


def test_only_what_does_no_more_when_sent_twice_is_sent_twice() -> None:
    assert {row.verb: row.repeatable for row in ROWS if not row.unavailable} == {
        "start": True,
        "stop": True,
        "restart": False,
    }


@given(st.sampled_from([VIRTUAL_MACHINE, "Microsoft.Storage/storageAccounts", "", "x"]), st.sampled_from(STATES))
def test_all_five_verbs_are_answered_and_a_no_has_a_reason(resource_type: str, state: str | None) -> None:
    answers = capabilities.answers(resource_type, state)
    assert [answer.verb for answer in answers] == list(VERBS)
    assert all(answer.available != bool(answer.reason) for answer in answers)
    assert [a.verb for a in answers if a.available] == capabilities.offered(resource_type, state)


def test_every_row_tells_its_effect_and_the_right_it_needs() -> None:
    for row in ROWS:
        assert row.effect
        assert row.rbac_action.startswith(f"{row.type}/{row.operation_name}/")
