"""The check of tests that an answer reaches the caller whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, routing
from typing_extensions import TypedDict

from tests import wire

AT = datetime(2026, 1, 31, tzinfo=UTC)


class Shown(TypedDict):
    at: datetime


async def test_a_key_that_the_declared_type_lacks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "serialize_response", wire.whole(routing.serialize_response))
    app = FastAPI()
    given: dict[str, Any] = {"at": AT}
    app.get("/shown", response_model=Shown)(lambda: given)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/shown")).json() == {"at": "2026-01-31T00:00:00Z"}
        given["forgotten"] = 1
        with pytest.raises(AssertionError, match="forgotten"):
            await client.get("/shown")
