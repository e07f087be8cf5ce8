"""Storage that does not answer: it is told soon, as 503 in the error shape, and the health page names it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sandbox.azurite import connection_string
from shared.errors import Unavailable
from shared.sites import SITES, Site
from shared.store import connect
from shared.store.queues import Queues
from shared.store.tables import Tables
from tests.errors import error_of
from tests.estate import Estate

SOON = 10
"""Seconds after which at the latest a dead store is told."""


def nobodys_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def opened(estate: Estate, port: int) -> tuple[Tables, Queues]:
    """Tables and queues at another port."""
    app = estate.app
    settings = app.settings.model_copy(update={"storage_connection": connection_string(port, port, port)})
    return connect.open_storage(settings, app.credential, app.transport.azure)


@contextlib.asynccontextmanager
async def server(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """Takes connections on a port and does that with each."""
    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()


async def parts(estate: Estate, expect: int) -> dict[str, str]:
    """What the health page says of each part."""
    body = await estate.call("GET", "/service/health", expect)
    return {part["name"]: part["status"] for part in body["parts"]}


async def test_a_healthy_service_says_so_of_every_part(estate: Estate) -> None:
    assert await parts(estate, 200) == {"tables": "ok", "queues": "ok", "vault": "ok"}


@pytest.mark.parametrize("dead", ["tables", "queues"])
async def test_a_store_that_nobody_listens_at_is_told_soon(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, dead: str
) -> None:
    tables, queues = opened(estate, nobodys_port())
    monkeypatch.setattr(estate.app, dead, tables if dead == "tables" else queues)
    begun = time.monotonic()
    answer = await estate.alice.post("/devices/export")
    assert time.monotonic() - begun < SOON
    error = error_of(answer, 503, "unavailable")
    assert "127.0.0.1" not in error["message"]
    assert await parts(estate, 503) == {"tables": "ok", "queues": "ok", "vault": "ok", dead: "failed"}


async def test_a_store_that_takes_a_request_and_stays_silent_is_asked_once(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "READ_SECONDS", 0.3)
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()
        writer.close()

    async with server(serve) as port:
        tables, queues = opened(estate, port)
        for ping in (tables.ping, queues.ping):
            with pytest.raises(Unavailable):
                await ping()
    assert len(asked) == 2


async def test_a_row_whose_connection_is_lost_is_not_inserted_again_but_a_job_is_sent_again(estate: Estate) -> None:
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[0])
        writer.close()

    async with server(serve) as port:
        tables, queues = opened(estate, port)
        with pytest.raises(Unavailable):
            await tables.insert(SITES, Site(id="s", client_name="Contoso", site_name="HQ"))
        assert asked == [b"POST"]
        with pytest.raises(Unavailable):
            await queues.send_text("scratch-jobs", "x")
        assert asked[1:] == [b"POST"] * 3
        with pytest.raises(Unavailable):
            await tables.get(SITES, "site", "s")
        # aiohttp itself repeats a GET once more each time.
        assert asked[4:] in ([b"GET"] * 3, [b"GET"] * 6)
