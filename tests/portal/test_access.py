"""Who sees which sites, granted and changed in the browser."""

from __future__ import annotations

from playwright.async_api import expect

from tests.estate import Estate
from tests.portal.driver import Portal


async def test_a_person_is_granted_a_site_by_object_id_and_changed_from_the_list(
    portal: Portal, standing: Estate
) -> None:
    carol = standing.sandbox.cloud.world.people["carol"].object_id
    before = (await standing.call("GET", f"/access/{carol}"))["siteIds"]
    site = (await standing.listed("/sites"))[0]
    label = f"{site['clientName']}, {site['siteName']}"
    page = await portal.open("/setup/access")
    await page.get_by_role("button", name="Grant sites").click()
    dialog = page.get_by_role("dialog")
    save = dialog.get_by_role("button", name="Save")
    await dialog.get_by_role("textbox", name="Object id").fill("carol")
    await expect(dialog.get_by_text("An object id looks like")).to_be_visible()
    await expect(save).to_be_disabled()
    await dialog.get_by_role("textbox", name="Object id").fill(carol.upper())
    await dialog.get_by_role("textbox", name="Name").fill("Carol of the night shift")
    if site["id"] not in before:
        await dialog.get_by_role("combobox", name="Sites that it sees").click()
        await page.get_by_role("option", name=label, exact=True).click()
    await save.click()
    await expect(dialog).to_be_hidden()
    assert site["id"] in (await standing.call("GET", f"/access/{carol}"))["siteIds"]

    await page.get_by_role("link", name="Carol of the night shift").click()
    await expect(page.get_by_role("heading", name="Sites of Carol of the night shift")).to_be_visible()
    await expect(save).to_be_disabled()
    await dialog.get_by_role("option", name=label, exact=True).click()
    await expect(dialog.get_by_text("1 taken away")).to_be_visible()
    await save.click()
    await expect(dialog).to_be_hidden()
    assert site["id"] not in (await standing.call("GET", f"/access/{carol}"))["siteIds"]
    await standing.call("PUT", f"/access/{carol}", json={"siteIds": before})
