"""Acting on many devices at once, and what became of it, for tests."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from sandbox.azure_types import VM
from sandbox.world import Resource
from shared import progress
from shared.operations import parts
from tests.estate import Estate

MACHINES = 3
"""In the first subscription of Contoso, running and without a trap."""


def quicken(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Azure do what it is asked before it answers, and lanes not wait."""
    estate.sandbox.cloud.world.behaviour.lro = "immediate"
    monkeypatch.setattr(parts, "PACE_SECONDS", 0)


def machines(estate: Estate, client: str = "Contoso") -> list[Resource]:
    """Every virtual machine of the client's subscription, running."""
    found = [row for row in estate.cloud(client).resources.values() if row.type == VM]
    for row in found:
        row.power = "running"
        row.faults.clear()
    assert len(found) >= MACHINES
    return found


async def polled(estate: Estate, *clients: str) -> list[Resource]:
    """The machines of the clients, known to the application as running."""
    found = [row for client in clients or ("Contoso",) for row in machines(estate, client)]
    for client in clients or ("Contoso",):
        await estate.poll(client)
    return found


def ids(estate: Estate, rows: list[Resource]) -> list[str]:
    return [estate.device_id(row) for row in rows]


async def act(estate: Estate, expect: int = 202, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await estate.call("POST", "/actions", expect, json={"action": "restart", **body})
    return answer


async def ended(estate: Estate, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation once nothing more happens."""
    await estate.settle(90, delayed=True)
    found: dict[str, Any] = await estate.call("GET", f"/operations/{operation['id']}")
    return found


async def ended_now(estate: Estate, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation once it has ended, whatever still waits for its time."""
    async with asyncio.timeout(90):
        while True:
            await estate.settle(60)
            found: dict[str, Any] = await estate.call("GET", f"/operations/{operation['id']}")
            if found["status"] in progress.TERMINAL:
                return found


def posts(estate: Estate) -> list[str]:
    """The actions that reached Azure: lower-cased ids of machines."""
    seen = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    return [row["url"].partition("?")[0].rpartition("/")[0].lower() for row in seen if "virtualMachines/" in row["url"]]


def approve_above(estate: Estate, monkeypatch: pytest.MonkeyPatch, devices: int) -> None:
    changed = estate.app.settings.model_copy(update={"approval_above_devices": devices})
    monkeypatch.setattr(estate.app, "settings", changed)


async def other(estate: Estate, *sites: str) -> httpx.AsyncClient:
    """Bob, who may act in these sites."""
    await estate.grant("bob", *sites)
    return await estate.person("bob")


async def audited(estate: Estate, operation: dict[str, Any]) -> list[str]:
    """Who did what to the operation as a whole, oldest first."""
    rows = await estate.listed("/audit", target=operation["id"])
    return [f"{row['actorName']} {row['action']} {row['outcome']}" for row in rows][::-1]
