"""The sign-in service over HTTP: discovery, keys, and the token endpoint (v2.0 and v1).

The grants are in grants.py, the pages a browser sees in authorize.py, the rules in entra.py.
Source: https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
"""

from __future__ import annotations

import time
from typing import Any

from sandbox import authorize, entra, grants, tokens
from sandbox.entra import aadsts
from sandbox.wire import Call, Reply, Service
from sandbox.world import Cloud

HOSTS = [
    r"login\.microsoftonline\.com",
    r"login\.microsoft\.com",
    r"login\.windows\.net",
    r"sts\.windows\.net",
]


def service(cloud: Cloud) -> Service:
    """The sign-in service: an ASGI application for login.microsoftonline.com."""
    login = Service(cloud, "login", HOSTS, shape=grants.error_body, headers=_headers)

    @login.route("GET", "/{tenant}/v2.0/.well-known/openid-configuration")
    @login.route("GET", "/{tenant}/.well-known/openid-configuration")
    async def discovery(call: Call) -> Reply:
        return Reply(_discovery(call))

    @login.route("GET", "/{tenant}/discovery/v2.0/keys")
    @login.route("GET", "/{tenant}/discovery/keys")
    async def keys(call: Call) -> Reply:
        entra.tenant_of(call.world, call.params["tenant"])
        return Reply(tokens.jwks())

    @login.route("GET", "/{tenant}/discovery/instance")
    async def instance(call: Call) -> Reply:
        tenant = call.query.get("authorization_endpoint", "/common/").rstrip("/").split("/")
        name = tenant[3] if len(tenant) > 3 else "common"
        return Reply(
            {
                "tenant_discovery_endpoint": f"{call.base_url}/{name}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [],
            }
        )

    @login.route("POST", "/{tenant}/oauth2/v2.0/token")
    async def token(call: Call) -> Reply:
        return Reply(
            grants.answer(call, grants.read_form(call)),
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
        )

    @login.route("POST", "/{tenant}/oauth2/token")
    async def token_v1(call: Call) -> Reply:
        form = grants.read_form(call)
        resource = form.get("resource", "").rstrip("/")
        if not resource and form.get("grant_type") != "authorization_code":
            raise aadsts(
                900144,
                "The request body must contain the following parameter: 'resource'.",
                "invalid_request",
            )
        answer = grants.answer(call, {**form, "scope": f"{resource}/.default offline_access openid"})
        lifetime = answer["expires_in"]
        answer |= {
            "expires_in": str(lifetime),
            "ext_expires_in": str(lifetime),
            "expires_on": str(int(time.time()) + lifetime),
            "not_before": str(int(time.time())),
            "resource": form.get("resource", resource),
        }
        return Reply(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    @login.route("OPTIONS", "/{tenant}/oauth2/v2.0/token")
    async def preflight(_call: Call) -> Reply:
        return Reply(status=204)

    authorize.add_routes(login)
    return login


def _headers(call: Call) -> dict[str, str]:
    origin = call.headers.get("origin")
    if not origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": call.headers.get("access-control-request-headers", "*"),
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }


def _discovery(call: Call) -> dict[str, Any]:
    name = call.params["tenant"]
    tenant = entra.tenant_of(call.world, name)
    directory = tenant.id if tenant else name
    base = f"{call.base_url}/{directory}"
    return {
        "issuer": f"{call.cloud.urls['login']}/{tenant.id if tenant else '{tenantid}'}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "userinfo_endpoint": f"{call.cloud.urls['graph']}/oidc/userinfo",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }
