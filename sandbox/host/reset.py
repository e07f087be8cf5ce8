"""Emptying what the application has stored: tables and queues of Azurite, secrets of the sandbox's vault."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.queue.aio import QueueServiceClient

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NotLocalError(Exception):
    """What would be emptied is not on this machine."""


def _require_loopback(url: str) -> None:
    if urlsplit(url).hostname not in LOOPBACK:
        raise NotLocalError(f"{url} is not on this machine and is not emptied")


async def empty_storage(connection: str, transport: AioHttpTransport) -> None:
    """Delete every table and every queue's messages of a storage account. Raises NotLocalError unless it is Azurite."""
    async with (
        TableServiceClient.from_connection_string(connection, transport=transport) as tables,
        QueueServiceClient.from_connection_string(connection, transport=transport) as queues,
    ):
        _require_loopback(tables.url)
        _require_loopback(queues.url)
        table_names = [table.name async for table in tables.list_tables()]
        queue_names = [str(queue.name) async for queue in queues.list_queues()]
        await asyncio.gather(
            *(tables.delete_table(name) for name in table_names),
            *(queues.get_queue_client(name).clear_messages() for name in queue_names),
        )


async def empty_vault(settings: Mapping[str, str], transport: AioHttpTransport) -> None:
    """Delete and purge every secret but the one that the operator put there, PARTNER_CLIENT_SECRET_NAME.

    Signs in by the managed identity of the settings. Raises NotLocalError unless the vault is the sandbox's.
    """
    url = settings["KEY_VAULT_URL"]
    _require_loopback(url)
    keep = settings.get("PARTNER_CLIENT_SECRET_NAME")
    async with (
        ManagedIdentityCredential(
            client_id=settings.get("MANAGED_IDENTITY_CLIENT_ID") or None, transport=transport
        ) as credential,
        SecretClient(url, credential, transport=transport, verify_challenge_resource=False) as vault,
    ):
        names = [str(secret.name) async for secret in vault.list_properties_of_secrets() if secret.name != keep]
        await asyncio.gather(*(vault.delete_secret(name) for name in names))
        deleted = [str(secret.name) async for secret in vault.list_deleted_secrets()]
        await asyncio.gather(*(_purge(vault, name) for name in deleted))


async def _purge(vault: SecretClient, name: str) -> None:
    try:
        await vault.purge_deleted_secret(name)
    except ResourceNotFoundError:
        return
