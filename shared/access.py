"""Who may do what, where: permissions from the token's app roles, sites from the Access table. Default deny."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jwt
from pydantic import Field

from shared.app import App
from shared.errors import Forbidden, NotFound, Unauthenticated
from shared.store.tables import Kind, Record

DEVICES_READ: Final = "CloudDevices.Read"
DEVICES_UPDATE: Final = "CloudDevices.Update"
ALERTS_MANAGE: Final = "Alerts.Manage"
M365_READ: Final = "Microsoft365.Read"
M365_MANAGE: Final = "Microsoft365.Manage"
M365_MANAGE_PRIVILEGED: Final = "Microsoft365.ManagePrivileged"
COLLECTIONS_READ: Final = "Collections.Read"
COLLECTIONS_MANAGE: Final = "Collections.Manage"
ADMIN: Final = "Integration.Admin"
SIGNED_IN: Final = "signedIn"
"""Not an app role: any token of the provider's tenant."""

INCLUDES: Final[dict[str, frozenset[str]]] = {
    DEVICES_READ: frozenset(),
    DEVICES_UPDATE: frozenset({DEVICES_READ}),
    ALERTS_MANAGE: frozenset({DEVICES_READ}),
    M365_READ: frozenset(),
    M365_MANAGE: frozenset({M365_READ}),
    M365_MANAGE_PRIVILEGED: frozenset({M365_MANAGE, M365_READ}),
    COLLECTIONS_READ: frozenset(),
    COLLECTIONS_MANAGE: frozenset({COLLECTIONS_READ}),
}
"""What else each app role allows. ADMIN includes all of them."""

CLOCK_SKEW_SECONDS = 60


def expand(roles: Iterable[str]) -> frozenset[str]:
    """Every permission that these app roles give; unknown roles give none."""
    given: set[str] = set()
    for role in roles:
        if role == ADMIN:
            given |= {ADMIN, *INCLUDES}
        elif role in INCLUDES:
            given |= {role, *INCLUDES[role]}
    return frozenset(given)


@dataclass(frozen=True)
class Principal:
    """Who calls. `sites` None means every site (Integration.Admin)."""

    id: str
    name: str
    permissions: frozenset[str]
    sites: frozenset[str] | None

    def require(self, *any_of: str) -> None:
        """Raises Forbidden unless one of the permissions is held."""
        if SIGNED_IN not in any_of and not self.permissions.intersection(any_of):
            raise Forbidden(f"This needs the app role {' or '.join(any_of)}. Ask an administrator to assign it to you.")

    def sees_site(self, site_id: str | None) -> bool:
        """Whether a site, or what has none (None), is in scope."""
        return self.sites is None or (site_id is not None and site_id in self.sites)

    def require_site(self, site_id: str | None, what: str) -> None:
        """Raises NotFound, as if it did not exist, when the site is out of scope."""
        if not self.sees_site(site_id):
            raise NotFound(f"There is no {what}.")


class Grant(Record):
    """The sites a principal may see."""

    principal_id: str
    name: str = ""
    """What administrators call the principal: Tenantry does not read the provider's directory."""
    site_ids: list[str] = Field(default_factory=list)
    at: datetime | None = None
    """When somebody set it, UTC."""


GRANTS = Kind("Access", Grant, lambda g: ("access", g.principal_id))


async def grant_of(app: App, principal_id: str) -> Grant | None:
    """What is granted to a principal now; None when nothing ever was."""
    return await app.tables.get(GRANTS, "access", principal_id)


async def granted(app: App, principal_id: str) -> frozenset[str]:
    """The sites that are granted to a principal now; none when nothing ever was."""
    grant = await grant_of(app, principal_id)
    return frozenset(grant.site_ids if grant else ())


async def withdraw(app: App, site_id: str) -> None:
    """Take a site out of every grant; harmless when repeated. Raises Conflict when a grant is changed all the time."""
    for grant in await app.tables.all(GRANTS, "access"):
        if site_id in grant.site_ids:
            await app.tables.update(GRANTS, "access", grant.principal_id, lambda current: without(current, [site_id]))


def without(grant: Grant, site_ids: Iterable[str]) -> Grant | None:
    """The grant without some sites; None when it has none of them."""
    kept = [site_id for site_id in grant.site_ids if site_id not in set(site_ids)]
    return None if kept == grant.site_ids else grant.changed(site_ids=kept)


async def authenticate(app: App, authorization: str | None) -> Principal:
    """The caller of a request, from its Authorization header. Raises Unauthenticated."""
    return await _principal(app, await _claims(app, authorization))


async def calling_application(app: App, authorization: str | None) -> tuple[str, frozenset[str]]:
    """Client id (lower case) and app roles of the application that calls, without a person. Raises Unauthenticated.

    A token with a delegated scope speaks for a person, whatever application asked for it
    (learn.microsoft.com/entra/identity-platform/access-token-claims-reference: scp, azp, roles).
    """
    claims = await _claims(app, authorization)
    if "scp" in claims:
        raise Unauthenticated("The access token is a person's. This takes an application's own.")
    roles = claims.get("roles")
    return str(claims.get("azp") or "").lower(), frozenset(roles if isinstance(roles, list) else [])


async def _claims(app: App, authorization: str | None) -> dict[str, Any]:
    """The claims of a token, once signature, issuer, audience, expiry and tenant are checked.

    learn.microsoft.com/entra/identity-platform/access-tokens. Raises Unauthenticated.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send an Entra ID access token for this API in the Authorization header.")
    settings = app.settings
    try:
        header = jwt.get_unverified_header(token)
        key = await app.identity.signing_key(str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=[settings.api_client_id, f"api://{settings.api_client_id}"],
            issuer=f"{settings.login_url}/{settings.api_tenant_id}/v2.0",
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": ["exp", "iat", "aud", "iss", "oid", "tid"]},
        )
    except jwt.PyJWTError as error:
        raise Unauthenticated(f"The access token is not valid: {error}. Sign in again.") from error
    if claims["tid"] != settings.api_tenant_id:
        raise Unauthenticated("The access token is of another tenant.")
    return claims


async def _principal(app: App, claims: dict[str, Any]) -> Principal:
    roles = claims.get("roles")
    permissions = expand(roles if isinstance(roles, list) else [])
    principal_id = str(claims["oid"])
    sites = None if ADMIN in permissions else await granted(app, principal_id)
    name = str(claims.get("name") or claims.get("preferred_username") or claims.get("azp") or principal_id)
    return Principal(principal_id, name, permissions, sites)
