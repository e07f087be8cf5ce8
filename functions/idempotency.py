"""Idempotency-Key: the first answer to a key is given again, for 24 hours, without what is shown once only.

Its scope is the route and the caller as she is then: who lost a permission or a site since is not answered from here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Coroutine
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request, Response
from pydantic import Field

from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, InvalidInput, PreconditionFailed, TooManyRequests
from shared.store.tables import Kind, Record

LIFE = timedelta(hours=24)
IN_PROGRESS_LIFE = timedelta(minutes=5)
"""After this a request that never answered (a killed worker) no longer blocks its key; HTTP ends after 230 seconds."""
KEPT_HEADERS = ("location", "operation-location", "retry-after", "etag")


class Answer(Record):
    """What was answered to a key; `status` 0 while the first request runs."""

    scope: str
    key: str
    request_hash: str
    """Of query and body."""
    at: datetime
    status: int = 0
    body: str = ""
    """Base64."""
    headers: dict[str, str] = Field(default_factory=dict)


ANSWERS = Kind("Idempotency", Answer, lambda a: (a.scope, a.key), parts=15)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _scope(principal: Principal, request: Request) -> str:
    sites = None if principal.sites is None else sorted(principal.sites)
    return _digest(principal.id, sorted(principal.permissions), sites, request.method, request.url.path)


def _without(value: Any, names: Collection[str]) -> Any:
    """A JSON value without these keys, at any depth."""
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    return [_without(inner, names) for inner in value] if isinstance(value, list) else value


async def once(
    app: App,
    principal: Principal,
    request: Request,
    body: bytes,
    handle: Callable[[Request], Coroutine[Any, Any, Response]],
    *,
    shown_once: Collection[str] = (),
) -> Response:
    """Answer a request, or repeat the first answer to its key. An error that was raised is not kept.

    Keys of `shown_once` are in the first answer only: they are neither stored nor repeated. Raises Conflict for the
    same key with another query or body, TooManyRequests while the first is still running.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return await handle(request)
    if not 1 <= len(key) <= 200:
        raise InvalidInput("Idempotency-Key must have 1 to 200 characters.", target="Idempotency-Key")
    scope = _scope(principal, request)
    now = app.clock.now()
    sent = _digest(sorted(request.query_params.multi_items()), hashlib.sha256(body).hexdigest())
    mine = Answer(scope=scope, key=_digest(key), request_hash=sent, at=now)
    earlier = await app.tables.get(ANSWERS, scope, mine.key)
    if earlier is not None and now - earlier.at < (LIFE if earlier.status else IN_PROGRESS_LIFE):
        return _repeat(earlier, mine)
    try:
        mine = await (app.tables.insert(ANSWERS, mine) if earlier is None else app.tables.put(ANSWERS, mine))
    except (Conflict, PreconditionFailed) as error:
        raise TooManyRequests("The first request with this key is still running.", retry_after=1) from error
    try:
        response = await handle(request)
    except BaseException:
        await app.tables.delete(ANSWERS, mine)
        raise
    kept = {name: value for name, value in response.headers.items() if name.lower() in KEPT_HEADERS}
    content = bytes(response.body)
    if shown_once and content:
        content = json.dumps(_without(json.loads(content), shown_once)).encode()
    encoded = base64.b64encode(content).decode()
    await app.tables.put(ANSWERS, mine.changed(status=response.status_code, body=encoded, headers=kept))
    return response


def _repeat(earlier: Answer, mine: Answer) -> Response:
    if earlier.request_hash != mine.request_hash:
        raise Conflict("This Idempotency-Key was used with another query or body.", code="idempotencyKeyReused")
    if earlier.status == 0:
        raise TooManyRequests("The first request with this key is still running.", retry_after=1)
    return Response(base64.b64decode(earlier.body), earlier.status, earlier.headers, media_type="application/json")
