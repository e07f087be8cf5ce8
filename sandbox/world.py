"""State of the simulated Microsoft cloud: plain data, no HTTP.

One `Cloud` lives as long as the process; `Cloud.reset` swaps its `World`. Service backends keep
their own extra state in `World.extra[<service>]`, so a reset forgets everything at once.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


class Clock:
    """Wall time plus what the control API has stepped. UTC."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """Sandbox time, aware, UTC."""
        return datetime.now(UTC) + self.offset

    def advance(self, seconds: float) -> None:
        """Step forward."""
        self.offset += timedelta(seconds=seconds)


@dataclass
class ServicePrincipal:
    """A service principal (enterprise application) in one tenant."""

    id: str
    app_id: str
    display_name: str
    created: datetime
    visible_at: datetime
    app_roles: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)


@dataclass
class Grant:
    """An oauth2PermissionGrant; `scope` is space separated."""

    id: str
    client_id: str
    resource_id: str
    consent_type: str
    principal_id: str | None
    scope: str


@dataclass
class AppRoleAssignment:
    """An appRoleAssignment: `principal_id` (client SP) holds `app_role_id` of `resource_id` (resource SP)."""

    id: str
    principal_id: str
    resource_id: str
    app_role_id: str
    created: datetime
    effective_at: datetime


@dataclass
class Person:
    """Someone who can sign in. `api_roles` are the app roles a token for Tenantry's API carries."""

    name: str
    object_id: str
    tenant_id: str
    display_name: str
    user_principal_name: str
    mfa: bool = True
    groups: set[str] = field(default_factory=set)
    """Object ids of groups of the home tenant."""
    directory_roles: set[str] = field(default_factory=set)
    """Role template ids held in the home tenant."""
    api_roles: list[str] = field(default_factory=list)
    revoked_at: datetime | None = None
    """Refresh tokens issued before this are dead."""
    refused_with: int | None = None
    """An AADSTS number with which every sign-in and refresh of this person ends (see entra.REFUSALS)."""
    synced: bool = False
    """Comes from an on-premises directory, which alone may change it."""


@dataclass
class Application:
    """An app registration: what the sign-in service knows about a client id."""

    app_id: str
    object_id: str
    home_tenant_id: str
    display_name: str
    multi_tenant: bool
    redirect_uris: list[str]
    secrets: dict[str, str] = field(default_factory=dict)
    """keyId -> secret text."""
    federated_subjects: set[str] = field(default_factory=set)
    """Subjects of managed identities whose assertion may stand for a secret."""
    exposes_roles: list[dict[str, Any]] = field(default_factory=list)
    exposes_scopes: list[str] = field(default_factory=list)
    spa: bool = False
    """A single-page application: a public client that must use PKCE from a browser."""
    required_scopes: dict[str, list[str]] = field(default_factory=dict)
    """Resource app id -> delegated permissions that a consent to `.default` grants."""
    required_roles: dict[str, list[str]] = field(default_factory=dict)
    """Resource app id -> application permissions that the admin consent page grants."""


@dataclass
class Health:
    """What Resource Health says about one resource now. `state` None is the API's null."""

    state: str | None
    occurred: datetime
    reported: datetime
    reason_type: str | None = None
    context: str | None = None
    category: str | None = None
    summary: str = ""


@dataclass
class Resource:
    """One ARM resource. `health` None: Resource Health does not report this type or resource."""

    id: str
    name: str
    type: str
    location: str
    resource_group: str
    subscription_id: str
    kind: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    sku: dict[str, Any] | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    created: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    health: Health | None = None
    health_history: list[Health] = field(default_factory=list)
    """Newest first, the current one included."""
    power: str | None = None
    """For virtual machines: running, stopped, deallocated, starting, stopping, deallocating. For other types whose
    properties do not show the run state: that state in their own words."""
    hibernated: bool = False
    """A deallocated virtual machine whose memory is saved."""
    listed: bool = True
    """Resource Manager's list and Resource Graph return it; False for children that only their parent's list has."""
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    """verb -> {code, message, status?, canceled?}: its next action is refused, or ends Failed or Canceled with it."""


@dataclass
class RoleAssignment:
    """An Azure RBAC assignment at subscription scope (principal_type User, ServicePrincipal, ForeignGroup)."""

    id: str
    principal_id: str
    principal_type: str
    role: str
    """Role definition GUID."""


@dataclass
class Subscription:
    """An Azure subscription of a customer (or the partner's own)."""

    id: str
    tenant_id: str
    name: str
    state: str = "Enabled"
    resources: dict[str, Resource] = field(default_factory=dict)
    """Lower-cased id -> resource, in insertion order."""
    role_assignments: list[RoleAssignment] = field(default_factory=list)
    managed_by: dict[str, str] = field(default_factory=dict)
    """Lighthouse: managing principal object id -> role GUID (principals live in the partner tenant)."""
    version: int = 0
    """Bumped on every change, so that prepared pages can be kept."""


@dataclass
class GdapRelationship:
    """A delegatedAdminRelationship. `assignments`: id -> {group, roles, status}."""

    id: str
    customer_id: str
    display_name: str
    status: str
    roles: list[str]
    created: datetime
    activated: datetime | None
    end: datetime | None
    auto_extend: str = "PT0S"
    assignments: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Tenant:
    """An Entra tenant. `relationship_to_partner` is Partner Center's word: reseller, advisor, none."""

    id: str
    name: str
    default_domain: str
    initial_domain: str
    relationship_to_partner: str = "none"
    premium: bool = True
    traps: set[str] = field(default_factory=set)
    admin_agents_group: str | None = None
    """Only the partner's tenant has one."""
    service_principals: dict[str, ServicePrincipal] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    app_role_assignments: dict[str, AppRoleAssignment] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """Group object id -> display name."""
    subscription_ids: list[str] = field(default_factory=list)

    def sp_of(self, app_id: str) -> ServicePrincipal | None:
        """The service principal of an application here, visible or not yet."""
        return next((sp for sp in self.service_principals.values() if sp.app_id == app_id), None)


@dataclass
class Behaviour:
    """Knobs of `PUT /behaviour`."""

    lro: str = "polls=2"
    """immediate | typical | polls=n | seconds=s."""
    replication_lag: float = 0.0
    """Seconds before a new directory object or role is seen."""
    throttling: bool = False
    """Microsoft's token buckets."""
    latency_ms: float = 0.0
    drift: bool = False


@dataclass
class World:
    """Everything that `POST /reset` makes anew."""

    scenario: str
    seed: int
    rng: random.Random
    clock: Clock
    partner: Tenant
    tenants: dict[str, Tenant] = field(default_factory=dict)
    """The partner's own tenant and the foreign ones included."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    relationships: dict[str, GdapRelationship] = field(default_factory=dict)
    behaviour: Behaviour = field(default_factory=Behaviour)
    traps: dict[str, dict[str, str]] = field(default_factory=dict)
    """Trap -> where it is: tenantId, and subscriptionId, resourceId or person where it is one of these."""
    extra: dict[str, Any] = field(default_factory=dict)

    def guid(self, *parts: str) -> str:
        """A GUID that depends only on the seed and the parts."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((str(self.seed), *parts))))

    def applications_by_id(self) -> dict[str, Application]:
        """Client id -> registration."""
        by_id: dict[str, Application] = self.extra.setdefault("applications_by_id", {})
        if len(by_id) != len(self.applications):
            by_id.clear()
            by_id.update({app.app_id: app for app in self.applications.values()})
        return by_id

    def relationships_of(self, tenant_id: str) -> list[GdapRelationship]:
        """The GDAP relationships with one customer, of any status."""
        by_customer: dict[str, list[GdapRelationship]] = self.extra.setdefault("relationships_by_customer", {})
        if sum(map(len, by_customer.values())) != len(self.relationships):
            by_customer.clear()
            for relationship in self.relationships.values():
                by_customer.setdefault(relationship.customer_id, []).append(relationship)
        return by_customer.get(tenant_id, [])

    def customers(self) -> list[Tenant]:
        """Every tenant Partner Center knows as a customer, in name order."""
        return sorted((t for t in self.tenants.values() if t.relationship_to_partner != "none"), key=lambda t: t.name)

    def resource(self, resource_id: str) -> Resource | None:
        """A resource by its ARM id, in any case."""
        lowered = resource_id.lower().rstrip("/")
        parts = lowered.split("/")
        if len(parts) < 3 or parts[1] != "subscriptions":
            return None
        subscription = self.subscriptions.get(parts[2])
        return subscription.resources.get(lowered) if subscription else None

    def set_health(self, resource: Resource, health: Health | None) -> None:
        """Change a resource's health and remember it."""
        resource.health = health
        if health is not None:
            resource.health_history.insert(0, health)
            del resource.health_history[50:]
        self.subscriptions[resource.subscription_id].version += 1


@dataclass
class Fault:
    """One row of `POST /faults`: answers in place of the service, the next `times` matching requests after `after`.

    `status` is an HTTP status, or 0 with `kind` "disconnect" or "slow". `probability` (0 to 1) makes it random by the
    world's seed. `batch_item` true: the fault hits single items inside Graph's $batch.
    """

    service: str
    method: str | None = None
    path: str | None = None
    """A regular expression searched in the path, ignoring case."""
    status: int = 503
    body: Any = None
    retry_after: float | None = None
    times: int = 1
    after: int = 0
    probability: float = 1.0
    kind: str = "status"
    delay_ms: float = 0.0
    batch_item: bool = False


class Cloud:
    """The process: one world at a time, the faults set on it, and the log of what arrived."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        """Service name -> base URL, no trailing slash: login, arm, graph, partnercenter, vault, control."""
        self.clock = Clock()
        self.faults: list[Fault] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=200_000)
        self.request_count = 0
        self.world: World  # set by reset()
        self.generation = 0
        self.ca_path = Path("ca.pem")
        """The private authority's certificate (PEM)."""
