"""Microsoft.Compute/virtualMachines: lists, instance views, and the power verbs as long-running operations.

Sources: https://learn.microsoft.com/rest/api/compute/virtual-machines
https://learn.microsoft.com/azure/virtual-machines/states-billing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox import arm_operations, arm_pages, arm_resources, arm_throttling, azure_types, scenarios
from sandbox.arm_access import require
from sandbox.arm_operations import Operation
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Resource, Subscription, World

_PROVIDER = "Microsoft.Compute"
_PREFIX = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachines"
_READ = f"{azure_types.VM}/read"


@dataclass(frozen=True)
class _Verb:
    during: str
    """Power state while it runs."""
    after: str
    group: str
    """Compute's name of the limit it counts against."""


_VERBS = {
    "start": _Verb("starting", "running", "UpdateVM"),
    "restart": _Verb("running", "running", "UpdateVM"),
    "powerOff": _Verb("stopping", "stopped", "UpdateVM"),
    "deallocate": _Verb("deallocating", "deallocated", "DeleteVM"),
}


def set_power(world: World, machine: Resource, power: str, at: datetime | None = None) -> None:
    """Give a virtual machine a power state and the health that follows from it.

    Stopped or deallocated makes it Unavailable with context "Customer Initiated", running makes it Available.
    A machine without health stays without.
    """
    machine.power = power
    world.subscriptions[machine.subscription_id].version += 1
    now = at or world.clock.now()
    if machine.health is None or power not in ("running", "stopped", "deallocated"):
        return
    health = scenarios.available(machine, now) if power == "running" else scenarios.customer_stop(now)
    if (machine.health.state, machine.health.context) != (health.state, health.context):
        world.set_health(machine, health)


def instance_view(world: World, machine: Resource) -> dict[str, Any]:
    """The instance view of a virtual machine."""
    power = machine.power or "unknown"
    profile = machine.properties["storageProfile"]
    up = power == "running"
    view: dict[str, Any] = {
        "computerName": machine.properties["osProfile"]["computerName"],
        "osName": profile["imageReference"]["offer"],
        "osVersion": profile["imageReference"]["exactVersion"],
        "hyperVGeneration": "V2",
        "disks": [{"name": profile["osDisk"]["name"], "statuses": [_provisioned(world, machine)]}],
        "statuses": statuses(world, machine),
    }
    if up:
        view["vmAgent"] = {
            "vmAgentVersion": "2.7.41491.1172",
            "statuses": [{"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"}],
        }
    else:
        del view["computerName"], view["osName"], view["osVersion"]
    return view


def statuses(world: World, machine: Resource) -> list[dict[str, str]]:
    """Provisioning and power status, as every view of a virtual machine lists them."""
    power = machine.power or "unknown"
    return [
        _provisioned(world, machine),
        {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
    ]


def _provisioned(world: World, machine: Resource) -> dict[str, str]:
    state = provisioning_state(world, machine)
    texts = {"Updating": "Updating", "Failed": "Provisioning failed"}
    return {
        "code": f"ProvisioningState/{state.lower()}",
        "level": "Error" if state == "Failed" else "Info",
        "displayStatus": texts.get(state, "Provisioning succeeded"),
        "time": arm_pages.timestamp(machine.created),
    }


def provisioning_state(world: World, machine: Resource) -> str:
    """Updating while an operation runs, Failed after one failed, Succeeded otherwise."""
    if arm_operations.running(world, machine) is not None:
        return "Updating"
    return "Failed" if machine.id.lower() in _failed(world) else "Succeeded"


def _failed(world: World) -> set[str]:
    ids: set[str] = world.extra.setdefault("compute.failed", set())
    return ids


def shape(world: World, machine: Resource, *, with_view: bool) -> dict[str, Any]:
    """A virtual machine as ARM returns it."""
    body = arm_resources.shape(machine)
    body["properties"] = {**machine.properties, "provisioningState": provisioning_state(world, machine)}
    if with_view:
        body["properties"]["instanceView"] = instance_view(world, machine)
    return body


def _status_row(world: World, machine: Resource) -> dict[str, Any]:
    """A row of the list with `statusOnly=true`: only what says whether it runs."""
    return {
        "id": machine.id,
        "name": machine.name,
        "type": machine.type,
        "location": machine.location,
        "properties": {
            "vmId": machine.properties["vmId"],
            "provisioningState": provisioning_state(world, machine),
            "instanceView": {"statuses": statuses(world, machine)},
        },
    }


def add_routes(service: Service) -> None:
    """Register the routes of virtual machines."""

    @service.route("GET", "/subscriptions/{sub}/providers/Microsoft.Compute/virtualMachines")
    async def list_all(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], _READ)
        arm_throttling.admit_compute(call, subscription, "HighCostGet", arm_throttling.VM_LIST)
        return _list(call, subscription, None)

    @service.route("GET", _PREFIX)
    async def list_group(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], _READ)
        arm_resources.require_group(subscription, call.params["rg"])
        arm_throttling.admit_compute(call, subscription, "HighCostGet", arm_throttling.VM_LIST)
        return _list(call, subscription, call.params["rg"].lower())

    @service.route("GET", _PREFIX + "/{vm}")
    async def get(call: Call) -> Reply:
        machine = _machine(call, _READ)
        with_view = "instanceview" in call.query.get("$expand", "").lower()
        return Reply(shape(call.world, machine, with_view=with_view))

    @service.route("GET", _PREFIX + "/{vm}/instanceView")
    async def view(call: Call) -> Reply:
        return Reply(instance_view(call.world, _machine(call, f"{azure_types.VM}/instanceView/read")))

    for verb in _VERBS:
        _add_verb(service, verb)


def _add_verb(service: Service, verb: str) -> None:
    @service.route("POST", f"{_PREFIX}/{{vm}}/{verb}")
    async def act(call: Call) -> Reply:
        return _act(call, verb)


def _list(call: Call, subscription: Subscription, group: str | None) -> Reply:
    world = call.world
    arm_operations.settle(world)
    status_only = call.query.get("statusonly", "").lower() == "true"
    with_view = "instanceview" in call.query.get("$expand", "").lower()
    kind = azure_types.VM
    rows = arm_pages.rows_of(
        world,
        subscription,
        "machines",
        (group, status_only, with_view),
        lambda: (
            _status_row(world, machine) if status_only else shape(world, machine, with_view=with_view)
            for machine in subscription.resources.values()
            if machine.type == kind and group in (None, machine.resource_group.lower())
        ),
    )
    return arm_pages.page_reply(call, rows)


def _machine(call: Call, action: str) -> Resource:
    """The machine of a path, after its own read limit when it is only read."""
    subscription, machine = arm_resources.find(call, f"{azure_types.VM}/{call.params['vm']}", action)
    arm_operations.settle(call.world)
    if action.endswith("/read"):
        arm_throttling.admit_compute(call, subscription, "LowCostGet", arm_throttling.VM_READ, machine)
    return machine


def _act(call: Call, verb: str) -> Reply:
    world, row = call.world, _VERBS[verb]
    machine = _machine(call, f"{azure_types.VM}/{verb}/action")
    subscription = world.subscriptions[machine.subscription_id]
    arm_throttling.admit_compute(call, subscription, row.group, arm_throttling.VM_UPDATE, machine)
    if subscription.state == "Disabled":
        raise CloudError(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{subscription.id}' is disabled and therefore marked as read only. "
            "You cannot perform any write actions on this subscription until it is re-enabled.",
        )
    if arm_operations.running(world, machine) is not None:
        raise CloudError(
            409,
            "Conflict",
            "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
            "https://aka.ms/activitylog to get more details on the conflicting requests.",
        )
    before = machine.power or "running"
    if verb == "restart" and before in ("stopped", "deallocated"):
        raise CloudError(409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run).")
    if call.query.get("hibernate", "").lower() == "true":
        raise CloudError(
            409,
            "OperationNotAllowed",
            "The Hibernate-Deallocate Operation cannot be performed on a VM that does not have hibernation enabled.",
        )
    after = before if verb == "powerOff" and before == "deallocated" else row.after

    def finish(operation: Operation) -> None:
        succeeded = operation.error is None
        (_failed(world).discard if succeeded else _failed(world).add)(machine.id.lower())
        if world.resource(machine.id) is machine:
            machine.power = before
            if succeeded:
                set_power(world, machine, after, operation.ended)
            subscription.version += 1

    machine.power = row.during if after != before else before
    subscription.version += 1
    error = machine.faults.pop(verb, None)
    if error is None and verb in ("deallocate", "powerOff"):
        error = machine.faults.pop("stop", None)
    return arm_operations.begin(call, machine, provider=_PROVIDER, verb=verb, error=error, finish=finish)
