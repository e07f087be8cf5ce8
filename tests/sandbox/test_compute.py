"""Virtual machines: views, power verbs and their long-running operations, as Microsoft's client polls them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox.server import Sandbox
from sandbox.world import Health, Resource
from tests.sandbox.azure import SCOPE, Azure


@pytest_asyncio.fixture
async def azure(sandbox: Sandbox) -> AsyncIterator[Azure]:
    async with Azure(sandbox) as azure:
        yield azure


@pytest.fixture
def machine(azure: Azure) -> Resource:
    """A running machine of Contoso."""
    return next(row for row in azure.machines if row.power == "running")


async def power_of(azure: Azure, machine: Resource) -> str:
    client = await azure.compute()
    view = await client.virtual_machines.instance_view(machine.resource_group, machine.name)
    return next(row.code or "" for row in view.statuses or [] if (row.code or "").startswith("PowerState/"))


async def wait_through(azure: Azure, url: str) -> dict[str, Any]:
    """Poll a status URL as it is until the operation ends; the last body."""
    body: dict[str, Any] = {}
    for _ in range(20):
        body = (await azure.http.get(url, headers=await bearer(azure))).json()
        if body["status"] != "InProgress":
            return body
    raise AssertionError(body)


async def bearer(azure: Azure) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await azure.credential.get_token(SCOPE)).token}"}


async def test_machines_are_listed_with_what_clients_read(azure: Azure) -> None:
    rows = [row async for row in (await azure.compute()).virtual_machines.list_all()]
    assert [row.id for row in rows] == [row.id for row in azure.machines]
    for row in rows:
        assert row.vm_id
        assert row.provisioning_state == "Succeeded"
        assert row.instance_view is None
        assert row.storage_profile is not None
        assert row.storage_profile.os_disk is not None
        assert row.storage_profile.os_disk.managed_disk is not None
        assert row.hardware_profile is not None
        assert row.network_profile is not None


async def test_status_only_gives_every_power_state_in_one_list(azure: Azure, machine: Resource) -> None:
    machine.power = "deallocated"
    azure.subscription.version += 1
    rows = [row async for row in (await azure.compute()).virtual_machines.list_all(status_only="true")]
    states = {
        row.name: [s.code for s in (row.instance_view.statuses if row.instance_view else None) or []] for row in rows
    }
    assert "PowerState/deallocated" in states[machine.name]
    assert all(len(codes) == 2 for codes in states.values())
    assert all(row.storage_profile is None for row in rows)


async def test_machine_lists_follow_next_links(azure: Azure) -> None:
    azure.world.extra["arm.page_size"] = 2
    rows = [row async for row in (await azure.compute()).virtual_machines.list_all()]
    assert len(rows) == len(azure.machines) > 2


async def test_machines_of_a_group(azure: Azure, machine: Resource) -> None:
    client = await azure.compute()
    rows = [row async for row in client.virtual_machines.list(machine.resource_group)]
    assert [r.id for r in rows] == [r.id for r in azure.machines if r.resource_group == machine.resource_group]
    with pytest.raises(ResourceNotFoundError):
        _ = [row async for row in client.virtual_machines.list("rg-nowhere")]


async def test_the_instance_view_comes_expanded_and_alone(azure: Azure, machine: Resource) -> None:
    client = await azure.compute()
    plain = await client.virtual_machines.get(machine.resource_group, machine.name)
    assert plain.instance_view is None
    full = await client.virtual_machines.get(machine.resource_group, machine.name, expand="instanceView")
    assert full.instance_view is not None
    assert [row.display_status for row in full.instance_view.statuses or []] == ["Provisioning succeeded", "VM running"]
    lower = await azure.send("GET", machine.id, params={"$expand": "instanceview"})
    assert lower.json()["properties"]["instanceView"]["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    assert await power_of(azure, machine) == "PowerState/running"


async def test_an_unknown_machine_is_not_found(azure: Azure, machine: Resource) -> None:
    client = await azure.compute()
    with pytest.raises(ResourceNotFoundError) as caught:
        await client.virtual_machines.begin_start(machine.resource_group, "vm-nowhere")
    assert caught.value.error is not None
    assert caught.value.error.code == "ResourceNotFound"


@pytest.mark.parametrize("lro", ["immediate", "polls=0", "polls=1", "seconds=0.05"])
async def test_the_sdk_waits_an_operation_out(azure: Azure, machine: Resource, lro: str) -> None:
    azure.world.behaviour.lro = lro
    client = await azure.compute()
    poller = await client.virtual_machines.begin_deallocate(machine.resource_group, machine.name)
    await poller.wait()
    assert poller.status().lower() == "succeeded"
    assert await power_of(azure, machine) == "PowerState/deallocated"


@pytest.mark.parametrize(
    "verb,before,during,after",
    [
        ("start", "deallocated", "starting", "running"),
        ("deallocate", "running", "deallocating", "deallocated"),
        ("powerOff", "running", "stopping", "stopped"),
        ("powerOff", "deallocated", "deallocated", "deallocated"),
        ("restart", "running", "running", "running"),
        ("start", "running", "running", "running"),
    ],
)
async def test_each_verb_goes_through_its_states(
    azure: Azure, machine: Resource, verb: str, before: str, during: str, after: str
) -> None:
    azure.world.behaviour.lro = "polls=1"
    machine.power = before
    reply = await azure.send("POST", f"{machine.id}/{verb}")
    assert reply.status_code == 202
    assert reply.content == b""
    assert await power_of(azure, machine) == f"PowerState/{during}"
    body = (await azure.send("GET", machine.id)).json()
    assert body["properties"]["provisioningState"] == "Updating"
    assert (await wait_through(azure, reply.headers["Azure-AsyncOperation"]))["status"] == "Succeeded"
    assert await power_of(azure, machine) == f"PowerState/{after}"


async def test_polling_answers_carry_what_clients_wait_for(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "polls=2"
    reply = await azure.send("POST", f"{machine.id}/restart")
    status, monitor = reply.headers["Azure-AsyncOperation"], reply.headers["Location"]
    assert status.startswith(
        f"{azure.url}/subscriptions/{azure.subscription.id}/providers/Microsoft.Compute/locations/"
    )
    assert reply.headers["Retry-After"] == "1"
    headers = await bearer(azure)
    first = await azure.http.get(status, headers=headers)
    assert first.headers["Retry-After"] == "1"
    assert first.json()["status"] == "InProgress"
    assert {"startTime", "name"} <= set(first.json())
    assert (await azure.http.get(monitor, headers=headers)).status_code == 202
    done = await azure.http.get(status, headers=headers)
    assert done.json()["status"] == "Succeeded"
    assert "endTime" in done.json()
    assert "Retry-After" not in done.headers
    final = await azure.http.get(monitor, headers=headers)
    assert (final.status_code, final.content) == (200, b"")


async def test_seconds_pass_with_the_stepped_clock_and_without_polls(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "seconds=600"
    reply = await azure.send("POST", f"{machine.id}/deallocate")
    status = reply.headers["Azure-AsyncOperation"]
    for _ in range(3):
        assert (await azure.http.get(status, headers=await bearer(azure))).json()["status"] == "InProgress"
    azure.world.clock.advance(601)
    assert await power_of(azure, machine) == "PowerState/deallocated"
    assert (await azure.http.get(status, headers=await bearer(azure))).json()["status"] == "Succeeded"


async def test_an_operation_nobody_polls_ends_by_the_clock(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "polls=2"
    await azure.send("POST", f"{machine.id}/deallocate")
    azure.world.clock.advance(3)
    rows = [row async for row in (await azure.compute()).virtual_machines.list_all(status_only="true")]
    view = next(row.instance_view for row in rows if row.name == machine.name)
    assert view is not None
    assert [status.code for status in view.statuses or []][1] == "PowerState/deallocated"


async def test_a_failed_operation_answers_200_and_leaves_the_machine_as_it_was(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "polls=0"
    machine.power = "deallocated"
    machine.faults["start"] = {"code": "AllocationFailed", "message": "We do not have sufficient capacity."}
    client = await azure.compute()
    poller = await client.virtual_machines.begin_start(machine.resource_group, machine.name)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()
    assert caught.value.status_code == 200
    assert caught.value.error is not None
    assert (caught.value.error.code, poller.status()) == ("AllocationFailed", "Failed")
    assert await power_of(azure, machine) == "PowerState/deallocated"
    assert (await azure.send("GET", machine.id)).json()["properties"]["provisioningState"] == "Failed"
    await (await client.virtual_machines.begin_start(machine.resource_group, machine.name)).wait()
    assert (await azure.send("GET", machine.id)).json()["properties"]["provisioningState"] == "Succeeded"


async def test_a_failed_operation_fails_on_its_location_too(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "immediate"
    machine.faults["stop"] = {"code": "InternalExecutionError", "message": "Please retry later."}
    reply = await azure.send("POST", f"{machine.id}/deallocate")
    final = await azure.http.get(reply.headers["Location"], headers=await bearer(azure))
    assert (final.status_code, final.json()["error"]["code"]) == (409, "InternalExecutionError")


async def test_a_second_operation_on_a_busy_machine_conflicts(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "seconds=60"
    client = await azure.compute()
    await azure.send("POST", f"{machine.id}/deallocate")
    with pytest.raises(ResourceExistsError) as caught:
        await client.virtual_machines.begin_start(machine.resource_group, machine.name)
    assert caught.value.status_code == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "Conflict"
    assert "conflict with a concurrent request" in (caught.value.error.message or "")


async def test_a_stopped_machine_cannot_be_restarted(azure: Azure, machine: Resource) -> None:
    machine.power = "deallocated"
    reply = await azure.send("POST", f"{machine.id}/restart")
    assert (reply.status_code, reply.json()["error"]) == (
        409,
        {"code": "OperationNotAllowed", "message": "The operation requires the VM to be running (or set to run)."},
    )


async def test_what_cannot_hibernate_says_so_and_a_disabled_subscription_is_read_only(
    azure: Azure, machine: Resource
) -> None:
    reply = await azure.send("POST", f"{machine.id}/deallocate", params={"hibernate": "true"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "OperationNotAllowed")
    azure.subscription.state = "Disabled"
    reply = await azure.send("POST", f"{machine.id}/deallocate")
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "ReadOnlyDisabledSubscription")


async def test_an_unknown_operation_is_not_found(azure: Azure, machine: Resource) -> None:
    reply = await azure.send("POST", f"{machine.id}/deallocate")
    url = reply.headers["Azure-AsyncOperation"].replace("/operations/", "/operations/0")
    lost = await azure.http.get(url, headers=await bearer(azure))
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "NotFound")


async def test_an_operation_on_a_machine_that_disappears_fails(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "polls=0"
    reply = await azure.send("POST", f"{machine.id}/restart")
    del azure.subscription.resources[machine.id.lower()]
    body = await wait_through(azure, reply.headers["Azure-AsyncOperation"])
    assert (body["status"], body["error"]["code"]) == ("Failed", "NotFound")


async def test_a_stop_by_the_user_is_told_from_a_fault_and_a_start_ends_it(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.lro = "immediate"
    await azure.send("POST", f"{machine.id}/deallocate")
    assert machine.health is not None
    assert (machine.health.state, machine.health.context) == ("Unavailable", "Customer Initiated")
    await azure.send("POST", f"{machine.id}/start")
    assert machine.health.state == "Available"


async def test_a_restart_clears_a_platform_fault_only_when_it_succeeds(azure: Azure, machine: Resource) -> None:
    now = azure.world.clock.now()
    fault = Health("Unavailable", now, now, "Unplanned", "Platform Initiated", "Unplanned", "Lost")
    azure.world.set_health(machine, fault)
    machine.faults["restart"] = {"code": "InternalExecutionError", "message": "No"}
    azure.world.behaviour.lro = "polls=0"
    for expected in ("Unavailable", "Available"):
        reply = await azure.send("POST", f"{machine.id}/restart")
        await wait_through(azure, reply.headers["Azure-AsyncOperation"])
        assert machine.health is not None
        assert machine.health.state == expected


async def test_polling_a_machine_too_often_is_throttled(azure: Azure, machine: Resource) -> None:
    azure.world.behaviour.throttling = True
    await azure.credential.get_token(SCOPE)
    replies = await asyncio.gather(*(azure.send("GET", f"{machine.id}/instanceView") for _ in range(45)))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert 5 <= len(refused) <= 9
    error = refused[0].json()["error"]
    assert error["code"] == "OperationNotAllowed"
    assert error["details"][0]["code"] == "TooManyRequests"
    assert int(refused[0].headers["Retry-After"]) >= 1
