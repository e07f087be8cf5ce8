"""A small installation, stored straight into the host's tables: Contoso and Fabrikam synced and mapped, nothing else.

For tests that begin where provisioning ends; the way there has tests of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.azure_types import VM
from sandbox.host import Host
from sandbox.scenarios import available, platform_fault
from sandbox.server import Sandbox
from sandbox.world import Resource
from sandbox.world import Subscription as CloudSubscription
from shared import app as composition
from shared import devices, jobs
from shared.access import GRANTS, Grant
from shared.app import App
from shared.connections import CONNECTIONS, Connection
from shared.microsoft.identity import refresh_secret_name
from shared.sites import SITES, Site
from shared.tenants import SUBSCRIPTIONS, TENANTS, Subscription, Tenant
from tests.app_fixtures import ApiFor
from tests.sandbox.browser import consented, sign_in, tenant_called

Settle = Callable[..., Awaitable[None]]
CLIENTS = ("Contoso", "Fabrikam")


@dataclass
class Estate:
    """Drives the application as alice, and the cloud beneath it."""

    host: Host
    sandbox: Sandbox
    control: httpx.AsyncClient
    alice: httpx.AsyncClient
    person: ApiFor
    settle: Settle

    @property
    def app(self) -> App:
        return composition.current()

    def cloud(self, client: str = "Contoso") -> CloudSubscription:
        """The client's first subscription, the only one stored."""
        world = self.sandbox.cloud.world
        return world.subscriptions[tenant_called(world, client).subscription_ids[0]]

    def machine(self, client: str = "Contoso", power: str = "running") -> Resource:
        """A virtual machine in that power state, without any trap."""
        rows = self.cloud(client).resources.values()
        return next(r for r in rows if r.type == VM and r.power == power and r.health and r.health.state == "Available")

    def device_id(self, resource: Resource) -> str:
        return devices.device_id(resource.subscription_id, resource.id)

    def fall_ill(self, resource: Resource) -> None:
        world = self.sandbox.cloud.world
        world.set_health(resource, platform_fault(world.clock.now()))

    def recover(self, resource: Resource) -> None:
        world = self.sandbox.cloud.world
        world.set_health(resource, available(resource, world.clock.now()))

    async def health(self, resource: Resource, state: str, **fields: Any) -> None:
        """What Azure says of a resource from now on: `reasonType`, `context`, `category`, `summary`, `at`."""
        body = {"resourceId": resource.id, "availabilityState": state, **fields}
        (await self.control.put("/health", json=body)).raise_for_status()

    async def stopped_by_user(self, resource: Resource) -> None:
        """What Azure says of a machine that its owner stopped."""
        await self.health(resource, "Unavailable", reasonType="UserInitiated", context="Customer Initiated")

    async def alerts_of(self, resource: Resource, **query: Any) -> list[dict[str, Any]]:
        """The alerts of a device, newest first."""
        return await self.listed("/alerts", deviceId=self.device_id(resource), **query)

    async def later(self, minutes: float) -> None:
        """Let time pass, and what is due then be judged."""
        await self.advance(minutes * 60)
        await self.timer("judge_due")

    async def poll(self, client: str = "Contoso") -> None:
        """Poll the client's subscription and wait for what follows."""
        await self.app.queues.send(jobs.PollSubscription(subscription_id=self.cloud(client).id))
        await self.settle(30)

    async def timer(self, *names: str) -> None:
        """Run timers now, all at once, and wait for what follows."""
        async with httpx.AsyncClient(timeout=30) as admin:
            for name in names:
                answer = await admin.post(f"{self.host.url}/admin/functions/{name}", json={"input": ""})
                assert answer.status_code == 202, answer.text
        await self.settle(30)

    async def call(self, method: str, path: str, expect: int = 200, **options: Any) -> Any:
        """One request as alice; fails with the answer's text when the status is not `expect`."""
        answer = await self.alice.request(method, path, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def listed(self, path: str, **query: Any) -> list[Any]:
        """The first page of a list."""
        found: list[Any] = (await self.call("GET", path, params=query))["value"]
        return found

    async def webhook(self, **fields: Any) -> dict[str, Any]:
        """A sink that is the sandbox's webhook receiver."""
        receiver = (await self.control.get("/world")).json()["receivers"]["webhook"]
        settings = {"url": receiver["url"], "secret": receiver["secret"]}
        body = {"kind": "webhook", "name": "Tickets", "settings": settings, **fields}
        made: dict[str, Any] = await self.call("POST", "/sinks", 201, json=body)
        return made

    async def received(self) -> list[dict[str, Any]]:
        """What arrived at the webhook receiver."""
        found: list[dict[str, Any]] = (await self.control.get("/receivers/webhook")).json()["deliveries"]
        return found

    async def receiver_fails(self, **how: Any) -> None:
        (await self.control.put("/receivers/webhook", json=how)).raise_for_status()

    async def advance(self, seconds: float) -> None:
        """Step the time of application and cloud together."""
        await self.host.advance(seconds)

    async def grant(self, person: str, *site_ids: str) -> None:
        """Let a person see sites."""
        people = (await self.control.get("/world")).json()["people"]
        await self.app.tables.put(GRANTS, Grant(principal_id=people[person]["objectId"], site_ids=list(site_ids)))


async def build(
    host: Host,
    sandbox: Sandbox,
    control: httpx.AsyncClient,
    person: ApiFor,
    settle: Settle,
    clients: tuple[str, ...] = CLIENTS,
) -> Estate:
    """Store it; `host` and the world were just reset."""
    estate = Estate(host, sandbox, control, await person("alice"), person, settle)
    app, world = estate.app, sandbox.cloud.world
    async with httpx.AsyncClient(timeout=30) as browser:
        await app.vault.set(refresh_secret_name("c1"), await sign_in(sandbox, browser))
    connection = Connection(
        id="c1",
        name="Northwind",
        partner_tenant_id=world.partner.id,
        cloud="AzureCloud",
        status="active",
        created_at=app.clock.now(),
    )
    await app.tables.put(CONNECTIONS, connection)
    for name in clients:
        tenant, cloud = tenant_called(world, name), estate.cloud(name)
        consented(sandbox, tenant)
        stored = Tenant(id=tenant.id, display_name=name, connection_id="c1", relationship="reseller", status="synced")
        subscription = Subscription(
            id=cloud.id, tenant_id=tenant.id, connection_id="c1", name=cloud.name, access="adminAgents"
        )
        site = Site(id=f"{name.lower()}-hq", client_name=name, site_name="HQ", tenant_id=tenant.id)
        await app.tables.put(TENANTS, stored)
        await app.tables.put(SUBSCRIPTIONS, subscription)
        await app.tables.put(SITES, site)
    return estate
