"""Microsoft.Authorization: role assignments, role definitions and the caller's own permissions.

Only subscription scope is known: what is held there is held on all that lies in it. Source: https://learn.microsoft.com/rest/api/authorization/role-assignments
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sandbox import arm_access
from sandbox.arm_access import ROLES, Principal, require
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import RoleAssignment, Subscription, World

_PREFIX = "/subscriptions/{sub}/providers/Microsoft.Authorization"
_NAMESPACE = "Microsoft.Authorization"


def add_routes(service: Service) -> None:
    """Register the routes."""

    @service.route(
        "GET", "/subscriptions/{sub}/resourceGroups/{rest:path}/providers/Microsoft.Authorization/permissions"
    )
    @service.route("GET", _PREFIX + "/permissions")
    async def permissions(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/permissions/read")
        held = arm_access.roles_on(call.world, subscription, Principal.of(call))
        return Reply({"value": [arm_access.permissions(ROLES[role]) for role in sorted(held) if role in ROLES]})

    @service.route("GET", _PREFIX + "/roleDefinitions")
    async def role_definitions(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/roleDefinitions/read")
        match = re.search(r"roleName\s+eq\s+'([^']*)'", call.query.get("$filter", ""), re.IGNORECASE)
        rows = [role for role in ROLES.values() if match is None or role.name.lower() == match[1].lower()]
        return Reply({"value": [arm_access.role_definition(role, subscription.id) for role in rows]})

    @service.route("GET", _PREFIX + "/roleDefinitions/{role}")
    async def role_definition(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/roleDefinitions/read")
        return Reply(arm_access.role_definition(_role(call.params["role"]), subscription.id))

    @service.route("GET", _PREFIX + "/roleAssignments")
    async def list_assignments(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/roleAssignments/read")
        match = re.search(
            r"(principalId\s+eq\s+|assignedTo\(\s*)'([^']*)'", call.query.get("$filter", ""), re.IGNORECASE
        )
        rows = [r for r in subscription.role_assignments if match is None or r.principal_id.lower() == match[2].lower()]
        return Reply({"value": [_shape(subscription, row) for row in rows]})

    @service.route("GET", _PREFIX + "/roleAssignments/{name}")
    async def get_assignment(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/roleAssignments/read")
        row = _find(subscription, call.params["name"])
        if row is None:
            text = f"The role assignment '{call.params['name']}' is not found."
            raise CloudError(404, "RoleAssignmentNotFound", text)
        return Reply(_shape(subscription, row))

    @service.route("PUT", _PREFIX + "/roleAssignments/{name}")
    async def put_assignment(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/roleAssignments/write", _scope_of(call))
        return _put(call, subscription)

    @service.route("DELETE", _PREFIX + "/roleAssignments/{name}")
    async def delete_assignment(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], f"{_NAMESPACE}/roleAssignments/delete", _scope_of(call))
        row = _find(subscription, call.params["name"])
        if row is None:
            return Reply(status=204)
        subscription.role_assignments.remove(row)
        subscription.version += 1
        return Reply(_shape(subscription, row))


def _put(call: Call, subscription: Subscription) -> Reply:
    name = call.params["name"]
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name, re.IGNORECASE):
        text = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        raise CloudError(400, "InvalidRoleAssignmentId", text)
    properties: dict[str, Any] = call.body.get("properties") or {}
    principal_id = str(properties.get("principalId", "")).lower()
    role = _role(str(properties.get("roleDefinitionId", "")).rsplit("/", 1)[-1])
    stated = properties.get("principalType")
    kind = _principal_type(call.world, subscription, principal_id, stated=stated is not None)
    existing = _find(subscription, name)
    if existing is not None and (existing.principal_id, existing.role) != (principal_id, role.id):
        raise CloudError(
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    if any(row.principal_id == principal_id and row.role == role.id for row in subscription.role_assignments):
        raise CloudError(409, "RoleAssignmentExists", "The role assignment already exists.")
    row = RoleAssignment(
        id=f"/subscriptions/{subscription.id}/providers/Microsoft.Authorization/roleAssignments/{name.lower()}",
        principal_id=principal_id,
        principal_type=str(stated or kind),
        role=role.id,
    )
    subscription.role_assignments.append(row)
    if lag := call.world.behaviour.replication_lag:
        arm_access.effective_at(call.world)[row.id.lower()] = call.world.clock.now() + timedelta(seconds=lag)
    subscription.version += 1
    return Reply(_shape(subscription, row), 201)


def _principal_type(world: World, subscription: Subscription, principal_id: str, *, stated: bool) -> str:
    """The kind of directory object an id names. A stated type also finds one that has not replicated yet.

    Raises CloudError 400 PrincipalNotFound.
    """
    tenant = world.tenants[subscription.tenant_id]
    found = tenant.service_principals.get(principal_id)
    if found is None:
        found = next((sp for sp in tenant.service_principals.values() if sp.id == principal_id), None)
    if found is not None and (stated or found.visible_at <= world.clock.now()):
        return "ServicePrincipal"
    if principal_id in tenant.groups:
        return "Group"
    if principal_id in world.partner.groups or principal_id == world.partner.admin_agents_group:
        return "ForeignGroup"
    if any(person.object_id == principal_id and person.tenant_id == tenant.id for person in world.people.values()):
        return "User"
    raise CloudError(
        400,
        "PrincipalNotFound",
        f"Principal {principal_id.replace('-', '')} does not exist in the directory {tenant.id}. Check that you "
        "have the correct principal ID. If you are creating this principal and then immediately assigning a role, this "
        "error might be related to a replication delay. In this case, set the role assignment principalType property "
        "to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
    )


def _role(role_id: str) -> arm_access.Role:
    role = ROLES.get(role_id.lower())
    if role is None:
        text = f"The specified role definition with ID '{role_id}' does not exist."
        raise CloudError(404, "RoleDefinitionDoesNotExist", text)
    return role


def _find(subscription: Subscription, name: str) -> RoleAssignment | None:
    return next((r for r in subscription.role_assignments if r.id.rsplit("/", 1)[-1].lower() == name.lower()), None)


def _scope_of(call: Call) -> str:
    scope = f"/subscriptions/{call.params['sub']}"
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{call.params['name']}"


def _shape(subscription: Subscription, row: RoleAssignment) -> dict[str, Any]:
    scope = f"/subscriptions/{subscription.id}"
    name = row.id.rsplit("/", 1)[-1]
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
        "properties": {
            "roleDefinitionId": f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{row.role}",
            "principalId": row.principal_id,
            "principalType": row.principal_type,
            "scope": scope,
        },
    }
