"""The HTTP clients of the process: aiohttp under every Azure SDK client, httpx for everything else.

Each receiver that people configured has a client of its own, so that a slow one takes no connection from others.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import aiohttp
import httpx
from azure.core.pipeline.transport import AioHttpTransport

from shared.microsoft.outgoing import httpx_hook
from shared.settings import Settings

CONNECTIONS_PER_HOST = 64
"""More than the jobs one instance runs at once, fewer than would exhaust outgoing ports."""
CONNECTIONS_PER_RECEIVER = 16
"""Few: httpx looks at every connection of a pool twice for each request."""
CONNECT_SECONDS, READ_SECONDS = 10, 60


@dataclass(frozen=True)
class Transport:
    """`azure` for Azure SDK clients (it outlives them), `http` for Graph, Partner Center and sign-in."""

    azure: AioHttpTransport
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
    azure, session = open_azure()
    trusted = httpx.create_ssl_context()
    http = httpx.AsyncClient(
        verify=trusted,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=CONNECTIONS_PER_HOST, max_keepalive_connections=CONNECTIONS_PER_HOST),
        follow_redirects=False,
        event_hooks={"request": [httpx_hook(settings)]},
    )
    return Transport(azure, http, session, trusted)


def open_azure() -> tuple[AioHttpTransport, aiohttp.ClientSession]:
    """The transport of Azure SDK clients and the session beneath it, which is the caller's to close."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    azure = AioHttpTransport(
        session=session, session_owner=False, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
    )
    return azure, session
