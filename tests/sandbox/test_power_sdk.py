"""The long-running protocols as Microsoft's own clients poll them: azure-mgmt-core's poller, azure-mgmt-compute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from azure.core import AsyncPipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, RequestIdPolicy
from azure.core.polling import AsyncLROPoller
from azure.core.rest import HttpRequest
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from sandbox import scale_sets, scenarios
from sandbox.azure_types import VM
from sandbox.power import faults, states
from sandbox.server import Sandbox
from sandbox.world import Resource
from tests.sandbox.azure import SCOPE, Azure
from tests.sandbox.power import row_of


@pytest.fixture(autouse=True)
def default_world(sandbox: Sandbox) -> None:
    """The world with one resource of every type, in place of the default one."""
    scenarios.reset(sandbox.cloud, "actions")


@pytest_asyncio.fixture
async def azure(sandbox: Sandbox, default_world: None) -> AsyncIterator[Azure]:
    async with Azure(sandbox) as azure:
        yield azure


def resource_of(azure: Azure, type_name: str) -> Resource:
    return next(one for one in azure.subscription.resources.values() if one.type == type_name)


async def poll(azure: Azure, type_name: str, verb: str) -> Any:
    """Carry an action out with the poller that every client of Azure shares; what it returns."""
    row = row_of(type_name)
    action = row.actions[verb]
    resource = resource_of(azure, type_name)
    options = {"final-state-via": action.final} if action.final else {}
    # The poller reads the request id that it sends.
    policies: list[Any] = [RequestIdPolicy(), AsyncBearerTokenCredentialPolicy(azure.credential, SCOPE)]
    client: AsyncPipelineClient[Any, Any] = AsyncPipelineClient(base_url=azure.url, policies=policies)
    async with client:
        path = f"{azure.url}{resource.id}" + (f"/{action.operation}" if action.operation else "")
        params = {"api-version": action.version, **action.query}
        request = HttpRequest(action.method, path, params=params, json=action.body)
        first = await client._pipeline.run(request, stream=False)
        assert first.http_response.status_code in action.accepts
        method: Any = AsyncARMPolling(0.01, lro_options=options)
        poller = AsyncLROPoller(client, first, lambda done: done.http_response, method)
        return await poller.result()


@pytest.mark.parametrize("lro", ["immediate", "polls=1"])
@pytest.mark.parametrize(
    "type_name,verb",
    [
        ("Microsoft.ContainerService/managedClusters", "stop"),
        ("Microsoft.ContainerService/managedClusters/agentPools", "stop"),
        ("Microsoft.DBforPostgreSQL/flexibleServers", "stop"),
        ("Microsoft.DBforMySQL/flexibleServers", "restart"),
        ("Microsoft.Synapse/workspaces/sqlPools", "pause"),
        ("Microsoft.Synapse/workspaces/integrationRuntimes", "stop"),
        ("Microsoft.DataFactory/factories/triggers", "stop"),
        ("Microsoft.Compute/hostGroups/hosts", "restart"),
        ("Microsoft.SignalRService/webPubSub", "stop"),
        ("Microsoft.Cdn/profiles/afdEndpoints", "pause"),
        ("Microsoft.Kusto/clusters", "stop"),
        ("Microsoft.StoragePool/diskPools", "stop"),
        ("Microsoft.ScVmm/virtualMachineInstances", "stop"),
    ],
)
async def test_the_shared_poller_waits_an_operation_out(azure: Azure, type_name: str, verb: str, lro: str) -> None:
    azure.world.behaviour.lro = lro
    await poll(azure, type_name, verb)
    row = row_of(type_name)
    assert states.read(row, resource_of(azure, type_name)) == row.actions[verb].after


async def test_the_shared_poller_returns_the_resource_where_the_answers_carry_it(azure: Azure) -> None:
    azure.world.behaviour.lro = "polls=1"
    pool = await poll(azure, "Microsoft.Synapse/workspaces/sqlPools", "pause")
    assert pool.json()["properties"]["status"] == "Paused"
    node_pool = await poll(azure, "Microsoft.ContainerService/managedClusters/agentPools", "stop")
    assert node_pool.json()["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("type_name", ["Microsoft.Kusto/clusters", "Microsoft.ContainerService/managedClusters"])
async def test_the_shared_poller_raises_the_code_of_a_failure(azure: Azure, type_name: str) -> None:
    azure.world.behaviour.lro = "polls=0"
    faults.put(resource_of(azure, type_name), {"verb": "stop", "kind": "allocation"})
    with pytest.raises(HttpResponseError) as caught:
        await poll(azure, type_name, "stop")
    assert caught.value.error is not None
    assert caught.value.error.code == "AllocationFailed"


async def test_the_shared_poller_takes_an_answer_without_headers_for_the_end(azure: Azure) -> None:
    """Which is why such a type's end is to be read from its state."""
    azure.world.behaviour.lro = "polls=3"
    await poll(azure, "Microsoft.AnalysisServices/servers", "pause")
    shown = resource_of(azure, "Microsoft.AnalysisServices/servers").properties["state"]
    assert shown == "Pausing"


async def test_a_machine_hibernates_and_wakes(azure: Azure) -> None:
    azure.world.behaviour.lro = "polls=0"
    client, machine = await azure.compute(), resource_of(azure, VM)
    place = (machine.resource_group, machine.name)
    await (await client.virtual_machines.begin_deallocate(*place, hibernate=True)).result()
    codes = [row.code for row in (await client.virtual_machines.instance_view(*place)).statuses or []]
    assert codes[1:] == ["PowerState/deallocated", "HibernationState/Hibernated"]
    with pytest.raises(HttpResponseError) as caught:
        await client.virtual_machines.begin_deallocate(*place, hibernate=True)
    assert caught.value.status_code == 409
    await (await client.virtual_machines.begin_start(*place)).result()
    codes = [row.code for row in (await client.virtual_machines.instance_view(*place)).statuses or []]
    assert codes[1:] == ["PowerState/running"]


async def test_a_hibernated_machine_that_is_deallocated_again_keeps_its_memory(azure: Azure) -> None:
    azure.world.behaviour.lro = "immediate"
    client, machine = await azure.compute(), resource_of(azure, VM)
    place = (machine.resource_group, machine.name)
    await (await client.virtual_machines.begin_deallocate(*place, hibernate=True)).result()
    await (await client.virtual_machines.begin_deallocate(*place)).result()
    assert machine.hibernated


async def summary(azure: Azure) -> dict[str, int]:
    """Power state -> instances in it, of the scale set."""
    scale_set = resource_of(azure, scale_sets.TYPE)
    client = await azure.compute()
    view = await client.virtual_machine_scale_sets.get_instance_view(scale_set.resource_group, scale_set.name)
    rows = (view.virtual_machine.statuses_summary if view.virtual_machine else None) or []
    return {row.code: row.count for row in rows if row.code and row.count and row.code.startswith("PowerState/")}


async def test_a_scale_set_is_stopped_and_started_as_a_whole_and_in_part(azure: Azure) -> None:
    azure.world.behaviour.lro = "polls=0"
    client, scale_set = await azure.compute(), resource_of(azure, scale_sets.TYPE)
    place = (scale_set.resource_group, scale_set.name)
    assert await summary(azure) == {"PowerState/running": 3}
    await (await client.virtual_machine_scale_sets.begin_deallocate(*place)).result()
    assert await summary(azure) == {"PowerState/deallocated": 3}
    some: Any = {"instanceIds": ["0", "2"]}
    await (await client.virtual_machine_scale_sets.begin_start(*place, some)).result()
    assert await summary(azure) == {"PowerState/running": 2, "PowerState/deallocated": 1}
    await (await client.virtual_machine_scale_sets.begin_restart(*place)).result()
    assert await summary(azure) == {"PowerState/running": 2, "PowerState/deallocated": 1}


async def test_one_instance_of_a_scale_set_is_stopped_hibernated_and_listed(azure: Azure) -> None:
    azure.world.behaviour.lro = "polls=0"
    client, scale_set = await azure.compute(), resource_of(azure, scale_sets.TYPE)
    place = (scale_set.resource_group, scale_set.name)
    await (await client.virtual_machine_scale_set_vms.begin_deallocate(*place, "1")).result()
    view = await client.virtual_machine_scale_set_vms.get_instance_view(*place, "1")
    assert [row.code for row in view.statuses or []][1] == "PowerState/deallocated"
    rows = [row async for row in client.virtual_machine_scale_set_vms.list(*place, expand="instanceView")]
    assert [row.instance_id for row in rows] == ["0", "1", "2"]
    await (await client.virtual_machine_scale_sets.begin_deallocate(*place, hibernate=True)).result()
    instances = scale_sets.instances(azure.world, scale_set)
    assert all(one.power == "deallocated" for one in instances)
    assert await summary(azure) == {"PowerState/deallocated": 3}


async def test_a_scale_set_refuses_strange_instances_and_a_second_operation(azure: Azure) -> None:
    azure.world.behaviour.lro = "seconds=60"
    client, scale_set = await azure.compute(), resource_of(azure, scale_sets.TYPE)
    place = (scale_set.resource_group, scale_set.name)
    strange: Any = {"instanceIds": ["9"]}
    with pytest.raises(HttpResponseError) as caught:
        await client.virtual_machine_scale_sets.begin_deallocate(*place, strange)
    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidParameter")
    await azure.send("POST", f"{scale_set.id}/virtualMachines/0/restart")
    with pytest.raises(HttpResponseError) as caught:
        await client.virtual_machine_scale_sets.begin_deallocate(*place)
    assert caught.value.status_code == 409


async def test_a_scale_set_that_cannot_get_capacity_stays_as_it_was(azure: Azure) -> None:
    azure.world.behaviour.lro = "polls=0"
    client, scale_set = await azure.compute(), resource_of(azure, scale_sets.TYPE)
    place = (scale_set.resource_group, scale_set.name)
    await (await client.virtual_machine_scale_sets.begin_deallocate(*place)).result()
    faults.put(scale_set, {"verb": "start", "kind": "allocation"})
    poller = await client.virtual_machine_scale_sets.begin_start(*place)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()
    assert caught.value.error is not None
    assert caught.value.error.code == "AllocationFailed"
    assert await summary(azure) == {"PowerState/deallocated": 3}
