"""From an event that arrives, and from a poll that sees, to the ticket in the receiver.

Events come one by one at random moments, each about another machine; the receiver is told that its alert opened, and
after the second event that it closed. The polls are those of the timer, with one machine fallen ill in each client.
The host goes by host.json: an idle queue is asked as seldom as in Azure. Alerts follow the default policy; no client
has so many machines down that they would become one outage. All times are the sandbox's.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.stage import HOST_SETTINGS, Size, Stage, staged

LIMITS = {"event": 3.0, "poll": 5.0}
"""Seconds, of the 99th percentile."""
SIZE = Size(20, 20, 600)
EVENTS = 60
PER_CLIENT = 3
"""Machines that fall ill because of events in each client; one more does for the polls. Five would be an outage."""
SPACING = (0.2, 1.2)
"""Seconds between events: long enough for queues to fall idle, short enough to find the host at work."""
PATIENCE = 60.0
LATENCY_MS = 50
"""Of each answer of the simulated cloud."""
OPENED, CLOSED = "tenantry.alert.opened", "tenantry.alert.closed"


async def measure(events: int = EVENTS) -> dict[str, Any]:
    """`{event: {opened, closed}, poll}`, each `{count, p50, p99, worst}` in seconds."""
    with tempfile.TemporaryDirectory() as state:
        async with staged(SIZE, Path(state)) as stage:
            print(f"{SIZE.tenants} clients: every tenant is synced and mapped", flush=True)
            await stage.start_host({k: v for k, v in HOST_SETTINGS.items() if k != "HOST_POLL_SECONDS"})
            receiver = stage.world["receivers"]["webhook"]
            settings = {"url": receiver["url"], "secret": receiver["secret"]}
            await stage.call("POST", "/sinks", json={"kind": "webhook", "name": "Tickets", "settings": settings})
            await stage.complete()
            await _polled(stage)
            source = await stage.call("POST", "/event-sources", json={"kind": "azure-monitor", "name": "bench"})
            by_event, by_poll = await _machines(stage, events)
            await stage.control("PUT", "/behaviour", json={"latencyMs": LATENCY_MS})
            group = {"url": source["url"], "schema": "commonAlert"}
            await stage.control("PUT", "/action-groups", json={"groups": [group]})
            opened = await _by_events(stage, by_event, "Unavailable", OPENED)
            closed = await _by_events(stage, by_event, "Available", CLOSED)
            await stage.control("PUT", "/action-groups", json={"groups": []})
            polled = await _by_poll(stage, by_poll)
            return {"event": {"opened": _shown(opened), "closed": _shown(closed)}, "poll": _shown(polled)}


async def _machines(stage: Stage, events: int) -> tuple[list[str], list[str]]:
    """Healthy machines to fall ill by events, client after client, and one more of each client for the polls."""
    world = await stage.control("GET", "/world", params={"resources": "true"})
    clients: list[list[str]] = []
    for tenant in world["tenants"]:
        every = [r for s in tenant["subscriptions"] for r in s["resources"]]
        clients.append([r["id"] for r in every if r["reported"]][: PER_CLIENT + 1])
    by_event = [client[number] for number in range(PER_CLIENT) for client in clients if len(client) > number]
    return by_event[:events], [client[PER_CLIENT] for client in clients if len(client) > PER_CLIENT]


async def _by_events(stage: Stage, resources: list[str], state: str, wanted: str) -> list[float]:
    """Seconds from the event's arrival to the receiver, resource by resource."""
    chance = random.Random(1)  # noqa: S311 - repeatable chance, no secret
    for resource_id in resources:
        await stage.control("PUT", "/health", json={"resourceId": resource_id, "availabilityState": state})
        await asyncio.sleep(chance.uniform(*SPACING))
    told = await _told(stage, resources, wanted)
    sent = (await stage.control("GET", "/action-groups"))["sent"]
    # The last event about the resource, at its first try.
    asked = {resource: row["at"] for row in sent for resource in row["resources"] if row["try"] == 1}
    return [_seconds(asked[resource.lower()], told[resource.lower()]) for resource in resources]


async def _by_poll(stage: Stage, resources: list[str]) -> list[float]:
    """Seconds from Azure's answer about the subscription's health to the receiver."""
    for resource_id in resources:
        body = {"resourceId": resource_id, "availabilityState": "Unavailable"}
        await stage.control("PUT", "/health", json=body)
    before = await _last_request(stage)
    await stage.tick()
    told = await _told(stage, resources, OPENED)
    rows = (await stage.control("GET", "/requests", params={"service": "arm", "since": before}))["requests"]
    seen = {_subscription(r["url"]): r["at"] for r in reversed(rows) if "/availabilitystatuses" in r["url"].lower()}
    return [_seconds(seen[_subscription(resource)], told[resource.lower()]) for resource in resources]


async def _told(stage: Stage, resources: list[str], wanted: str) -> dict[str, str]:
    """Resource id (lower case) -> when the receiver was told of it. Raises TimeoutError."""
    missing = {resource.lower() for resource in resources}
    async with asyncio.timeout(PATIENCE):
        while True:
            deliveries = (await stage.control("GET", "/receivers/webhook"))["deliveries"]
            found = dict(_arrivals(deliveries, wanted))
            if missing <= set(found):
                return found
            await asyncio.sleep(0.5)


def _arrivals(deliveries: list[dict[str, Any]], wanted: str) -> Iterator[tuple[str, str]]:
    """The first arrival of each resource comes last, so that it is the one that stays in a dictionary."""
    for row in reversed(deliveries):
        if row["body"]["type"] == wanted:
            yield str(row["body"]["data"].get("resourceId") or "").lower(), row["at"]


async def _polled(stage: Stage) -> None:
    """Wait until every subscription was polled once."""
    async with asyncio.timeout(PATIENCE):
        while True:
            listed = await stage.call("GET", "/devices", params={"$top": "1", "$count": "true"})
            if listed["count"] >= SIZE.resources:
                return
            await asyncio.sleep(0.5)


async def _last_request(stage: Stage) -> int:
    return int((await stage.control("GET", "/requests", params={"service": "arm", "since": 10**9}))["last"])


def _subscription(url: str) -> str:
    return url.lower().split("/subscriptions/")[1][:36]


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _shown(seconds: list[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "count": len(seconds),
        "p50": round(cuts[49], 2),
        "p99": round(cuts[98], 2),
        "worst": round(max(seconds), 2),
    }


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    rows = {
        "event to opened": result["event"]["opened"],
        "event to closed": result["event"]["closed"],
        "poll to opened": result["poll"],
    }
    lines = [f"{'seconds':16} {'count':>6} {'p50':>6} {'p99':>6} {'worst':>6}"]
    lines += [f"{name:16} {r['count']:>6} {r['p50']:>6} {r['p99']:>6} {r['worst']:>6}" for name, r in rows.items()]
    return "\n".join(lines)


def failures(result: dict[str, Any]) -> list[str]:
    """Which limits are passed, in words."""
    named = {
        "event to opened": (result["event"]["opened"], LIMITS["event"]),
        "event to closed": (result["event"]["closed"], LIMITS["event"]),
        "poll to opened": (result["poll"], LIMITS["poll"]),
    }
    return [
        f"{name}: {row['p99']} s in 99 of 100, at most {limit}"
        for name, (row, limit) in named.items()
        if row["p99"] > limit
    ]
