"""The token endpoint's answers: one function per OAuth grant, from the posted form to the tokens.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
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
from sandbox.wire import Call, CloudError
from sandbox.world import Application, Cloud, Person, Tenant

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


def read_form(call: Call) -> dict[str, str]:
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


def answer(call: Call, form: dict[str, str]) -> dict[str, Any]:
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
                "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin "
                "requests.",
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
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{app.app_id}'.",
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
            f"No matching federated identity record found for presented assertion subject '{claims['sub']}'. Check "
            "your federated identity credential Subject, Audience and Issuer against the presented assertion.",
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
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
            "with /.default suffixed to the resource identifier (application ID URI).",
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
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
            "refresh token.",
        )
    if time.time() - code.issued > CODE_LIFETIME:
        raise aadsts(
            70008,
            "The provided authorization code or refresh token has expired due to inactivity. Send a new "
            "interactive authorization request for this user and resource.",
        )
    if form.get("redirect_uri") != code.redirect_uri:
        raise aadsts(
            500112,
            f"The reply address '{form.get('redirect_uri', '')}' does not match the reply address "
            f"'{code.redirect_uri}' provided when requesting Authorization code.",
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
    found: dict[str, Any] = {
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
        found["refresh_token"] = token
    if "openid" in asked:
        found["id_token"] = id_token(call.cloud, app, person, tenant, nonce)
        info = {"uid": person.object_id, "utid": person.tenant_id}
        found["client_info"] = base64.urlsafe_b64encode(json.dumps(info).encode()).decode().rstrip("=")
    return found


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
