"""The main job, from consent to a closed ticket, over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app_fixtures import ApiFor
from tests.journeys.installation import Installation

VM = "Microsoft.Compute/virtualMachines"


async def mapped(alice: Installation) -> dict[str, str]:
    """Connected, Contoso and Fabrikam synced and mapped, a webhook sink, active, polled once."""
    connection = await alice.connect()
    tenants = await alice.refresh()
    synced = await alice.sync(tenants["Contoso"], tenants["Fabrikam"])
    assert synced["status"] == "succeeded", synced
    await alice.map_site("contoso-hq", "Contoso", tenants["Contoso"])
    await alice.map_site("fabrikam-hq", "Fabrikam", tenants["Fabrikam"])
    completed = await alice.call("POST", f"/connections/{connection['id']}/complete")
    assert completed["mappedSites"] == 2
    await alice.add_webhook()
    await alice.poll()
    return tenants


async def a_running_vm(installation: Installation, client: str = "Contoso") -> dict[str, Any]:
    devices = await installation.every("/devices", clientName=client, type=VM, status="available")
    found: dict[str, Any] = next(d for d in devices if d.get("powerState") == "running")
    return found


async def test_from_consent_to_a_closed_ticket(alice: Installation) -> None:
    partner = (await alice.world())["partner"]
    connection = await alice.call(
        "POST", "/connections", 201, json={"name": "Northwind", "partnerTenantId": partner["tenantId"]}
    )
    assert connection["status"] == "draft"
    await alice.call("POST", f"/connections/{connection['id']}/complete", 409)

    assert "error=" not in await alice.sign_in(connection["id"], "dave")
    assert (await alice.call("GET", f"/connections/{connection['id']}"))["status"] == "authorized"
    tested = await alice.call("POST", f"/connections/{connection['id']}/test")
    assert tested["outcome"] == "passed", tested
    assert (await alice.call("GET", f"/connections/{connection['id']}"))["status"] == "tested"

    tenants = await alice.refresh()
    assert {"Contoso", "Fabrikam", "Adatum", "Litware"} <= set(tenants)
    own = await alice.call("GET", "/tenants", params={"search": partner["name"]})
    assert [t["isPrimary"] for t in own["value"]] == [True]

    operation = await alice.sync(tenants["Contoso"], tenants["Fabrikam"])
    assert operation["status"] == "succeeded", operation
    assert {item["status"] for item in operation["items"]} == {"succeeded"}
    synced = await alice.every("/tenants", status="synced")
    assert {t["displayName"] for t in synced} == {"Contoso", "Fabrikam"}
    assert all(t["enterpriseAppId"] and t["subscriptionCount"] for t in synced)

    await alice.map_site("contoso-hq", "Contoso", tenants["Contoso"])
    assert (await alice.call("POST", f"/connections/{connection['id']}/complete"))["mappedSites"] == 1
    await alice.add_webhook()
    await alice.poll()

    listed = await alice.call("GET", "/devices", params={"$count": "true", "$top": 1000})
    world = await alice.world(resources="true")
    contoso = next(t for t in world["tenants"] if t["name"] == "Contoso")
    expected = {r["id"].lower() for s in contoso["subscriptions"] for r in s["resources"]}
    assert {d["resourceId"].lower() for d in listed["value"]} == expected
    assert listed["count"] == len(expected)
    assert listed["lastRefreshed"]
    assert {d["status"] for d in listed["value"]} >= {"available", "notReported"}

    device = await a_running_vm(alice)
    assert {"start", "stop", "restart"} >= set(device["actions"]) >= {"stop", "restart"}
    await alice.set_health(device["resourceId"], "Unavailable", reasonType="Unplanned", context="Platform Initiated")
    await alice.poll()

    [alert] = await alice.every("/alerts", state="open")
    assert alert["deviceId"] == device["id"]
    assert [ticket["state"] for ticket in alert["tickets"]] == ["open"]
    inbox = await alice.received()
    assert [d["body"]["type"] for d in inbox["deliveries"]] == ["tenantry.alert.opened"]
    assert all(d["verified"] for d in inbox["deliveries"])
    assert [ticket["state"] for ticket in inbox["tickets"]] == ["open"]

    acted = await alice.call(
        "POST", f"/devices/{device['id']}/actions/restart", 202, json={"reason": "Down", "ticketNumber": "T-1"}
    )
    operation = await alice.finished(acted)
    assert operation["status"] == "succeeded", operation
    await alice.poll()

    assert await alice.every("/alerts", state="open") == []
    [closed] = await alice.every("/alerts", state="closed")
    assert closed["id"] == alert["id"]
    assert closed["closedAt"]
    inbox = await alice.received()
    alerts = [d["body"]["type"] for d in inbox["deliveries"] if ".alert." in d["body"]["type"]]
    assert alerts == ["tenantry.alert.opened", "tenantry.alert.closed"]
    assert [ticket["state"] for ticket in inbox["tickets"]] == ["closed"]

    audited = await alice.every("/audit")
    restart = next(e for e in audited if e["target"] == device["id"] and e["reason"] == "Down")
    assert restart["ticketNumber"] == "T-1"


async def test_an_unchanged_cycle_tells_nobody_anything(alice: Installation) -> None:
    await mapped(alice)
    await alice.poll()
    before = await alice.received()
    await alice.poll()
    assert await alice.received() == before


async def test_bob_sees_and_acts_on_his_clients_sites_only(alice: Installation, api: ApiFor) -> None:
    await mapped(alice)
    await alice.grant("bob", "contoso-hq")
    bob = Installation(alice.host_url, await api("bob"), alice.control, alice.settle)
    assert {d["clientName"] for d in await bob.every("/devices")} == {"Contoso"}
    theirs = await a_running_vm(alice, "Fabrikam")
    for path in ("", "/history", "/actions"):
        await bob.call("GET", f"/devices/{theirs['id']}{path}", 404)
    await bob.call("POST", f"/devices/{theirs['id']}/actions/restart", 404, json={})
    ours = await a_running_vm(bob)
    operation = await bob.finished(await bob.call("POST", f"/devices/{ours['id']}/actions/restart", 202, json={}))
    assert operation["status"] == "succeeded"
    for path in ("/connections", "/audit", "/service/poison"):
        await bob.call("GET", path, 403)


async def test_carol_reads_two_clients_and_changes_nothing(alice: Installation, api: ApiFor) -> None:
    await mapped(alice)
    await alice.grant("carol", "contoso-hq", "fabrikam-hq")
    carol = Installation(alice.host_url, await api("carol"), alice.control, alice.settle)
    assert {d["clientName"] for d in await carol.every("/devices")} == {"Contoso", "Fabrikam"}
    device = await a_running_vm(carol)
    await carol.call("POST", f"/devices/{device['id']}/actions/restart", 403, json={})
    await carol.call("PUT", "/sites/contoso-hq", 403, json={"clientName": "X", "siteName": "Y"})


@pytest.mark.parametrize("path", ["/devices", "/alerts", "/tenants", "/operations", "/connections", "/sinks", "/audit"])
async def test_mallory_is_signed_in_and_gets_nothing(alice: Installation, api: ApiFor, path: str) -> None:
    mallory = await api("mallory")
    assert (await mallory.get("/me")).json()["permissions"] == []
    assert (await mallory.get(path)).status_code == 403
    nobody = await api()
    assert (await nobody.get(path)).status_code == 401
