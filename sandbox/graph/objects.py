"""Graph routes of the organization, its partner contracts, users and groups.

Sources: https://learn.microsoft.com/graph/api/resources/organization, …/contract, …/user, …/group
"""

from __future__ import annotations

from typing import Any

from sandbox import directory
from sandbox.directory import not_found
from sandbox.graph.frame import person_of, require, tenant_of
from sandbox.graph.odata import Collection, collection, single
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Person, Tenant

DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
ORGANIZATION = (*DIRECTORY, "Organization.Read.All", "User.Read")
USERS = (*DIRECTORY, "User.Read.All", "User.ReadWrite.All")
GROUPS = (*DIRECTORY, "Group.Read.All", "Group.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All")

ORGANIZATIONS = Collection("microsoft.graph.organization")
CONTRACTS = Collection("microsoft.graph.contract")
USER = Collection(
    "microsoft.graph.user",
    default_select=(
        "businessPhones",
        "displayName",
        "givenName",
        "jobTitle",
        "mail",
        "mobilePhone",
        "officeLocation",
        "preferredLanguage",
        "surname",
        "userPrincipalName",
    ),
)
GROUP = Collection("microsoft.graph.group")
MEMBER = Collection("microsoft.graph.directoryObject")

ROLE_NAMES = {
    directory.GLOBAL_ADMINISTRATOR: "Global Administrator",
    directory.PRIVILEGED_ROLE_ADMINISTRATOR: "Privileged Role Administrator",
    directory.APPLICATION_ADMINISTRATOR: "Application Administrator",
    directory.CLOUD_APPLICATION_ADMINISTRATOR: "Cloud Application Administrator",
}


def shape_organization(call: Call, tenant: Tenant) -> dict[str, Any]:
    """An organization with Graph's property names."""
    domains = [(tenant.default_domain, True, tenant.default_domain == tenant.initial_domain)]
    if tenant.initial_domain != tenant.default_domain:
        domains.append((tenant.initial_domain, False, True))
    return {
        "id": tenant.id,
        "deletedDateTime": None,
        "businessPhones": [],
        "countryLetterCode": "US",
        "createdDateTime": "2021-03-01T09:00:00Z",
        "displayName": tenant.name,
        "onPremisesSyncEnabled": True if "synced-user" in tenant.traps else None,
        "partnerTenantType": "resellerPartnerDelegatedAdmin" if tenant.id == call.world.partner.id else None,
        "preferredLanguage": "en",
        "technicalNotificationMails": [f"admin@{tenant.default_domain}"],
        "tenantType": "AAD",
        "assignedPlans": [],
        "verifiedDomains": [
            {
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": default,
                "isInitial": initial,
                "name": name,
                "type": "Managed",
            }
            for name, default, initial in domains
        ],
    }


def shape_user(person: Person) -> dict[str, Any]:
    """A user with Graph's property names."""
    given, _, surname = person.display_name.partition(" ")
    return {
        "id": person.object_id,
        "accountEnabled": True,
        "businessPhones": [],
        "displayName": person.display_name,
        "givenName": given,
        "jobTitle": None,
        "mail": person.user_principal_name,
        "mobilePhone": None,
        "officeLocation": None,
        "onPremisesSyncEnabled": person.synced or None,
        "preferredLanguage": None,
        "surname": surname or None,
        "userPrincipalName": person.user_principal_name,
        "userType": "Member",
    }


def shape_group(group_id: str, name: str) -> dict[str, Any]:
    """A security group with Graph's property names."""
    return {
        "id": group_id,
        "description": None,
        "displayName": name,
        "groupTypes": [],
        "isAssignableToRole": None,
        "mailEnabled": False,
        "mailNickname": name.replace(" ", ""),
        "securityEnabled": True,
    }


def _user(call: Call, wanted: str) -> Person:
    tenant = tenant_of(call)
    for person in call.world.people.values():
        if person.tenant_id == tenant.id and wanted.lower() in (person.object_id, person.user_principal_name.lower()):
            return person
    raise not_found(wanted)


def _me(call: Call) -> Person:
    person = person_of(call)
    if person is None:
        raise CloudError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
    if person.tenant_id != call.claims["tid"]:
        raise not_found(person.object_id)
    return person


def _subject(call: Call) -> Person:
    """The user of /users/{id}/… or /me/…; reading others needs a directory permission, oneself User.Read."""
    if "id" in call.params:
        require(call, *USERS)
        return _user(call, call.params["id"])
    person = _me(call)
    require(call, "User.Read", *USERS)
    return person


async def list_organization(call: Call) -> Reply:
    """GET /organization: one item, the caller's tenant."""
    require(call, *ORGANIZATION)
    tenant = tenant_of(call)
    return collection(call, [tenant], lambda row: shape_organization(call, row), ORGANIZATIONS, "organization")


async def get_organization(call: Call) -> Reply:
    """GET /organization/{id}."""
    require(call, *ORGANIZATION)
    tenant = tenant_of(call)
    if call.params["id"].lower() != tenant.id:
        raise not_found(call.params["id"])
    return single(call, shape_organization(call, tenant), "organization")


async def list_contracts(call: Call) -> Reply:
    """GET /contracts: the partner's customers; other tenants have none.

    contractType is ResellerPartner for a reseller relationship, BreadthPartner for an advisor.
    """
    require(call, *DIRECTORY)
    world = call.world
    rows = world.customers() if tenant_of(call).id == world.partner.id else []
    kinds = {"reseller": "ResellerPartner", "advisor": "BreadthPartner"}

    def shape(customer: Tenant) -> dict[str, Any]:
        return {
            "id": world.guid("contract", customer.id),
            "deletedDateTime": None,
            "contractType": kinds.get(customer.relationship_to_partner, "SyndicationPartner"),
            "customerId": customer.id,
            "defaultDomainName": customer.default_domain,
            "displayName": customer.name,
        }

    return collection(call, rows, shape, CONTRACTS, "contracts")


async def list_users(call: Call) -> Reply:
    """GET /users: people whose home is the caller's tenant."""
    require(call, *USERS)
    tenant = tenant_of(call)
    people = [p for p in call.world.people.values() if p.tenant_id == tenant.id]
    return collection(call, people, shape_user, USER, "users")


async def get_user(call: Call) -> Reply:
    """GET /users/{id or userPrincipalName} and /me."""
    person = _subject(call)
    item = shape_user(person)
    if "$select" not in call.query:
        item = {name: value for name, value in item.items() if name in ("id", *(USER.default_select or ()))}
    return single(call, item, "users")


async def transitive_member_of(call: Call) -> Reply:
    """GET …/transitiveMemberOf and …/memberOf: groups and directory roles, with the cast to one of them."""
    person, tenant = _subject(call), tenant_of(call)
    groups = [
        {"@odata.type": "#microsoft.graph.group", **shape_group(group_id, tenant.groups.get(group_id, group_id))}
        for group_id in sorted(person.groups)
    ]
    roles = [
        {
            "@odata.type": "#microsoft.graph.directoryRole",
            "id": call.world.guid("directoryRole", tenant.id, role),
            "displayName": ROLE_NAMES.get(role, role),
            "roleTemplateId": role,
        }
        for role in sorted(person.directory_roles)
    ]
    cast = call.params.get("cast", "").lower()
    if cast not in ("", "microsoft.graph.group", "microsoft.graph.directoryrole"):
        raise CloudError(400, "Request_BadRequest", f"The type '{call.params['cast']}' is not a member type.")
    rows = groups if cast.endswith(".group") else roles if cast else groups + roles
    return collection(call, rows, lambda row: row, MEMBER, "directoryObjects")


async def list_groups(call: Call) -> Reply:
    """GET /groups."""
    require(call, *GROUPS)
    rows = list(tenant_of(call).groups.items())
    return collection(call, rows, lambda row: shape_group(*row), GROUP, "groups")


async def get_group(call: Call) -> Reply:
    """GET /groups/{id}."""
    require(call, *GROUPS)
    name = tenant_of(call).groups.get(call.params["id"].lower())
    if name is None:
        raise not_found(call.params["id"])
    return single(call, shape_group(call.params["id"].lower(), name), "groups")


async def list_members(call: Call) -> Reply:
    """GET /groups/{id}/members and /transitiveMembers: users."""
    require(call, *GROUPS)
    group, tenant = call.params["id"].lower(), tenant_of(call)
    if group not in tenant.groups:
        raise not_found(call.params["id"])
    people = [p for p in call.world.people.values() if p.tenant_id == tenant.id and group in p.groups]
    return collection(
        call, people, lambda p: {"@odata.type": "#microsoft.graph.user", **shape_user(p)}, MEMBER, "directoryObjects"
    )


async def list_sign_ins(call: Call) -> Reply:
    """GET /auditLogs/signIns: empty here; a tenant without a premium licence is refused.

    Source of the refusal: github.com/microsoftgraph/microsoft-graph-docs issue 14118.
    """
    require(call, "AuditLog.Read.All")
    require(call, *DIRECTORY)
    if not tenant_of(call).premium:
        raise CloudError(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        )
    return collection(call, [], dict, Collection("microsoft.graph.signIn", max_top=1000), "auditLogs/signIns")


def add_routes(service: Service) -> None:
    """Register this module's routes."""
    service.route("GET", "/v1.0/organization")(list_organization)
    service.route("GET", "/v1.0/organization/{id}")(get_organization)
    service.route("GET", "/v1.0/contracts")(list_contracts)
    service.route("GET", "/v1.0/users")(list_users)
    for one in ("/v1.0/users/{id}", "/v1.0/me"):
        service.route("GET", one)(get_user)
        for links in ("memberOf", "transitiveMemberOf"):
            service.route("GET", f"{one}/{links}")(transitive_member_of)
            service.route("GET", f"{one}/{links}/{{cast}}")(transitive_member_of)
    service.route("GET", "/v1.0/groups")(list_groups)
    service.route("GET", "/v1.0/groups/{id}")(get_group)
    service.route("GET", "/v1.0/groups/{id}/members")(list_members)
    service.route("GET", "/v1.0/groups/{id}/transitiveMembers")(list_members)
    service.route("GET", "/v1.0/auditLogs/signIns")(list_sign_ins)
