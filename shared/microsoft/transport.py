"""The HTTP clients of the process: aiohttp under every Azure SDK client, httpx for everything else.

Each receiver that people configured has a client of its own, so that a slow one takes no connection from others.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import httpx
from azure.core.pipeline.transport import AioHttpTransport

from shared import telemetry
from shared.microsoft.outgoing import httpx_hook, services
from shared.settings import Settings

CONNECTIONS_PER_HOST = 64
"""More than the jobs one instance runs at once, fewer than would exhaust outgoing ports."""
CONNECTIONS_PER_RECEIVER = 16
"""Few: httpx looks at every connection of a pool twice for each request."""
CONNECT_SECONDS, READ_SECONDS = 10, 60


class AzureTransport(AioHttpTransport):  # type: ignore[misc]  # the SDK loads it by a __getattr__ without types
    """What Azure SDK clients send through: what goes to a service of Microsoft's is told, what goes to storage is not.

    Storage is asked many times for each request to Azure; to tell all of it would cost more than it says.
    """

    def __init__(self, session: aiohttp.ClientSession, told: Mapping[str, str]) -> None:
        super().__init__(
            session=session, session_owner=False, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
        )
        self._open_session, self._told = session, told

    def view(self) -> Self:
        """Another of the same session, so that either can be collected."""
        return type(self)(self._open_session, self._told)

    async def send(self, request: Any, **options: Any) -> Any:
        """Send one request."""
        service = self._told.get(urlsplit(request.url).netloc)
        if service is None:
            return await super().send(request, **options)
        with telemetry.microsoft(service, request.method, request.url) as span:
            response = await super().send(request, **options)
            telemetry.answered(span, service, response.status_code)
            return response


class MicrosoftClient(httpx.AsyncClient):
    """An httpx client whose requests to Microsoft are told."""

    def __init__(self, told: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._told = told

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send one request."""
        service = self._told.get(request.url.netloc.decode())
        if service is None:
            return await super().send(request, **options)
        with telemetry.microsoft(service, request.method, str(request.url)) as span:
            response = await super().send(request, **options)
            telemetry.answered(span, service, response.status_code)
            return response


@dataclass(frozen=True)
class Transport:
    """`azure` for Azure SDK clients (it outlives them), `http` for Graph, Partner Center and sign-in."""

    azure: AzureTransport
    http: httpx.AsyncClient
    _session: aiohttp.ClientSession
    _trusted: ssl.SSLContext
    _receivers: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def receiver(self, name: str) -> httpx.AsyncClient:
        """The client of one receiver, made when first asked for."""
        if name not in self._receivers:
            size = CONNECTIONS_PER_RECEIVER
            self._receivers[name] = httpx.AsyncClient(
                verify=self._trusted,
                timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=size, max_keepalive_connections=size),
                follow_redirects=False,
            )
        return self._receivers[name]

    async def close(self) -> None:
        """Close every connection."""
        for client in (self.http, *self._receivers.values()):
            await client.aclose()
        await self._session.close()


def open_transport(settings: Settings) -> Transport:
    """Make both; needs a running event loop, connects to nothing yet."""
    told = services(settings)
    azure, session = open_azure(told)
    trusted = httpx.create_ssl_context()
    http = MicrosoftClient(
        told,
        verify=trusted,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=CONNECTIONS_PER_HOST, max_keepalive_connections=CONNECTIONS_PER_HOST),
        follow_redirects=False,
        event_hooks={"request": [httpx_hook(settings)]},
    )
    return Transport(azure, http, session, trusted)


def open_azure(told: Mapping[str, str]) -> tuple[AzureTransport, aiohttp.ClientSession]:
    """The transport of Azure SDK clients and the session beneath it, which is the caller's to close.

    `told`: host -> name of the services whose requests telemetry tells of.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    return AzureTransport(session, told), session
