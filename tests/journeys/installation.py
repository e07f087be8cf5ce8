"""An installation as a client of the API sees it: the steps of the main job, each one call and its checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Installation:
    """Drives the API as one person. `settle` waits until no job is running or due."""

    host_url: str
    api: httpx.AsyncClient
    control: httpx.AsyncClient
    settle: Callable[..., Awaitable[None]]

    async def call(self, method: str, path: str, expect: int = 200, **options: Any) -> Any:
        """One request; fails with the answer's text when the status is not `expect`."""
        answer = await self.api.request(method, path, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def every(self, path: str, **query: Any) -> list[Any]:
        """All items of a collection, following nextLink."""
        body = await self.call("GET", path, params=query)
        items = list(body["value"])
        while "nextLink" in body:
            body = await self.call("GET", body["nextLink"])
            items += body["value"]
        return items

    async def world(self, **query: Any) -> dict[str, Any]:
        """What the simulated cloud is made of."""
        answer: dict[str, Any] = (await self.control.get("/world", params=query)).json()
        return answer

    async def sign_in(self, connection_id: str, person: str) -> str:
        """Generate Token: follow the authorization URL as `person`; gives where the browser ends up."""
        url = (await self.call("POST", f"/connections/{connection_id}/authorize"))["authorizationUrl"]
        async with httpx.AsyncClient(timeout=30) as browser:
            signed_in = await browser.get(url, params={**httpx.URL(url).params, "login_hint": person})
            assert signed_in.status_code == 302, signed_in.text
            returned = await browser.get(signed_in.headers["location"])
        assert returned.status_code == 302, returned.text
        return str(returned.headers["location"])

    async def finished(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation once its jobs are done."""
        await self.settle(60, delayed=True)
        found: dict[str, Any] = await self.call("GET", f"/operations/{operation['id']}")
        return found

    async def connect(self, person: str = "dave") -> dict[str, Any]:
        """A connection that is signed in and tested."""
        partner = (await self.world())["partner"]
        body = {"name": "Northwind", "partnerTenantId": partner["tenantId"]}
        connection: dict[str, Any] = await self.call("POST", "/connections", 201, json=body)
        landed = await self.sign_in(connection["id"], person)
        assert "error=" not in landed, landed
        tested = await self.call("POST", f"/connections/{connection['id']}/test")
        assert tested["outcome"] == "passed", tested
        return connection

    async def refresh(self) -> dict[str, str]:
        """List the customers; gives tenant ids by display name."""
        operation = await self.finished(await self.call("POST", "/tenants/refresh", 202))
        assert operation["status"] == "succeeded", operation
        return {tenant["displayName"]: tenant["id"] for tenant in await self.every("/tenants")}

    async def sync(self, *tenant_ids: str) -> dict[str, Any]:
        """Sync tenants and wait for the end."""
        return await self.finished(await self.call("POST", "/tenants/sync", 202, json={"tenantIds": list(tenant_ids)}))

    async def map_site(self, site_id: str, client: str, tenant_id: str, subscriptions: list[str] | None = None) -> None:
        """Make a site and map it."""
        await self.call("PUT", f"/sites/{site_id}", 201, json={"clientName": client, "siteName": "HQ"})
        body: dict[str, Any] = {"tenantId": tenant_id}
        if subscriptions is not None:
            body["subscriptionIds"] = subscriptions
        await self.call("PUT", f"/sites/{site_id}/mapping", json=body)

    async def grant(self, person: str, *site_ids: str) -> None:
        """Let a person see sites."""
        person_id = (await self.world())["people"][person]["objectId"]
        await self.call("PUT", f"/access/{person_id}", json={"siteIds": list(site_ids)})

    async def add_webhook(self) -> dict[str, Any]:
        """A sink that is the sandbox's webhook receiver."""
        receiver = (await self.world())["receivers"]["webhook"]
        settings = {"url": receiver["url"], "secret": receiver["secret"]}
        sink: dict[str, Any] = await self.call(
            "POST", "/sinks", 201, json={"kind": "webhook", "name": "Tickets", "settings": settings}
        )
        return sink

    async def poll(self) -> None:
        """Run the 15-minute timer now, and wait for what it causes."""
        await self.run("poll_resource_health")

    async def run(self, timer: str) -> None:
        """Run a timer now, and wait for what it causes."""
        async with httpx.AsyncClient(timeout=30) as admin:
            url = f"{self.host_url}/admin/functions/{timer}"
            assert (await admin.post(url, json={"input": ""})).status_code == 202
        await self.settle(60)

    async def set_health(self, resource_id: str, state: str, **more: Any) -> None:
        """Change what Resource Health reports."""
        body = {"resourceId": resource_id, "availabilityState": state, **more}
        (await self.control.put("/health", json=body)).raise_for_status()

    async def received(self) -> dict[str, Any]:
        """What arrived at the webhook receiver."""
        inbox: dict[str, Any] = (await self.control.get("/receivers/webhook")).json()
        return inbox

    async def advance(self, seconds: float) -> None:
        """Step the time of application and cloud together."""
        async with httpx.AsyncClient(timeout=30) as admin:
            (await admin.post(f"{self.host_url}/_host/clock", json={"advanceSeconds": seconds})).raise_for_status()
