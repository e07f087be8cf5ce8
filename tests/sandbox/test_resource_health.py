"""Resource Health: lists, one resource, its history, with the roughness of the real service."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from sandbox import arm_access, cast, resource_health, scenarios
from sandbox.azure_types import NIC
from sandbox.server import Sandbox
from sandbox.world import Health, Resource
from tests.sandbox.azure import Azure

STATUSES = "providers/Microsoft.ResourceHealth/availabilityStatuses"


@pytest_asyncio.fixture
async def azure(sandbox: Sandbox) -> AsyncIterator[Azure]:
    async with Azure(sandbox) as azure:
        yield azure


@pytest.fixture
def machine(azure: Azure) -> Resource:
    return azure.machines[0]


def set_health(azure: Azure, resource: Resource, state: str | None, **fields: Any) -> None:
    """Change the health of a resource now."""
    now = azure.world.clock.now()
    azure.world.set_health(resource, Health(state, now, now, **fields))


def reported(azure: Azure) -> list[Resource]:
    return [row for row in azure.subscription.resources.values() if row.health is not None]


async def current(azure: Azure, resource: Resource, **params: str) -> dict[str, Any]:
    reply = await azure.send("GET", f"{resource.id}/{STATUSES}/current", params=params)
    assert reply.status_code == 200, reply.text
    properties: dict[str, Any] = reply.json()["properties"]
    return properties


async def test_a_subscriptions_list_has_every_reported_resource_and_no_other(azure: Azure) -> None:
    client = await azure.health()
    rows = [row async for row in client.availability_statuses.list_by_subscription_id()]
    found = [re.split("/providers/Microsoft.ResourceHealth/", row.id or "", flags=re.IGNORECASE)[0] for row in rows]
    assert [one.lower() for one in found] == [row.id.lower() for row in reported(azure)]
    assert NIC not in {row.type for row in reported(azure)}
    assert {row.name for row in rows} == {"current"}


async def test_ids_of_a_list_are_as_rough_as_the_real_ones(azure: Azure) -> None:
    client = await azure.health()
    ids = [row.id or "" async for row in client.availability_statuses.list_by_subscription_id()]
    known = {row.id for row in reported(azure)}
    assert any("/AvailabilityStatueses/current" in one for one in ids)
    assert any("/availabilityStatuses/current" in one for one in ids)
    assert any(one.split("/providers/Microsoft.ResourceHealth")[0] not in known for one in ids)


async def test_the_list_follows_next_links(azure: Azure) -> None:
    azure.world.extra["arm.page_size"] = 4
    client = await azure.health()
    rows = [row async for row in client.availability_statuses.list_by_subscription_id()]
    assert len(rows) == len(reported(azure)) > 8


async def test_a_change_is_in_the_next_list(azure: Azure, machine: Resource) -> None:
    client = await azure.health()

    async def states() -> dict[str, Any]:
        rows = [row async for row in client.availability_statuses.list_by_subscription_id()]
        return {(row.id or "").lower().split("/providers/microsoft.resourcehealth")[0]: row for row in rows}

    before = (await states())[machine.id.lower()]
    assert before.properties.availability_state == "Available"
    set_health(azure, machine, "Unavailable", reason_type="Unplanned", context="Platform Initiated", summary="Lost")
    after = (await states())[machine.id.lower()].properties
    assert after.availability_state == "Unavailable"
    assert (after.reason_type, after.context, after.summary) == ("Unplanned", "Platform Initiated", "Lost")
    assert after.occured_time > before.properties.occured_time


async def test_a_group_has_its_own_list(azure: Azure, machine: Resource) -> None:
    client = await azure.health()
    rows = [row async for row in client.availability_statuses.list_by_resource_group(machine.resource_group.upper())]
    assert len(rows) == sum(row.resource_group == machine.resource_group for row in reported(azure))
    with pytest.raises(HttpResponseError) as caught:
        _ = [row async for row in client.availability_statuses.list_by_resource_group("rg-nowhere")]
    assert caught.value.status_code == 404


async def test_one_resource_tells_its_current_status(azure: Azure, machine: Resource) -> None:
    client = await azure.health()
    row = await client.availability_statuses.get_by_resource(machine.id)
    assert row.properties is not None
    assert row.properties.availability_state == "Available"
    assert row.properties.title == "Available"
    assert row.properties.recommended_actions is None


async def test_times_have_seven_digits_and_the_misspelled_name(azure: Azure, machine: Resource) -> None:
    set_health(azure, machine, "Degraded", context="Platform Initiated")
    properties = await current(azure, machine)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", properties["occuredTime"])
    assert "occurredTime" not in properties


async def test_reported_time_moves_although_nothing_changed(azure: Azure, machine: Resource) -> None:
    first = await current(azure, machine)
    azure.world.clock.advance(600)
    second = await current(azure, machine)
    assert second["reportedTime"] > first["reportedTime"]
    assert second["occuredTime"] == first["occuredTime"]


async def test_a_null_state_stays_null(azure: Azure, machine: Resource) -> None:
    set_health(azure, machine, None)
    assert (await current(azure, machine))["availabilityState"] is None
    reply = await azure.send("GET", f"/subscriptions/{azure.subscription.id}/{STATUSES}")
    assert sum(row["properties"]["availabilityState"] is None for row in reply.json()["value"]) == 1


async def test_recommended_actions_come_only_when_asked_for(azure: Azure, machine: Resource) -> None:
    set_health(azure, machine, "Unavailable", context="Customer Initiated")
    assert "recommendedActions" not in await current(azure, machine)
    actions = (await current(azure, machine, **{"$expand": "recommendedactions"}))["recommendedActions"]
    assert actions[0]["actionUrl"] == "<#ResourceBlade>"
    assert actions[-1]["actionUrl"] == "<#SupportCase>"


async def test_a_downtime_that_ended_is_recently_resolved(azure: Azure, machine: Resource) -> None:
    set_health(azure, machine, "Unavailable", context="Platform Initiated", summary="Lost")
    azure.world.clock.advance(120)
    set_health(azure, machine, "Available")
    resolved = (await current(azure, machine))["recentlyResolved"]
    assert resolved["unavailableSummary"] == "Lost"
    assert resolved["unavailableOccuredTime"] < resolved["resolvedTime"]


async def test_the_history_starts_with_the_current_status(azure: Azure, machine: Resource) -> None:
    for state in ("Unavailable", None, "Available"):
        azure.world.clock.advance(60)
        set_health(azure, machine, state)
    client = await azure.health()
    rows = [row async for row in client.availability_statuses.list(machine.id)]
    assert [row.properties.availability_state for row in rows if row.properties] == [
        "Available",
        None,
        "Unavailable",
        "Available",
    ]
    assert rows[0].name == "current"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\+\d\d%3a\d\d%3a\d\dZ", rows[1].name or "")


async def test_a_type_without_health_checks_is_refused(azure: Azure) -> None:
    interface = next(row for row in azure.subscription.resources.values() if row.type == NIC)
    reply = await azure.send("GET", f"{interface.id}/{STATUSES}/current")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "UnsupportedResourceType")


async def test_a_resource_without_a_report_is_unknown_alone_and_absent_from_lists(
    azure: Azure, machine: Resource
) -> None:
    count = len(reported(azure))
    azure.world.set_health(machine, None)
    assert (await current(azure, machine))["availabilityState"] == "Unknown"
    reply = await azure.send("GET", f"/subscriptions/{azure.subscription.id}/{STATUSES}")
    assert len(reply.json()["value"]) == count - 1


async def test_an_unregistered_subscription_conflicts_until_registered(azure: Azure) -> None:
    resource_health.unregistered(azure.world, azure.subscription).add("microsoft.resourcehealth")
    # A bare request: Microsoft's client would register the provider by itself and wait 10 seconds for it.
    path = f"/subscriptions/{azure.subscription.id}/{STATUSES}"
    reply = await azure.send("GET", path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    resources = await azure.resources()
    assert (await resources.providers.get("Microsoft.ResourceHealth")).registration_state == "NotRegistered"
    assert (await resources.providers.register("Microsoft.ResourceHealth")).registration_state == "Registered"
    assert (await azure.send("GET", path)).status_code == 200


async def test_health_needs_a_reading_role(azure: Azure) -> None:
    own = cast.principal_id(azure.world, azure.contoso, "automation")
    row = next(row for row in azure.subscription.role_assignments if row.principal_id == own)
    row.role = arm_access.ASSIGNMENT_DELETE
    reply = await azure.send("GET", f"/subscriptions/{azure.subscription.id}/{STATUSES}")
    assert reply.status_code == 403
    assert "'Microsoft.ResourceHealth/availabilityStatuses/read'" in reply.json()["error"]["message"]
    row.role = arm_access.VM_CONTRIBUTOR
    assert (await azure.send("GET", f"/subscriptions/{azure.subscription.id}/{STATUSES}")).status_code == 200


async def test_events_and_children_are_empty_lists(azure: Azure, machine: Resource) -> None:
    base = f"/subscriptions/{azure.subscription.id}/providers/Microsoft.ResourceHealth"
    assert (await azure.send("GET", f"{base}/events")).json() == {"value": []}
    children = f"{machine.id}/providers/Microsoft.ResourceHealth/childAvailabilityStatuses"
    assert (await azure.send("GET", children)).json() == {"value": []}


async def test_an_outage_is_an_event_and_named_in_the_history(azure: Azure) -> None:
    scenarios.reset(azure.sandbox.cloud, "outage")
    outage, machine = azure.world.extra["outage"], azure.machines[0]
    machine.location = outage["region"]
    azure.world.set_health(machine, scenarios.platform_fault(outage["since"]))
    client = await azure.health()
    rows = [row async for row in client.events.list_by_subscription_id()]
    assert [(row.event_type, row.status) for row in rows] == [("ServiceIssue", "Active")]
    now = await anext(aiter(client.availability_statuses.list(machine.id)))
    assert now.properties is not None
    assert [row.status.value for row in now.properties.service_impacting_events or [] if row.status] == ["Active"]


async def test_pages_are_kept_until_something_changes(azure: Azure, machine: Resource) -> None:
    path = f"/subscriptions/{azure.subscription.id}/{STATUSES}"
    first = (await azure.send("GET", path)).text
    yesterday = azure.world.clock.now() - timedelta(days=1)
    machine.health = Health("Degraded", yesterday, yesterday)
    assert (await azure.send("GET", path)).text == first
    azure.subscription.version += 1
    assert (await azure.send("GET", path)).text != first
