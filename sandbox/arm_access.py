"""Azure role-based access: who a token is, which roles it holds on a subscription, and the refusals.

Roles count at subscription scope only. Sources:
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
https://learn.microsoft.com/azure/lighthouse/concepts/tenants-users-roles
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sandbox.wire import Call, CloudError
from sandbox.world import RoleAssignment, Subscription, World

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
ASSIGNMENT_DELETE = "91c1777a-f3dc-4fae-b103-61d183457e46"


@dataclass(frozen=True)
class Role:
    """A built-in role definition: actions minus notActions, wildcards allowed."""

    id: str
    name: str
    description: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()


ROLES = {
    role.id: role
    for role in (
        Role(OWNER, "Owner", "Full access, assigning roles included.", ("*",)),
        Role(
            CONTRIBUTOR,
            "Contributor",
            "Full access, but for assigning roles.",
            ("*",),
            (
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
            ),
        ),
        Role(READER, "Reader", "View all resources, change none.", ("*/read",)),
        Role(
            USER_ACCESS_ADMINISTRATOR,
            "User Access Administrator",
            "Manage who has access.",
            ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
        ),
        Role(
            VM_CONTRIBUTOR,
            "Virtual Machine Contributor",
            "Manage virtual machines, not the access to them.",
            (
                "Microsoft.Authorization/*/read",
                "Microsoft.Compute/availabilitySets/*",
                "Microsoft.Compute/locations/*",
                "Microsoft.Compute/virtualMachines/*",
                "Microsoft.Compute/virtualMachineScaleSets/*",
                "Microsoft.Compute/disks/write",
                "Microsoft.Compute/disks/read",
                "Microsoft.Compute/disks/delete",
                "Microsoft.Network/networkInterfaces/*",
                "Microsoft.Network/publicIPAddresses/join/action",
                "Microsoft.Network/publicIPAddresses/read",
                "Microsoft.Network/virtualNetworks/read",
                "Microsoft.ResourceHealth/availabilityStatuses/read",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ),
        ),
        Role(
            ASSIGNMENT_DELETE,
            "Managed Services Registration assignment Delete Role",
            "Let the managing tenant end its own delegation.",
            (
                "Microsoft.ManagedServices/registrationAssignments/read",
                "Microsoft.ManagedServices/registrationAssignments/delete",
                "Microsoft.ManagedServices/operationStatuses/read",
            ),
        ),
    )
}
"""Role definition GUID -> role."""


@dataclass(frozen=True)
class Principal:
    """The caller of ARM. `ids` are every object id that a role assignment may name to mean them."""

    tenant_id: str
    object_id: str
    client: str
    """What refusals call them: the user principal name, or the application id."""
    ids: frozenset[str]

    @classmethod
    def of(cls, call: Call) -> Principal:
        """The principal of a call's verified token; a partner's user is known in customer tenants by the home id."""
        claims = call.claims
        oid = str(claims.get("oid", ""))
        person = next((p for p in call.world.people.values() if p.object_id == oid), None)
        groups = person.groups if person is not None else set()
        is_app = claims.get("idtyp") == "app"
        client = claims.get("appid") if is_app else claims.get("upn") or claims.get("preferred_username")
        return cls(str(claims["tid"]), oid, str(client or claims.get("appid", "")), frozenset({oid, *groups}))


def effective_at(world: World) -> dict[str, datetime]:
    """Role assignment id (lower case) -> when it starts to count; those not named count already."""
    known: dict[str, datetime] = world.extra.setdefault("arm.effective", {})
    return known


def assignments_of(world: World, subscription: Subscription, principal: Principal) -> list[RoleAssignment]:
    """The assignments on a subscription that count for a principal now."""
    pending, now = effective_at(world), world.clock.now()
    return [
        row
        for row in subscription.role_assignments
        if row.principal_id in principal.ids and (row.id.lower() not in pending or pending[row.id.lower()] <= now)
    ]


def roles_on(world: World, subscription: Subscription, principal: Principal) -> set[str]:
    """Role GUIDs of a principal on a subscription: by assignment at home, by Lighthouse from the partner's tenant."""
    if principal.tenant_id == subscription.tenant_id:
        return {row.role for row in assignments_of(world, subscription, principal)}
    if principal.tenant_id == world.partner.id:
        return {role for holder, role in subscription.managed_by.items() if holder in principal.ids}
    return set()


@cache
def _allows(role_id: str, action: str) -> bool:
    role = ROLES.get(role_id)
    if role is None:
        return False
    wanted = action.lower()
    return any(fnmatch.fnmatchcase(wanted, row.lower()) for row in role.actions) and not any(
        fnmatch.fnmatchcase(wanted, row.lower()) for row in role.not_actions
    )


def may(world: World, subscription: Subscription, principal: Principal, action: str) -> bool:
    """Whether a principal may perform an action on a subscription."""
    return any(_allows(role, action) for role in roles_on(world, subscription, principal))


def find_subscription(call: Call, subscription_id: str) -> Subscription:
    """The subscription of a path, in any case, after the check of the token's tenant.

    Raises CloudError 404 SubscriptionNotFound, 401 InvalidAuthenticationTokenTenant with its WWW-Authenticate header.
    """
    subscription = call.world.subscriptions.get(subscription_id.lower())
    if subscription is None:
        raise CloudError(404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found.")
    tid = str(call.claims["tid"])
    if tid == subscription.tenant_id or (tid == call.world.partner.id and subscription.managed_by):
        return subscription
    right = subscription.tenant_id
    text = (
        f"The access token is from the wrong issuer 'https://sts.windows.net/{tid}/'. It must match the tenant "
        f"'https://sts.windows.net/{right}/' associated with this subscription. Please use the authority (URL) "
        f"'https://login.windows.net/{right}' to get the token. Note, if the subscription is transferred to another "
        "tenant there is no impact to the services, but information about new tenant could take time to propagate "
        "(up to an hour). If you just transferred your subscription and see this error message, please try back later."
    )
    authority = f"https://login.windows.net/{right}"
    challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{text}"'
    raise CloudError(401, "InvalidAuthenticationTokenTenant", text, headers={"WWW-Authenticate": challenge})


def require(call: Call, subscription_id: str, action: str, scope: str | None = None) -> Subscription:
    """The subscription, when the caller may perform `action` over `scope` (by default the subscription).

    Raises what `find_subscription` raises, and CloudError 403 AuthorizationFailed.
    """
    subscription = find_subscription(call, subscription_id)
    principal = Principal.of(call)
    if may(call.world, subscription, principal, action):
        return subscription
    raise CloudError(
        403,
        "AuthorizationFailed",
        f"The client '{principal.client}' with object id '{principal.object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope or f'/subscriptions/{subscription.id}'}' or the scope is "
        "invalid. "
        "If access was recently granted, please refresh your credentials.",
    )


def role_definition(role: Role, subscription_id: str) -> dict[str, Any]:
    """A role definition as ARM returns it."""
    scope = f"/subscriptions/{subscription_id}"
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role.id}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [permissions(role)],
        },
    }


def permissions(role: Role) -> dict[str, Any]:
    """A role's actions as `permissions` lists them."""
    return {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": [],
        "notDataActions": [],
    }
