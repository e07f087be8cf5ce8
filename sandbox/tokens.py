"""Access tokens as Entra ID makes them: RS256 JWTs with a published key.

The key is made once per process. Lifetimes are on wall time, because every library that checks a token knows no
other clock. Source: https://learn.microsoft.com/entra/identity-platform/access-tokens
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

from sandbox.wire import CloudError
from sandbox.world import Cloud, Tenant

LIFETIME = 3600
"""Seconds an access token lives."""

GRAPH = "https://graph.microsoft.com"
ARM = "https://management.azure.com"
ARM_CLASSIC = "https://management.core.windows.net"
PARTNER_CENTER = "https://api.partnercenter.microsoft.com"
VAULT = "https://vault.azure.net"

_verified: dict[str, dict[str, Any]] = {}
"""Tokens whose signature was checked before: checking one costs more than answering most requests."""


@cache
def _key() -> tuple[RSAPrivateKey, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers().n.to_bytes(256, "big")
    return key, base64.urlsafe_b64encode(hashlib.sha256(numbers).digest()[:20]).decode().rstrip("=")


def jwks() -> dict[str, Any]:
    """The published key set: {"keys": [{kty, use, kid, alg, n, e, x5t}]}."""
    key, kid = _key()
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    row = {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": kid,
        "x5t": kid,
        "n": public["n"],
        "e": public["e"],
    }
    return {"keys": [row]}


def sign(cloud: Cloud, claims: dict[str, Any], *, lifetime: float = LIFETIME) -> str:
    """Sign claims. `iss` (from `tid`), `iat`, `nbf`, `exp`, `ver` and `uti` are added where the claims lack them."""
    key, kid = _key()
    now = int(time.time())
    issued = now if lifetime > 0 else now + int(lifetime) - LIFETIME
    full = {
        "iss": f"{cloud.urls['login']}/{claims.get('tid', '')}/v2.0",
        "iat": issued,
        "nbf": issued,
        "exp": now + int(lifetime),
        "ver": "2.0",
        "uti": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        **claims,
    }
    return jwt.encode(full, key, algorithm="RS256", headers={"kid": kid})


def verify(cloud: Cloud, token: str, audiences: set[str]) -> dict[str, Any]:
    """The claims of an access token meant for one of `audiences` (URLs without a trailing slash, or client ids).

    Raises CloudError 401: `InvalidAuthenticationToken` (malformed, foreign signature or issuer, wrong audience),
    `ExpiredAuthenticationToken`, `Authorization_IdentityNotFound` (the service principal is gone since).
    """
    claims = _verified.get(token)
    if claims is None:
        try:
            claims = jwt.decode(
                token,
                _key()[0].public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False},
            )
        except jwt.PyJWTError as error:
            raise CloudError(
                401,
                "InvalidAuthenticationToken",
                f"The access token is invalid. {error}",
            ) from error
        if len(_verified) > 20_000:
            _verified.clear()
        _verified[token] = claims
    if claims["exp"] <= time.time():
        raise CloudError(
            401,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time. "
            f"The token expired at '{time.strftime('%m/%d/%Y %H:%M:%S', time.gmtime(claims['exp']))}'.",
        )
    tenant = cloud.world.tenants.get(claims.get("tid", ""))
    if tenant is None or claims["iss"] != f"{cloud.urls['login']}/{tenant.id}/v2.0":
        raise CloudError(
            401,
            "InvalidAuthenticationToken",
            f"The access token is from the wrong issuer '{claims['iss']}'.",
        )
    if str(claims.get("aud", "")).rstrip("/") not in audiences:
        allowed = ",".join(f"'{audience}'" for audience in sorted(audiences))
        raise CloudError(
            401,
            "InvalidAuthenticationToken",
            f"The access token has been obtained for wrong audience or resource '{claims.get('aud')}'. "
            f"It should exactly match with one of the allowed audiences {allowed}.",
        )
    if not _principal_exists(tenant, claims):
        raise CloudError(
            401,
            "Authorization_IdentityNotFound",
            "The identity of the calling application could not be established.",
        )
    return claims


def _principal_exists(tenant: Tenant, claims: dict[str, Any]) -> bool:
    app_id = claims.get("appid")
    return any(sp.app_id == app_id for sp in tenant.service_principals.values())
