"""The pages of sign-in and consent that a browser (or a test) walks through.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and v2-admin-consent
"""

from __future__ import annotations

import html
import re
import secrets
import time
from urllib.parse import urlencode

from sandbox import directory, entra, first_party
from sandbox.entra import aadsts
from sandbox.grants import Code, codes, error_body
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Application, Person, Tenant


def add_routes(login: Service) -> None:
    """Add /authorize, /adminconsent and /logout to the sign-in service."""

    @login.route("GET", "/{tenant}/oauth2/v2.0/authorize")
    @login.route("POST", "/{tenant}/oauth2/v2.0/authorize")
    @login.route("GET", "/{tenant}/oauth2/authorize")
    @login.route("POST", "/{tenant}/oauth2/authorize")
    async def authorize(call: Call) -> Reply:
        try:
            return _authorize(call)
        except CloudError as error:
            return _page(
                "Sorry, but we are having trouble signing you in.",
                f"<p>{html.escape(error.message)}</p>",
                400,
            )

    @login.route("GET", "/{tenant}/v2.0/adminconsent")
    @login.route("POST", "/{tenant}/v2.0/adminconsent")
    @login.route("GET", "/{tenant}/adminconsent")
    @login.route("POST", "/{tenant}/adminconsent")
    async def admin_consent(call: Call) -> Reply:
        try:
            return _admin_consent(call)
        except CloudError as error:
            return _page(
                "Sorry, but we are having trouble signing you in.",
                f"<p>{html.escape(error.message)}</p>",
                400,
            )

    @login.route("GET", "/{tenant}/oauth2/v2.0/logout")
    async def logout(call: Call) -> Reply:
        if target := call.query.get("post_logout_redirect_uri"):
            return Reply(status=302, headers={"Location": target})
        return _page(
            "You signed out of your account",
            "<p>It is a good idea to close all browser windows.</p>",
        )


def _client(call: Call) -> tuple[Application, Tenant | None, str]:
    """The application, the tenant asked for, and the checked redirect URI. Raises CloudError for the error page."""
    tenant = entra.tenant_of(call.world, call.params["tenant"])
    app = entra.application_of(
        call.world,
        call.query.get("client_id", ""),
        tenant.name if tenant else call.params["tenant"],
    )
    redirect_uri = call.query.get("redirect_uri", "")
    if _portless(redirect_uri) not in map(_portless, app.redirect_uris):
        raise aadsts(
            50011,
            f"The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs "
            f"configured for the application '{app.app_id}'. Make sure the redirect URI sent in the request matches "
            "one added to your application in the Azure portal.",
            "invalid_request",
        )
    if tenant is None and not app.multi_tenant:
        raise aadsts(
            50194,
            f"Application '{app.app_id}'({app.display_name}) is not configured as a multi-tenant application. Usage "
            "of the /common endpoint is not supported for such apps created after '10/15/2018'.",
            "invalid_request",
        )
    return app, tenant, redirect_uri


def _portless(uri: str) -> str:
    """A redirect URI as it is compared: of localhost, any port does.

    Source: https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions
    """
    return re.sub(r"^(http://(?:localhost|127\.0\.0\.1)):\d+", r"\1", uri)


def _authorize(call: Call) -> Reply:
    app, tenant, redirect_uri = _client(call)
    query = call.query
    try:
        if query.get("response_type") != "code":
            raise aadsts(
                700054,
                "response_type other than 'code' is not enabled for the application.",
                "unsupported_response_type",
            )
        if app.spa and not query.get("code_challenge"):
            raise aadsts(
                9002325,
                "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
                "invalid_request",
            )
        if query.get("code_challenge_method", "S256") not in ("S256", "plain"):
            raise aadsts(
                501491,
                "Invalid size or method of Code_Challenge parameter.",
                "invalid_request",
            )
        asked = entra.parse_scope(call.world, query.get("scope", ""))
        if call.method == "POST" and "cancel" in call.form:
            raise aadsts(65004, "User declined to consent to access the app.", "access_denied")
        if (person := _chosen(call)) is None:
            if query.get("prompt") == "none":
                raise aadsts(
                    50058,
                    "A silent sign-in request was sent but no user is signed in.",
                    "login_required",
                )
            return _people(call, app, tenant)
        if person.refused_with is not None:
            raise entra.refusal(person.refused_with)
        home = _signs_in_to(call, app, person, tenant)
        _consent_if_missing(call, app, person, home, asked)
    except CloudError as error:
        if error.extra.get("number") == 50020:
            raise
        return _redirect(
            call,
            redirect_uri,
            {
                "error": error.code,
                "error_description": error_body(error)["error_description"],
            },
        )
    code = f"1.{secrets.token_urlsafe(40)}"
    codes(call.cloud)[code] = Code(
        app_id=app.app_id,
        person=person.name,
        tenant_id=home.id,
        redirect_uri=redirect_uri,
        scope=query.get("scope", ""),
        nonce=query.get("nonce"),
        challenge=query.get("code_challenge"),
        method=query.get("code_challenge_method", "plain"),
        issued=time.time(),
    )
    return _redirect(call, redirect_uri, {"code": code, "session_state": secrets.token_hex(16)})


def _admin_consent(call: Call) -> Reply:
    app, tenant, redirect_uri = _client(call)
    if "/v2.0/" in call.path.lower() and not call.query.get("scope"):
        raise aadsts(
            900144,
            "The request body must contain the following parameter: 'scope'.",
            "invalid_request",
        )
    outcome = {"admin_consent": "True"}
    try:
        if call.method == "POST" and "cancel" in call.form:
            raise aadsts(65004, "User declined to consent to access the app.", "access_denied")
        if (person := _chosen(call)) is None:
            return _people(call, app, tenant)
        home = _signs_in_to(call, app, person, tenant)
        asked = entra.parse_scope(call.world, call.query.get("scope", "https://graph.microsoft.com/.default"))
        _require_consenter(app, person, asked)
        entra.consent(call.cloud, home, app, _permissions(app, asked))
        if any(".default" in names for names in asked.values()):
            entra.consent_roles(call.cloud, home, app)
    except CloudError as error:
        # The error, too, comes with admin_consent=True, as Microsoft's own does.
        outcome |= {
            "error": error.code,
            "error_description": error_body(error)["error_description"],
        }
        return _redirect(call, redirect_uri, outcome)
    return _redirect(
        call,
        redirect_uri,
        {**outcome, "tenant": home.id, "scope": call.query.get("scope", "")},
    )


def _chosen(call: Call) -> Person | None:
    """Who signs in: the button pressed on the page, or `login_hint` (a name or a user principal name)."""
    name = call.form.get("person", "") if call.method == "POST" else call.query.get("login_hint", "")
    lowered = name.lower()
    return next(
        (p for p in call.world.people.values() if lowered in (p.name, p.user_principal_name.lower())),
        None,
    )


def _signs_in_to(call: Call, app: Application, person: Person, tenant: Tenant | None) -> Tenant:
    """The tenant a sign-in ends in. Raises CloudError AADSTS50020 when the person does not belong there."""
    home = call.world.tenants[person.tenant_id]
    if tenant is not None and tenant.id != home.id:
        raise aadsts(
            50020,
            f"User account '{person.user_principal_name}' from identity provider "
            f"'https://sts.windows.net/{home.id}/' does not exist in tenant '{tenant.name}' and cannot access the "
            f"application '{app.app_id}'({app.display_name}) in that tenant. The account needs to be added as an "
            "external user in the tenant first.",
            "access_denied",
        )
    return home


def _permissions(app: Application, asked: dict[str, list[str]]) -> dict[str, list[str]]:
    """Resource app id -> delegated permissions; `.default` stands for all that the registration requires."""
    wanted: dict[str, list[str]] = {}
    for audience, names in asked.items():
        if ".default" in names:
            for resource, required in app.required_scopes.items():
                wanted.setdefault(resource, []).extend(required)
        wanted.setdefault(entra.resource_app(audience), []).extend(name for name in names if name != ".default")
    return {resource: list(dict.fromkeys(names)) for resource, names in wanted.items()}


def _consent_if_missing(
    call: Call,
    app: Application,
    person: Person,
    home: Tenant,
    asked: dict[str, list[str]],
) -> None:
    """Let an administrator's sign-in consent to what is asked and not yet granted; refuse it to anybody else."""
    missing = call.query.get("prompt") in ("consent", "admin_consent")
    for audience, names in asked.items():
        held = entra.granted(call.world, home, app.app_id, person, audience)
        missing = missing or not held or not set(names) <= {".default", *held}
    if not asked or not missing:
        return
    _require_consenter(app, person, asked)
    entra.consent(call.cloud, home, app, _permissions(app, asked))


def _require_consenter(app: Application, person: Person, asked: dict[str, list[str]]) -> None:
    """Who may consent for the tenant: to Graph's application permissions fewer may than to all else.

    Raises CloudError AADSTS90094. Sources: https://learn.microsoft.com/entra/identity/enterprise-apps/
    grant-admin-consent (prerequisites) and application-sign-in-unexpected-user-consent-error (the text).
    """
    everything = any(".default" in names for names in asked.values())
    of_graph = everything and app.required_roles.get(first_party.GRAPH)
    if not person.directory_roles & (directory.GRAPH_ROLE_GRANTERS if of_graph else directory.CONSENT_ROLES):
        raise aadsts(
            90094,
            f"{app.display_name} needs permission to access resources in your organization that only an admin can "
            "grant. Ask an admin to grant permission to this app before you can use it.",
            "access_denied",
        )


def _redirect(call: Call, redirect_uri: str, values: dict[str, str]) -> Reply:
    if "state" in call.query:
        values = {**values, "state": call.query["state"]}
    mode = call.query.get("response_mode", "query")
    if mode == "form_post":
        fields = "".join(
            f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in values.items()
        )
        action = html.escape(redirect_uri)
        form = f'<form method="post" action="{action}">{fields}<button>Continue</button></form>'
        return _page("Working...", f"{form}<script>document.forms[0].submit()</script>")
    separator = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    return Reply(
        status=302,
        headers={"Location": f"{redirect_uri}{separator}{urlencode(values)}"},
    )


def _people(call: Call, app: Application, tenant: Tenant | None) -> Reply:
    """The sign-in page: one button per person."""
    action = html.escape(f"{call.base_url}{call.path}?{urlencode(call.query)}")
    rows = "".join(
        f'<button name="person" value="{html.escape(p.name)}"><b>{html.escape(p.display_name)}</b> '
        f"{html.escape(p.user_principal_name)}</button>"
        for p in call.world.people.values()
    )
    where = html.escape(tenant.name if tenant else "any organization")
    form = f'<form method="post" action="{action}">{rows}<button name="cancel" value="1">Cancel</button></form>'
    return _page(
        "Pick an account",
        f"<p>to sign in to <b>{html.escape(app.display_name)}</b> ({where})</p>{form}",
    )


STYLE = (
    ""
    "body{font:16px system-ui,sans-serif;background:#f2f2f2;color:#1b1b1b;margin:0}"
    "main{max-width:28rem;margin:4rem auto;background:#fff;padding:2rem;box-shadow:0 2px 6px #0003}"
    "h1{font-size:1.4rem}button{display:block;width:100%;text-align:left;font:inherit;padding:.7rem;margin:.3rem 0;"
    "border:1px solid #ccc;background:#fff;cursor:pointer}button:focus,button:hover{background:#eef5ff}"
)


def _page(title: str, body: str, status: int = 200) -> Reply:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><main><h1>{html.escape(title)}</h1>{body}</main></html>"
    )
    return Reply(status=status, text=text, media_type="text/html; charset=utf-8")
