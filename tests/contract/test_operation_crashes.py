"""Killed at any step, an action on a machine is finished by the next try, and never done twice when that matters."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.azure_types import VM
from sandbox.host import Host
from sandbox.server import Sandbox
from shared import jobs, operations, progress
from shared.capabilities import Verb
from shared.operations import follow
from shared.operations.records import GUARDS, Guard, Plan
from shared.progress import TERMINAL
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import mortal

MOST_WRITES = 15
"""More than an action makes."""


@pytest_asyncio.fixture
async def estate(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Contoso, in an Azure that does at once what it is asked."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    estate.sandbox.cloud.world.behaviour.lro = "immediate"
    await estate.webhook()
    return estate


def sent(estate: Estate, name: str) -> int:
    """How many requests for an action reached Azure."""
    rows = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    return sum(row["url"].partition("?")[0].endswith(f"/{name}") for row in rows)


async def lived_through(estate: Estate, verb: Verb, writes: int) -> tuple[progress.Operation, bool]:
    """Carry an action out with a worker that is killed after so many writes, then with others: its end."""
    machine, app = estate.machine(), estate.app
    device = estate.device_id(machine)
    plan = Plan(
        verb=verb,
        device_id=device,
        resource_id=machine.id,
        resource_type=VM,
        subscription_id=machine.subscription_id,
        tenant_id=next(t.id for t in estate.sandbox.cloud.world.tenants.values() if t.name == "Contoso"),
    )
    begun = await progress.start(
        app, f"device.{verb}", reader="CloudDevices.Read", resource=device, site_ids=["contoso-hq"], state=plan.into()
    )
    await app.tables.put(GUARDS, Guard(device_id=device, operation_id=begun.id, at=app.clock.now()))
    job, killed = jobs.FollowOperation(operation_id=begun.id), False
    dying = mortal(app, writes, lost=jobs.FollowOperation)
    try:
        while (await progress.read(dying, begun.id)).status not in TERMINAL:
            await operations.run(dying, job)
    except AzureError:
        killed = True
    await estate.advance(follow.SENDING.total_seconds() + 1)
    await operations.run(app, job)
    await estate.settle(30)
    assert await app.tables.get(GUARDS, "device", device) is None
    return await progress.read(app, begun.id), killed


@pytest.mark.parametrize("verb, name, again", [("stop", "deallocate", True), ("restart", "restart", False)])
async def test_a_worker_killed_at_any_write_leaves_nothing_undone_or_doubled(
    estate: Estate, verb: Verb, name: str, *, again: bool
) -> None:
    deaths = 0
    for writes in range(MOST_WRITES):
        machine = estate.machine()
        before = sent(estate, name)
        ended, killed = await lived_through(estate, verb, writes)
        deaths += killed
        requests = sent(estate, name) - before
        assert 1 <= requests <= (2 if again else 1), writes
        assert ended.status in (("succeeded",) if again else ("succeeded", "outcomeUnknown")), writes
        told = [row for row in await estate.received() if row["body"]["data"].get("id") == ended.id]
        assert len({row["headers"]["webhook-id"] for row in told}) == 1, writes
        machine.power = "running"
        estate.recover(machine)
    assert MOST_WRITES > deaths >= 6, "the worker must have died at every write there is"
