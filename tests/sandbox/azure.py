"""Microsoft's own Azure clients, signed in to the sandbox as a customer's service principal, for the tests here."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import httpx
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.resource.subscriptions.aio import SubscriptionClient
from azure.mgmt.resourcegraph.aio import ResourceGraphClient
from azure.mgmt.resourcehealth.aio import ResourceHealthMgmtClient

from sandbox.azure_types import VM
from sandbox.server import Sandbox
from sandbox.world import Resource, Subscription, Tenant, World

SCOPE = "https://management.azure.com/.default"


class Azure:
    """Clients of one customer (Contoso by default) in the hands of the application `automation`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.urls["arm"]
        self._stack = AsyncExitStack()
        app = self.world.applications["automation"]
        self.credential = ClientSecretCredential(
            self.contoso.id,
            app.app_id,
            next(iter(app.secrets.values())),
            authority=sandbox.urls["login"],
            disable_instance_discovery=True,
        )
        self.http = httpx.AsyncClient(
            base_url=self.url, verify=ssl.create_default_context(cafile=str(sandbox.cloud.ca_path)), timeout=30
        )
        self._options: dict[str, Any] = {"base_url": self.url, "credential_scopes": [SCOPE], "retry_total": 0}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.credential)
        await self._stack.enter_async_context(self.http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def world(self) -> World:
        return self.sandbox.cloud.world

    def tenant(self, name: str) -> Tenant:
        """A tenant of the world by display name."""
        return next(tenant for tenant in self.world.tenants.values() if tenant.name == name)

    @property
    def contoso(self) -> Tenant:
        return self.tenant("Contoso")

    @property
    def subscription(self) -> Subscription:
        """Contoso's subscription with the most resources."""
        rows = [self.world.subscriptions[subscription_id] for subscription_id in self.contoso.subscription_ids]
        return max(rows, key=lambda row: len(row.resources))

    @property
    def machines(self) -> list[Resource]:
        return [row for row in self.subscription.resources.values() if row.type == VM]

    async def subscriptions(self) -> SubscriptionClient:
        return await self._stack.enter_async_context(SubscriptionClient(self.credential, **self._options))

    async def resources(self) -> ResourceManagementClient:
        client = ResourceManagementClient(self.credential, self.subscription.id, **self._options)
        return await self._stack.enter_async_context(client)

    async def compute(self) -> ComputeManagementClient:
        client = ComputeManagementClient(self.credential, self.subscription.id, **self._options)
        return await self._stack.enter_async_context(client)

    async def health(self) -> ResourceHealthMgmtClient:
        client = ResourceHealthMgmtClient(self.credential, self.subscription.id, **self._options)
        return await self._stack.enter_async_context(client)

    async def graph(self) -> ResourceGraphClient:
        return await self._stack.enter_async_context(ResourceGraphClient(self.credential, **self._options))

    async def send(
        self, method: str, path: str, *, token: str | None = None, version: str = "2025-04-01", **request: Any
    ) -> httpx.Response:
        """A bare request to ARM, as `automation` unless a token is given; `version` "" sends no api-version."""
        token = token or (await self.credential.get_token(SCOPE)).token
        params = {**request.pop("params", {}), **({"api-version": version} if version else {})}
        headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
        return await self.http.request(method, path, params=params, headers=headers, **request)
