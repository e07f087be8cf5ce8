"""Azure's own service issues, read for a subscription and joined with the devices that fell with them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.server import Sandbox
from sandbox.world import Fault
from shared.devices import Place, places
from shared.devices.records import DEVICES, Device, Health
from shared.health import service_issues
from shared.health.service_issues import MEMORY, ServiceIssue
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle
) -> AsyncIterator[Estate]:
    yield await made.build(fresh_app, sandbox, control, api, settle)


async def place(estate: Estate) -> Place:
    found = await places.of(estate.app, estate.cloud().id)
    assert found is not None
    return found


async def active(estate: Estate) -> list[ServiceIssue]:
    return await service_issues.active(estate.app, await place(estate))


async def begin(estate: Estate, region: str, **fields: object) -> str:
    answer = await estate.control.post("/service-issues", json={"region": region, **fields})
    return str(answer.json()["id"])


def calls(estate: Estate) -> list[str]:
    asked = [row["url"].partition("?")[0] for row in estate.sandbox.cloud.requests if row["service"] == "arm"]
    return [url for url in asked if "/events" in url]


async def test_an_active_issue_is_found_with_what_it_impacts(estate: Estate) -> None:
    assert await active(estate) == []
    machine = estate.machine()
    identifier = await begin(estate, machine.location, title="Power in a datacenter", resourceIds=[machine.id])
    resolved = await begin(estate, machine.location)
    await estate.control.delete(f"/service-issues/{resolved}")
    estate.fall_ill(machine)
    await estate.advance(MEMORY.total_seconds())
    [issue] = await active(estate)
    assert (issue.id, issue.title, issue.service) == (identifier, "Power in a datacenter", "Virtual Machines")
    assert len(issue.regions) == 1
    assert issue.resource_ids == {machine.id.lower()}
    await estate.poll()
    device = await estate.app.tables.get(DEVICES, estate.cloud().id, f"device|{estate.device_id(machine)}")
    assert device is not None
    assert device.health.service_issue_title == "Power in a datacenter"
    assert service_issues.of_device([issue], device) == identifier


async def test_an_answer_is_used_again_for_a_minute(estate: Estate) -> None:
    await begin(estate, estate.machine().location)
    first = await active(estate)
    asked = len(calls(estate))
    assert asked == 2
    assert await active(estate) == first
    assert len(calls(estate)) == asked
    await estate.advance(MEMORY.total_seconds())
    await active(estate)
    assert len(calls(estate)) == 2 * asked


@pytest.mark.parametrize(
    "path, expected", [("/events$", []), ("impactedResources", [frozenset()])], ids=["events", "impactedResources"]
)
async def test_a_refusal_means_that_nothing_is_known(estate: Estate, path: str, expected: list[frozenset[str]]) -> None:
    await begin(estate, estate.machine().location)
    estate.sandbox.cloud.faults.append(Fault("arm", path=path, status=403, times=10))
    try:
        assert [issue.resource_ids for issue in await active(estate)] == expected
    finally:
        estate.sandbox.cloud.faults.clear()


def device(**health: str) -> Device:
    now = "2026-01-01T00:00:00Z"
    return Device(
        id="d",
        resource_id="/subscriptions/s/resourceGroups/RG/providers/X/y/Z",
        name="Z",
        type="X/y",
        subscription_id="s",
        tenant_id="t",
        health=Health.model_validate({"status": "unavailable", **health}),
        first_seen_at=now,
        changed_at=now,
    )


def issue(identifier: str, title: str, *resource_ids: str) -> ServiceIssue:
    return ServiceIssue(identifier, title, "Virtual Machines", ("West Europe",), frozenset(resource_ids))


def test_a_device_belongs_to_the_issue_that_lists_it_else_to_the_one_its_health_names() -> None:
    issues = [issue("AAAA-111", "One"), issue("BBBB-222", "Two", "/subscriptions/s/resourcegroups/rg/providers/x/y/z")]
    assert service_issues.of_device(issues, device()) == "BBBB-222"
    assert service_issues.of_device(issues[:1], device()) is None
    by_title = device(service_issue="guid", service_issue_title="one")
    assert service_issues.of_device(issues[:1], by_title) == "AAAA-111"
    assert service_issues.of_device(issues[:1], device(service_issue="guid", service_issue_title="Other")) == "guid"
    assert service_issues.of_device([], device(service_issue="aaaa-111")) == "aaaa-111"
