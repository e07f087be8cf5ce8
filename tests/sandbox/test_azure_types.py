"""The maker of resources: deterministic, unique, complete."""

from __future__ import annotations

import pytest

from sandbox import azure_types
from sandbox.azure_types import TYPES, VM
from sandbox.server import Sandbox
from sandbox.world import Subscription, World


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    return sandbox.cloud.world


@pytest.fixture
def subscription(world: World) -> Subscription:
    return next(iter(world.subscriptions.values()))


def test_there_are_types_with_and_without_health_checks() -> None:
    assert len(TYPES) >= 30
    assert len({row.type.lower() for row in TYPES}) == len(TYPES)
    assert sum(row.reported for row in TYPES) >= 20
    assert sum(not row.reported for row in TYPES) >= 10
    assert all(row.weight > 0 and row.display for row in TYPES)


def test_the_same_arguments_give_the_same_resource(world: World, subscription: Subscription) -> None:
    for row in TYPES:
        one, two = (azure_types.make_resource(world, subscription, row.type, 3) for _ in range(2))
        assert (one.id, one.location, one.tags, one.properties) == (two.id, two.location, two.tags, two.properties)


def test_ids_are_unique_in_a_subscription(world: World, subscription: Subscription) -> None:
    ids = {
        azure_types.make_resource(world, subscription, row.type, index).id.lower()
        for row in TYPES
        for index in range(40)
    }
    assert len(ids) == 40 * len(TYPES)


def test_ids_are_made_of_group_type_and_name(world: World, subscription: Subscription) -> None:
    for row in TYPES:
        made = azure_types.make_resource(world, subscription, row.type.upper(), 1)
        assert made.id.startswith(f"/subscriptions/{subscription.id}/resourceGroups/{made.resource_group}/providers/")
        assert made.id.endswith(made.name.rsplit("/", 1)[-1])
        assert made.type == row.type
        assert (made.health is not None) is row.reported
        assert made.health_history == ([made.health] if made.health else [])


def test_a_child_lies_in_its_parents_group(world: World, subscription: Subscription) -> None:
    for index in range(9):
        child = azure_types.make_resource(world, subscription, "Microsoft.Sql/servers/databases", index)
        parent = azure_types.make_resource(world, subscription, "Microsoft.Sql/servers", index // 4)
        assert child.id.startswith(f"{parent.id}/databases/")


def test_names_keep_to_azures_lengths(world: World, subscription: Subscription) -> None:
    longest = {"Microsoft.Storage/storageAccounts": 24, "Microsoft.KeyVault/vaults": 24, VM: 15}
    for type_name, limit in longest.items():
        for index in range(16):
            name = azure_types.make_resource(world, subscription, type_name, index).name
            assert 3 <= len(name) <= limit, name
    account = azure_types.make_resource(world, subscription, "Microsoft.Storage/storageAccounts", 0).name
    assert account.isalnum()
    assert account.islower()


def test_an_unknown_type_cannot_be_made(world: World, subscription: Subscription) -> None:
    with pytest.raises(KeyError):
        azure_types.make_resource(world, subscription, "Microsoft.Nonsense/things", 0)
