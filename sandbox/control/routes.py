"""How the control API's modules register routes and read bodies."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.wire import Call, CloudError, Handler, Reply, Service


class Routes:
    """Routes of one module, put into the service when it is made."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, Handler]] = []

    def route(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """Register a handler for a path below /_sandbox."""

        def register(handler: Handler) -> Handler:
            self._rows.append((method, template, handler))
            return handler

        return register

    def add_to(self, control: Service) -> None:
        """Put the routes into the control API's service."""
        for method, template, handler in self._rows:
            control.route(method, f"/_sandbox{template}")(_guarded(handler))


def _guarded(handler: Handler) -> Handler:
    """A handler whose stumble over a missing or mistyped value of the body is the caller's error."""

    async def answer(call: Call) -> Reply:
        try:
            return await handler(call)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CloudError(400, "BadBody", f"{type(error).__name__}: {error}") from error

    return answer


def fields(call: Call, allowed: str) -> dict[str, Any]:
    """The JSON object of a request. Raises CloudError 400 when it has a field not in `allowed` (space separated)."""
    body = call.body
    if not isinstance(body, dict):
        raise CloudError(400, "BadBody", "The body must be a JSON object.")
    if unknown := set(body) - set(allowed.split()):
        raise CloudError(400, "UnknownField", f"Unknown fields: {', '.join(sorted(unknown))}. Known: {allowed}.")
    return body


def snake(name: str) -> str:
    """`latencyMs` -> `latency_ms`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    """`latency_ms` -> `latencyMs`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
