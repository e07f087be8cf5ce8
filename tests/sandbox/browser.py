"""What a browser and an application send to the sign-in service, for the tests of this folder."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from sandbox import entra, first_party
from sandbox.server import Sandbox
from sandbox.world import Tenant, World

GRAPH = "https://graph.microsoft.com/.default"
ARM = "https://management.azure.com/.default"
REDIRECT = "http://localhost:7071/api/connections/callback"
PORTAL = "http://localhost:7071/portal/"
ORIGIN = "http://localhost:7071"


def tenant_called(world: World, name: str) -> Tenant:
    return next(tenant for tenant in world.tenants.values() if tenant.name == name)


def trapped(world: World, trap: str) -> Tenant:
    return world.tenants[world.traps[trap]["tenantId"]]


async def post_token(
    sandbox: Sandbox, http: httpx.AsyncClient, tenant: str, *, origin: str = "", **form: str
) -> httpx.Response:
    headers = {"Origin": origin} if origin else {}
    return await http.post(f"{sandbox.urls['login']}/{tenant}/oauth2/v2.0/token", data=form, headers=headers)


def client(world: World, name: str = "tenantry") -> dict[str, str]:
    app = world.applications[name]
    return {"client_id": app.app_id, "client_secret": next(iter(app.secrets.values()))}


def pkce(verifier: str = "v" * 50) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return {"code_challenge": challenge, "code_challenge_method": "S256"}


async def authorize(sandbox: Sandbox, http: httpx.AsyncClient, person: str, **changes: str) -> httpx.Response:
    """Press a person's button on the sign-in page, as a browser over plain HTTP does."""
    query = {
        "client_id": sandbox.cloud.world.applications["tenantry"].app_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": f"{GRAPH} offline_access openid profile",
        "state": "s-1",
        **pkce(),
        **changes,
    }
    url = f"{sandbox.urls['control']}/organizations/oauth2/v2.0/authorize"
    return await http.post(url, params=query, data={"person": person})


def returned(response: httpx.Response) -> dict[str, str]:
    """What the browser carries back to the application."""
    assert response.status_code == 302, response.text
    parts = urlsplit(response.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


async def redeem(sandbox: Sandbox, http: httpx.AsyncClient, code: str, **changes: str) -> httpx.Response:
    form = {
        **client(sandbox.cloud.world),
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": "v" * 50,
        "scope": f"{GRAPH} offline_access openid",
        **changes,
    }
    return await post_token(sandbox, http, "organizations", **form)


async def sign_in(sandbox: Sandbox, http: httpx.AsyncClient, person: str = "dave") -> str:
    """A refresh token of a person who consented."""
    answer = await redeem(sandbox, http, returned(await authorize(sandbox, http, person))["code"])
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


async def refresh(
    sandbox: Sandbox, http: httpx.AsyncClient, tenant: str, token: str, scope: str = GRAPH
) -> httpx.Response:
    form = {**client(sandbox.cloud.world), "grant_type": "refresh_token", "refresh_token": token, "scope": scope}
    return await post_token(sandbox, http, tenant, **form)


def refused(response: httpx.Response, number: int, error: str) -> dict[str, Any]:
    """Check a refusal of the token endpoint and return its body."""
    body: dict[str, Any] = response.json()
    assert response.status_code in (400, 401), body
    assert (body["error"], body["error_codes"]) == (error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= set(body)
    return body


def consented(sandbox: Sandbox, tenant: Tenant, scopes: str = "Directory.Read.All") -> None:
    """What Partner Center's consent leaves in a customer tenant."""
    app = sandbox.cloud.world.applications["tenantry"]
    entra.consent(
        sandbox.cloud, tenant, app, {first_party.GRAPH: scopes.split(), first_party.ARM: ["user_impersonation"]}
    )
