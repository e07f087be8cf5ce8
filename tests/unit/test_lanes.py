"""Lanes: whoever comes with whatever was read before, each target is taken once, in order, and few at a time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.operations import lanes
from shared.operations.lanes import _next, _Offer
from shared.operations.parts import child_id, end_of
from shared.operations.records import Lane, Waiting

Operations = dict[str, list[str]]
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def offered(lane: Lane, operations: Operations, ended: set[tuple[str, str]]) -> _Offer:
    """What a worker reads that finds the lane like this."""
    gone = {(slot.operation_id, slot.target) for slot in lane.slots} & ended
    offer, room = _Offer(gone, NOW), lanes.AT_ONCE - len(lane.slots) + len(gone)
    for waiting in lane.waiting:
        if room <= 0:
            break
        left = [target for target in operations[waiting.operation_id] if target > waiting.after]
        offer.found[waiting.operation_id] = (left[:room], len(left) < room)
        room -= len(left[:room])
    return offer


@given(
    sizes=st.lists(st.integers(0, 25), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=30),
)
def test_each_target_is_taken_once_and_in_order_whatever_was_read_before(
    sizes: list[int], steps: list[tuple[bool, int]]
) -> None:
    operations = {f"o{number}": [f"t{place:02}" for place in range(size)] for number, size in enumerate(sizes)}
    lane = Lane(subscription_id="s", waiting=[Waiting(operation_id=name) for name in operations])
    ended: set[tuple[str, str]] = set()
    taken: list[tuple[str, str]] = []
    old: list[_Offer] = []

    def written(offer: _Offer) -> None:
        nonlocal lane
        before = {(slot.operation_id, slot.target) for slot in lane.slots}
        lane = _next(lane, offer, "by") or lane
        assert len(lane.slots) <= lanes.AT_ONCE
        taken.extend(
            (slot.operation_id, slot.target) for slot in lane.slots if (slot.operation_id, slot.target) not in before
        )

    for fresh, ending in steps:
        ended.update((slot.operation_id, slot.target) for slot in lane.slots[:ending])
        offer = offered(lane, operations, ended)
        if fresh or not old:
            written(offer)
        else:
            written(old[ending % len(old)])
        old.append(offer)
    while lane.slots or lane.waiting:
        ended.update((slot.operation_id, slot.target) for slot in lane.slots)
        written(offered(lane, operations, ended))
    assert set(Counter(taken).values()) <= {1}
    assert taken == sorted(taken)
    assert set(taken) == {(name, target) for name, targets in operations.items() for target in targets}


def test_what_changes_nothing_is_not_written() -> None:
    lane = Lane(subscription_id="s")
    assert _next(lane, _Offer(set(), NOW), "") is None


@pytest.mark.parametrize(
    "counts, status",
    [
        ({"succeeded": 3}, "succeeded"),
        ({"succeeded": 3, "canceled": 1}, "canceled"),
        ({"succeeded": 3, "canceled": 1, "outcomeUnknown": 1}, "outcomeUnknown"),
        ({"succeeded": 3, "canceled": 1, "outcomeUnknown": 1, "failed": 1}, "failed"),
    ],
)
def test_the_whole_ends_as_its_worst_item(counts: dict[str, int], status: str) -> None:
    assert end_of(Counter(counts)) == status


def test_the_id_of_a_part_follows_from_the_whole_and_lies_beside_no_other_operation() -> None:
    assert child_id("202601-123", "d1") == "202601.123-d1"
    assert child_id("202601-123", "d1").partition("-")[0] != "202601"
