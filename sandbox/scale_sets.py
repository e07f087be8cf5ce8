"""Microsoft.Compute/virtualMachineScaleSets: instances, their views, and the power verbs on all or some of them.

The instances of a scale set are made when they are first asked for, as many as its sku's capacity.
Source: https://learn.microsoft.com/rest/api/compute/virtual-machine-scale-sets
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sandbox import arm_operations, arm_pages, arm_resources, compute
from sandbox.arm_operations import Operation
from sandbox.power import faults, requests
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Resource, World

TYPE = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCE = f"{TYPE}/virtualMachines"
_SET = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachineScaleSets/{vmss}"
_INSTANCE = _SET + "/virtualMachines/{instance}"


def instances(world: World, scale_set: Resource) -> list[Resource]:
    """The instances of a scale set, in the order of their ids."""
    resources = world.subscriptions[scale_set.subscription_id].resources
    made = []
    for number in range(int((scale_set.sku or {}).get("capacity", 1))):
        resource_id = f"{scale_set.id}/virtualMachines/{number}"
        if resource_id.lower() not in resources:
            resources[resource_id.lower()] = Resource(
                id=resource_id,
                name=f"{scale_set.name}/{number}",
                type=INSTANCE,
                location=scale_set.location,
                resource_group=scale_set.resource_group,
                subscription_id=scale_set.subscription_id,
                sku=scale_set.sku,
                properties={
                    "provisioningState": "Succeeded",
                    "additionalCapabilities": scale_set.properties.get("additionalCapabilities", {}),
                },
                created=scale_set.created,
                power="running",
                listed=False,
            )
        made.append(resources[resource_id.lower()])
    return made


def summary(world: World, scale_set: Resource) -> list[dict[str, Any]]:
    """How many instances are in which provisioning and power state."""
    codes = Counter(row["code"] for one in instances(world, scale_set) for row in compute.statuses(world, one))
    return [{"code": code, "count": count} for code, count in codes.items()]


def shape(world: World, instance: Resource, *, with_view: bool) -> dict[str, Any]:
    """An instance as ARM returns it."""
    body = arm_resources.shape(instance)
    body["instanceId"] = instance.name.rpartition("/")[2]
    body["properties"] = {**instance.properties, "provisioningState": compute.provisioning_state(world, instance)}
    if with_view:
        body["properties"]["instanceView"] = {"statuses": compute.statuses(world, instance)}
    return body


def add_routes(service: Service) -> None:
    """Register the routes of scale sets and their instances."""

    @service.route("GET", _SET + "/instanceView")
    async def view(call: Call) -> Reply:
        scale_set = _scale_set(call, f"{TYPE}/instanceView/read")
        provisioned = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
        }
        rows = summary(call.world, scale_set)
        return Reply({"virtualMachine": {"statusesSummary": rows}, "statuses": [provisioned]})

    @service.route("GET", _SET + "/virtualMachines")
    async def of_set(call: Call) -> Reply:
        scale_set = _scale_set(call, f"{INSTANCE}/read")
        with_view = "instanceview" in call.query.get("$expand", "").lower()
        rows = arm_pages.rows_of(
            call.world,
            call.world.subscriptions[scale_set.subscription_id],
            f"instances {scale_set.id}",
            with_view,
            lambda: (shape(call.world, one, with_view=with_view) for one in instances(call.world, scale_set)),
        )
        return arm_pages.page_reply(call, rows)

    @service.route("GET", _INSTANCE)
    async def get(call: Call) -> Reply:
        with_view = "instanceview" in call.query.get("$expand", "").lower()
        return Reply(shape(call.world, _instance(call, f"{INSTANCE}/read"), with_view=with_view))

    @service.route("GET", _INSTANCE + "/instanceView")
    async def instance_view(call: Call) -> Reply:
        instance = _instance(call, f"{INSTANCE}/instanceView/read")
        return Reply({"statuses": compute.statuses(call.world, instance)})

    for verb in compute.VERBS:
        _add_verb(service, verb)


def _add_verb(service: Service, verb: str) -> None:
    @service.route("POST", f"{_SET}/{verb}")
    async def on_set(call: Call) -> Reply:
        return _act(call, _scale_set(call, f"{TYPE}/{verb}/action"), verb)

    @service.route("POST", f"{_INSTANCE}/{verb}")
    async def on_instance(call: Call) -> Reply:
        # The list of permissions spells this one in lower case.
        kind = INSTANCE.replace("/virtualMachines", "/virtualmachines") if verb == "restart" else INSTANCE
        return compute.act(call, _instance(call, f"{kind}/{verb}/action"), verb)


def _scale_set(call: Call, action: str) -> Resource:
    return arm_resources.find(call, f"{TYPE}/{call.params['vmss']}", action)[1]


def _instance(call: Call, action: str) -> Resource:
    """One instance of a path."""
    rest = f"{TYPE}/{call.params['vmss']}"
    if (scale_set := call.world.resource(arm_resources.resource_id(call, rest))) is not None:
        instances(call.world, scale_set)
    return arm_resources.find(call, f"{rest}/virtualMachines/{call.params['instance']}", action)[1]


def _act(call: Call, scale_set: Resource, verb: str) -> Reply:
    """One verb on the instances that the body names, or on all."""
    world = call.world
    hibernate = compute.check(call, scale_set, verb)
    chosen = _chosen(call, scale_set)
    fault = faults.take(scale_set, *compute.fault_names(verb, hibernate=hibernate))
    if fault is not None and fault.status is not None:
        raise fault.refuse()
    if any(arm_operations.running(world, one) is not None for one in (scale_set, *chosen)):
        raise faults.busy()
    if verb == "restart":
        chosen = [one for one in chosen if one.power == "running"]
        if not chosen:
            raise compute.not_running()
    before = [(one, one.power, one.hibernated) for one in chosen]

    def finish(operation: Operation) -> None:
        for one, power, hibernated in before:
            one.power, one.hibernated = power, hibernated
            if operation.error is None:
                compute.set_power(world, one, compute.VERBS[verb].after, operation.ended)
                one.hibernated = hibernate
        world.subscriptions[scale_set.subscription_id].version += 1

    for one in chosen:
        one.power = compute.VERBS[verb].during
    world.subscriptions[scale_set.subscription_id].version += 1
    return arm_operations.begin(
        call,
        scale_set,
        provider="Microsoft.Compute",
        verb=verb,
        error=fault.error if fault is not None else None,
        canceled=fault is not None and fault.canceled,
        finish=finish,
    )


def _chosen(call: Call, scale_set: Resource) -> list[Resource]:
    """The instances of a body's `instanceIds`; without it all. Raises CloudError 400 for one that is not there."""
    rows = {one.name.rpartition("/")[2]: one for one in instances(call.world, scale_set)}
    wanted = requests.body_object(call).get("instanceIds")
    if wanted is None:
        return list(rows.values())
    if not isinstance(wanted, list) or not wanted:
        raise CloudError(400, "InvalidParameter", "instanceIds must name at least one instance.")
    if unknown := [str(one) for one in wanted if one != "*" and str(one) not in rows]:
        raise CloudError(
            400, "InvalidParameter", f"The provided instanceId {unknown[0]} is not an active instance of the scale set."
        )
    return list(rows.values()) if "*" in wanted else [rows[str(one)] for one in wanted]
