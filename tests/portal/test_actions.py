"""All five actions in the browser, to their end in the cloud; a second person's approval; what can be canceled."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from sandbox.azure_types import VM
from sandbox.power import estate as everything
from sandbox.power import table
from sandbox.world import Resource
from shared.operations import lanes
from tests.estate import Estate
from tests.many import quicken
from tests.portal.driver import Portal

CAPACITY = "Microsoft.Fabric/capacities"
MACHINES = f"/devices?type={VM}&clientName=Contoso"


@pytest.fixture(autouse=True)
def quick(standing: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(standing, monkeypatch)


def machines(estate: Estate) -> list[Resource]:
    """Every virtual machine of Contoso, running."""
    found = [row for row in estate.cloud().resources.values() if row.type == VM]
    for row in found:
        row.power = "running"
    return found


def restarted(estate: Estate) -> list[str]:
    """The machines that Azure was asked to restart."""
    sent = [row["url"] for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    return sorted(url.partition("/restart")[0].lower() for url in sent if "/restart" in url)


async def act(page: Page, estate: Estate, device: Resource, label: str, power: str) -> None:
    """Do it on the device's page; wait until the page shows where it led."""
    await page.get_by_role("group", name="Actions").get_by_role("button", name=label, exact=True).click()
    dialog = page.get_by_role("dialog", name=f"{label} {device.name}")
    await dialog.get_by_role("button", name=label, exact=True).click()
    await expect(dialog.get_by_text(f"{label} of {device.name}: succeeded.")).to_be_visible()
    # The end of an action makes its subscription be read again.
    await estate.settle(30)
    await dialog.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("main").get_by_text(power, exact=True)).to_be_visible()


async def ask_for_a_restart_of_all(page: Page, count: int) -> None:
    """Restart every machine that the list shows, and go to the operation."""
    await page.get_by_role("checkbox", name="Column with Header Selection").check()
    await page.get_by_role("button", name="Restart", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Restart {count} devices")
    await dialog.get_by_role("button", name="Restart").click()
    await expect(dialog.get_by_text("waits for a second person to approve it")).to_be_visible()
    await dialog.get_by_role("link", name="See the operation").click()
    await expect(page.get_by_role("heading", name=f"Restart of {count} devices", level=1)).to_be_visible()


async def decide(page: Page, button: str, count: int) -> None:
    """Approve, reject or cancel it on the operation's page."""
    await page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Restart of {count} devices")
    await dialog.get_by_role("button", name=button, exact=True).click()
    await expect(dialog).to_have_count(0)


async def test_a_machine_is_restarted_stopped_and_started_and_a_capacity_paused_and_resumed(
    portal: Portal, standing: Estate
) -> None:
    machine = standing.machine()
    row = table.load()[CAPACITY.lower()]
    capacity = everything.add(standing.sandbox.cloud.world, standing.cloud(), row)
    await standing.poll()

    async def of_the_machine() -> None:
        page = await portal.open(f"/devices/{standing.device_id(machine)}")
        await act(page, standing, machine, "Restart", "Running")
        assert machine.id.lower() in restarted(standing)
        await act(page, standing, machine, "Stop", "Deallocated")
        assert machine.power == "deallocated"
        await act(page, standing, machine, "Start", "Running")
        assert machine.power == "running"

    async def of_the_capacity() -> None:
        page = await portal.open(f"/devices/{standing.device_id(capacity)}")
        # What it cannot do, or not now, is there and says why.
        stop = page.get_by_role("button", name="Stop", exact=True)
        await expect(stop).to_be_disabled()
        await stop.focus()
        await expect(page.get_by_role("tooltip", name="Azure has no action to stop")).to_be_visible()
        resume = page.get_by_role("button", name="Resume", exact=True)
        await expect(resume).to_be_disabled()
        await resume.focus()
        await expect(page.get_by_role("tooltip", name="Resume works when it is paused")).to_be_visible()
        await act(page, standing, capacity, "Pause (suspend)", "Paused")
        assert capacity.properties["state"] == "Paused"
        await act(page, standing, capacity, "Resume", "Running")
        assert capacity.properties["state"] == "Active"

    await asyncio.gather(of_the_machine(), of_the_capacity())


async def test_what_is_above_the_threshold_waits_for_another_person(
    portal: Portal, standing: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = standing.app.settings.model_copy(update={"approval_above_devices": 1})
    monkeypatch.setattr(standing.app, "settings", changed)
    rows = machines(standing)
    await standing.poll()
    await standing.grant("bob", "contoso-hq")
    standing.sandbox.cloud.requests.clear()
    page, bob = await asyncio.gather(portal.open(MACHINES), portal.open("/overview", "bob"))
    await ask_for_a_restart_of_all(page, len(rows))
    await expect(page.get_by_text("You asked for it yourself: another person must decide.")).to_be_visible()
    await expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    assert restarted(standing) == []
    await bob.get_by_role("link", name="Operations").click()
    await bob.get_by_role("row", name="Waits for approval").get_by_role("link", name="Restart").click()
    await decide(bob, "Approve", len(rows))
    await expect(bob.get_by_role("heading", name="Approval: approved")).to_be_visible()
    await expect(page.get_by_text("Bob Berg")).to_be_visible()
    for window in (bob, page):
        await expect(window.get_by_text("Succeeded", exact=True).first).to_be_visible()
    assert restarted(standing) == sorted(row.id.lower() for row in rows)


async def test_what_has_not_begun_can_be_canceled(
    portal: Portal, standing: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    rows = machines(standing)
    await standing.poll()
    standing.sandbox.cloud.requests.clear()
    standing.sandbox.cloud.world.behaviour.lro = "seconds=60"
    body = {"action": "restart", "deviceIds": [standing.device_id(row) for row in rows]}
    operation = await standing.call("POST", "/actions", 202, json=body)
    await standing.settle(30)
    page = await portal.open(f"/operations/{operation['id']}")
    await decide(page, "Cancel what has not begun", len(rows))
    await expect(page.get_by_role("gridcell", name="Canceled", exact=True)).to_have_count(len(rows) - 1)
    await expect(page.get_by_role("gridcell", name="Running", exact=True)).to_have_count(1)
    await standing.advance(61)
    await expect(page.get_by_role("heading", level=1).locator("..")).to_contain_text("Canceled")
    assert len(restarted(standing)) == 1
