"""Connections over the wire: made, permitted, completed, told when consent ends, renewed, removed."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from shared import app as composition
from shared import connections, permissions, progress
from shared.access import ADMIN
from shared.connections import CONNECTIONS, renewal
from shared.errors import NeedsConsent
from shared.microsoft.identity import refresh_secret_name
from tests.connecting import begin_sign_in, checks, come_back, connect, draft, press, shown, sign_in
from tests.estate import Estate, Settle
from tests.sandbox.browser import tenant_called

SECRETS = ("refresh_token", "refreshToken", "verifier", "code_verifier")


@pytest_asyncio.fixture(loop_scope="session")
async def active(fresh_alice: httpx.AsyncClient, control: httpx.AsyncClient) -> str:
    return await connect(fresh_alice, control)


async def test_a_connection_begins_as_a_draft(fresh_alice: httpx.AsyncClient, partner: str, fresh_app: Host) -> None:
    answer = await fresh_alice.post("/connections", json={"name": " Northwind ", "partnerTenantId": partner.upper()})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{fresh_app.url}/api/connections/{made['id']}"
    assert made | {"id": "", "createdAt": "", "permissions": []} == {
        "id": "",
        "name": "Northwind",
        "partnerTenantId": partner,
        "cloud": "AzureCloud",
        "status": "draft",
        "createdAt": "",
        "permissions": [],
    }
    assert await shown(fresh_alice, made["id"]) == made
    assert (await fresh_alice.get("/connections?$count=true")).json() == {"value": [made], "count": 1}


@pytest.mark.parametrize(
    "body, target",
    [
        ({"name": "", "partnerTenantId": "11111111-1111-4111-8111-111111111111"}, "name"),
        ({"name": "x", "partnerTenantId": "northwind.example"}, "partnerTenantId"),
        ({"name": "x", "partnerTenantId": "11111111-1111-4111-8111-111111111111", "tenant": "y"}, "tenant"),
        ({"name": "x" * 101, "partnerTenantId": "11111111-1111-4111-8111-111111111111"}, "name"),
        ({"name": "x"}, "partnerTenantId"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(
    fresh_alice: httpx.AsyncClient, body: dict[str, str], target: str
) -> None:
    answer = await fresh_alice.post("/connections", json=body)
    assert answer.status_code == 400
    assert [detail["target"] for detail in answer.json()["error"]["details"]] == [target]
    assert (await fresh_alice.get("/connections")).json()["value"] == []


async def test_a_cloud_that_this_installation_does_not_serve_is_refused(
    fresh_alice: httpx.AsyncClient, partner: str
) -> None:
    body = {"name": "x", "partnerTenantId": partner, "cloud": "AzureChinaCloud"}
    answer = await fresh_alice.post("/connections", json=body)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "cloud")


async def test_permissions_are_listed_with_why_and_whether_granted(
    fresh_alice: httpx.AsyncClient, partner: str
) -> None:
    connection = await draft(fresh_alice, partner)
    before = (await fresh_alice.get(f"/connections/{connection['id']}/permissions")).json()["value"]
    assert len(before) == len(permissions.ALL)
    assert not any(row["granted"] for row in before)
    assert all(row["why"] and row["api"] for row in before)
    await sign_in(fresh_alice, connection["id"])
    rows = (await fresh_alice.get(f"/connections/{connection['id']}/permissions")).json()["value"]
    assert all(row["granted"] for row in rows if row["type"] == "delegated")


async def test_completing_needs_a_passed_test_and_repeats_harmlessly(
    fresh_alice: httpx.AsyncClient, partner: str
) -> None:
    connection = await draft(fresh_alice, partner)
    path = f"/connections/{connection['id']}"
    for step in (None, sign_in(fresh_alice, connection["id"])):
        if step is not None:
            await step
        refused = await fresh_alice.post(f"{path}/complete")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "notTested")
    await fresh_alice.post(f"{path}/test")
    for _ in range(2):
        completed = await fresh_alice.post(f"{path}/complete", json={"reason": "ready", "ticketNumber": "T-1"})
        assert (completed.status_code, completed.json()["status"], completed.json()["mappedSites"]) == (
            200,
            "active",
            0,
        )


async def test_one_partner_tenant_has_one_active_connection(
    fresh_alice: httpx.AsyncClient, partner: str, active: str
) -> None:
    second = await draft(fresh_alice, partner, "Northwind again")
    await sign_in(fresh_alice, second["id"])
    await fresh_alice.post(f"/connections/{second['id']}/test")
    refused = await fresh_alice.post(f"/connections/{second['id']}/complete")
    assert refused.status_code == 409
    assert (await shown(fresh_alice, active))["status"] == "active"


async def test_signing_in_again_keeps_an_active_connection_active(fresh_alice: httpx.AsyncClient, active: str) -> None:
    before = await composition.current().vault.get(refresh_secret_name(active))
    assert "error" not in await sign_in(fresh_alice, active)
    assert (await shown(fresh_alice, active))["status"] == "active"
    assert await composition.current().vault.get(refresh_secret_name(active)) != before


async def test_a_failed_sign_in_leaves_the_earlier_one_alone(fresh_alice: httpx.AsyncClient, active: str) -> None:
    before = await composition.current().vault.get(refresh_secret_name(active))
    assert (await sign_in(fresh_alice, active, "frank"))["error"] == "wrongTenant"
    assert (await shown(fresh_alice, active))["status"] == "active"
    assert await composition.current().vault.get(refresh_secret_name(active)) == before


async def test_revoked_consent_shows_and_a_new_sign_in_mends_it(
    fresh_alice: httpx.AsyncClient, active: str, control: httpx.AsyncClient
) -> None:
    (await control.post("/people/dave/revoke")).raise_for_status()
    outcome, found = await checks(fresh_alice, active)
    assert (outcome, found["signIn"]["outcome"]) == ("failed", "failed")
    assert "AADSTS50173" in found["signIn"]["detail"]
    revoked = await shown(fresh_alice, active)
    assert revoked["status"] == "needsConsent"
    assert revoked["needsConsentSince"]
    assert "Sign in to the connection again." in revoked["needsConsentReason"]
    assert (await fresh_alice.post(f"/connections/{active}/complete")).status_code == 409
    await sign_in(fresh_alice, active)
    mended = await shown(fresh_alice, active)
    assert mended["status"] == "active"
    assert "needsConsentSince" not in mended


async def test_the_sinks_are_told_once_that_consent_ended(estate: Estate) -> None:
    await estate.webhook()
    (await estate.control.post("/people/dave/revoke")).raise_for_status()
    estate.app.identity.forget_connection("c1")
    await asyncio.gather(*(estate.poll(client) for client in ("Contoso", "Fabrikam")))
    await estate.timer("renew_refresh_tokens")
    await estate.timer("renew_refresh_tokens")
    told = [event["body"] for event in await estate.received()]
    assert [event["type"] for event in told] == ["tenantry.connection.needsConsent"]
    assert (told[0]["subject"], told[0]["data"]["status"]) == ("c1", "needsConsent")
    assert (await shown(estate.alice, "c1"))["status"] == "needsConsent"


async def test_an_announcement_that_was_marked_but_never_queued_is_made_up_for(estate: Estate) -> None:
    await estate.webhook()
    lost = (await connections.get(estate.app, "c1")).changed(
        status="needsConsent",
        needs_consent_since=estate.app.clock.now(),
        needs_consent_reason="revoked",
        announced=False,
    )
    await estate.app.tables.put(CONNECTIONS, lost)
    await estate.timer("renew_refresh_tokens")
    assert [event["body"]["type"] for event in await estate.received()] == ["tenantry.connection.needsConsent"]
    assert (await connections.get(estate.app, "c1")).announced


async def test_one_clients_tenant_that_refuses_the_account_does_not_end_the_connection(estate: Estate) -> None:
    told_by_a_client = NeedsConsent("Another factor is wanted.", remote_code="AADSTS50076")
    await connections.needs_consent(estate.app, "c1", told_by_a_client)
    assert (await shown(estate.alice, "c1"))["status"] == "active"


async def test_partner_centers_demand_for_mfa_ends_the_connection(estate: Estate) -> None:
    await connections.needs_consent(estate.app, "c1", NeedsConsent("MFA required.", remote_code="900421"))
    assert (await shown(estate.alice, "c1"))["status"] == "needsConsent"


async def test_the_daily_renewal_writes_a_rotated_refresh_token_back(
    fresh_alice: httpx.AsyncClient, active: str, fresh_app: Host
) -> None:
    vault = composition.current().vault
    before = await vault.get(refresh_secret_name(active))
    await fresh_app.timers["renew_refresh_tokens"].run()
    after = await vault.get(refresh_secret_name(active))
    assert after
    assert after != before
    assert (await checks(fresh_alice, active))[0] == "passed"


async def test_the_daily_renewal_finds_a_dead_sign_in_and_goes_on_with_the_others(
    fresh_alice: httpx.AsyncClient, active: str, partner: str, fresh_app: Host, control: httpx.AsyncClient
) -> None:
    other = await draft(fresh_alice, partner, "other")
    await sign_in(fresh_alice, other["id"], "erin")
    (await control.post("/people/dave/revoke")).raise_for_status()
    before = await composition.current().vault.get(refresh_secret_name(other["id"]))
    await fresh_app.timers["renew_refresh_tokens"].run()
    assert (await shown(fresh_alice, active))["status"] == "needsConsent"
    assert (await shown(fresh_alice, other["id"]))["status"] == "authorized"
    assert await composition.current().vault.get(refresh_secret_name(other["id"])) != before


async def test_the_daily_renewal_removes_sign_ins_that_nobody_came_back_from(
    fresh_alice: httpx.AsyncClient, partner: str, fresh_app: Host
) -> None:
    connection = await draft(fresh_alice, partner)
    await begin_sign_in(fresh_alice, connection["id"])
    await fresh_app.advance(3600)
    await begin_sign_in(fresh_alice, connection["id"])
    await fresh_app.timers["renew_refresh_tokens"].run()
    assert len([row async for row in composition.current().tables.rows("SignIns", "signin")]) == 1


async def test_every_step_is_in_the_audit_log(fresh_alice: httpx.AsyncClient, active: str) -> None:
    entries = (await fresh_alice.get(f"/audit?target={active}")).json()["value"]
    assert [entry["action"] for entry in reversed(entries)] == [
        "connection.create",
        "connection.authorize",
        "connection.signIn",
        "connection.test",
        "connection.complete",
    ]
    assert {entry["actorName"] for entry in entries} == {"Alice Anders"}


async def test_nothing_secret_is_answered_stored_in_rows_or_queued(fresh_alice: httpx.AsyncClient, active: str) -> None:
    app = composition.current()
    secret = await app.vault.get(refresh_secret_name(active))
    assert secret
    texts = [(await fresh_alice.get(path)).text for path in ("/connections", f"/connections/{active}", "/audit")]
    for table, partition in (("Connections", "connection"), ("SignIns", "signin")):
        texts += [str(row["data"]) async for row in app.tables.rows(table, partition)]
    assert not any(secret in text or any(word in text for word in SECRETS) for text in texts)


async def test_an_unknown_connection_is_not_found(fresh_alice: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/authorize"),
        ("POST", "/test"),
        ("POST", "/complete"),
        ("GET", "/permissions"),
    ):
        answer = await fresh_alice.request(method, f"/connections/nothing{path}")
        assert answer.status_code == 404, (method, path)


async def test_removing_takes_applications_settings_and_secret_away_with_a_receipt(estate: Estate) -> None:
    path = "/connections/c1"
    stale = (await estate.alice.get(path)).headers["etag"]
    await estate.call("POST", f"{path}/test")
    assert (await estate.alice.delete(path, headers={"If-Match": stale})).status_code == 412
    answer = await estate.alice.delete(f"{path}?reason=moved&ticketNumber=T-2")
    operation = answer.json()
    assert answer.status_code == 202
    assert answer.headers["operation-location"] == f"{estate.host.url}/api/operations/{operation['id']}"
    assert (operation["kind"], operation["resource"]) == ("connection.remove", "c1")
    await estate.settle(60, delayed=True)
    done = await estate.call("GET", f"/operations/{operation['id']}")
    assert done["status"] == "succeeded", done
    assert {item["status"] for item in done["items"]} == {"succeeded"}
    world = estate.sandbox.cloud.world
    for client in ("Contoso", "Fabrikam"):
        assert tenant_called(world, client).sp_of(estate.app.settings.partner_client_id) is None
    await estate.call("GET", path, 404)
    assert await estate.app.vault.get(refresh_secret_name("c1")) is None
    [entry] = await estate.listed("/audit", target="c1", **{"$top": 1})
    assert (entry["action"], entry["reason"], entry["ticketNumber"]) == ("connection.remove", "moved", "T-2")


async def test_a_connection_that_is_being_removed_takes_nothing_else(
    fresh_alice: httpx.AsyncClient, partner: str
) -> None:
    connection = await draft(fresh_alice, partner)
    back = await press(await begin_sign_in(fresh_alice, connection["id"]), person="dave")
    tables = composition.current().tables
    record = await connections.get(composition.current(), connection["id"])
    await tables.put(CONNECTIONS, record.changed(status="disabling"))
    for step in ("authorize", "test", "complete"):
        answer = await fresh_alice.post(f"/connections/{connection['id']}/{step}")
        assert answer.status_code == 409, step
    assert (await come_back(back))["error"] == "connectionRemoved"
    assert await composition.current().vault.get(refresh_secret_name(connection["id"])) is None


async def test_a_draft_can_be_removed(fresh_alice: httpx.AsyncClient, partner: str, settle: Settle) -> None:
    connection = await draft(fresh_alice, partner)
    removed = await fresh_alice.delete(f"/connections/{connection['id']}")
    assert removed.status_code == 202
    await settle(30, delayed=True)
    assert (await fresh_alice.get(f"/connections/{connection['id']}")).status_code == 404


async def test_a_removal_whose_job_was_lost_is_begun_again(
    fresh_alice: httpx.AsyncClient, partner: str, settle: Settle
) -> None:
    app = composition.current()
    connection = await connections.get(app, (await draft(fresh_alice, partner))["id"])
    lost = await progress.start(app, "connection.remove", reader=ADMIN, resource=connection.id)
    await app.tables.put(CONNECTIONS, connection.changed(status="disabling", removal_operation_id=lost.id))
    again = await fresh_alice.delete(f"/connections/{connection.id}")
    assert (again.status_code, again.json()["id"]) == (202, lost.id)
    await settle(30, delayed=True)
    assert (await fresh_alice.get(f"/connections/{connection.id}")).status_code == 404


async def test_the_renewal_never_writes_over_a_sign_in_made_meanwhile(
    fresh_alice: httpx.AsyncClient, active: str
) -> None:
    app = composition.current()
    stale = await connections.get(app, active)
    await sign_in(fresh_alice, active)
    newest = await app.vault.get(refresh_secret_name(active))
    await renewal._renew(app, stale)
    assert await app.vault.get(refresh_secret_name(active)) == newest
    assert (await shown(fresh_alice, active))["status"] == "active"


async def test_a_busy_sign_in_service_ends_no_connection(
    fresh_alice: httpx.AsyncClient, active: str, fresh_app: Host, control: httpx.AsyncClient
) -> None:
    fault = {"service": "login", "path": "/token", "status": 503, "times": 100}
    (await control.post("/faults", json=fault)).raise_for_status()
    await fresh_app.timers["renew_refresh_tokens"].run()
    await connections.needs_consent(composition.current(), active, NeedsConsent("Revoked.", remote_code="AADSTS50173"))
    (await control.delete("/faults")).raise_for_status()
    assert (await shown(fresh_alice, active))["status"] == "active"


async def test_permissions_are_those_of_the_last_test_while_graph_is_down(
    fresh_alice: httpx.AsyncClient, active: str, control: httpx.AsyncClient
) -> None:
    path = f"/connections/{active}/permissions"
    before = (await fresh_alice.get(path)).json()
    (await control.post("/faults", json={"service": "graph", "status": 503, "times": 100})).raise_for_status()
    assert (await fresh_alice.get(path)).json() == before
    (await control.delete("/faults")).raise_for_status()
