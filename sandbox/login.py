"""The sign-in service over HTTP: discovery, keys, and the token endpoint (v2.0 and v1).

The pages a browser sees are in authorize.py, the rules in entra.py.
Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from sandbox import entra, tokens
from sandbox.entra import aadsts
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Application, Cloud, Person, Tenant

HOSTS = [
    r"login\.microsoftonline\.com",
    r"login\.microsoft\.com",
    r"login\.windows\.net",
    r"sts\.windows\.net",
]
CODE_LIFETIME = 600
"""Seconds an authorization code may wait."""


@dataclass
class Code:
    """An authorization code that was handed to a browser."""

    app_id: str
    person: str
    tenant_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str | None
    method: str
    issued: float
    used: bool = False


@dataclass
class RefreshToken:
    """A refresh token: bound to a client and a person, good for every resource and tenant they may reach."""

    app_id: str
    person: str
    issued: datetime


def codes(cloud: Cloud) -> dict[str, Code]:
    """Authorization codes of this world."""
    found: dict[str, Code] = cloud.world.extra.setdefault("codes", {})
    return found


def refresh_tokens(cloud: Cloud) -> dict[str, RefreshToken]:
    """Refresh tokens of this world."""
    found: dict[str, RefreshToken] = cloud.world.extra.setdefault("refresh_tokens", {})
    return found


def error_body(error: CloudError) -> dict[str, Any]:
    """A refusal as the token endpoint words it."""
    trace, correlation, now = (
        str(uuid.uuid4()),
        str(uuid.uuid4()),
        time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
    )
    number = error.extra.get("number")
    body: dict[str, Any] = {
        "error": error.code,
        "error_description": f"{error.message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
        "error_codes": [number] if number else [],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}" if number else "",
    }
    if number in (50076, 50079):
        body["suberror"] = "basic_action"
        body["claims"] = json.dumps({"access_token": {"capolids": {"essential": True, "values": [str(uuid.uuid4())]}}})
    elif number == 65001:
        body["suberror"] = "consent_required"
    return body


def service(cloud: Cloud) -> Service:
    """The sign-in service: an ASGI application for login.microsoftonline.com."""
    login = Service(cloud, "login", HOSTS, shape=error_body, headers=_headers)

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
            _grant(call, _form(call)),
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
        )

    @login.route("POST", "/{tenant}/oauth2/token")
    async def token_v1(call: Call) -> Reply:
        form = _form(call)
        resource = form.get("resource", "").rstrip("/")
        if not resource and form.get("grant_type") != "authorization_code":
            raise aadsts(
                900144,
                "The request body must contain the following parameter: 'resource'.",
                "invalid_request",
            )
        answer = _grant(call, {**form, "scope": f"{resource}/.default offline_access openid"})
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

    from sandbox import authorize  # it needs this module's codes

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


def _form(call: Call) -> dict[str, str]:
    """The form, with a client's credentials of HTTP Basic put where the body would have them."""
    form = call.form
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded).decode().partition(":")
        except ValueError as error:
            raise aadsts(900023, "The Authorization header is malformed.", "invalid_request") from error
        form = {
            "client_id": unquote_plus(client),
            "client_secret": unquote_plus(secret),
            **form,
        }
    for name in ("grant_type", "client_id"):
        if not form.get(name):
            raise aadsts(
                900144,
                f"The request body must contain the following parameter: '{name}'.",
                "invalid_request",
            )
    return form


def _grant(call: Call, form: dict[str, str]) -> dict[str, Any]:
    """Answer a token request. Raises CloudError with the AADSTS number of the first thing that is wrong."""
    world = call.world
    tenant = entra.tenant_of(world, call.params["tenant"])
    app = entra.application_of(world, form["client_id"], tenant.name if tenant else call.params["tenant"])
    match form["grant_type"]:
        case "client_credentials":
            _authenticate_client(call, app, form, required=True)
            return _client_credentials(call, app, tenant, form)
        case "authorization_code":
            return _authorization_code(call, app, tenant, form)
        case "refresh_token":
            _authenticate_client(call, app, form, required=not app.spa)
            return _refresh(call, app, tenant, form)
        case other:
            raise aadsts(
                70003,
                f"The app requested an unsupported grant type '{other}'.",
                "unsupported_grant_type",
            )


def _authenticate_client(call: Call, app: Application, form: dict[str, str], *, required: bool) -> None:
    """Check a client secret or a federated assertion. Raises CloudError 401 invalid_client."""
    secret, assertion = form.get("client_secret"), form.get("client_assertion")
    if app.spa:
        if not call.headers.get("origin"):
            raise aadsts(
                9002327,
                "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
                "invalid_request",
            )
        return
    if call.headers.get("origin"):
        raise aadsts(
            9002326,
            "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. "
            f"Request origin: '{call.headers['origin']}'.",
            "invalid_request",
        )
    if assertion:
        _check_assertion(call.cloud, app, assertion)
    elif secret:
        if not any(secrets.compare_digest(secret.encode(), known.encode()) for known in app.secrets.values()):
            raise aadsts(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the "
                f"client secret ID, for a secret added to app '{app.app_id}'.",
                "invalid_client",
                401,
            )
    elif required:
        number = 7000216 if form["grant_type"] == "client_credentials" else 7000218
        raise aadsts(
            number,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            "invalid_client",
            401,
        )


def _check_assertion(cloud: Cloud, app: Application, assertion: str) -> None:
    """A managed identity's token for api://AzureADTokenExchange stands for a secret of the app that trusts it."""
    try:
        claims = tokens.verify(cloud, assertion, {entra.TOKEN_EXCHANGE})
    except CloudError as error:
        raise aadsts(
            700027,
            f"Client assertion failed signature validation. {error.message}",
            "invalid_client",
            401,
        ) from error
    if claims["sub"] not in app.federated_subjects:
        raise aadsts(
            700213,
            f"No matching federated identity record found for presented assertion subject '{claims['sub']}'. "
            "Check your federated identity credential Subject, Audience and Issuer against the presented assertion.",
            "invalid_client",
            401,
        )


def _one_resource(call: Call, scope: str) -> tuple[str, list[str]]:
    """The single resource a token request is for, and the permissions asked of it."""
    asked = entra.parse_scope(call.world, scope)
    if len(asked) > 1:
        raise aadsts(
            28000,
            "Provided value for the input parameter scope is not valid because it contains more than one resource. "
            f"Scope {scope} is not valid.",
            "invalid_request",
        )
    return next(iter(asked.items()), (tokens.GRAPH, ["User.Read"]))


def _client_credentials(call: Call, app: Application, tenant: Tenant | None, form: dict[str, str]) -> dict[str, Any]:
    if tenant is None:
        raise aadsts(
            900382,
            "Confidential Client is not supported in Cross Cloud request or for /common.",
            "invalid_request",
        )
    scope = form.get("scope", "")
    audience, names = _one_resource(call, scope)
    if names != [".default"]:
        raise aadsts(
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI).",
            "invalid_scope",
        )
    token = tokens.sign(call.cloud, entra.app_claims(call.cloud, app, tenant, audience))
    lifetime = tokens.LIFETIME - 1
    return {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": token,
    }


def _authorization_code(call: Call, app: Application, tenant: Tenant | None, form: dict[str, str]) -> dict[str, Any]:
    code = codes(call.cloud).get(form.get("code", ""))
    if code is None:
        raise aadsts(9002313, "Invalid request. Request is malformed or invalid.")
    if code.app_id != app.app_id:
        raise aadsts(
            70002,
            "Error validating credentials. The authorization code was issued for another client.",
            "invalid_client",
            401,
        )
    _authenticate_client(call, app, form, required=True)
    if code.used:
        raise aadsts(
            54005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
        )
    if time.time() - code.issued > CODE_LIFETIME:
        raise aadsts(
            70008,
            "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
        )
    if form.get("redirect_uri") != code.redirect_uri:
        raise aadsts(
            500112,
            f"The reply address '{form.get('redirect_uri', '')}' does not match the reply address '{code.redirect_uri}' provided "
            "when requesting Authorization code.",
            "invalid_client",
        )
    _check_verifier(code, form.get("code_verifier"))
    person = call.world.people[code.person]
    target = call.world.tenants[code.tenant_id]
    if tenant is not None and tenant.id != target.id:
        raise aadsts(70000, "Provided grant is invalid: it was issued for another tenant.")
    code.used = True
    return _user_answer(
        call,
        app,
        person,
        target,
        form.get("scope") or code.scope,
        nonce=code.nonce,
        all_scopes=code.scope,
    )


def _check_verifier(code: Code, verifier: str | None) -> None:
    if code.challenge is None:
        if verifier:
            raise aadsts(
                50148,
                "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
            )
        return
    if not verifier:
        raise aadsts(
            50148,
            "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
        )
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if (hashed if code.method == "S256" else verifier) != code.challenge:
        raise aadsts(
            501481,
            "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
        )


def _refresh(call: Call, app: Application, tenant: Tenant | None, form: dict[str, str]) -> dict[str, Any]:
    known = refresh_tokens(call.cloud).get(form.get("refresh_token", ""))
    if known is None:
        raise aadsts(9002313, "Invalid request. Request is malformed or invalid.")
    if known.app_id != app.app_id:
        raise aadsts(
            70000,
            "Provided grant is invalid or malformed: the refresh token was issued to another client.",
        )
    person = call.world.people[known.person]
    entra.check_person(person, known.issued)
    target = tenant or call.world.tenants[person.tenant_id]
    return _user_answer(call, app, person, target, form.get("scope", ""), always_refresh=True)


def _user_answer(
    call: Call,
    app: Application,
    person: Person,
    tenant: Tenant,
    scope: str,
    *,
    nonce: str | None = None,
    all_scopes: str = "",
    always_refresh: bool = False,
) -> dict[str, Any]:
    audience, names = _one_resource(call, scope)
    claims = entra.user_claims(call.cloud, app, person, tenant, audience, names)
    prefix = f"api://{audience}" if audience in call.world.applications_by_id() else audience
    lifetime = tokens.LIFETIME - 1
    answer: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(f"{prefix}/{name}" for name in claims["scp"].split()),
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": tokens.sign(call.cloud, claims),
    }
    asked = {*scope.split(), *all_scopes.split()}
    if always_refresh or "offline_access" in asked:
        token = f"1.{secrets.token_urlsafe(48)}"
        refresh_tokens(call.cloud)[token] = RefreshToken(app.app_id, person.name, call.cloud.clock.now())
        answer["refresh_token"] = token
    if "openid" in asked:
        answer["id_token"] = id_token(call.cloud, app, person, tenant, nonce)
        info = {"uid": person.object_id, "utid": person.tenant_id}
        answer["client_info"] = base64.urlsafe_b64encode(json.dumps(info).encode()).decode().rstrip("=")
    return answer


def id_token(cloud: Cloud, app: Application, person: Person, tenant: Tenant, nonce: str | None) -> str:
    """The id token of a sign-in; the nonce comes back as it was sent (MSAL sends its hash)."""
    claims = {
        "aud": app.app_id,
        "tid": tenant.id,
        "oid": person.object_id,
        "sub": person.object_id,
        "name": person.display_name,
        "preferred_username": person.user_principal_name,
    }
    return tokens.sign(cloud, claims | ({"nonce": nonce} if nonce else {}))
