"""Where a resource's run state is kept, and how it is read and changed.

It is part of the resource's properties when a GET of the id shows it, else the resource's own `power`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox import scenarios
from sandbox.power.table import PowerType
from sandbox.world import Health, Resource, World

_POWER = "PowerState/"
PRESENT, ABSENT = "present", "absent"
"""States of a firewall: its IP configurations are there, or not."""


def read(row: PowerType, resource: Resource) -> Any:
    """The run state of a resource, in its type's own words."""
    if row.read is not None:
        return f"{_POWER}{resource.power}" if row.read == "instanceView" else resource.power
    value = value_at(resource.properties, row.path.removeprefix("properties."))
    if row.running == PRESENT:
        return PRESENT if value else ABSENT
    return value


def write(world: World, row: PowerType, resource: Resource, value: Any) -> None:
    """Give a resource a run state. A firewall's comes with the properties that are put."""
    if row.read is not None:
        resource.power = str(value).removeprefix(_POWER)
    elif row.running != PRESENT:
        resource.properties = with_value(resource.properties, row.path.removeprefix("properties."), value)
    world.subscriptions[resource.subscription_id].version += 1


def provision(world: World, resource: Resource, value: str) -> None:
    """Give a resource a provisioning state."""
    resource.properties = {**resource.properties, "provisioningState": value}
    world.subscriptions[resource.subscription_id].version += 1


def tell_health(world: World, row: PowerType, resource: Resource, when: datetime | None) -> None:
    """Let Resource Health follow a run state, when it reports the resource: stopped is the customer's own doing."""
    health, now = resource.health, when or world.clock.now()
    if health is None or row.stopped is None:
        return
    if read(row, resource) == row.stopped:
        if health.context != "Customer Initiated":
            world.set_health(resource, _stopped(row, now))
    elif health.state != "Available":
        world.set_health(resource, scenarios.available(resource, now))


def _stopped(row: PowerType, when: datetime) -> Health:
    return Health(
        "Unavailable",
        when,
        when,
        reason_type="UserInitiated",
        context="Customer Initiated",
        category="Not Applicable",
        summary=f"This {row.name[0].lower()}{row.name[1:]} is stopped as requested by an authorized user or process.",
    )


def value_at(properties: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for part in path.split("."):
        if not isinstance(properties, dict) or part not in properties:
            return None
        properties = properties[part]
    return properties


def with_value(properties: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of properties with a value at a dotted path."""
    head, _, rest = path.partition(".")
    if not rest:
        return {**properties, head: value}
    return {**properties, head: with_value(properties.get(head) or {}, rest, value)}
