"""The records of tenants and subscriptions, how they are read and shown, and with which identity each is reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired, cast
from urllib.parse import urlencode

from pydantic import Field
from typing_extensions import TypedDict

from shared import connections
from shared.app import App
from shared.connections import Connection
from shared.errors import NotFound
from shared.microsoft import sign_in
from shared.microsoft.graph import Graph
from shared.microsoft.identity import TenantCredential
from shared.progress import Problem
from shared.settings import Settings
from shared.store.tables import Kind, Record

Relationship = Literal["reseller", "gdapOnly", "own"]
Status = Literal["deactivated", "pending", "synced", "failed"]
Access = Literal["lighthouse", "application", "adminAgents", "none"]


class Tenant(Record):
    """An Entra tenant that a connection reaches. Times are UTC."""

    id: str
    display_name: str
    default_domain: str = ""
    initial_domain: str = ""
    """`*.onmicrosoft.com`; empty until the tenant was read."""
    connection_id: str
    relationship: Relationship
    is_primary: bool = False
    """The provider's own tenant."""
    relationship_ended: bool = False
    status: Status = "deactivated"
    status_reason: str | None = None
    status_fix: str | None = None
    status_since: datetime | None = None
    consent_url: str | None = None
    """Where the tenant's own administrator can consent when Partner Center cannot do it for him."""
    last_synced_at: datetime | None = None
    enterprise_app_id: str | None = None
    """Object id of the service principal there."""
    created_application: bool = False
    """Whether Tenantry made that service principal; only then it is deleted."""
    consent_version: int = 0
    """Rises when permissions there change: part of the key of cached tokens."""
    steps: dict[str, str] = Field(default_factory=dict)
    """Provisioning step -> `done` or `skipped`, as far as the present or last synchronization came."""
    operation_id: str | None = None
    """The sync or unsync that is under way."""
    removing: bool = False
    """What was made there is being removed."""


class Subscription(Record):
    """An Azure subscription of a tenant. `id` is lower-case. Times are UTC."""

    id: str
    tenant_id: str
    connection_id: str
    name: str
    state: str = "Enabled"
    access: Access = "none"
    access_reason: str | None = None
    access_by_person: bool = False
    """Lighthouse only: delegated to a group of the signed-in person and not to the application."""
    gone: bool = False
    last_refreshed_at: datetime | None = None
    last_attempt_at: datetime | None = None
    failing_since: datetime | None = None
    last_error: dict[str, str] | None = None
    """`code`, `message`, `fix`."""
    device_count: int = 0
    digest: str | None = None
    """Hash of what the last successful poll saw."""


TENANTS = Kind(
    "Tenants",
    Tenant,
    lambda t: ("tenant", t.id),
    lambda t: {"connection": t.connection_id, "status": t.status},
)
SUBSCRIPTIONS = Kind(
    "Subscriptions",
    Subscription,
    lambda s: ("subscription", s.id),
    lambda s: {"tenant": s.tenant_id, "connection": s.connection_id},
)


async def get(app: App, tenant_id: str) -> Tenant:
    """One tenant. Raises NotFound."""
    tenant = await app.tables.get(TENANTS, "tenant", tenant_id)
    if tenant is None:
        raise NotFound(f"There is no tenant {tenant_id}.")
    return tenant


async def every(app: App, connection_id: str | None = None) -> list[Tenant]:
    """All tenants, or those of one connection."""
    if connection_id is None:
        return await app.tables.all(TENANTS, "tenant")
    return await app.tables.all(TENANTS, "tenant", where="connection eq @c", parameters={"c": connection_id})


async def matching(
    app: App,
    *,
    connection_ids: list[str] | None,
    statuses: Sequence[str] | None,
    search: str | None,
    within: frozenset[str] | None,
) -> list[Tenant]:
    """Tenants of one of the connections and states, with the text in a name, domain or id; `within` is the scope."""
    text = (search or "").casefold()
    return [
        tenant
        for tenant in await every(app)
        if (within is None or tenant.id in within)
        and (not connection_ids or tenant.connection_id in connection_ids)
        and (not statuses or tenant.status in statuses)
        and text in f"{tenant.display_name}\n{tenant.default_domain}\n{tenant.initial_domain}\n{tenant.id}".casefold()
    ]


async def subscription_counts(app: App) -> dict[str, int]:
    """Tenant id -> number of its subscriptions that are not gone."""
    return Counter(row.tenant_id for row in await subscriptions(app) if not row.gone)


async def subscriptions(app: App, tenant_id: str | None = None) -> list[Subscription]:
    """All subscriptions, or those of one tenant; the gone ones too."""
    if tenant_id is None:
        return await app.tables.all(SUBSCRIPTIONS, "subscription")
    return await app.tables.all(SUBSCRIPTIONS, "subscription", where="tenant eq @t", parameters={"t": tenant_id})


async def arm_credential(
    app: App, tenant: Tenant, subscription: Subscription, *, connection: Connection | None = None
) -> TenantCredential:
    """The credential that reads and acts on a subscription, by the access found when it was listed.

    Ask it for the scope `{settings.resources['arm']}/.default`. Lighthouse needs a token of the partner's tenant,
    the other ways one of the client's. `connection` saves reading its row.
    """
    if subscription.access == "lighthouse":
        connection = connection or await connections.get(app, tenant.connection_id)
        return app.identity.credential(
            tenant.connection_id, connection.partner_tenant_id, app_only=not subscription.access_by_person
        )
    return client_credential(app, tenant, app_only=subscription.access == "application")


def client_credential(app: App, tenant: Tenant, *, app_only: bool) -> TenantCredential:
    """Tokens of the client's own tenant: of the application itself, or of the person who signed the connection in."""
    return app.identity.credential(
        tenant.connection_id, tenant.id, consent_version=tenant.consent_version, app_only=app_only
    )


def graph_of(app: App, tenant: Tenant, *, app_only: bool = False) -> Graph:
    """Graph of a client's tenant."""
    return Graph(app.settings, app.transport.http, client_credential(app, tenant, app_only=app_only))


async def partner_graph(app: App, connection_id: str) -> Graph:
    """Graph of the partner's own tenant, as the person who signed the connection in. Raises NotFound."""
    connection = await connections.get(app, connection_id)
    return Graph(app.settings, app.transport.http, app.identity.credential(connection_id, connection.partner_tenant_id))


def consent_url(settings: Settings, tenant_id: str) -> str:
    """Where the tenant's own administrator consents to the application.

    Source: learn.microsoft.com/entra/identity-platform/v2-admin-consent.
    """
    query = {
        "client_id": settings.partner_client_id,
        "scope": f"{settings.resources['graph']}/.default",
        "redirect_uri": sign_in.redirect_uri(settings),
        "state": f"consent-{tenant_id}",
    }
    return f"{settings.sign_in_url}/{tenant_id}/v2.0/adminconsent?{urlencode(query)}"


class TenantLinks(TypedDict):
    """Microsoft's admin centers, opened on a tenant."""

    entra: str
    azure: str
    exchange: str
    m365: str
    intune: str
    defender: str
    sharepoint: str
    teams: str


def links(settings: Settings, tenant: Tenant) -> TenantLinks:
    """Microsoft's admin centers, opened on this tenant.

    `delegatedOrg` and a domain or tenant id in the path choose the directory; SharePoint's own host name cannot be
    known without asking, so the partner page of the admin center forwards to it.
    """
    domain, initial = tenant.default_domain or tenant.id, tenant.initial_domain or tenant.default_domain or tenant.id
    admin = "https://admin.cloud.microsoft"
    return {
        "entra": f"https://entra.microsoft.com/{domain}",
        "azure": f"{settings.azure_portal_url}/{domain}",
        "exchange": f"{admin}/exchange?delegatedOrg={initial}",
        "m365": f"{admin}/?delegatedOrg={initial}",
        "intune": f"https://intune.microsoft.com/{domain}",
        "defender": f"https://security.microsoft.com/?tid={tenant.id}",
        "sharepoint": f"https://admin.microsoft.com/Partner/BeginClientSession.aspx?CTID={tenant.id}&CSDEST=SharePoint",
        "teams": f"https://admin.teams.microsoft.com/?delegatedOrg={initial}",
    }


class _Provisioning(TypedDict, total=False):
    initialDomain: str
    statusReason: str
    statusFix: str
    consentUrl: str
    enterpriseAppId: str
    operationId: str
    steps: dict[str, str]


class TenantView(_Provisioning, TypedDict):
    """A tenant. `steps`: `done` or `skipped` by provisioning step; `operationId`: the sync or unsync under way."""

    id: str
    displayName: str
    defaultDomain: str
    connectionId: str
    relationship: Relationship
    relationshipEnded: bool
    isPrimary: bool
    status: Status
    lastSyncedAt: datetime | None
    subscriptionCount: int
    links: TenantLinks


def view(settings: Settings, tenant: Tenant, subscription_count: int) -> TenantView:
    """As the API shows it."""
    return {
        "id": tenant.id,
        "displayName": tenant.display_name,
        "defaultDomain": tenant.default_domain,
        "connectionId": tenant.connection_id,
        "relationship": tenant.relationship,
        "relationshipEnded": tenant.relationship_ended,
        "isPrimary": tenant.is_primary,
        "status": tenant.status,
        "lastSyncedAt": tenant.last_synced_at,
        "subscriptionCount": subscription_count,
        "links": links(settings, tenant),
        **_provisioning(tenant),
    }


def _provisioning(tenant: Tenant) -> _Provisioning:
    shown: _Provisioning = {}
    if tenant.initial_domain:
        shown["initialDomain"] = tenant.initial_domain
    if tenant.status_reason is not None:
        shown["statusReason"] = tenant.status_reason
    if tenant.status_fix is not None:
        shown["statusFix"] = tenant.status_fix
    if tenant.consent_url is not None:
        shown["consentUrl"] = tenant.consent_url
    if tenant.enterprise_app_id is not None:
        shown["enterpriseAppId"] = tenant.enterprise_app_id
    if tenant.operation_id is not None:
        shown["operationId"] = tenant.operation_id
    if tenant.steps:
        shown["steps"] = tenant.steps
    return shown


class SubscriptionView(TypedDict):
    """An Azure subscription: how it is reached, and how old its data is. `gone`: Azure lists it no more."""

    id: str
    tenantId: str
    name: str
    state: str
    access: Access
    gone: bool
    lastRefreshed: datetime | None
    deviceCount: int
    accessReason: NotRequired[str]
    failingSince: NotRequired[datetime]
    lastError: NotRequired[Problem]


def view_subscription(subscription: Subscription) -> SubscriptionView:
    """As the API shows it."""
    shown: SubscriptionView = {
        "id": subscription.id,
        "tenantId": subscription.tenant_id,
        "name": subscription.name,
        "state": subscription.state,
        "access": subscription.access,
        "gone": subscription.gone,
        "lastRefreshed": subscription.last_refreshed_at,
        "deviceCount": subscription.device_count,
    }
    if subscription.access_reason is not None:
        shown["accessReason"] = subscription.access_reason
    if subscription.failing_since is not None:
        shown["failingSince"] = subscription.failing_since
    if subscription.last_error is not None:
        shown["lastError"] = cast("Problem", subscription.last_error)
    return shown


async def change(app: App, tenant_id: str, **values: Any) -> Tenant:
    """Change a tenant's row whatever it says now. Raises NotFound."""
    changed = await app.tables.update(TENANTS, "tenant", tenant_id, lambda current: current.changed(**values))
    if changed is None:
        raise NotFound(f"There is no tenant {tenant_id}.")
    return changed


def problem(error: Exception) -> Problem:
    """An error as an operation's item shows it."""
    code = getattr(error, "remote_code", "") or getattr(error, "code", "internalError")
    message = f"{getattr(error, 'message', error)} {getattr(error, 'fix', '')}".strip()
    return {"code": code, "message": message}
