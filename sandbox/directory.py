"""Rules of an Entra directory: service principals, permission grants, app role assignments, delegated admin roles.

No HTTP here: functions change a `Tenant` and raise `CloudError` with Graph's codes and texts. Microsoft Graph, Partner
Center's consent and the sign-in service all go through these functions, so one object exists once.
Objects become visible `Behaviour.replication_lag` seconds (sandbox time) after they were made. A write that names an
object not visible yet answers 404, and about half of such writes are applied all the same, as replicas of a real
directory do: the repeated call then meets "already exists".
Source: https://learn.microsoft.com/graph/api/resources/serviceprincipal
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.first_party import APPLICATIONS
from sandbox.wire import CloudError
from sandbox.world import AppRoleAssignment, Cloud, Grant, Person, ServicePrincipal, Tenant, World

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_ROLE_ADMINISTRATOR = "e8611ab8-c189-46e8-94e1-60213ab1f814"
APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
CLOUD_APPLICATION_ADMINISTRATOR = "158c047a-c907-4556-b7ef-446551a6b5f7"

CONSENT_ROLES = frozenset(
    {
        GLOBAL_ADMINISTRATOR,
        PRIVILEGED_ROLE_ADMINISTRATOR,
        APPLICATION_ADMINISTRATOR,
        CLOUD_APPLICATION_ADMINISTRATOR,
    }
)
"""Directory roles that may consent for a whole tenant, by role template id."""
APPLICATION_ADMINISTRATORS = CONSENT_ROLES - {PRIVILEGED_ROLE_ADMINISTRATOR}
"""Those of them that make, change and delete service principals, which a Privileged Role Administrator may not.

Source: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
"""
GRAPH_ROLE_GRANTERS = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR})
"""The only ones that may give an application permissions of Microsoft Graph itself.

Source: https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent (prerequisites).
"""

_DELETED = "deletedServicePrincipals"


@dataclass
class Deleted:
    """A soft-deleted service principal with what it held. Kept 30 days by Entra ID, until the next reset here."""

    service_principal: ServicePrincipal
    deleted: datetime
    grants: list[Grant]
    assignments: list[AppRoleAssignment]


def not_found(identifier: str) -> CloudError:
    """Graph's 404 for an object that is not there, or not there yet."""
    return CloudError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{identifier}' does not exist or one of its queried reference-property objects are not present.",
    )


def bad_request(message: str, detail: str | None = None, target: str | None = None) -> CloudError:
    """Graph's 400 for a body it cannot use; `detail` is the inner code of the `details` list."""
    extra = {"details": [{"code": detail, "message": message, "target": target}]} if detail else {}
    return CloudError(400, "Request_BadRequest", message, extra=extra)


def is_guid(text: object) -> bool:
    """Whether a value is a GUID in its usual spelling."""
    if not isinstance(text, str) or len(text) != 36:
        return False
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def visible(cloud: Cloud, principal: ServicePrincipal) -> bool:
    """Whether replication has brought the object to the replica that answers."""
    return principal.visible_at <= cloud.clock.now()


def visible_principals(cloud: Cloud, tenant: Tenant) -> list[ServicePrincipal]:
    """The service principals a reader sees, in the order they were made."""
    return [sp for sp in tenant.service_principals.values() if visible(cloud, sp)]


def find_principal(cloud: Cloud, tenant: Tenant, object_id: str) -> ServicePrincipal:
    """A visible service principal by object id. Raises CloudError 404 Request_ResourceNotFound."""
    principal = tenant.service_principals.get(object_id.lower())
    if principal is None or not visible(cloud, principal):
        raise not_found(object_id)
    return principal


def find_principal_of(cloud: Cloud, tenant: Tenant, app_id: str) -> ServicePrincipal:
    """A visible service principal by application id. Raises CloudError 404 Request_ResourceNotFound."""
    principal = tenant.sp_of(app_id.lower())
    if principal is None or not visible(cloud, principal):
        raise not_found(app_id)
    return principal


def create_principal(cloud: Cloud, tenant: Tenant, app_id: str, *, display_name: str | None = None) -> ServicePrincipal:
    """Make the service principal of an application in a tenant.

    Raises CloudError 409 Request_MultipleObjectsWithSameKeyValue when there is one (even one not visible yet), 400
    Request_BadRequest with detail NoBackingApplicationObject for an unknown or a foreign single-tenant application.
    """
    app_id = app_id.lower()
    if tenant.sp_of(app_id) is not None:
        raise CloudError(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "The service principal cannot be created, updated, or restored because the service principal name "
            f"{app_id} is already in use.",
            extra={"details": [{"code": "ObjectConflict", "message": "The name is in use.", "target": "appId"}]},
        )
    application = cloud.world.applications.get(app_id) or next(
        (row for row in cloud.world.applications.values() if row.app_id == app_id), None
    )
    first_party = APPLICATIONS.get(app_id)
    foreign = application is not None and application.home_tenant_id != tenant.id and not application.multi_tenant
    if (application is None and first_party is None) or foreign:
        raise bad_request(
            f"The appId '{app_id}' of the service principal does not reference a valid application object.",
            "NoBackingApplicationObject",
            "appId",
        )
    now = cloud.clock.now()
    known_name = application.display_name if application else first_party.display_name if first_party else app_id
    principal = ServicePrincipal(
        id=cloud.world.guid("sp", tenant.id, app_id),
        app_id=app_id,
        display_name=display_name or known_name,
        created=now,
        visible_at=now + timedelta(seconds=cloud.world.behaviour.replication_lag),
        app_roles=list(application.exposes_roles) if application else [],
        scopes=list(application.exposes_scopes) if application else list(first_party.scopes if first_party else ()),
    )
    deleted_principals(cloud.world, tenant).pop(principal.id, None)
    tenant.service_principals[principal.id] = principal
    return principal


def delete_principal(cloud: Cloud, tenant: Tenant, object_id: str) -> None:
    """Soft-delete a service principal; its grants and app roles go with it. Raises CloudError 404."""
    principal = tenant.service_principals.pop(object_id.lower(), None)
    if principal is None:
        raise not_found(object_id)
    ends = {principal.id}
    grants = [g for g in tenant.grants.values() if ends & {g.client_id, g.resource_id}]
    assignments = [a for a in tenant.app_role_assignments.values() if ends & {a.principal_id, a.resource_id}]
    for grant in grants:
        del tenant.grants[grant.id]
    for assignment in assignments:
        del tenant.app_role_assignments[assignment.id]
    deleted_principals(cloud.world, tenant)[principal.id] = Deleted(principal, cloud.clock.now(), grants, assignments)


def deleted_principals(world: World, tenant: Tenant) -> dict[str, Deleted]:
    """The tenant's soft-deleted service principals, by object id."""
    deleted: dict[str, dict[str, Deleted]] = world.extra.setdefault(_DELETED, {})
    return deleted.setdefault(tenant.id, {})


def restore_principal(cloud: Cloud, tenant: Tenant, object_id: str) -> ServicePrincipal:
    """Bring a soft-deleted service principal back with what it held. Raises CloudError 404, or 409 when replaced."""
    deleted = deleted_principals(cloud.world, tenant)
    row = deleted.get(object_id.lower())
    if row is None:
        raise not_found(object_id)
    if tenant.sp_of(row.service_principal.app_id) is not None:
        raise CloudError(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "The service principal cannot be created, updated, or restored because the service principal name "
            f"{row.service_principal.app_id} is already in use.",
        )
    del deleted[row.service_principal.id]
    tenant.service_principals[row.service_principal.id] = row.service_principal
    tenant.grants |= {grant.id: grant for grant in row.grants}
    tenant.app_role_assignments |= {assignment.id: assignment for assignment in row.assignments}
    return row.service_principal


def create_grant(
    cloud: Cloud,
    tenant: Tenant,
    *,
    client_id: str,
    resource_id: str,
    scope: str,
    consent_type: str = "AllPrincipals",
    principal_id: str | None = None,
) -> Grant:
    """Make a delegated permission grant; `scope` is space separated, ids are object ids in this tenant.

    Raises CloudError 409 Request_MultipleObjectsWithSameKeyValue "Permission entry already exists.", 400
    Request_BadRequest for ids of nothing, 404 Request_ResourceNotFound while a service principal is not visible yet.
    Source of the conflict: github.com/hashicorp/terraform-provider-azuread issue 690.
    """
    principals = _named(tenant, clientId=client_id, resourceId=resource_id)
    key = (client_id.lower(), resource_id.lower(), principal_id)
    if any((g.client_id, g.resource_id, g.principal_id) == key for g in tenant.grants.values()):
        raise CloudError(409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.")
    grant = Grant(packed_id(*filter(None, key)), key[0], key[1], consent_type, principal_id, " ".join(scope.split()))
    _write_despite_lag(cloud, principals, lambda: tenant.grants.update({grant.id: grant}), grant.id)
    return grant


def assign_app_role(
    cloud: Cloud, tenant: Tenant, *, principal_id: str, resource_id: str, app_role_id: str
) -> AppRoleAssignment:
    """Give a service principal an application permission; it takes effect after the replication lag.

    Raises CloudError 400 Request_BadRequest for a duplicate or a role the resource does not have, 404
    Request_ResourceNotFound while a service principal is not visible yet.
    Source: https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto
    """
    principals = _named(tenant, principalId=principal_id, resourceId=resource_id)
    resource = principals[1]
    if app_role_id not in role_ids(resource):
        raise bad_request(f"Permission being assigned was not found on application '{resource.app_id}'.")
    key = (principal_id.lower(), resource_id.lower(), app_role_id)
    if any((a.principal_id, a.resource_id, a.app_role_id) == key for a in tenant.app_role_assignments.values()):
        raise bad_request("Permission being assigned already exists on the object", "InvalidUpdate")
    now = cloud.clock.now()
    effective = now + timedelta(seconds=cloud.world.behaviour.replication_lag)
    assignment = AppRoleAssignment(packed_id(*key), *key, created=now, effective_at=effective)
    _write_despite_lag(
        cloud, principals, lambda: tenant.app_role_assignments.update({assignment.id: assignment}), assignment.id
    )
    return assignment


def role_ids(principal: ServicePrincipal) -> set[str]:
    """Ids of the application permissions that a resource offers."""
    first_party = APPLICATIONS.get(principal.app_id)
    built_in = set(first_party.roles.values()) if first_party else set()
    return built_in | {role["id"] for role in principal.app_roles}


def scope_names(principal: ServicePrincipal) -> set[str]:
    """Values of the delegated permissions that a resource offers."""
    first_party = APPLICATIONS.get(principal.app_id)
    return set(principal.scopes) | set(first_party.scopes if first_party else ())


def delegated_roles(world: World, person: Person, tenant: Tenant) -> set[str]:
    """Role template ids a person holds in a tenant: at home the directory roles, elsewhere what GDAP gives now.

    GDAP counts only through an active assignment of an active relationship to a group that holds the person.
    Source: https://learn.microsoft.com/graph/api/resources/delegatedadminaccessassignment
    """
    if person.tenant_id == tenant.id:
        return set(person.directory_roles)
    roles: set[str] = set()
    for relationship in world.relationships_of(tenant.id):
        if relationship.status not in ("active", "expiring"):
            continue
        for assignment in relationship.assignments.values():
            if assignment["status"] == "active" and assignment["group"] in person.groups:
                roles |= set(relationship.roles) & set(assignment["roles"])
    return roles


def _named(tenant: Tenant, **ids: str) -> list[ServicePrincipal]:
    principals = []
    for name, object_id in ids.items():
        principal = tenant.service_principals.get(object_id.lower())
        if principal is None:
            raise bad_request(f"Specified {name} was not found.", "InvalidValue", name)
        principals.append(principal)
    return principals


def _write_despite_lag(
    cloud: Cloud, principals: Iterable[ServicePrincipal], apply: Callable[[], object], key: str
) -> None:
    hidden = next((sp for sp in principals if not visible(cloud, sp)), None)
    applied_anyway = uuid.uuid5(uuid.NAMESPACE_OID, key).int & 1
    if hidden is None or applied_anyway:
        apply()
    if hidden is not None:
        raise not_found(hidden.id)


def packed_id(*ids: str) -> str:
    """An opaque, URL-safe id in the style of Graph's: the GUIDs' bytes in base64."""
    return base64.urlsafe_b64encode(b"".join(uuid.UUID(part).bytes_le for part in ids)).decode().rstrip("=")
