"""The FastAPI application behind every HTTP-triggered function: one error shape, correlation, CORS, OpenAPI."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NotRequired

import azure.functions as func
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from opentelemetry.trace import Span
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import TypedDict

from functions import tracing
from functions.routing import Area
from shared import app as composition
from shared import correlation, telemetry
from shared.errors import ErrorDetail, MicrosoftError, TenantryError, TooManyRequests
from shared.version import VERSION

log = logging.getLogger("tenantry.api")
DESCRIPTION = (
    "Every client's Azure resources with their health, the tickets they cause, and the actions on them. "
    "Send an Entra ID access token of the service provider's tenant; `GET /me` says what it allows. "
    "Errors have one shape and say what to do; long work answers 202 with an operation to ask for."
)
_SCHEMAS = "#/components/schemas/"
_CODES = {400: "invalidInput", 401: "unauthenticated", 404: "notFound", 405: "methodNotAllowed", 413: "tooLarge"}


class Error(TypedDict):
    """What happened and what to do; `requestId` is what support asks for."""

    code: str
    message: str
    target: NotRequired[str]
    details: NotRequired[list[ErrorDetail]]
    requestId: str


class ErrorResponse(TypedDict):
    """The one error shape of the API."""

    error: Error


def error_body(
    code: str, message: str, request_id: str, target: str | None = None, details: list[ErrorDetail] | None = None
) -> ErrorResponse:
    """The body of an error."""
    error: Error = {"code": code, "message": message, "requestId": request_id}
    if target:
        error["target"] = target
    if details:
        error["details"] = details
    return {"error": error}


class Frame:
    """Plain ASGI: gives each request an id, echoes it, and turns an unhandled error into a 500 of our shape.

    It must be plain: under the Functions host an error that FastAPI's own middleware re-raises would reach the host.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((v for k, v in scope["headers"] if k.lower() == b"x-ms-client-request-id"), b"")
        request_id = given.decode("latin-1")
        if not (1 <= len(request_id) <= 100 and request_id.isascii() and request_id.isprintable()):
            request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        correlation.begin(request_id)
        started = ended = False
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal started, ended, status
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-ms-client-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        parent = tracing.parent_of(scope.get("azure_functions.trace_context"))
        with telemetry.span(scope["method"], "server", parent=parent) as span:
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:  # the edge: the caller gets the one error shape, the log the trace
                log.exception("unhandled error, request %s %s %s", request_id, scope["method"], _route(scope))
                telemetry.fail(span, type(error).__name__)
                if started and not ended:
                    raise
                if not started:
                    await _failed(request_id)(scope, receive, send_with_id)
            finally:
                _describe(span, scope, status)


def _route(scope: Scope) -> str:
    """The route that serves a request, as it is declared: its path may hold a secret. Empty when none does."""
    return str(getattr(scope.get("route"), "path", ""))


def _describe(span: Span, scope: Scope, status: int) -> None:
    if not span.is_recording():
        return
    route = _route(scope)
    span.update_name(f"{scope['method']} {route}".rstrip())
    span.set_attributes(
        {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
            "tenantry.correlation_id": correlation.current(),
        }
    )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        telemetry.fail(span, str(status))


def _failed(request_id: str) -> JSONResponse:
    """500: nobody foresaw it."""
    said = "Something failed on our side. Try again; if it stays, give us the request id."
    return JSONResponse(error_body("internalError", said, request_id), 500)


async def _unforeseen(request: Request, _: Exception) -> JSONResponse:
    # FastAPI's outermost middleware answers with this, then raises the error again; the frame logs it.
    return _failed(request.state.request_id)


async def _tenantry_error(request: Request, error: TenantryError) -> JSONResponse:
    headers = {}
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    message = error.message
    if isinstance(error, MicrosoftError) and error.fix:
        message = f"{message} {error.fix}"
    body = error_body(error.code, message, request.state.request_id, error.target, error.details)
    return JSONResponse(body, error.http_status, headers)


def _unreadable(request: Request, where: str) -> JSONResponse:
    """400: the body is not JSON; `where` says at which place, or why."""
    message = f"The body is not valid JSON: {where}."
    details: list[ErrorDetail] = [{"code": "malformedJson", "message": message, "target": "body"}]
    return JSONResponse(
        error_body("invalidInput", message, request.state.request_id, target="body", details=details), 400
    )


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    details: list[ErrorDetail] = []
    for problem in error.errors():
        if problem["type"] == "json_invalid":
            position = problem["loc"][-1]
            return _unreadable(request, f"{problem['ctx']['error']}, at character {position} (the first is 0)")
        place = [str(part) for part in problem["loc"] if part not in ("body", "query", "path", "header")]
        target = ".".join(place) or str(problem["loc"][0])
        details.append({"code": problem["type"], "message": problem["msg"], "target": target})
    bad = ", ".join(dict.fromkeys(detail["target"] for detail in details))
    body = error_body("invalidInput", f"Correct {bad}, then send it again.", request.state.request_id, details=details)
    return JSONResponse(body, 400)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    # FastAPI says nothing but "400" of a body on which the JSON parser gave up in another way than by JSONDecodeError.
    if isinstance(error.__cause__, UnicodeDecodeError):
        cause = error.__cause__
        return _unreadable(request, f"it is not {cause.encoding.upper()} at byte {cause.start} (the first is 0)")
    if isinstance(error.__cause__, RecursionError):
        return _unreadable(request, "it is nested too deeply")
    code = _CODES.get(error.status_code, "httpError")
    messages = {
        404: f"There is nothing at {request.url.path}. See /api/openapi.json for what there is.",
        405: f"{request.method} does not exist here.",
    }
    body = error_body(code, messages.get(error.status_code, str(error.detail)), request.state.request_id)
    return JSONResponse(body, error.status_code, dict(error.headers or {}))


def create(areas: Iterable[Area]) -> FastAPI:
    """The application of these areas."""
    api = FastAPI(
        title="Tenantry",
        version=VERSION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        # A redirect would be built from the Host header, which the caller chooses.
        redirect_slashes=False,
        # Its own would tell paths and queries, which may hold secrets; the frame tells the route.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    handlers: dict[type[Exception], Any] = {
        TenantryError: _tenantry_error,
        RequestValidationError: _invalid,
        HTTPException: _http_error,
        Exception: _unforeseen,
    }
    for error, handler in handlers.items():
        api.add_exception_handler(error, handler)
    for area in areas:
        api.router.routes.extend(area.router.routes)

    _add_documentation(api)

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = _document(api)
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    return api


def _add_documentation(api: FastAPI) -> None:
    """`GET /docs`: Swagger UI out of a package, so that the page needs nothing from elsewhere. Links are relative."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{api.title} API",
        swagger_js_url="docs/static/swagger-ui-bundle.js",
        swagger_css_url="docs/static/swagger-ui.css",
        swagger_favicon_url="docs/static/favicon.png",
    )

    async def documentation(_: Request) -> Response:
        return page

    api.add_route("/api/docs", documentation, methods=["GET"], include_in_schema=False)
    api.mount("/api/docs/static", StaticFiles(packages=[("fastapi_offline", "static")]))


def _document(api: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the error shape on every route and Entra ID as the security scheme."""
    document = get_openapi(title=api.title, version=api.version, routes=api.routes, description=DESCRIPTION)
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"entra": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    error = TypeAdapter(ErrorResponse).json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    schemas |= error.pop("$defs")
    schemas["ErrorResponse"] = error
    failed = {
        "description": "An error",
        "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}ErrorResponse"}}},
    }
    for path in document.get("paths", {}).values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for status in ("400", "401", "403", "404", "409", "412", "413", "415", "429", "500", "502", "503"):
                operation["responses"].setdefault(status, failed)
    return _plainly_named(document)


def _plainly_named(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the field's terms as names of schemas: `Device` for DeviceView, `DevicePage` for a page of it.

    Raises TypeError when two schemas would have one name.
    """
    schemas = document["components"]["schemas"]
    names = {name: re.sub(r"^Page_(\w+)_$", r"\1Page", re.sub(r"View(?=_?$)", "", name)) for name in schemas}
    if len(set(names.values())) < len(names):
        raise TypeError(f"Two schemas of one name: {sorted(names.items())}")
    document["components"]["schemas"] = {names[name]: schema for name, schema in schemas.items()}
    for schema in document["components"]["schemas"].values():
        for part in (schema, *schema.get("properties", {}).values()):
            part.pop("title", None)
    text = re.sub(rf'"{_SCHEMAS}(\w+)"', lambda found: f'"{_SCHEMAS}{names[found[1]]}"', json.dumps(document))
    named: dict[str, Any] = json.loads(text)
    return named


def asgi(api: FastAPI, portal_origin: str) -> ASGIApp:
    """The application in its frame, with CORS for the portal's origin."""
    # Outermost: a page may read an answer that the frame made of a failure as well.
    return CORSMiddleware(
        Frame(api),
        allow_origins=[portal_origin],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "x-ms-client-request-id"],
        expose_headers=["ETag", "Location", "Operation-Location", "Retry-After", "x-ms-client-request-id"],
        max_age=3600,
    )


class Server:
    """Serves HTTP-triggered functions through an application, made when the first request comes."""

    def __init__(self, api: Callable[[], FastAPI]) -> None:
        self._api = api
        self._middleware: func.AsgiMiddleware | None = None

    async def __call__(self, req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        """Answer one request."""
        if self._middleware is None:
            portal = composition.current().settings.portal_url
            origin = "/".join(portal.split("/")[:3])
            self._middleware = func.AsgiMiddleware(asgi(self._api(), origin))
        reply: func.HttpResponse = await self._middleware.handle_async(req, context)
        return reply
