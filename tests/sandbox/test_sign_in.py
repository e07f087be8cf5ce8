"""The pages a browser walks through, authorization codes and PKCE, with MSAL and plain forms."""

import asyncio
import re

import httpx
import jwt
import msal  # type: ignore[import-untyped] # it ships no types
import pytest
import requests

from sandbox.directory import APPLICATION_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR
from sandbox.server import Sandbox
from sandbox.world import World
from tests.sandbox.browser import (
    GRAPH,
    ORIGIN,
    PORTAL,
    REDIRECT,
    authorize,
    client,
    pkce,
    post_token,
    redeem,
    refused,
    returned,
)


async def test_the_sign_in_page_has_a_button_for_each_person(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    url = f"{sandbox.urls['control']}/organizations/oauth2/v2.0/authorize"
    query = {
        "client_id": world.applications["tenantry"].app_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": GRAPH,
    }
    page = (await http.get(url, params=query)).text
    assert re.findall(r'name="person" value="(\w+)"', page) == list(world.people)


async def test_a_login_hint_chooses_a_person_at_once(sandbox: Sandbox, http: httpx.AsyncClient, world: World) -> None:
    url = f"{sandbox.urls['control']}/organizations/oauth2/v2.0/authorize"
    query = {
        "client_id": world.applications["tenantry"].app_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": GRAPH,
        "login_hint": world.people["dave"].user_principal_name,
    }
    assert "code" in returned(await http.get(url, params=query))


async def test_msal_completes_the_code_flow_with_its_hashed_nonce(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    known = client(world)
    with requests.Session() as session:
        app = await asyncio.to_thread(
            msal.ConfidentialClientApplication,
            known["client_id"],
            client_credential=known["client_secret"],
            authority=f"{sandbox.urls['login']}/organizations",
            instance_discovery=False,
            http_client=session,
        )
        flow = app.initiate_auth_code_flow([GRAPH], redirect_uri=REDIRECT, login_hint="dave", response_mode="form_post")
        page = (await http.get(flow["auth_uri"])).text
        back = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        result = await asyncio.to_thread(app.acquire_token_by_auth_code_flow, flow, back)
        assert result["id_token_claims"]["preferred_username"] == "dave@northwind.example"
        again = await asyncio.to_thread(app.acquire_token_by_refresh_token, result["refresh_token"], [GRAPH])
    claims = jwt.decode(again["access_token"], options={"verify_signature": False})
    assert (claims["tid"], claims["oid"]) == (world.partner.id, world.people["dave"].object_id)
    assert "Directory.Read.All" in claims["scp"].split()
    assert claims["amr"] == ["pwd", "mfa"]


async def test_the_answer_goes_back_in_the_mode_asked_for(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    fragment = await authorize(sandbox, http, "dave", response_mode="fragment")
    assert "#code=" in fragment.headers["location"]
    form = await authorize(sandbox, http, "dave", response_mode="form_post")
    assert f'action="{REDIRECT}"' in form.text
    assert 'name="code"' in form.text


async def test_any_port_of_localhost_is_the_registered_redirect(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    other = "http://localhost:17071/api/connections/callback"
    assert (await authorize(sandbox, http, "dave", redirect_uri=other)).headers["location"].startswith(other)


@pytest.mark.parametrize(
    "changes,number",
    [
        ({"redirect_uri": "https://attacker.example/callback"}, 50011),
        ({"client_id": "00000000-1111-2222-3333-444444444444"}, 700016),
    ],
)
async def test_a_request_that_cannot_be_trusted_ends_on_an_error_page(
    sandbox: Sandbox, http: httpx.AsyncClient, changes: dict[str, str], number: int
) -> None:
    page = await authorize(sandbox, http, "dave", **changes)
    assert page.status_code == 400
    assert f"AADSTS{number}" in page.text


async def test_a_person_of_another_tenant_cannot_sign_in_to_a_single_tenant_authority(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    url = f"{sandbox.urls['control']}/{world.partner.id}/oauth2/v2.0/authorize"
    query = {
        "client_id": world.applications["tenantry"].app_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": GRAPH,
        "login_hint": "frank",
    }
    page = await http.get(url, params=query)
    assert (page.status_code, "AADSTS50020" in page.text) == (400, True)


@pytest.mark.parametrize(
    "person,changes,error,number",
    [
        ("dave", {"response_type": "token"}, "unsupported_response_type", 700054),
        ("dave", {"scope": "https://unknown.example/.default"}, "invalid_resource", 500011),
        ("dave", {"code_challenge_method": "S512"}, "invalid_request", 501491),
        ("bob", {}, "access_denied", 90094),
        ("nobody", {"prompt": "none"}, "login_required", 50058),
    ],
)
async def test_other_refusals_go_back_to_the_application(
    sandbox: Sandbox, http: httpx.AsyncClient, person: str, changes: dict[str, str], error: str, number: int
) -> None:
    back = returned(await authorize(sandbox, http, person, **changes))
    assert (back["error"], back["state"]) == (error, "s-1")
    assert back["error_description"].startswith(f"AADSTS{number}: ")


async def test_an_administrator_of_applications_cannot_consent_to_permissions_of_graph_itself(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    world.people["bob"].directory_roles = {APPLICATION_ADMINISTRATOR}
    back = returned(await authorize(sandbox, http, "bob", prompt="consent"))
    assert back["error_description"].startswith("AADSTS90094: Tenantry")
    assert "that only an admin can grant" in back["error_description"]
    world.people["bob"].directory_roles = {PRIVILEGED_ROLE_ADMINISTRATOR}
    assert "code" in returned(await authorize(sandbox, http, "bob", prompt="consent"))


async def test_cancelling_is_access_denied(sandbox: Sandbox, http: httpx.AsyncClient, world: World) -> None:
    url = f"{sandbox.urls['control']}/organizations/oauth2/v2.0/authorize"
    query = {
        "client_id": world.applications["tenantry"].app_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": GRAPH,
    }
    back = returned(await http.post(url, params=query, data={"cancel": "1"}))
    assert back["error"] == "access_denied"
    assert back["error_description"].startswith("AADSTS65004: ")


async def test_a_code_is_good_once(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    code = returned(await authorize(sandbox, http, "dave"))["code"]
    assert (await redeem(sandbox, http, code)).status_code == 200
    refused(await redeem(sandbox, http, code), 54005, "invalid_grant")


@pytest.mark.parametrize(
    "changes,number,error",
    [
        ({"code_verifier": "w" * 50}, 501481, "invalid_grant"),
        ({"code_verifier": ""}, 50148, "invalid_grant"),
        ({"redirect_uri": "http://localhost:7071/other"}, 500112, "invalid_client"),
        ({"client_secret": "wrong"}, 7000215, "invalid_client"),
        ({"client_secret": ""}, 7000218, "invalid_client"),
        ({"code": "garbled"}, 9002313, "invalid_grant"),
    ],
)
async def test_a_code_is_only_good_for_whom_it_was_made(
    sandbox: Sandbox, http: httpx.AsyncClient, changes: dict[str, str], number: int, error: str
) -> None:
    code = returned(await authorize(sandbox, http, "dave"))["code"]
    refused(await redeem(sandbox, http, **{"code": code, **changes}), number, error)


async def test_an_expired_code_is_aadsts70008(sandbox: Sandbox, http: httpx.AsyncClient, world: World) -> None:
    code = returned(await authorize(sandbox, http, "dave"))["code"]
    world.extra["codes"][code].issued -= 601
    refused(await redeem(sandbox, http, code), 70008, "invalid_grant")


async def test_a_single_page_application_needs_pkce_and_an_origin(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    app = world.applications["tenantry-portal"].app_id
    scope = f"api://{world.applications['tenantry-api'].app_id}/.default openid offline_access"
    url = f"{sandbox.urls['control']}/{world.partner.id}/oauth2/v2.0/authorize"
    query = {"client_id": app, "response_type": "code", "redirect_uri": PORTAL, "scope": scope, "login_hint": "carol"}
    assert returned(await http.get(url, params=query))["error_description"].startswith("AADSTS9002325: ")
    form = {
        "client_id": app,
        "grant_type": "authorization_code",
        "redirect_uri": PORTAL,
        "code_verifier": "v" * 50,
        "code": returned(await http.get(url, params={**query, **pkce()}))["code"],
    }
    refused(await post_token(sandbox, http, world.partner.id, **form), 9002327, "invalid_request")
    answer = await post_token(sandbox, http, world.partner.id, origin=ORIGIN, **form)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["roles"] == ["CloudDevices.Read", "Microsoft365.Read"]
    again = {"client_id": app, "grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]}
    renewed = await post_token(sandbox, http, world.partner.id, origin=ORIGIN, scope=scope, **again)
    assert renewed.status_code == 200
    preflight = await http.options(
        f"{sandbox.urls['control']}/{world.partner.id}/oauth2/v2.0/token", headers={"Origin": ORIGIN}
    )
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"


async def test_a_confidential_client_is_refused_from_a_browser(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    form = {**client(world), "grant_type": "client_credentials", "scope": GRAPH}
    refused(await post_token(sandbox, http, world.partner.id, origin=ORIGIN, **form), 9002326, "invalid_request")


async def test_a_single_tenant_application_cannot_use_organizations(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    app = world.applications["tenantry-portal"].app_id
    page = await authorize(sandbox, http, "carol", client_id=app, redirect_uri=PORTAL)
    assert (page.status_code, "AADSTS50194" in page.text) == (400, True)


async def test_signing_out_goes_where_asked(sandbox: Sandbox, http: httpx.AsyncClient, world: World) -> None:
    url = f"{sandbox.urls['control']}/{world.partner.id}/oauth2/v2.0/logout"
    assert (await http.get(url)).status_code == 200
    back = await http.get(url, params={"post_logout_redirect_uri": PORTAL})
    assert back.headers["location"] == PORTAL
