"""The ARM types that simulated customers own, and the maker of one realistic resource of a type."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

from sandbox.azure_catalog import BY_NAME, TYPES, AzureType
from sandbox.azure_properties import DISK, NIC, PUBLIC_IP, VM
from sandbox.world import Health, Resource, Subscription, World

__all__ = [
    "BY_NAME",
    "DISK",
    "NIC",
    "PUBLIC_IP",
    "REGIONS",
    "TYPES",
    "VM",
    "AzureType",
    "available_summary",
    "build",
    "companions",
    "home_region",
    "make_resource",
]

REGIONS = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "germanywestcentral": "Germany West Central",
    "uksouth": "UK South",
    "francecentral": "France Central",
    "swedencentral": "Sweden Central",
    "switzerlandnorth": "Switzerland North",
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus2": "West US 2",
    "centralus": "Central US",
    "australiaeast": "Australia East",
}
"""Region name -> display name; a subscription lives in one, every sixth resource in the next."""

_WORKLOADS = ("web", "data", "erp", "files", "identity", "shop", "backup", "analytics")
_COST_CENTERS = ("1001", "1002", "2040", "3300")
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def home_region(subscription: Subscription) -> str:
    """The region most of a subscription's resources are in: depends on its id only."""
    return tuple(REGIONS)[zlib.crc32(subscription.id.encode()) % 6]


def make_resource(world: World, subscription: Subscription, type_name: str, index: int) -> Resource:
    """A resource of a type, not yet put into the subscription; the same arguments give the same resource.

    `index` tells resources of one type in one subscription apart (0 and up). Types that Resource Health reports
    start Available, virtual machines run. `properties` and `sku` may be shared between resources: replace, never
    change in place. Raises KeyError for a type that is not in `TYPES`.
    """
    row = BY_NAME[type_name.lower()]
    seed = zlib.crc32(f"{subscription.id}{type_name}{index}".encode())
    # A child is in its parent's group, and four children share a parent.
    home = index // 4 if row.type.count("/") > 1 else index
    workload, environment = _WORKLOADS[home % len(_WORKLOADS)], "test" if home % 7 == 5 else "prod"
    return build(
        world,
        subscription,
        row,
        group=f"rg-{workload}-{environment}",
        name=_name(row, subscription, index),
        location=_location(subscription, home),
        created=EPOCH + timedelta(days=seed % 400, seconds=seed % 86_400),
        tags={
            "environment": environment,
            "workload": workload,
            "costCenter": _COST_CENTERS[seed % len(_COST_CENTERS)],
        },
    )


def companions(world: World, subscription: Subscription, machine: Resource) -> list[Resource]:
    """The disk, the network interface and the public IP address that a virtual machine's properties name."""
    rows = ((DISK, "-osdisk"), (NIC, "-nic"), (PUBLIC_IP, "-ip"))
    made = [
        build(
            world,
            subscription,
            BY_NAME[type_name.lower()],
            group=machine.resource_group,
            name=machine.name + suffix,
            location=machine.location,
            created=machine.created,
            tags=dict(machine.tags),
        )
        for type_name, suffix in rows
    ]
    made[0].properties |= {"managedBy": machine.id, "osType": machine.properties["storageProfile"]["osDisk"]["osType"]}
    return made


def build(
    world: World,
    subscription: Subscription,
    row: AzureType,
    *,
    group: str,
    name: str,
    location: str,
    created: datetime,
    tags: dict[str, str],
) -> Resource:
    """A resource with a given name in a given group; `name` of a child type is `parent/child`."""
    provider, *kinds = row.type.split("/")
    path = "/".join(f"{kind}/{part}" for kind, part in zip(kinds, name.split("/"), strict=True))
    resource = Resource(
        id=f"/subscriptions/{subscription.id}/resourceGroups/{group}/providers/{provider}/{path}",
        name=name,
        type=row.type,
        location=location,
        resource_group=group,
        subscription_id=subscription.id,
        kind=row.kind,
        tags=tags,
        sku=row.sku,
        created=created,
        power="running" if row.type == VM else None,
    )
    resource.properties = row.properties(world, resource)
    if row.reported:
        now = world.clock.now()
        since = now - timedelta(seconds=86_400 + zlib.crc32(resource.id.encode()) % 2_000_000)
        resource.health = Health("Available", since, now, summary=available_summary(row))
        resource.health_history.append(resource.health)
    return resource


def available_summary(row: AzureType) -> str:
    """What Resource Health says about a healthy resource of a type."""
    return f"There aren't any known Azure platform problems affecting this {row.display[0].lower()}{row.display[1:]}"


def _name(row: AzureType, subscription: Subscription, index: int) -> str:
    workload = _WORKLOADS[index % len(_WORKLOADS)]
    parent = BY_NAME.get(row.type.rpartition("/")[0].lower())
    if parent is not None:
        return f"{_name(parent, subscription, index // 4)}/{row.prefix}{workload}-{index:02}"
    if row.type == VM:
        return f"{row.prefix}{workload}-{index:02}"
    # Names of services with a public host name are unique in the world, so they carry a part of the subscription's id.
    short = subscription.id[:6]
    if row.prefix.endswith("-"):
        return f"{row.prefix}{workload}-{short}-{index:02}"
    return f"{row.prefix}{workload}{short}{index:03}"


def _location(subscription: Subscription, index: int) -> str:
    names = tuple(REGIONS)
    home = names.index(home_region(subscription))
    return names[(home + 1) % len(names)] if index % 6 == 5 else names[home]
