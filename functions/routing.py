"""How an area declares its routes: each names its permission, or how an anonymous caller is proved instead.

A `Area` collects FastAPI routes and the Functions that serve them. Every request is authorized before its body is
looked at; unknown query parameters are refused, so that a mistyped filter never acts on everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Annotated, Any

import azure.functions as func
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from functions import idempotency
from shared import access, names
from shared import app as composition
from shared.access import Principal
from shared.app import App
from shared.errors import InvalidInput, PreconditionFailed, TooLarge, UnsupportedMediaType
from shared.store.tables import Record

MAX_BODY_BYTES = 1_000_000
ID = r"^[A-Za-z0-9._~-]{1,128}$"
"""Every id in a path: opaque, URL-safe, and a valid table key."""
GUID = r"^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$"
"""An id that Entra gave out."""

Name = Annotated[str, Field(min_length=1, max_length=names.MAX_CHARS, pattern=names.PATTERN)]
"""What people call something."""

Endpoint = Callable[..., Coroutine[Any, Any, Any]]


class Body(BaseModel):
    """Base of request bodies: camelCase on the wire, unknown fields refused, `READ_ONLY` ones ignored."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, str_strip_whitespace=True
    )


class Acting(Body):
    """Base of bodies of acting calls: why it is done, and under which ticket; both reach the audit log."""

    reason: Annotated[str | None, Field(max_length=500)] = None
    ticket_number: Annotated[str | None, Field(max_length=100)] = None


def _query_names(dependant: Dependant) -> set[str]:
    """The query parameters that a route and its dependencies take."""
    names = {parameter.alias for parameter in dependant.query_params}
    return names.union(*(_query_names(inner) for inner in dependant.dependencies))


class GuardedRoute(APIRoute):
    """A route that authorizes first. Made by `Area`; `openapi_extra` carries what it needs."""

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        extra = options.get("openapi_extra") or {}
        if "x-permission" not in extra and "x-anonymous" not in extra:
            raise TypeError(f"{path}: a route names a permission or how an anonymous caller is proved")
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind authorization, checks of the frame, and idempotency."""
        handle = super().get_route_handler()
        extra = self.openapi_extra or {}
        known = _query_names(self.dependant)
        media = extra.get("x-media-type", "application/json")

        async def guarded(request: Request) -> Response:
            app = composition.current()
            principal: Principal | None = None
            if permissions := extra.get("x-permission"):
                principal = await access.authenticate(app, request.headers.get("authorization"))
                principal.require(*permissions)
            request.state.principal = principal
            unknown = sorted(set(request.query_params) - known)
            if unknown and "x-any-query" not in extra:
                raise InvalidInput(
                    f"Unknown query parameter {', '.join(unknown)}. Known here: {', '.join(sorted(known)) or 'none'}.",
                    details=[{"code": "unknownParameter", "message": "unknown", "target": name} for name in unknown],
                )
            body = await request.body()
            if len(body) > extra.get("x-max-bytes", MAX_BODY_BYTES):
                raise TooLarge(f"The body has {len(body)} bytes; at most {extra.get('x-max-bytes', MAX_BODY_BYTES)}.")
            given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if body and self.body_field is not None and given != media:
                raise UnsupportedMediaType(f"Send the body as {media}.")
            if principal is not None and "x-idempotent" in extra:
                once = extra.get("x-shown-once", ())
                return await idempotency.once(app, principal, request, body, handle, shown_once=once)
            return await handle(request)

        return guarded


class Area:
    """One file of functions/: a router of guarded routes, and the blueprint that serves its paths."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._declared: list[tuple[str, Endpoint, dict[str, Any]]] = []

    @property
    def segments(self) -> set[str]:
        """First path segments of its routes, which need not be its own."""
        return {path.split("/")[1] for path, _, _ in self._declared}

    @cached_property
    def router(self) -> APIRouter:
        """Its routes, made when first asked for: those of all areas take a third of a second."""
        router = APIRouter(
            prefix="/api",
            route_class=GuardedRoute,
            tags=[self.name],
            redirect_slashes=False,
            generate_unique_id_function=lambda route: to_camel(route.name),
        )
        for path, endpoint, options in self._declared:
            router.add_api_route(path, endpoint, **options)
        return router

    def route(
        self,
        method: str,
        path: str,
        *,
        permission: str | tuple[str, ...] | None = None,
        anonymous: str | None = None,
        idempotent: bool = False,
        shown_once: tuple[str, ...] = (),
        extra: dict[str, Any] | None = None,
        **options: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare a route.

        `permission` is one or several of access.py (any of them will do); `anonymous` says in words how a caller
        without a token is proved. `idempotent` honours Idempotency-Key; keys of `shown_once`, at any depth of the
        answer, are then left out of what is stored and repeated.
        """
        described: dict[str, Any] = dict(extra or {})
        if permission is not None:
            described["x-permission"] = [permission] if isinstance(permission, str) else list(permission)
            described["security"] = [{"entra": []}]
        elif anonymous is not None:
            described["x-anonymous"] = anonymous
        if shown_once:
            described["x-shown-once"] = list(shown_once)
        if idempotent:
            described["x-idempotent"] = True
            described["parameters"] = [
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": False,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
                    "description": "The same key, query and body within 24 hours gives the first answer again"
                    + (f", without {', '.join(shown_once)}." if shown_once else "."),
                }
            ]

        def declare(endpoint: Endpoint) -> Endpoint:
            self._declared.append((path, endpoint, {"methods": [method], "openapi_extra": described, **options}))
            return endpoint

        return declare

    def get(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A GET route; see `route`."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A POST route; see `route`."""
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A PUT route; see `route`."""
        return self.route("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """A DELETE route; see `route`."""
        return self.route("DELETE", path, **options)


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]


def http_function(
    blueprint: func.Blueprint, name: str, path: str, serve: Callable[..., Coroutine[Any, Any, func.HttpResponse]]
) -> None:
    """Register one HTTP-triggered function on `path` and everything below it."""

    async def handler(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return await serve(req, context)

    handler.__name__ = name
    blueprint.route(
        route=f"{path}/{{*rest}}" if path else "{*rest}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS
    )(blueprint.function_name(name)(handler))


async def current_app() -> App:
    """FastAPI dependency: the process's App (async, so that it runs in the loop and not in a thread)."""
    return composition.current()


async def current_principal(request: Request) -> Principal:
    """FastAPI dependency: the caller that the route was authorized for."""
    principal: Principal | None = request.state.principal
    if principal is None:
        raise TypeError("an anonymous route has no principal")
    return principal


AppDep = Annotated[App, Depends(current_app)]
Caller = Annotated[Principal, Depends(current_principal)]


def check_if_match(request: Request, record: Record | None) -> str | None:
    """Honour If-Match. Gives the etag that must still be the stored one when it is written; None: any will do.

    Raises PreconditionFailed when the record is not the one the client read.
    """
    wanted = request.headers.get("if-match")
    if wanted is None or (wanted == "*" and record is not None):
        return None
    if record is None or wanted not in (record.etag, json.dumps(record.etag)):
        raise PreconditionFailed("It has changed since you read it. Read it again, then repeat.")
    return record.etag


def request_id(request: Request) -> str:
    """The caller's x-ms-client-request-id, or the one made for this request."""
    return str(request.state.request_id)


async def _why(
    request: Request,
    reason: Annotated[str | None, Query(max_length=500, description="Why; reaches the audit log.")] = None,
    ticket: Annotated[
        str | None, Query(alias="ticketNumber", max_length=100, description="Reaches the audit log.")
    ] = None,
) -> dict[str, str | None]:
    return {"reason": reason, "ticket_number": ticket, "request_id": request_id(request)}


QueryWhy = Annotated[dict[str, str | None], Depends(_why)]
"""What an acting call without a JSON body tells the audit log: as `Acting`, in the query."""
