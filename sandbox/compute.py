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
from sandbox.power import faults, requests, table
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Resource, Subscription, World

_PROVIDER = "Microsoft.Compute"
_PREFIX = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachines"
_READ = f"{azure_types.VM}/read"


@dataclass(frozen=True)
class Verb:
    """What a power verb does to a machine."""

    during: str
    """Power state while it runs."""
    after: str
    group: str
    """Compute's name of the limit it counts against."""


VERBS = {
    "start": Verb("starting", "running", "UpdateVM"),
    "restart": Verb("running", "running", "UpdateVM"),
    "powerOff": Verb("stopping", "stopped", "UpdateVM"),
    "deallocate": Verb("deallocating", "deallocated", "DeleteVM"),
}


def set_power(world: World, machine: Resource, power: str, at: datetime | None = None) -> None:
    """Give a virtual machine a power state and the health that follows from it.

    Stopped or deallocated makes it Unavailable with context "Customer Initiated", running makes it Available.
    A machine without health stays without.
    """
    machine.power, machine.hibernated = power, False
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
    """Provisioning and power status, as every view of a virtual machine lists them; of a hibernated one that too."""
    power = machine.power or "unknown"
    rows = [
        _provisioned(world, machine),
        {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
    ]
    if machine.hibernated:
        rows.append({"code": "HibernationState/Hibernated", "level": "Info", "displayStatus": "VM hibernated"})
    return rows


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

    for verb in VERBS:
        _add_verb(service, verb)


def _add_verb(service: Service, verb: str) -> None:
    @service.route("POST", f"{_PREFIX}/{{vm}}/{verb}")
    async def post(call: Call) -> Reply:
        return act(call, _machine(call, f"{azure_types.VM}/{verb}/action"), verb)


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


def fault_names(verb: str, *, hibernate: bool) -> tuple[str, ...]:
    """The names under which a failure may wait for a verb."""
    if hibernate:
        return ("pause", verb)
    return {"start": ("start", "resume"), "restart": ("restart",)}.get(verb, (verb, "stop"))


def check(call: Call, machine: Resource, verb: str) -> bool:
    """What counts for machines and scale sets alike; true when a deallocation is to hibernate.

    Raises CloudError 400 for an api-version that Compute does not know, 409 for a disabled subscription and for
    hibernation where it is not enabled.
    """
    row = table.load()[azure_types.VM.lower()]
    requests.check_version(call, row, row.actions["start"])
    subscription = call.world.subscriptions[machine.subscription_id]
    if subscription.state == "Disabled":
        raise CloudError(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{subscription.id}' is disabled and therefore marked as read only. "
            "You cannot perform any write actions on this subscription until it is re-enabled.",
        )
    hibernate = verb == "deallocate" and call.query.get("hibernate", "").lower() == "true"
    if hibernate and not (machine.properties.get("additionalCapabilities") or {}).get("hibernationEnabled"):
        raise CloudError(
            409,
            "OperationNotAllowed",
            "The Hibernate-Deallocate Operation cannot be performed on a VM that does not have hibernation enabled.",
        )
    return hibernate


def not_running() -> CloudError:
    """The refusal of what needs a running machine."""
    return CloudError(409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run).")


def act(call: Call, machine: Resource, verb: str) -> Reply:
    """Begin a power verb on a machine, or on an instance of a scale set.

    Raises what `check` raises, CloudError 409 for a busy machine or one that does not run where it must, and the
    failure that was put on it.
    """
    world, row = call.world, VERBS[verb]
    subscription = world.subscriptions[machine.subscription_id]
    arm_throttling.admit_compute(call, subscription, row.group, arm_throttling.VM_UPDATE, machine)
    hibernate = check(call, machine, verb)
    fault = faults.take(machine, *fault_names(verb, hibernate=hibernate))
    if fault is not None and fault.status is not None:
        raise fault.refuse()
    if arm_operations.running(world, machine) is not None:
        raise faults.busy()
    before, slept = machine.power or "running", machine.hibernated
    if (verb == "restart" or hibernate) and before in ("stopped", "deallocated"):
        raise not_running()
    after = before if verb == "powerOff" and before == "deallocated" else row.after

    def finish(operation: Operation) -> None:
        succeeded = operation.error is None
        (_failed(world).discard if succeeded else _failed(world).add)(machine.id.lower())
        if world.resource(machine.id) is machine:
            machine.power = before
            if succeeded:
                set_power(world, machine, after, operation.ended)
                machine.hibernated = hibernate or (slept and after == before)
            subscription.version += 1

    machine.power = row.during if after != before else before
    subscription.version += 1
    return arm_operations.begin(
        call,
        machine,
        provider=_PROVIDER,
        verb=verb,
        error=fault.error if fault is not None else None,
        canceled=fault is not None and fault.canceled,
        finish=finish,
    )
