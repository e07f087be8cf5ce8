"""Actions on what is no virtual machine, over the wire: confirmations, instances, rights, and what is put back."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.arm_access import READER, VM_CONTRIBUTOR
from sandbox.power import estate as everything
from sandbox.power import table
from sandbox.world import Resource
from shared.operations import pauses
from shared.operations.records import GUARDS, Guard
from tests.api.test_operations import act, ended, offered
from tests.estate import Estate

FIREWALL, SCALE_SET = "Microsoft.Network/azureFirewalls", "Microsoft.Compute/virtualMachineScaleSets"


@pytest.fixture(autouse=True)
def at_once(estate: Estate) -> None:
    """Azure does what it is asked before it answers."""
    estate.sandbox.cloud.world.behaviour.lro = "immediate"


async def added(estate: Estate, resource_type: str) -> Resource:
    """One more resource of a type, seen by a poll."""
    row = table.load()[resource_type.lower()]
    resource = everything.add(estate.sandbox.cloud.world, estate.cloud(), row)
    await estate.poll()
    return resource


def sent(estate: Estate, resource: Resource, method: str = "POST") -> list[dict[str, Any]]:
    rows = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == method]
    return [row for row in rows if row["url"].lower().startswith(resource.id.lower())]


async def test_a_machine_is_hibernated_and_comes_back_with_its_memory(estate: Estate) -> None:
    machine = estate.machine()
    machine.properties = {**machine.properties, "additionalCapabilities": {"hibernationEnabled": True}}
    await estate.poll()
    pause = (await offered(estate, machine))["pause"]
    assert (pause["available"], pause["label"], pause["operationName"]) == (True, "Hibernate", "deallocate")
    assert "memory" in pause["effect"].lower()
    done = await ended(estate, await act(estate, machine, "pause"))
    assert (done["status"], done["result"]["powerState"], done["result"]["provenBy"]) == (
        "succeeded",
        "hibernated",
        "state",
    )
    [request] = sent(estate, machine)
    assert "hibernate=true" in request["url"]
    rows = await offered(estate, machine)
    assert [verb for verb, row in rows.items() if row["available"]] == ["start", "resume"]
    assert (await ended(estate, await act(estate, machine, "resume")))["result"]["powerState"] == "running"


async def test_a_scale_set_as_a_whole_asks_first_and_named_instances_do_not(estate: Estate) -> None:
    scale_set = await added(estate, SCALE_SET)
    restart = (await offered(estate, scale_set))["restart"]
    assert (restart["available"], restart["needsConfirmation"], restart["instances"]) == (True, True, "optional")
    refused = await act(estate, scale_set, "restart", 409)
    assert refused["error"]["code"] == "confirmationRequired"
    assert restart["confirmation"] in refused["error"]["message"]
    assert sent(estate, scale_set) == []
    done = await ended(estate, await act(estate, scale_set, "restart", instances=["0"]))
    assert done["status"] == "succeeded"
    assert [row["body"] for row in sent(estate, scale_set)] == [{"instanceIds": ["0"]}]
    assert (await ended(estate, await act(estate, scale_set, "stop", confirm=True)))["status"] == "succeeded"
    assert "body" not in sent(estate, scale_set)[-1]


async def test_instances_where_there_are_none_are_refused(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    refused = await act(estate, machine, "restart", 400, instances=["0"])
    assert refused["error"]["target"] == "instances"
    assert sent(estate, machine) == []


async def test_a_firewall_gets_back_the_addresses_that_were_taken_from_it_here(estate: Estate) -> None:
    firewall = await added(estate, FIREWALL)
    addresses = [{"name": "one", "properties": {"subnet": {"id": "/s"}, "publicIPAddress": {"id": "/p"}}}]
    firewall.properties = {**firewall.properties, "ipConfigurations": addresses}
    assert (await act(estate, firewall, "stop", 409))["error"]["code"] == "confirmationRequired"
    stopped = await ended(estate, await act(estate, firewall, "stop", confirm=True))
    assert (stopped["status"], stopped["result"]["powerState"]) == ("succeeded", "stopped")
    assert not firewall.properties.get("ipConfigurations")
    started = await ended(estate, await act(estate, firewall, "start", confirm=True))
    assert started["status"] == "succeeded"
    assert firewall.properties["ipConfigurations"] == addresses
    # Somebody deallocates it in Azure: what was kept is no longer what it had.
    firewall.properties = {k: v for k, v in firewall.properties.items() if k != "ipConfigurations"}
    row = (await offered(estate, firewall))["start"]
    assert not row["available"]
    assert "not stopped from here" in row["reason"]
    refused = await act(estate, firewall, "start", 409, confirm=True)
    assert refused["error"]["code"] == "actionNotAvailable"


RESTART = "Microsoft.Compute/virtualMachines/restart/action"


async def test_a_missing_right_is_told_and_refused_before_anything_is_stored(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    for assignment in estate.cloud().role_assignments:
        assignment.role = READER
    rows = await offered(estate, machine)
    assert not any(row["available"] for row in rows.values())
    assert RESTART in rows["restart"]["reason"]
    assert machine.id in rows["restart"]["reason"]
    refused = (await act(estate, machine, "restart", 409))["error"]
    assert (refused["code"], refused["target"]) == ("azureRightMissing", "restart")
    assert RESTART in refused["message"]
    assert machine.id in refused["message"]
    assert await estate.listed("/operations") == []
    assert await estate.listed("/audit", target=estate.device_id(machine)) == []
    assert await estate.app.tables.get(GUARDS, "device", estate.device_id(machine)) is None
    assert sent(estate, machine) == []
    # What was just given is seen at once.
    for assignment in estate.cloud().role_assignments:
        assignment.role = VM_CONTRIBUTOR
    assert (await ended(estate, await act(estate, machine, "restart")))["status"] == "succeeded"


async def test_a_right_that_is_lost_later_is_told_exactly(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await pauses.add(estate.app, machine.subscription_id, 5)
    operation = await act(estate, machine, "restart")
    for assignment in estate.cloud().role_assignments:
        assignment.role = READER
    await estate.advance(6)
    done = await ended(estate, operation)
    assert (done["status"], done["error"]["code"]) == ("failed", "AuthorizationFailed")
    assert RESTART in done["error"]["fix"]
    assert machine.id in done["error"]["fix"]


async def test_a_state_that_we_may_not_read_is_no_good_state(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    estate.cloud().role_assignments.clear()
    rows = await offered(estate, machine)
    assert not any(row["available"] for row in rows.values())
    refused = (await act(estate, machine, "restart", 409))["error"]
    assert refused["code"] == "azureRightMissing"
    assert rows["restart"]["reason"] == refused["message"]
    assert "Microsoft.Compute/virtualMachines" in refused["message"]
    assert "read" in refused["message"]
    assert await estate.listed("/operations") == []


async def test_a_refusal_to_show_the_state_for_another_reason_is_told_in_azures_words(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    error = {"code": "ReadOnlyDisabledSubscription", "message": "The subscription is disabled."}
    fault = {"service": "arm", "method": "GET", "path": f"/{machine.name}", "status": 403, "times": 1}
    (await estate.control.post("/faults", json={**fault, "body": {"error": error}})).raise_for_status()
    refused = (await act(estate, machine, "restart", 409))["error"]
    assert refused["code"] == "azureRefused"
    assert "The subscription is disabled." in refused["message"]


async def test_the_state_is_read_just_before_for_every_type(estate: Estate) -> None:
    app = await added(estate, "Microsoft.Web/sites")
    assert [verb for verb, row in (await offered(estate, app)).items() if row["available"]] == ["stop", "restart"]
    app.properties = {**app.properties, "state": "Stopped"}
    refused = await act(estate, app, "stop", 409)
    assert refused["error"]["code"] == "actionNotAvailable"
    assert "stopped" in refused["error"]["message"]
    done = await ended(estate, await act(estate, app, "start"))
    assert (done["status"], app.properties["state"]) == ("succeeded", "Running")


async def test_a_machine_of_azure_arc_is_acted_upon_at_its_hypervisor(estate: Estate) -> None:
    instance = await added(estate, "Microsoft.ConnectedVMwarevSphere/virtualMachineInstances")
    machine = estate.cloud().resources[instance.id.lower().partition("/providers/microsoft.connectedvm")[0]]
    rows = await offered(estate, machine)
    assert [verb for verb, row in rows.items() if row["available"]] == ["stop", "restart"]
    done = await ended(estate, await act(estate, machine, "stop"))
    assert (done["status"], done["result"]["powerState"]) == ("succeeded", "stopped")
    assert [row["url"].partition("?")[0] for row in sent(estate, machine)] == [f"{instance.id}/stop"]


async def test_what_lies_under_a_device_is_read_live_and_acted_upon_by_its_path(estate: Estate) -> None:
    pool = await added(estate, "Microsoft.ContainerService/managedClusters/agentPools")
    cluster = estate.cloud().resources[pool.id.lower().partition("/agentpools/")[0]]
    path = f"/devices/{estate.device_id(cluster)}"
    [row] = [row for row in await estate.listed(f"{path}/children") if row["resourceId"].lower() == pool.id.lower()]
    assert (row["type"], row["powerState"], row["actions"]) == (pool.type, "running", ["stop"])
    rows = {one["action"]: one for one in await estate.listed(f"{path}/actions", child=row["child"])}
    assert (rows["stop"]["available"], rows["stop"]["needsConfirmation"]) == (True, True)
    done = await ended(estate, await act(estate, cluster, "stop", confirm=True, child=row["child"]))
    assert (done["status"], done["result"]["child"]) == ("succeeded", row["child"])
    assert pool.properties["powerState"]["code"] == "Stopped"
    assert cluster.properties["powerState"]["code"] == "Running"
    again = await act(estate, cluster, "stop", 409, confirm=True, child=row["child"])
    assert again["error"]["code"] == "actionNotAvailable"


async def test_what_is_a_device_and_a_child_of_one_is_not_acted_on_twice_at_once(estate: Estate) -> None:
    slot = await added(estate, "Microsoft.Web/sites/slots")
    [site] = [row for row in estate.cloud().resources.values() if slot.id.lower().startswith(f"{row.id.lower()}/")]
    await estate.poll()
    child = slot.id[len(site.id) + 1 :]
    holder = Guard(device_id=estate.device_id(slot), at=estate.app.clock.now())
    await estate.app.tables.insert(GUARDS, holder)
    assert (await act(estate, slot, "restart", 409))["error"]["code"] == "operationRunning"
    assert (await act(estate, site, "restart", 409, child=child))["error"]["code"] == "operationRunning"
    rows = await estate.listed(f"/devices/{estate.device_id(site)}/actions", child=child)
    assert not any(row["available"] for row in rows)
    await estate.app.tables.delete(GUARDS, holder)
    done = await ended(estate, await act(estate, site, "restart", child=child))
    assert (done["status"], done["resource"]) == ("succeeded", estate.device_id(slot))
    assert len(sent(estate, slot)) == 1


async def test_what_is_no_child_is_refused(estate: Estate) -> None:
    cluster = await added(estate, "Microsoft.ContainerService/managedClusters")
    for child in ("agentPools", "agentPools/", "colours/red", "agentPools/a/b", "../../x", "a?b/c", "agentPools/.."):
        await act(estate, cluster, "stop", 400, child=child)
    assert sent(estate, cluster, "PUT") + sent(estate, cluster) == []
