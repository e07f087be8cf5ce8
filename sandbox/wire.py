"""What every simulated HTTP service has in common: routing, faults, latency, logging, error shapes, paging.

A service is a `Service` with handlers registered by `route`. A handler takes a `Call` and returns a `Reply`, or
raises `CloudError` with Microsoft's own code. Paths match without regard to case, doubled slashes are collapsed,
query keys and values are percent-decoded, and absolute URLs carry the host the client called.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.world import Cloud, Fault, World

_LOGGED_BODY = 16_384
"""Bytes; longer bodies are not kept in the request log."""


class CloudError(Exception):
    """A refusal in the cloud's own words. `extra` is merged into the service's error object."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.headers, self.extra, self.body = headers or {}, extra or {}, body
        """`body`: sent as it is, in place of the service's error shape."""


@dataclass
class Reply:
    """An answer. `json` None sends an empty body unless `text` is given."""

    json: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    media_type: str = "application/json; charset=utf-8"


@dataclass
class Call:
    """One request, parsed."""

    cloud: Cloud
    service: Service
    method: str
    path: str
    """Collapsed, decoded, original case."""
    params: dict[str, str]
    query: dict[str, str]
    """Keys lower-cased; `get('$top')` works whatever the client's spelling."""
    headers: dict[str, str]
    """Keys lower-cased."""
    raw_body: bytes
    base_url: str
    """Scheme and host as the client sees them, no trailing slash."""
    claims: dict[str, Any] = field(default_factory=dict)
    """The caller's token, set by the service's `authenticate`."""

    @property
    def world(self) -> World:
        """The world of this moment."""
        return self.cloud.world

    @property
    def body(self) -> Any:
        """The JSON body; {} when empty. Raises CloudError 400 when malformed."""
        if not self.raw_body:
            return {}
        try:
            return json.loads(self.raw_body)
        except ValueError as error:
            raise CloudError(400, "InvalidRequestContent", f"The request content was invalid: {error}") from error

    @property
    def form(self) -> dict[str, str]:
        """A form-encoded body."""
        return dict(parse_qsl(self.raw_body.decode(errors="replace"), keep_blank_values=True))

    def link(self, **query: str) -> str:
        """An absolute URL of this same request with query values replaced, for nextLink."""
        merged = {**self.query, **{k.lower(): v for k, v in query.items()}}
        return f"{self.base_url}{quote(self.path)}?{urlencode(merged, safe='$')}"


Handler = Callable[[Call], Awaitable[Reply]]


def arm_error(error: CloudError) -> Any:
    """ARM's, Graph's and Key Vault's common frame: {"error": {"code", "message"}}."""
    return {"error": {"code": error.code, "message": error.message, **error.extra}}


class Service:
    """One simulated service, an ASGI application.

    `name` is its key in `Cloud.urls` and in faults; `hosts` are regular expressions of its production host names.
    `authenticate` (may be None) turns the Authorization header into claims or raises CloudError; routes registered
    with `anonymous=True` skip it. `throttle` (may be None) is called after it and raises CloudError 429.
    `headers` gives extra response headers of every answer (request ids, quota). `simulated` False is for what is no
    part of Microsoft's cloud (control API, receivers): no faults, no latency, no row in the request log.
    `log_bodies`: rows of the request log carry small JSON bodies; for services whose bodies hold no secret.
    """

    def __init__(
        self,
        cloud: Cloud,
        name: str,
        hosts: list[str],
        *,
        authenticate: Callable[[Call], None] | None = None,
        throttle: Callable[[Call], None] | None = None,
        shape: Callable[[CloudError], Any] = arm_error,
        headers: Callable[[Call], dict[str, str]] | None = None,
        not_found: Callable[[Call], CloudError] | None = None,
        simulated: bool = True,
        log_bodies: bool = False,
    ) -> None:
        self.cloud, self.name, self.simulated, self.log_bodies = cloud, name, simulated, log_bodies
        self.hosts = [re.compile(h, re.IGNORECASE) for h in hosts]
        self.authenticate, self.throttle, self.shape, self.headers = authenticate, throttle, shape, headers
        self.not_found = not_found or (
            lambda call: CloudError(404, "NotFound", f"No route for {call.method} {call.path}")
        )
        self._routes: list[tuple[str, re.Pattern[str], Handler, bool]] = []

    def route(self, method: str, template: str, *, anonymous: bool = False) -> Callable[[Handler], Handler]:
        """Register a handler. `{name}` matches one segment, `{name:path}` the rest. First match in order wins."""
        pattern = re.sub(r"\\{(\w+):path\\}", r"(?P<\1>.+)", re.escape(template))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
        compiled = re.compile(f"^{pattern}/?$", re.IGNORECASE)

        def register(handler: Handler) -> Handler:
            self._routes.append((method.upper(), compiled, handler, anonymous))
            return handler

        return register

    async def dispatch(self, call: Call) -> Reply:
        """Authenticate, throttle and answer a parsed call; also used for the items of a $batch."""
        for method, pattern, handler, anonymous in self._routes:
            if method != call.method:
                continue
            match = pattern.match(call.path)
            if match is None:
                continue
            call.params = match.groupdict()
            if not anonymous and self.authenticate is not None:
                self.authenticate(call)
            if self.throttle is not None:
                self.throttle(call)
            return await handler(call)
        if self.authenticate is not None:
            self.authenticate(call)
        raise self.not_found(call)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request. Raises Disconnect when a fault says so."""
        request = Request(scope, receive)
        call = await self._parse(request)
        behaviour = self.cloud.world.behaviour
        if behaviour.latency_ms and self.simulated:
            await asyncio.sleep(behaviour.latency_ms / 1000)
        reply: Reply | None = None
        fault = self.take_fault(call, batch_item=False) if self.simulated else None
        if fault is not None:
            if fault.delay_ms:
                await asyncio.sleep(fault.delay_ms / 1000)
            if fault.kind == "disconnect":
                self._log(call, 0)
                raise Disconnect
            if fault.kind == "status":
                reply = self.fault_reply(fault)
        if reply is None:
            try:
                reply = await self.dispatch(call)
            except CloudError as error:
                reply = self.error_reply(error)
        identifier = str(uuid.uuid4())
        self._log(call, reply.status, identifier)
        headers = {"x-ms-request-id": identifier, "request-id": identifier}
        if client_id := call.headers.get("x-ms-client-request-id") or call.headers.get("client-request-id"):
            headers |= {"x-ms-client-request-id": client_id, "client-request-id": client_id}
        if self.headers is not None:
            headers |= self.headers(call)
        headers |= reply.headers
        if reply.text is not None:
            content, media = reply.text.encode(), reply.media_type
        elif reply.json is not None:
            content, media = json.dumps(reply.json, separators=(",", ":")).encode(), reply.media_type
        else:
            content, media = b"", None
        await Response(content, reply.status, headers, media)(scope, receive, send)

    def error_reply(self, error: CloudError) -> Reply:
        """The reply of a refusal, in this service's error shape."""
        body = error.body if error.body is not None else self.shape(error)
        return Reply(body, error.status, dict(error.headers))

    def fault_reply(self, fault: Fault) -> Reply:
        """The reply of a fault set through the control API."""
        texts = {429: "TooManyRequests", 503: "ServiceUnavailable", 500: "InternalServerError"}
        body = fault.body or self.shape(
            CloudError(fault.status, texts.get(fault.status, "Fault"), "A fault was asked for.")
        )
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(body, fault.status, headers)

    def take_fault(self, call: Call, *, batch_item: bool) -> Fault | None:
        """The first fault that matches this call, counted down."""
        for fault in self.cloud.faults:
            if fault.batch_item != batch_item or fault.service not in (self.name, "*") or fault.times == 0:
                continue
            if fault.method and fault.method.upper() != call.method:
                continue
            if fault.path and not re.search(fault.path, call.path, re.IGNORECASE):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.probability < 1 and self.cloud.world.rng.random() >= fault.probability:
                continue
            fault.times -= 1
            return fault
        return None

    async def _parse(self, request: Request) -> Call:
        path = re.sub(r"/{2,}", "/", request.scope["path"])
        return Call(
            cloud=self.cloud,
            service=self,
            method=request.method.upper(),
            path=path,
            params={},
            query={
                k.lower(): v
                for k, v in parse_qsl(request.scope["query_string"].decode(errors="replace"), keep_blank_values=True)
            },
            headers={k.decode().lower(): v.decode("latin-1") for k, v in request.scope["headers"]},
            raw_body=await request.body(),
            base_url=f"{request.url.scheme}://{request.headers.get('host', '')}",
        )

    def _log(self, call: Call, status: int, identifier: str = "") -> None:
        if not self.simulated:
            return
        self.cloud.request_count += 1
        secretless = {k: v for k, v in call.query.items() if k not in ("code", "state", "client_secret")}
        self.cloud.requests.append(
            {
                "n": self.cloud.request_count,
                "service": self.name,
                "method": call.method,
                "url": call.path + (f"?{urlencode(secretless, safe='$')}" if secretless else ""),
                "status": status,
                "clientRequestId": call.headers.get("x-ms-client-request-id") or call.headers.get("client-request-id"),
                "requestId": identifier,
                "correlationId": call.headers.get("x-ms-correlation-request-id"),
                "at": self.cloud.clock.now().isoformat(),
                **({"body": body} if (body := self._shown_body(call)) is not None else {}),
            }
        )

    def _shown_body(self, call: Call) -> Any:
        """The JSON body of a request that changes something; None where the service's bodies are not logged."""
        if not self.log_bodies or call.method == "GET" or not 0 < len(call.raw_body) <= _LOGGED_BODY:
            return None
        try:
            return json.loads(call.raw_body, object_hook=_kept_once)
        except ValueError:
            return None


def _kept_once(members: dict[str, Any]) -> dict[str, Any]:
    """The members of an object, with texts that repeat from request to request kept once: a query is long."""
    return {name: sys.intern(value) if isinstance(value, str) else value for name, value in members.items()}


class Disconnect(Exception):
    """Raised to make the server drop the connection without an answer (the server logs nothing for it)."""


def page(
    items: list[Any],
    call: Call,
    size: int,
    token: str = "$skiptoken",  # noqa: S107 - the name of a query parameter
) -> tuple[list[Any], str | None]:
    """One page of `items` and the absolute link to the next, or None. The token is an offset, opaque to clients."""
    try:
        start = int(call.query.get(token, "0"))
    except ValueError as error:
        raise CloudError(400, "BadRequest", "Skip token is not valid.") from error
    chunk = items[start : start + size]
    return chunk, call.link(**{token: str(start + size)}) if start + size < len(items) else None
