"""Client tenants: list, refresh, synchronize, diagnose."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response
from pydantic import Field

from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, request_id
from shared import connections, progress, provisioning, sites, tenants
from shared.access import ADMIN, DEVICES_READ, M365_READ
from shared.app import App
from shared.errors import NotFound
from shared.tenants import Tenant

area = Area("tenants")
READ = (DEVICES_READ, M365_READ)
TenantId = Annotated[str, Path(pattern=ID, description="Entra tenant id.")]
Id = Annotated[str, Field(pattern=ID)]


class Refresh(Acting):
    """Which connection to refresh; all when it is left out."""

    connection_id: Annotated[str | None, Field(pattern=ID)] = None


class Tenants(Acting):
    """Tenants to act on."""

    tenant_ids: list[Id] = Field(min_length=1, max_length=1000)


def _why(request: Request, body: Acting) -> dict[str, str | None]:
    return {"reason": body.reason, "ticket_number": body.ticket_number, "request_id": request_id(request)}


def _accepted(app: App, response: Response, operation: progress.Operation) -> progress.OperationView:
    response.headers["Operation-Location"] = f"{app.settings.public_api_url}/operations/{operation.id}"
    return progress.view(operation)


async def _in_scope(app: App, caller: Caller, tenant_id: str) -> Tenant:
    """The tenant, unless it is out of the caller's sites. Raises NotFound."""
    visible = await sites.tenants_seen_by(app, caller)
    wanted = tenant_id.lower()
    if visible is not None and wanted not in visible:
        raise NotFound(f"There is no tenant {tenant_id}.")
    return await tenants.get(app, wanted)


@area.get("/tenants", permission=READ)
async def list_tenants(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    connection_id: Annotated[list[str] | None, Query(alias="connectionId", max_length=100)] = None,
    status: Annotated[list[Literal["deactivated", "pending", "synced", "failed"]] | None, Query(max_length=4)] = None,
    search: Annotated[str | None, Query(max_length=200, description="Part of a name, domain or id.")] = None,
) -> Page[tenants.TenantView]:
    """Every customer of every connection, and the provider's own tenant; in scope."""
    visible = await sites.tenants_seen_by(app, caller)
    found = await tenants.matching(app, connection_ids=connection_id, statuses=status, search=search, within=visible)
    counts = await tenants.subscription_counts(app)
    return page.of(
        found,
        columns={
            "displayName": lambda t: t.display_name,
            "defaultDomain": lambda t: t.default_domain,
            "status": lambda t: t.status,
            "relationship": lambda t: t.relationship,
            "lastSyncedAt": lambda t: t.last_synced_at,
            "subscriptionCount": lambda t: counts.get(t.id, 0),
        },
        default="displayName",
        key=lambda t: t.id,
        view=lambda t: tenants.view(app.settings, t, counts.get(t.id, 0)),
    )


@area.post("/tenants/refresh", permission=ADMIN, idempotent=True, status_code=202)
async def refresh_tenants(
    app: AppDep, caller: Caller, request: Request, response: Response, body: Refresh | None = None
) -> progress.OperationView:
    """List customers and subscriptions again. 409 until a connection is tested."""
    given = body or Refresh()
    operation = await tenants.start_refresh(app, given.connection_id, by=caller, **_why(request, given))
    return _accepted(app, response, operation)


@area.post("/tenants/sync", permission=ADMIN, idempotent=True, status_code=202)
async def sync_tenants(
    app: AppDep, caller: Caller, request: Request, response: Response, body: Tenants
) -> progress.OperationView:
    """Create and verify the enterprise application in each tenant; one item per tenant says how it went."""
    operation = await provisioning.sync(app, body.tenant_ids, by=caller, **_why(request, body))
    return _accepted(app, response, operation)


@area.post("/tenants/unsync", permission=ADMIN, idempotent=True, status_code=202)
async def unsync_tenants(
    app: AppDep, caller: Caller, request: Request, response: Response, body: Tenants
) -> progress.OperationView:
    """Remove what was made in each tenant. 409 when only the provider's own tenant is named."""
    operation = await provisioning.unsync(app, body.tenant_ids, by=caller, **_why(request, body))
    return _accepted(app, response, operation)


@area.get("/tenants/{tenant_id}", permission=READ)
async def read_tenant(app: AppDep, caller: Caller, response: Response, tenant_id: TenantId) -> tenants.TenantView:
    """One tenant."""
    tenant = await _in_scope(app, caller, tenant_id)
    if tenant.etag:
        response.headers["ETag"] = tenant.etag
    rows = await tenants.subscriptions(app, tenant.id)
    return tenants.view(app.settings, tenant, sum(not row.gone for row in rows))


@area.get("/tenants/{tenant_id}/subscriptions", permission=READ)
async def list_subscriptions(
    app: AppDep, caller: Caller, page: PageDep, tenant_id: TenantId
) -> Page[tenants.SubscriptionView]:
    """A tenant's Azure subscriptions in scope: how each is reached, and how old its data is."""
    tenant = await _in_scope(app, caller, tenant_id)
    rows = await sites.subscriptions_seen_by(app, caller, tenant.id)
    return page.of(
        rows,
        columns={
            "name": lambda s: s.name,
            "access": lambda s: s.access,
            "lastRefreshed": lambda s: s.last_refreshed_at,
        },
        default="name",
        key=lambda s: s.id,
        view=tenants.view_subscription,
    )


@area.get("/tenants/{tenant_id}/diagnosis", permission=ADMIN)
async def diagnose_tenant(app: AppDep, tenant_id: TenantId) -> connections.CheckReport:
    """Look at everything this tenant needs, now, with what to do about each thing that is wrong."""
    return connections.report(await tenants.diagnose(app, await tenants.get(app, tenant_id.lower())))
