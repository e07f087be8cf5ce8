"""The API's routes as its OpenAPI document lists them, for tests that hold something of every route."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from functions import whole

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
"""Fits every kind of id and names nothing."""
METHODS = frozenset({"get", "post", "put", "patch", "delete", "options"})


def _fields(schema: dict[str, Any]) -> set[str]:
    """Names of a schema's properties, those of what it refers to included."""
    if reference := schema.get("$ref"):
        schema = whole().openapi()["components"]["schemas"][reference.rpartition("/")[2]]
    found = set(schema.get("properties", {}))
    return found.union(*(_fields(part) for word in ("anyOf", "allOf", "oneOf") for part in schema.get(word, [])))


@dataclass(frozen=True)
class Route:
    """One path and method."""

    method: str
    path: str
    """As in the document, with the leading /api."""
    operation: dict[str, Any] = field(repr=False, hash=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path.removeprefix('/api')}"

    @property
    def permissions(self) -> frozenset[str]:
        """Any of these is enough; empty for an anonymous route."""
        return frozenset(self.operation.get("x-permission", ()))

    @property
    def media_type(self) -> str | None:
        """Of the request's body; None when it takes none."""
        content = self.operation.get("requestBody", {}).get("content", {})
        return next(iter(content), None)

    @property
    def body_required(self) -> bool:
        return bool(self.operation.get("requestBody", {}).get("required"))

    @property
    def takes_json(self) -> bool:
        return self.media_type == "application/json"

    @property
    def query_names(self) -> set[str]:
        return {row["name"] for row in self.operation.get("parameters", ()) if row["in"] == "query"}

    @property
    def body_names(self) -> set[str]:
        """Fields of a JSON body."""
        content = self.operation.get("requestBody", {}).get("content", {})
        return _fields(content.get("application/json", {}).get("schema", {}))

    @property
    def is_collection(self) -> bool:
        return "$top" in self.query_names

    @property
    def url(self) -> str:
        """Relative to the API's base, ids filled with ones that name nothing."""
        rows = {row["name"]: row for row in self.operation.get("parameters", ()) if row["in"] == "path"}

        def value(match: re.Match[str]) -> str:
            schema = rows[match.group(1)].get("schema", {})
            return str(schema["enum"][0]) if "enum" in schema else UNKNOWN_ID

        return re.sub(r"\{(\w+)\}", value, self.path.removeprefix("/api"))


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return whole().openapi()


ROUTES = [
    Route(method.upper(), path, operation)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
    if method in METHODS
]
EVENTS = "/api/events/"
"""Microsoft's schemas, and a proof of their own: tests/api/test_events.py."""
GUARDED = [route for route in ROUTES if route.permissions]
ANONYMOUS = [route for route in ROUTES if not route.permissions and not route.path.startswith(EVENTS)]
WITH_BODY = [route for route in ROUTES if route.media_type and not route.path.startswith(EVENTS)]
WITH_JSON = [route for route in WITH_BODY if route.takes_json]
