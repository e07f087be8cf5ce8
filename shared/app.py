"""Composition root: the one place where settings become clients, and the App that entry points hand to the domain."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared import settings as settings_module
from shared import telemetry
from shared.clock import Clock
from shared.microsoft.identity import Credential, Identity, hosting_credential
from shared.microsoft.transport import Transport, open_transport
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.store.queues import Queues
    from shared.store.tables import Tables
    from shared.store.vault import Vault


@dataclass
class App:
    """What the domain needs: passed as the first parameter, never looked up."""

    settings: Settings
    clock: Clock
    tables: Tables
    queues: Queues
    vault: Vault
    identity: Identity
    transport: Transport
    credential: Credential
    """The identity the application itself runs as."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What modules keep per process (prepared indexes); may be emptied at any time."""

    async def aclose(self) -> None:
        """Close every client and connection."""
        await self.tables.close()
        await self.queues.close()
        await self.vault.close()
        await self.credential.close()
        await self.transport.close()
        telemetry.stop()


def build(settings: Settings) -> App:
    """Join everything; needs a running event loop, opens no connection yet."""
    from shared.store.connect import open_storage, open_vault  # it brings the SDKs of queues and vault

    telemetry.start(settings)
    transport = open_transport(settings)
    credential = hosting_credential(settings, transport.azure)
    vault = open_vault(settings, credential, transport.azure)
    tables, queues = open_storage(settings, credential, transport.azure)
    return App(
        settings=settings,
        clock=Clock(),
        tables=tables,
        queues=queues,
        vault=vault,
        identity=Identity(settings, transport.http, vault, credential),
        transport=transport,
        credential=credential,
    )


_current: tuple[asyncio.AbstractEventLoop, App] | None = None


def current() -> App:
    """The process's App, built from the environment when first asked for in the running loop."""
    global _current
    loop = asyncio.get_running_loop()
    if _current is None or _current[0] is not loop:
        _current = (loop, build(settings_module.load()))
    return _current[1]


async def close() -> None:
    """Close the process's App if there is one: the next `current` builds a new one."""
    global _current
    if _current is not None:
        built, _current = _current[1], None
        await built.aclose()
