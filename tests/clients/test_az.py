"""The Azure CLI, as it is, against the sandbox under production host names."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio

from sandbox import scenarios
from sandbox.azure_types import VM
from sandbox.power import states, table
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


COMMANDS: list[tuple[str, str, tuple[str, ...], str]] = [
    ("Microsoft.Compute/virtualMachines", "stop", ("vm", "deallocate"), "VM deallocated"),
    ("Microsoft.Web/sites", "stop", ("webapp", "stop"), "Stopped"),
    ("Microsoft.ContainerService/managedClusters", "stop", ("aks", "stop"), "Stopped"),
    ("Microsoft.ContainerInstance/containerGroups", "stop", ("container", "stop"), "Stopped"),
    ("Microsoft.Network/applicationGateways", "stop", ("network", "application-gateway", "stop"), "Stopped"),
    ("Microsoft.DBforPostgreSQL/flexibleServers", "stop", ("postgres", "flexible-server", "stop"), "Stopped"),
    ("Microsoft.DBforMySQL/flexibleServers", "stop", ("mysql", "flexible-server", "stop"), "Stopped"),
    ("Microsoft.Kusto/clusters", "stop", (), "Stopped"),
    ("Microsoft.Logic/workflows", "pause", (), "Disabled"),
    ("Microsoft.Synapse/workspaces/sqlPools", "pause", (), "Paused"),
    ("Microsoft.DataFactory/factories/triggers", "stop", (), "Stopped"),
    ("Microsoft.ScVmm/virtualMachineInstances", "stop", (), "Stopped"),
]
"""Type, verb, the CLI's own command (none: `az rest`), and the state that it shows afterwards."""


@pytest.mark.parametrize("type_name,verb,command,after", COMMANDS, ids=[row[0] for row in COMMANDS])
async def test_every_way_of_the_cli_shows_the_state_after_an_action(
    run: Run,
    contoso: Tenant,
    secret: tuple[str, str],
    sandbox: Sandbox,
    type_name: str,
    verb: str,
    command: Any,
    after: str,
) -> None:
    """The action is sent by the CLI's own command where it has one; the state is read as the CLI reads anything."""
    world = scenarios.reset(sandbox.cloud, "actions")
    world.behaviour.lro = "polls=1"
    everything = next(row for row in world.subscriptions.values() if row.name == "Contoso Everything")
    resource = next(row for row in everything.resources.values() if row.type == type_name)
    row = table.load()[type_name.lower()]
    action = row.actions[verb]

    async def az(*arguments: str) -> Any:
        done = await run("az", *arguments, "--output", "json")
        assert done.code == 0, done.err
        return json.loads(done.out) if done.out.strip() else None

    await az("login", "--service-principal", "-u", secret[0], f"-p={secret[1]}", "--tenant", contoso.id)
    await az("account", "set", "--subscription", everything.id)
    place = ("-g", resource.resource_group, "-n", resource.name)
    if command:
        await az(*command, *place)
    else:
        url = f"{resource.id}/{action.operation}?api-version={action.version}"
        body = ("--body", json.dumps(action.body)) if action.body is not None else ()
        await az("rest", "--method", action.method, "--url", url, *body)
        # The CLI sends a request and does not wait for its end.
        world.clock.advance(5)
    if type_name == VM:
        assert (await az("vm", "show", "-d", *place))["powerState"] == after
        return
    shown = await az("rest", "--url", f"{resource.id}?api-version={action.version}")
    assert states.value_at(shown, row.path) == after
    if row.listed:
        assert states.value_at(await az("resource", "show", "--ids", resource.id), row.path) == after
