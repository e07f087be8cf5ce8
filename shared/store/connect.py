"""Opens the three stores from the settings: by connection string, or as the identity the application runs as."""

from __future__ import annotations

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.queue.aio import QueueServiceClient

from shared.settings import Settings
from shared.store.queues import Queues
from shared.store.tables import Tables
from shared.store.vault import Vault


def open_vault(settings: Settings, credential: AsyncTokenCredential, transport: AioHttpTransport) -> Vault:
    """The Key Vault of the settings. The SDK's check of the host name only fits Azure's own names."""
    url = settings.key_vault_url
    check = ".vault.azure." in url or ".vault.usgovcloudapi." in url
    return Vault(SecretClient(url, credential, transport=transport, verify_challenge_resource=check))


def open_storage(
    settings: Settings, credential: AsyncTokenCredential, transport: AioHttpTransport
) -> tuple[Tables, Queues]:
    """Tables and queues of the storage account of the settings."""
    if settings.storage_connection:
        text = settings.storage_connection
        tables = TableServiceClient.from_connection_string(text, transport=transport)
        queues = QueueServiceClient.from_connection_string(text, transport=transport)
    else:
        name, suffix = settings.storage_account, settings.storage_suffix
        tables = TableServiceClient(f"https://{name}.table.{suffix}", credential=credential, transport=transport)
        queues = QueueServiceClient(f"https://{name}.queue.{suffix}", credential=credential, transport=transport)
    return Tables(tables), Queues(queues)
