"""Requests to receivers: whatever a stranger answers is bounded, and is what was asked for or a SinkError."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import httpx
import pytest

from sandbox.server import Sandbox
from shared.sinks.contract import Outlet, SinkError
from shared.sinks.http import MAX_ANSWER_BYTES, MAX_VALUES, Answer, call
from tests.contract.outlets import outlet_for

Ask = Callable[[bytes], Awaitable[Answer]]
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@contextlib.asynccontextmanager
async def answering(answer: bytes, asked: list[bytes]) -> AsyncIterator[str]:
    """A receiver that gives this answer, byte for byte."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        with contextlib.suppress(ConnectionError):  # it has heard enough
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.fixture
async def outlet() -> AsyncIterator[Outlet]:
    async with httpx.AsyncClient(timeout=5) as http:
        yield outlet_for(http)


async def answered(outlet: Outlet, answer: bytes) -> Answer:
    async with answering(answer, []) as url:
        return await call(outlet, "GET", url)


async def test_a_compressed_answer_is_not_asked_for_and_not_read(outlet: Outlet) -> None:
    packed = gzip.compress(gzip.compress(bytes(50_000_000)))
    head = HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    asked: list[bytes] = []
    async with answering(head + packed, asked) as url:
        found = await call(outlet, "GET", url)
    assert b"accept-encoding: identity\r\n" in asked[0].lower()
    assert (found.status, found.content, found.beginning) == (200, b"", "")
    with pytest.raises(SinkError, match="compressed"):
        found.json()


async def test_an_answer_without_end_is_read_up_to_its_bound(outlet: Outlet) -> None:
    found = await answered(outlet, HEAD + b"\r\n[" + b" " * (2 * MAX_ANSWER_BYTES))
    assert len(found.content) == MAX_ANSWER_BYTES
    with pytest.raises(SinkError, match="too long"):
        found.json()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'"\xff\xfe"', b"[" * 200_000, b'{"a":' * 200_000, b"1" * 10_000, b"[" + b"{}," * MAX_VALUES],
    ids=["nothing", "html", "no text", "deep list", "deep object", "long number", "many objects"],
)
async def test_what_is_no_json_or_too_much_of_it_is_a_sink_error(outlet: Outlet, body: bytes) -> None:
    found = await answered(outlet, HEAD + b"\r\n" + body)
    with pytest.raises(SinkError, match=r"The receiver's answer is (not JSON|too long)\."):
        found.json()


@pytest.mark.parametrize("body", [b"null", b"12", b'"text"', b"[1]", b"[null]", b'{"items": {}}', b'[{"name": "x"}]'])
async def test_rows_are_objects_with_a_number(outlet: Outlet, body: bytes) -> None:
    found = await answered(outlet, HEAD + b"\r\n" + body)
    with pytest.raises(SinkError, match="The receiver's answer has "):
        found.rows("items")
    assert (await answered(outlet, HEAD + b'\r\n[{"id": 7}]')).rows("items") == [{"id": 7}]


@pytest.mark.parametrize(
    "said, seconds",
    [
        (b"7", 7.0),
        (b"0", 1.0),
        (b"0.2", 1.0),
        (b"99999999999999999999", 3600.0),
        (b"1e400", 3600.0),
        (b"-1", None),
        (b"nan", None),
        (b"soon", None),
        (b"", None),
        (b"Mon, 02 Mar 2026 09:31:30 GMT", 90.0),
        (b"Mon, 02 Mar 2026 09:00:00 GMT", 1.0),
        (b"Fri, 99 Mar 2026 09:00:00 GMT", None),
    ],
)
async def test_the_time_to_wait_is_a_second_to_an_hour(outlet: Outlet, said: bytes, seconds: float | None) -> None:
    answer = b"HTTP/1.1 429 Too Many\r\nConnection: close\r\nRetry-After: " + said + b"\r\n"
    assert (await answered(outlet, answer + b"\r\n")).retry_after == seconds
    if said.startswith(b"Mon, 02 Mar 2026 09:31"):
        late = await answered(outlet, answer + b"Date: Mon, 02 Mar 2026 09:31:00 GMT\r\n\r\n")
        assert late.retry_after == 30.0


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "tök", "a\n", " a"])
async def test_a_header_that_cannot_be_sent_is_refused_without_its_text(outlet: Outlet, value: str) -> None:
    with pytest.raises(SinkError, match="What is set for Secret cannot be sent") as caught:
        await call(outlet, "GET", "http://127.0.0.1:1/", headers={"Secret": value})
    assert (caught.value.permanent, caught.value.disable) == (True, True)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"nonsense\r\n\r\n"])
async def test_an_answer_that_breaks_off_may_be_asked_for_again(outlet: Outlet, answer: bytes) -> None:
    with pytest.raises(SinkError, match="could not be reached") as caught:
        await answered(outlet, answer)
    assert (caught.value.status, caught.value.permanent, caught.value.disable) == (0, False, False)


async def test_a_certificate_must_have_the_name_that_was_asked_for(outlet: Outlet, sandbox: Sandbox) -> None:
    port = urlsplit(sandbox.urls["arm"]).port
    url, headers = f"https://127.0.0.1:{port}/subscriptions", {"Host": "management.azure.com", "Connection": "close"}
    right = {"sni_hostname": "management.azure.com"}
    assert (await outlet.http.get(url, headers=headers, extensions=right)).status_code == 401
    with pytest.raises(httpx.ConnectError, match="certificate"):
        await outlet.http.get(url, headers=headers, extensions={"sni_hostname": "receiver.example"})
