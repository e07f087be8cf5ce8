"""The noisy day of the benchmark: few tickets, and every real incident has one."""

from __future__ import annotations

import pytest

from bench import noise
from bench.noisy_day import FLAPS, OUTAGE_DEVICES, events, make


def test_the_noisy_day_makes_ten_times_fewer_tickets_and_misses_nothing() -> None:
    result = noise.measure(noise.SEED)
    assert result["missed"] == []
    assert result["wrong"] == 0
    assert result["leftOpen"] == 0
    assert result["plain"] >= noise.LIMIT * result["ours"]
    assert {row["part"]: row["ours"] for row in result["parts"]}[f"one machine, {FLAPS} flaps"] == 1


@pytest.mark.parametrize("seed", range(100, 106))
def test_no_day_misses_a_real_incident_or_leaves_a_ticket_open(seed: int) -> None:
    result = noise.measure(seed)
    assert result["missed"] == []
    assert result["leftOpen"] == 0
    assert result["plain"] >= 5 * result["ours"]


def test_the_day_has_what_it_says() -> None:
    day = make(noise.SEED)
    flapping = [device for device in day.devices if "flaps" in device.part]
    outage = [device for device in day.devices if "outage" in device.part]
    assert [len(device.changes) for device in flapping] == [2 * FLAPS]
    assert len(outage) == OUTAGE_DEVICES
    assert len({device.client for device in outage}) == 3
    arrivals = [minute for minute, _, _ in events(day)]
    assert arrivals == sorted(arrivals)


def test_what_passes_a_limit_is_said() -> None:
    good = {"missed": [], "ratio": 12, "wrong": 0, "leftOpen": 0, "others": {"missed": 0}}
    assert noise.failures(good) == []
    bad = {"missed": ["a crash"], "ratio": 9.9, "wrong": 1, "leftOpen": 2, "others": {"missed": 3}}
    assert len(noise.failures(bad)) == 5
