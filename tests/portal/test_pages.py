"""What holds of every page: axe finds nothing in either theme, it fits a phone, every error has a way on."""

from __future__ import annotations

import gzip
import json
import re
from itertools import zip_longest
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from sandbox.server import Sandbox
from tests import scheduling
from tests.estate import Estate
from tests.portal.driver import DESKTOP, PHONE, Portal, axe

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
QUIET = "/setup/connections/new"
"""The wizard's first step: a page that asks the API nothing."""
WIZARD = "/setup/connections/c1/setup?step="
STEPS = (QUIET, *(WIZARD + step for step in ("permissions", "signIn", "test", "sites", "confirm", "done")))
"""The steps of the wizard, but the one that `paths` has."""
FIRST_LOAD = 400_000
"""Bytes of compressed script that the first page may need, its tables apart."""
API = re.compile(r"/api/(?!me\b|service/)")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paths(standing: Estate) -> tuple[str, ...]:
    """Every page of the navigation, the page of one thing of each kind, the forms, and a step of the wizard."""
    machine = standing.machine()
    device = standing.device_id(machine)
    sink = await standing.webhook()
    standing.fall_ill(machine)
    await standing.poll()
    await standing.settle(30, delayed=True)
    [alert] = await standing.alerts_of(machine)
    operation = await standing.call("POST", f"/devices/{device}/actions/restart", 202, json={})
    schedule = await scheduling.made(standing, machine)
    return (
        *PATHS,
        f"/devices/{device}",
        f"/alerts/{alert['id']}",
        f"/operations/{operation['id']}",
        f"/schedules/{schedule['id']}",
        f"/schedules/{schedule['id']}/edit",
        f"/setup/sinks/{sink['id']}",
        f"/setup/sinks/{sink['id']}/edit",
        f"/setup/tenants/{standing.cloud().tenant_id}",
        "/setup/policy/versions",
        "/schedules/new",
        "/setup/sinks/new",
        f"/setup/access?principal={standing.sandbox.cloud.world.people['bob'].object_id}",
        f"{WIZARD}customers",
    )


async def go(page: Page, path: str) -> None:
    """Go to a page as a link of the portal does, and wait until it is there."""
    await page.evaluate(
        """path => {
            document.title = "";
            // As the router itself writes it: the number of the place in the history.
            history.pushState({ idx: (history.state?.idx ?? 0) + 1 }, "", path);
            dispatchEvent(new PopStateEvent("popstate"));
        }""",
        path,
    )
    await expect(page).to_have_title(re.compile(" - Tenantry$"))


async def settled(page: Page) -> None:
    """Wait until the page has drawn what it asked for."""
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("progressbar")).to_have_count(0)


async def test_the_list_of_pages_here_is_the_navigations(portal: Portal, paths: tuple[str, ...]) -> None:
    page = await portal.open("/")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert paths[: len(PATHS)] == PATHS
    assert tuple([await link.get_attribute("href") for link in await links.all()]) == PATHS


async def test_the_first_page_needs_no_more_script_than_it_may(portal: Portal, paths: tuple[str, ...]) -> None:
    page = await portal.window()
    loaded: dict[str, int] = {}

    async def kept(route: Route) -> None:
        answer = await route.fetch()
        loaded[route.request.url] = len(gzip.compress(await answer.body()))
        await route.fulfill(response=answer)

    await page.route(re.compile(rf"^{re.escape(portal.site)}/.*\.js$"), kept)
    await page.goto(portal.site)
    await portal.sign_in(page, "alice")
    await settled(page)
    tables = [size for url, size in loaded.items() if "/Grid-" in url]
    assert len(loaded) > len(tables)
    assert sum(loaded.values()) - sum(tables) <= FIRST_LOAD, loaded


@pytest.mark.parametrize("third", range(3))
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_and_a_phone_shows_the_page_without_scrolling_sideways(
    portal: Portal, paths: tuple[str, ...], theme: Literal["light", "dark"], third: int
) -> None:
    page = await portal.open(QUIET, theme=theme)
    found: dict[str, list[str]] = {}
    # Steps follow pages of another title: by its title a page is known to be there.
    every = [path for pair in zip_longest(paths, STEPS) for path in pair if path]
    for path in every[third::3]:
        await page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        await go(page, path)
        await settled(page)
        found[path] = await axe(page)
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        found[path] += [f"it is {wide} pixels wide on a phone"] if wide > PHONE[0] else []
    assert {path: said for path, said in found.items() if said} == {}


@pytest.mark.parametrize("status", [403, 404, 409, 412, 429, 500, None], ids=str)
async def test_whatever_the_api_answers_the_page_says_what_to_do(
    portal: Portal, paths: tuple[str, ...], status: int | None
) -> None:
    async def fail(route: Route) -> None:
        if status is None:
            await route.abort()
            return
        error = {"code": "made", "message": "It was made to fail.", "requestId": "r-1"}
        headers = {"Retry-After": "7", "Access-Control-Allow-Origin": portal.site, "Access-Control-Expose-Headers": "*"}
        await route.fulfill(
            status=status, headers=headers, content_type="application/json", body=json.dumps({"error": error})
        )

    page = await portal.open(QUIET)
    await page.route(API, fail)
    for path in paths:
        await go(page, path)
        alert = page.get_by_role("alert").first
        await expect(alert).to_be_visible()
        said = await alert.inner_text()
        assert ("It was made to fail." in said) == (status is not None), path
        assert "ry again" in said or "ask" in said.lower() or "ead it again" in said, path
    await page.unroute_all()


@pytest.mark.parametrize("third", range(3))
async def test_a_sign_in_that_has_expired_comes_back_to_every_page(
    portal: Portal, paths: tuple[str, ...], third: int
) -> None:
    async def expired(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": portal.site}
        await route.fulfill(status=401, headers=headers, content_type="application/json", body="{}")

    page = await portal.open(QUIET)
    for path in paths[third::3]:
        # Away from the page before, which goes on asking while it is shown.
        await page.goto("about:blank")
        await page.route(API, expired)
        await page.goto(f"{portal.site}{path}", wait_until="commit")
        await expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()
        await page.unroute_all()
        await portal.sign_in(page, "alice")
        await expect(page).to_have_url(re.compile(re.escape(path)))


async def test_a_sign_in_that_cannot_be_reached_is_told_and_tried_again(
    portal: Portal, paths: tuple[str, ...], sandbox: Sandbox
) -> None:
    assert paths
    page = await portal.window()
    await page.route(re.compile(rf"^{re.escape(sandbox.urls['control'])}/.*openid-configuration"), lambda r: r.abort())
    await page.goto(f"{portal.site}/devices")
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await portal.sign_in(page, "alice")
    await expect(page).to_have_url(re.compile("/devices"))


async def test_a_double_click_sends_once_and_the_made_secret_is_shown(
    portal: Portal, paths: tuple[str, ...], standing: Estate
) -> None:
    assert paths
    receiver = (await standing.control.get("/world")).json()["receivers"]["webhook"]
    page = await portal.open("/setup/sinks/new")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    await page.get_by_role("radio", name="Webhook (").check()
    await page.get_by_role("textbox", name="Name").fill("Pressed twice")
    await page.get_by_role("textbox", name="URL").fill(receiver["url"])
    await page.get_by_role("button", name="Add", exact=True).dblclick()
    await expect(page.get_by_role("heading", name="Its signing secret")).to_be_visible()
    await expect(page.locator("code")).not_to_be_empty()
    assert sent == [f"{standing.host.url}/api/sinks"]
