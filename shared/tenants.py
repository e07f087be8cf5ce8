"""Client tenants and their Azure subscriptions: the records, who is listed, and with which identity each is read."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared import connections
from shared.app import App
from shared.errors import NotFound
from shared.microsoft.identity import TenantCredential
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
    """Provisioning step -> `done` or `skipped`."""
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


async def subscriptions(app: App, tenant_id: str | None = None) -> list[Subscription]:
    """All subscriptions, or those of one tenant; the gone ones too."""
    if tenant_id is None:
        return await app.tables.all(SUBSCRIPTIONS, "subscription")
    return await app.tables.all(SUBSCRIPTIONS, "subscription", where="tenant eq @t", parameters={"t": tenant_id})


async def arm_credential(app: App, tenant: Tenant, subscription: Subscription) -> TenantCredential:
    """The credential that reads and acts on a subscription, by the access found when it was listed.

    Ask it for the scope `{settings.resources['arm']}/.default`. Lighthouse needs a token of the partner's tenant,
    the other ways one of the client's.
    """
    if subscription.access == "lighthouse":
        connection = await connections.get(app, tenant.connection_id)
        return app.identity.credential(
            tenant.connection_id, connection.partner_tenant_id, app_only=not subscription.access_by_person
        )
    return app.identity.credential(
        tenant.connection_id,
        tenant.id,
        consent_version=tenant.consent_version,
        app_only=subscription.access == "application",
    )
