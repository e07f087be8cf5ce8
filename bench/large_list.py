"""How the portal stays usable with 100,000 devices: seconds to the first rows, and to the list filtered and sorted.

In Chromium, against a host of its own, as alice: each figure is what a person waits for, from the press of a key or a
button until the rows that answer it are drawn.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright, expect

from bench.stage import Size, Stage, staged
from sandbox import up

SIZE = Size(100, 200, 100_000)
ROUNDS = 7
LIMITS = {"firstRows": 1.5, "filter": 0.3, "sort": 0.3}
"""Seconds, medians."""
FIRST_POLL_SECONDS = 1800


async def measure() -> dict[str, Any]:
    """Seconds of each round, by what was done."""
    with tempfile.TemporaryDirectory() as state:
        async with staged(SIZE, Path(state)) as stage:
            print(f"{SIZE.resources} resources: every tenant is synced and mapped; polling them once", flush=True)
            await stage.complete()
            devices = await _polled(stage)
            portal = stage.system.portal_url
            if portal is None:
                raise RuntimeError("The portal is not built. Run: make portal")
            await stage.start_host()
            await up.start_portal(stage.system, stage.http, portal)
            return {"devices": devices, **await _in_a_browser(portal)}


async def _polled(stage: Stage) -> int:
    """Wait until every device is listed; how many there are."""
    answer = await stage.http.post(
        f"{stage.system.host_url}/_host/settle", json={"timeoutSeconds": FIRST_POLL_SECONDS}, timeout=FIRST_POLL_SECONDS
    )
    answer.raise_for_status()
    count: int = (await stage.call("GET", "/devices", params={"$count": "true", "$top": 1}))["count"]
    return count


async def _in_a_browser(portal: str) -> dict[str, list[float]]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        await page.goto(f"{portal}/devices")
        await page.get_by_role("button", name="alice").click()
        await _rows(page)
        found: dict[str, list[float]] = {"firstRows": [], "filter": [], "sort": []}
        for number in range(ROUNDS):
            found["firstRows"].append(await _timed(page, partial(_navigate, page, portal)))
            found["filter"].append(await _timed(page, partial(_filter, page)))
            await _unfiltered(page)
            found["sort"].append(await _timed(page, partial(_sort, page, number)))
        await browser.close()
        return found


async def _rows(page: Page) -> None:
    await expect(page.locator(".ag-row").first).to_be_visible(timeout=60_000)


async def _timed(page: Page, act: Callable[[], Awaitable[None]]) -> float:
    begin = time.perf_counter()
    await act()
    seconds = time.perf_counter() - begin
    await page.wait_for_timeout(500)
    return round(seconds, 3)


async def _navigate(page: Page, portal: str) -> None:
    await page.goto(f"{portal}/devices", wait_until="commit")
    await _rows(page)


async def _filter(page: Page) -> None:
    """From the choice of a status to the rows of that status alone."""
    await page.get_by_role("button", name="Status", exact=True).click()
    async with page.expect_response(lambda answer: "status=unavailable" in answer.url):
        await page.get_by_role("checkbox", name="Unavailable").click()
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await page.keyboard.press("Escape")


async def _unfiltered(page: Page) -> None:
    await page.get_by_role("button", name="Reset filters").click()
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await page.wait_for_timeout(500)


async def _sort(page: Page, number: int) -> None:
    column = ("Client", "Type", "Region")[number % 3]
    async with page.expect_response(lambda answer: "orderby" in answer.url):
        await page.get_by_role("columnheader", name=column).click()
    await expect(page.get_by_role("progressbar")).to_have_count(0)


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"with {result['devices']} devices, seconds (median, all):"]
    lines += [f"{name:>10} {statistics.median(result[name]):6.3f}  {result[name]}" for name in LIMITS]
    return "\n".join(lines)


def failures(result: dict[str, Any]) -> list[str]:
    """Which limits are passed, in words."""
    medians = {name: statistics.median(result[name]) for name in LIMITS}
    return [f"{name}: {medians[name]} s, at most {limit}" for name, limit in LIMITS.items() if medians[name] > limit]
