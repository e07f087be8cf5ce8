"""Tenants in the browser: synced and unsynced by hand, and the connection removed; what is then at Microsoft."""

from __future__ import annotations

import httpx
from playwright.async_api import Page, expect

from sandbox.host import Host
from sandbox.server import Sandbox
from tests.api.test_tenants import applications
from tests.app_fixtures import ApiFor
from tests.connecting import connect
from tests.estate import Estate, Settle
from tests.portal.driver import Portal
from tests.tenanting import refresh

OWN = "Northwind Managed Services"
CONSENTED, BROKEN = "Contoso", "Margie's Travel"
SLOW = 1_000
"""Milliseconds of each answer of Microsoft, so that work is under way for as long as a page needs to be read again."""


async def row_action(page: Page, name: str, action: str) -> None:
    await page.get_by_role("button", name=f"Actions on {name}", exact=True).click()
    await page.get_by_role("menuitem", name=action, exact=True).click()


async def test_tenants_are_synced_together_and_unsynced_again(
    portal: Portal, fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle
) -> None:
    alice = await api("alice")
    await connect(alice, control)
    known = await refresh(alice, settle)
    page = await portal.open("/setup/connections")
    await expect(page.get_by_role("row", name="Northwind")).to_contain_text("Saved and authenticated")
    await page.get_by_role("link", name="Tenants", exact=True).click()
    await expect(page.get_by_text(f"of {len(known)}")).to_be_visible()
    await expect(page.get_by_role("gridcell", name="Deactivated")).to_have_count(len(known))
    await expect(page.get_by_role("button", name="Sync", exact=True)).to_have_count(0)
    # Whoever cancels has done nothing.
    for name in (CONSENTED, BROKEN):
        await page.get_by_role("row", name=name).get_by_role("checkbox").check()
    await page.get_by_role("button", name="Sync", exact=True).click()
    dialog = page.get_by_role("dialog", name="Sync 2 tenants")
    await expect(dialog.get_by_role("listitem")).to_have_text([CONSENTED, BROKEN])
    await dialog.get_by_role("button", name="Cancel").click()
    assert "tenants.sync" not in [row["kind"] for row in (await alice.get("/operations")).json()["value"]]
    sandbox.cloud.world.behaviour.latency_ms = SLOW
    await page.get_by_role("button", name="Sync", exact=True).click()
    await dialog.get_by_role("button", name="Sync", exact=True).click()
    await expect(page.get_by_text("The sync of 2 tenants has begun").first).to_be_visible()
    work = page.get_by_role("region", name="Work under way")
    await expect(work).to_contain_text("Synchronization: under way")
    await expect(page.get_by_role("gridcell", name="Pending")).to_have_count(2)
    await page.reload()
    await expect(work).to_contain_text("Synchronization: under way")
    sandbox.cloud.world.behaviour.latency_ms = 0
    await expect(work).to_contain_text("1 succeeded, 1 failed", timeout=60_000)
    await expect(work.get_by_role("listitem")).to_contain_text(BROKEN)
    await expect(page.get_by_role("row", name=CONSENTED)).to_contain_text("Synced")
    await expect(page.get_by_role("row", name=BROKEN)).to_contain_text("Failed")
    assert (applications(sandbox, CONSENTED), applications(sandbox, BROKEN)) == (1, 0)

    await page.get_by_role("button", name=f"Actions on {OWN}").click()
    await expect(page.get_by_role("menuitem", name="Unsync")).to_contain_text("Your own tenant cannot be unsynced.")
    await page.keyboard.press("Escape")
    await row_action(page, CONSENTED, "Unsync")
    dialog = page.get_by_role("dialog", name=f"Unsync {CONSENTED}")
    await expect(dialog.get_by_text("enterprise application is deleted there")).to_be_visible()
    await dialog.get_by_role("button", name="Unsync").click()
    await expect(work).to_contain_text("Removal from client tenants: succeeded", timeout=60_000)
    await expect(page.get_by_role("row", name=CONSENTED)).to_contain_text("Deactivated")
    assert applications(sandbox, CONSENTED) == 0


async def test_removing_the_connection_says_what_goes_and_leaves_nothing_at_microsoft(
    portal: Portal, estate: Estate
) -> None:
    await estate.grant("bob", "contoso-hq")
    bob = await portal.open("/setup/tenants", "bob")
    await expect(bob.get_by_role("link", name="Contoso", exact=True)).to_be_visible()
    await expect(bob.get_by_text("1-1 of 1")).to_be_visible()
    await bob.get_by_role("button", name="Actions on Contoso").click()
    for action in ("Sync again", "Unsync"):
        await expect(bob.get_by_role("menuitem", name=action)).to_contain_text("Integration.Admin")
    carol = await portal.open("/setup/connections", "carol")
    await expect(carol.get_by_role("heading", name="You have no permission for this page")).to_be_visible()

    assert [applications(estate.sandbox, name) for name in ("Contoso", "Fabrikam")] == [1, 1]
    page = await portal.open("/setup/connections")
    await row_action(page, "Northwind", "Remove")
    dialog = page.get_by_role("dialog", name="Remove Northwind")
    await expect(dialog.get_by_text("In 2 tenants, Tenantry's enterprise application is deleted")).to_be_visible()
    for said in ("Contoso", "Fabrikam", "the mapping of 2 sites"):
        await expect(dialog.get_by_role("listitem").get_by_text(said)).to_be_visible()
    remove = dialog.get_by_role("button", name="Remove")
    await expect(remove).to_be_disabled()
    await dialog.get_by_role("textbox", name="Type Northwind to confirm").fill("Northwind")
    await remove.click()
    work = page.get_by_role("region", name="Work under way")
    await expect(work).to_contain_text("Removal of the connection: succeeded", timeout=60_000)
    await expect(work.get_by_role("listitem")).to_contain_text(["Contoso", "Fabrikam"])
    assert [applications(estate.sandbox, name) for name in ("Contoso", "Fabrikam")] == [0, 0]
    await expect(page.get_by_role("heading", name="Nothing is connected yet")).to_be_visible()
    await page.get_by_role("link", name="Cloud devices").click()
    await expect(page.get_by_role("heading", name="There are no devices yet")).to_be_visible()
    assert [site.get("tenantId") for site in await estate.listed("/sites")] == [None, None]
