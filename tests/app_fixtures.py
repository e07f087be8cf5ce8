"""Fixtures of tests that use the application over the wire: Azurite, the Functions host, clients of the API.

The host runs in the session's event loop, so that what it runs is measured by coverage; Azurite is a child process.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import routing

from sandbox import azurite as azurite_process
from sandbox.environment import app_settings
from sandbox.host import Host
from sandbox.server import Sandbox
from tests import wire
from tests.stepping import Hidden

ROOT = Path(__file__).resolve().parent.parent
ApiFor = Callable[..., Awaitable[httpx.AsyncClient]]
QUICK = {
    "HOST_TIMERS": "off",
    "HOST_QUEUE_LEASE": "5",
    "HOST_POLL_SECONDS": "0.5",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:00",
}
"""Host settings of tests: no schedules, and an idle queue is looked at within half a second."""


@contextlib.asynccontextmanager
async def running_azurite() -> AsyncIterator[str]:
    """Azurite on free ports; gives its connection string."""
    child = await asyncio.create_subprocess_exec(
        *azurite_process.command(0, 0, 0),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=azurite_process.environment(),
    )
    output = ""
    ports: list[int] = []
    assert child.stdout is not None
    async with asyncio.timeout(60):
        while len(ports) < 3:
            line = (await child.stdout.readline()).decode()
            assert line, f"Azurite ended: {output}"
            output += line
            ports = [int(port) for port in re.findall(r"listening at http://127\.0\.0\.1:(\d+)", output)]
    drained = asyncio.create_task(child.stdout.read())
    try:
        yield azurite_process.connection_string(*ports)
    finally:
        child.terminate()
        await child.wait()
        await drained


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite() -> AsyncIterator[str]:
    """The connection string of a storage emulator of this session's own."""
    async with running_azurite() as connection:
        yield connection


async def settings_for(
    url: str, azurite: str, sandbox: Sandbox, control: httpx.AsyncClient, portal_url: str | None = None
) -> dict[str, str]:
    """The application's settings against an Azurite and the sandbox, for a host at `url`."""
    world = (await control.get("/world")).json()
    return {**app_settings(world, azurite, url, sandbox.state_dir / "ca.pem", portal_url=portal_url), **QUICK}


@pytest.fixture(scope="session")
def portal_socket() -> Iterator[socket.socket]:
    """Where the portal is served, or would be: the application must know its origin before it starts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture(scope="session")
def portal_url(portal_socket: socket.socket) -> str:
    """The portal's origin."""
    return f"http://localhost:{portal_socket.getsockname()[1]}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def host(azurite: str, sandbox: Sandbox, control: httpx.AsyncClient, portal_url: str) -> AsyncIterator[Host]:
    """The Functions host with function_app.py, schedules off; `host.url` says where."""
    running = Host(0, directory=ROOT)
    running.use(await settings_for(running.url, azurite, sandbox, control, portal_url))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "serialize_response", wire.whole(routing.serialize_response))
        Hidden(patch)
        await running.start()
        yield running
        await running.stop()


async def emptied(host: Host, control: httpx.AsyncClient) -> Host:
    """The host with nothing stored, beside a new default world."""
    (await control.post("/reset", json={})).raise_for_status()
    await host.reset()
    return host


@pytest_asyncio.fixture
async def fresh_app(host: Host, control: httpx.AsyncClient) -> Host:
    """The host with nothing stored, beside the default world."""
    return await emptied(host, control)


@contextlib.asynccontextmanager
async def clients(host: Host, control: httpx.AsyncClient) -> AsyncIterator[ApiFor]:
    """Makes clients of the API (base_url .../api) by a person's name, with her token; without a name, with none."""
    async with contextlib.AsyncExitStack() as stack:

        async def client(person: str | None = None) -> httpx.AsyncClient:
            headers = {}
            if person is not None:
                answer = await control.post("/tokens", json={"person": person})
                answer.raise_for_status()
                headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
            made = httpx.AsyncClient(base_url=f"{host.url}/api", headers=headers, timeout=60)
            return await stack.enter_async_context(made)

        yield client


@pytest_asyncio.fixture
async def api(host: Host, control: httpx.AsyncClient) -> AsyncIterator[ApiFor]:
    """Clients of the API, until the test ends."""
    async with clients(host, control) as made:
        yield made


def settling(host: Host) -> Callable[..., Awaitable[None]]:
    """A function that waits until the host runs nothing and no queue has a visible message."""

    async def wait(seconds: float = 30, *, delayed: bool = False) -> None:
        assert await host.settle(seconds, delayed=delayed), "work was still going on"

    return wait


@pytest.fixture
def settle(host: Host) -> Callable[..., Awaitable[None]]:
    """Waits until nothing is going on."""
    return settling(host)
