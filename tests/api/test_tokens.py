"""Which access tokens the API takes: well signed, unexpired, of our tenant, made for us."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.host import Host
from tests.app_fixtures import ApiFor
from tests.errors import error_of


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(host: Host, api: ApiFor) -> httpx.AsyncClient:
    """A caller without a token."""
    assert host.state == "Running"
    return await api()


@pytest_asyncio.fixture(loop_scope="session")
async def claims(control: httpx.AsyncClient) -> dict[str, Any]:
    """What a good token of alice says."""
    token = (await control.post("/tokens", json={"person": "alice"})).json()["accessToken"]
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def refused(nobody: httpx.AsyncClient, authorization: str) -> None:
    answer = await nobody.get("/me", headers={"Authorization": authorization})
    error_of(answer, 401, "unauthenticated")


async def test_a_good_token_is_taken_whatever_the_case_of_bearer(
    nobody: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    token = (await control.post("/tokens", json={"person": "alice"})).json()["accessToken"]
    assert (await nobody.get("/me", headers={"Authorization": f"bearer {token}"})).status_code == 200


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer ..", "Bearer garbage", "eyJhbGciOi"]
)
async def test_a_garbled_token_is_refused(nobody: httpx.AsyncClient, authorization: str) -> None:
    await refused(nobody, authorization)


async def test_an_unsigned_token_is_refused(nobody: httpx.AsyncClient, claims: dict[str, Any]) -> None:
    await refused(nobody, f"Bearer {jwt.encode(claims, '', algorithm='none')}")


async def test_a_token_signed_by_somebody_else_is_refused(
    nobody: httpx.AsyncClient, control: httpx.AsyncClient, claims: dict[str, Any]
) -> None:
    good = (await control.post("/tokens", json={"person": "alice"})).json()["accessToken"]
    known = jwt.get_unverified_header(good)["kid"]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for key_id in (known, "unknown"):
        await refused(nobody, f"Bearer {jwt.encode(claims, key, algorithm='RS256', headers={'kid': key_id})}")


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    nobody: httpx.AsyncClient, host: Host, claims: dict[str, Any]
) -> None:
    keys = f"{host.settings['LOGIN_URL']}/{host.settings['API_TENANT_ID']}/discovery/v2.0/keys"
    async with httpx.AsyncClient() as client:
        published = (await client.get(keys)).json()["keys"][0]
    public = jwt.PyJWK(published).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # PyJWT itself refuses to sign so, hence by hand.
    head = {"alg": "HS256", "typ": "JWT", "kid": published["kid"]}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
    digest = base64.urlsafe_b64encode(hmac.digest(public, b".".join(parts), "sha256")).rstrip(b"=")
    await refused(nobody, f"Bearer {b'.'.join([*parts, digest]).decode()}")


async def test_a_changed_token_is_refused(nobody: httpx.AsyncClient, control: httpx.AsyncClient) -> None:
    token = (await control.post("/tokens", json={"person": "mallory"})).json()["accessToken"]
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"roles": ["Integration.Admin"]}).encode()).decode()
    await refused(nobody, f"Bearer {head}.{forged.rstrip('=')}.{signature}")


@pytest.mark.parametrize(
    "asked",
    [
        {"person": "alice", "lifetimeSeconds": -3600},
        {"person": "frank"},
        {"person": "alice", "audience": "https://graph.microsoft.com"},
        {"person": "alice", "audience": "https://management.azure.com"},
    ],
    ids=["expired", "foreign tenant", "made for Graph", "made for ARM"],
)
async def test_a_well_signed_token_that_is_not_for_us_is_refused(
    nobody: httpx.AsyncClient, host: Host, control: httpx.AsyncClient, asked: dict[str, Any]
) -> None:
    if "audience" in asked:
        # Signed-in people get tokens of Microsoft's resources through the partner application only.
        answer = await control.post("/tokens", json={"application": "managed-identity", "audience": asked["audience"]})
    else:
        answer = await control.post("/tokens", json=asked)
    answer.raise_for_status()
    assert host.state == "Running"
    await refused(nobody, f"Bearer {answer.json()['accessToken']}")
