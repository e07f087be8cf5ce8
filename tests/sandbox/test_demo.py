"""What `make demo` opens on."""

from __future__ import annotations

import httpx
import pytest

from sandbox import demo
from sandbox.host import Host
from tests.app_fixtures import ApiFor


async def test_the_demo_opens_on_a_living_system(fresh_app: Host, control: httpx.AsyncClient, api: ApiFor) -> None:
    await demo.run(f"{fresh_app.url}/api", str(control.base_url).rstrip("/"), once=True)

    alice, bob, carol = await api("alice"), await api("bob"), await api("carol")
    (connection,) = (await alice.get("/connections")).json()["value"]
    assert connection["status"] == "active"
    tenants = (await alice.get("/tenants?$top=1000")).json()["value"]
    assert {tenant["status"] for tenant in tenants} >= {"synced", "failed"}
    assert all(tenant["statusReason"] for tenant in tenants if tenant["status"] == "failed")
    assert (await alice.get("/devices?$count=true")).json()["count"] > 200
    alerts = (await alice.get("/alerts?state=open")).json()["value"]
    assert len(alerts) >= len(demo.ILL)
    assert all(ticket["state"] == "open" for alert in alerts for ticket in alert["tickets"])
    clients = {device["clientName"] for device in (await bob.get("/devices?$top=1000")).json()["value"]}
    assert clients == {"Contoso"}
    clients = {device["clientName"] for device in (await carol.get("/devices?$top=1000")).json()["value"]}
    assert clients == {"Contoso", "Fabrikam"}
    assert (await control.get("/behaviour")).json()["drift"] is True


async def test_a_step_that_is_refused_is_named(fresh_app: Host, control: httpx.AsyncClient) -> None:
    fault = {"service": "graph", "status": 403, "times": -1, "path": "organization|contracts|Relationship"}
    (await control.post("/faults", json=fault)).raise_for_status()
    with pytest.raises(demo.DemoError, match=r"sign-in came back|test of the connection|POST /"):
        await demo.run(f"{fresh_app.url}/api", str(control.base_url).rstrip("/"), once=True)
