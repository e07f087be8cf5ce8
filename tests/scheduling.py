"""Making schedules and letting their time come, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sandbox.world import Resource
from tests.estate import Estate


def body(estate: Estate, *machines: Resource, minutes: float = 10, **changes: Any) -> dict[str, Any]:
    """A schedule that stops machines every day, for the first time so many minutes from now."""
    begin = (estate.app.clock.now() + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    wanted: dict[str, Any] = {
        "name": "Dev off",
        "action": "stop",
        "timeZone": "UTC",
        "rule": "FREQ=DAILY",
        "startAt": f"{begin:%Y-%m-%dT%H:%M}",
        "target": {"deviceIds": [estate.device_id(machine) for machine in machines]},
    }
    return wanted | changes


def tag(estate: Estate, machine: Resource, **tags: str) -> None:
    """Give a machine these tags in Azure, and no others."""
    machine.tags = tags
    estate.sandbox.cloud.world.subscriptions[machine.subscription_id].version += 1


async def made(estate: Estate, *machines: Resource, **changes: Any) -> dict[str, Any]:
    """That schedule, stored."""
    wanted = body(estate, *machines, **changes)
    stored: dict[str, Any] = await estate.call("POST", "/schedules", 201, json=wanted)
    return stored


async def shown(estate: Estate, schedule: dict[str, Any]) -> dict[str, Any]:
    """A schedule as it is now."""
    found: dict[str, Any] = await estate.call("GET", f"/schedules/{schedule['id']}")
    return found


async def come(estate: Estate, minutes: float, *, delayed: bool = True) -> None:
    """Let time pass and run what is due then, to its end."""
    await estate.advance(minutes * 60)
    await estate.timer("run_schedules")
    await estate.settle(60, delayed=delayed)


async def until(estate: Estate, at: str, beyond: float = 10) -> None:
    """Let the time come that an answer named, and so many seconds, and run what is due."""
    left = (datetime.fromisoformat(at) - estate.app.clock.now()).total_seconds()
    await come(estate, (left + beyond) / 60)


async def runs(estate: Estate, schedule: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of a schedule, newest first."""
    return await estate.listed(f"/schedules/{schedule['id']}/runs")
