"""Connections over the wire: sign-in in a browser, checks with their fixes, consent that ends, renewal, removal."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import app as composition
from shared import connections, permissions
from shared.connections import CONNECTIONS
from shared.errors import NeedsConsent
from shared.microsoft.identity import refresh_secret_name
from tests.app_fixtures import ApiFor
from tests.connecting import begin_sign_in, come_back, connect, draft, press, sign_in
from tests.estate import Estate
from tests.sandbox.browser import tenant_called

SECRETS = ("refresh_token", "refreshToken", "verifier", "code_verifier")


@pytest_asyncio.fixture(loop_scope="session")
async def alice(fresh_app: Host, api: ApiFor) -> httpx.AsyncClient:
    """Alice, beside an application with nothing stored."""
    assert fresh_app.state == "Running"
    return await api("alice")


@pytest.fixture
def partner(alice: httpx.AsyncClient, sandbox: Sandbox) -> str:
    """The partner's tenant id."""
    return sandbox.cloud.world.partner.id


@pytest_asyncio.fixture(loop_scope="session")
async def active(alice: httpx.AsyncClient, control: httpx.AsyncClient) -> str:
    return await connect(alice, control)


async def shown(alice: httpx.AsyncClient, connection_id: str) -> dict[str, Any]:
    answer = await alice.get(f"/connections/{connection_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def checks(alice: httpx.AsyncClient, connection_id: str) -> tuple[str, dict[str, dict[str, str]]]:
    answer = await alice.post(f"/connections/{connection_id}/test")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["outcome"], {check["id"]: check for check in body["checks"]}


async def test_a_connection_begins_as_a_draft(alice: httpx.AsyncClient, partner: str, fresh_app: Host) -> None:
    answer = await alice.post("/connections", json={"name": " Northwind ", "partnerTenantId": partner.upper()})
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
    assert await shown(alice, made["id"]) == made
    assert (await alice.get("/connections?$count=true")).json() == {"value": [made], "count": 1}


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
    alice: httpx.AsyncClient, body: dict[str, str], target: str
) -> None:
    answer = await alice.post("/connections", json=body)
    assert answer.status_code == 400
    assert [detail["target"] for detail in answer.json()["error"]["details"]] == [target]
    assert (await alice.get("/connections")).json()["value"] == []


async def test_a_cloud_that_this_installation_does_not_serve_is_refused(alice: httpx.AsyncClient, partner: str) -> None:
    body = {"name": "x", "partnerTenantId": partner, "cloud": "AzureChinaCloud"}
    answer = await alice.post("/connections", json=body)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "cloud")


async def test_the_sign_in_address_carries_pkce_a_nonce_and_a_state(alice: httpx.AsyncClient, partner: str) -> None:
    url = urlsplit(await begin_sign_in(alice, (await draft(alice, partner))["id"]))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.path == "/organizations/oauth2/v2.0/authorize"
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert len(query["code_challenge"]) == 43
    assert query["scope"].split() == ["https://graph.microsoft.com/.default", "offline_access", "openid", "profile"]
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3


async def test_signing_in_authorizes_and_keeps_the_refresh_token_in_the_vault_only(
    alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    connection = await draft(alice, partner)
    assert await sign_in(alice, connection["id"]) == {"connection": connection["id"]}
    found = await shown(alice, connection["id"])
    assert (found["status"], found["authorizedBy"]) == ("authorized", "dave@northwind.example")
    app = composition.current()
    stored = await app.vault.get(refresh_secret_name(connection["id"]))
    assert stored
    assert stored not in json.dumps(found)
    async for row in app.tables.rows("Connections", "connection"):
        assert stored not in row["data"]
    assert not [row async for row in app.tables.rows("SignIns", "signin")]


async def test_a_state_is_good_once(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    back = await press(await begin_sign_in(alice, connection["id"]), person="dave")
    assert "error" not in await come_back(back)
    before = await shown(alice, connection["id"])
    assert (await come_back(back))["error"] == "stateUnknown"
    assert await shown(alice, connection["id"]) == before


async def test_of_two_requests_with_one_state_one_wins(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    back = await press(await begin_sign_in(alice, connection["id"]), person="dave")
    told = await asyncio.gather(*(come_back(back) for _ in range(4)))
    assert sorted(answer.get("error", "") for answer in told) == ["", *["stateUnknown"] * 3]


async def test_a_state_that_nobody_gave_out_changes_nothing(alice: httpx.AsyncClient, fresh_app: Host) -> None:
    callback = f"{fresh_app.url}/api/connections/callback"
    for query in ("", "?code=x", "?code=x&state=", "?code=x&state=made-up", "?state=%00&code=%ff", "?state=a&state=b"):
        told = await come_back(callback + query)
        assert told["error"] == "stateUnknown"
        assert told["message"]
    assert (await alice.get("/connections")).json()["value"] == []


async def test_a_state_ends_after_ten_minutes(alice: httpx.AsyncClient, partner: str, fresh_app: Host) -> None:
    connection = await draft(alice, partner)
    back = await press(await begin_sign_in(alice, connection["id"]), person="dave")
    await fresh_app.advance(601)
    assert (await come_back(back))["error"] == "stateExpired"
    assert (await shown(alice, connection["id"]))["status"] == "draft"


async def test_an_account_of_another_tenant_is_refused_by_name(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    told = await sign_in(alice, connection["id"], "frank")
    assert told["error"] == "wrongTenant"
    assert "frank@fourthcoffee.example" in told["message"]
    assert (await shown(alice, connection["id"]))["status"] == "draft"
    assert await composition.current().vault.get(refresh_secret_name(connection["id"])) is None


async def test_a_declined_sign_in_says_so(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    told = await come_back(await press(await begin_sign_in(alice, connection["id"]), cancel="1"))
    assert told["error"] == "signInDeclined"
    assert "AADSTS65004" in told["message"]


async def test_a_forged_code_is_refused(alice: httpx.AsyncClient, partner: str, fresh_app: Host) -> None:
    connection = await draft(alice, partner)
    state = parse_qs(urlsplit(await begin_sign_in(alice, connection["id"])).query)["state"][0]
    told = await come_back(f"{fresh_app.url}/api/connections/callback?code=forged&state={state}")
    assert told["error"].startswith("AADSTS")
    assert (await shown(alice, connection["id"]))["status"] == "draft"


async def test_a_code_of_another_sign_in_fails_its_pkce(
    alice: httpx.AsyncClient, partner: str, fresh_app: Host
) -> None:
    mine, other = await draft(alice, partner, "mine"), await draft(alice, partner, "other")
    code = parse_qs(urlsplit(await press(await begin_sign_in(alice, other["id"]), person="dave")).query)["code"][0]
    state = parse_qs(urlsplit(await begin_sign_in(alice, mine["id"])).query)["state"][0]
    told = await come_back(f"{fresh_app.url}/api/connections/callback?code={code}&state={state}")
    assert told["error"].startswith("AADSTS")
    assert (await shown(alice, mine["id"]))["status"] == "draft"


async def test_every_check_passes_for_a_partner_administrator(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    outcome, found = await checks(alice, connection["id"])
    assert outcome == "passed", [check for check in found.values() if check["outcome"] == "failed"]
    assert {check["outcome"] for check in found.values()} <= {"passed", "warning"}
    assert all(check["fix"] for check in found.values() if check["outcome"] != "passed")
    tested = await shown(alice, connection["id"])
    assert tested["status"] == "tested"
    assert tested["lastTestedAt"]


async def test_a_draft_is_told_to_sign_in(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    outcome, found = await checks(alice, connection["id"])
    assert outcome == "failed"
    assert "Generate Token" in found["signIn"]["fix"]
    assert {check["outcome"] for name, check in found.items() if name != "signIn"} == {"skipped"}
    assert (await shown(alice, connection["id"]))["status"] == "draft"


async def test_missing_mfa_is_named_with_its_fix(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"], "erin")
    outcome, found = await checks(alice, connection["id"])
    assert (outcome, found["mfa"]["outcome"]) == ("failed", "failed")
    assert "MFA" in found["mfa"]["fix"]
    assert (await shown(alice, connection["id"]))["status"] == "authorized"
    refused = await alice.post(f"/connections/{connection['id']}/complete")
    assert refused.status_code == 409


async def test_a_tenant_that_is_no_partner_is_named(alice: httpx.AsyncClient, sandbox: Sandbox) -> None:
    connection = await draft(alice, sandbox.cloud.world.people["frank"].tenant_id, "Fourth Coffee")
    assert "error" not in await sign_in(alice, connection["id"], "frank")
    outcome, found = await checks(alice, connection["id"])
    assert (outcome, found["partner"]["outcome"]) == ("failed", "failed")
    assert "Cloud Solution Provider" in found["partner"]["fix"]


async def test_an_account_outside_the_gdap_group_is_told_so(
    alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    agents = sandbox.cloud.world.partner.admin_agents_group
    (await control.put("/people/dave", json={"groups": [agents]})).raise_for_status()
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    outcome, found = await checks(alice, connection["id"])
    assert (outcome, found["gdapGroup"]["outcome"]) == ("failed", "failed")
    assert "Tenantry GDAP" in found["gdapGroup"]["fix"]


async def test_an_account_outside_admin_agents_is_told_so(
    alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    world = sandbox.cloud.world
    (await control.put("/people/dave", json={"groups": [world.guid("group", "gdap")]})).raise_for_status()
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    outcome, found = await checks(alice, connection["id"])
    assert outcome == "failed"
    assert (found["partnerCenter"]["outcome"], found["adminAgents"]["outcome"]) == ("failed", "warning")
    assert "AdminAgents" in found["partnerCenter"]["fix"]


@pytest.mark.parametrize("change", [{"group": False}, {"roles": ["88d8e3e3-8f55-4a1e-953a-9b9898b8876b"]}])
async def test_relationships_that_let_nobody_consent_fail_the_test(
    alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    for relationship_id in list(sandbox.cloud.world.relationships):
        (await control.put(f"/relationships/{relationship_id}", json=change)).raise_for_status()
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    outcome, found = await checks(alice, connection["id"])
    assert (outcome, found["gdapRelationship"]["outcome"]) == ("failed", "failed")
    assert "Application Administrator" in found["gdapRelationship"]["fix"]


async def test_expired_relationships_fail_the_test(
    alice: httpx.AsyncClient, partner: str, sandbox: Sandbox, control: httpx.AsyncClient
) -> None:
    for relationship_id in list(sandbox.cloud.world.relationships):
        (await control.put(f"/relationships/{relationship_id}", json={"status": "expired"})).raise_for_status()
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    _, found = await checks(alice, connection["id"])
    assert found["gdapRelationship"]["outcome"] == "failed"
    assert "No customer has an active" in found["gdapRelationship"]["detail"]


async def test_missing_consent_is_named_permission_by_permission(
    alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    for grant in sandbox.cloud.world.partner.grants.values():
        grant.scope = grant.scope.replace("Application.ReadWrite.All", "").replace("  ", " ").strip()
    outcome, found = await checks(alice, connection["id"])
    assert (outcome, found["consent"]["outcome"]) == ("failed", "failed")
    assert "Microsoft Graph: Application.ReadWrite.All" in found["consent"]["detail"]
    rows = (await alice.get(f"/connections/{connection['id']}/permissions")).json()["value"]
    missing = {row["permission"] for row in rows if row["type"] == "delegated" and not row["granted"]}
    assert missing == {"Application.ReadWrite.All"}


async def test_a_check_that_microsoft_does_not_answer_fails_with_its_words(
    alice: httpx.AsyncClient, partner: str, control: httpx.AsyncClient
) -> None:
    connection = await draft(alice, partner)
    await sign_in(alice, connection["id"])
    fault = {"service": "graph", "path": "/contracts", "status": 503, "times": 1}
    (await control.post("/faults", json=fault)).raise_for_status()
    outcome, found = await checks(alice, connection["id"])
    assert (outcome, found["contracts"]["outcome"]) == ("failed", "failed")
    assert found["contracts"]["fix"]
    assert (await checks(alice, connection["id"]))[0] == "passed"


async def test_permissions_are_listed_with_why_and_whether_granted(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    before = (await alice.get(f"/connections/{connection['id']}/permissions")).json()["value"]
    assert len(before) == len(permissions.ALL)
    assert not any(row["granted"] for row in before)
    assert all(row["why"] and row["api"] for row in before)
    await sign_in(alice, connection["id"])
    rows = (await alice.get(f"/connections/{connection['id']}/permissions")).json()["value"]
    assert all(row["granted"] for row in rows if row["type"] == "delegated")


async def test_completing_needs_a_passed_test_and_repeats_harmlessly(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    path = f"/connections/{connection['id']}"
    for step in (None, sign_in(alice, connection["id"])):
        if step is not None:
            await step
        refused = await alice.post(f"{path}/complete")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "notTested")
    await alice.post(f"{path}/test")
    for _ in range(2):
        completed = await alice.post(f"{path}/complete", json={"reason": "ready", "ticketNumber": "T-1"})
        assert (completed.status_code, completed.json()["status"], completed.json()["mappedSites"]) == (
            200,
            "active",
            0,
        )


async def test_one_partner_tenant_has_one_active_connection(
    alice: httpx.AsyncClient, partner: str, active: str
) -> None:
    second = await draft(alice, partner, "Northwind again")
    await sign_in(alice, second["id"])
    await alice.post(f"/connections/{second['id']}/test")
    refused = await alice.post(f"/connections/{second['id']}/complete")
    assert refused.status_code == 409
    assert (await shown(alice, active))["status"] == "active"


async def test_signing_in_again_keeps_an_active_connection_active(alice: httpx.AsyncClient, active: str) -> None:
    before = await composition.current().vault.get(refresh_secret_name(active))
    assert "error" not in await sign_in(alice, active)
    assert (await shown(alice, active))["status"] == "active"
    assert await composition.current().vault.get(refresh_secret_name(active)) != before


async def test_a_failed_sign_in_leaves_the_earlier_one_alone(alice: httpx.AsyncClient, active: str) -> None:
    before = await composition.current().vault.get(refresh_secret_name(active))
    assert (await sign_in(alice, active, "frank"))["error"] == "wrongTenant"
    assert (await shown(alice, active))["status"] == "active"
    assert await composition.current().vault.get(refresh_secret_name(active)) == before


async def test_revoked_consent_shows_and_a_new_sign_in_mends_it(
    alice: httpx.AsyncClient, active: str, control: httpx.AsyncClient
) -> None:
    (await control.post("/people/dave/revoke")).raise_for_status()
    outcome, found = await checks(alice, active)
    assert (outcome, found["signIn"]["outcome"]) == ("failed", "failed")
    assert "AADSTS50173" in found["signIn"]["detail"]
    revoked = await shown(alice, active)
    assert revoked["status"] == "needsConsent"
    assert revoked["needsConsentSince"]
    assert "Generate Token" in revoked["needsConsentReason"]
    assert (await alice.post(f"/connections/{active}/complete")).status_code == 409
    await sign_in(alice, active)
    mended = await shown(alice, active)
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
    alice: httpx.AsyncClient, active: str, fresh_app: Host
) -> None:
    vault = composition.current().vault
    before = await vault.get(refresh_secret_name(active))
    await fresh_app.timers["renew_refresh_tokens"].run()
    after = await vault.get(refresh_secret_name(active))
    assert after
    assert after != before
    assert (await checks(alice, active))[0] == "passed"


async def test_the_daily_renewal_finds_a_dead_sign_in_and_goes_on_with_the_others(
    alice: httpx.AsyncClient, active: str, partner: str, fresh_app: Host, control: httpx.AsyncClient
) -> None:
    other = await draft(alice, partner, "other")
    await sign_in(alice, other["id"], "erin")
    (await control.post("/people/dave/revoke")).raise_for_status()
    before = await composition.current().vault.get(refresh_secret_name(other["id"]))
    await fresh_app.timers["renew_refresh_tokens"].run()
    assert (await shown(alice, active))["status"] == "needsConsent"
    assert (await shown(alice, other["id"]))["status"] == "authorized"
    assert await composition.current().vault.get(refresh_secret_name(other["id"])) != before


async def test_the_daily_renewal_removes_sign_ins_that_nobody_came_back_from(
    alice: httpx.AsyncClient, partner: str, fresh_app: Host
) -> None:
    connection = await draft(alice, partner)
    await begin_sign_in(alice, connection["id"])
    await fresh_app.advance(3600)
    await begin_sign_in(alice, connection["id"])
    await fresh_app.timers["renew_refresh_tokens"].run()
    assert len([row async for row in composition.current().tables.rows("SignIns", "signin")]) == 1


async def test_every_step_is_in_the_audit_log(alice: httpx.AsyncClient, active: str) -> None:
    entries = (await alice.get(f"/audit?target={active}")).json()["value"]
    assert [entry["action"] for entry in reversed(entries)] == [
        "connection.create",
        "connection.authorize",
        "connection.signIn",
        "connection.test",
        "connection.complete",
    ]
    assert {entry["actorName"] for entry in entries} == {"Alice Anders"}


async def test_nothing_secret_is_answered_stored_in_rows_or_queued(alice: httpx.AsyncClient, active: str) -> None:
    app = composition.current()
    secret = await app.vault.get(refresh_secret_name(active))
    assert secret
    texts = [(await alice.get(path)).text for path in ("/connections", f"/connections/{active}", "/audit")]
    for table, partition in (("Connections", "connection"), ("SignIns", "signin")):
        texts += [str(row["data"]) async for row in app.tables.rows(table, partition)]
    assert not any(secret in text or any(word in text for word in SECRETS) for text in texts)


async def test_an_unknown_connection_is_not_found(alice: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/authorize"),
        ("POST", "/test"),
        ("POST", "/complete"),
        ("GET", "/permissions"),
    ):
        answer = await alice.request(method, f"/connections/nothing{path}")
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


async def test_a_connection_that_is_being_removed_takes_nothing_else(alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(alice, partner)
    back = await press(await begin_sign_in(alice, connection["id"]), person="dave")
    tables = composition.current().tables
    record = await connections.get(composition.current(), connection["id"])
    await tables.put(CONNECTIONS, record.changed(status="disabling"))
    for step in ("authorize", "test", "complete"):
        answer = await alice.post(f"/connections/{connection['id']}/{step}")
        assert answer.status_code == 409, step
    assert (await come_back(back))["error"] == "connectionRemoved"
    assert await composition.current().vault.get(refresh_secret_name(connection["id"])) is None
