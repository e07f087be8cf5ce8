"""Fixtures of every test: the sandbox, running in the session's event loop, and its control API.

The private authority is made, and the environment points at it, before anything imports aiohttp or requests: aiohttp
reads SSL_CERT_FILE once, at import.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

from sandbox import tls

STATE = Path(__file__).parent.parent / ".run" / "tests"
AUTHORITY = tls.ensure(STATE).authority
for _name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
    os.environ[_name] = str(AUTHORITY)

import httpx  # noqa: E402 - it must come after the environment is set
import pytest_asyncio  # noqa: E402 - as above

from sandbox.server import Sandbox  # noqa: E402 - as above

pytest_plugins = ["tests.app_fixtures"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The simulated cloud on free ports; `sandbox.urls` says where."""
    running = Sandbox(0, STATE)
    await running.start()
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def control(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the sandbox's control API: `await control.post("/reset", json={...})`."""
    async with httpx.AsyncClient(base_url=f"{sandbox.urls['control']}/_sandbox", timeout=30) as client:
        yield client
