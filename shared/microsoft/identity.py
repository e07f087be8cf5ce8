"""Tokens: the application's own identity, and tokens for a client's tenant out of the partner's one refresh token.

Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow, and
learn.microsoft.com/partner-center/developer/enable-secure-app-model for one refresh token serving many tenants.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx
import jwt
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

from shared.errors import MicrosoftError, NeedsConsent, Unavailable
from shared.microsoft import aadsts
from shared.microsoft.http_errors import no_answer
from shared.settings import Settings, StorageSettings

if TYPE_CHECKING:
    from shared.store.vault import Vault

Credential = AsyncTokenCredential
"""What Azure SDK clients take: gives a token for a scope."""
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SECRET_SECONDS = 600
"""How long a client secret read from the vault is used: a rotated one is picked up within this time."""
KEYS_SECONDS = 24 * 3600
KEYS_RETRY_SECONDS = 60
"""An unknown key id makes the keys be fetched again, but not more often than this."""
EARLY_SECONDS = 300
"""A cached token is renewed this long before it ends."""


def refresh_secret_name(connection_id: str) -> str:
    """Name of the Key Vault secret that holds a connection's refresh token."""
    return f"connection-{connection_id}-refresh-token"


def hosting_credential(settings: StorageSettings, transport: AioHttpTransport) -> AsyncTokenCredential:
    """The identity the application runs as: its managed identity in Azure, a developer's sign-in elsewhere."""
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential  # it brings msal and requests

    if settings.managed_identity_client_id:
        return ManagedIdentityCredential(client_id=settings.managed_identity_client_id, transport=transport)
    return DefaultAzureCredential()


@dataclass(frozen=True)
class Tokens:
    """What a token request gave. `expires_on` is Unix time; `refresh_token` None when none came."""

    access_token: str
    expires_on: int
    refresh_token: str | None = None
    id_token: str | None = None
    scope: str = ""
    """The permissions it carries, space separated, as the answer names them."""


class Identity:
    """Asks the sign-in service for tokens and keeps them per process."""

    def __init__(
        self, settings: Settings, http: httpx.AsyncClient, vault: Vault, hosting: AsyncTokenCredential
    ) -> None:
        self._settings, self._http, self._vault, self._hosting = settings, http, vault, hosting
        self._tokens: dict[tuple[Any, ...], Tokens] = {}
        self._refresh: dict[str, str] = {}
        self._locks: dict[tuple[Any, ...], asyncio.Lock] = {}
        self._secret: tuple[str, float] | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._keys_at = float("-inf")
        self._keys_lock = asyncio.Lock()
        self.rotated: dict[str, str] = {}
        """Connection id -> newest refresh token seen; a timer writes it back to the vault."""

    async def redeem(self, tenant_id: str, code: str, verifier: str, redirect_uri: str, scope: str) -> Tokens:
        """Exchange an authorization code. Raises MicrosoftError (aadsts.py) when refused."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        return await self._request(tenant_id, form | {"scope": scope})

    async def token(
        self, connection_id: str, tenant_id: str, scope: str, *, consent_version: int = 0, app_only: bool = False
    ) -> Tokens:
        """A token for one tenant and resource scope, kept until shortly before it ends.

        `app_only` asks as the application itself, otherwise as the person who signed the connection in.
        `consent_version` changes when permissions there changed: older tokens carry older rights.
        Raises NeedsConsent, AccessDenied, Throttled or MicrosoftError.
        """
        key = (connection_id, tenant_id, scope, consent_version, app_only)
        kept = self._tokens.get(key)
        if kept is not None and kept.expires_on - EARLY_SECONDS > time.time():
            return kept
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept = self._tokens.get(key)
            if kept is not None and kept.expires_on - EARLY_SECONDS > time.time():
                return kept
            if app_only:
                tokens = await self._request(tenant_id, {"grant_type": "client_credentials", "scope": scope})
            else:
                tokens = await self._exchange_kept(connection_id, tenant_id, scope)
                if tokens.refresh_token:
                    self._refresh[connection_id] = self.rotated[connection_id] = tokens.refresh_token
            self._tokens[key] = tokens
            return tokens

    async def exchange(self, refresh_token: str, tenant_id: str, scope: str) -> Tokens:
        """Exchange a refresh token for a token of a tenant, uncached."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "scope": f"{scope} offline_access openid",
        }
        return await self._request(tenant_id, form)

    def credential(
        self, connection_id: str, tenant_id: str, *, consent_version: int = 0, app_only: bool = False
    ) -> TenantCredential:
        """What Azure and Graph SDK clients take as credential for one tenant."""
        return TenantCredential(self, connection_id, tenant_id, consent_version, app_only)

    def forget_connection(self, connection_id: str) -> None:
        """Drop every token of a connection: it signed in again, or is gone."""
        self._refresh.pop(connection_id, None)
        self.rotated.pop(connection_id, None)
        self._tokens = {key: value for key, value in self._tokens.items() if key[0] != connection_id}

    def forget_tenant(self, tenant_id: str) -> None:
        """Drop every token for a tenant: what it allows has changed."""
        self._tokens = {key: value for key, value in self._tokens.items() if key[1] != tenant_id}

    async def signing_key(self, key_id: str) -> jwt.PyJWK:
        """The public key that tokens of the provider's tenant are signed with.

        Keys are kept for a day and fetched again when an unknown id arrives (keys roll over without notice:
        learn.microsoft.com/entra/identity-platform/signing-key-rollover). Raises jwt.InvalidKeyError for an id that
        nobody knows, Unavailable when the keys cannot be had.
        """
        async with self._keys_lock:
            age = time.monotonic() - self._keys_at
            if age > KEYS_SECONDS or (key_id not in self._keys and age > KEYS_RETRY_SECONDS):
                url = f"{self._settings.login_url}/{self._settings.api_tenant_id}/discovery/v2.0/keys"
                try:
                    answer = await self._http.get(url)
                    answer.raise_for_status()
                except httpx.HTTPError as error:
                    raise Unavailable("The sign-in service does not give its signing keys. Try again.") from error
                self._keys = {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
                self._keys_at = time.monotonic()
        if key_id not in self._keys:
            raise jwt.InvalidKeyError("unknown signing key")
        return self._keys[key_id]

    async def _exchange_kept(self, connection_id: str, tenant_id: str, scope: str) -> Tokens:
        """Exchange the token kept here, or a newer one of the vault: another process may have signed in since."""
        kept = await self._refresh_token(connection_id)
        try:
            return await self.exchange(kept, tenant_id, scope)
        except NeedsConsent:
            stored = await self._vault.get(refresh_secret_name(connection_id))
            if stored is None or stored == kept:
                raise
            self._refresh[connection_id] = stored
            return await self.exchange(stored, tenant_id, scope)

    async def _refresh_token(self, connection_id: str) -> str:
        if connection_id not in self._refresh:
            stored = await self._vault.get(refresh_secret_name(connection_id))
            if stored is None:
                raise NeedsConsent(
                    "The connection has no sign-in.", remote_code="noRefreshToken", fix="Sign in to the connection."
                )
            self._refresh[connection_id] = stored
        return self._refresh[connection_id]

    async def _client_proof(self) -> dict[str, str]:
        """What proves the multi-tenant registration: the managed identity's assertion, or a secret from the vault."""
        name = self._settings.partner_client_secret_name
        if not name:
            try:
                assertion = await self._hosting.get_token(self._settings.federation_scope)
            except ClientAuthenticationError as error:
                raise MicrosoftError(
                    "The application's managed identity gives no token.",
                    remote_code="noManagedIdentity",
                    fix="Set MANAGED_IDENTITY_CLIENT_ID to the identity assigned to this Functions app.",
                ) from error
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion.token}
        if self._secret is not None and self._secret[1] > time.monotonic():
            return {"client_secret": self._secret[0]}
        secret = await self._vault.get(name)
        if secret is None:
            raise MicrosoftError(
                f"The vault has no secret {name}.", remote_code="noClientSecret", fix="Store the client secret there."
            )
        self._secret = (secret, time.monotonic() + SECRET_SECONDS)
        return {"client_secret": secret}

    async def _request(self, tenant_id: str, form: dict[str, str]) -> Tokens:
        proof = await self._client_proof()
        url = f"{self._settings.login_url}/{tenant_id}/oauth2/v2.0/token"
        try:
            answer = await self._http.post(url, data={"client_id": self._settings.partner_client_id, **form, **proof})
        except httpx.HTTPError as error:
            raise no_answer("The sign-in service") from error
        try:
            body = answer.json()
        except ValueError:
            body = {}
        if answer.status_code != 200 or "access_token" not in body:
            raise aadsts.from_answer(answer.status_code, body, _seconds(answer.headers.get("retry-after")))
        return Tokens(
            body["access_token"],
            int(time.time()) + int(body.get("expires_in", 0)),
            body.get("refresh_token"),
            body.get("id_token"),
            str(body.get("scope", "")),
        )


class TenantCredential(AsyncTokenCredential):
    """An azure-core credential bound to one connection and tenant; a view on Identity, holds nothing itself."""

    def __init__(
        self, identity: Identity, connection_id: str, tenant_id: str, consent_version: int, app_only: bool
    ) -> None:
        self._identity, self._connection_id, self._tenant_id = identity, connection_id, tenant_id
        self._consent_version, self._app_only = consent_version, app_only

    @property
    def key(self) -> tuple[str, str, int, bool]:
        """The same for the same sign-in."""
        return self._connection_id, self._tenant_id, self._consent_version, self._app_only

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **options: Any,
    ) -> AccessToken:
        """A token for one scope; `claims`, `tenant_id` and `enable_cae` are what SDKs send and are not used."""
        tokens = await self._identity.token(
            self._connection_id,
            self._tenant_id,
            scopes[0],
            consent_version=self._consent_version,
            app_only=self._app_only,
        )
        return AccessToken(tokens.access_token, tokens.expires_on)

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None


def _seconds(retry_after: str | None) -> float | None:
    try:
        return float(retry_after) if retry_after is not None else None
    except ValueError:
        return None
