"""Events in the browser: a source whose address is shown once and holds; a workflow is subscribed and ended."""

from __future__ import annotations

import json

from playwright.async_api import Page, expect

from tests.estate import Estate
from tests.portal.driver import Portal
from tests.unit.test_event_parsing import ALERT, SUBSCRIPTION


async def press_on_row(page: Page, name: str, deed: str) -> None:
    """Do something with a row, and say yes to its dialog."""
    await page.get_by_role("button", name=f"Actions on {name}").click()
    await page.get_by_role("menuitem", name=deed).click()
    await page.get_by_role("dialog", name=f"{deed} {name}").get_by_role("button", name=deed).click()


async def test_a_source_gives_its_address_once_and_is_deleted(portal: Portal, estate: Estate) -> None:
    page = await portal.open("/setup/events")
    await page.get_by_role("button", name="Add a source").click()
    dialog = page.get_by_role("dialog", name="Add an event source")
    await dialog.get_by_role("textbox", name="Name").fill("Contoso's alerts")
    await dialog.get_by_role("combobox", name="Tenants").click()
    await page.get_by_role("option", name="Contoso").click()
    await dialog.get_by_role("button", name="Add").click()
    shown = page.get_by_role("alertdialog", name="The address of Contoso's alerts")
    await expect(shown.get_by_text("never again")).to_be_visible()
    url = await shown.locator("code").inner_text()
    await shown.get_by_role("button", name="I have kept it").click()
    [source] = await estate.listed("/event-sources")
    assert (source["kind"], source["tenantIds"]) == ("azure-monitor", [estate.cloud().tenant_id])

    azure = await estate.person()
    event = json.loads(json.dumps(ALERT).replace(SUBSCRIPTION, estate.cloud().id))
    assert (await azure.post(url, json=event)).json()["subscriptions"] == 1
    await estate.settle(30)
    await expect(page.get_by_role("row", name="Contoso's alerts")).to_contain_text("never")
    await page.get_by_role("button", name="Read again").click()
    await expect(page.get_by_role("row", name="Contoso's alerts")).not_to_contain_text("never")

    await press_on_row(page, "Contoso's alerts", "Delete")
    await expect(page.get_by_role("heading", name="Azure tells nothing yet")).to_be_visible()
    assert (await azure.post(url, json=event)).status_code == 401


async def test_a_workflow_is_subscribed_to_what_was_chosen_and_ended(portal: Portal, estate: Estate) -> None:
    receiver = (await estate.control.get("/world")).json()["receivers"]["logicapps"]
    page = await portal.open("/setup/events?list=subscriptions")
    await page.get_by_role("button", name="Subscribe a workflow").click()
    dialog = page.get_by_role("dialog", name="Subscribe a workflow")
    await dialog.get_by_role("textbox", name="Name").fill("Pager")
    await dialog.get_by_label("Address of the workflow's trigger").fill(receiver["url"])
    await dialog.get_by_role("combobox", name="Events").click()
    await page.get_by_role("option", name="An alert opened").click()
    await dialog.get_by_role("button", name="Subscribe").click()
    await expect(page.get_by_role("link", name="Pager")).to_be_visible()
    [made] = await estate.listed("/event-subscriptions")
    assert (made["events"], made["siteIds"]) == (["tenantry.alert.opened"], None)

    await press_on_row(page, "Pager", "End")
    await expect(page.get_by_role("heading", name="No workflow listens")).to_be_visible()
    assert await estate.listed("/event-subscriptions") == []
