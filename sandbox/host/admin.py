"""The host's own endpoints: /admin as the real host has it, and /_host, which only the stand-in has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from sandbox.host.http import TooLargeError, answer, read_body
from sandbox.host.index import Function
from sandbox.host.reset import NotLocalError

if TYPE_CHECKING:
    from sandbox.host.server import Host

BODY_LIMIT = 1_000_000
VERSION = "4.0.0-sandbox"
"""Version 4 of the Functions runtime is what the stand-in copies."""


class RefusedError(Exception):
    """A request to the host itself that it does not do: HTTP status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def serve(host: Host, scope: Scope, receive: Receive, send: Send) -> bool:
    """Answer a request for the host itself; False when its path is none of the host's."""
    path = scope["path"].rstrip("/") or "/"
    if path != "/" and not path.startswith(("/admin/", "/_host/")):
        return False
    try:
        status, body = await _dispatch(host, scope["method"], path, receive)
    except RefusedError as error:
        status, body = error.status, {"message": str(error)}
    except NotLocalError as error:
        status, body = 403, {"message": str(error)}
    if body is None:
        await answer(send, status)
    else:
        await answer(send, status, json.dumps(body).encode(), [("content-type", "application/json")])
    return True


async def _dispatch(host: Host, method: str, path: str, receive: Receive) -> tuple[int, Any]:
    match method, path.removeprefix("/").split("/"):
        case "GET", [""]:
            return 200, {"message": "Your Functions app is up and running", "functions": "/admin/functions"}
        case "GET", ["admin", "functions"]:
            return 200, [_described(host, function) for function in host.functions]
        case "GET", ["admin", "functions", name]:
            return 200, _described(host, _function(host, name))
        case "POST", ["admin", "functions", name]:
            document = await _json(receive)
            given = document.get("input", "")
            host.trigger(_function(host, name), given if isinstance(given, str) else json.dumps(given))
            return 202, None
        case "GET", ["admin", "host", "status"]:
            return 200, {"id": "sandbox", "state": host.state, "version": VERSION, "processUptime": host.uptime_ms}
        case (("GET" | "POST"), ["admin", "host", "ping"]):
            return 200, None
        case "POST", ["_host", "reset"]:
            await host.reset()
            return 200, {"reset": True}
        case "POST", ["_host", "clock"]:
            seconds = (await _json(receive)).get("advanceSeconds")
            if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
                raise RefusedError(400, "advanceSeconds is a number of seconds, zero or more")
            return 200, await host.advance(seconds)
        case "POST", ["_host", "settle"]:
            document = await _json(receive)
            limit = float(document.get("timeoutSeconds", 30))
            settled = await host.settle(limit, delayed=bool(document.get("delayed")))
            return (200 if settled else 504), {"settled": settled}
    raise RefusedError(404, f"the host has no {method} {path}")


def _function(host: Host, name: str) -> Function:
    for function in host.functions:
        if function.name.lower() == name.lower():
            return function
    raise RefusedError(404, f"no function is called {name}")


def _described(host: Host, function: Function) -> dict[str, Any]:
    """A function as the host's admin API lists it."""
    route = function.trigger.get("route")
    url = None
    if function.kind == "httpTrigger":
        template = function.name if route is None else route
        url = f"{host.url}/{host.host_json.route_prefix}/{template}"
    return {
        "name": function.name,
        "href": f"{host.url}/admin/functions/{function.name}",
        "invoke_url_template": url,
        "language": "python",
        "isDisabled": False,
        "config": {"name": function.name, "scriptFile": "function_app.py", "bindings": function.bindings},
    }


async def _json(receive: Receive) -> dict[str, Any]:
    try:
        text = await read_body(receive, BODY_LIMIT)
    except TooLargeError as error:
        raise RefusedError(413, f"at most {BODY_LIMIT} bytes") from error
    try:
        document = json.loads(text or b"{}")
    except ValueError as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RefusedError(400, "the body is a JSON object")
    return document
