"""How a partner's application signs in, consents and gets tokens, over the wire, for the tests of this folder."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.credentials_async import AsyncTokenCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_http.kiota_client_factory import KiotaClientFactory
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph.graph_service_client import GraphServiceClient

from sandbox import first_party
from sandbox.server import Sandbox
from sandbox.world import Tenant

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
PARTNER_CENTER_SCOPE = "https://api.partnercenter.microsoft.com/.default"
GRAPH_CONSENT = (
    "Application.ReadWrite.All,AppRoleAssignment.ReadWrite.All,"
    "DelegatedPermissionGrant.ReadWrite.All,Directory.Read.All"
)


class FixedCredential(AsyncTokenCredential):
    """A credential that hands out one token, as the SDKs ask for it."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def get_token(self, *_scopes: str, **_kwargs: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3000)

    async def get_token_info(self, *_scopes: str, **_kwargs: Any) -> AccessTokenInfo:
        return AccessTokenInfo(self.token, int(time.time()) + 3000)

    async def close(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class Partner:
    """Tenantry's registration in the hands of a test."""

    sandbox: Sandbox
    http: httpx.AsyncClient
    refresh: dict[str, str] = field(default_factory=dict)
    transports: list[httpx.AsyncHTTPTransport] = field(default_factory=list)
    """Connections of the SDKs that were made: the transport kiota puts around one does not close it."""

    async def aclose(self) -> None:
        """Close what `sdk` made."""
        for transport in self.transports:
            await transport.aclose()

    def tenant(self, name: str) -> Tenant:
        """A tenant of the world by display name."""
        return next(tenant for tenant in self.sandbox.cloud.world.tenants.values() if tenant.name == name)

    def trapped(self, trap: str) -> Tenant:
        """The tenant that holds a trap."""
        return next(tenant for tenant in self.sandbox.cloud.world.tenants.values() if trap in tenant.traps)

    @property
    def app_id(self) -> str:
        return self.sandbox.cloud.world.applications["tenantry"].app_id

    @property
    def secret(self) -> str:
        return next(iter(self.sandbox.cloud.world.applications["tenantry"].secrets.values()))

    @property
    def home(self) -> str:
        return self.sandbox.cloud.world.partner.id

    async def sign_in(self, person: str = "dave") -> str:
        """Authorization code with PKCE, as the browser does it; returns the refresh token."""
        if person in self.refresh:
            return self.refresh[person]
        redirect = self.sandbox.cloud.world.applications["tenantry"].redirect_uris[0]
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        account = self.sandbox.cloud.world.people[person].user_principal_name
        page = await self.http.get(
            f"{self.sandbox.urls['login']}/organizations/oauth2/v2.0/authorize",
            params={
                "client_id": self.app_id,
                "response_type": "code",
                "redirect_uri": redirect,
                "scope": f"openid profile offline_access {GRAPH_SCOPE}",
                "state": "s",
                "code_challenge": challenge,
                "code_challenge_method": "S256",
                "login_hint": account,
            },
        )
        assert page.status_code == 302, page.text
        code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
        answer = await self._token(
            self.home,
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect,
            code_verifier=verifier,
            scope=f"offline_access {GRAPH_SCOPE}",
        )
        self.refresh[person] = answer["refresh_token"]
        return self.refresh[person]

    async def user_token(self, tenant_id: str, scope: str = GRAPH_SCOPE, person: str = "dave") -> str:
        """A person's token in any tenant, from the one refresh token."""
        refresh = await self.sign_in(person)
        answer = await self._token(tenant_id, grant_type="refresh_token", refresh_token=refresh, scope=scope)
        return str(answer["access_token"])

    async def app_token(self, tenant_id: str, scope: str = GRAPH_SCOPE, application: str = "tenantry") -> str:
        """An application's own token."""
        known = self.sandbox.cloud.world.applications[application]
        answer = await self._token(
            tenant_id,
            grant_type="client_credentials",
            scope=scope,
            client_id=known.app_id,
            client_secret=next(iter(known.secrets.values())),
        )
        return str(answer["access_token"])

    async def _token(self, tenant_id: str, **form: str) -> dict[str, Any]:
        data = {"client_id": self.app_id, "client_secret": self.secret, **form}
        reply = await self.http.post(f"{self.sandbox.urls['login']}/{tenant_id}/oauth2/v2.0/token", data=data)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def consent(self, tenant: Tenant, scope: str = GRAPH_CONSENT) -> httpx.Response:
        """Partner Center's consent to Graph for a customer."""
        body = {
            "applicationId": self.app_id,
            "applicationGrants": [{"enterpriseApplicationId": first_party.GRAPH, "scope": scope}],
        }
        return await self.partner_center("POST", f"/customers/{tenant.id}/applicationconsents", json=body)

    async def partner_center(self, method: str, path: str, *, person: str = "dave", **request: Any) -> httpx.Response:
        """A call to Partner Center as a person; `path` as its links give it, without the version."""
        token = await self.user_token(self.home, PARTNER_CENTER_SCOPE, person)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"} | request.pop("headers", {})
        return await self.http.request(
            method, f"{self.sandbox.urls['partnercenter']}/v1{path}", headers=headers, **request
        )

    async def graph(self, token: str, method: str, path: str, **request: Any) -> httpx.Response:
        """A bare call to Graph, without the retries of the SDK."""
        headers = {"Authorization": f"Bearer {token}"} | request.pop("headers", {})
        return await self.http.request(method, f"{self.sandbox.urls['graph']}/v1.0{path}", headers=headers, **request)

    def sdk(self, token: str) -> GraphServiceClient:
        """Microsoft's SDK for Graph, pointed at the sandbox."""
        provider = AzureIdentityAuthenticationProvider(
            FixedCredential(token), scopes=[GRAPH_SCOPE], allowed_hosts=["localhost"]
        )
        transport = httpx.AsyncHTTPTransport()
        self.transports.append(transport)
        client = KiotaClientFactory.create_with_default_middleware(
            client=httpx.AsyncClient(transport=transport), options=options
        )
        adapter = GraphRequestAdapter(provider, client)
        adapter.base_url = f"{self.sandbox.urls['graph']}/v1.0"
        return GraphServiceClient(request_adapter=adapter)


@asynccontextmanager
async def partner_of(sandbox: Sandbox) -> AsyncIterator[Partner]:
    """A partner whose HTTP clients are closed at the end."""
    async with httpx.AsyncClient(timeout=30) as http:
        partner = Partner(sandbox, http)
        yield partner
        await partner.aclose()
