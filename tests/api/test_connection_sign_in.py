"""Signing in to a connection: a one-time state, the right tenant, a refresh token in the vault only."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import app as composition
from shared import connections
from shared.connections import CONNECTIONS, signing_in
from shared.errors import Conflict
from shared.microsoft.identity import refresh_secret_name
from shared.microsoft.sign_in import SignedIn
from tests.connecting import begin_sign_in, come_back, draft, press, shown, sign_in


async def test_the_sign_in_address_carries_pkce_a_nonce_and_a_state(
    fresh_alice: httpx.AsyncClient, partner: str
) -> None:
    url = urlsplit(await begin_sign_in(fresh_alice, (await draft(fresh_alice, partner))["id"]))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.path == "/organizations/oauth2/v2.0/authorize"
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert len(query["code_challenge"]) == 43
    assert query["scope"].split() == ["https://graph.microsoft.com/.default", "offline_access", "openid", "profile"]
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3


async def test_signing_in_authorizes_and_keeps_the_refresh_token_in_the_vault_only(
    fresh_alice: httpx.AsyncClient, partner: str, sandbox: Sandbox
) -> None:
    connection = await draft(fresh_alice, partner)
    assert await sign_in(fresh_alice, connection["id"]) == {"connection": connection["id"]}
    found = await shown(fresh_alice, connection["id"])
    assert (found["status"], found["authorizedBy"]) == ("authorized", "dave@northwind.example")
    app = composition.current()
    stored = await app.vault.get(refresh_secret_name(connection["id"]))
    assert stored
    assert stored not in json.dumps(found)
    async for row in app.tables.rows("Connections", "connection"):
        assert stored not in row["data"]
    assert not [row async for row in app.tables.rows("SignIns", "signin")]


async def test_a_state_is_good_once(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    back = await press(await begin_sign_in(fresh_alice, connection["id"]), person="dave")
    assert "error" not in await come_back(back)
    before = await shown(fresh_alice, connection["id"])
    assert (await come_back(back))["error"] == "stateUnknown"
    assert await shown(fresh_alice, connection["id"]) == before


async def test_of_several_requests_with_one_state_one_wins(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    state = parse_qs(urlsplit(await begin_sign_in(fresh_alice, connection["id"])).query)["state"][0]
    app = composition.current()
    # Open connections first, or the first to have one would be done before the others begin.
    await asyncio.gather(*(signing_in._use(app, "unknown") for _ in range(6)))
    taken = await asyncio.gather(*(signing_in._use(app, state) for _ in range(6)))
    assert [row.connection_id for row in taken if row is not None] == [connection["id"]]


async def test_a_state_whose_use_was_cut_short_stays_used(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    back = await press(await begin_sign_in(fresh_alice, connection["id"]), person="dave")
    tables = composition.current().tables
    [row] = await tables.all(signing_in.SIGN_INS, "signin")
    await tables.put(signing_in.SIGN_INS, row.changed(used=True))
    assert (await come_back(back))["error"] == "stateUnknown"


async def test_a_removal_that_begins_during_a_sign_in_wins(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    app = composition.current()
    before = await connections.get(app, (await draft(fresh_alice, partner))["id"])
    await app.tables.put(CONNECTIONS, before.changed(status="disabling"))
    account = SignedIn(partner, "o-1", "dave@northwind.example")
    with pytest.raises(Conflict):
        await signing_in._keep_sign_in(app, before, account, "a-refresh-token", "")
    assert await app.vault.get(refresh_secret_name(before.id)) is None
    assert (await connections.get(app, before.id)).status == "disabling"


async def test_a_state_that_nobody_gave_out_changes_nothing(fresh_alice: httpx.AsyncClient, fresh_app: Host) -> None:
    callback = f"{fresh_app.url}/api/connections/callback"
    for query in ("", "?code=x", "?code=x&state=", "?code=x&state=made-up", "?state=%00&code=%ff", "?state=a&state=b"):
        told = await come_back(callback + query)
        assert told["error"] == "stateUnknown"
        assert told["message"]
    assert (await fresh_alice.get("/connections")).json()["value"] == []


async def test_a_state_ends_after_ten_minutes(fresh_alice: httpx.AsyncClient, partner: str, fresh_app: Host) -> None:
    connection = await draft(fresh_alice, partner)
    back = await press(await begin_sign_in(fresh_alice, connection["id"]), person="dave")
    await fresh_app.advance(601)
    assert (await come_back(back))["error"] == "stateExpired"
    assert (await shown(fresh_alice, connection["id"]))["status"] == "draft"


async def test_an_account_of_another_tenant_is_refused_by_name(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    told = await sign_in(fresh_alice, connection["id"], "frank")
    assert told["error"] == "wrongTenant"
    assert "frank@fourthcoffee.example" in told["message"]
    assert (await shown(fresh_alice, connection["id"]))["status"] == "draft"
    assert await composition.current().vault.get(refresh_secret_name(connection["id"])) is None


async def test_a_declined_sign_in_says_so(fresh_alice: httpx.AsyncClient, partner: str) -> None:
    connection = await draft(fresh_alice, partner)
    told = await come_back(await press(await begin_sign_in(fresh_alice, connection["id"]), cancel="1"))
    assert told["error"] == "signInDeclined"
    assert "AADSTS65004" in told["message"]


async def test_a_forged_code_is_refused(fresh_alice: httpx.AsyncClient, partner: str, fresh_app: Host) -> None:
    connection = await draft(fresh_alice, partner)
    state = parse_qs(urlsplit(await begin_sign_in(fresh_alice, connection["id"])).query)["state"][0]
    told = await come_back(f"{fresh_app.url}/api/connections/callback?code=forged&state={state}")
    assert told["error"].startswith("AADSTS")
    assert (await shown(fresh_alice, connection["id"]))["status"] == "draft"


async def test_a_code_of_another_sign_in_fails_its_pkce(
    fresh_alice: httpx.AsyncClient, partner: str, fresh_app: Host
) -> None:
    mine, other = await draft(fresh_alice, partner, "mine"), await draft(fresh_alice, partner, "other")
    code = parse_qs(urlsplit(await press(await begin_sign_in(fresh_alice, other["id"]), person="dave")).query)["code"][
        0
    ]
    state = parse_qs(urlsplit(await begin_sign_in(fresh_alice, mine["id"])).query)["state"][0]
    told = await come_back(f"{fresh_app.url}/api/connections/callback?code={code}&state={state}")
    assert told["error"].startswith("AADSTS")
    assert (await shown(fresh_alice, mine["id"]))["status"] == "draft"
