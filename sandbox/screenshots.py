"""`python -m sandbox.screenshots`: a picture of every page of the portal, light and dark, on a desktop and a phone.

It starts a demo of its own, signs in as alice, and writes `<page>-<size>-<theme>.png` into a folder.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.async_api import Browser, Page, async_playwright, expect

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
READY_SECONDS = 180.0
FIRST_OF = {
    "/devices": ("device", ("",)),
    "/alerts": ("alert", ("",)),
    "/operations": ("operation", ("",)),
    "/schedules": ("schedule", ("", "/edit")),
    "/setup/connections": (
        "connection",
        tuple(f"?step={step}" for step in ("permissions", "signIn", "test", "customers", "sites", "confirm", "done")),
    ),
    "/setup/tenants": ("tenant", ("",)),
    "/setup/sinks": ("sink", ("", "/edit")),
}
"""Lists of which the first row's own pages are pictured too: their name, and what follows the row's address."""
MORE = ("/schedules/new", "/setup/connections/new", "/setup/sinks/new", "/setup/policy/versions")
"""Pages that only buttons lead to."""


async def running(base: int) -> asyncio.subprocess.Process:
    """A demo on ports of its own, once it is ready. Raises RuntimeError when it ends before."""
    command = [sys.executable, "-m", "sandbox.up", "--port-base", str(base)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None  # noqa: S101 - it was asked for as a pipe
    async with asyncio.timeout(READY_SECONDS):
        while line := (await child.stdout.readline()).decode():
            if "Ctrl-C stops everything" in line:
                return child
    raise RuntimeError("The demo ended before it was ready; run `make demo` to see why.")


async def furnish(host: str, control: str) -> None:
    """Give the pages that a fresh demo leaves empty something to show, as alice would. Raises httpx.HTTPStatusError."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with httpx.AsyncClient(base_url=f"{host}/api", timeout=60, trust_env=False) as api:
        token = (await api.post(f"{control}/tokens", json={"person": "alice"})).json()["accessToken"]
        api.headers["Authorization"] = f"Bearer {token}"
        found = await api.get("/devices", params={"type": "Microsoft.Compute/virtualMachines", "powerState": "running"})
        first, second = [device["id"] for device in found.json()["value"][:2]]
        wanted: list[tuple[str, dict[str, Any]]] = [
            (
                "/schedules",
                {
                    "name": "Dev off at night",
                    "action": "stop",
                    "timeZone": "Europe/Berlin",
                    "startAt": f"{now + timedelta(days=1):%Y-%m-%dT19:00}",
                    "rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
                    "target": {"deviceIds": [first, second]},
                },
            ),
            (
                "/maintenance",
                {
                    "deviceIds": [second],
                    "startAt": now.isoformat(),
                    "endAt": (now + timedelta(hours=4)).isoformat(),
                    "reason": "Windows updates",
                    "ticketNumber": "T-1043",
                },
            ),
            ("/event-sources", {"kind": "azure-monitor", "name": "Azure Monitor"}),
            (f"/devices/{first}/actions/restart", {"reason": "Hangs since the update", "ticketNumber": "T-1042"}),
        ]
        for path, body in wanted:
            (await api.post(path, json=body)).raise_for_status()


async def pictures(portal: str, folder: Path) -> int:
    """Take every picture; how many there are."""
    taken = 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        for size, (width, height) in SIZES.items():
            for theme in THEMES:
                page = await _signed_in(browser, portal, width, height, theme)
                for path, name in await _pages(page, portal):
                    await page.goto(f"{portal}{path}")
                    await _drawn(page)
                    await page.screenshot(path=folder / f"{name}-{size}-{theme}.png")
                    taken += 1
                await page.context.close()
        await browser.close()
    return taken


async def _signed_in(browser: Browser, portal: str, width: int, height: int, theme: Literal["light", "dark"]) -> Page:
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB", reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(portal)
    await page.get_by_role("button", name="alice").click()
    await _drawn(page)
    return page


async def _pages(page: Page, portal: str) -> list[tuple[str, str]]:
    """Path and name of every page: those of the navigation, the forms, and the first row's own of the lists."""
    links = await page.locator("nav[aria-label=Pages] a").all()
    paths = [*dict.fromkeys([str(await link.get_attribute("href")) for link in links]), *MORE]
    found = [(path, path.strip("/").replace("/", "-")) for path in paths]
    for path, (name, endings) in FIRST_OF.items():
        await page.goto(f"{portal}{path}")
        await _drawn(page)
        row = page.locator(f".ag-row a[href^='{path}/']").first
        await expect(row).to_be_visible()
        address = str(await row.get_attribute("href"))
        found += [(address + ending, f"{name}{re.sub('[/?=]+', '-', ending)}") for ending in endings]
    return found


async def _drawn(page: Page) -> None:
    """Wait until the page shows what it asked for."""
    await expect(page.locator("h1")).to_be_visible(timeout=30_000)
    await expect(page.get_by_role("progressbar")).to_have_count(0, timeout=30_000)
    await page.wait_for_timeout(500)


async def run(folder: Path, base: int) -> None:
    """Start the demo, take the pictures, stop it."""
    demo = await running(base)
    try:
        await furnish(f"http://localhost:{base + 20}", f"http://localhost:{base}/_sandbox")
        taken = await pictures(f"http://localhost:{base + 21}", folder)
    finally:
        demo.terminate()
        await demo.communicate()
    print(f"{taken} pictures in {folder}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".run", "screenshots"))
    parser.add_argument("--port-base", type=int, default=27400)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(arguments.folder, arguments.port_base))


if __name__ == "__main__":
    main()
