"""Key Vault secrets: the only place where refresh tokens, client secrets and signing keys live."""

from __future__ import annotations

from datetime import datetime

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.secrets.aio import SecretClient

from shared.errors import Unavailable


class Vault:
    """Secrets by name (`[a-z0-9-]`, at most 127 characters). Values are never logged or returned by the API."""

    def __init__(self, client: SecretClient) -> None:
        self._client = client

    async def get(self, name: str) -> str | None:
        """The newest value, or None when there is no such secret. Raises Unavailable when the vault refuses."""
        try:
            return (await self._client.get_secret(name)).value
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise Unavailable(f"Key Vault did not give the secret {name}: {error.message}") from error

    async def set(self, name: str, value: str) -> None:
        """Store a new version. A name that was deleted before is recovered first (soft delete keeps it taken)."""
        try:
            await self._client.set_secret(name, value)
        except ResourceExistsError:
            await self._client.recover_deleted_secret(name)
            await self._client.set_secret(name, value)
        except AzureError as error:
            raise Unavailable(f"Key Vault did not store the secret {name}: {error.message}") from error

    async def delete(self, name: str) -> None:
        """Delete a secret; nothing happens when it is gone. The vault keeps it recoverable for its retention time."""
        try:
            await self._client.delete_secret(name)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise Unavailable(f"Key Vault did not delete the secret {name}: {error.message}") from error

    async def ending(self, before: datetime) -> int:
        """How many secrets end before a time: a request for every 25 of them. Raises Unavailable."""
        try:
            found = [secret.expires_on async for secret in self._client.list_properties_of_secrets() if secret.enabled]
        except AzureError as error:
            raise Unavailable(f"Key Vault did not list its secrets: {error.message}") from error
        return sum(end is not None and end <= before for end in found)

    async def close(self) -> None:
        """Close the client; the shared transport stays open."""
        await self._client.close()
