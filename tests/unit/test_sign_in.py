"""What a sign-in asks for, and which id tokens it takes."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from shared import permissions
from shared.errors import MicrosoftError
from shared.microsoft import sign_in
from shared.settings import Settings

TENANT = "11111111-1111-4111-8111-111111111111"
SETTINGS = Settings.model_validate(
    {
        "key_vault_url": "https://v.vault.azure.net",
        "public_api_url": "https://api.example/api",
        "portal_url": "https://portal.example",
        "sign_in_url": "https://browser.example",
        "api_tenant_id": TENANT,
        "api_client_id": "api",
        "portal_client_id": "portal",
        "partner_client_id": "tenantry",
    }
)


def id_token(**changes: Any) -> str:
    claims = {
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "aud": "tenantry",
        "exp": int(time.time()) + 600,
        "tid": TENANT,
        "oid": "o-1",
        "preferred_username": "dave@northwind.example",
        "nonce": "n-1",
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, "x" * 32, algorithm="HS256")


def test_who_signed_in_is_read_from_the_id_token() -> None:
    account = sign_in.read_id_token(SETTINGS, id_token(), "n-1")
    assert account == sign_in.SignedIn(TENANT, "o-1", "dave@northwind.example")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n-2"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iss": "https://evil.example/v2.0"},
        {"iss": None},
        {"tid": None},
        {"tid": "22222222-2222-4222-8222-222222222222"},
    ],
    ids=str,
)
def test_an_id_token_of_another_sign_in_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MicrosoftError) as caught:
        sign_in.read_id_token(SETTINGS, id_token(**changes), "n-1")
    assert caught.value.remote_code == "badIdToken"


@pytest.mark.parametrize("token", [None, "", "garbage", "a.b.c"])
def test_a_missing_or_garbled_id_token_is_refused(token: str | None) -> None:
    with pytest.raises(MicrosoftError):
        sign_in.read_id_token(SETTINGS, token, "n-1")


def test_the_address_holds_the_challenge_and_never_the_verifier() -> None:
    verifier = sign_in.new_secret()
    url = sign_in.authorization_url(SETTINGS, state="s", nonce="n", verifier=verifier, consent=False)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert url.startswith("https://browser.example/organizations/oauth2/v2.0/authorize?")
    assert (query["code_challenge"], query["state"], query["nonce"]) == (digest, "s", "n")
    assert query["redirect_uri"] == "https://api.example/api/connections/callback"
    assert verifier not in url
    assert 43 <= len(verifier) <= 128


def test_every_permission_has_a_reason_and_is_asked_for_once() -> None:
    assert len({row.key for row in permissions.ALL}) == len(permissions.ALL)
    assert all(row.why.endswith(".") and row.places for row in permissions.ALL)
    assert permissions.delegated("partnerCenter", "client") == ()
    assert permissions.delegated("partnerCenter", "partner") == ("user_impersonation",)
    assert "Directory.Read.All" in permissions.application("graph", "client")
    assert permissions.apis("client") == ("graph", "arm")
