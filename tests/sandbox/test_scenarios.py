"""The worlds: what is in each, that it is the same each time, and that large ones are made quickly."""

import time
from collections import Counter

import pytest

from sandbox import cast, scale_sets, scenarios
from sandbox.directory import APPLICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR
from sandbox.power import states, table
from sandbox.server import Sandbox
from sandbox.world import Resource, World
from tests.sandbox.browser import tenant_called, trapped

TRAPS = {
    "advisor-only",
    "no-subscription",
    "gdap-lacks-group",
    "no-application-administrator",
    "no-mfa",
    "non-premium",
    "throttles",
    "no-role",
    "synced-user",
    "global-administrator-user",
    "stopped-vm",
    "flapping",
    "no-health-type",
}


def resources(world: World) -> list[Resource]:
    return [row for subscription in world.subscriptions.values() for row in subscription.resources.values()]


def test_the_default_world_is_as_large_as_promised(world: World) -> None:
    assert len(world.customers()) >= 6
    assert len(resources(world)) >= 200
    assert len({row.type for row in resources(world)}) >= 25


def test_the_default_world_has_every_trap(world: World) -> None:
    assert set(world.traps) == TRAPS
    for name, place in world.traps.items():
        assert name == "no-mfa" or name in world.tenants[place["tenantId"]].traps


def test_contoso_and_fabrikam_are_without_traps(world: World) -> None:
    contoso, fabrikam = tenant_called(world, "Contoso"), tenant_called(world, "Fabrikam")
    assert not contoso.traps | fabrikam.traps
    machines = [r for s in contoso.subscription_ids for r in world.subscriptions[s].resources.values() if r.power]
    assert len(contoso.subscription_ids) >= 2
    assert len(machines) >= 6


def test_only_traps_are_unwell_after_a_reset(world: World) -> None:
    unwell = {row.id for row in resources(world) if row.health is not None and row.health.state != "Available"}
    assert unwell == {world.traps["stopped-vm"]["resourceId"]}


def test_the_traps_are_what_their_names_say(world: World) -> None:
    assert trapped(world, "advisor-only").relationship_to_partner == "advisor"
    assert not trapped(world, "no-subscription").subscription_ids
    newest = max(world.relationships_of(trapped(world, "gdap-lacks-group").id), key=lambda row: row.created)
    assert (newest.status, newest.assignments) == ("active", {})
    weak = world.relationships_of(trapped(world, "no-application-administrator").id)[0]
    assert not set(weak.roles) & {APPLICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR}
    assert not trapped(world, "non-premium").premium
    closed = world.subscriptions[world.traps["no-role"]["subscriptionId"]]
    assert not closed.role_assignments
    assert not closed.managed_by
    silent = world.resource(world.traps["no-health-type"]["resourceId"])
    assert silent is not None
    assert silent.health is None
    assert world.people[world.traps["synced-user"]["person"]].synced
    administrator = world.people[world.traps["global-administrator-user"]["person"]]
    assert GLOBAL_ADMINISTRATOR in administrator.directory_roles
    assert not world.people[world.traps["no-mfa"]["person"]].mfa


def test_people_have_the_roles_of_their_part(world: World) -> None:
    assert {name: world.people[name].api_roles for name in ("alice", "bob", "carol", "mallory")} == {
        "alice": ["Integration.Admin"],
        "bob": ["CloudDevices.Update", "Alerts.Manage", "Microsoft365.Manage"],
        "carol": ["CloudDevices.Read", "Microsoft365.Read"],
        "mallory": [],
    }
    assert world.people["frank"].tenant_id != world.partner.id


def test_every_way_into_azure_is_used(world: World) -> None:
    agents = world.partner.admin_agents_group
    ways: Counter[str] = Counter()
    for tenant in world.customers():
        own = cast.principal_id(world, tenant, "tenantry")
        for subscription in (world.subscriptions[row] for row in tenant.subscription_ids):
            holders = {row.principal_id for row in subscription.role_assignments}
            ways["lighthouse"] += bool(subscription.managed_by)
            ways["agents"] += agents in holders
            ways["own"] += own in holders
    assert min(ways["lighthouse"], ways["agents"], ways["own"]) >= 2


def test_a_child_resource_comes_with_its_parent(world: World) -> None:
    for row in resources(world):
        if "/" in row.name:
            assert world.resource(row.id.rpartition("/")[0].rpartition("/")[0]) is not None


@pytest.mark.parametrize("scenario", ["default", "outage", "scale"])
def test_the_same_seed_gives_the_same_world(sandbox: Sandbox, scenario: str) -> None:
    size = scenarios.Size(20, 40, 500)

    def made(seed: int) -> list[tuple[str, str, str | None]]:
        world = scenarios.reset(sandbox.cloud, scenario, seed, size)
        return [(row.id, row.location, row.health.state if row.health else None) for row in resources(world)]

    first = made(3)
    assert made(3) == first
    assert {row[0] for row in made(4)}.isdisjoint(row[0] for row in first)


def test_an_outage_takes_one_region_down(sandbox: Sandbox) -> None:
    world = scenarios.reset(sandbox.cloud, "outage")
    down = [
        r
        for r in resources(world)
        if r.health and r.health.context == "Platform Initiated" and r.health.state != "Available"
    ]
    assert len(down) >= 20
    assert {row.location for row in down} == {world.extra["outage"]["region"]}
    assert all(row.health_history[1].state == "Available" for row in down)


def test_the_empty_world_has_the_partner_alone(sandbox: Sandbox) -> None:
    world = scenarios.reset(sandbox.cloud, "empty")
    assert world.customers() == []
    assert set(world.people) >= {"alice", "dave"}


def test_a_large_world_is_made_in_seconds_and_to_size(sandbox: Sandbox) -> None:
    started = time.monotonic()
    world = scenarios.reset(sandbox.cloud, "scale", 1, scenarios.Size(200, 2000, 50_000))
    assert time.monotonic() - started < 20
    owned = [row for row in world.subscriptions.values() if row.tenant_id != world.partner.id]
    counts = Counter(len(row.resources) for row in owned)
    assert (len(world.customers()), len(owned), sum(len(row.resources) for row in owned)) == (200, 2000, 50_000)
    assert set(counts) == {25}


def test_resources_that_do_not_divide_are_dealt_out(sandbox: Sandbox) -> None:
    world = scenarios.reset(sandbox.cloud, "scale", 1, scenarios.Size(3, 7, 100))
    assert sum(len(row.resources) for row in world.subscriptions.values() if row.tenant_id != world.partner.id) == 100


def test_the_flapping_resource_flaps_with_the_stepped_clock(sandbox: Sandbox, world: World) -> None:
    flapping = world.resource(world.traps["flapping"]["resourceId"])
    assert flapping is not None
    assert flapping.health is not None
    assert flapping.health.state == "Available"
    assert len(flapping.health_history) > 10
    scenarios.advance(world, 60)
    assert flapping.health.state == "Unavailable"
    scenarios.advance(world, scenarios.FLAP_SECONDS)
    assert flapping.health.state == "Available"


def test_drift_makes_few_resources_ill_and_well_again(world: World) -> None:
    seen = set()
    for _ in range(60):
        scenarios.drift(world)
        unwell = [row for row in resources(world) if row.health and row.health.state in ("Unavailable", "Degraded")]
        seen.add(len(unwell))
    assert max(seen) <= 4
    assert len(seen) > 1


def test_the_world_of_actions_is_the_default_one_and_one_resource_of_every_type(sandbox: Sandbox) -> None:
    default = {row.id for row in resources(sandbox.cloud.world)}
    world = scenarios.reset(sandbox.cloud, "actions")
    everything = next(row for row in world.subscriptions.values() if row.name == "Contoso Everything")
    assert {row.id for row in resources(world)} - set(everything_ids(world)) == default
    types = Counter(row.type for row in everything.resources.values())
    assert all(types[row.type] >= 1 for row in table.load().values())
    for resource in everything.resources.values():
        parent = resource.id.rpartition("/")[0].rpartition("/")[0]
        if "/" in resource.name:
            assert parent.lower() in everything.resources
        row = table.load().get(resource.type.lower())
        if row is not None and row.type != scale_sets.TYPE:
            assert states.read(row, resource) == row.initial


def everything_ids(world: World) -> list[str]:
    everything = next(row for row in world.subscriptions.values() if row.name == "Contoso Everything")
    return [row.id for row in everything.resources.values()]
