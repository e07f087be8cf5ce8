"""When a sign-in asks for consent, who may give it, and that nobody else is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from sandbox import first_party
from sandbox.server import Sandbox
from shared import permissions
from tests.connecting import begin_sign_in, checks, come_back, draft, press, shown, sign_in

WHO = "Privileged Role Administrator or Global Administrator of the partner's tenant"


@pytest_asyncio.fixture(autouse=True)
async def put_back(control: httpx.AsyncClient) -> AsyncIterator[None]:
    """A world of its own for whoever comes next: without these consents nobody signs in."""
    yield
    (await control.post("/reset", json={})).raise_for_status()


async def prompt(alice: httpx.AsyncClient, connection_id: str) -> str:
    [found] = parse_qs(urlsplit(await begin_sign_in(alice, connection_id)).query)["prompt"]
    return found


async def test_an_administrator_consents_once_and_the_service_account_signs_in_after_that(
    fresh_alice: httpx.AsyncClient, partner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection_id = (await draft(fresh_alice, partner))["id"]
    assert await prompt(fresh_alice, connection_id) == "consent"
    refused = await sign_in(fresh_alice, connection_id, "bob")
    assert refused["error"] == "signInDeclined"
    assert WHO in refused["message"]
    assert await prompt(fresh_alice, connection_id) == "consent"
    assert "error" not in await sign_in(fresh_alice, connection_id, "dave")
    assert await prompt(fresh_alice, connection_id) == "select_account"
    assert "error" not in await sign_in(fresh_alice, connection_id, "bob")
    assert (await shown(fresh_alice, connection_id))["authorizedBy"].startswith("bob@")
    newer = permissions.Permission("graph", "User.Read.All", "delegated", "New.", permissions.BOTH)
    monkeypatch.setattr(permissions, "ALL", (*permissions.ALL, newer))
    assert await prompt(fresh_alice, connection_id) == "consent"


async def test_a_permission_that_the_test_misses_is_asked_for(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    connection_id = (await draft(fresh_alice, partner))["id"]
    await sign_in(fresh_alice, connection_id)
    own = sandbox.cloud.world.partner
    azure = own.sp_of(first_party.ARM)
    assert azure is not None
    for grant in [row for row in own.grants.values() if row.resource_id == azure.id]:
        del own.grants[grant.id]
    assert await prompt(fresh_alice, connection_id) == "select_account"
    _, found = await checks(fresh_alice, connection_id)
    assert found["consent"]["outcome"] == "failed"
    assert WHO in found["consent"]["fix"]
    assert await prompt(fresh_alice, connection_id) == "consent"
    await sign_in(fresh_alice, connection_id)
    _, found = await checks(fresh_alice, connection_id)
    assert found["consent"]["outcome"] == "passed"
    assert await prompt(fresh_alice, connection_id) == "select_account"
    own.grants.clear()
    _, found = await checks(fresh_alice, connection_id)
    assert "AADSTS65001" in found["signIn"]["detail"]
    assert WHO in found["signIn"]["fix"]
    assert await prompt(fresh_alice, connection_id) == "consent"


async def test_a_consent_for_the_administrator_alone_is_asked_for_again(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    connection_id = (await draft(fresh_alice, partner))["id"]
    await sign_in(fresh_alice, connection_id)
    world = sandbox.cloud.world
    for grant in world.partner.grants.values():
        grant.consent_type, grant.principal_id = "Principal", world.people["dave"].object_id
    refused = await come_back(await press(await begin_sign_in(fresh_alice, connection_id), person="bob"))
    assert "whole organization" in refused["message"]
    assert await prompt(fresh_alice, connection_id) == "consent"
    await sign_in(fresh_alice, connection_id)
    assert await prompt(fresh_alice, connection_id) == "select_account"
