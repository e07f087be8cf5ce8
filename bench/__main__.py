"""`python -m bench`: poll cycles of a large installation beside the floor of the same requests, and other parts.

For each size: a first cycle, unchanged ones, and ones with 1 % of the resources changed; each but the first is followed
by the same requests from a bare client, with as many in flight as host.json lets jobs run. Prints a table, writes
bench/results.json, and fails when a limit of `LIMITS` is passed. bench/noise.py, bench/latency.py,
bench/deliveries.py, bench/bulk.py, bench/large_list.py, bench/cost.py and bench/cold_start.py say what they measure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import bulk, cold_start, cost, cycle, deliveries, large_list, latency, noise
from bench.cycle import Cycle
from bench.floor import Floor
from bench.stage import ROOT, Size, Stage, staged

LIMITS = {"unchanged": 1.5, "changed": 1.5, "memory": 1.2}
"""Ratio to the floor of a cycle (medians), and of the host's peak memory from the smallest to the largest size."""
SIZES = (Size(20, 40, 1_000), Size(200, 400, 10_000))
LATENCY_MS = 50
CHANGED_SHARE = 100
"""One of so many resources changes."""
RESULTS = ROOT / "bench" / "results.json"


def in_flight() -> int:
    """Jobs of one queue that one host runs at once: what it holds before it fetches, and one batch more."""
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    return int(queues["batchSize"] + queues["newBatchThreshold"])


async def measure(size: Size, rounds: int) -> dict[str, Any]:
    """All cycles of one size."""
    with tempfile.TemporaryDirectory() as state:
        async with staged(size, Path(state)) as stage:
            print(f"{size.resources} resources: every tenant is synced and mapped", flush=True)
            await stage.control("PUT", "/behaviour", json={"latencyMs": LATENCY_MS})
            # The setup's caches and memory are not the poll's.
            await stage.start_host()
            async with Floor(stage, in_flight()) as floor:
                first = await cycle.run(stage, stage.complete)
                await cycle.run(stage)
                unchanged = [await _pair(stage, floor) for _ in range(rounds)]
                changed = []
                for number in range(rounds):
                    await _change(stage, size, number)
                    changed.append(await _pair(stage, floor))
            lists = [await _list(stage) for _ in range(4)]
            return {
                **vars(size),
                "listed": lists[0][1],
                "listSeconds": {
                    "first": round(lists[0][0], 3),
                    "again": round(statistics.median(seconds for seconds, _ in lists[1:]), 3),
                },
                "first": _shown([(first, None)]),
                "unchanged": _shown(unchanged),
                "changed": _shown(changed),
                "hostPeakMiB": round(stage.host_memory(), 1),
            }


async def _pair(stage: Stage, floor: Floor) -> tuple[Cycle, float]:
    """A cycle, and what its requests alone take."""
    done = await cycle.run(stage)
    return done, await floor.run(done.requests)


async def _list(stage: Stage) -> tuple[float, int]:
    """Seconds of one page of the device list, and how many devices there are in all."""
    begin = time.perf_counter()
    body = await stage.call("GET", "/devices", params={"$count": "true", "$orderby": "status"})
    return time.perf_counter() - begin, body["count"]


async def _change(stage: Stage, size: Size, number: int) -> None:
    """Let one in CHANGED_SHARE of the resources fall ill: others in each round, spread over the subscriptions."""
    world = await stage.control("GET", "/world", params={"resources": "true"})
    every = [r["id"] for t in world["tenants"] for s in t["subscriptions"] for r in s["resources"]]
    count = size.resources // CHANGED_SHARE
    for place, resource_id in enumerate(every[number :: len(every) // count][:count]):
        state = ("Unavailable", "Degraded")[place % 2]
        await stage.control("PUT", "/health", json={"resourceId": resource_id, "availabilityState": state})


def _shown(cycles: Sequence[tuple[Cycle, float | None]]) -> dict[str, Any]:
    """The median of the cycles; counts are those of the last."""
    last = cycles[-1][0]
    shown: dict[str, Any] = {
        "seconds": round(statistics.median(done.seconds for done, _ in cycles), 2),
        "all": [round(done.seconds, 2) for done, _ in cycles],
        "calls": last.calls,
        "refused": last.refused,
        "rowsWritten": last.written,
        "cpu": last.cpu,
    }
    floors = [floor for _, floor in cycles if floor is not None]
    if floors:
        shown["floorSeconds"] = round(statistics.median(floors), 2)
        shown["ratio"] = round(shown["seconds"] / statistics.median(floors), 2)
    return shown


def table(results: list[dict[str, Any]]) -> str:
    """The results for people."""
    heads = f"{'resources':>9} {'cycle':10} {'seconds':>8} {'floor':>7} {'ratio':>6} {'host cpu':>9} {'calls':>6}"
    lines = [f"{heads} {'device rows':>12}  other rows"]
    for result in results:
        for name in ("first", "unchanged", "changed"):
            row = result[name]
            written = dict(row["rowsWritten"])
            devices = written.pop("Devices device")
            others = ", ".join(f"{key} {count}" for key, count in written.items())
            floor, ratio = row.get("floorSeconds", ""), row.get("ratio", "")
            lines.append(
                f"{result['resources']:>9} {name:10} {row['seconds']:>8} {floor:>7} {ratio:>6} {row['cpu']['host']:>9}"
                f" {sum(row['calls'].values()):>6} {devices:>12}  {others}"
            )
    for r in results:
        seconds = r["listSeconds"]
        lines.append(f"a page of the {r['listed']} devices: {seconds['first']} s at first, then {seconds['again']} s")
    lines += [f"host's peak memory at {r['resources']} resources: {r['hostPeakMiB']} MiB" for r in results]
    return "\n".join(lines)


def failures(results: list[dict[str, Any]]) -> list[str]:
    """Which limits are passed, in words."""
    largest, smallest = results[-1], results[0]
    found = [
        f"{name}: {largest[name]['ratio']} times the floor, at most {LIMITS[name]}"
        for name in ("unchanged", "changed")
        if largest[name]["ratio"] > LIMITS[name]
    ]
    if largest["unchanged"]["rowsWritten"]["Devices device"]:
        found.append("an unchanged cycle wrote device rows")
    if len(results) > 1:
        growth = largest["hostPeakMiB"] / smallest["hostPeakMiB"]
        if growth > LIMITS["memory"]:
            found.append(f"memory grows {growth:.2f} times, at most {LIMITS['memory']}")
    return found


def cycles(arguments: argparse.Namespace) -> list[str]:
    """Measure poll cycles, print and write; gives which limits are passed."""
    sizes = [Size(*map(int, text.split(","))) for text in arguments.size or ()] or list(SIZES)
    results = [asyncio.run(measure(size, arguments.rounds)) for size in sizes]
    print(table(results))
    write(results=results)
    return failures(results)


def from_event_to_ticket(_: argparse.Namespace) -> list[str]:
    """Measure latency, print and write; gives which limits are passed."""
    result = asyncio.run(latency.measure())
    print(latency.table(result))
    write(latency=result)
    return latency.failures(result)


def noisy_day(_: argparse.Namespace) -> list[str]:
    """Count the tickets of a noisy day, print and write; gives which limits are passed."""
    result = noise.run()
    print(noise.table(result))
    write(noise=result)
    return noise.failures(result)


def with_faults_and_kills(_: argparse.Namespace) -> list[str]:
    """Deliver many alerts to three sinks, print and write; gives what was lost or doubled."""
    result = asyncio.run(deliveries.measure())
    print(deliveries.table(result))
    write(deliveries=result)
    return deliveries.failures(result)


def many_restarts(_: argparse.Namespace) -> list[str]:
    """Restart many machines at once, print and write; gives what was lost, doubled or beyond a budget."""
    result = asyncio.run(bulk.measure())
    print(bulk.table(result))
    write(bulk=result)
    return bulk.failures(result)


def large_list_in_a_browser(_: argparse.Namespace) -> list[str]:
    """Look through 100,000 devices in the portal, print and write; gives which limits are passed."""
    result = asyncio.run(large_list.measure())
    print(large_list.table(result))
    write(largeList=result)
    return large_list.failures(result)


def a_month_in_azure(_: argparse.Namespace) -> list[str]:
    """Count operations, print what they cost a month, and write; there is no limit."""
    counts = cost.measure()
    print(cost.table(counts))
    write(cost=counts)
    return []


def start_of_a_process(_: argparse.Namespace) -> list[str]:
    """Measure the import of the application, print and write; gives which limit is passed."""
    result = cold_start.measure()
    print(cold_start.table(result))
    write(coldStart=result)
    return cold_start.failures(result)


PARTS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "start": start_of_a_process,
    "noise": noisy_day,
    "cycles": cycles,
    "latency": from_event_to_ticket,
    "deliveries": with_faults_and_kills,
    "bulk": many_restarts,
    "list": large_list_in_a_browser,
    "cost": a_month_in_azure,
}


def write(**measured: Any) -> None:
    """Put what was measured into the results; what other parts measured stays."""
    known: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(known | {"python": platform.python_version()} | measured, indent=2) + "\n")


def main() -> None:
    """Read the arguments, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)}; everything unless named")
    parser.add_argument("--rounds", type=int, default=3, help="cycles of each kind, of which the median counts")
    parser.add_argument("--size", action="append", help="tenants,subscriptions,resources; may be repeated")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    problems = [problem for part in arguments.parts or PARTS for problem in PARTS[part](arguments)]
    if problems:
        sys.exit("\n".join(["Too slow, too large, too loud, lost or doubled:", *problems]))


if __name__ == "__main__":
    main()
