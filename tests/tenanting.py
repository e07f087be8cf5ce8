"""From a connection to synced tenants and mapped sites, for every test that needs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

Settle = Callable[..., Awaitable[None]]


async def operation(alice: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """The operation that a 202 names, as it is now."""
    assert answer.status_code == 202, answer.text
    assert answer.headers["operation-location"].endswith(f"/operations/{answer.json()['id']}")
    found = await alice.get(f"/operations/{answer.json()['id']}")
    assert found.status_code == 200, found.text
    shown: dict[str, Any] = found.json()
    return shown


async def tenants(alice: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Every tenant by display name."""
    answer = await alice.get("/tenants", params={"$top": "1000"})
    assert answer.status_code == 200, answer.text
    return {row["displayName"]: row for row in answer.json()["value"]}


async def refresh(alice: httpx.AsyncClient, settle: Settle) -> dict[str, dict[str, Any]]:
    """Refresh and wait; every tenant by display name."""
    answer = await alice.post("/tenants/refresh")
    await settle(60, delayed=True)
    ended = await operation(alice, answer)
    assert ended["status"] == "succeeded", ended
    return await tenants(alice)


async def sync(alice: httpx.AsyncClient, settle: Settle, *names: str, seconds: float = 60) -> dict[str, Any]:
    """Sync tenants by display name and wait; the operation at its end."""
    known = await tenants(alice)
    answer = await alice.post("/tenants/sync", json={"tenantIds": [known[name]["id"] for name in names]})
    await settle(seconds, delayed=True)
    return await operation(alice, answer)


async def site(
    alice: httpx.AsyncClient, name: str, tenant_id: str | None = None, subscription_ids: list[str] | None = None
) -> dict[str, Any]:
    """A site `name-hq` of the client `name`, mapped when a tenant is given."""
    site_id = f"{name.lower()}-hq"
    answer = await alice.put(f"/sites/{site_id}", json={"clientName": name, "siteName": "HQ"})
    assert answer.status_code in (200, 201), answer.text
    if tenant_id is not None:
        body: dict[str, Any] = {"tenantId": tenant_id}
        if subscription_ids is not None:
            body["subscriptionIds"] = subscription_ids
        answer = await alice.put(f"/sites/{site_id}/mapping", json=body)
        assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown
