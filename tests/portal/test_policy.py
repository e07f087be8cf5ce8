"""The alert policy and maintenance windows in the browser: readers see, whoever may changes, never over others."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.estate import Estate
from tests.portal.driver import Portal, axe

HOLD = "Wait before a ticket opens"


async def save(page: Page, before: str, after: str) -> None:
    """Review the one change, which must say this, and save it."""
    await page.get_by_role("button", name="Review and save").click()
    dialog = page.get_by_role("dialog", name="Change the alert policy")
    row = dialog.get_by_role("table", name="What changes").get_by_role("row", name=HOLD)
    await expect(row.get_by_role("cell")).to_have_text([before, after])
    await dialog.get_by_role("textbox", name="Reason").fill("Noise")
    await dialog.get_by_role("button", name="Save").click()


async def test_the_policy_is_changed_kept_as_a_version_and_never_over_somebody_elses_change(
    portal: Portal, estate: Estate
) -> None:
    page = await portal.open("/setup/policy")
    hold = page.get_by_role("spinbutton", name=HOLD)
    review = page.get_by_role("button", name="Review and save")
    await hold.fill("-1")
    # What the API would refuse is said at the field, before anything is sent.
    await expect(hold).to_have_accessible_description(re.compile("A whole number from 0 to 10,080"))
    await expect(page.get_by_text(f"Mend first: {HOLD}.")).to_be_visible()
    await expect(review).to_be_disabled()
    await hold.fill("10")
    # An exception that names nothing is refused by the API, and said in the dialog and at the exception.
    await page.get_by_role("button", name="Add an exception").click()
    await review.click()
    dialog = page.get_by_role("dialog", name="Change the alert policy")
    await dialog.get_by_role("textbox", name="Reason").fill("Noise")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("an override names")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_label("Exceptions").get_by_role("alert")).to_contain_text("an override names")
    await page.get_by_role("button", name="Remove the exception for").click()
    await review.click()
    # The reason of the try that failed is still there.
    await expect(dialog.get_by_role("textbox", name="Reason")).to_have_value("Noise")
    await dialog.get_by_role("button", name="Cancel").click()
    await save(page, "At once", "10 min")
    await expect(page.get_by_text("once it has been so for 10 min")).to_be_visible()

    await hold.fill("20")
    theirs = await estate.call("GET", "/alerts/policy")
    await estate.call("PUT", "/alerts/policy", json={**theirs, "graceMinutes": 45})
    await save(page, "10 min", "20 min")
    await expect(dialog.get_by_role("alert")).to_contain_text("Somebody else changed it")
    await dialog.get_by_role("button", name="Read it again").click()
    await expect(dialog.get_by_role("button", name="Read it again")).to_have_count(0)
    await expect(dialog.get_by_role("textbox", name="Reason")).to_have_value("Noise")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("has 45 min to be back")).to_be_visible()
    await expect(page.get_by_text("Version 3, set by")).to_be_visible()
    policy = await estate.call("GET", "/alerts/policy")
    assert (policy["version"], policy["holdMinutes"], policy["graceMinutes"]) == (3, 20, 45)

    await page.get_by_role("button", name="Versions").click()
    await expect(page.get_by_text(f"{HOLD}: 10 min → 20 min")).to_be_visible()
    await expect(page.get_by_text("Time to be back after planned work: 30 min → 45 min")).to_be_visible()
    await page.get_by_role("button", name="Actions on Version 1").click()
    await page.get_by_role("menuitem", name="See what changed").click()
    changed = page.get_by_role("table", name="What changed").get_by_role("row", name=HOLD)
    await expect(changed.get_by_role("cell")).to_have_text(["At once", "10 min"])
    assert await axe(page) == []


async def test_a_window_is_made_and_deleted_and_readers_change_neither(portal: Portal, estate: Estate) -> None:
    await estate.grant("carol", "contoso-hq")
    page = await portal.open("/maintenance")
    await page.get_by_role("button", name="New window").click()
    dialog = page.get_by_role("dialog", name="New maintenance window")
    await dialog.get_by_role("combobox", name="Sites").click()
    await page.get_by_role("option", name=re.compile("^Contoso")).click()
    await dialog.get_by_label("Start").fill("2027-03-01T20:00")
    await dialog.get_by_label("End").fill("2027-03-01T22:30")
    await expect(dialog.get_by_text("It lasts 2 h 30 min")).to_be_visible()
    await dialog.get_by_role("textbox", name="What is done").fill("Patching")
    assert await axe(page) == []
    await dialog.get_by_role("button", name="Make the window").click()
    await expect(page.get_by_role("gridcell", name="Planned")).to_be_visible()
    (window,) = await estate.listed("/maintenance")
    assert (window["startAt"], window["siteIds"]) == ("2027-03-01T20:00:00Z", ["contoso-hq"])

    reader = await portal.open("/maintenance", "carol")
    await expect(reader.get_by_role("button", name="New window")).to_be_disabled()
    await reader.get_by_role("button", name="Actions on Patching").click()
    await expect(reader.get_by_role("menuitem", name=re.compile("^Delete"))).to_contain_text("Alerts.Manage")
    await reader.goto(f"{portal.site}/setup/policy")
    await expect(reader.get_by_text("You may look only")).to_be_visible()
    await expect(reader.get_by_role("spinbutton")).to_have_count(0)

    await page.get_by_role("button", name="Actions on Patching").click()
    await page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete the window: Patching")
    await expect(dialog.get_by_text("as if it had never been made")).to_be_visible()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There are no maintenance windows")).to_be_visible()
    assert await estate.listed("/maintenance") == []
