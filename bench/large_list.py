"""How the portal stays usable with 100,000 devices: seconds to the first rows, and to the list filtered and sorted.

In Chromium, against a host of its own, as alice: each figure is what a person waits for, from the press of a key or a
button until the rows that answer it are drawn.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, async_playwright, expect

from bench.stage import Size, Stage, staged
from sandbox import up

SIZE = Size(100, 200, 100_000)
ROUNDS = 7
LIMITS = {"firstRows": 1.5, "filterSeen": 0.3, "sortSeen": 0.3}
"""Seconds, medians. What was asked for is seen when it is answered, or when the table says that it reads."""
FIRST_POLL_SECONDS = 1800
_WATCH = """() => {
    window.seen = new Promise((tell) => {
        document.addEventListener("click", () => {
            const begin = performance.now();
            const look = () => document.querySelector("[role=progressbar]") ? tell(performance.now() - begin)
                : requestAnimationFrame(look);
            look();
        }, { capture: true, once: true });
    });
}"""
"""In the page: `seen` is the milliseconds from the next click to the frame in which the table says that it reads."""


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
            return {"devices": devices, "seconds": await _in_a_browser(portal)}


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
        found = defaultdict[str, list[float]](list)
        for number in range(ROUNDS):
            found["firstRows"].append(await _navigated(page, portal))
            await page.get_by_role("button", name="Status", exact=True).click()
            choice = page.get_by_role("checkbox", name="Available", exact=True)
            await _asked(page, "filter", choice, "status=available", found)
            await page.keyboard.press("Escape")
            await _unfiltered(page)
            heading = page.get_by_role("columnheader", name=("Client", "Type", "Region")[number % 3])
            await _asked(page, "sort", heading, "orderby", found)
        await browser.close()
        return dict(found)


async def _rows(page: Page) -> None:
    await expect(page.locator(".ag-row").first).to_be_visible(timeout=60_000)


async def _navigated(page: Page, portal: str) -> float:
    """Seconds from the address to the first rows."""
    begin = time.perf_counter()
    await page.goto(f"{portal}/devices", wait_until="commit")
    await _rows(page)
    seconds = time.perf_counter() - begin
    await page.wait_for_timeout(500)
    return round(seconds, 3)


async def _asked(page: Page, name: str, press: Locator, part: str, found: dict[str, list[float]]) -> None:
    """Press what asks for other rows, by a request that has `part`: seconds until that is seen, and is answered.

    Nearly every device here is available: the filter leaves the most that there can be to order and count.
    """
    await press.hover()
    await page.wait_for_timeout(500)
    await page.evaluate(_WATCH)
    async with page.expect_response(lambda answer: part in answer.url):
        begin = time.perf_counter()
        await press.click()
    await _settled(page)
    found[name].append(round(time.perf_counter() - begin, 3))
    found[f"{name}Seen"].append(round(await page.evaluate("window.seen") / 1000, 3))
    await page.wait_for_timeout(500)


async def _unfiltered(page: Page) -> None:
    await page.get_by_role("button", name="Reset filters").click()
    await _settled(page)
    await page.wait_for_timeout(500)


async def _settled(page: Page) -> None:
    """Until nothing is on its way and the rows are drawn."""
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await _rows(page)


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"with {result['devices']} devices, seconds (median, all):"]
    lines += [f"{name:>10} {statistics.median(seconds):6.3f}  {seconds}" for name, seconds in result["seconds"].items()]
    return "\n".join(lines)


def failures(result: dict[str, Any]) -> list[str]:
    """Which limits are passed, in words."""
    medians = {name: statistics.median(result["seconds"][name]) for name in LIMITS}
    return [f"{name}: {medians[name]} s, at most {limit}" for name, limit in LIMITS.items() if medians[name] > limit]
