"""What is peculiar to single types: nothing to do, wrong states, bodies, several polling URLs, reading below the id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox import scenarios
from sandbox.power import faults, states, table
from sandbox.server import Sandbox
from tests.sandbox.power import Bare, bare_client, row_of

AKS = "Microsoft.ContainerService/managedClusters"
POOL = f"{AKS}/agentPools"
POSTGRES = "Microsoft.DBforPostgreSQL/flexibleServers"
FIREWALL = "Microsoft.Network/azureFirewalls"
SYNAPSE = "Microsoft.Synapse/workspaces/sqlPools"
ANALYSIS = "Microsoft.AnalysisServices/servers"
KUSTO = "Microsoft.Kusto/clusters"


@pytest.fixture(autouse=True)
def default_world(sandbox: Sandbox) -> None:
    """The world with one resource of every type, in place of the default one."""
    scenarios.reset(sandbox.cloud, "actions")


@pytest_asyncio.fixture
async def bare(sandbox: Sandbox, default_world: None) -> AsyncIterator[Bare]:
    async with bare_client(sandbox) as bare:
        yield bare


async def verb(bare: Bare, type_name: str, name: str) -> httpx.Response:
    row = row_of(type_name)
    return await bare.act(row, row.actions[name])


async def properties(bare: Bare, type_name: str) -> dict[str, Any]:
    row = row_of(type_name)
    reply = await bare.send("GET", bare.resource(row).id, version=next(iter(row.actions.values())).version)
    shown: dict[str, Any] = reply.json()["properties"]
    return shown


@pytest.mark.parametrize(
    "type_name", [AKS, "Microsoft.StorageCache/caches", "Microsoft.CognitiveServices/accounts/computes"]
)
async def test_nothing_to_do_is_204_without_a_header(bare: Bare, type_name: str) -> None:
    reply = await verb(bare, type_name, "start")
    assert (reply.status_code, reply.content) == (204, b"")
    assert not {"location", "azure-asyncoperation"} & set(reply.headers)


@pytest.mark.parametrize(
    "type_name,state,name",
    [
        (POSTGRES, "Ready", "start"),
        (POSTGRES, "Stopped", "stop"),
        (POSTGRES, "Stopped", "restart"),
        (SYNAPSE, "Paused", "pause"),
        ("Microsoft.Web/sites", "Stopped", "restart"),
        ("Microsoft.Automation/automationAccounts/jobs", "Stopped", "resume"),
        ("Microsoft.Automation/automationAccounts/jobs", "Stopped", "pause"),
        ("Microsoft.AzureStackHCI/virtualMachineInstances", "Stopped", "pause"),
        ("Microsoft.App/jobs", "Ready", "resume"),
    ],
)
async def test_a_state_that_does_not_allow_it_is_a_conflict(bare: Bare, type_name: str, state: str, name: str) -> None:
    row = row_of(type_name)
    states.write(bare.world, row, bare.resource(row), state)
    reply = await verb(bare, type_name, name)
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "OperationNotAllowed")
    assert f"in state '{state}'" in reply.json()["error"]["message"]
    assert await bare.state(row) == state


async def test_a_cluster_shows_its_new_power_state_at_once_and_its_work_in_the_provisioning_state(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=1"
    reply = await verb(bare, AKS, "stop")
    shown = await properties(bare, AKS)
    assert (shown["powerState"], shown["provisioningState"]) == ({"code": "Stopped"}, "Stopping")
    assert "/operationresults/" in reply.headers["location"]
    assert "api-version=2017-08-31" in reply.headers["location"]
    assert (await bare.send("GET", reply.headers["location"])).status_code == 202
    assert (await bare.send("GET", reply.headers["location"])).status_code == 204
    assert (await properties(bare, AKS))["provisioningState"] == "Succeeded"


async def test_a_cluster_that_fails_to_stop_runs_on(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=0"
    faults.put(bare.resource(row_of(AKS)), {"verb": "stop"})
    reply = await verb(bare, AKS, "stop")
    ended = await bare.send("GET", reply.headers["location"])
    assert (ended.status_code, ended.json()["error"]["code"]) == (409, "InternalExecutionError")
    shown = await properties(bare, AKS)
    assert (shown["powerState"], shown["provisioningState"]) == ({"code": "Running"}, "Failed")


async def test_two_polling_urls_may_carry_different_ids(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=1"
    reply = await verb(bare, POSTGRES, "stop")
    status, result = reply.headers["azure-asyncoperation"], reply.headers["location"]
    assert "/azureAsyncOperation/" in status
    assert "/operationResults/" in result
    assert status.split("?")[0].rpartition("/")[2] != result.split("?")[0].rpartition("/")[2]
    running = (await bare.send("GET", status)).json()
    assert (running["status"], running["percentComplete"]) == ("InProgress", 50.0)
    done = (await bare.send("GET", status)).json()
    assert (done["status"], done["percentComplete"]) == ("Succeeded", 100.0)
    assert (await bare.send("GET", result)).status_code == 200


async def test_a_pool_is_the_body_of_every_answer_and_shows_the_old_state_at_first(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=1"
    reply = await verb(bare, SYNAPSE, "pause")
    assert reply.status_code == 202
    assert reply.json()["properties"]["provisioningState"] == "Succeeded"
    running = await bare.send("GET", reply.headers["location"])
    assert (running.status_code, running.json()["id"]) == (202, reply.json()["id"])
    done = await bare.send("GET", reply.headers["location"])
    assert (done.status_code, done.json()["properties"]["status"]) == (200, "Paused")


async def test_an_answer_without_polling_headers_is_followed_by_reading_the_state(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=2"
    reply = await verb(bare, ANALYSIS, "pause")
    assert reply.status_code == 202
    assert not {"location", "azure-asyncoperation", "retry-after"} & set(reply.headers)
    row = row_of(ANALYSIS)
    assert [await bare.state(row) for _ in range(3)] == ["Pausing", "Pausing", "Paused"]


async def test_an_operation_that_is_preempted_ends_canceled(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=0"
    faults.put(bare.resource(row_of(KUSTO)), {"verb": "stop", "kind": "preempted"})
    reply = await verb(bare, KUSTO, "stop")
    body = (await bare.send("GET", reply.headers["azure-asyncoperation"])).json()
    assert (body["status"], body["error"]["code"]) == ("Canceled", "OperationPreempted")
    assert (await properties(bare, KUSTO))["state"] == "Running"


@pytest.mark.parametrize(
    "kind,code",
    [("sku", "SkuNotAvailable"), ("quota", "QuotaExceeded"), ("conflict", "Conflict"), ("lock", "ScopeLocked")],
)
async def test_a_failure_can_be_the_first_answer(bare: Bare, kind: str, code: str) -> None:
    faults.put(bare.resource(row_of(KUSTO)), {"verb": "*", "kind": kind})
    reply = await verb(bare, KUSTO, "stop")
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, code)
    assert (await verb(bare, KUSTO, "stop")).status_code == 202


async def test_a_firewall_is_put_whole_and_loses_what_is_left_out(bare: Bare) -> None:
    bare.world.behaviour.lro = "immediate"
    firewall = bare.resource(row_of(FIREWALL))
    before = (await bare.send("GET", firewall.id, version="2026-03-01")).json()
    refused = await bare.send("PUT", firewall.id, version="2026-03-01", json={"properties": {"sku": {}}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "LocationRequired")
    stripped = {"location": before["location"], "properties": {"sku": before["properties"]["sku"]}}
    assert (await bare.send("PUT", firewall.id, version="2026-03-01", json=stripped)).status_code == 200
    shown = await properties(bare, FIREWALL)
    assert "ipConfigurations" not in shown
    assert "threatIntelMode" not in shown
    assert (await bare.send("PUT", firewall.id, version="2026-03-01", json=before)).status_code == 200
    assert await properties(bare, FIREWALL) == before["properties"]


async def test_a_node_pool_answers_201_with_itself_and_is_polled_by_its_status(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=1"
    reply = await verb(bare, POOL, "stop")
    assert reply.status_code == 201
    body = reply.json()
    assert (body["properties"]["powerState"]["code"], body["properties"]["provisioningState"]) == (
        "Stopped",
        "Stopping",
    )
    assert "location" not in body


@pytest.mark.parametrize(
    "type_name,name,body",
    [
        ("Microsoft.Cache/redis", "restart", {"rebootType": "Everything"}),
        ("Microsoft.DBforMySQL/flexibleServers", "restart", {"restartWithFailover": True}),
        ("Microsoft.ServiceFabric/managedClusters/nodeTypes", "stop", {"force": True}),
        ("Microsoft.ScVmm/virtualMachineInstances", "stop", {"skipShutdown": False}),
        ("Microsoft.SignalRService/signalR", "stop", {"properties": {"resourceStopped": True}}),
        ("Oracle.Database/autonomousDatabases", "stop", {"action": "Pause"}),
        ("Microsoft.HDInsight/clusters", "restart", {"hosts": []}),
        ("Microsoft.Compute/virtualMachineScaleSets", "stop", ["0"]),
    ],
)
async def test_a_body_of_the_wrong_kind_is_refused(bare: Bare, type_name: str, name: str, body: Any) -> None:
    row = row_of(type_name)
    action = row.actions[name]
    path = f"{bare.resource(row).id}/{action.operation or ''}".rstrip("/")
    reply = await bare.send(action.method, path, version=action.version, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidRequestContent")


async def test_the_body_names_the_verb_where_the_path_does_not(bare: Bare) -> None:
    bare.world.behaviour.lro = "polls=1"
    await verb(bare, "Oracle.Database/autonomousDatabases", "restart")
    assert (await properties(bare, "Oracle.Database/autonomousDatabases"))["lifecycleState"] == "Restarting"


async def test_a_database_that_is_no_data_warehouse_cannot_be_paused(bare: Bare) -> None:
    row = row_of("Microsoft.Sql/servers/databases")
    bare.resource(row).kind = "v12.0,user"
    reply = await verb(bare, row.type, "pause")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "FeatureNotSupported")


async def test_what_a_type_cannot_do_is_not_found(bare: Bare) -> None:
    gateway = bare.resource(row_of("Microsoft.Network/virtualNetworkGateways"))
    reply = await bare.send("POST", f"{gateway.id}/stop", version="2026-03-01")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "InvalidResourceType")
    wrong = await bare.send("POST", f"{gateway.id}/getStatus", version="2026-03-01")
    assert wrong.status_code == 404


async def test_an_arc_machine_itself_has_no_verb_but_its_extension_has(bare: Bare) -> None:
    extension = bare.resource(row_of("Microsoft.ScVmm/virtualMachineInstances"))
    machine = extension.id.partition("/providers/Microsoft.ScVmm")[0]
    assert (await bare.send("POST", f"{machine}/start", version="2023-10-07")).status_code == 404
    listed = await bare.send(
        "GET", f"{machine}/providers/Microsoft.ScVmm/virtualMachineInstances", version="2023-10-07"
    )
    assert [one["id"] for one in listed.json()["value"]] == [extension.id]


async def test_a_known_client_may_come_with_an_older_version_and_a_preview_type_takes_its_own_only(bare: Bare) -> None:
    site = bare.resource(row_of("Microsoft.Web/sites"))
    assert (await bare.send("POST", f"{site.id}/stop", version="2023-12-01")).status_code == 200
    pool = bare.resource(row_of("Microsoft.HorizonDb/clusters/pools"))
    reply = await bare.send("POST", f"{pool.id}/stop", version="2026-10-01")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")


async def test_nothing_is_acted_on_in_a_disabled_subscription(bare: Bare) -> None:
    bare.subscription.state = "Disabled"
    reply = await verb(bare, KUSTO, "stop")
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "ReadOnlyDisabledSubscription")


async def test_children_are_on_their_parents_lists_only(bare: Bare) -> None:
    listed = await bare.send("GET", f"/subscriptions/{bare.subscription.id}/resources", version="2025-04-01")
    types = {row["type"].lower() for row in listed.json()["value"]}
    expected = {name for name, row in table.load().items() if row.listed}
    assert expected <= types
    assert not types & {name for name, row in table.load().items() if not row.listed}
    cluster = bare.resource(row_of(AKS))
    pools = await bare.send("GET", f"{cluster.id}/agentPools", version="2026-08-01")
    assert [one["type"] for one in pools.json()["value"]] == [POOL]


async def test_resource_graph_shows_the_run_state_of_what_is_tracked(bare: Bare) -> None:
    bare.world.behaviour.lro = "immediate"
    await verb(bare, KUSTO, "stop")
    query = {"query": "Resources | project id, type, properties", "options": {"$top": 1000}}
    url = "/providers/Microsoft.ResourceGraph/resources"
    rows = (await bare.send("POST", url, version="2021-03-01", json=query)).json()["data"]
    by_type = {row["type"]: row["properties"] for row in rows if bare.subscription.id in row["id"]}
    assert by_type[KUSTO.lower()]["state"] == "Stopped"
    assert POOL.lower() not in by_type


async def test_resource_health_follows_a_stop_by_the_customer(bare: Bare) -> None:
    bare.world.behaviour.lro = "immediate"
    cluster = bare.resource(row_of(KUSTO))
    for name, state, context in (("stop", "Unavailable", "Customer Initiated"), ("start", "Available", None)):
        await verb(bare, KUSTO, name)
        assert cluster.health is not None
        assert (cluster.health.state, cluster.health.context) == (state, context)


async def test_at_once_is_200_where_the_type_has_it_and_the_first_code_with_its_headers_elsewhere(bare: Bare) -> None:
    bare.world.behaviour.lro = "immediate"
    quick = await verb(bare, KUSTO, "stop")
    assert (quick.status_code, "location" in quick.headers) == (200, False)
    slow = await verb(bare, POSTGRES, "stop")
    assert (slow.status_code, "location" in slow.headers) == (202, True)
    assert (await properties(bare, POSTGRES))["state"] == "Stopped"


async def test_an_operation_can_take_as_long_as_its_type_usually_does(bare: Bare, control: httpx.AsyncClient) -> None:
    assert (await control.put("/behaviour", json={"lro": "typical"})).is_success
    instance = "Microsoft.Sql/managedInstances"
    await verb(bare, instance, "stop")
    for seconds, state in ((240, "Stopping"), (61, "Stopped")):
        await control.post("/clock", json={"advanceSeconds": seconds})
        assert (await properties(bare, instance))["state"] == state


async def test_the_hosts_of_a_cluster_are_listed_before_they_are_restarted(bare: Bare) -> None:
    cluster = bare.resource(row_of("Microsoft.HDInsight/clusters"))
    hosts = (await bare.send("POST", f"{cluster.id}/listHosts", version="2021-06-01")).json()
    reply = await bare.send("POST", f"{cluster.id}/restartHosts", version="2021-06-01", json=[hosts[1]["name"]])
    assert reply.status_code == 202


async def test_the_control_api_sets_states_and_failures_makes_resources_and_shows_bodies(
    bare: Bare, control: httpx.AsyncClient
) -> None:
    resource_id = bare.resource(row_of(KUSTO)).id
    answer = await control.put("/resources", json={"resourceId": resource_id, "state": "Stopped"})
    assert answer.status_code == 200
    assert (await properties(bare, KUSTO))["state"] == "Stopped"
    fault = {"verb": "start", "kind": "quota"}
    await control.put("/resources", json={"resourceId": resource_id, "fault": fault})
    assert (await verb(bare, KUSTO, "start")).json()["error"]["code"] == "QuotaExceeded"
    bad = await control.put("/resources", json={"resourceId": resource_id, "fault": {"verb": "start", "kind": "mood"}})
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "BadFault")
    body = {"subscriptionId": bare.subscription.id, "type": POOL}
    made = (await control.post("/resources", json=body)).json()
    assert bare.world.resource(made["resourceId"]) is not None
    since = (await control.get("/requests")).json()["last"]
    await verb(bare, "Microsoft.Cache/redis", "restart")
    shown = (await control.get("/requests", params={"since": since, "service": "arm"})).json()["requests"]
    assert shown[-1]["body"] == {"rebootType": "AllNodes"}


async def test_a_state_is_not_set_on_what_has_none(control: httpx.AsyncClient, bare: Bare) -> None:
    machine = bare.resource(row_of("Microsoft.Compute/virtualMachines"))
    answer = await control.put("/resources", json={"resourceId": machine.id, "state": "Stopped"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadState")
