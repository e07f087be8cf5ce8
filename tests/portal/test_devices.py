"""Cloud devices in the browser: the table, its filters, actions on one and on many, who may what."""

from __future__ import annotations

import re

from playwright.async_api import expect

from sandbox.azure_types import VM
from sandbox.world import Resource
from tests.estate import Estate
from tests.portal.driver import Portal

COLUMNS = ("Name", "Type", "Region", "Group", "Subscription", "Tenant", "Client", "Site", "Status", "Power state")


def only(machine: Resource) -> str:
    """The list of this machine alone."""
    return f"/devices?type={VM}&clientName=Contoso&search={machine.name}"


async def test_the_table_has_every_column_the_age_of_the_data_and_the_count(portal: Portal, estate: Estate) -> None:
    page = await portal.open("/devices")
    count = (await estate.call("GET", "/devices?$count=true&$top=1"))["count"]
    await expect(page.get_by_text(f"of {count}", exact=False)).to_be_visible()
    await expect(page.get_by_text("Last refreshed")).to_be_visible()
    await page.get_by_role("button", name="Columns").click()
    for name in COLUMNS:
        await expect(page.get_by_role("menuitemcheckbox", name=name, exact=True)).to_be_checked()


async def test_filters_are_shown_survive_a_reload_and_can_be_removed(portal: Portal, estate: Estate) -> None:
    machine = estate.machine()
    page = await portal.open("/devices")
    link = page.get_by_role("link", name=machine.name, exact=True).first
    await expect(page.get_by_text("Unfiltered")).to_be_visible()
    await page.get_by_role("searchbox", name="Search names and groups").fill(machine.name)
    await expect(page.get_by_role("button", name=f"Search: {machine.name}", exact=True)).to_be_visible()
    await expect(link).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("searchbox", name="Search names and groups")).to_have_value(machine.name)
    await page.get_by_role("button", name="Status").click()
    await page.get_by_role("checkbox", name="Unknown").click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    await page.get_by_role("button", name="Remove Status: Unknown").click()
    await expect(link).to_be_visible()
    await page.get_by_role("button", name="Reset filters").click()
    await expect(page.get_by_text("Unfiltered")).to_be_visible()


async def test_an_action_says_what_it_does_is_done_and_reaches_the_audit_log(portal: Portal, estate: Estate) -> None:
    machine = estate.machine()
    page = await portal.open(only(machine))
    await page.get_by_role("button", name=f"Actions on {machine.name}").click()
    await page.get_by_role("menuitem", name="Restart").click()
    dialog = page.get_by_role("dialog", name=f"Restart {machine.name}")
    await expect(dialog.get_by_text("The machine reboots in place")).to_be_visible()
    await dialog.get_by_role("textbox", name="Reason").fill("Hung")
    await dialog.get_by_role("textbox", name="Ticket number").fill("T-7")
    await dialog.get_by_role("button", name="Restart").click()
    await expect(dialog.get_by_text(re.compile("succeeded"))).to_be_visible(timeout=60_000)
    newest, *_ = await estate.listed("/audit", target=estate.device_id(machine))
    assert (newest["action"], newest["reason"], newest["ticketNumber"]) == ("device.restart", "Hung", "T-7")


async def test_what_cannot_be_done_says_why(portal: Portal, estate: Estate) -> None:
    machine = estate.machine()
    page = await portal.open(only(machine))
    await page.get_by_role("button", name=f"Actions on {machine.name}").click()
    start = page.get_by_role("menuitem", name=re.compile("^Start"))
    await expect(start).to_be_disabled()
    await expect(start).to_contain_text("running")
    await page.keyboard.press("Escape")
    carol = await portal.open(only(machine), "carol")
    await expect(carol.get_by_text("Nothing matches")).to_be_visible()
    await estate.grant("carol", "contoso-hq")
    await carol.reload()
    await carol.get_by_role("button", name=f"Actions on {machine.name}").click()
    await expect(carol.get_by_role("menuitem", name="Restart")).to_contain_text("CloudDevices.Update")


async def test_mallory_without_a_role_is_told_what_she_lacks(portal: Portal, estate: Estate) -> None:
    assert await estate.listed("/sites")
    page = await portal.open("/devices", "mallory")
    await expect(page.get_by_role("heading", name="You have no permission for this page")).to_be_visible()
    await expect(page.get_by_text("CloudDevices.Read")).to_be_visible()
    await expect(page.get_by_role("link", name="Cloud devices")).to_have_count(0)


async def test_rows_are_selected_over_pages_and_acted_on_together(portal: Portal, estate: Estate) -> None:
    page = await portal.open("/devices?type=Microsoft.Compute/virtualMachines&clientName=Contoso")
    total = (
        await estate.call("GET", "/devices?type=Microsoft.Compute/virtualMachines&clientName=Contoso&$count=true")
    )["count"]
    await page.get_by_role("checkbox", name="Column with Header Selection").check()
    await expect(page.get_by_text(f"{total} selected.")).to_be_visible()
    await page.get_by_role("button", name="Restart", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Restart {total} devices")
    await dialog.get_by_role("button", name="Restart").click()
    await expect(dialog.get_by_text("See the operation")).to_be_visible()
    [operation] = [row for row in await estate.listed("/operations") if row["kind"] == "devices.restart"]
    assert operation["itemCount"] == total
