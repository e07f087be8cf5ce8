"""The set-up in the browser, step by step: from nothing to every client's devices, and back to nothing."""

from __future__ import annotations

import re

import httpx
from playwright.async_api import Page, Route, expect

from sandbox.host import Host
from tests.app_fixtures import ApiFor
from tests.estate import Settle
from tests.portal.driver import Portal

LONG = 60_000
"""Milliseconds that Microsoft and the queues may take."""


async def at(page: Page, title: str) -> None:
    await expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=LONG)


async def go_on(page: Page, button: str = "Next") -> None:
    await page.get_by_role("button", name=button, exact=True).click(timeout=LONG)


async def test_a_partner_is_connected_once_and_the_devices_of_a_client_appear(
    portal: Portal, fresh_app: Host, control: httpx.AsyncClient, api: ApiFor, settle: Settle
) -> None:
    partner = (await control.get("/world")).json()["partner"]
    page = await portal.open("/setup/connections")
    await page.get_by_role("button", name="New connection").first.click()
    await page.get_by_role("textbox", name="Name", exact=True).fill("Northwind")
    await page.get_by_role("textbox", name="Partner tenant ID").fill(partner["tenantId"])
    await go_on(page, "Save and proceed")

    await at(page, "Know what is asked for")
    await expect(page.get_by_role("list", name=re.compile("Permissions of Microsoft Graph"))).to_be_visible()
    await go_on(page)

    await page.get_by_role("button", name="Generate token").click()
    await page.get_by_role("button", name="dave").click()
    await at(page, "Test the connection")
    await page.get_by_role("button", name="Test connection").click()
    await expect(page.get_by_text("The test passed")).to_be_visible(timeout=LONG)
    await go_on(page)

    await at(page, "Choose customers")
    await settle(60)
    await page.get_by_role("searchbox").fill("Contoso")
    await page.get_by_role("button", name="Actions on Contoso").click(timeout=LONG)
    await page.get_by_role("menuitem", name="Sync").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Sync").click()
    await settle(90)
    # Whoever reloads in the middle is where she was.
    await page.reload()
    await at(page, "Choose customers")
    await go_on(page)

    await at(page, "Map sites")
    await go_on(page, "Save and proceed")
    await at(page, "Confirm the mapped sites")
    await go_on(page, "Complete setup")
    await at(page, "Northwind is connected")
    await settle(90)

    alice = await api("alice")
    (connection,) = (await alice.get("/connections")).json()["value"]
    assert (connection["name"], connection["status"]) == ("Northwind", "active")
    (site,) = (await alice.get("/sites")).json()["value"]
    assert site["clientName"] == "Contoso"
    await page.goto(f"{portal.site}/devices")
    count = (await alice.get("/devices?$count=true&$top=1")).json()["count"]
    assert count > 10
    await expect(page.get_by_text(f"of {count}")).to_be_visible(timeout=LONG)


async def test_a_sign_in_of_another_tenant_comes_back_with_what_is_wrong(
    portal: Portal, fresh_app: Host, control: httpx.AsyncClient, api: ApiFor
) -> None:
    tenant = (await control.get("/world")).json()["tenants"][0]["tenantId"]
    alice = await api("alice")
    made = (await alice.post("/connections", json={"name": "Wrong", "partnerTenantId": tenant})).json()
    page = await portal.open(f"/setup/connections/{made['id']}/setup?step=signIn")
    await page.get_by_role("button", name="Generate token").click()
    await page.get_by_role("button", name="dave").click()
    await expect(page.get_by_text("The sign-in failed")).to_be_visible()


async def test_a_sign_in_that_expires_while_a_form_is_filled_loses_nothing(
    portal: Portal, fresh_app: Host, control: httpx.AsyncClient, api: ApiFor
) -> None:
    async def expired(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": portal.site}
        await route.fulfill(status=401, headers=headers, content_type="application/json", body="{}")

    receiver = (await control.get("/world")).json()["receivers"]["webhook"]
    page = await portal.window()
    await page.clock.install()
    await page.goto(f"{portal.site}/setup/sinks/new")
    await portal.sign_in(page, "alice")
    await page.get_by_role("radio", name="Webhook (").check()
    await page.get_by_role("textbox", name="Name").fill("Typed before")
    await page.get_by_role("textbox", name="URL").fill(receiver["url"])
    await page.route(re.compile("/api/"), expired)
    # What the page reads again by itself does not take the browser away.
    async with page.expect_response(re.compile("/api/operations")):
        await page.clock.fast_forward(31_000)
    await page.get_by_role("button", name="Add", exact=True).click()
    alert = page.get_by_role("alert").filter(has_text="Your sign-in has expired")
    async with page.expect_popup() as opened:
        await alert.get_by_role("button", name="Sign in").click()
    popup = await opened.value
    await page.unroute_all()
    async with popup.expect_event("close"):
        await popup.get_by_role("button", name="alice").click()
    await expect(alert.get_by_role("status")).to_contain_text("You are signed in")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("heading", name="Its signing secret")).to_be_visible()
    alice = await api("alice")
    (sink,) = (await alice.get("/sinks")).json()["value"]
    assert (sink["name"], sink["settings"]["url"]) == ("Typed before", receiver["url"])
