"""Opens the three stores from the settings: by connection string, or as the identity the application runs as."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Self

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpResponse, AsyncHttpTransport, HttpRequest
from azure.data.tables.aio import TableServiceClient
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.queue.aio import QueueServiceClient

from shared.errors import InvalidInput, Unavailable
from shared.settings import Settings, StorageSettings
from shared.store.queues import Queues
from shared.store.tables import Tables
from shared.store.vault import Vault

log = logging.getLogger("tenantry.store")
CONNECT_SECONDS, READ_SECONDS = 2.5, 10.0
"""Table Storage itself gives up a query after 5 seconds
(learn.microsoft.com/rest/api/storageservices/setting-timeouts-for-table-service-operations)."""
PAUSES = (0.2, 0.8)
"""Seconds before a request that found no connection is tried again."""


class StoreTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """The process's transport with short timeouts, for one store: one that is dead is told within 10 seconds.

    It raises Unavailable, which the SDKs do not know and therefore do not try again: left to themselves they wait for
    more than a minute. What a store does answer is theirs to try again. `twice` says whether a POST whose connection
    was lost half-way may be sent again.
    """

    def __init__(self, shared: AioHttpTransport, store: str, *, twice: bool) -> None:
        self._shared, self._store, self._twice = shared, store, twice

    async def send(self, request: HttpRequest, **options: Any) -> AsyncHttpResponse:
        """Send one request. Raises Unavailable when no answer comes."""
        options.setdefault("connection_timeout", CONNECT_SECONDS)
        options.setdefault("read_timeout", READ_SECONDS)
        for pause in (*PAUSES, None):
            try:
                response: AsyncHttpResponse = await self._shared.send(request, **options)
                return response
            except (ServiceRequestError, ServiceResponseError) as error:
                if pause is None or not self._may_repeat(request, error):
                    log.warning("%s does not answer: %s", self._store, error)
                    raise Unavailable(f"{self._store} does not answer. Try again in a minute.") from error
                await asyncio.sleep(pause)
        raise AssertionError("the last try answers or raises")

    def _may_repeat(self, request: HttpRequest, error: ServiceRequestError | ServiceResponseError) -> bool:
        # azure-core says ServiceRequestError also of a connection that was lost after sending.
        never_sent = isinstance(error, ServiceRequestTimeoutError) or isinstance(
            error.inner_exception, aiohttp.ClientConnectorError
        )
        timed_out = isinstance(error.inner_exception, TimeoutError)
        return never_sent or (not timed_out and (self._twice or request.method != "POST"))

    async def open(self) -> None:
        """Nothing: the shared transport is open."""

    async def close(self) -> None:
        """Nothing: the shared transport outlives its users."""

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing; see `close`."""


def open_vault(settings: Settings, credential: AsyncTokenCredential, transport: AioHttpTransport) -> Vault:
    """The Key Vault of the settings. The SDK's check of the host name only fits Azure's own names."""
    url = settings.key_vault_url
    check = ".vault.azure." in url or ".vault.usgovcloudapi." in url
    return Vault(SecretClient(url, credential, transport=transport, verify_challenge_resource=check))


def open_storage(
    settings: Settings, credential: AsyncTokenCredential, transport: AioHttpTransport
) -> tuple[Tables, Queues]:
    """Tables and queues of the storage account of the settings. Both raise Unavailable when it does not answer."""
    for_queues: dict[str, Any] = {
        "transport": StoreTransport(transport, "Queue Storage", twice=True),
        # Waits of 2 and 4 seconds, give or take one.
        "initial_backoff": 0,
        "increment_base": 2,
        "retry_total": 2,
        "random_jitter_range": 1,
    }
    if settings.storage_connection:
        text = settings.storage_connection
        queues = QueueServiceClient.from_connection_string(text, **for_queues)
    else:
        name, suffix = settings.storage_account, settings.storage_suffix
        queues = QueueServiceClient(f"https://{name}.queue.{suffix}", credential=credential, **for_queues)
    return Tables(open_tables(settings, credential, transport)), Queues(queues)


def open_tables(
    settings: StorageSettings, credential: AsyncTokenCredential, transport: AioHttpTransport, *, twice: bool = False
) -> TableServiceClient:
    """The tables of the storage account of the settings, as the SDK has them. `twice`: see StoreTransport.

    A row that is inserted twice would be told as a conflict; one that is inserted or replaced twice is there once.
    Raises InvalidInput for what is no connection string.
    """
    options: dict[str, Any] = {
        "transport": StoreTransport(transport, "Table Storage", twice=twice),
        "retry_total": 3,
        "retry_backoff_factor": 0.5,
    }
    if settings.storage_connection:
        try:
            return TableServiceClient.from_connection_string(settings.storage_connection, **options)
        except ValueError as error:
            raise InvalidInput(f"AzureWebJobsStorage is no connection string of an account: {error}") from error
    url = f"https://{settings.storage_account}.table.{settings.storage_suffix}"
    return TableServiceClient(url, credential=credential, **options)


@contextlib.contextmanager
def failures_told(settings: StorageSettings) -> Iterator[None]:
    """For tools without anyone to answer: what the storage account or the sign-in refuses is raised as Unavailable."""
    try:
        yield
    except AzureError as error:
        first = str(error.message).splitlines()[0]
        if settings.storage_connection:
            told = f"The storage account refuses: {first} Look at the connection string in AzureWebJobsStorage."
        elif isinstance(error, ClientAuthenticationError) and error.response is None:
            told = f"Nobody is signed in: {first} Run az login, or set MANAGED_IDENTITY_CLIENT_ID."
        else:
            needed = "Whoever is signed in needs Storage Table Data Contributor on it."
            told = f"The storage account refuses: {first} {needed}"
        raise Unavailable(told) from error
