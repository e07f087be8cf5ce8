"""Killed at any step, the work behind alerts is finished by the next try, and a sink hears of each alert once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import jobs
from shared.alerts import deliveries, lease, sinks, work
from shared.alerts.records import ALERTS, OPEN, alert_id, closed_key
from shared.app import App
from shared.devices import EVENT_PREFIX, EVENTS, Change, Device, Health, HealthEvent, Status, device_id
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import mortal


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle
) -> AsyncIterator[Estate]:
    """Contoso, with two sinks at the webhook receiver."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    await estate.webhook()
    await estate.webhook(name="Second")
    yield estate


def event(estate: Estate, number: int, after: Status, minute: int) -> HealthEvent:
    """A stored change of an invented machine."""
    cloud = estate.cloud()
    resource_id = f"/subscriptions/{cloud.id}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm{number}"
    tenant = next(t.id for t in estate.sandbox.cloud.world.tenants.values() if cloud.id in t.subscription_ids)
    at = estate.app.clock.now() + timedelta(minutes=minute)
    identifier = device_id(cloud.id, resource_id)
    device = Device(
        id=identifier,
        resource_id=resource_id,
        name=f"vm{number}",
        type="Microsoft.Compute/virtualMachines",
        subscription_id=cloud.id,
        tenant_id=tenant,
        health=Health(status=after),
        first_seen_at=at,
        changed_at=at,
    )
    change = Change(device_id=identifier, at=at, seen_at=at, after=after)
    return HealthEvent(device_id=identifier, change=change, device=device)


async def die_then_finish(estate: Estate, writes: int, run: Callable[[App], Any]) -> bool:
    """Run a job in a worker that is killed, then in one that lives. Whether the first was killed."""
    dying = mortal(estate.app, writes)
    killed = False
    try:
        await run(dying)
    except AzureError:
        killed = True
    await estate.advance(lease.SECONDS + 1)
    await run(estate.app)
    await estate.settle(30)
    return killed


async def heard(estate: Estate, device: str) -> list[str]:
    """Verbs of the alert events that arrived about a device, each counted once per webhook-id."""
    seen: dict[str, str] = {}
    for row in await estate.received():
        if row["body"]["subject"] == device:
            seen.setdefault(row["headers"]["webhook-id"], row["body"]["type"].rpartition(".")[2])
    return list(seen.values())


async def test_a_worker_killed_at_any_write_loses_and_doubles_nothing(estate: Estate) -> None:
    subscription = estate.cloud().id

    async def apply(app: App) -> None:
        await work.run_apply(app, jobs.ApplyEvents(subscription_id=subscription))

    killed = {"opening": 0, "closing": 0}
    for writes in range(12):
        opening = event(estate, writes, "unavailable", 0)
        await estate.app.tables.put(EVENTS, opening)
        killed["opening"] += await die_then_finish(estate, writes, apply)
        device, at = opening.device_id, opening.change.seen_at
        stored = await estate.app.tables.get(ALERTS, OPEN, device)
        assert stored is not None, writes
        assert stored.id == alert_id(device, at)
        assert await heard(estate, device) == ["opened", "opened"], writes

        await estate.app.tables.put(EVENTS, event(estate, writes, "available", 0))
        killed["closing"] += await die_then_finish(estate, writes, apply)
        assert await estate.app.tables.get(ALERTS, OPEN, device) is None, writes
        closed = await estate.app.tables.get(ALERTS, *closed_key(device, at))
        assert closed is not None, writes
        assert await heard(estate, device) == ["opened", "opened", "closed", "closed"], writes
        assert await estate.app.tables.all(EVENTS, subscription, prefix=EVENT_PREFIX) == []
    assert killed["opening"] >= 7, "the worker must have died at every write there is"
    assert killed["closing"] >= 8


async def test_closing_a_subscription_survives_the_same(estate: Estate) -> None:
    subscription = estate.cloud().id

    async def close(app: App) -> None:
        await work.run_close(app, jobs.CloseAlerts(subscription_id=subscription, reason="siteUnmapped"))

    for writes in range(1, 8):
        opening = event(estate, writes, "degraded", 0)
        await estate.app.tables.put(EVENTS, opening)
        await work.run_apply(estate.app, jobs.ApplyEvents(subscription_id=subscription))
        await estate.settle(30)
        assert await die_then_finish(estate, writes, close), writes
        closed = await estate.app.tables.get(ALERTS, *closed_key(opening.device_id, opening.change.seen_at))
        assert closed is not None, writes
        assert closed.close_reason == "siteUnmapped"
        assert await heard(estate, opening.device_id) == ["opened", "opened", "closed", "closed"], writes


async def test_a_redelivery_cut_off_before_its_message_is_sent_by_the_timer(estate: Estate) -> None:
    machine = event(estate, 1, "unavailable", 0)
    await estate.app.tables.put(EVENTS, machine)
    await work.run_apply(estate.app, jobs.ApplyEvents(subscription_id=estate.cloud().id))
    await estate.settle(30)
    sink = (await sinks.every(estate.app))[0]
    [sent] = await deliveries.of_sink(estate.app, sink.id)
    assert sent.state == "delivered"
    before = len(await estate.received())
    # Two writes reach the storage: the pointer for the timer, and the row. The message does not.
    with pytest.raises(AzureError):
        await deliveries.again(mortal(estate.app, 2), sent)
    await estate.settle(10)
    assert len(await estate.received()) == before
    await estate.advance(deliveries.SHORT_WAIT + 1)
    await deliveries.deliver_due(estate.app)
    await estate.settle(30)
    assert len(await estate.received()) == before + 1
