"""HTTP triggers: route templates as the host matches them, requests and answers as the Python worker makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

import azure.functions as func
from starlette.types import Receive, Scope, Send

from sandbox.host.index import Function
from sandbox.host.invoke import Invoker

BODY_LIMIT = 104_857_600
"""FUNCTIONS_REQUEST_BODY_SIZE_LIMIT's default (learn.microsoft.com/azure/azure-functions/functions-app-settings)."""
CONSTRAINTS = {"int": r"-?\d+", "guid": r"[0-9a-fA-F-]{36}", "alpha": r"[A-Za-z]+"}
_PARAMETER = re.compile(r"\{(\*{1,2})?(\w+)(?::(\w+))?(\?)?\}")


class TooLargeError(Exception):
    """The request's body is beyond the host's limit."""


def pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a route template: literals, {name}, {name?}, {name:int}, {*rest}; case is ignored.

    Raises ValueError for a constraint the stand-in does not know.
    """
    text = ""
    for segment in filter(None, template.split("/")):
        match = _PARAMETER.fullmatch(segment)
        if match is None:
            literal = "".join(
                f"(?P<{p}>[^/]+?)" if p else re.escape(s) for s, p in re.findall(r"([^{}]+)|\{(\w+)\}", segment)
            )
            text += f"/{literal}"
            continue
        star, name, constraint, optional = match.groups()
        if constraint and constraint not in CONSTRAINTS:
            raise ValueError(f"route constraint {constraint!r} is not known here; known: {', '.join(CONSTRAINTS)}")
        if star:
            text += f"(?:/(?P<{name}>.*))?"
        elif optional:
            text += f"(?:/(?P<{name}>{CONSTRAINTS.get(constraint, '[^/]+')}))?"
        else:
            text += f"/(?P<{name}>{CONSTRAINTS.get(constraint, '[^/]+')})"
    return re.compile(f"{text}/?", re.IGNORECASE)


class Routes:
    """The HTTP-triggered functions, matched in order of their names as the host does."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        self._routes: list[tuple[re.Pattern[str], frozenset[str], Function]] = []
        for function in functions:
            trigger = function.trigger
            route = trigger.get("route")
            template = function.name if route is None else str(route)
            methods = frozenset(str(m).upper() for m in trigger.get("methods") or ("GET", "POST"))
            self._routes.append((pattern(f"{prefix}/{template}"), methods, function))

    def match(self, method: str, raw_path: str) -> tuple[Function, dict[str, str]] | None:
        """The function that serves a percent-encoded path, with its route values; None where the host says 404."""
        for compiled, methods, function in self._routes:
            if method in methods and (found := compiled.fullmatch(raw_path)):
                return function, {k: unquote(v) for k, v in found.groupdict().items() if v is not None}
        return None


async def read_body(receive: Receive, limit: int = BODY_LIMIT) -> bytes:
    """The whole body of an ASGI request. Raises TooLargeError beyond `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLargeError
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def answer(send: Send, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> None:
    """Send a whole ASGI response; the length is set here."""
    encoded = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]
    encoded = [(k, v) for k, v in encoded if k not in (b"content-length", b"transfer-encoding")]
    if status not in (204, 304):
        encoded.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def request_of(scope: Scope, route_values: dict[str, str], body: bytes) -> func.HttpRequest:
    """The request object a handler gets; repeated headers and query values are joined by commas, as the host does."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = scope["query_string"].decode("latin-1")
    params: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        params[name] = f"{params[name]},{value}" if name in params else value
    url = f"{scope['scheme']}://{headers.get('host', '')}{scope['raw_path'].decode('latin-1')}"
    return func.HttpRequest(
        scope["method"],
        f"{url}?{query}" if query else url,
        headers=headers,
        params=params,
        route_params=route_values,
        body=body,
    )


def parts_of(result: Any) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body and headers of what a handler returned: an HttpResponse, a string, or nothing."""
    if isinstance(result, func.HttpResponse):
        headers = [(str(k), str(v)) for k, v in result.headers.items()]
        body = result.get_body()
        if body and not any(k.lower() == "content-type" for k, _ in headers):
            headers.append(("content-type", f"{result.mimetype}; charset={result.charset}"))
        return int(result.status_code), body, headers
    if result is None:
        return 204, b"", []
    return 200, str(result).encode(), [("content-type", "text/plain; charset=utf-8")]


async def serve(routes: Routes, invoker: Invoker, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request by its function: bare 404 without one, bare 413, bare 500 when it raises."""
    raw_path = scope["raw_path"].decode("latin-1")
    found = routes.match(scope["method"], raw_path)
    if found is None:
        await answer(send, 404)
        return
    function, values = found
    try:
        body = await read_body(receive)
    except TooLargeError:
        await answer(send, 413)
        return
    try:
        result = await invoker.run(
            function,
            request_of(scope, values, body),
            f"{scope['method']} {raw_path}",
            reads=scope["method"] in ("GET", "HEAD", "OPTIONS"),
        )
    except Exception:  # the invoker has logged it; the caller learns only that it failed, as from the real host
        await answer(send, 500)
        return
    await answer(send, *parts_of(result))
