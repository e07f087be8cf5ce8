"""1,000 restarts over 50 subscriptions by one request, with Azure's budgets on, and the host killed once.

A person asks, another approves. The sandbox counts as Microsoft does (sandbox/arm_throttling.py) and every answer takes
a while, so that the kill meets requests on their way. What counts is the sandbox's own log: how often each machine was
restarted, and what was refused because a budget was spent. A restart must not be sent twice; whose answer the kill hid
must end as `outcomeUnknown`, and no other.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.stage import HOST_SETTINGS, Size, Stage, staged

SIZE = Size(50, 50, 6_500)
PER_SUBSCRIPTION = 20
KILL_AT = 0.4
"""The host is killed when this share of the restarts has reached Azure."""
LATENCY_MS = 100
LRO = "polls=2"
HOST = HOST_SETTINGS | {"HOST_QUEUE_LEASE": "20"}
PATIENCE = 1500.0
"""Seconds for everything; a machine that does nothing else needs a tenth of it."""
LOOK_SECONDS = 0.5
TOO_MANY = 429
WINDOW = 60
"""Seconds in which the busiest subscription's requests are counted."""


async def measure() -> dict[str, Any]:
    """What was asked of Azure, how the operation ended, what the kill hid, seconds, memory."""
    with tempfile.TemporaryDirectory() as state:
        async with staged(SIZE, Path(state)) as stage:
            print(f"{SIZE.subscriptions} subscriptions: every tenant is synced and mapped", flush=True)
            await stage.complete()
            chosen = await _machines(stage)
            print(f"{len(chosen)} machines are known", flush=True)
            await stage.control("PUT", "/behaviour", json={"latencyMs": LATENCY_MS, "lro": LRO, "throttling": True})
            await stage.start_host(HOST)
            since = (await _requests(stage, 10**9))[1]
            began, cpu = time.perf_counter(), stage.cpu()
            operation = await _asked(stage, list(chosen))
            async with asyncio.timeout(PATIENCE):
                hidden, killed_at = await _kill(stage, operation, since, len(chosen))
                done = await _finished(stage, operation)
            seconds = time.perf_counter() - began
            rows, _ = await _requests(stage, since)
            items = await _items(stage, operation)
            return {
                "machines": len(chosen),
                "subscriptions": SIZE.subscriptions,
                "status": done["status"],
                "result": done["result"],
                "killedAt": killed_at,
                "hidden": len(hidden),
                "seconds": round(seconds, 1),
                "perSecond": round(len(chosen) / seconds, 1),
                "hostPeakMiB": round(stage.host_memory(), 1),
                "hostCpu": round(stage.cpu()["host"], 1),
                "sandboxCpu": round(stage.cpu()["sandbox"] - cpu["sandbox"], 1),
                **_judged(chosen, items, hidden, rows),
            }


async def _machines(stage: Stage) -> dict[str, str]:
    """Device id -> resource id (lower case) of PER_SUBSCRIPTION running machines of each subscription."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found, link = list[dict[str, Any]](), "/devices?type=Microsoft.Compute/virtualMachines&$top=1000"
            while link:
                page = await stage.call("GET", link.removeprefix(f"{stage.system.host_url}/api"))
                found, link = found + page["value"], page.get("nextLink", "")
            taken: Counter[str] = Counter()
            chosen = {}
            for row in found:
                if row.get("powerState") == "running" and taken[row["subscriptionId"]] < PER_SUBSCRIPTION:
                    taken[row["subscriptionId"]] += 1
                    chosen[row["id"]] = row["resourceId"].lower()
            if len(chosen) == SIZE.subscriptions * PER_SUBSCRIPTION:
                return chosen
            await asyncio.sleep(LOOK_SECONDS)


async def _asked(stage: Stage, devices: list[str]) -> str:
    """Ask as alice, approve as bob, who may act everywhere; the operation's id."""
    sites = [row["id"] for row in (await stage.call("GET", "/sites", params={"$top": "1000"}))["value"]]
    bob = stage.world["people"]["bob"]["objectId"]
    await stage.call("PUT", f"/access/{bob}", json={"siteIds": sites})
    body = {"action": "restart", "deviceIds": devices, "reason": "Updates"}
    operation = await stage.call("POST", "/actions", json=body)
    token = (await stage.control("POST", "/tokens", json={"person": "bob"}))["accessToken"]
    own = {"Authorization": f"Bearer {token}"}
    await stage.call("POST", f"/operations/{operation['id']}/approve", json={}, headers=own)
    return str(operation["id"])


async def _kill(stage: Stage, operation: str, since: int, wanted: int) -> tuple[set[str], int]:
    """Kill the host in the middle and start it again; the devices whose request it was sending, and restarts so far."""
    sent = 0
    while sent < KILL_AT * wanted:
        await asyncio.sleep(LOOK_SECONDS)
        rows, since = await _requests(stage, since)
        sent += sum(_restarts(row) for row in rows)
    await stage.kill_host()
    hidden = set()
    children = stage.tables.get_table_client("Operations").query_entities(
        "PartitionKey eq @part", parameters={"part": operation.replace("-", ".")}
    )
    async for row in children:
        if '"phase":"sending"' in row["data"]:
            hidden.add(str(row["RowKey"]))
    await stage.start_host(HOST)
    return hidden, sent


async def _finished(stage: Stage, operation: str) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = await stage.call("GET", f"/operations/{operation}")
        if found["status"] not in ("notStarted", "running"):
            return found
        await asyncio.sleep(2)


async def _items(stage: Stage, operation: str) -> dict[str, str]:
    """Device id -> how its item ended."""
    found, link = dict[str, str](), f"/operations/{operation}/items?$top=1000"
    while link:
        page = await stage.call("GET", link.removeprefix(f"{stage.system.host_url}/api"))
        found |= {row["target"]: row["status"] for row in page["value"]}
        link = page.get("nextLink", "")
    return found


async def _requests(stage: Stage, since: int) -> tuple[list[dict[str, Any]], int]:
    """What reached Resource Manager since that number, and the last number."""
    found = await stage.control("GET", "/requests", params={"service": "arm", "since": since})
    return found["requests"], int(found["last"])


def _restarts(row: dict[str, Any]) -> bool:
    return bool(row["method"] == "POST" and row["url"].partition("?")[0].lower().endswith("/restart"))


def _judged(
    chosen: dict[str, str], items: dict[str, str], hidden: set[str], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the sandbox's log says of it."""
    sent = Counter(
        row["url"].partition("?")[0].lower().removesuffix("/restart")
        for row in rows
        if _restarts(row) and row["status"] != TOO_MANY
    )
    unknown = {target for target, status in items.items() if status == "outcomeUnknown"}
    refused = [row for row in rows if row["status"] == TOO_MANY]
    return {
        "requests": len(rows),
        "restartsSent": sum(sent.values()),
        "sentTwice": sum(count > 1 for count in sent.values()),
        "lost": sum(
            not sent[resource] and items.get(device) != "outcomeUnknown" for device, resource in chosen.items()
        ),
        "hiddenAndSent": sum(bool(sent[chosen[device]]) for device in hidden),
        "unknownNotHidden": len(unknown - hidden),
        "hiddenNotUnknown": len(hidden - unknown),
        "refused429": len(refused),
        "askedTooSoon": sum(_too_soon(row, rows) for row in refused),
        "writesPerMinute": _busiest(rows, "POST"),
        "readsPerMinute": _busiest(rows, "GET"),
    }


def _too_soon(refused: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether the same request came again within the second that Retry-After names at least."""
    at = datetime.fromisoformat(refused["at"])
    return any(
        row["url"] == refused["url"]
        and row["n"] > refused["n"]
        and (datetime.fromisoformat(row["at"]) - at).total_seconds() < 1
        for row in rows
    )


def _busiest(rows: list[dict[str, Any]], method: str) -> int:
    """The most requests of a method about one subscription in any WINDOW."""
    times: dict[str, list[datetime]] = {}
    for row in rows:
        if row["method"] == method and row["url"].startswith("/subscriptions/"):
            times.setdefault(row["url"].split("/")[2].lower(), []).append(datetime.fromisoformat(row["at"]))
    most = 0
    for found in times.values():
        first = 0
        for last, at in enumerate(found):
            while (at - found[first]).total_seconds() > WINDOW:
                first += 1
            most = max(most, last - first + 1)
    return most


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    ends = ", ".join(f"{count} {name}" for name, count in result["result"].items())
    hid = f"{result['hidden']} outcomes; of these machines {result['hiddenAndSent']} were restarted"
    spent = f"host {result['hostCpu']} since the kill, sandbox {result['sandboxCpu']}"
    lines = [
        f"{result['machines']} restarts over {result['subscriptions']} subscriptions: {result['status']} ({ends})",
        f"host killed after {result['killedAt']} of them, which hid {hid}",
        f"sent {result['restartsSent']}, twice {result['sentTwice']}, lost {result['lost']}",
        f"refused by a budget (429): {result['refused429']}, asked again too soon: {result['askedTooSoon']}",
        f"busiest subscription in a minute: {result['writesPerMinute']} writes, {result['readsPerMinute']} reads",
        f"{result['seconds']} s, {result['perSecond']} machines a second; {result['requests']} requests",
        f"processor seconds: {spent}; host's peak memory {result['hostPeakMiB']} MiB",
    ]
    return "\n".join(lines)


def failures(result: dict[str, Any]) -> list[str]:
    """What went wrong, in words."""
    ends = result["result"]
    found = [
        f"bulk: {result[name]} {words}"
        for name, words in (
            ("sentTwice", "machines were restarted twice"),
            ("lost", "restarts never reached Azure"),
            ("refused429", "requests were beyond a budget"),
            ("unknownNotHidden", "outcomes are unknown that the kill did not hide"),
            ("hiddenNotUnknown", "outcomes that the kill hid are said to be known"),
        )
        if result[name]
    ]
    if ends["succeeded"] + ends["outcomeUnknown"] != result["machines"]:
        found.append(f"bulk: not all ended as they should: {ends}")
    return found
