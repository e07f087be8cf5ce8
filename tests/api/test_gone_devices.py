"""A device that was deleted: what comes after it is judged as if it had never been, and nothing stays open."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.world import Resource
from shared import jobs
from shared.incidents.records import INCIDENTS
from tests.estate import Estate

OPENED, CLOSED = "tenantry.alert.opened", "tenantry.alert.closed"


async def told(estate: Estate, machine: Resource) -> list[str]:
    """What the webhook heard of a machine, in order."""
    await estate.settle(30, delayed=True)
    wanted = estate.device_id(machine)
    return [row["body"]["type"] for row in await estate.received() if row["body"]["subject"] == wanted]


async def states(estate: Estate, machine: Resource) -> list[tuple[str, str | None]]:
    """State and reason of a machine's alerts, newest first."""
    return [(row["state"], row.get("closeReason")) for row in await estate.alerts_of(machine)]


async def ill(estate: Estate, machine: Resource) -> None:
    estate.fall_ill(machine)
    await estate.poll()


async def delete(estate: Estate, machine: Resource) -> None:
    """Delete it in Azure, and have that seen."""
    cloud = estate.cloud()
    del cloud.resources[machine.id.lower()]
    cloud.version += 1
    await estate.poll()


async def make_again(estate: Estate, machine: Resource) -> None:
    """A machine of the same name, well, and have that seen."""
    cloud = estate.cloud()
    cloud.resources[machine.id.lower()] = machine
    cloud.version += 1
    estate.recover(machine)
    await estate.poll()


@pytest.fixture
async def gone(estate: Estate) -> Resource:
    """A machine that was deleted while it had a ticket."""
    await estate.webhook()
    await estate.poll()
    machine = estate.machine()
    await ill(estate, machine)
    await delete(estate, machine)
    return machine


def another(estate: Estate, machine: Resource) -> Resource:
    """A second machine of the same subscription."""
    rows = estate.cloud().resources.values()
    return next(r for r in rows if r.type == machine.type and r.id != machine.id and r.health is not None)


async def test_a_device_that_is_made_again_under_its_name_and_fails_has_a_ticket_of_its_own(
    estate: Estate, gone: Resource
) -> None:
    assert await states(estate, gone) == [("closed", "deviceDeleted")]
    await estate.advance(600)
    await make_again(estate, gone)
    await estate.advance(600)
    await ill(estate, gone)
    assert await states(estate, gone) == [("open", None), ("closed", "deviceDeleted")]
    assert await told(estate, gone) == [OPENED, CLOSED, OPENED]
    estate.recover(gone)
    await estate.poll()
    assert await states(estate, gone) == [("closed", "recovered"), ("closed", "deviceDeleted")]
    assert await estate.listed("/service/poison") == []


@pytest.mark.parametrize("reason", ["siteUnmapped", "tenantUnsynced"])
async def test_what_leaves_our_sight_closes_every_ticket_beside_a_device_that_was_deleted(
    estate: Estate, gone: Resource, reason: str
) -> None:
    other = another(estate, gone)
    await ill(estate, other)
    assert await states(estate, other) == [("open", None)]
    if reason == "siteUnmapped":
        await estate.call("DELETE", "/sites/contoso-hq/mapping", 200)
        await estate.settle(30)
    else:
        await estate.app.queues.send(jobs.CloseAlerts(subscription_id=estate.cloud().id, reason=reason))
        await estate.settle(30)
    assert await states(estate, other) == [("closed", reason)]
    assert await told(estate, other) == [OPENED, CLOSED]
    assert await estate.app.tables.all(INCIDENTS, estate.cloud().id) == []
    assert await estate.listed("/service/poison") == []


async def test_a_policy_judges_again_beside_a_device_that_was_deleted(estate: Estate, gone: Resource) -> None:
    other = another(estate, gone)
    await ill(estate, other)
    rules: dict[str, Any] = {"openOn": ["degraded"]}
    await estate.call("PUT", "/alerts/policy", json=rules)
    await estate.settle(30)
    assert await states(estate, other) == [("closed", "policyChanged")]
    assert await estate.listed("/service/poison") == []
