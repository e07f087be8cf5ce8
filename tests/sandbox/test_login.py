"""Discovery, keys, and tokens of applications, with azure-identity and plain forms; Microsoft's own refusals."""

import base64

import httpx
import jwt
import pytest
from azure.identity.aio import ClientAssertionCredential, ClientSecretCredential, ManagedIdentityCredential
from azure.mgmt.resource.subscriptions.aio import SubscriptionClient

from sandbox import cast
from sandbox.directory import create_principal
from sandbox.server import Sandbox
from sandbox.world import World
from tests.sandbox.browser import (
    ARM,
    GRAPH,
    client,
    consented,
    post_token,
    refresh,
    refused,
    sign_in,
    tenant_called,
)


@pytest.mark.parametrize("name", ["id", "default_domain", "initial_domain"])
async def test_a_tenant_is_found_by_id_and_by_either_domain(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World, name: str
) -> None:
    contoso = tenant_called(world, "Contoso")
    url = f"{sandbox.urls['login']}/{getattr(contoso, name)}/v2.0/.well-known/openid-configuration"
    document = (await http.get(url)).json()
    assert document["issuer"] == f"{sandbox.urls['login']}/{contoso.id}/v2.0"
    assert document["token_endpoint"] == f"{sandbox.urls['login']}/{contoso.id}/oauth2/v2.0/token"


async def test_common_discovery_has_the_placeholder_issuer(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    document = (await http.get(f"{sandbox.urls['login']}/common/.well-known/openid-configuration")).json()
    assert document["issuer"] == f"{sandbox.urls['login']}/{{tenantid}}/v2.0"


async def test_discovery_carries_the_host_that_was_called(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    document = (
        await http.get(
            f"{sandbox.urls['arm']}/common/v2.0/.well-known/openid-configuration",
            headers={"Host": "login.microsoftonline.com"},
        )
    ).json()
    assert document["token_endpoint"] == "https://login.microsoftonline.com/common/oauth2/v2.0/token"


async def test_instance_discovery_answers_with_metadata(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    answer = await http.get(
        f"{sandbox.urls['login']}/common/discovery/instance",
        params={
            "api-version": "1.1",
            "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/authorize",
        },
    )
    assert answer.json()["metadata"] == []


async def test_an_unknown_tenant_is_aadsts90002(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{sandbox.urls['login']}/nowhere.example/v2.0/.well-known/openid-configuration")
    refused(answer, 90002, "invalid_request")


async def test_a_token_is_signed_with_a_published_key(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    token = (await control.post("/tokens", json={"person": "bob"})).json()["accessToken"]
    document = (
        await http.get(f"{sandbox.urls['login']}/{world.partner.id}/v2.0/.well-known/openid-configuration")
    ).json()
    keys = jwt.PyJWKSet.from_dict((await http.get(document["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    api = world.applications["tenantry-api"].app_id
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=api, issuer=document["issuer"])
    assert claims["roles"] == ["CloudDevices.Update", "Alerts.Manage", "Microsoft365.Manage"]
    assert (claims["tid"], claims["scp"], claims["ver"]) == (world.partner.id, "user_impersonation", "2.0")
    assert claims["exp"] - claims["iat"] == 3600


async def test_azure_identity_signs_an_application_in_and_arm_knows_it(sandbox: Sandbox, world: World) -> None:
    app = world.applications["automation"]
    async with (
        ClientSecretCredential(
            app.home_tenant_id,
            app.app_id,
            client(world, "automation")["client_secret"],
            authority=sandbox.urls["login"],
            disable_instance_discovery=True,
        ) as credential,
        SubscriptionClient(credential, base_url=sandbox.urls["arm"], credential_scopes=[ARM]) as arm,
    ):
        names = [row.display_name async for row in arm.subscriptions.list()]
    assert names == ["Contoso Production", "Contoso Development", "Contoso Landing Zone"]


async def test_scopes_with_a_doubled_slash_are_understood(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    contoso = tenant_called(world, "Contoso").id
    answer = await post_token(
        sandbox,
        http,
        contoso,
        grant_type="client_credentials",
        scope="https://management.core.windows.net//.default",
        **client(world, "automation"),
    )
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.core.windows.net"
    assert claims["idtyp"] == "app"


async def test_the_first_version_endpoint_answers_with_strings(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    url = f"{sandbox.urls['login']}/{tenant_called(world, 'Contoso').id}/oauth2/token"
    form = {**client(world, "automation"), "grant_type": "client_credentials"}
    answer = await http.post(url, data={**form, "resource": "https://management.core.windows.net/"})
    body = answer.json()
    assert body["resource"] == "https://management.core.windows.net/"
    assert isinstance(body["expires_in"], str)
    assert body["expires_on"].isdigit()
    refused(await http.post(url, data=form), 900144, "invalid_request")


async def test_basic_authentication_stands_for_the_form(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    known = client(world, "daemon")
    answer = await http.post(
        f"{sandbox.urls['login']}/{world.partner.id}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": GRAPH},
        auth=(known["client_id"], known["client_secret"]),
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "changes,number,error",
    [
        ({"client_secret": "wrong"}, 7000215, "invalid_client"),
        ({"client_secret": ""}, 7000216, "invalid_client"),
        ({"client_assertion": "not-a-token"}, 700027, "invalid_client"),
        ({"client_id": "00000000-1111-2222-3333-444444444444"}, 700016, "unauthorized_client"),
        ({"client_id": ""}, 900144, "invalid_request"),
        ({"scope": "https://graph.microsoft.com/User.Read"}, 1002012, "invalid_scope"),
        ({"scope": "https://unknown.example/.default"}, 500011, "invalid_resource"),
        ({"scope": f"{GRAPH} {ARM}"}, 28000, "invalid_request"),
        ({"grant_type": "password"}, 70003, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_token_request_has_microsofts_number(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World, changes: dict[str, str], number: int, error: str
) -> None:
    form = {**client(world), "grant_type": "client_credentials", "scope": GRAPH, **changes}
    refused(await post_token(sandbox, http, world.partner.id, **form), number, error)


async def test_client_credentials_need_a_tenant(sandbox: Sandbox, http: httpx.AsyncClient, world: World) -> None:
    form = {**client(world), "grant_type": "client_credentials", "scope": GRAPH}
    refused(await post_token(sandbox, http, "common", **form), 900382, "invalid_request")


async def test_an_application_without_service_principal_gets_no_token(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    fabrikam, form = tenant_called(world, "Fabrikam"), {"grant_type": "client_credentials", "scope": GRAPH}
    refused(await post_token(sandbox, http, fabrikam.id, **client(world), **form), 7000229, "unauthorized_client")
    foreign = await post_token(sandbox, http, fabrikam.id, **client(world, "automation"), **form)
    refused(foreign, 700016, "unauthorized_client")


async def test_a_new_service_principal_gets_a_token_after_the_replication_lag(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    await control.put("/behaviour", json={"replicationLag": 60})
    fabrikam, form = tenant_called(world, "Fabrikam"), {"grant_type": "client_credentials", "scope": GRAPH}
    create_principal(sandbox.cloud, fabrikam, world.applications["tenantry"].app_id)
    early = await post_token(sandbox, http, fabrikam.id, **client(world), **form)
    refused(early, 700016, "unauthorized_client")
    await control.post("/clock", json={"advanceSeconds": 61})
    assert (await post_token(sandbox, http, fabrikam.id, **client(world), **form)).status_code == 200


async def test_an_application_token_carries_the_roles_assigned_to_it(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    api = world.applications["tenantry-api"].app_id
    answer = await post_token(
        sandbox,
        http,
        world.partner.id,
        grant_type="client_credentials",
        scope=f"api://{api}/.default",
        **client(world, "daemon"),
    )
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["aud"] == api
    assert claims["roles"] == ["CloudDevices.Read", "Alerts.Manage"]
    assert "scp" not in claims


async def test_a_managed_identity_gets_a_token_and_stands_for_a_secret(
    sandbox: Sandbox, control: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (await control.get("/world")).json()["identity"]
    monkeypatch.setenv("IDENTITY_ENDPOINT", place["endpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", place["header"])
    async with ManagedIdentityCredential(client_id=place["clientId"]) as identity:
        vault = await identity.get_token("https://vault.azure.net/.default")
        assert jwt.decode(vault.token, options={"verify_signature": False})["aud"] == "https://vault.azure.net"
        assertion = (await identity.get_token("api://AzureADTokenExchange/.default")).token
    async with ClientAssertionCredential(
        world.partner.id,
        world.applications["tenantry"].app_id,
        lambda: assertion,
        authority=sandbox.urls["login"],
        disable_instance_discovery=True,
    ) as federated:
        token = (await federated.get_token(GRAPH)).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["appid"] == world.applications["tenantry"].app_id


async def test_an_assertion_of_an_untrusted_subject_is_refused(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    place = (await control.get("/world")).json()["identity"]
    answer = await http.get(
        place["endpoint"],
        params={"resource": "api://AzureADTokenExchange", "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": place["header"]},
    )
    form = {
        "client_id": world.applications["daemon"].app_id,
        "client_assertion": answer.json()["access_token"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "grant_type": "client_credentials",
        "scope": GRAPH,
    }
    refused(await post_token(sandbox, http, world.partner.id, **form), 700213, "invalid_client")


@pytest.mark.parametrize(
    "headers,query,status",
    [
        ({}, {"resource": "https://vault.azure.net"}, 401),
        ({"X-IDENTITY-HEADER": "sandbox-identity-header"}, {}, 400),
        (
            {"X-IDENTITY-HEADER": "sandbox-identity-header"},
            {"resource": "https://vault.azure.net", "client_id": "another"},
            400,
        ),
    ],
)
async def test_the_managed_identity_endpoint_refuses_what_is_not_its_own(
    sandbox: Sandbox, http: httpx.AsyncClient, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    answer = await http.get(f"{sandbox.urls['control']}/msi/token", params=query, headers=headers)
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)


@pytest.mark.parametrize("damage", ["unsigned", "tampered", "foreign"])
async def test_a_token_that_was_not_made_here_is_refused(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World, damage: str
) -> None:
    form = {**client(world, "automation"), "grant_type": "client_credentials", "scope": ARM}
    token = (await post_token(sandbox, http, tenant_called(world, "Contoso").id, **form)).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    head, body, signature = token.split(".")
    forged = {
        "unsigned": jwt.encode(claims, "", algorithm="none"),
        "tampered": f"{head}.{base64.urlsafe_b64encode(b'{}' + body.encode()).decode().rstrip('=')}.{signature}",
        "foreign": jwt.encode(claims, "k" * 32, algorithm="HS256"),
    }[damage]
    answer = await http.get(
        f"{sandbox.urls['arm']}/subscriptions?api-version=2022-12-01", headers={"Authorization": f"Bearer {forged}"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


async def test_tokens_of_a_removed_application_are_dead(
    sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    token, fabrikam = await sign_in(sandbox, http), tenant_called(world, "Fabrikam")
    consented(sandbox, fabrikam)
    access = (await refresh(sandbox, http, fabrikam.id, token)).json()["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    url = f"{sandbox.urls['graph']}/v1.0/organization"
    assert (await http.get(url, headers=headers)).status_code == 200
    del fabrikam.service_principals[cast.principal_id(world, fabrikam, "tenantry")]
    answer = await http.get(url, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Authorization_IdentityNotFound")
