"""The rules of sign-in: who gets a token for what, and in which words Entra ID refuses.

Knows no HTTP. Refusals are CloudErrors whose code is the OAuth error and whose message starts with the AADSTS number.
Sources: https://learn.microsoft.com/entra/identity-platform/reference-error-codes,
https://learn.microsoft.com/partner-center/developer/enable-secure-app-model
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox import directory, first_party, tokens
from sandbox.wire import CloudError
from sandbox.world import Application, AppRoleAssignment, Cloud, Grant, Person, ServicePrincipal, Tenant, World

STORAGE = "e406a681-f3d4-42a8-90b6-c2b029497af1"
TOKEN_EXCHANGE = "api://AzureADTokenExchange"  # noqa: S105 - a well-known audience, no secret
"""Audience of an assertion that stands for a secret (workload identity federation)."""

RESOURCES = {
    tokens.GRAPH: first_party.GRAPH,
    tokens.ARM: first_party.ARM,
    tokens.ARM_CLASSIC: first_party.ARM,
    tokens.PARTNER_CENTER: first_party.PARTNER_CENTER,
    tokens.VAULT: first_party.KEY_VAULT,
    "https://storage.azure.com": STORAGE,
}
"""Audience of a first-party resource -> its application id."""
AUDIENCES = {app_id: audience for audience, app_id in reversed(RESOURCES.items())}

OIDC_SCOPES = {"openid", "profile", "email", "offline_access"}

REFUSALS = {
    50053: (
        "invalid_grant",
        "The account is locked, you've tried to sign in too many times.",
    ),
    50057: ("invalid_grant", "The user account is disabled."),
    50076: (
        "interaction_required",
        (
            "Due to a configuration change made by your administrator, or because you moved to a new location, you "
            "must use multi-factor authentication to access the resource."
        ),
    ),
    50079: (
        "interaction_required",
        (
            "Due to a configuration change made by your administrator, or because you moved to a new location, you "
            "must enroll in multi-factor authentication to access the resource."
        ),
    ),
    50173: (
        "invalid_grant",
        (
            "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might "
            "have changed or reset their password."
        ),
    ),
    53003: (
        "interaction_required",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    700082: (
        "invalid_grant",
        "The refresh token has expired due to inactivity. It was inactive for 90.00:00:00.",
    ),
    530032: ("invalid_grant", "User blocked due to risk on home tenant."),
}
"""Refusals that the control API can put on a person: AADSTS number -> (OAuth error, text)."""


def aadsts(number: int, message: str, error: str = "invalid_grant", status: int = 400) -> CloudError:
    """A refusal of the sign-in service."""
    return CloudError(status, error, f"AADSTS{number}: {message}", extra={"number": number})


def tenant_of(world: World, name: str) -> Tenant | None:
    """The tenant called `name` (id, default or initial domain); None for common and organizations.

    Raises CloudError AADSTS90002 for an unknown one.
    """
    lowered = name.lower()
    if lowered in ("common", "organizations"):
        return None
    if lowered in world.tenants:
        return world.tenants[lowered]
    for tenant in world.tenants.values():
        if lowered in (tenant.default_domain.lower(), tenant.initial_domain.lower()):
            return tenant
    raise aadsts(
        90002,
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
        "invalid_request",
    )


def application_of(world: World, client_id: str, directory: str) -> Application:
    """The registration of a client id (or of a managed identity). Raises CloudError AADSTS700016."""
    app = world.applications_by_id().get(client_id.lower())
    if app is None:
        raise not_in_directory(client_id, directory)
    return app


def not_in_directory(client_id: str, directory: str) -> CloudError:
    """AADSTS700016: the client is not known where the token was asked for."""
    return aadsts(
        700016,
        f"Application with identifier '{client_id}' was not found in the directory '{directory}'. This can happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any user "
        "in the tenant. You may have sent your authentication request to the wrong tenant.",
        "unauthorized_client",
    )


def parse_scope(world: World, scope: str) -> dict[str, list[str]]:
    """A scope string as resource audience -> permission names; the OpenID scopes left out.

    Doubled slashes (`https://graph.microsoft.com//.default`) are accepted, as clients send them. A bare name is
    Graph's. Raises CloudError AADSTS500011 for an unknown resource.
    """
    found: dict[str, list[str]] = {}
    for item in scope.split():
        if item in OIDC_SCOPES:
            continue
        resource, _, permission = item.rpartition("/")
        audience = resource_of(world, resource.rstrip("/")) if resource else tokens.GRAPH
        found.setdefault(audience, []).append(permission)
    return found


def resource_of(world: World, resource: str) -> str:
    """The audience that a resource URL, `api://` URI or application id stands for. Raises CloudError AADSTS500011."""
    trimmed = resource.rstrip("/")
    if trimmed.lower() in RESOURCES:
        return trimmed.lower()
    app_id = trimmed.removeprefix("api://").lower()
    if app_id in AUDIENCES:
        return AUDIENCES[app_id]
    if app_id in world.applications_by_id():
        return app_id
    raise aadsts(
        500011,
        f"The resource principal named {resource} was not found in the tenant. This can happen if the application "
        "has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
        "invalid_resource",
    )


def visible_principal(world: World, tenant: Tenant, app_id: str) -> ServicePrincipal | None:
    """The service principal of an application in a tenant, once replication has made it visible."""
    found = tenant.sp_of(app_id)
    return found if found is not None and found.visible_at <= world.clock.now() else None


def resource_app(audience: str) -> str:
    """The application id behind an audience."""
    return RESOURCES.get(audience, audience)


def granted(world: World, tenant: Tenant, app_id: str, person: Person, audience: str) -> list[str]:
    """Delegated permissions that an application has for a person in a tenant, in the order granted."""
    client, resource = (
        visible_principal(world, tenant, app_id),
        tenant.sp_of(resource_app(audience)),
    )
    if client is None or resource is None:
        return []
    scopes: dict[str, None] = {}
    for grant in tenant.grants.values():
        applies = grant.consent_type == "AllPrincipals" or grant.principal_id == person.object_id
        if grant.client_id == client.id and grant.resource_id == resource.id and applies:
            scopes.update(dict.fromkeys(grant.scope.split()))
    return list(scopes)


def check_person(person: Person, issued_at: datetime) -> None:
    """Raises the CloudError with which a refresh of this person's sign-in of `issued_at` ends, if any."""
    if person.refused_with is not None:
        raise refusal(person.refused_with)
    if person.revoked_at is not None and person.revoked_at >= issued_at:
        raise refusal(50173)


def refusal(number: int) -> CloudError:
    """One of REFUSALS as an error."""
    error, text = REFUSALS[number]
    return aadsts(number, text, error)


def user_claims(
    cloud: Cloud,
    app: Application,
    person: Person,
    tenant: Tenant,
    audience: str,
    asked: list[str],
) -> dict[str, Any]:
    """Claims of an access token for a person through an application, in the home or a customer tenant.

    `asked` are permission names; `.default` stands for everything granted. Raises CloudError: AADSTS50076 (no MFA
    towards a customer), AADSTS50020 (not known there), AADSTS65001 (no service principal or no grant there).
    """
    world = cloud.world
    wids = directory.delegated_roles(world, person, tenant)
    if tenant.id != person.tenant_id:
        if not (wids or _reaches_azure(world, tenant, person, audience)):
            raise aadsts(
                50020,
                f"User account '{person.user_principal_name}' from identity provider "
                f"'https://sts.windows.net/{person.tenant_id}/' does not exist in tenant '{tenant.name}' and cannot "
                f"access the application '{app.app_id}'({app.display_name}) in that tenant. The account needs to be "
                "added as an external user in the tenant first.",
            )
        if not person.mfa:
            raise refusal(50076)
    scopes = granted(world, tenant, app.app_id, person, audience)
    missing = [name for name in asked if name != ".default" and name not in scopes]
    if not scopes or missing:
        raise aadsts(
            65001,
            f"The user or administrator has not consented to use the application with ID '{app.app_id}' named "
            f"'{app.display_name}'. Send an interactive authorization request for this user and resource.",
        )
    claims: dict[str, Any] = {
        "aud": audience,
        "tid": tenant.id,
        "oid": person.object_id,
        "sub": person.object_id,
        "name": person.display_name,
        "upn": person.user_principal_name,
        "preferred_username": person.user_principal_name,
        "appid": app.app_id,
        "azp": app.app_id,
        "azpacr": "0" if app.spa else "1",
        "idtyp": "user",
        "scp": " ".join(scopes),
        "wids": sorted(wids),
        "amr": ["pwd", "mfa"] if person.mfa else ["pwd"],
    }
    if tenant.id != person.tenant_id:
        claims["idp"] = f"https://sts.windows.net/{person.tenant_id}/"
    if audience in world.applications_by_id() and person.api_roles:
        claims["roles"] = list(person.api_roles)
    return claims


def _reaches_azure(world: World, tenant: Tenant, person: Person, audience: str) -> bool:
    """AdminAgents act in a reseller customer's Azure without any directory role there."""
    agents = world.partner.admin_agents_group
    related = tenant.relationship_to_partner == "reseller" or bool(world.relationships_of(tenant.id))
    return resource_app(audience) == first_party.ARM and agents in person.groups and related


def app_claims(cloud: Cloud, app: Application, tenant: Tenant, audience: str) -> dict[str, Any]:
    """Claims of an app-only token. `roles` are the app roles in effect now.

    Raises CloudError AADSTS7000229 (no service principal in that tenant) or AADSTS700016 (not visible yet).
    """
    world = cloud.world
    principal = tenant.sp_of(app.app_id)
    if principal is None:
        if not app.multi_tenant:
            raise not_in_directory(app.app_id, tenant.name)
        raise aadsts(
            7000229,
            f"The client application {app.app_id} is missing service principal in the tenant {tenant.id}. See "
            "instructions here: https://go.microsoft.com/fwlink/?linkid=2225119.",
            "unauthorized_client",
            401,
        )
    if principal.visible_at > world.clock.now():
        raise not_in_directory(app.app_id, tenant.name)
    roles = effective_roles(world, tenant, principal, audience)
    claims: dict[str, Any] = {
        "aud": audience,
        "tid": tenant.id,
        "oid": principal.id,
        "sub": principal.id,
        "appid": app.app_id,
        "azp": app.app_id,
        "azpacr": "1",
        "app_displayname": app.display_name,
        "idtyp": "app",
    }
    if roles:
        claims["roles"] = roles
    return claims


def effective_roles(world: World, tenant: Tenant, principal: ServicePrincipal, audience: str) -> list[str]:
    """Values of the app roles of a resource that a service principal holds and that have come into effect."""
    resource = tenant.sp_of(resource_app(audience))
    if resource is None:
        return []
    values = role_values(resource)
    now = world.clock.now()
    return [
        values[assignment.app_role_id]
        for assignment in tenant.app_role_assignments.values()
        if assignment.principal_id == principal.id
        and assignment.resource_id == resource.id
        and assignment.effective_at <= now
        and assignment.app_role_id in values
    ]


def role_values(resource: ServicePrincipal) -> dict[str, str]:
    """App role id -> value of what a resource offers."""
    known = first_party.APPLICATIONS.get(resource.app_id)
    values = {role_id: value for value, role_id in known.roles.items()} if known else {}
    return values | {role["id"]: role["value"] for role in resource.app_roles}


def consent(cloud: Cloud, tenant: Tenant, app: Application, scopes: dict[str, list[str]]) -> None:
    """An administrator's consent for everyone: service principal and delegated grants (resource app id -> names).

    What is granted already stays; names are added to it.
    """
    client = tenant.sp_of(app.app_id) or directory.create_principal(cloud, tenant, app.app_id)
    for resource_app_id, names in scopes.items():
        resource = tenant.sp_of(resource_app_id)
        if resource is None or not names:
            continue
        key = (client.id, resource.id, "AllPrincipals")
        held = next(
            (g for g in tenant.grants.values() if (g.client_id, g.resource_id, g.consent_type) == key),
            None,
        )
        if held is None:
            # Made directly: the sign-in page waits for the new service principal to be replicated.
            held = Grant(cloud.world.guid("grant", client.id, resource.id), *key[:2], "AllPrincipals", None, "")
            tenant.grants[held.id] = held
        held.scope = " ".join(dict.fromkeys([*held.scope.split(), *names]))


def consent_roles(cloud: Cloud, tenant: Tenant, app: Application) -> None:
    """The application permissions that an admin consent page grants: all that the registration requires."""
    client = tenant.sp_of(app.app_id) or directory.create_principal(cloud, tenant, app.app_id)
    now = cloud.clock.now()
    for resource_app_id, values in app.required_roles.items():
        resource = tenant.sp_of(resource_app_id)
        if resource is None:
            continue
        held = {(a.principal_id, a.resource_id, a.app_role_id) for a in tenant.app_role_assignments.values()}
        for role_id, value in role_values(resource).items():
            if value in values and (client.id, resource.id, role_id) not in held:
                row_id = cloud.world.guid("app-role-assignment", client.id, resource.id, role_id)
                row = AppRoleAssignment(row_id, client.id, resource.id, role_id, now, now)
                tenant.app_role_assignments[row_id] = row
