"""What the worlds are made of: the partner and its people, the applications, customers, subscriptions.

Every id is `World.guid` of its name, so that the same seed gives the same ids on every machine.
"""

from __future__ import annotations

import random
from datetime import timedelta

from sandbox import first_party
from sandbox.arm_access import CONTRIBUTOR, OWNER, READER, VM_CONTRIBUTOR
from sandbox.directory import APPLICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR
from sandbox.world import (
    Application,
    AppRoleAssignment,
    Cloud,
    GdapRelationship,
    Grant,
    Person,
    RoleAssignment,
    ServicePrincipal,
    Subscription,
    Tenant,
    World,
)

DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
GDAP_ROLES = (
    APPLICATION_ADMINISTRATOR,
    PRIVILEGED_ROLE_ADMINISTRATOR,
    DIRECTORY_READERS,
    "fe930be7-5e62-47db-91af-98c3a49a38b1",  # User Administrator
    "fdd7a751-b60b-444a-984c-02652fe8fa1c",  # Groups Administrator
    "4d6ac14f-3453-41d0-bef9-a3e0c569773a",  # License Administrator
    "c4e39bd9-1100-46d3-8c65-fb160da0071f",  # Authentication Administrator
    HELPDESK_ADMINISTRATOR,
    "4a5d8f65-41da-4de4-8968-e035b65339cf",  # Reports Reader
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451",  # Global Reader
)
"""Directory roles of a relationship as a partner asks for it (role template ids)."""

API_ROLES = (
    "CloudDevices.Read",
    "CloudDevices.Update",
    "Alerts.Manage",
    "Microsoft365.Read",
    "Microsoft365.Manage",
    "Microsoft365.ManagePrivileged",
    "Collections.Read",
    "Collections.Manage",
    "Integration.Admin",
)
"""App roles that the registration of Tenantry's API exposes."""

EVENT_SENDERS = (
    ("action-groups", "AzNS AAD Webhook", "461e8683-5575-4561-ac7f-899cc907d62a", "ActionGroupsSecureWebhook"),
    (
        "event-grid",
        "Microsoft.EventGrid",
        "4962773b-9cdb-44cf-a8bf-237846a00ab7",
        "AzureEventGridSecureWebhookSubscriber",
    ),
)
"""Microsoft's own applications that send events: name here, display name, client id, and their app role of the API.

learn.microsoft.com/azure/azure-monitor/alerts/action-groups#configure-authentication-for-secure-webhook,
learn.microsoft.com/azure/event-grid/scripts/powershell-webhook-secure-delivery-microsoft-entra-app
"""

GRAPH_SCOPES = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "AuditLog.Read.All",
    "DelegatedAdminRelationship.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",
    "Group.Read.All",
    "GroupMember.ReadWrite.All",
    "Organization.Read.All",
    "User.Read",
    "User.ReadWrite.All",
)
"""Delegated permissions of Graph in Tenantry's registration."""

GRAPH_ROLES = (
    "AuditLog.Read.All",
    "Directory.Read.All",
    "GroupMember.ReadWrite.All",
    "Organization.Read.All",
    "User.ReadWrite.All",
)
"""Application permissions of Graph in Tenantry's registration."""


def new_world(cloud: Cloud, scenario: str, seed: int) -> World:
    """A world with the partner Northwind, its people, the applications, and nothing else."""
    rng = random.Random(seed)  # noqa: S311 - repeatable chance, no secret
    partner = Tenant("", "", "", "")
    world = World(scenario=scenario, seed=seed, rng=rng, clock=cloud.clock, partner=partner)
    partner = add_tenant(world, "Northwind Managed Services", "northwind.example")
    world.partner = partner
    partner.admin_agents_group = world.guid("group", "adminagents")
    partner.groups = {
        partner.admin_agents_group: "AdminAgents",
        gdap_group(world): "Tenantry GDAP",
        world.guid("group", "helpdeskagents"): "HelpdeskAgents",
        world.guid("group", "salesagents"): "SalesAgents",
    }
    _add_applications(world)
    _add_people(world)
    own = add_subscription(world, partner, "Northwind Internal", access="none")
    assign(world, own, world.people["dave"].object_id, "User", OWNER)
    assign(world, own, principal_id(world, partner, "tenantry"), "ServicePrincipal", READER)
    assign(world, own, principal_id(world, partner, "tenantry"), "ServicePrincipal", VM_CONTRIBUTOR)
    return world


def gdap_group(world: World) -> str:
    """Object id of the partner's group that GDAP assignments name."""
    return world.guid("group", "gdap")


def app_id(world: World, name: str) -> str:
    """Client id of one of the world's applications."""
    return world.guid("app", name)


def principal_id(world: World, tenant: Tenant, application: str) -> str:
    """The object id that an application's service principal has in a tenant, or will have once it is made."""
    return world.guid("sp", tenant.id, app_id(world, application))


def add_tenant(world: World, name: str, domain: str, relationship: str = "none") -> Tenant:
    """A tenant with the service principals of Microsoft's own applications."""
    label = domain.partition(".")[0]
    tenant = Tenant(world.guid("tenant", name), name, domain, f"{label}.onmicrosoft.com", relationship)
    world.tenants[tenant.id] = tenant
    now = world.clock.now()
    for known in first_party.APPLICATIONS.values():
        row_id = world.guid("sp", tenant.id, known.app_id)
        tenant.service_principals[row_id] = ServicePrincipal(
            row_id, known.app_id, known.display_name, now, now, scopes=list(known.scopes)
        )
    return tenant


def add_customer(
    world: World,
    name: str,
    domain: str,
    *,
    roles: tuple[str, ...] = GDAP_ROLES,
    group: bool = True,
    age_days: int = 200,
) -> Tenant:
    """A reseller customer with one active GDAP relationship; `group` False leaves our group out of it."""
    tenant = add_tenant(world, name, domain, "reseller")
    add_relationship(world, tenant, roles=roles, group=group, age_days=age_days)
    return tenant


def add_relationship(
    world: World,
    tenant: Tenant,
    *,
    roles: tuple[str, ...] = GDAP_ROLES,
    group: bool = True,
    status: str = "active",
    age_days: int = 200,
) -> GdapRelationship:
    """A GDAP relationship that runs 730 days from `age_days` ago."""
    index = str(len(world.relationships_of(tenant.id)))
    row_id = f"{world.guid('gdap', tenant.id, index)}-{world.guid('gdap-tail', tenant.id, index)}"
    created = world.clock.now() - timedelta(days=age_days)
    relationship = GdapRelationship(
        id=row_id,
        customer_id=tenant.id,
        display_name=f"Northwind_{tenant.default_domain.partition('.')[0]}_{index}",
        status=status,
        roles=list(roles),
        created=created,
        activated=created + timedelta(hours=5),
        end=created + timedelta(days=730),
        auto_extend="P180D",
    )
    if group:
        assign_group(world, relationship)
    world.relationships[row_id] = relationship
    return relationship


def assign_group(world: World, relationship: GdapRelationship) -> None:
    """Give our group all roles of a relationship."""
    key = world.guid("gdap-assignment", relationship.id)
    group = gdap_group(world)
    relationship.assignments[key] = {"group": group, "roles": list(relationship.roles), "status": "active"}


def add_subscription(world: World, tenant: Tenant, name: str, *, access: str = "agents") -> Subscription:
    """An Azure subscription.

    `access` is how we get in: agents (AdminAgents is Owner), lighthouse, own (Tenantry's own service principal, which
    may not exist yet), or none.
    """
    subscription = Subscription(world.guid("subscription", tenant.id, name), tenant.id, name)
    world.subscriptions[subscription.id] = subscription
    tenant.subscription_ids.append(subscription.id)
    give_access(world, subscription, access)
    return subscription


def give_access(world: World, subscription: Subscription, access: str) -> None:
    """Put the role assignments of one way into a subscription (see add_subscription) there."""
    agents = world.partner.admin_agents_group or ""
    if access == "agents":
        assign(world, subscription, agents, "ForeignGroup", OWNER)
    elif access == "lighthouse":
        subscription.managed_by = {principal_id(world, world.partner, "tenantry"): CONTRIBUTOR, agents: CONTRIBUTOR}
    elif access == "own":
        own = principal_id(world, world.tenants[subscription.tenant_id], "tenantry")
        assign(world, subscription, own, "ServicePrincipal", READER)
        assign(world, subscription, own, "ServicePrincipal", VM_CONTRIBUTOR)


def assign(world: World, subscription: Subscription, principal: str, kind: str, role: str) -> None:
    """An Azure role for a principal at subscription scope."""
    row_id = world.guid("role-assignment", subscription.id, principal, role)
    subscription.role_assignments.append(RoleAssignment(row_id, principal, kind, role))


def add_person(world: World, name: str, display_name: str, tenant: Tenant) -> Person:
    """Someone who can sign in, without any role."""
    person = Person(name, world.guid("person", name), tenant.id, display_name, f"{name}@{tenant.default_domain}")
    world.people[name] = person
    return person


def _add_people(world: World) -> None:
    partner = world.partner
    alice = add_person(world, "alice", "Alice Anders", partner)
    alice.api_roles = ["Integration.Admin"]
    bob = add_person(world, "bob", "Bob Berg", partner)
    bob.api_roles = ["CloudDevices.Update", "Alerts.Manage", "Microsoft365.Manage"]
    carol = add_person(world, "carol", "Carol Castro", partner)
    carol.api_roles = ["CloudDevices.Read", "Microsoft365.Read"]
    add_person(world, "mallory", "Mallory Moss", partner)
    for name, display_name, mfa in (("dave", "Dave Dumont", True), ("erin", "Erin Ekman", False)):
        person = add_person(world, name, display_name, partner)
        person.mfa = mfa
        person.groups = {partner.admin_agents_group or "", gdap_group(world)}
        person.directory_roles = {GLOBAL_ADMINISTRATOR}
    world.traps["no-mfa"] = {"tenantId": partner.id, "person": "erin"}
    foreign = add_tenant(world, "Fourth Coffee", "fourthcoffee.example")
    frank = add_person(world, "frank", "Frank Fischer", foreign)
    frank.directory_roles = {GLOBAL_ADMINISTRATOR}


def _application(
    world: World, name: str, display_name: str, tenant: Tenant, redirects: tuple[str, ...] = ()
) -> Application:
    """A registration with one secret, and its service principal at home."""
    app = Application(
        app_id=app_id(world, name),
        object_id=world.guid("application", name),
        home_tenant_id=tenant.id,
        display_name=display_name,
        multi_tenant=False,
        redirect_uris=list(redirects),
        secrets={world.guid("secret-id", name): f"sandbox~{world.guid('secret', name)}"},
    )
    world.applications[name] = app
    return app


def install(world: World, tenant: Tenant, name: str) -> ServicePrincipal:
    """The service principal of one of the world's applications in a tenant, visible from the start."""
    app, now = world.applications[name], world.clock.now()
    row = ServicePrincipal(
        principal_id(world, tenant, name),
        app.app_id,
        app.display_name,
        now,
        now,
        app_roles=list(app.exposes_roles),
        scopes=list(app.exposes_scopes),
    )
    tenant.service_principals[row.id] = row
    return row


def _add_applications(world: World) -> None:
    partner = world.partner
    identity = _application(world, "managed-identity", "Tenantry (managed identity)", partner)
    identity.secrets = {}
    tenantry = _application(
        world,
        "tenantry",
        "Tenantry",
        partner,
        ("http://localhost:7071/api/connections/callback", "http://127.0.0.1:7071/api/connections/callback"),
    )
    tenantry.multi_tenant = True
    tenantry.federated_subjects = {principal_id(world, partner, "managed-identity")}
    tenantry.required_scopes = {
        first_party.GRAPH: list(GRAPH_SCOPES),
        first_party.ARM: ["user_impersonation"],
        first_party.PARTNER_CENTER: ["user_impersonation"],
    }
    tenantry.required_roles = {first_party.GRAPH: list(GRAPH_ROLES)}
    api = _application(world, "tenantry-api", "Tenantry API", partner)
    api.exposes_scopes = ["user_impersonation"]
    api.exposes_roles = [
        {**first_party.app_role(role, world.guid("role", role)), "allowedMemberTypes": ["User", "Application"]}
        for role in (*API_ROLES, *(role for *_, role in EVENT_SENDERS))
    ]
    portal = _application(
        world,
        "tenantry-portal",
        "Tenantry portal",
        partner,
        tuple(f"http://localhost:7071{path}" for path in ("/", "/portal", "/portal/", "/api/portal", "/api/portal/")),
    )
    portal.spa, portal.secrets = True, {}
    _application(world, "daemon", "Ticket robot", partner)
    principals = {
        name: install(world, partner, name)
        for name in ("managed-identity", "tenantry", "tenantry-api", "tenantry-portal", "daemon")
    }
    grant_id = world.guid("grant", "tenantry-portal", "tenantry-api")
    ends = principals["tenantry-portal"].id, principals["tenantry-api"].id
    partner.grants[grant_id] = Grant(grant_id, *ends, "AllPrincipals", None, "user_impersonation")
    _add_event_senders(world, principals["tenantry-api"].id)
    now = world.clock.now()
    for role in ("CloudDevices.Read", "Alerts.Manage"):
        row_id, role_id = world.guid("app-role", "daemon", role), world.guid("role", role)
        partner.app_role_assignments[row_id] = AppRoleAssignment(
            row_id, principals["daemon"].id, principals["tenantry-api"].id, role_id, now, now
        )


def _add_event_senders(world: World, api_id: str) -> None:
    """EVENT_SENDERS in the provider's tenant, each with its app role of the API (`api_id`: service principal)."""
    partner, now = world.partner, world.clock.now()
    for name, display_name, client_id, role in EVENT_SENDERS:
        app = Application(
            app_id=client_id,
            object_id=world.guid("application", name),
            home_tenant_id=partner.id,
            display_name=display_name,
            multi_tenant=True,
            redirect_uris=[],
        )
        world.applications[name] = app
        row = ServicePrincipal(world.guid("sp", partner.id, client_id), client_id, display_name, now, now)
        partner.service_principals[row.id] = row
        row_id = world.guid("app-role", name, role)
        partner.app_role_assignments[row_id] = AppRoleAssignment(
            row_id, row.id, api_id, world.guid("role", role), now, now
        )


def add_automation(world: World, tenant: Tenant) -> None:
    """A customer's own service principal with a secret, Contributor on all subscriptions of that customer."""
    _application(world, "automation", "Automation", tenant)
    principal = install(world, tenant, "automation")
    for subscription_id in tenant.subscription_ids:
        assign(world, world.subscriptions[subscription_id], principal.id, "ServicePrincipal", CONTRIBUTOR)
