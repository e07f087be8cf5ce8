"""Cut off between a row and its message, work is begun by the sweep, ends as it would have, and is done once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.server import Sandbox
from sandbox.world import Resource
from shared import audit, jobs, operations, progress, sweep
from shared.alerts.records import ALERTS, OPEN
from shared.devices import places
from shared.operations.records import GUARDS
from shared.progress import ITEMS
from shared.tenants import SUBSCRIPTIONS, TENANTS
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import Life, MortalQueues

SOON = sweep.LOST_AFTER.total_seconds() + 1
LATE = sweep.HALF_SENT_AFTER.total_seconds() + 1
FOR_EVER = 1_000_000


@pytest_asyncio.fixture
async def estate(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Contoso and Fabrikam with a sink, in an Azure that does at once what it is asked."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    estate.sandbox.cloud.world.behaviour.lro = "immediate"
    await estate.webhook()
    return estate


@contextlib.contextmanager
def cut_off(estate: Estate, lost: type[jobs.Job] = jobs.Job, *, after: int = FOR_EVER) -> Iterator[None]:
    """Jobs of a class go nowhere, as if the worker was killed before it sent them; or the queues fail after so many."""
    app, real = estate.app, estate.app.queues
    app.queues = MortalQueues(real, Life(after), (lost,) if after == FOR_EVER else (), [])
    try:
        yield
    finally:
        app.queues = real


async def swept(estate: Estate, wait: float = SOON) -> None:
    """Let time pass, and the sweep and what it begins run; then again, when there is nothing left to do."""
    await estate.advance(wait)
    await estate.timer("resend_lost_work")
    await estate.settle(60, delayed=True)
    assert await sweep.resend(estate.app) == 0


async def ended(estate: Estate, operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await estate.call("GET", f"/operations/{operation['id']}")
    return found


def restarts(estate: Estate, machine: Resource) -> int:
    rows = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    return sum(f"{machine.name}/restart" in row["url"] for row in rows)


async def told(estate: Estate, subject: str) -> list[str]:
    rows = [row["body"] for row in await estate.received() if row["body"]["subject"] == subject]
    return [row["type"].removeprefix("tenantry.") for row in rows]


async def test_a_restart_that_was_stored_is_done_once(estate: Estate) -> None:
    await estate.poll()
    machine = estate.machine()
    path = f"/devices/{estate.device_id(machine)}/actions/restart"
    with cut_off(estate):
        begun = await estate.call("POST", path, 202)
    await estate.settle(30)
    assert (await ended(estate, begun))["status"] == "notStarted"
    assert await sweep.resend(estate.app) == 0, "it may be on its way"
    refused = await estate.call("POST", path, 409)
    assert begun["id"] in refused["error"]["message"], "asked again, the device is taken"
    written = await audit.of_day(estate.app, estate.app.clock.now().date(), actor=None, target=None, limit=100)
    assert [row.outcome for row in written if row.action == "device.restart"] == ["accepted"]
    await swept(estate)
    assert (await ended(estate, begun))["status"] == "succeeded"
    assert restarts(estate, machine) == 1
    assert await told(estate, estate.device_id(machine)) == ["operation.completed"]


async def test_a_restart_that_was_answered_with_a_failure_is_never_done_later(estate: Estate) -> None:
    await estate.poll()
    machine = estate.machine()
    path = f"/devices/{estate.device_id(machine)}/actions/restart"
    with cut_off(estate, after=0):
        assert (await estate.alice.post(path)).is_server_error
    [failed] = await estate.listed("/operations")
    assert failed["status"] == "canceled"
    again = await estate.call("POST", path, 202)
    # The failed sending had arrived after all.
    await estate.app.queues.send(jobs.FollowOperation(operation_id=failed["id"]))
    await estate.settle(60, delayed=True)
    await swept(estate)
    assert (await ended(estate, again))["status"] == "succeeded"
    assert restarts(estate, machine) == 1


async def test_a_first_message_that_turns_up_after_all_sends_no_action_twice(estate: Estate) -> None:
    await estate.poll()
    machine = estate.machine()
    with cut_off(estate, jobs.FollowOperation):
        begun = await estate.call("POST", f"/devices/{estate.device_id(machine)}/actions/restart", 202)
        job = jobs.FollowOperation(operation_id=begun["id"])
        await asyncio.gather(*(operations.run(estate.app, job) for _ in range(4)))
    for _ in range(3):
        await estate.app.queues.send(job)
    await estate.settle(60, delayed=True)
    await estate.app.queues.send(job)
    await estate.settle(60, delayed=True)
    assert (await ended(estate, begun))["status"] == "succeeded"
    assert restarts(estate, machine) == 1
    assert await told(estate, estate.device_id(machine)) == ["operation.completed"]


async def test_an_action_that_its_device_does_not_name_is_canceled_and_never_sent(estate: Estate) -> None:
    await estate.poll()
    machine = estate.machine()
    with cut_off(estate, jobs.FollowOperation):
        begun = await estate.call("POST", f"/devices/{estate.device_id(machine)}/actions/restart", 202)
    guard = await estate.app.tables.get(GUARDS, "device", estate.device_id(machine))
    assert guard is not None
    await estate.app.tables.put(GUARDS, guard.changed(operation_id=""))
    await swept(estate)
    shown = await ended(estate, begun)
    assert (shown["status"], shown["error"]["code"]) == ("canceled", "neverBegun")
    assert restarts(estate, machine) == 0


async def test_an_export_that_was_stored_is_written(estate: Estate) -> None:
    await estate.poll()
    with cut_off(estate, jobs.ExportDevices):
        begun = await estate.call("POST", "/devices/export", 202)
    await swept(estate)
    first = await ended(estate, begun)
    assert (first["status"], first["result"]["rows"]) == ("succeeded", len(estate.cloud().resources))
    await estate.app.queues.send(jobs.ExportDevices(operation_id=begun["id"]))
    await estate.settle(30)
    assert await ended(estate, begun) == first
    file = await estate.alice.get(f"/devices/exports/{begun['id']}")
    assert file.status_code == 200


async def test_a_refresh_of_devices_that_was_stored_is_done(estate: Estate) -> None:
    with cut_off(estate, jobs.PollSubscription):
        begun = await estate.call("POST", "/devices/refresh", 202)
    await swept(estate)
    shown = await ended(estate, begun)
    assert shown["status"] == "succeeded"
    assert [item["status"] for item in shown["items"]] == ["succeeded", "succeeded"]
    assert await estate.listed("/devices")


async def test_a_refresh_of_which_some_messages_were_sent_is_finished(estate: Estate) -> None:
    with cut_off(estate, after=1):
        assert (await estate.alice.post("/devices/refresh")).is_server_error
    async with asyncio.timeout(30):  # the message that was sent may come after the answer
        while (begun := (await estate.listed("/operations"))[0])["status"] == "notStarted":
            await estate.settle(30)
    assert begun["status"] == "running"
    await estate.advance(SOON)
    assert await sweep.resend(estate.app) == 0, "the line may be long"
    await swept(estate, LATE)
    assert (await ended(estate, begun))["status"] == "succeeded"


async def test_a_refresh_of_tenants_that_was_stored_is_done(estate: Estate) -> None:
    with cut_off(estate, jobs.RefreshTenants):
        begun = await estate.call("POST", "/tenants/refresh", 202)
    await swept(estate)
    shown = await ended(estate, begun)
    assert shown["status"] == "succeeded"
    assert len(await estate.listed("/tenants")) > len(made.CLIENTS)


async def test_an_unsync_and_a_sync_that_were_stored_are_done(estate: Estate) -> None:
    fabrikam = estate.cloud("Fabrikam").tenant_id
    for verb, status in (("unsync", "deactivated"), ("sync", "synced")):
        with cut_off(estate):
            begun = await estate.call("POST", f"/tenants/{verb}", 202, json={"tenantIds": [fabrikam]})
        await swept(estate)
        assert (await ended(estate, begun))["status"] == "succeeded", verb
        tenant = await estate.call("GET", f"/tenants/{fabrikam}")
        assert tenant["status"] == status
    assert await told(estate, fabrikam) == ["tenant.synced"]


async def test_an_unsync_whose_tenant_never_changed_says_so(estate: Estate) -> None:
    fabrikam = estate.cloud("Fabrikam").tenant_id
    begun = await progress.start(estate.app, "tenants.unsync", reader="Integration.Admin", items={fabrikam: "Fabrikam"})
    await swept(estate)
    shown = await ended(estate, {"id": begun.id})
    assert shown["items"][0]["error"]["code"] == "neverBegun"
    assert (await estate.call("GET", f"/tenants/{fabrikam}"))["status"] == "synced"


async def test_a_tenant_that_is_waited_for_is_no_lost_work(estate: Estate) -> None:
    contoso = estate.cloud().tenant_id
    with cut_off(estate):
        begun = await estate.call("POST", "/tenants/sync", 202, json={"tenantIds": [contoso]})
    await progress.set_item(estate.app, begun["id"], contoso, "running")
    await estate.advance(LATE)
    assert await sweep.resend(estate.app) == 0


async def test_an_unmapping_that_was_stored_closes_alerts(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    with cut_off(estate, jobs.CloseAlerts):
        await estate.call("DELETE", "/sites/contoso-hq/mapping")
    assert await estate.app.tables.all(ALERTS, OPEN)
    await swept(estate)
    assert await estate.app.tables.all(ALERTS, OPEN) == []
    [closed] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    assert closed["closeReason"] == "siteUnmapped"
    assert await told(estate, estate.device_id(machine)) == ["alert.opened", "alert.closed"]


@pytest.mark.parametrize("reason", ["subscriptionGone", "tenantUnsynced", "subscriptionGone without a row"])
async def test_alerts_of_what_is_out_of_sight_close_with_the_reason(estate: Estate, reason: str) -> None:
    machine, app, cloud = estate.machine(), estate.app, estate.cloud()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    place = await places.of(app, cloud.id)
    assert place is not None
    assert place.tenant is not None
    assert await sweep.resend(app) == 0, "what is seen keeps its alerts"
    if reason == "tenantUnsynced":
        await app.tables.put(TENANTS, place.tenant.changed(status="deactivated"))
    elif reason == "subscriptionGone":
        await app.tables.put(SUBSCRIPTIONS, place.subscription.changed(gone=True))
    else:
        await app.tables.delete(SUBSCRIPTIONS, place.subscription)
    await swept(estate)
    [closed] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    assert closed["closeReason"] == reason.partition(" ")[0]


async def test_a_removal_of_a_connection_that_was_stored_is_done(estate: Estate) -> None:
    with cut_off(estate, jobs.RemoveConnection):
        begun = await estate.call("DELETE", "/connections/c1", 202)
    await swept(estate)
    shown = await ended(estate, begun)
    assert shown["status"] == "succeeded"
    assert {item["status"] for item in shown["items"]} == {"succeeded"}
    assert await estate.listed("/connections") == []
    await estate.app.queues.send(jobs.RemoveConnection(connection_id="c1", operation_id=begun["id"]))
    await estate.settle(30)
    assert await ended(estate, begun) == shown
    assert len(await estate.app.tables.all(ITEMS, begun["id"])) == len(shown["items"])


async def test_a_removal_that_the_connection_does_not_name_is_canceled(estate: Estate) -> None:
    begun = await progress.start(estate.app, "connection.remove", reader="Integration.Admin", resource="c1")
    await swept(estate)
    assert (await ended(estate, {"id": begun.id}))["status"] == "canceled"
    assert (await estate.call("GET", "/connections/c1"))["status"] == "active"
