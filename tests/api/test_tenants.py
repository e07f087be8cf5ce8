"""Tenants over the wire: who is listed, synchronization of every kind of customer, its reasons, and its undoing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest_asyncio

from sandbox import first_party
from sandbox.host import Host
from sandbox.server import Sandbox
from sandbox.world import Fault, Tenant
from tests.app_fixtures import ApiFor
from tests.connecting import connect, draft, press
from tests.tenanting import Settle, operation, refresh, site, sync, tenants


@pytest_asyncio.fixture(loop_scope="session")
async def alice(fresh_app: Host, api: ApiFor, control: httpx.AsyncClient, settle: Settle) -> httpx.AsyncClient:
    """Alice, whose partner is connected and whose customers are listed, none synced."""
    assert fresh_app.state == "Running"
    client = await api("alice")
    await connect(client, control)
    await refresh(client, settle)
    return client


def cloud_tenant(sandbox: Sandbox, name: str) -> Tenant:
    return next(row for row in sandbox.cloud.world.tenants.values() if row.name == name)


def applications(sandbox: Sandbox, name: str) -> int:
    """How many enterprise applications of ours are in a tenant."""
    app_id = sandbox.cloud.world.applications["tenantry"].app_id
    return sum(row.app_id == app_id for row in cloud_tenant(sandbox, name).service_principals.values())


async def subscriptions(alice: httpx.AsyncClient, tenant_id: str) -> dict[str, dict[str, Any]]:
    answer = await alice.get(f"/tenants/{tenant_id}/subscriptions")
    assert answer.status_code == 200, answer.text
    return {row["name"]: row for row in answer.json()["value"]}


async def test_every_customer_is_listed_with_its_relationship(alice: httpx.AsyncClient, sandbox: Sandbox) -> None:
    found = await tenants(alice)
    customers = {row.name: row.relationship_to_partner for row in sandbox.cloud.world.customers()}
    expected = {name: "reseller" if kind == "reseller" else "gdapOnly" for name, kind in customers.items()}
    expected["Northwind Managed Services"] = "own"
    assert {name: row["relationship"] for name, row in found.items()} == expected
    assert [name for name, row in found.items() if row["isPrimary"]] == ["Northwind Managed Services"]
    assert {row["status"] for row in found.values()} == {"deactivated"}


async def test_a_synced_tenant_has_its_application_domains_links_and_subscriptions(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    ended = await sync(alice, settle, "Contoso")
    assert (ended["status"], ended["kind"]) == ("succeeded", "tenants.sync")
    assert (ended["askedBy"], [item["name"] for item in ended["items"]]) == ("Alice Anders", ["Contoso"])
    contoso = (await tenants(alice))["Contoso"]
    cloud = cloud_tenant(sandbox, "Contoso")
    principal = cloud.sp_of(sandbox.cloud.world.applications["tenantry"].app_id)
    assert principal is not None
    assert contoso["status"] == "synced"
    assert contoso["enterpriseAppId"] == principal.id
    assert contoso["defaultDomain"] == "contoso.example"
    assert contoso["lastSyncedAt"]
    assert contoso["subscriptionCount"] == 3
    assert contoso["links"]["entra"] == "https://entra.microsoft.com/contoso.example"
    assert set(contoso["links"]) == {
        "entra",
        "azure",
        "exchange",
        "m365",
        "intune",
        "defender",
        "sharepoint",
        "teams",
    }
    found = await subscriptions(alice, contoso["id"])
    assert {name: row["access"] for name, row in found.items()} == {
        "Contoso Production": "application",
        "Contoso Development": "application",
        "Contoso Landing Zone": "lighthouse",
    }
    roles = {row.app_role_id for row in cloud.app_role_assignments.values() if row.principal_id == principal.id}
    assert roles == {first_party.GRAPH_ROLES["Directory.Read.All"]}


async def test_each_customer_that_cannot_be_synced_says_why_and_what_to_do(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    broken = ["Wingtip Toys", "Margie's Travel", "Humongous Insurance"]
    ended = await sync(alice, settle, *broken, "Lucerne Publishing")
    assert (ended["status"], ended["result"]) == ("failed", {"succeeded": 1, "failed": 3})
    found = await tenants(alice)
    items = {row["target"]: row for row in ended["items"]}
    assert items[found["Lucerne Publishing"]["id"]]["status"] == "succeeded"
    assert found["Lucerne Publishing"]["subscriptionCount"] == 0
    expected = {
        "Wingtip Toys": ("not a reseller customer", "consent link"),
        "Margie's Travel": ("Tenantry GDAP is not assigned", "add the security group"),
        "Humongous Insurance": ("Application Administrator", "Request a new GDAP relationship"),
    }
    for name, (reason, fix) in expected.items():
        row = found[name]
        assert row["status"] == "failed"
        assert reason in row["statusReason"], row
        assert fix in row["statusFix"], row
        assert row["statusReason"] in items[row["id"]]["error"]["message"]
        assert applications(sandbox, name) == 0
    assert "consentUrl" in found["Wingtip Toys"]
    assert "consentUrl" not in found["Margie's Travel"]


async def test_an_administrators_consent_lets_a_customer_without_reseller_relationship_be_synced(
    alice: httpx.AsyncClient, settle: Settle
) -> None:
    await sync(alice, settle, "Wingtip Toys")
    link = (await tenants(alice))["Wingtip Toys"]["consentUrl"]
    back = await press(link, person="heidi")
    assert "error=" not in urlsplit(back).query
    ended = await sync(alice, settle, "Wingtip Toys")
    assert ended["status"] == "succeeded", ended
    assert (await tenants(alice))["Wingtip Toys"]["status"] == "synced"


async def test_a_tenant_that_throttles_is_synced_all_the_same(alice: httpx.AsyncClient, settle: Settle) -> None:
    ended = await sync(alice, settle, "Proseware")
    assert ended["status"] == "succeeded", ended


async def test_syncing_again_makes_no_second_application_and_loses_no_grant(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Fabrikam")
    cloud = cloud_tenant(sandbox, "Fabrikam")
    before = {grant.id: grant.scope for grant in cloud.grants.values()}
    ended = await sync(alice, settle, "Fabrikam")
    assert ended["status"] == "succeeded"
    assert applications(sandbox, "Fabrikam") == 1
    assert {grant.id: grant.scope for grant in cloud.grants.values()} == before


async def test_the_outcome_of_a_sync_is_in_the_audit_log_with_reason_and_ticket(
    alice: httpx.AsyncClient, settle: Settle
) -> None:
    contoso = (await tenants(alice))["Contoso"]["id"]
    body = {"tenantIds": [contoso], "reason": "new client", "ticketNumber": "T-1"}
    await alice.post("/tenants/sync", json=body)
    await settle(60, delayed=True)
    found = (await alice.get("/audit", params={"target": contoso})).json()["value"]
    assert [(row["action"], row["reason"], row["ticketNumber"]) for row in found] == [
        ("tenants.sync", "new client", "T-1")
    ]


async def test_a_relationship_that_ended_is_marked_and_nothing_vanishes(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Litware")
    cloud = cloud_tenant(sandbox, "Litware")
    cloud.relationship_to_partner = "none"
    for row in sandbox.cloud.world.relationships_of(cloud.id):
        row.status = "terminated"
    found = await refresh(alice, settle)
    assert found["Litware"]["relationshipEnded"] is True
    assert found["Litware"]["status"] == "synced"
    cloud.relationship_to_partner = "reseller"
    assert (await refresh(alice, settle))["Litware"]["relationshipEnded"] is False


async def test_a_new_customer_and_a_new_subscription_appear_by_refresh(
    alice: httpx.AsyncClient, settle: Settle, control: httpx.AsyncClient
) -> None:
    await sync(alice, settle, "Contoso")
    contoso = (await tenants(alice))["Contoso"]["id"]
    (
        await control.post("/tenants", json={"name": "Graphic Design Institute", "domain": "gdi.example"})
    ).raise_for_status()
    made = await control.post("/subscriptions", json={"tenantId": contoso, "name": "Contoso Sandbox"})
    made.raise_for_status()
    found = await refresh(alice, settle)
    assert found["Graphic Design Institute"]["status"] == "deactivated"
    assert "Contoso Sandbox" in await subscriptions(alice, contoso)


async def test_a_deleted_subscription_is_shown_as_gone_and_one_without_role_says_so(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Contoso")
    contoso = (await tenants(alice))["Contoso"]["id"]
    world = sandbox.cloud.world
    by_name = {row.name: row for row in world.subscriptions.values()}
    by_name["Contoso Development"].role_assignments.clear()
    gone = by_name["Contoso Production"]
    del world.subscriptions[gone.id]
    await refresh(alice, settle)
    found = await subscriptions(alice, contoso)
    assert found["Contoso Production"]["gone"] is True
    assert found["Contoso Development"]["gone"] is False
    assert found["Contoso Development"]["access"] == "none"
    assert "Lighthouse" in found["Contoso Development"]["accessReason"]
    assert (await tenants(alice))["Contoso"]["subscriptionCount"] == 2
    diagnosis = (await alice.get(f"/tenants/{contoso}/diagnosis")).json()
    [azure] = [row for row in diagnosis["checks"] if row["id"] == "azure"]
    assert azure["outcome"] == "warning"
    assert "Not visible any more: Contoso Development. Visible: " in azure["detail"]
    assert "Production" not in azure["detail"]


async def test_unsync_removes_the_application_its_roles_and_shows_the_tenant_deactivated(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Contoso")
    contoso = (await tenants(alice))["Contoso"]
    answer = await alice.post("/tenants/unsync", json={"tenantIds": [contoso["id"]]})
    assert (await tenants(alice))["Contoso"]["status"] == "deactivated"
    await settle(60, delayed=True)
    ended = await operation(alice, answer)
    assert ended["status"] == "succeeded", ended
    assert applications(sandbox, "Contoso") == 0
    held = [
        row.principal_id
        for known in sandbox.cloud.world.subscriptions.values()
        if known.tenant_id == contoso["id"]
        for row in known.role_assignments
    ]
    assert contoso["enterpriseAppId"] not in held
    again = await sync(alice, settle, "Contoso")
    assert again["status"] == "succeeded", again
    assert applications(sandbox, "Contoso") == 1


async def test_the_receipt_of_an_unsync_names_the_roles_that_azure_did_not_take_back(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Contoso")
    contoso = (await tenants(alice))["Contoso"]["id"]
    shown = await subscriptions(alice, contoso)
    name, one = next((name, row) for name, row in shown.items() if row["access"] == "application")
    path = f"/subscriptions/{one['id']}/providers/Microsoft.Authorization/roleAssignments/"
    sandbox.cloud.faults.append(Fault(service="arm", method="DELETE", path=path, status=403))
    answer = await alice.post("/tenants/unsync", json={"tenantIds": [contoso]})
    await settle(60, delayed=True)
    ended = await operation(alice, answer)
    [item] = ended["items"]
    assert (ended["status"], item["status"], item["error"]["code"]) == ("succeeded", "succeeded", "rolesLeft")
    assert name in item["error"]["message"]
    assert applications(sandbox, "Contoso") == 0
    assert "could not be taken back" in (await subscriptions(alice, contoso))[name]["accessReason"]


async def test_the_primary_tenant_cannot_be_unsynced(alice: httpx.AsyncClient, settle: Settle) -> None:
    found = await tenants(alice)
    own, contoso = found["Northwind Managed Services"]["id"], found["Contoso"]["id"]
    alone = await alice.post("/tenants/unsync", json={"tenantIds": [own]})
    assert alone.status_code == 409
    assert alone.json()["error"]["code"] == "primaryTenant"
    answer = await alice.post("/tenants/unsync", json={"tenantIds": [own, contoso]})
    await settle(60, delayed=True)
    ended = await operation(alice, answer)
    assert {row["target"]: row["status"] for row in ended["items"]} == {own: "failed", contoso: "succeeded"}


async def test_removing_the_connection_removes_every_application_with_a_receipt(
    alice: httpx.AsyncClient, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Contoso", "Adatum", "Northwind Managed Services")
    found = await tenants(alice)
    await site(alice, "Contoso", found["Contoso"]["id"])
    connection = (await alice.get("/connections")).json()["value"][0]["id"]
    answer = await alice.delete(f"/connections/{connection}")
    await settle(90, delayed=True)
    ended = await operation(alice, answer)
    assert ended["status"] == "succeeded", ended
    wanted = {connection, *(found[name]["id"] for name in ("Contoso", "Adatum", "Northwind Managed Services"))}
    assert {row["target"] for row in ended["items"]} == wanted
    assert applications(sandbox, "Contoso") == applications(sandbox, "Adatum") == 0
    assert await tenants(alice) == {}
    assert (await alice.get("/connections")).json()["value"] == []
    shown = (await alice.get("/sites/contoso-hq")).json()
    assert "tenantId" not in shown


async def test_the_diagnosis_names_what_is_missing(alice: httpx.AsyncClient, settle: Settle) -> None:
    await sync(alice, settle, "Contoso", "Humongous Insurance")
    found = await tenants(alice)
    good = (await alice.get(f"/tenants/{found['Contoso']['id']}/diagnosis")).json()
    assert good["outcome"] == "passed", good
    assert {row["outcome"] for row in good["checks"]} == {"passed"}
    bad = (await alice.get(f"/tenants/{found['Humongous Insurance']['id']}/diagnosis")).json()
    assert bad["outcome"] == "failed"
    failed = {row["id"]: row for row in bad["checks"] if row["outcome"] == "failed"}
    assert "gdapRole" in failed
    assert all(row["fix"] for row in failed.values())


async def test_nothing_is_refreshed_or_synced_before_the_connection_is_tested(
    fresh_app: Host, api: ApiFor, sandbox: Sandbox
) -> None:
    assert fresh_app.state == "Running"
    alice = await api("alice")
    await draft(alice, sandbox.cloud.world.partner.id)
    answer = await alice.post("/tenants/refresh")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "notTested"


async def test_an_unknown_tenant_among_others_changes_nothing(alice: httpx.AsyncClient) -> None:
    contoso = (await tenants(alice))["Contoso"]["id"]
    for verb in ("sync", "unsync"):
        answer = await alice.post(f"/tenants/{verb}", json={"tenantIds": [contoso, "no-such-tenant"]})
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][0]["target"] == "no-such-tenant"
    assert (await tenants(alice))["Contoso"]["status"] == "deactivated"
    bad: list[dict[str, Any]] = [{}, {"tenantIds": []}, {"tenantIds": "x"}, {"tenantIds": ["a/b"]}]
    for body in bad:
        assert (await alice.post("/tenants/sync", json=body)).status_code == 400


async def test_lists_filter_search_sort_page_and_count(alice: httpx.AsyncClient, settle: Settle) -> None:
    await sync(alice, settle, "Contoso")
    synced = (await alice.get("/tenants", params={"status": "synced"})).json()["value"]
    assert [row["displayName"] for row in synced] == ["Contoso"]
    both = (await alice.get("/tenants", params=[("status", "synced"), ("status", "deactivated")])).json()["value"]
    assert len(both) == 12
    assert [row["displayName"] for row in (await alice.get("/tenants?search=TOYS")).json()["value"]] == [
        "Tailspin Toys",
        "Wingtip Toys",
    ]
    first = (await alice.get("/tenants?$top=7&$count=true&$orderby=displayName desc")).json()
    assert (first["count"], len(first["value"])) == (12, 7)
    second = (await alice.get(first["nextLink"])).json()
    names = [row["displayName"] for row in first["value"] + second["value"]]
    assert names == sorted(names, key=str.casefold, reverse=True)
    assert len(names) == 12
    assert (await alice.get("/tenants?status=nonsense")).status_code == 400
    assert (await alice.get("/tenants?tenant=x")).status_code == 400


async def test_people_see_the_tenants_of_their_sites_only(
    alice: httpx.AsyncClient, api: ApiFor, settle: Settle, sandbox: Sandbox
) -> None:
    await sync(alice, settle, "Contoso", "Fabrikam")
    found = await tenants(alice)
    contoso, fabrikam = found["Contoso"]["id"], found["Fabrikam"]["id"]
    await site(alice, "Contoso", contoso)
    await site(alice, "Fabrikam", fabrikam)
    bob_id = sandbox.cloud.world.people["bob"].object_id
    (await alice.put(f"/access/{bob_id}", json={"siteIds": ["contoso-hq"]})).raise_for_status()
    bob, mallory = await api("bob"), await api("mallory")
    assert set(await tenants(bob)) == {"Contoso"}
    assert (await bob.get(f"/tenants/{contoso}")).status_code == 200
    assert len(await subscriptions(bob, contoso)) == 3
    for path in (f"/tenants/{fabrikam}", f"/tenants/{fabrikam}/subscriptions", "/tenants/none"):
        assert (await bob.get(path)).status_code == 404
    assert (await bob.get(f"/tenants/{contoso}/diagnosis")).status_code == 403
    for verb in ("sync", "unsync", "refresh"):
        assert (await bob.post(f"/tenants/{verb}", json={"tenantIds": [contoso]})).status_code == 403
    for path in ("/tenants", f"/tenants/{contoso}", "/sites"):
        assert (await mallory.get(path)).status_code == 403
