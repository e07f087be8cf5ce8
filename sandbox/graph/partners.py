"""Graph routes of a partner's tenant relationships: granular delegated admin privileges (GDAP).

Source: https://learn.microsoft.com/graph/api/resources/delegatedadminrelationships-api-overview
"""

from __future__ import annotations

import base64
from typing import Any

from sandbox.directory import is_guid
from sandbox.graph.applications import timestamp
from sandbox.graph.frame import require, tenant_of
from sandbox.graph.odata import Collection, collection, single
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import GdapRelationship, Tenant, World

READ = ("DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All")
PROPERTIES = frozenset({"id", "status", "displayName", "customer", "createdDateTime", "endDateTime"})
RELATIONSHIPS = Collection(
    "microsoft.graph.delegatedAdminRelationship", max_top=300, advanced=False, properties=PROPERTIES
)
ASSIGNMENTS = Collection(
    "microsoft.graph.delegatedAdminAccessAssignment", max_top=300, advanced=False, properties=PROPERTIES
)
CUSTOMERS = Collection(
    "microsoft.graph.delegatedAdminCustomer", max_top=300, advanced=False, properties=frozenset({"id", "tenantId"})
)
SERVICES = (
    ("Azure", "https://portal.azure.com/{domain}"),
    ("Exchange", "https://admin.exchange.microsoft.com/?landingpage=homepage&delegatedOrg={domain}"),
    ("Intune", "https://intune.microsoft.com/{tenant}"),
    ("Microsoft Entra ID", "https://entra.microsoft.com/{tenant}"),
    (
        "Microsoft 365",
        "https://admin.microsoft.com/Partner/BeginClientSession.aspx?CTID={tenant}&CSDEST=o365admincenter",
    ),
)
"""Admin centers a customer's service management details name, with their portal links."""


def etag(*parts: object) -> str:
    """A weak entity tag that changes with the parts."""
    packed = base64.b64encode("|".join(str(part) for part in parts).encode()).decode()
    return f'W/"{packed[-40:]}"'


def _roles(roles: list[str]) -> dict[str, Any]:
    return {"unifiedRoles": [{"roleDefinitionId": role} for role in roles]}


def shape_relationship(world: World, relationship: GdapRelationship) -> dict[str, Any]:
    """A delegatedAdminRelationship with Graph's property names; durations are ISO 8601."""
    start, end = relationship.activated or relationship.created, relationship.end
    customer = world.tenants.get(relationship.customer_id)
    changed = timestamp(start)
    return {
        "@odata.type": "#microsoft.graph.delegatedAdminRelationship",
        "@odata.etag": etag(relationship.id, relationship.status, changed),
        "id": relationship.id,
        "displayName": relationship.display_name,
        "duration": f"P{(end - start).days}D" if end else "P730D",
        "customer": {"tenantId": relationship.customer_id, "displayName": customer.name if customer else None},
        "accessDetails": _roles(relationship.roles),
        "status": relationship.status,
        "autoExtendDuration": relationship.auto_extend,
        "createdDateTime": timestamp(relationship.created),
        "lastModifiedDateTime": changed,
        "activatedDateTime": timestamp(relationship.activated),
        "endDateTime": timestamp(end),
    }


def shape_assignment(relationship: GdapRelationship, assignment_id: str) -> dict[str, Any]:
    """A delegatedAdminAccessAssignment with Graph's property names."""
    row = relationship.assignments[assignment_id]
    made = timestamp(relationship.activated or relationship.created)
    return {
        "@odata.etag": etag(assignment_id, row["status"], row["group"]),
        "id": assignment_id,
        "status": row["status"],
        "createdDateTime": made,
        "lastModifiedDateTime": made,
        "accessContainer": {"accessContainerId": row["group"], "accessContainerType": "securityGroup"},
        "accessDetails": _roles(row["roles"]),
    }


def _not_found(identifier: str) -> CloudError:
    return CloudError(404, "NotFound", f"Resource '{identifier}' was not found.")


def _relationships(call: Call) -> list[GdapRelationship]:
    """Every relationship of the partner, or the customer's own when a customer asks; newest first."""
    require(call, *READ)
    tenant, world = tenant_of(call), call.world
    rows = [r for r in world.relationships.values() if tenant.id in (world.partner.id, r.customer_id)]
    return sorted(rows, key=lambda row: row.created, reverse=True)


def _relationship(call: Call) -> GdapRelationship:
    wanted = call.params["relationship"].lower()
    for row in _relationships(call):
        if row.id.lower() == wanted:
            return row
    raise _not_found(call.params["relationship"])


async def list_relationships(call: Call) -> Reply:
    """GET /tenantRelationships/delegatedAdminRelationships; $filter on status and customer/tenantId."""
    return collection(
        call,
        _relationships(call),
        lambda row: shape_relationship(call.world, row),
        RELATIONSHIPS,
        "tenantRelationships/delegatedAdminRelationships",
    )


async def get_relationship(call: Call) -> Reply:
    """GET …/delegatedAdminRelationships/{id}, with its ETag."""
    item = shape_relationship(call.world, _relationship(call))
    reply = single(call, item, "tenantRelationships/delegatedAdminRelationships")
    reply.headers["ETag"] = item["@odata.etag"]
    return reply


async def list_assignments(call: Call) -> Reply:
    """GET …/delegatedAdminRelationships/{id}/accessAssignments."""
    row = _relationship(call)
    context = f"tenantRelationships/delegatedAdminRelationships('{row.id}')/accessAssignments"
    return collection(call, list(row.assignments), lambda key: shape_assignment(row, key), ASSIGNMENTS, context)


async def get_assignment(call: Call) -> Reply:
    """GET …/accessAssignments/{id}, with its ETag."""
    row, wanted = _relationship(call), call.params["assignment"]
    if wanted not in row.assignments:
        raise _not_found(wanted)
    item = shape_assignment(row, wanted)
    reply = single(call, item, f"tenantRelationships/delegatedAdminRelationships('{row.id}')/accessAssignments")
    reply.headers["ETag"] = item["@odata.etag"]
    return reply


def _customers(call: Call) -> list[Tenant]:
    ids = dict.fromkeys(r.customer_id for r in _relationships(call) if r.status in ("active", "expiring"))
    return [call.world.tenants[customer_id] for customer_id in ids if customer_id in call.world.tenants]


def _customer(call: Call) -> Tenant:
    for tenant in _customers(call):
        if tenant.id == call.params["customer"].lower():
            return tenant
    raise _not_found(call.params["customer"])


def _details(tenant: Tenant) -> list[dict[str, str]]:
    return [
        {
            "id": name,
            "serviceName": name,
            "serviceManagementUrl": url.format(tenant=tenant.id, domain=tenant.default_domain),
        }
        for name, url in SERVICES
    ]


def _shape_customer(tenant: Tenant, *, details: bool) -> dict[str, Any]:
    item: dict[str, Any] = {"id": tenant.id, "tenantId": tenant.id, "displayName": tenant.name}
    return item | ({"serviceManagementDetails": _details(tenant)} if details else {})


async def list_customers(call: Call) -> Reply:
    """GET /tenantRelationships/delegatedAdminCustomers; $expand=serviceManagementDetails."""
    details = "serviceManagementDetails" in call.query.get("$expand", "")
    return collection(
        call,
        _customers(call),
        lambda tenant: _shape_customer(tenant, details=details),
        CUSTOMERS,
        "tenantRelationships/delegatedAdminCustomers",
    )


async def get_customer(call: Call) -> Reply:
    """GET …/delegatedAdminCustomers/{tenantId}."""
    details = "serviceManagementDetails" in call.query.get("$expand", "")
    return single(
        call, _shape_customer(_customer(call), details=details), "tenantRelationships/delegatedAdminCustomers"
    )


async def customer_services(call: Call) -> Reply:
    """GET …/delegatedAdminCustomers/{tenantId}/serviceManagementDetails: portal links of one customer."""
    tenant = _customer(call)
    context = f"tenantRelationships/delegatedAdminCustomers('{tenant.id}')/serviceManagementDetails"
    return collection(call, _details(tenant), lambda row: row, CUSTOMERS, context)


async def find_tenant(call: Call) -> Reply:
    """GET …/findTenantInformationByTenantId(tenantId='…'): public facts of any tenant.

    Source: https://learn.microsoft.com/graph/api/tenantrelationship-findtenantinformationbytenantid
    """
    require(call, "CrossTenantInformation.ReadBasic.All", *READ, "Directory.Read.All", "Directory.ReadWrite.All")
    wanted = call.params["tenant"].lower()
    if not is_guid(wanted):
        raise CloudError(400, "Request_BadRequest", f"Invalid GUID:{wanted}")
    tenant = call.world.tenants.get(wanted)
    if tenant is None:
        raise CloudError(404, "Directory_ObjectNotFound", f"Unable to find tenant {wanted}.")
    item = {
        "tenantId": tenant.id,
        "federationBrandName": None,
        "displayName": tenant.name,
        "defaultDomainName": tenant.default_domain,
    }
    return Reply({"@odata.context": f"{call.base_url}/v1.0/$metadata#microsoft.graph.tenantInformation", **item})


def add_routes(service: Service) -> None:
    """Register this module's routes."""
    root = "/v1.0/tenantRelationships"
    one = f"{root}/delegatedAdminRelationships/{{relationship}}"
    service.route("GET", f"{root}/delegatedAdminRelationships")(list_relationships)
    service.route("GET", one)(get_relationship)
    service.route("GET", f"{one}/accessAssignments")(list_assignments)
    service.route("GET", f"{one}/accessAssignments/{{assignment}}")(get_assignment)
    service.route("GET", f"{root}/delegatedAdminCustomers")(list_customers)
    service.route("GET", f"{root}/delegatedAdminCustomers/{{customer}}")(get_customer)
    service.route("GET", f"{root}/delegatedAdminCustomers/{{customer}}/serviceManagementDetails")(customer_services)
    for name in ("findTenantInformationByTenantId", "microsoft.graph.findTenantInformationByTenantId"):
        service.route("GET", f"{root}/{name}(tenantId='{{tenant}}')")(find_tenant)
