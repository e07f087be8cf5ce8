"""Idempotency-Key: the first answer to a key is given again; scope is principal and route, life 24 hours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request, Response
from pydantic import Field

from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, InvalidInput, TooManyRequests
from shared.store.tables import Kind, Record

LIFE = timedelta(hours=24)
IN_PROGRESS_LIFE = timedelta(minutes=5)
"""After this a request that never answered (a killed worker) no longer blocks its key; HTTP ends after 230 seconds."""
KEPT_HEADERS = ("location", "operation-location", "retry-after", "etag")


class Answer(Record):
    """What was answered to a key; `status` 0 while the first request runs."""

    scope: str
    key: str
    body_hash: str
    at: datetime
    status: int = 0
    body: str = ""
    """Base64."""
    headers: dict[str, str] = Field(default_factory=dict)


ANSWERS = Kind("Idempotency", Answer, lambda a: (a.scope, a.key))


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


async def once(
    app: App,
    principal: Principal,
    request: Request,
    body: bytes,
    handle: Callable[[Request], Coroutine[Any, Any, Response]],
) -> Response:
    """Answer a request, or repeat the first answer to its key. Only answers below 500 are kept.

    Raises Conflict for the same key with another body, TooManyRequests while the first is still running.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return await handle(request)
    if not 1 <= len(key) <= 200:
        raise InvalidInput("Idempotency-Key must have 1 to 200 characters.", target="Idempotency-Key")
    scope = _digest(principal.id.encode(), request.method.encode(), request.url.path.encode())
    now = app.clock.now()
    mine = Answer(scope=scope, key=_digest(key.encode()), body_hash=_digest(body), at=now)
    earlier = await app.tables.get(ANSWERS, scope, mine.key)
    if earlier is not None and now - earlier.at < (LIFE if earlier.status else IN_PROGRESS_LIFE):
        return _repeat(earlier, mine)
    try:
        mine = await (app.tables.insert(ANSWERS, mine) if earlier is None else app.tables.put(ANSWERS, mine))
    except Conflict as error:
        raise TooManyRequests("The first request with this key is still running.", retry_after=1) from error
    try:
        response = await handle(request)
    except BaseException:
        await app.tables.delete(ANSWERS, mine)
        raise
    kept = {name: value for name, value in response.headers.items() if name.lower() in KEPT_HEADERS}
    encoded = base64.b64encode(bytes(response.body)).decode()
    await app.tables.put(ANSWERS, mine.changed(status=response.status_code, body=encoded, headers=kept))
    return response


def _repeat(earlier: Answer, mine: Answer) -> Response:
    if earlier.body_hash != mine.body_hash:
        raise Conflict("This Idempotency-Key was used with another body.", code="idempotencyKeyReused")
    if earlier.status == 0:
        raise TooManyRequests("The first request with this key is still running.", retry_after=1)
    return Response(base64.b64decode(earlier.body), earlier.status, earlier.headers, media_type="application/json")
