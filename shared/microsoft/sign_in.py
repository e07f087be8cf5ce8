"""A person's sign-in to a connection: authorization code with PKCE, and what the id token must say.

Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and id-tokens.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt

from shared.errors import MicrosoftError
from shared.settings import Settings

AUTHORITY = "organizations"
"""Any work account may sign in; whether it is of the right tenant is then said by us, in words that help."""
CLOCK_SKEW_SECONDS = 60


@dataclass(frozen=True)
class SignedIn:
    """Who signed in: the account's home tenant, object id there, and user principal name."""

    tenant_id: str
    object_id: str
    username: str


def new_secret() -> str:
    """A random URL-safe text of 43 characters: a state, a nonce or a PKCE verifier."""
    return secrets.token_urlsafe(32)


def scope(settings: Settings) -> str:
    """What the sign-in asks for: everything the registration lists, and a refresh token.

    `.default` makes an administrator's one consent cover every API of the registration.
    """
    return f"{settings.resources['graph']}/.default offline_access openid profile"


def redirect_uri(settings: Settings) -> str:
    """Where Microsoft sends the browser back to; the registration must list it."""
    return f"{settings.public_api_url}/connections/callback"


def authorization_url(settings: Settings, *, state: str, nonce: str, verifier: str, consent: bool) -> str:
    """The address of Microsoft's sign-in page for one sign-in.

    With `consent` only an administrator gets through, even where the tenant has consented; without, Microsoft asks for
    it where nothing was consented to yet, and not for permissions that were added to the registration since.
    """
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "client_id": settings.partner_client_id,
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": redirect_uri(settings),
        "scope": scope(settings),
        "prompt": "consent" if consent else "select_account",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{settings.sign_in_url}/{AUTHORITY}/oauth2/v2.0/authorize?{urlencode(query)}"


def read_id_token(settings: Settings, id_token: str | None, nonce: str) -> SignedIn:
    """Who an id token names. Raises MicrosoftError when it is missing, expired, or made for another sign-in.

    It came straight from the token endpoint over TLS, which stands for a check of its signature (OpenID Connect Core,
    3.1.3.7, rule 6).
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            id_token or "",
            options={
                "verify_signature": False,
                "verify_exp": True,
                "verify_aud": True,
                "require": ["exp", "aud", "iss"],
            },
            audience=settings.partner_client_id,
            leeway=CLOCK_SKEW_SECONDS,
        )
    except jwt.PyJWTError as error:
        raise MicrosoftError(f"The sign-in gave no valid id token: {error}.", remote_code="badIdToken") from error
    tenant_id = str(claims.get("tid", ""))
    issued_here = claims["iss"] == f"{settings.login_url}/{tenant_id}/v2.0"
    if not tenant_id or not issued_here or not secrets.compare_digest(str(claims.get("nonce", "")), nonce):
        raise MicrosoftError("The id token is of another sign-in.", remote_code="badIdToken")
    return SignedIn(tenant_id.lower(), str(claims.get("oid", "")), str(claims.get("preferred_username", "")))
