"""The permissions that Tenantry asks for, as data: one row per permission, with the reason shown to administrators.

Sign-in, Partner Center's consent, the grants written in each client tenant, and the table of a connection's permissions
are all made from these rows. Names are Microsoft's: learn.microsoft.com/graph/permissions-reference. Nothing is asked
for before a feature uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from typing_extensions import TypedDict

ApiName = Literal["graph", "arm", "partnerCenter"]
Type = Literal["delegated", "application"]
Place = Literal["partner", "client"]

GRAPH_APP_ID: Final = "00000003-0000-0000-c000-000000000000"
ARM_APP_ID: Final = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
PARTNER_CENTER_APP_ID: Final = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"

APIS: Final[dict[ApiName, tuple[str, str]]] = {
    "graph": (GRAPH_APP_ID, "Microsoft Graph"),
    "arm": (ARM_APP_ID, "Azure Service Management"),
    "partnerCenter": (PARTNER_CENTER_APP_ID, "Microsoft Partner Center"),
}
"""API -> application id, the same in every tenant and cloud, and name.

Source: learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in.
"""


@dataclass(frozen=True)
class Permission:
    """One permission of one API."""

    api: ApiName
    name: str
    """The permission's value, as in a token's `scp` or `roles`."""
    type: Type
    why: str
    places: frozenset[Place]
    """Where it is used: the partner's own tenant, its clients' tenants, or both."""

    @property
    def key(self) -> str:
        """`api/type/name`: how stored lists name it."""
        return f"{self.api}/{self.type}/{self.name}"


BOTH: Final[frozenset[Place]] = frozenset({"partner", "client"})
PARTNER: Final[frozenset[Place]] = frozenset({"partner"})

ALL: Final[tuple[Permission, ...]] = (
    Permission(
        "graph",
        "Directory.Read.All",
        "delegated",
        "Read the organization, the list of customers, and the groups of the account that signs in.",
        BOTH,
    ),
    Permission(
        "graph",
        "DelegatedAdminRelationship.Read.All",
        "delegated",
        "See which customers granted admin access (GDAP), with which roles and until when.",
        PARTNER,
    ),
    Permission(
        "graph",
        "Application.ReadWrite.All",
        "delegated",
        "Create and remove Tenantry's enterprise application in each tenant.",
        BOTH,
    ),
    Permission(
        "graph",
        "DelegatedPermissionGrant.ReadWrite.All",
        "delegated",
        "Keep the permissions of that enterprise application at what this list says.",
        BOTH,
    ),
    Permission(
        "graph",
        "AppRoleAssignment.ReadWrite.All",
        "delegated",
        "Give that enterprise application the application permissions of this list.",
        BOTH,
    ),
    Permission(
        "graph",
        "Directory.Read.All",
        "application",
        "Read a tenant without a person signed in, to verify that its synchronization works.",
        BOTH,
    ),
    Permission(
        "arm",
        "user_impersonation",
        "delegated",
        "List subscriptions, resources and their health, and act on virtual machines, where Azure roles allow it.",
        BOTH,
    ),
    Permission(
        "partnerCenter",
        "user_impersonation",
        "delegated",
        "List customers and consent to Tenantry in their tenants.",
        PARTNER,
    ),
)


def delegated(api: ApiName, place: Place) -> tuple[str, ...]:
    """Names of the delegated permissions of an API that are needed in the partner's or a client's tenant."""
    return tuple(row.name for row in ALL if (row.api, row.type) == (api, "delegated") and place in row.places)


def application(api: ApiName, place: Place) -> tuple[str, ...]:
    """Names of the application permissions (app roles) of an API that are needed in such a tenant."""
    return tuple(row.name for row in ALL if (row.api, row.type) == (api, "application") and place in row.places)


def apis(place: Place) -> tuple[ApiName, ...]:
    """The APIs that anything is asked of in such a tenant."""
    return tuple(dict.fromkeys(row.api for row in ALL if place in row.places))


class PermissionView(TypedDict):
    """A permission that Tenantry asks for: of which API, why, and whether the partner's own tenant granted it."""

    api: str
    apiId: str
    permission: str
    type: Type
    why: str
    granted: bool


def view(permission: Permission, granted: frozenset[str]) -> PermissionView:
    """As the API shows it; `granted` holds keys."""
    app_id, name = APIS[permission.api]
    return {
        "api": name,
        "apiId": app_id,
        "permission": permission.name,
        "type": permission.type,
        "why": permission.why,
        "granted": permission.key in granted,
    }
