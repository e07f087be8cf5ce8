"""The two HTTP clients of the process: aiohttp under every Azure SDK client, httpx for everything else."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import httpx
from azure.core.pipeline.transport import AioHttpTransport

from shared.microsoft.outgoing import httpx_hook
from shared.settings import Settings

CONNECTIONS_PER_HOST = 64
"""More than the jobs one instance runs at once, fewer than would exhaust outgoing ports."""
CONNECT_SECONDS, READ_SECONDS = 10, 60


@dataclass(frozen=True)
class Transport:
    """`azure` for Azure SDK clients (it outlives them), `http` for Graph, Partner Center, sign-in and sinks."""

    azure: AioHttpTransport
    http: httpx.AsyncClient
    _session: aiohttp.ClientSession

    async def close(self) -> None:
        """Close every connection."""
        await self.http.aclose()
        await self._session.close()


def open_transport(settings: Settings) -> Transport:
    """Make both; needs a running event loop, connects to nothing yet."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    azure = AioHttpTransport(
        session=session, session_owner=False, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
    )
    http = httpx.AsyncClient(
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=CONNECTIONS_PER_HOST, max_keepalive_connections=CONNECTIONS_PER_HOST),
        follow_redirects=False,
        event_hooks={"request": [httpx_hook(settings)]},
    )
    return Transport(azure, http, session)
