"""The one error shape of the API."""

from __future__ import annotations

from typing import Any

import httpx


def error_of(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The error of an answer, which must be of the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert {"code", "message", "requestId"} <= set(error) <= {"code", "message", "requestId", "target", "details"}
    assert error["requestId"] == answer.headers["x-ms-client-request-id"]
    assert error["message"]
    assert "Traceback" not in answer.text
    if code is not None:
        assert error["code"] == code
    return error
