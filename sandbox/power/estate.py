"""One resource of a type of the table, with the parents it hangs on."""

from __future__ import annotations

from itertools import count
from typing import Any

from sandbox import azure_types
from sandbox.azure_catalog import AzureType
from sandbox.azure_properties import plain
from sandbox.power import table
from sandbox.power.table import PowerType
from sandbox.world import Resource, Subscription, World

GROUP = "rg-everything"
_UNLISTED_PARENTS = {
    "Microsoft.AppPlatform/Spring/apps",
    "Microsoft.CognitiveServices/accounts/projects/applications",
    "Microsoft.DevTestLab/labs/users",
    "Microsoft.Network/vpnGateways/vpnConnections",
    "Microsoft.StorageMover/storageMovers/projects",
}
"""Proxy types that others hang on."""
_MACHINES = "Microsoft.HybridCompute/machines"


def add(world: World, subscription: Subscription, row: PowerType) -> Resource:
    """Put one more resource of a type into a subscription, in its first state; missing parents are made.

    A virtual machine can hibernate, and comes with its disk, its interface and its address.
    """
    if row.type == azure_types.VM:
        return _machine(world, subscription)
    if row.extends is not None:
        machine = _put(world, subscription, _MACHINES, None, row.extends.kind, {"status": "Connected"})
        return _extension(subscription, machine, row)
    parent = _parent(world, subscription, row.type)
    resource = _put(world, subscription, row.type, parent, None, {})
    resource.listed = row.listed
    if row.kind == "proxy":
        resource.location, resource.tags = "", {}
    return resource


def equip(row: PowerType, resource: Resource) -> None:
    """Give a new resource what its type shows: kind, sku, properties and its first run state."""
    group = resource.id[: resource.id.lower().index("/providers/")]
    words = {"{name}": resource.name.rsplit("/", 1)[-1], "{group}": group}
    resource.kind = row.arm_kind or resource.kind
    resource.sku = dict(row.sku) if row.sku is not None else resource.sku
    resource.properties = {**resource.properties, **_filled(dict(row.properties), words)}
    if row.read is not None:
        resource.power = str(row.initial).removeprefix("PowerState/")
    elif row.path != "properties.ipConfigurations":
        _set(resource.properties, row.path.split(".")[1:], row.initial)


def _machine(world: World, subscription: Subscription) -> Resource:
    made = (azure_types.make_resource(world, subscription, azure_types.VM, index) for index in count())
    machine = next(row for row in made if row.id.lower() not in subscription.resources)
    machine.properties["additionalCapabilities"] = {"hibernationEnabled": True}
    for resource in (*azure_types.companions(world, subscription, machine), machine):
        _keep(subscription, resource)
    return machine


def _parent(world: World, subscription: Subscription, type_name: str) -> Resource | None:
    """The first resource of a child type's parent type; made when there is none. None for a type without parent."""
    if type_name.count("/") == 1:
        return None
    parent = type_name.rpartition("/")[0]
    found = next((row for row in subscription.resources.values() if row.type.lower() == parent.lower()), None)
    return found or _put(world, subscription, parent, _parent(world, subscription, parent), None, {})


def _put(
    world: World,
    subscription: Subscription,
    type_name: str,
    parent: Resource | None,
    kind: str | None,
    properties: dict[str, Any],
) -> Resource:
    """Make a resource under its parent, or in the group of everything, under the first name that is free."""
    row = azure_types.BY_NAME.get(type_name.lower()) or AzureType(
        type_name, type_name, f"{type_name.rpartition('/')[2].lower()}-", 0, reported=False, properties=plain()
    )
    above = f"{parent.name}/" if parent is not None else ""
    short = subscription.id[:6]
    names = (f"{above}{row.prefix}{short}{'-' if row.prefix.endswith('-') else ''}{number}" for number in count(1))
    made = (
        azure_types.build(
            world,
            subscription,
            row,
            group=parent.resource_group if parent is not None else GROUP,
            name=name,
            location=(parent.location if parent is not None else "") or azure_types.home_region(subscription),
            created=azure_types.EPOCH,
            tags={"environment": "test"},
        )
        for name in names
    )
    resource = next(one for one in made if one.id.lower() not in subscription.resources)
    resource.listed = type_name not in _UNLISTED_PARENTS
    resource.kind = kind or resource.kind
    resource.properties = {**resource.properties, **properties}
    if power := table.load().get(type_name.lower()):
        equip(power, resource)
    return _keep(subscription, resource)


def _extension(subscription: Subscription, machine: Resource, row: PowerType) -> Resource:
    """The extension `default` on an Arc machine."""
    resource = Resource(
        id=f"{machine.id}/providers/{row.type}/default",
        name="default",
        type=row.type,
        location="",
        resource_group=machine.resource_group,
        subscription_id=machine.subscription_id,
        properties={"provisioningState": "Succeeded"},
        created=machine.created,
        listed=False,
    )
    equip(row, resource)
    return _keep(subscription, resource)


def _keep(subscription: Subscription, resource: Resource) -> Resource:
    subscription.resources[resource.id.lower()] = resource
    subscription.version += 1
    return resource


def _filled(value: Any, words: dict[str, str]) -> Any:
    """A copy of a value with {name} and {group} filled in."""
    if isinstance(value, dict):
        return {key: _filled(one, words) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, words) for one in value]
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
    return value


def _set(properties: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a value at a path of properties that no other resource shares."""
    for part in path[:-1]:
        properties[part] = dict(properties.get(part) or {})
        properties = properties[part]
    properties[path[-1]] = value
