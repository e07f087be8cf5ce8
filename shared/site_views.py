"""Sites as the API shows them: what each stands for, and whether its Azure resources are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NotRequired

from typing_extensions import TypedDict

from shared import tenants
from shared.app import App
from shared.sites import Site
from shared.tenants import Subscription, Tenant


class AzureOfSite(TypedDict):
    """Whether Azure resources of a site are read, and why not."""

    polled: bool
    reason: NotRequired[str]


class SiteView(TypedDict):
    """A client's site; what is of Azure is there when it is mapped. No `subscriptionIds`: all of the tenant's."""

    id: str
    clientName: str
    siteName: str
    tenantId: NotRequired[str]
    tenantName: NotRequired[str]
    subscriptionIds: NotRequired[list[str]]
    azure: NotRequired[AzureOfSite]


def view(site: Site, tenant: Tenant | None, known: list[Subscription]) -> SiteView:
    """As the API shows it; `tenant` and `known` are the mapped tenant and all its subscriptions."""
    shown: SiteView = {"id": site.id, "clientName": site.client_name, "siteName": site.site_name}
    if site.tenant_id is None:
        return shown
    shown["tenantId"] = site.tenant_id
    if tenant is not None:
        shown["tenantName"] = tenant.display_name
    if site.subscription_ids is not None:
        shown["subscriptionIds"] = site.subscription_ids
    reason = not_polled(site, tenant, known)
    shown["azure"] = {"polled": True} if reason is None else {"polled": False, "reason": reason}
    return shown


def not_polled(site: Site, tenant: Tenant | None, known: list[Subscription]) -> str | None:
    """Why no Azure resource of a mapped site is read; None when some are. Pure."""
    if tenant is None:
        return "The tenant is not known any more."
    if tenant.status != "synced":
        return f"{tenant.display_name} is {tenant.status}. Sync it."
    mine = [row for row in known if site.covers(tenant.id, row.id) and not row.gone]
    if any(row.access != "none" for row in mine):
        return None
    if mine:
        return mine[0].access_reason or "No role lets Tenantry read the subscriptions."
    if tenant.relationship == "gdapOnly":
        return f"{tenant.display_name} is not a reseller customer and delegates no subscription with Azure Lighthouse."
    return f"{tenant.display_name} has no Azure subscription that Tenantry can see."


async def describe(app: App, site: Site) -> SiteView:
    """One site as the API shows it."""
    if site.tenant_id is None:
        return view(site, None, [])
    tenant = await app.tables.get(tenants.TENANTS, "tenant", site.tenant_id)
    return view(site, tenant, await tenants.subscriptions(app, site.tenant_id))


async def describer(app: App) -> Callable[[Site], SiteView]:
    """What shows many sites, having read tenants and subscriptions once."""
    known = {tenant.id: tenant for tenant in await tenants.every(app)}
    owned: dict[str, list[Subscription]] = {}
    for row in await tenants.subscriptions(app):
        owned.setdefault(row.tenant_id, []).append(row)
    return lambda site: view(site, known.get(site.tenant_id or ""), owned.get(site.tenant_id or "", []))
