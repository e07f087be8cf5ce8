"""The Azure CLI, as it is, against the sandbox under production host names."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio

from sandbox.azure_types import VM
from sandbox.server import Sandbox
from sandbox.world import Resource, Subscription, Tenant
from tests.clients.conftest import Run

pytestmark = pytest.mark.clients


@pytest_asyncio.fixture
async def az(run: Run, contoso: Tenant, secret: tuple[str, str], subscription: Subscription) -> Any:
    """A function of a command's words, signed in as the customer's service principal; gives the printed JSON."""

    async def call(*arguments: str) -> Any:
        done = await run("az", *arguments, "--output", "json")
        assert done.code == 0, done.err
        return json.loads(done.out) if done.out.strip() else None

    signed_in = await call("login", "--service-principal", "-u", secret[0], f"-p={secret[1]}", "--tenant", contoso.id)
    assert {row["id"] for row in signed_in} == set(contoso.subscription_ids)
    await call("account", "set", "--subscription", subscription.id)
    return call


async def test_a_wrong_secret_is_refused_in_microsofts_words(
    run: Run, contoso: Tenant, secret: tuple[str, str]
) -> None:
    done = await run("az", "login", "--service-principal", "-u", secret[0], "-p=wrong", "--tenant", contoso.id)
    assert done.code == 1
    assert "AADSTS7000215" in done.err


async def test_inventory(az: Any, sandbox: Sandbox, subscription: Subscription, contoso: Tenant) -> None:
    accounts = await az("account", "list", "--refresh")
    assert {row["name"] for row in accounts} == {
        sandbox.cloud.world.subscriptions[subscription_id].name for subscription_id in contoso.subscription_ids
    }
    machines = [row for row in subscription.resources.values() if row.type == VM]
    assert {row["id"] for row in await az("vm", "list")} == {row.id for row in machines}
    detailed = await az("vm", "list", "-d")
    assert {row["powerState"] for row in detailed} == {"VM running"}
    assert all(row["publicIps"].startswith("203.0.113.") and row["privateIps"] for row in detailed)
    listed = await az("resource", "list")
    assert len(listed) == len(subscription.resources)
    groups = await az("group", "list")
    assert {row["name"] for row in groups} == {row.resource_group for row in subscription.resources.values()}


async def test_a_machine_is_stopped_and_started(az: Any, machine: Resource) -> None:
    place = ("-g", machine.resource_group, "-n", machine.name)
    await az("vm", "deallocate", *place)
    assert (await az("vm", "show", "-d", *place))["powerState"] == "VM deallocated"
    health = await az(
        "rest",
        "--url",
        f"{machine.id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current?api-version=2025-05-01",
    )
    assert health["properties"]["availabilityState"] == "Unavailable"
    assert health["properties"]["context"] == "Customer Initiated"
    await az("vm", "start", *place)
    view = await az("vm", "get-instance-view", *place)
    assert "PowerState/running" in {row["code"] for row in view["instanceView"]["statuses"]}


async def test_a_failed_operation_is_told(az: Any, run: Run, machine: Resource) -> None:
    machine.faults["restart"] = {"code": "InternalExecutionError", "message": "Please retry later."}
    done = await run("az", "vm", "restart", "-g", machine.resource_group, "-n", machine.name)
    assert done.code == 1
    assert "(InternalExecutionError) Please retry later." in done.err


async def test_what_is_not_there_is_not_found(az: Any, run: Run, machine: Resource) -> None:
    done = await run("az", "vm", "show", "-g", machine.resource_group, "-n", "vm-nowhere")
    assert done.code == 3
    assert "(ResourceNotFound)" in done.err


async def test_any_resource_is_shown_and_found_by_type(az: Any, subscription: Subscription) -> None:
    vault = next(row for row in subscription.resources.values() if row.type == "Microsoft.KeyVault/vaults")
    assert (await az("resource", "show", "--ids", vault.id))["id"] == vault.id
    assert vault.id in {row["id"] for row in await az("keyvault", "list")}


async def test_resource_graph_answers_through_rest(az: Any, machine: Resource) -> None:
    body = {"query": f"Resources | where id =~ '{machine.id}' | project id, name"}
    url = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    answer = await az("rest", "--method", "post", "--url", url, "--body", json.dumps(body))
    assert answer["data"] == [{"id": machine.id, "name": machine.name}]


async def test_roles_are_listed(az: Any) -> None:
    rows = await az(
        "rest",
        "--url",
        "/subscriptions/{subscriptionId}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01",
    )
    assert rows["value"]
