"""Tokens against a sign-in service: managed identity, client secret, one refresh token for many tenants, refusals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import time_machine

from sandbox.server import Sandbox
from sandbox.world import World
from shared import app as composition
from shared import settings as settings_module
from shared.app import App
from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft.identity import refresh_secret_name
from tests.app_fixtures import settings_for
from tests.sandbox.browser import consented, sign_in, tenant_called, trapped

GRAPH = "https://graph.microsoft.com/.default"
ARM = "https://management.azure.com/.default"
CONNECTION = "c1"


@pytest_asyncio.fixture(loop_scope="session")
async def settings(quiet_storage: str, sandbox: Sandbox, control: httpx.AsyncClient) -> dict[str, str]:
    """The application's settings in a fresh world."""
    (await control.post("/reset", json={})).raise_for_status()
    return await settings_for("http://localhost:7071", quiet_storage, sandbox, control)


@contextlib.asynccontextmanager
async def running(settings: dict[str, str]) -> AsyncIterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        app = composition.build(settings_module.load())
    try:
        yield app
    finally:
        await app.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def app(settings: dict[str, str]) -> AsyncIterator[App]:
    async with running(settings) as built:
        yield built


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
def world(app: App, sandbox: Sandbox) -> World:
    """The world that `app` began in."""
    return sandbox.cloud.world


async def signed_in(app: App, sandbox: Sandbox, http: httpx.AsyncClient, person: str = "dave") -> str:
    """Store a person's refresh token where the connection's is looked for."""
    token = await sign_in(sandbox, http, person)
    await app.vault.set(refresh_secret_name(CONNECTION), token)
    return token


def token_requests(sandbox: Sandbox) -> int:
    return sum("/oauth2/v2.0/token" in row["url"] for row in sandbox.cloud.requests if row["service"] == "login")


async def organization(app: App, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await app.transport.http.get(f"{app.settings.graph_url}/v1.0/organization", headers=headers)
    answer.raise_for_status()
    return str(answer.json()["value"][0]["id"])


async def test_the_managed_identity_stands_for_a_client_secret(app: App, world: World) -> None:
    assert app.settings.partner_client_secret_name == ""
    tokens = await app.identity.token(CONNECTION, world.partner.id, GRAPH, app_only=True)
    assert tokens.access_token


async def test_a_client_secret_of_the_vault_works_where_there_is_no_federated_credential(
    settings: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.cloud.world.applications["tenantry"].federated_subjects.clear()
    async with running(settings | {"PARTNER_CLIENT_SECRET_NAME": "tenantry-client-secret"}) as app:
        tokens = await app.identity.token(CONNECTION, sandbox.cloud.world.partner.id, GRAPH, app_only=True)
    assert tokens.access_token


async def test_a_wrong_client_secret_is_named_with_its_fix(settings: dict[str, str], sandbox: Sandbox) -> None:
    async with running(settings | {"PARTNER_CLIENT_SECRET_NAME": "wrong"}) as app:
        await app.vault.set("wrong", "not-it")
        with pytest.raises(AccessDenied) as caught:
            await app.identity.token(CONNECTION, sandbox.cloud.world.partner.id, GRAPH, app_only=True)
    assert caught.value.remote_code == "AADSTS7000215"
    assert "secret value" in caught.value.fix


async def test_a_missing_client_secret_is_named(settings: dict[str, str], sandbox: Sandbox) -> None:
    async with running(settings | {"PARTNER_CLIENT_SECRET_NAME": "nowhere"}) as app:
        with pytest.raises(MicrosoftError, match="no secret nowhere"):
            await app.identity.token(CONNECTION, sandbox.cloud.world.partner.id, GRAPH, app_only=True)


async def test_a_managed_identity_that_gives_no_token_is_named(settings: dict[str, str], sandbox: Sandbox) -> None:
    async with running(settings | {"IDENTITY_HEADER": "wrong"}) as app:
        with pytest.raises(MicrosoftError, match="managed identity") as caught:
            await app.identity.token(CONNECTION, sandbox.cloud.world.partner.id, GRAPH, app_only=True)
    assert caught.value.fix


async def test_one_refresh_token_serves_the_partner_and_its_customers(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    contoso = tenant_called(world, "Contoso")
    consented(sandbox, contoso)
    for tenant_id in (world.partner.id, contoso.id):
        tokens = await app.identity.token(CONNECTION, tenant_id, GRAPH)
        assert await organization(app, tokens.access_token) == tenant_id
        assert "Directory.Read.All" in tokens.scope
    assert (await app.identity.token(CONNECTION, contoso.id, ARM)).access_token


async def test_an_sdk_credential_gives_the_tokens_of_its_tenant(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    async with app.identity.credential(CONNECTION, world.partner.id) as credential:
        given = await credential.get_token(GRAPH, claims=None, enable_cae=True)
    assert await organization(app, given.token) == world.partner.id


async def test_a_tenant_without_consent_is_denied_with_a_fix(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    with pytest.raises(AccessDenied) as caught:
        await app.identity.token(CONNECTION, tenant_called(world, "Contoso").id, GRAPH)
    assert caught.value.remote_code == "AADSTS65001"
    assert "Sync" in caught.value.fix


async def test_an_account_that_no_relationship_admits_is_denied_with_a_fix(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    for relationship in world.relationships.values():
        relationship.status = "terminated"
    with pytest.raises(AccessDenied) as caught:
        await app.identity.token(CONNECTION, tenant_called(world, "Contoso").id, GRAPH)
    assert caught.value.remote_code == "AADSTS50020"
    assert "GDAP" in caught.value.fix


async def test_an_application_without_enterprise_application_there_is_denied(app: App, world: World) -> None:
    with pytest.raises(AccessDenied) as caught:
        await app.identity.token(CONNECTION, tenant_called(world, "Contoso").id, GRAPH, app_only=True)
    assert caught.value.remote_code == "AADSTS7000229"


async def test_an_account_without_mfa_must_sign_in_again(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http, "erin")
    contoso = tenant_called(world, "Contoso")
    consented(sandbox, contoso)
    with pytest.raises(NeedsConsent) as caught:
        await app.identity.token(CONNECTION, contoso.id, GRAPH)
    assert caught.value.remote_code == "AADSTS50076"
    assert "MFA" in caught.value.fix


@pytest.mark.parametrize("number", [50173, 700082, 50057])
async def test_a_dead_sign_in_must_be_renewed_by_a_person(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World, number: int
) -> None:
    await signed_in(app, sandbox, http)
    world.people["dave"].refused_with = number
    with pytest.raises(NeedsConsent) as caught:
        await app.identity.token(CONNECTION, world.partner.id, GRAPH)
    assert caught.value.remote_code == f"AADSTS{number}"
    assert caught.value.fix


async def test_a_conditional_access_policy_of_one_tenant_does_not_ask_for_a_new_sign_in(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    world.people["dave"].refused_with = 53003
    with pytest.raises(AccessDenied):
        await app.identity.token(CONNECTION, trapped(world, "no-subscription").id, GRAPH)


async def test_a_revoked_sign_in_needs_consent(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    (await control.post("/people/dave/revoke")).raise_for_status()
    with pytest.raises(NeedsConsent) as caught:
        await app.identity.token(CONNECTION, world.partner.id, GRAPH)
    assert caught.value.remote_code == "AADSTS50173"


@pytest.mark.parametrize("stored", [None, "garbage"])
async def test_without_a_refresh_token_that_microsoft_knows_a_person_must_sign_in(
    app: App, world: World, stored: str | None
) -> None:
    if stored is None:
        await app.vault.delete(refresh_secret_name(CONNECTION))
    else:
        await app.vault.set(refresh_secret_name(CONNECTION), stored)
    with pytest.raises(NeedsConsent) as caught:
        await app.identity.token(CONNECTION, world.partner.id, GRAPH)
    assert "Sign in to the connection" in caught.value.fix


async def test_a_token_is_asked_for_once_however_many_want_it(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)
    before = token_requests(sandbox)
    wanted = (app.identity.token(CONNECTION, world.partner.id, GRAPH) for _ in range(20))
    assert len({tokens.access_token for tokens in await asyncio.gather(*wanted)}) == 1
    assert token_requests(sandbox) == before + 1


async def test_a_token_is_renewed_before_it_ends(app: App, sandbox: Sandbox, world: World) -> None:
    async def ask() -> Any:
        return await app.identity.token(CONNECTION, world.partner.id, GRAPH, app_only=True)

    first = await ask()
    with time_machine.travel(first.expires_on - 400, tick=True):
        assert await ask() == first
    with time_machine.travel(first.expires_on - 200, tick=True):
        assert await ask() != first


async def test_rights_that_changed_ask_for_a_new_token(
    app: App, sandbox: Sandbox, http: httpx.AsyncClient, world: World
) -> None:
    await signed_in(app, sandbox, http)

    async def ask(version: int) -> None:
        await app.identity.token(CONNECTION, world.partner.id, GRAPH, consent_version=version)

    before = token_requests(sandbox)
    await ask(1)
    await ask(2)
    assert token_requests(sandbox) == before + 2
    app.identity.forget_tenant(world.partner.id)
    await ask(2)
    app.identity.forget_connection(CONNECTION)
    await ask(2)
    assert token_requests(sandbox) == before + 4


@pytest.mark.parametrize(
    "fault, status, wait",
    [
        ({"status": 429, "retryAfter": 7}, 429, 7),
        ({"status": 503}, 503, 1),
        ({"kind": "disconnect", "status": 0}, 0, 1),
    ],
)
async def test_a_busy_sign_in_service_is_waited_for(
    app: App, control: httpx.AsyncClient, world: World, fault: dict[str, Any], status: int, wait: float
) -> None:
    (await control.post("/faults", json={"service": "login", "path": "/token", **fault})).raise_for_status()
    with pytest.raises(Throttled) as caught:
        await app.identity.token(CONNECTION, world.partner.id, GRAPH, app_only=True)
    assert (caught.value.status, caught.value.retry_after) == (status, wait)


async def test_an_unknown_tenant_is_denied_with_a_fix(app: App) -> None:
    with pytest.raises(AccessDenied) as caught:
        await app.identity.token(CONNECTION, "11111111-1111-4111-8111-111111111111", GRAPH, app_only=True)
    assert caught.value.remote_code == "AADSTS90002"


async def test_a_process_with_an_old_sign_in_takes_the_newer_one_that_another_process_stored(
    app: App, world: World, sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await signed_in(app, sandbox, http)
    await app.identity.token(CONNECTION, world.partner.id, GRAPH)
    (await control.post("/people/dave/revoke")).raise_for_status()
    await signed_in(app, sandbox, http)
    app.identity.forget_tenant(world.partner.id)
    again = await app.identity.token(CONNECTION, world.partner.id, GRAPH)
    assert await organization(app, again.access_token) == world.partner.id
