"""What holds of every page: axe finds nothing in either theme, it fits a phone, every error has a way on."""

from __future__ import annotations

import json
import re
from typing import Literal

import pytest
from playwright.async_api import Page, Route, expect

from sandbox.server import Sandbox
from tests.estate import Estate
from tests.portal.driver import PHONE, Portal, axe

PATHS = (
    "/overview",
    "/devices",
    "/alerts",
    "/operations",
    "/schedules",
    "/maintenance",
    "/setup/connections",
    "/setup/tenants",
    "/setup/sites",
    "/setup/sinks",
    "/setup/policy",
    "/setup/events",
    "/setup/access",
    "/setup/audit",
)
"""Every page of the navigation."""
ASKING = {"/setup/access": "?principal=00000000-0000-4000-8000-000000000000"}
"""What a page is told before it asks the API anything."""


async def settled(page: Page) -> None:
    """Wait until the page has drawn what it asked for."""
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("progressbar")).to_have_count(0)


async def test_the_list_of_pages_here_is_the_navigations(portal: Portal, estate: Estate) -> None:
    assert await estate.listed("/sites")
    page = await portal.open("/")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert tuple([await link.get_attribute("href") for link in await links.all()]) == PATHS


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing(portal: Portal, estate: Estate, theme: Literal["light", "dark"]) -> None:
    assert await estate.listed("/sites")
    page = await portal.open("/", theme=theme)
    found: dict[str, list[str]] = {}
    for path in PATHS:
        await page.goto(f"{portal.site}{path}")
        await settled(page)
        found[path] = await axe(page)
    assert found == {path: [] for path in PATHS}


async def test_a_phone_shows_every_page_without_scrolling_sideways(portal: Portal, estate: Estate) -> None:
    assert await estate.listed("/sites")
    page = await portal.open("/", size=PHONE)
    widths: dict[str, int] = {}
    for path in PATHS:
        await page.goto(f"{portal.site}{path}")
        await settled(page)
        widths[path] = await page.evaluate("document.documentElement.scrollWidth")
    assert max(widths.values()) <= PHONE[0], widths


@pytest.mark.parametrize("status", [403, 404, 409, 412, 429, 500, None], ids=str)
async def test_whatever_the_api_answers_the_page_says_what_to_do(
    portal: Portal, estate: Estate, status: int | None
) -> None:
    assert await estate.listed("/sites")

    async def fail(route: Route) -> None:
        if status is None:
            await route.abort()
            return
        error = {"code": "made", "message": "It was made to fail.", "requestId": "r-1"}
        headers = {"Retry-After": "7", "Access-Control-Allow-Origin": portal.site, "Access-Control-Expose-Headers": "*"}
        await route.fulfill(
            status=status, headers=headers, content_type="application/json", body=json.dumps({"error": error})
        )

    page = await portal.open("/")
    for path in PATHS:
        await page.route(re.compile(r"/api/(?!me\b|service/)"), fail)
        await page.goto(f"{portal.site}{path}{ASKING.get(path, '')}")
        alert = page.get_by_role("alert").first
        # What may pass is asked for again a few times first.
        await expect(alert).to_be_visible(timeout=15_000)
        said = await alert.inner_text()
        assert ("It was made to fail." in said) == (status is not None)
        assert "ry again" in said or "ask" in said.lower() or "ead it again" in said
    await page.unroute_all()


async def test_a_sign_in_that_has_expired_comes_back_to_every_page(portal: Portal, estate: Estate) -> None:
    assert await estate.listed("/sites")

    async def expired(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": portal.site}
        await route.fulfill(status=401, headers=headers, content_type="application/json", body="{}")

    page = await portal.open("/")
    for path in PATHS:
        # Away from the page before, which goes on asking while it is shown.
        await page.goto("about:blank")
        await page.route(re.compile(r"/api/(?!me\b|service/)"), expired)
        await page.goto(f"{portal.site}{path}{ASKING.get(path, '')}", wait_until="commit")
        await expect(page.get_by_role("button", name="alice")).to_be_visible()
        await page.unroute_all()
        await portal.sign_in(page, "alice")
        await expect(page).to_have_url(re.compile(re.escape(path)))


async def test_a_sign_in_that_cannot_be_reached_is_told_and_tried_again(
    portal: Portal, estate: Estate, sandbox: Sandbox
) -> None:
    assert await estate.listed("/sites")
    page = await portal.window()
    await page.route(re.compile(rf"^{re.escape(sandbox.urls['control'])}/.*openid-configuration"), lambda r: r.abort())
    await page.goto(f"{portal.site}/devices")
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await portal.sign_in(page, "alice")
    await expect(page).to_have_url(re.compile("/devices"))
