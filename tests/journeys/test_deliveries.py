"""Alerts to three sinks that fail, with the host killed in mid delivery: the small sibling of bench/deliveries.py."""

from __future__ import annotations

from bench import deliveries


async def test_no_ticket_is_lost_or_doubled_when_receivers_fail_and_the_host_is_killed() -> None:
    result = await deliveries.measure(150, (0.4,), speed=20)
    assert deliveries.failures(result) == []
    [killed] = result["killed"]
    assert killed["sinksSentTo"] > 0, "nothing was under way when the host was killed"
    sinks = result["sinks"]
    assert {kind: row["taken"] for kind, row in sinks.items()} == dict.fromkeys(deliveries.KINDS, 300)
    assert sinks["connectwise"]["doubles"] == sinks["autotask"]["doubles"] == 0
    assert sinks["webhook"]["doubles"] >= sinks["webhook"]["lostAnswers"], "a lost answer is sent again"
    felt = {fault for row in sinks.values() for fault, count in row["faults"].items() if count}
    assert felt == {"429", "503", "dropped", "lost"}
