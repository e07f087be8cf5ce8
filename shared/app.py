"""Composition root: the one place where settings become clients, and the App that entry points hand to the domain."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.queue.aio import QueueServiceClient

from shared import settings as settings_module
from shared.clock import Clock
from shared.microsoft.identity import Identity, hosting_credential
from shared.microsoft.outgoing import httpx_hook
from shared.settings import Settings
from shared.store.queues import Queues
from shared.store.tables import Tables
from shared.store.vault import Vault

CONNECTIONS_PER_HOST = 64
"""More than the jobs one instance runs at once, fewer than would exhaust outgoing ports."""
CONNECT_SECONDS, READ_SECONDS = 10, 60


@dataclass
class App:
    """What the domain needs: passed as the first parameter, never looked up."""

    settings: Settings
    clock: Clock
    tables: Tables
    queues: Queues
    vault: Vault
    identity: Identity
    http: httpx.AsyncClient
    """For Graph, Partner Center, the sign-in service and sinks."""
    transport: AioHttpTransport
    """For every Azure SDK client."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What modules keep per process (prepared indexes, signing keys); may be emptied at any time."""
    _closing: list[Any] = field(default_factory=list)

    async def aclose(self) -> None:
        """Close every client and connection."""
        await self.tables.close()
        await self.queues.close()
        await self.vault.close()
        await self.http.aclose()
        for closing in self._closing:
            await closing.close()


def build(settings: Settings) -> App:
    """Join everything; needs a running event loop, opens no connection yet."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    transport = AioHttpTransport(
        session=session, session_owner=False, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
    )
    http = httpx.AsyncClient(
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=CONNECTIONS_PER_HOST, max_keepalive_connections=CONNECTIONS_PER_HOST),
        follow_redirects=False,
        event_hooks={"request": [httpx_hook(settings)]},
    )
    clock = Clock()
    credential = hosting_credential(settings, transport)
    vault = Vault(
        SecretClient(
            settings.key_vault_url,
            credential,
            transport=transport,
            verify_challenge_resource=settings.key_vault_url.endswith(".vault.azure.net"),
        )
    )
    tables, queues = _storage(settings, credential, transport)
    return App(
        settings=settings,
        clock=clock,
        tables=Tables(tables),
        queues=Queues(queues),
        vault=vault,
        identity=Identity(settings, http, vault, credential),
        http=http,
        transport=transport,
        _closing=[credential, session],
    )


def _storage(
    settings: Settings, credential: AsyncTokenCredential, transport: AioHttpTransport
) -> tuple[TableServiceClient, QueueServiceClient]:
    if settings.storage_connection:
        return (
            TableServiceClient.from_connection_string(settings.storage_connection, transport=transport),
            QueueServiceClient.from_connection_string(settings.storage_connection, transport=transport),
        )
    account = settings.storage_account
    return (
        TableServiceClient(f"https://{account}.table.core.windows.net", credential=credential, transport=transport),
        QueueServiceClient(f"https://{account}.queue.core.windows.net", credential=credential, transport=transport),
    )


_current: tuple[asyncio.AbstractEventLoop, App] | None = None


def current() -> App:
    """The process's App, built from the environment when first asked for in the running loop."""
    global _current
    loop = asyncio.get_running_loop()
    if _current is None or _current[0] is not loop:
        _current = (loop, build(settings_module.load()))
    return _current[1]


def forget() -> None:
    """Drop the process's App without closing it: the next `current` builds a new one."""
    global _current
    _current = None
