"""One poll cycle, measured from the timer's start to the last job's end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from bench.stage import Stage

QUEUES = ("poll-subscription", "apply-events")
TABLES = {
    "Devices": ("device|", "change|", "event|"),
    "DeviceIndex": ("",),
    "Subscriptions": ("",),
}
CYCLE_SECONDS = 600.0
LOOK_SECONDS = 0.03


@dataclass(frozen=True)
class Cycle:
    """What a cycle took (seconds), called and wrote."""

    seconds: float
    requests: list[dict[str, Any]]
    """To Resource Manager, in their order: method, url and, where there is one, body."""
    refused: int
    """Answers other than 200."""
    written: dict[str, int]
    """Rows that carry a newer time afterwards, by table, and by kind of row where a table has several."""
    cpu: dict[str, float]
    """Processor seconds that each process spent on it."""

    @property
    def calls(self) -> dict[str, int]:
        """Calls by what they ask for."""
        return dict(Counter(_kind(request["url"]) for request in self.requests))


def _kind(url: str) -> str:
    path = url.partition("?")[0].lower()
    names = {
        "availabilitystatuses": "health",
        "virtualmachines": "power states",
        "resourcegraph/resources": "run states",
        "resources": "inventory",
    }
    return next((name for part, name in names.items() if path.endswith(part)), path)


async def run(stage: Stage, begin: Callable[[], Awaitable[None]] | None = None) -> Cycle:
    """Run the timer `poll_resource_health`, or what else begins a cycle, and wait until its jobs are done."""
    before = (await stage.control("GET", "/requests", params={"service": "arm", "since": 10**9}))["last"]
    started, cpu = datetime.now(UTC), stage.cpu()
    began = time.perf_counter()
    await (begin or stage.tick)()
    ended = await _drained(stage, QUEUES[0], seen=False)
    await _drained(stage, QUEUES[1], seen=True)
    spent = {name: round(now - cpu[name], 2) for name, now in stage.cpu().items()}
    recorded = await stage.control("GET", "/requests", params={"service": "arm", "since": before})
    rows: list[dict[str, Any]] = recorded["requests"]
    return Cycle(
        seconds=ended - began,
        requests=rows,
        refused=sum(row["status"] != 200 for row in rows),
        written=await _written(stage, started),
        cpu=spent,
    )


async def _drained(stage: Stage, queue: str, *, seen: bool) -> float:
    """When (perf_counter) the queue held nothing any more, hidden messages included; `seen`: it may be empty by now."""
    client = stage.queues.get_queue_client(queue)
    async with asyncio.timeout(CYCLE_SECONDS):
        while True:
            now = time.perf_counter()
            try:
                count = int((await client.get_queue_properties()).approximate_message_count or 0)
            except ResourceNotFoundError:
                count = 0
            if count == 0 and seen:
                return now
            seen = seen or count > 0
            await asyncio.sleep(LOOK_SECONDS)


async def _written(stage: Stage, since: datetime) -> dict[str, int]:
    """Rows written since then, by the storage service's own time stamps; what was deleted again is not among them."""
    found: dict[str, int] = {}
    for table, kinds in TABLES.items():
        client = stage.tables.get_table_client(table)
        for kind in kinds:
            query, values = "Timestamp ge @since", {"since": since}
            if kind:
                query += " and RowKey ge @low and RowKey lt @high"
                values |= {"low": kind, "high": kind[:-1] + "}"}  # type: ignore[dict-item]  # dates and texts alike
            rows = client.query_entities(query, parameters=values, select=["PartitionKey", "RowKey"])
            found[f"{table} {kind}".rstrip("| ")] = sum([1 async for _ in rows])
    return found
