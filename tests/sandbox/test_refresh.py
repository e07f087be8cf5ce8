"""One refresh token, many tenants: consent, delegated administration, revocation; the admin consent page."""

import httpx
import jwt
import pytest

from sandbox import cast
from sandbox.server import Sandbox
from sandbox.world import World
from tests.sandbox.browser import (
    ARM,
    GRAPH,
    REDIRECT,
    authorize,
    client,
    consented,
    post_token,
    refresh,
    refused,
    returned,
    sign_in,
    tenant_called,
    trapped,
)


async def test_the_administrators_sign_in_consents_for_the_partner_tenant(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    assert cast.principal_id(world, world.partner, "tenantry") not in {
        grant.client_id for grant in world.partner.grants.values()
    }
    token = await sign_in(sandbox, http)
    answer = await refresh(sandbox, http, world.partner.id, token, "https://api.partnercenter.microsoft.com/.default")
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["scp"], claims["idtyp"]) == ("user_impersonation", "user")


async def test_without_consent_in_a_customer_tenant_the_exchange_is_aadsts65001(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token = await sign_in(sandbox, http)
    body = refused(await refresh(sandbox, http, tenant_called(world, "Fabrikam").id, token), 65001, "invalid_grant")
    assert body["suberror"] == "consent_required"


async def test_scopes_and_roles_of_a_customer_token_are_frozen_at_issue(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token, fabrikam = await sign_in(sandbox, http), tenant_called(world, "Fabrikam")
    consented(sandbox, fabrikam)
    first = (await refresh(sandbox, http, fabrikam.id, token)).json()
    consented(sandbox, fabrikam, "Application.ReadWrite.All")
    second = (await refresh(sandbox, http, fabrikam.id, first["refresh_token"])).json()
    claims = [jwt.decode(row["access_token"], options={"verify_signature": False}) for row in (first, second)]
    assert [row["scp"] for row in claims] == ["Directory.Read.All", "Directory.Read.All Application.ReadWrite.All"]
    assert set(claims[0]["wids"]) == set(cast.GDAP_ROLES)
    assert claims[0]["oid"] == world.people["dave"].object_id


async def test_an_old_refresh_token_stays_good_after_a_new_one_was_given(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token = await sign_in(sandbox, http)
    rotated = (await refresh(sandbox, http, world.partner.id, token)).json()["refresh_token"]
    assert rotated != token
    assert (await refresh(sandbox, http, world.partner.id, token)).status_code == 200


async def test_a_gdap_relationship_without_our_group_is_aadsts50020(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token, tenant = await sign_in(sandbox, http), trapped(world, "gdap-lacks-group")
    consented(sandbox, tenant)
    refused(await refresh(sandbox, http, tenant.id, token), 50020, "invalid_grant")


async def test_admin_agents_reach_a_customers_azure_without_gdap(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token, tenant = await sign_in(sandbox, http), trapped(world, "gdap-lacks-group")
    consented(sandbox, tenant)
    assert (await refresh(sandbox, http, tenant.id, token, ARM)).status_code == 200


async def test_an_expired_relationship_gives_nothing(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    token, fabrikam = await sign_in(sandbox, http), tenant_called(world, "Fabrikam")
    consented(sandbox, fabrikam)
    relationship = world.relationships_of(fabrikam.id)[0]
    await control.put(f"/relationships/{relationship.id}", json={"status": "expired"})
    refused(await refresh(sandbox, http, fabrikam.id, token), 50020, "invalid_grant")


async def test_a_person_without_mfa_cannot_act_in_a_customer_tenant(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token, fabrikam = await sign_in(sandbox, http, "erin"), tenant_called(world, "Fabrikam")
    consented(sandbox, fabrikam)
    body = refused(await refresh(sandbox, http, fabrikam.id, token), 50076, "interaction_required")
    assert "claims" in body


async def test_a_revoked_sign_in_is_aadsts50173(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    token = await sign_in(sandbox, http)
    assert (await control.post("/people/dave/revoke")).json() == {"revoked": 1}
    refused(await refresh(sandbox, http, world.partner.id, token), 50173, "invalid_grant")
    assert (await refresh(sandbox, http, world.partner.id, await sign_in(sandbox, http))).status_code == 200


@pytest.mark.parametrize("number,error", [(53003, "interaction_required"), (700082, "invalid_grant")])
async def test_a_person_can_be_refused_with_a_number(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World, number: int, error: str
) -> None:
    token = await sign_in(sandbox, http)
    await control.put("/people/dave", json={"refusedWith": number})
    refused(await refresh(sandbox, http, world.partner.id, token), number, error)
    assert f"AADSTS{number}" in returned(await authorize(sandbox, http, "dave"))["error_description"]


async def test_a_garbled_refresh_token_is_aadsts9002313(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    refused(await refresh(sandbox, http, world.partner.id, "garbled"), 9002313, "invalid_grant")


async def test_a_refresh_token_is_bound_to_its_client(sandbox: Sandbox, http: httpx.AsyncClient, world: World) -> None:
    token = await sign_in(sandbox, http)
    form = {**client(world, "daemon"), "grant_type": "refresh_token", "refresh_token": token, "scope": GRAPH}
    refused(await post_token(sandbox, http, world.partner.id, **form), 70000, "invalid_grant")


async def test_a_customers_administrator_consents_on_the_admin_consent_page(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    tenant = trapped(world, "advisor-only")
    url = f"{sandbox.urls['control']}/{tenant.id}/v2.0/adminconsent"
    query = {"client_id": client(world)["client_id"], "redirect_uri": REDIRECT, "scope": GRAPH, "state": "s-2"}
    back = returned(await http.post(url, params=query, data={"person": "heidi"}))
    assert (back["admin_consent"], back["tenant"], back["state"]) == ("True", tenant.id, "s-2")
    form = {**client(world), "grant_type": "client_credentials", "scope": GRAPH}
    answer = await post_token(sandbox, http, tenant.id, **form)
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert set(claims["roles"]) == set(cast.GRAPH_ROLES)


async def test_a_failed_admin_consent_also_says_admin_consent(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    url = f"{sandbox.urls['control']}/organizations/v2.0/adminconsent"
    query = {"client_id": client(world)["client_id"], "redirect_uri": REDIRECT, "scope": GRAPH}
    for form, number in (({"person": "bob"}, 90094), ({"cancel": "1"}, 65004)):
        back = returned(await http.post(url, params=query, data=form))
        assert back["admin_consent"] == "True"
        assert back["error_description"].startswith(f"AADSTS{number}: ")
