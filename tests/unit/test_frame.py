"""What the frame around the API makes of a failure that nobody foresaw."""

from __future__ import annotations

import httpx
import pytest

from functions.api import asgi, create

PORTAL = "https://portal.example"


async def test_the_portal_can_read_what_became_of_a_failure_that_nobody_foresaw(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = create([])

    @api.get("/broken")
    async def broken() -> None:
        raise ValueError("a secret of the inside")

    transport = httpx.ASGITransport(asgi(api, PORTAL))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example") as client:
        answer = await client.get("/broken", headers={"Origin": PORTAL, "x-ms-client-request-id": "call-1"})
        stranger = await client.get("/broken", headers={"Origin": "https://evil.example"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["requestId"]) == (500, "internalError", "call-1")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert "x-ms-client-request-id" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in stranger.headers
    assert "a secret of the inside" in caplog.text
