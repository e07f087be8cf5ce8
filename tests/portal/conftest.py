"""Fixtures of the portal's tests: the built files, served as in Azure, in Debian's Chromium."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, async_playwright, expect

from sandbox.host import Host
from sandbox.server import Sandbox
from sandbox.static_web_apps import application
from tests import estate as made
from tests.app_fixtures import ROOT, ApiFor, clients, emptied, settling
from tests.estate import Estate, Settle
from tests.portal.driver import Portal

BUILT = ROOT / "portal" / "dist"
CHROMIUM = shutil.which("chromium")
PATIENCE = 15_000
"""Milliseconds that a page may take to say what is expected: a busy machine is slow, and not wrong."""
expect.set_options(timeout=PATIENCE)
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
"""Switches of a browser that asks nobody but the pages it is given."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say in one line what is missing where the portal cannot be tested."""
    missing = (
        "make portal" if not (BUILT / "index.html").is_file() else "apt install chromium" if CHROMIUM is None else ""
    )
    if missing:
        for item in items:
            if item.path.is_relative_to(ROOT / "tests" / "portal"):
                item.add_marker(pytest.mark.skip(reason=f"The portal cannot be tested here; run: {missing}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(host: Host, sandbox: Sandbox, portal_socket: socket.socket, portal_url: str) -> AsyncIterator[str]:
    """The address of the portal, served beside the application."""
    served = application(BUILT, f"{host.url}/api", sandbox.urls["control"])
    server = uvicorn.Server(uvicorn.Config(served, log_level="warning", lifespan="off"))
    # The server closes the sockets that it is given; this one is the session's.
    running = asyncio.create_task(server.serve([portal_socket.dup()]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield portal_url
    server.should_exit = True
    await running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        await running.close()


@pytest_asyncio.fixture
async def estate(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Contoso and Fabrikam, synced, mapped and polled."""
    return await polled(await made.build(fresh_app, sandbox, control, api, settle))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(host: Host, sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[Estate]:
    """The same, for all the tests of a module: each leaves to the others what they look at."""
    async with clients(host, control) as api:
        fresh = await emptied(host, control)
        yield await polled(await made.build(fresh, sandbox, control, api, settling(host)))


async def polled(built: Estate) -> Estate:
    """The estate with its devices read."""
    for client in ("Contoso", "Fabrikam"):
        await built.poll(client)
    return built


@pytest_asyncio.fixture
async def portal(browser: Browser, site: str, sandbox: Sandbox, host: Host) -> AsyncIterator[Portal]:
    """Windows of the portal. At the end: no error on any console, and no request but to it, the API and the sign-in."""
    opened = Portal(browser, site, allowed=(site, host.url, sandbox.urls["control"]))
    yield opened
    await opened.close()
    assert opened.problems == []
