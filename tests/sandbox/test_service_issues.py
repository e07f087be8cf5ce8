"""Service issues of the simulated Azure, read with the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from sandbox import scenarios
from sandbox.server import Sandbox
from sandbox.world import Resource
from tests.sandbox.azure import Azure

BASE = "providers/Microsoft.ResourceHealth"


@pytest_asyncio.fixture
async def azure(sandbox: Sandbox) -> AsyncIterator[Azure]:
    async with Azure(sandbox) as azure:
        yield azure


def fall_ill(azure: Azure, resource: Resource) -> None:
    azure.world.set_health(resource, scenarios.platform_fault(azure.world.clock.now()))


async def begin(control: httpx.AsyncClient, **fields: object) -> str:
    answer = await control.post("/service-issues", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def impacted(azure: Azure, tracking_id: str) -> list[str]:
    client = await azure.health()
    rows = client.impacted_resources.list_by_subscription_id_and_event_id(tracking_id)
    return [str(row.target_resource_id) async for row in rows]


async def impacting(azure: Azure, resource: Resource) -> list[tuple[str, str]]:
    """(state, title) of the service issues that the subscription's list of statuses names for a resource."""
    client = await azure.health()
    async for row in client.availability_statuses.list_by_subscription_id():
        if str(row.id).lower().startswith(f"{resource.id.lower()}/"):
            assert row.properties is not None
            events = row.properties.service_impacting_events or []
            return [
                (str(e.status and e.status.value), str(e.incident_properties and e.incident_properties.title))
                for e in events
            ]
    raise AssertionError("the resource is not listed")


async def test_an_issue_is_told_to_subscriptions_with_resources_in_its_region(
    azure: Azure, control: httpx.AsyncClient
) -> None:
    machine = azure.machines[0]
    identifier = await begin(control, region=machine.location, title="Power in a datacenter")
    client = await azure.health()
    [row] = [row async for row in client.events.list_by_subscription_id()]
    assert (row.name, row.event_type, row.status, row.title) == (
        identifier,
        "ServiceIssue",
        "Active",
        "Power in a datacenter",
    )
    elsewhere = next(region for region in ("uksouth", "eastus") if region != machine.location)
    for resource in azure.subscription.resources.values():
        resource.location = machine.location
    await begin(control, region=elsewhere)
    assert len([row async for row in client.events.list_by_subscription_id()]) == 1


async def test_what_fell_since_it_began_is_impacted(azure: Azure, control: httpx.AsyncClient) -> None:
    machine, other = azure.machines[0], azure.machines[1]
    other.location = machine.location
    since = azure.world.clock.now() - timedelta(minutes=5)
    identifier = await begin(control, region=machine.location, at=since.isoformat())
    before = set(await impacted(azure, identifier))
    fall_ill(azure, machine)
    azure.world.set_health(other, scenarios.customer_stop(azure.world.clock.now()))
    assert set(await impacted(azure, identifier)) - before == {machine.id}
    [(state, title)] = await impacting(azure, machine)
    assert state == "Active"
    assert title.startswith("Virtual Machines - ")
    assert await impacting(azure, other) == []


async def test_named_resources_are_impacted_and_no_others(azure: Azure, control: httpx.AsyncClient) -> None:
    machine, other = azure.machines[0], azure.machines[1]
    other.location = machine.location
    identifier = await begin(control, region=machine.location, resourceIds=[machine.id])
    fall_ill(azure, other)
    assert await impacted(azure, identifier) == [machine.id]


async def test_a_resolved_issue_stays_listed_as_such(azure: Azure, control: httpx.AsyncClient) -> None:
    machine = azure.machines[0]
    identifier = await begin(control, region=machine.location)
    fall_ill(azure, machine)
    assert (await control.delete(f"/service-issues/{identifier}")).status_code == 204
    client = await azure.health()
    [row] = [row async for row in client.events.list_by_subscription_id()]
    assert row.status == "Resolved"
    assert [state for state, _ in await impacting(azure, machine)] == ["Resolved"]


async def test_an_event_nobody_knows_is_not_found(azure: Azure, control: httpx.AsyncClient) -> None:
    with pytest.raises(HttpResponseError) as error:
        await impacted(azure, "ABCD-123")
    assert error.value.status_code == 404
    assert (await control.post("/service-issues", json={"region": "atlantis"})).status_code == 400
    assert (await control.delete("/service-issues/ABCD-123")).status_code == 404
