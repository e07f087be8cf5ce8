"""What a month costs in Azure: operations counted on a running system, times list prices.

Counted at two sizes (bench/counted.py), so that what is fixed and what comes with each tenant are told apart, and kept
in cost_counts.json: `python -m bench cost` counts anew and prints the table of docs/azure.md. What nobody can count
beforehand is in ASSUMED, what the Functions host adds in HOST.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bench import cycle
from bench.stage import Size, staged

COUNTS = Path(__file__).with_name("cost_counts.json")
SIZES = (Size(10, 20, 500), Size(30, 60, 1_500))
"""Tenants, subscriptions, resources: two subscriptions and 50 resources a tenant."""
LATENCY_MS = 50
TENANTS = (10, 100, 1_000)
DAYS: Final = 30
RUNS = {
    "poll": 96,
    "refresh_tenants_hourly": 24,
    "renew_refresh_tokens": 1,
    "remove_old_rows": 1,
    "judge_due": 1_440,
    "run_schedules": 1_440,
    "deliver_due": 1_440,
    "read_back_tickets": 96,
    "resend_lost_work": 288,
    "watch_itself": 288,
}
"""Timer -> runs a day (functions/timers.py)."""
ASSUMED = {
    "alerts": 0.2,  # a tenant and day
    "requests": 20.0,  # to the API, a tenant and day
    "requestTables": 6.0,  # operations of one
    "awakeQueues": 4.0,  # queues that an instance waits at all the time, asking every second
    "recordKilobytes": 1.0,  # of logs, for each execution, for each line it writes, and for each call to Microsoft
    "megabytes": 5.0,  # in tables, a tenant
    "memoryGigabytes": 2.0,  # INSTANCE_MEMORY_MB
}
HOST = {"queuesPerJob": 2, "blobWritesPerTimer": 1, "blobReadsPerTimer": 3, "leastSeconds": 1.0}
"""A message is got and deleted; a timer's status is written, and read and locked; Flex Consumption bills a second at
least (learn.microsoft.com/azure/azure-functions/flex-consumption-plan#billing)."""
PRICES = {
    "gigabyteSeconds": 0.000026,
    "freeGigabyteSeconds": 100_000,
    "executions": 0.40 / 1_000_000,
    "freeExecutions": 250_000,
    "tables": 0.00036 / 10_000,
    "queues": 0.004 / 10_000,
    "blobWrites": 0.055 / 10_000,
    "blobReads": 0.0044 / 10_000,
    "storedGigabytes": 0.045,
    "vault": 0.03 / 10_000,
    "logGigabytes": 2.30,
    "freeLogGigabytes": 5,
    "alertRules": 4 * 0.50,
}
"""US dollars, pay as you go, East US, locally redundant: azure.microsoft.com/pricing for functions, storage (tables,
queues, blobs), key-vault and monitor, as they were in 2025. They change: put in those of today and of your region."""


async def count(size: Size) -> dict[str, dict[str, float]]:
    """What bench/counted.py counts at one size."""
    with tempfile.TemporaryDirectory() as state:
        async with staged(size, Path(state)) as stage:
            url = f"http://localhost:{stage.system.ports.sandbox}/receivers/webhook"
            await stage.call("POST", "/sinks", json={"kind": "webhook", "name": "Tickets", "settings": {"url": url}})
            await cycle.run(stage, stage.complete)
            await stage.kill_host()
            await stage.control("PUT", "/behaviour", json={"latencyMs": LATENCY_MS})
            environment = {**os.environ, **stage.settings()}
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.counted", env=environment, stdout=asyncio.subprocess.PIPE
            )
            text, _ = await child.communicate()
            if child.returncode:
                raise RuntimeError("bench.counted failed")
            found: dict[str, dict[str, float]] = json.loads(text)
            return found


def measure() -> dict[str, Any]:
    """Both sizes: `{tenants: {what: {kind: number}}}`; kept in COUNTS."""
    counts = {str(size.tenants): asyncio.run(count(size)) for size in SIZES}
    COUNTS.write_text(json.dumps(counts, indent=1) + "\n")
    return counts


def at(counts: dict[str, Any], what: str, kind: str, tenants: int) -> float:
    """How much of something there is with so many tenants, on the line through the two sizes."""
    (small, few), (large, many) = ((int(size), row[what].get(kind, 0.0)) for size, row in counts.items())
    return float(max(0.0, few + (many - few) / (large - small) * (tenants - small)))


def usage(counts: dict[str, Any], tenants: int) -> dict[str, float]:
    """What a month uses."""
    found = dict.fromkeys(
        ("executions", "tables", "queues", "blobWrites", "blobReads", "vault", "calls", "seconds"), 0.0
    )

    def add(what: str, times: float, *, timer: bool, size: int) -> None:
        jobs = at(counts, what, "jobs", size)
        for kind in ("tables", "queues", "vault", "calls"):
            found[kind] += times * at(counts, what, kind, size)
        found["queues"] += times * jobs * HOST["queuesPerJob"]
        found["executions"] += times * (jobs + timer)
        # A timer runs in an instance of its own, and so do the jobs of each queue.
        least = HOST["leastSeconds"]
        found["seconds"] += times * (timer * least + (max(least, at(counts, what, "seconds", size)) if jobs else 0.0))
        found["blobWrites"] += times * timer * HOST["blobWritesPerTimer"]
        found["blobReads"] += times * timer * HOST["blobReadsPerTimer"]

    for name, runs in RUNS.items():
        add(name, runs * DAYS, timer=True, size=tenants)
    smallest = min(map(int, counts))
    alerts = ASSUMED["alerts"] * tenants * DAYS
    add("alert", alerts, timer=False, size=smallest)
    # Each job of an alert may be the only one of its queue just then.
    found["seconds"] += alerts * (at(counts, "alert", "jobs", smallest) - 1) * HOST["leastSeconds"]
    requests = ASSUMED["requests"] * tenants * DAYS
    found["executions"] += requests
    found["seconds"] += requests * HOST["leastSeconds"]
    found["tables"] += requests * ASSUMED["requestTables"]
    found["queues"] += ASSUMED["awakeQueues"] * DAYS * 24 * 3600
    records = 2 * found["executions"] + found["calls"]
    found["logGigabytes"] = records * ASSUMED["recordKilobytes"] / 1_000_000
    found["storedGigabytes"] = ASSUMED["megabytes"] * tenants / 1_000
    found["gigabyteSeconds"] = found.pop("seconds") * ASSUMED["memoryGigabytes"]
    return found


def bill(used: dict[str, float]) -> dict[str, float]:
    """What that costs, in dollars."""
    free = {
        "gigabyteSeconds": "freeGigabyteSeconds",
        "executions": "freeExecutions",
        "logGigabytes": "freeLogGigabytes",
    }
    paid = {
        kind: max(0.0, number - PRICES.get(free.get(kind, ""), 0.0)) * PRICES[kind]
        for kind, number in used.items()
        if kind in PRICES
    }
    return {
        "Function App, running": paid["gigabyteSeconds"],
        "Function App, executions": paid["executions"],
        "Tables": paid["tables"] + paid["storedGigabytes"],
        "Queues": paid["queues"],
        "Blobs of the host": paid["blobWrites"] + paid["blobReads"],
        "Key Vault": paid["vault"],
        "Logs and metrics": paid["logGigabytes"],
        "Alert rules": PRICES["alertRules"],
        "Portal (Free)": 0.0,
    }


def table(counts: dict[str, Any]) -> str:
    """The estimate for people, as docs/azure.md has it."""
    used = [usage(counts, tenants) for tenants in TENANTS]
    bills = [bill(row) for row in used]
    heads = " | ".join(f"{tenants:,} tenants" for tenants in TENANTS)
    lines = [f"| a month | {heads} |", "|---|" + "--:|" * len(TENANTS)]
    units = (
        ("executions", "executions", 0),
        ("gigabyteSeconds", "GB seconds", 0),
        ("tables", "table operations", 0),
        ("queues", "queue operations", 0),
        ("calls", "calls to Microsoft", 0),
        ("logGigabytes", "logs, GB", 1),
    )
    lines += [f"| {label} | {_row((row[kind] for row in used), places)} |" for kind, label, places in units]
    lines += [f"| {label} | {_row((row[label] for row in bills), 2)} |" for label in bills[0]]
    totals = " | ".join(f"**{math.ceil(sum(row.values()))}**" for row in bills)
    return "\n".join([*lines, f"| **total, US dollars** | {totals} |"])


def _row(numbers: Iterable[float], places: int) -> str:
    return " | ".join(f"{number:,.{places}f}" for number in numbers)
