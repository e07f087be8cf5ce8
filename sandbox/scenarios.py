"""The worlds that `POST /_sandbox/reset` makes: default, empty, outage, scale, actions.

The same scenario, size and seed give the same world; times are relative to the moment of the reset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from sandbox import azure_types, cast, service_issues
from sandbox.arm_access import CONTRIBUTOR
from sandbox.azure_properties import DISK, NIC, PUBLIC_IP, VM
from sandbox.directory import GLOBAL_ADMINISTRATOR
from sandbox.power import estate, table
from sandbox.wire import CloudError
from sandbox.world import Cloud, Health, Resource, Subscription, Tenant, World

COMPANIONS = {DISK, NIC, PUBLIC_IP}
FLAP_SECONDS = 300
"""The flapping resource changes its state this often, in sandbox time."""


@dataclass(frozen=True)
class Size:
    """How large a `scale` world is: customers, their subscriptions in all, their resources in all."""

    tenants: int = 200
    subscriptions: int = 400
    resources: int = 10_000


def reset(cloud: Cloud, scenario: str = "default", seed: int = 1, size: Size | None = None) -> World:
    """Make a new world and put it in place; the clock, the faults and the request log start anew.

    Raises CloudError 400 for an unknown scenario or a size that cannot be.
    """
    if scenario not in SCENARIOS:
        raise CloudError(400, "UnknownScenario", f"Scenario '{scenario}' is none of {', '.join(SCENARIOS)}.")
    cloud.clock.offset = timedelta()
    cloud.faults.clear()
    cloud.requests.clear()
    world = cast.new_world(cloud, scenario, seed)
    SCENARIOS[scenario](world, size or Size())
    cloud.world = world
    cloud.generation += 1
    return world


def advance(world: World, seconds: float) -> None:
    """Step the sandbox's time, and let what flaps change at each of its moments in between."""
    end = world.clock.now() + timedelta(seconds=seconds)
    place = world.traps.get("flapping")
    resource = world.resource(place["resourceId"]) if place else None
    if resource is not None and resource.health is not None:
        due = resource.health.occurred
        while (due := due + timedelta(seconds=FLAP_SECONDS)) <= end:
            broken = resource.health.state == "Available"
            world.set_health(resource, platform_fault(due) if broken else available(resource, due))
    world.clock.advance(seconds)


def drift(world: World) -> None:
    """Let one reported resource fall ill, or one ill resource recover: three at most are ill at a time by drift."""
    ill: list[str] = world.extra.setdefault("drifting", [])
    now = world.clock.now()
    if ill and (len(ill) >= 3 or world.rng.random() < 0.5):
        resource = world.resource(ill.pop(0))
        if resource is not None and resource.power in (None, "running"):
            world.set_health(resource, available(resource, now))
        return
    well = [
        resource
        for subscription in world.subscriptions.values()
        for resource in subscription.resources.values()
        if resource.health is not None and resource.health.state == "Available" and resource.power in (None, "running")
    ]
    if well:
        resource = world.rng.choice(well)
        ill.append(resource.id)
        world.set_health(resource, platform_fault(now, world.rng.choice(("Unavailable", "Degraded"))))


def put(subscription: Subscription, resource: Resource) -> Resource:
    """Add a resource to a subscription."""
    subscription.resources[resource.id.lower()] = resource
    subscription.version += 1
    return resource


def available(resource: Resource, when: datetime) -> Health:
    """What Resource Health says of a resource that is well since `when`."""
    row = azure_types.BY_NAME[resource.type.lower()]
    return Health("Available", when, when, summary=azure_types.available_summary(row))


def platform_fault(when: datetime, state: str = "Unavailable") -> Health:
    """What Resource Health says of a resource that Azure itself lost at `when`."""
    return Health(
        state,
        when,
        when,
        reason_type="Unplanned",
        context="Platform Initiated",
        category="Unplanned",
        summary=(
            "At the moment an unexpected problem with the Azure platform keeps this resource from working. Azure "
            "is on it."
        ),
    )


def customer_stop(when: datetime) -> Health:
    """What Resource Health says of a virtual machine that its owner stopped."""
    return Health(
        "Unavailable",
        when,
        when,
        reason_type="UserInitiated",
        context="Customer Initiated",
        category="Not Applicable",
        summary="This virtual machine is stopped and deallocated as requested by an authorized user or process.",
    )


def add_resource(world: World, subscription: Subscription, type_name: str) -> Resource:
    """One more resource of a type, under the first name that is free; a virtual machine with its companions.

    Types of the table of power actions that no customer of the other worlds owns come with their parents.
    """
    if type_name.lower() not in azure_types.BY_NAME:
        return estate.add(world, subscription, table.load()[type_name.lower()])
    made = (azure_types.make_resource(world, subscription, type_name, index) for index in count())
    resource = next(row for row in made if row.id.lower() not in subscription.resources)
    if resource.type == VM:
        for companion in azure_types.companions(world, subscription, resource):
            put(subscription, companion)
    return put(subscription, resource)


def _fill(world: World, subscription: Subscription, machines: int, others: int, offset: int) -> None:
    """Add virtual machines with their disks, interfaces and addresses, and `others` more of the other types in turn."""
    for index in range(machines):
        machine = put(subscription, azure_types.make_resource(world, subscription, VM, index))
        for companion in azure_types.companions(world, subscription, machine):
            put(subscription, companion)
    rest = [row.type for row in azure_types.TYPES if row.type != VM and row.type not in COMPANIONS]
    used: Counter[str] = Counter()
    for step in range(others):
        _add(world, subscription, rest[(offset + step) % len(rest)], used)


def _add(world: World, subscription: Subscription, type_name: str, used: Counter[str]) -> None:
    """One more resource of a type; a child type brings its parent along."""
    index = used[type_name]
    used[type_name] += 1
    resource = azure_types.make_resource(world, subscription, type_name, index)
    if "/" in resource.name:
        parent_type = type_name.rpartition("/")[0]
        parent_id = resource.id.rpartition("/")[0].rpartition("/")[0].lower()
        while parent_id not in subscription.resources and used[parent_type] <= index:
            _add(world, subscription, parent_type, used)
    put(subscription, resource)


def _default(world: World, _size: Size) -> None:
    """Northwind and eleven customers: two without fault, the others with one trap or more each."""
    _fill(world, world.subscriptions[world.partner.subscription_ids[0]], 2, 6, 0)
    contoso = cast.add_customer(world, "Contoso", "contoso.example")
    for name, access, machines, others in (
        ("Contoso Production", "agents", 5, 25),
        ("Contoso Development", "agents", 3, 12),
        ("Contoso Landing Zone", "lighthouse", 1, 10),
    ):
        _fill(world, cast.add_subscription(world, contoso, name, access=access), machines, others, 0)
    cast.add_automation(world, contoso)
    fabrikam = cast.add_customer(world, "Fabrikam", "fabrikam.example")
    _fill(world, cast.add_subscription(world, fabrikam, "Fabrikam Production"), 4, 20, 10)
    _fill(world, cast.add_subscription(world, fabrikam, "Fabrikam Test", access="own"), 1, 8, 20)
    _adatum(world)
    _litware(world)
    _tailspin(world)
    woodgrove = _trap(world, cast.add_customer(world, "Woodgrove Bank", "woodgrovebank.example"), "non-premium")
    woodgrove.premium = False
    _fill(world, cast.add_subscription(world, woodgrove, "Woodgrove Production", access="own"), 2, 14, 8)
    proseware = _trap(world, cast.add_customer(world, "Proseware", "proseware.example"), "throttles")
    _fill(world, cast.add_subscription(world, proseware, "Proseware Production"), 2, 12, 16)
    _broken_relationships(world)


def _trap(world: World, tenant: Tenant, name: str, **where: str) -> Tenant:
    """Remember which trap a tenant holds, and where."""
    tenant.traps.add(name)
    world.traps[name] = {"tenantId": tenant.id, **where}
    return tenant


def _adatum(world: World) -> None:
    tenant = cast.add_customer(world, "Adatum", "adatum.example")
    _fill(world, cast.add_subscription(world, tenant, "Adatum Production", access="lighthouse"), 2, 16, 4)
    synced = cast.add_person(world, "ivan", "Ivan Ilves", tenant)
    synced.synced = True
    _trap(world, tenant, "synced-user", person="ivan")
    cast.add_person(world, "judy", "Judy Jansen", tenant).directory_roles = {GLOBAL_ADMINISTRATOR}
    _trap(world, tenant, "global-administrator-user", person="judy")


def _litware(world: World) -> None:
    tenant = cast.add_customer(world, "Litware", "litware.example")
    subscription = cast.add_subscription(world, tenant, "Litware Production")
    _fill(world, subscription, 3, 16, 12)
    machines = [row for row in subscription.resources.values() if row.type == VM]
    now = world.clock.now()
    machines[0].power = "deallocated"
    world.set_health(machines[0], customer_stop(now - timedelta(hours=3)))
    _trap(world, tenant, "stopped-vm", subscriptionId=subscription.id, resourceId=machines[0].id)
    flapping = machines[1]
    for step in range(12, 0, -1):
        when = now - timedelta(seconds=FLAP_SECONDS * step)
        world.set_health(flapping, platform_fault(when) if step % 2 == 0 else available(flapping, when))
    _trap(world, tenant, "flapping", subscriptionId=subscription.id, resourceId=flapping.id)


def _tailspin(world: World) -> None:
    tenant = cast.add_customer(world, "Tailspin Toys", "tailspintoys.example")
    subscription = cast.add_subscription(world, tenant, "Tailspin Production")
    _fill(world, subscription, 2, 14, 0)
    silent = next(row for row in subscription.resources.values() if row.health is None and row.type not in COMPANIONS)
    _trap(world, tenant, "no-health-type", subscriptionId=subscription.id, resourceId=silent.id)
    closed = cast.add_subscription(world, tenant, "Tailspin Research", access="none")
    _fill(world, closed, 1, 4, 6)
    _trap(world, tenant, "no-role", subscriptionId=closed.id)


def _broken_relationships(world: World) -> None:
    """Customers whose relationship with the partner is not enough for something."""
    advisor = cast.add_tenant(world, "Wingtip Toys", "wingtiptoys.example", "advisor")
    cast.add_person(world, "heidi", "Heidi Holm", advisor).directory_roles = {GLOBAL_ADMINISTRATOR}
    _trap(world, advisor, "advisor-only")
    _trap(world, cast.add_customer(world, "Lucerne Publishing", "lucernepublishing.example"), "no-subscription")
    grouped = cast.add_customer(world, "Margie's Travel", "margiestravel.example", group=False, age_days=20)
    older = cast.add_relationship(world, grouped, status="expired", age_days=760)
    older.end = world.clock.now() - timedelta(days=30)
    _fill(world, cast.add_subscription(world, grouped, "Margie's Production", access="none"), 1, 6, 9)
    _trap(world, grouped, "gdap-lacks-group")
    weak = cast.add_customer(
        world,
        "Humongous Insurance",
        "humongousinsurance.example",
        roles=(cast.DIRECTORY_READERS, cast.HELPDESK_ADMINISTRATOR),
    )
    _fill(world, cast.add_subscription(world, weak, "Humongous Production"), 1, 6, 14)
    _trap(world, weak, "no-application-administrator")


def _empty(_world: World, _size: Size) -> None:
    """The partner alone, without a customer."""


def _outage(world: World, size: Size) -> None:
    """The default world an hour into a regional service issue: every reported resource of one region is unavailable."""
    _default(world, size)
    reported = [r for s in world.subscriptions.values() for r in s.resources.values() if r.health is not None]
    region = Counter(resource.location for resource in reported).most_common(1)[0][0]
    since = world.clock.now() - timedelta(hours=1)
    for resource in reported:
        if resource.location == region and resource.power in (None, "running"):
            world.set_health(resource, platform_fault(since))
    world.extra["outage"] = {"region": region, "since": since}
    service_issues.begin(world, region, since)


def _actions(world: World, size: Size) -> None:
    """The default world, and a subscription of Contoso's with one resource of every type that can be acted on."""
    _default(world, size)
    contoso = next(tenant for tenant in world.tenants.values() if tenant.name == "Contoso")
    everything = cast.add_subscription(world, contoso, "Contoso Everything")
    automation = cast.principal_id(world, contoso, "automation")
    cast.assign(world, everything, automation, "ServicePrincipal", CONTRIBUTOR)
    for row in table.load().values():
        if not any(resource.type == row.type for resource in everything.resources.values()):
            estate.add(world, everything, row)


def _scale(world: World, size: Size) -> None:
    """Customers of equal size; subscriptions and resources are dealt out evenly, types by their usual share."""
    if not 1 <= size.tenants <= size.subscriptions:
        raise CloudError(400, "BadSize", "A scale world needs at least one tenant, and a subscription for each.")
    tenants = [
        cast.add_customer(world, f"Customer {number:04}", f"customer{number:04}.example")
        for number in range(1, size.tenants + 1)
    ]
    types = [row.type for row in azure_types.TYPES for _ in range(row.weight) if row.type.count("/") == 1]
    world.rng.shuffle(types)
    dealt = 0
    for number in range(size.subscriptions):
        tenant = tenants[number % size.tenants]
        subscription = cast.add_subscription(world, tenant, f"{tenant.name} subscription {number // size.tenants + 1}")
        share = size.resources // size.subscriptions + (number < size.resources % size.subscriptions)
        used: Counter[str] = Counter()
        for _ in range(share):
            type_name = types[dealt % len(types)]
            resource = azure_types.make_resource(world, subscription, type_name, used[type_name])
            subscription.resources[resource.id.lower()] = resource
            used[type_name] += 1
            dealt += 1
        subscription.version += 1


SCENARIOS: dict[str, Callable[[World, Size], None]] = {
    "default": _default,
    "empty": _empty,
    "outage": _outage,
    "scale": _scale,
    "actions": _actions,
}
"""Scenario name -> what it adds to a new world."""
