"""Graph routes of service principals, permission grants, app role assignments, applications and deleted items.

Source: https://learn.microsoft.com/graph/api/resources/serviceprincipal and the pages of its methods.
"""

from __future__ import annotations

from typing import Any

from sandbox import directory
from sandbox.directory import APPLICATION_ADMINISTRATORS, CONSENT_ROLES, GRAPH_ROLE_GRANTERS, bad_request, not_found
from sandbox.first_party import APPLICATIONS, GRAPH, MICROSOFT_SERVICES_TENANT, app_role, permission_scope
from sandbox.graph.frame import require, tenant_of
from sandbox.graph.odata import Collection, collection, single
from sandbox.wire import Call, Reply, Service
from sandbox.world import Application, AppRoleAssignment, Cloud, Grant, ServicePrincipal, Tenant

READ = ("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
WRITE = ("Application.ReadWrite.All", "Directory.ReadWrite.All")
OWNED = (*WRITE, "Application.ReadWrite.OwnedBy")
GRANTS = ("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All")
READ_GRANTS = (*GRANTS, "Directory.Read.All")
ROLES = ("AppRoleAssignment.ReadWrite.All",)

PRINCIPALS = Collection("microsoft.graph.servicePrincipal")
APPS = Collection("microsoft.graph.application")
GRANT = Collection(
    "microsoft.graph.oAuth2PermissionGrant",
    properties=frozenset({"id", "clientId", "consentType", "principalId", "resourceId", "scope"}),
)
ASSIGNMENT = Collection(
    "microsoft.graph.appRoleAssignment", properties=frozenset({"id", "appRoleId", "principalId", "resourceId"})
)


def timestamp(moment: Any) -> str | None:
    """A time as Graph writes it: UTC, seconds, Z; None stays None."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def shape_principal(cloud: Cloud, principal: ServicePrincipal, *, deleted: Any = None) -> dict[str, Any]:
    """A service principal with Graph's property names."""
    application = _application(cloud, principal.app_id)
    first_party = APPLICATIONS.get(principal.app_id)
    roles = {role["id"]: role for role in principal.app_roles}
    scopes = {value: cloud.world.guid("scope", principal.app_id, value) for value in principal.scopes}
    owner = application.home_tenant_id if application else MICROSOFT_SERVICES_TENANT
    if first_party:
        roles = {role_id: app_role(value, role_id) for value, role_id in first_party.roles.items()} | roles
        scopes |= first_party.scopes
    return {
        "id": principal.id,
        "deletedDateTime": timestamp(deleted),
        "accountEnabled": True,
        "alternativeNames": [],
        "appDisplayName": principal.display_name,
        "appId": principal.app_id,
        "appOwnerOrganizationId": owner,
        "appRoleAssignmentRequired": False,
        "appRoles": [app_role(role.get("value", ""), role_id) | role for role_id, role in roles.items()],
        "createdDateTime": timestamp(principal.created),
        "displayName": principal.display_name,
        "homepage": None,
        "keyCredentials": [],
        "oauth2PermissionScopes": [permission_scope(value, scope_id) for value, scope_id in scopes.items()],
        "passwordCredentials": [],
        "replyUrls": list(application.redirect_uris) if application else [],
        "servicePrincipalNames": [principal.app_id, *(first_party.names if first_party else ())],
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg" if application and not application.multi_tenant else "AzureADMultipleOrgs",
        "tags": [],
    }


def shape_grant(grant: Grant) -> dict[str, Any]:
    """An oauth2PermissionGrant with Graph's property names."""
    return {
        "id": grant.id,
        "clientId": grant.client_id,
        "consentType": grant.consent_type,
        "principalId": grant.principal_id,
        "resourceId": grant.resource_id,
        "scope": grant.scope,
    }


def shape_assignment(tenant: Tenant, assignment: AppRoleAssignment) -> dict[str, Any]:
    """An appRoleAssignment with Graph's property names."""
    principal = tenant.service_principals.get(assignment.principal_id)
    resource = tenant.service_principals.get(assignment.resource_id)
    return {
        "id": assignment.id,
        "deletedDateTime": None,
        "appRoleId": assignment.app_role_id,
        "createdDateTime": timestamp(assignment.created),
        "principalDisplayName": principal.display_name if principal else None,
        "principalId": assignment.principal_id,
        "principalType": "ServicePrincipal",
        "resourceDisplayName": resource.display_name if resource else None,
        "resourceId": assignment.resource_id,
    }


def _application(cloud: Cloud, app_id: str) -> Application | None:
    return next((row for row in cloud.world.applications.values() if row.app_id == app_id), None)


def _principal(call: Call) -> ServicePrincipal:
    """The service principal that the path names, by object id or by application id."""
    tenant = tenant_of(call)
    if "app_id" in call.params:
        return directory.find_principal_of(call.cloud, tenant, call.params["app_id"])
    return directory.find_principal(call.cloud, tenant, call.params["id"])


def _text(body: Any, name: str, *, guid: bool = False) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise bad_request(f"Property '{name}' is required and must be a string.", "InvalidValue", name)
    if guid and not directory.is_guid(value):
        raise bad_request(f"Invalid GUID:{value}", "InvalidValue", name)
    return value


async def list_principals(call: Call) -> Reply:
    """GET /servicePrincipals."""
    require(call, *READ)
    rows = directory.visible_principals(call.cloud, tenant_of(call))
    return collection(call, rows, lambda sp: shape_principal(call.cloud, sp), PRINCIPALS, "servicePrincipals")


async def get_principal(call: Call) -> Reply:
    """GET /servicePrincipals/{id} and /servicePrincipals(appId='{appId}')."""
    require(call, *READ)
    return single(call, shape_principal(call.cloud, _principal(call)), "servicePrincipals")


async def create_principal(call: Call) -> Reply:
    """POST /servicePrincipals {appId}: 201."""
    require(call, *OWNED, directory_roles=APPLICATION_ADMINISTRATORS)
    principal = directory.create_principal(call.cloud, tenant_of(call), _text(call.body, "appId", guid=True))
    reply = single(call, shape_principal(call.cloud, principal), "servicePrincipals")
    reply.status, reply.headers = 201, {"Location": f"{call.base_url}/v1.0/servicePrincipals/{principal.id}"}
    return reply


async def upsert_principal(call: Call) -> Reply:
    """PATCH /servicePrincipals(appId='…') with `Prefer: create-if-missing`: 201 when made, 204 when there.

    Source: https://learn.microsoft.com/graph/api/serviceprincipal-upsert
    """
    require(call, *OWNED, directory_roles=APPLICATION_ADMINISTRATORS)
    tenant, app_id = tenant_of(call), call.params["app_id"].lower()
    if tenant.sp_of(app_id) is None and call.headers.get("prefer", "").lower() == "create-if-missing":
        principal = directory.create_principal(call.cloud, tenant, app_id)
        reply = single(call, shape_principal(call.cloud, principal), "servicePrincipals")
        reply.status = 201
        return reply
    return await update_principal(call)


async def update_principal(call: Call) -> Reply:
    """PATCH /servicePrincipals/{id}: 204. Only displayName is kept."""
    require(call, *OWNED, directory_roles=APPLICATION_ADMINISTRATORS)
    principal = _principal(call)
    if isinstance(call.body, dict) and isinstance(call.body.get("displayName"), str):
        principal.display_name = call.body["displayName"]
    return Reply(status=204)


async def delete_principal(call: Call) -> Reply:
    """DELETE /servicePrincipals/{id} and (appId='…'): 204, restorable."""
    require(call, *OWNED, directory_roles=APPLICATION_ADMINISTRATORS)
    directory.delete_principal(call.cloud, tenant_of(call), _principal(call).id)
    return Reply(status=204)


async def principal_grants(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/oauth2PermissionGrants: what the client was granted."""
    require(call, *READ_GRANTS)
    principal = _principal(call)
    rows = [g for g in tenant_of(call).grants.values() if g.client_id == principal.id]
    return collection(call, rows, shape_grant, GRANT, "oauth2PermissionGrants")


async def list_grants(call: Call) -> Reply:
    """GET /oauth2PermissionGrants."""
    require(call, *READ_GRANTS)
    return collection(call, list(tenant_of(call).grants.values()), shape_grant, GRANT, "oauth2PermissionGrants")


async def get_grant(call: Call) -> Reply:
    """GET /oauth2PermissionGrants/{id}."""
    require(call, *READ_GRANTS)
    return single(call, shape_grant(_grant(call)), "oauth2PermissionGrants")


async def create_grant(call: Call) -> Reply:
    """POST /oauth2PermissionGrants {clientId, consentType, principalId, resourceId, scope}: 201."""
    require(call, *GRANTS, directory_roles=CONSENT_ROLES)
    body = call.body
    consent_type, principal_id = _text(body, "consentType"), body.get("principalId")
    if consent_type not in ("AllPrincipals", "Principal"):
        raise bad_request("Invalid value specified for property 'consentType' of resource 'OAuth2PermissionGrant'.")
    if (consent_type == "Principal") != bool(principal_id):
        raise bad_request("Invalid value specified for property 'principalId' of resource 'OAuth2PermissionGrant'.")
    grant = directory.create_grant(
        call.cloud,
        tenant_of(call),
        client_id=_text(body, "clientId", guid=True),
        resource_id=_text(body, "resourceId", guid=True),
        scope=_text(body, "scope"),
        consent_type=consent_type,
        principal_id=_text(body, "principalId", guid=True) if principal_id else None,
    )
    reply = single(call, shape_grant(grant), "oauth2PermissionGrants")
    reply.status = 201
    return reply


async def update_grant(call: Call) -> Reply:
    """PATCH /oauth2PermissionGrants/{id} {scope}: 204; the scope replaces the old one."""
    require(call, *GRANTS, directory_roles=CONSENT_ROLES)
    grant = _grant(call)
    scope = call.body.get("scope") if isinstance(call.body, dict) else None
    if not isinstance(scope, str):
        raise bad_request("Invalid value specified for property 'scope' of resource 'OAuth2PermissionGrant'.")
    grant.scope = " ".join(scope.split())
    return Reply(status=204)


async def delete_grant(call: Call) -> Reply:
    """DELETE /oauth2PermissionGrants/{id}: 204."""
    require(call, *GRANTS, directory_roles=CONSENT_ROLES)
    del tenant_of(call).grants[_grant(call).id]
    return Reply(status=204)


def _grant(call: Call) -> Grant:
    grant = tenant_of(call).grants.get(call.params["grant"])
    if grant is None:
        raise not_found(call.params["grant"])
    return grant


async def list_assignments(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/appRoleAssignments: the roles this principal holds."""
    require(call, *READ, *ROLES)
    tenant, principal = tenant_of(call), _principal(call)
    rows = [a for a in tenant.app_role_assignments.values() if a.principal_id == principal.id]
    return collection(call, rows, lambda a: shape_assignment(tenant, a), ASSIGNMENT, "appRoleAssignments")


async def list_assigned_to(call: Call) -> Reply:
    """GET /servicePrincipals/{id}/appRoleAssignedTo: who holds roles of this resource."""
    require(call, *READ, *ROLES)
    tenant, resource = tenant_of(call), _principal(call)
    rows = [a for a in tenant.app_role_assignments.values() if a.resource_id == resource.id]
    return collection(call, rows, lambda a: shape_assignment(tenant, a), ASSIGNMENT, "appRoleAssignments")


async def assign_role(call: Call) -> Reply:
    """POST …/appRoleAssignedTo on the resource or …/appRoleAssignments on the client: 201.

    Permissions of Microsoft Graph itself need a Privileged Role Administrator, others an administrator of applications.
    """
    require(call, *ROLES, directory_roles=CONSENT_ROLES)
    require(call, *READ)
    side = "resourceId" if call.path.lower().rstrip("/").endswith("appRoleAssignedTo".lower()) else "principalId"
    owner, body, tenant = _principal(call), call.body, tenant_of(call)
    ids = {name: _text(body, name, guid=True).lower() for name in ("principalId", "resourceId", "appRoleId")}
    if ids[side] != owner.id:
        raise bad_request(f"Invalid value specified for property '{side}' of resource 'AppRoleAssignment'.")
    resource = tenant.service_principals.get(ids["resourceId"])
    if resource is not None and resource.app_id == GRAPH:
        require(call, *ROLES, directory_roles=GRAPH_ROLE_GRANTERS)
    assignment = directory.assign_app_role(
        call.cloud, tenant, principal_id=ids["principalId"], resource_id=ids["resourceId"], app_role_id=ids["appRoleId"]
    )
    reply = single(call, shape_assignment(tenant, assignment), "appRoleAssignments")
    reply.status = 201
    return reply


async def delete_assignment(call: Call) -> Reply:
    """DELETE …/appRoleAssignments/{id} or …/appRoleAssignedTo/{id}: 204."""
    require(call, *ROLES, directory_roles=CONSENT_ROLES)
    tenant, owner = tenant_of(call), _principal(call)
    assignment = tenant.app_role_assignments.get(call.params["assignment"])
    if assignment is None or owner.id not in (assignment.principal_id, assignment.resource_id):
        raise not_found(call.params["assignment"])
    del tenant.app_role_assignments[assignment.id]
    return Reply(status=204)


def shape_application(application: Application) -> dict[str, Any]:
    """An app registration with Graph's property names; secrets only as hints."""
    return {
        "id": application.object_id,
        "appId": application.app_id,
        "displayName": application.display_name,
        "identifierUris": [f"api://{application.app_id}"] if application.exposes_scopes else [],
        "signInAudience": "AzureADMultipleOrgs" if application.multi_tenant else "AzureADMyOrg",
        "appRoles": [app_role(role.get("value", ""), role["id"]) | role for role in application.exposes_roles],
        "web": {"redirectUris": list(application.redirect_uris)},
        "passwordCredentials": [
            {"keyId": key_id, "hint": secret[:3], "secretText": None, "displayName": "sandbox"}
            for key_id, secret in application.secrets.items()
        ],
    }


async def list_applications(call: Call) -> Reply:
    """GET /applications: the registrations whose home is the caller's tenant."""
    require(call, *READ)
    home = tenant_of(call).id
    rows = [row for row in call.world.applications.values() if row.home_tenant_id == home]
    return collection(call, rows, shape_application, APPS, "applications")


async def get_application(call: Call) -> Reply:
    """GET /applications/{objectId} and /applications(appId='…')."""
    require(call, *READ)
    wanted = (call.params.get("id") or call.params["app_id"]).lower()
    home = tenant_of(call).id
    for row in call.world.applications.values():
        if row.home_tenant_id == home and wanted == (row.object_id if "id" in call.params else row.app_id):
            return single(call, shape_application(row), "applications")
    raise not_found(wanted)


async def list_deleted(call: Call) -> Reply:
    """GET /directory/deletedItems/microsoft.graph.servicePrincipal."""
    require(call, *READ)
    rows = list(directory.deleted_principals(call.world, tenant_of(call)).values())
    return collection(
        call,
        rows,
        lambda row: shape_principal(call.cloud, row.service_principal, deleted=row.deleted),
        PRINCIPALS,
        "servicePrincipals",
    )


async def get_deleted(call: Call) -> Reply:
    """GET /directory/deletedItems/{id}."""
    require(call, *READ)
    row = directory.deleted_principals(call.world, tenant_of(call)).get(call.params["id"].lower())
    if row is None:
        raise not_found(call.params["id"])
    item = shape_principal(call.cloud, row.service_principal, deleted=row.deleted)
    return single(call, {"@odata.type": "#microsoft.graph.servicePrincipal", **item}, "directoryObjects")


async def restore_deleted(call: Call) -> Reply:
    """POST /directory/deletedItems/{id}/restore: 200 with the object."""
    require(call, *OWNED, directory_roles=APPLICATION_ADMINISTRATORS)
    principal = directory.restore_principal(call.cloud, tenant_of(call), call.params["id"])
    item = {"@odata.type": "#microsoft.graph.servicePrincipal", **shape_principal(call.cloud, principal)}
    return single(call, item, "directoryObjects")


async def purge_deleted(call: Call) -> Reply:
    """DELETE /directory/deletedItems/{id}: 204."""
    require(call, *OWNED, directory_roles=APPLICATION_ADMINISTRATORS)
    if directory.deleted_principals(call.world, tenant_of(call)).pop(call.params["id"].lower(), None) is None:
        raise not_found(call.params["id"])
    return Reply(status=204)


def add_routes(service: Service) -> None:
    """Register this module's routes."""
    root = "/v1.0/servicePrincipals"
    service.route("GET", root)(list_principals)
    service.route("POST", root)(create_principal)
    for one in (f"{root}(appId='{{app_id}}')", f"{root}/{{id}}"):
        service.route("GET", one)(get_principal)
        service.route("PATCH", one)(upsert_principal if "app_id" in one else update_principal)
        service.route("DELETE", one)(delete_principal)
        service.route("GET", f"{one}/oauth2PermissionGrants")(principal_grants)
        service.route("GET", f"{one}/appRoleAssignments")(list_assignments)
        service.route("GET", f"{one}/appRoleAssignedTo")(list_assigned_to)
        for side in ("appRoleAssignments", "appRoleAssignedTo"):
            service.route("POST", f"{one}/{side}")(assign_role)
            service.route("DELETE", f"{one}/{side}/{{assignment}}")(delete_assignment)
    service.route("GET", "/v1.0/oauth2PermissionGrants")(list_grants)
    service.route("POST", "/v1.0/oauth2PermissionGrants")(create_grant)
    service.route("GET", "/v1.0/oauth2PermissionGrants/{grant}")(get_grant)
    service.route("PATCH", "/v1.0/oauth2PermissionGrants/{grant}")(update_grant)
    service.route("DELETE", "/v1.0/oauth2PermissionGrants/{grant}")(delete_grant)
    service.route("GET", "/v1.0/applications")(list_applications)
    service.route("GET", "/v1.0/applications(appId='{app_id}')")(get_application)
    service.route("GET", "/v1.0/applications/{id}")(get_application)
    deleted = "/v1.0/directory/deletedItems"
    service.route("GET", f"{deleted}/microsoft.graph.servicePrincipal")(list_deleted)
    service.route("GET", f"{deleted}/{{id}}")(get_deleted)
    service.route("DELETE", f"{deleted}/{{id}}")(purge_deleted)
    service.route("POST", f"{deleted}/{{id}}/restore")(restore_deleted)
