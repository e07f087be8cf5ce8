"""Clients' sites and which tenant and subscriptions each stands for."""

from __future__ import annotations

from collections.abc import Iterable

from shared.app import App
from shared.store.tables import Kind, Record


class Site(Record):
    """A client's site. `tenant_id` None: not mapped. `subscription_ids` None: every subscription of the tenant."""

    id: str
    client_name: str
    site_name: str
    tenant_id: str | None = None
    subscription_ids: list[str] | None = None

    def covers(self, tenant_id: str, subscription_id: str) -> bool:
        """Whether the subscription (any case) belongs to this site."""
        if self.tenant_id != tenant_id:
            return False
        return self.subscription_ids is None or subscription_id.lower() in self.subscription_ids


class Revision(Record):
    """Counts every change of any site. It lies in the sites' partition, so that one transaction writes both."""

    number: int = 0


SITES = Kind("Sites", Site, lambda s: ("site", s.id))
REVISION = Kind("Sites", Revision, lambda r: ("site", "!revision"))
ABOVE = "!~"
"""Sites' keys sort above this, the revision's below."""


class SiteMap:
    """Which site a subscription belongs to; built from all sites, never changed."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self.by_id: dict[str, Site] = {site.id: site for site in sites}
        self._by_tenant: dict[str, list[Site]] = {}
        for site in self.by_id.values():
            if site.tenant_id is not None:
                self._by_tenant.setdefault(site.tenant_id, []).append(site)

    def of(self, tenant_id: str, subscription_id: str) -> Site | None:
        """The site of a subscription, or None."""
        return next((s for s in self.of_tenant(tenant_id) if s.covers(tenant_id, subscription_id)), None)

    def of_tenant(self, tenant_id: str) -> list[Site]:
        """The sites mapped to a tenant, wholly or in part."""
        return self._by_tenant.get(tenant_id, [])

    @property
    def tenant_ids(self) -> frozenset[str]:
        """Every mapped tenant."""
        return frozenset(self._by_tenant)


async def every(app: App) -> list[Site]:
    """All sites, by id."""
    return await app.tables.all(SITES, "site", above=ABOVE)


async def load(app: App) -> SiteMap:
    """The present map: one point read when nothing changed since this process last asked."""
    revision = await app.tables.get(REVISION, "site", "!revision")
    mark = revision.etag if revision else None
    kept: tuple[str | None, SiteMap] | None = app.memory.get("sites")
    if kept is None or kept[0] != mark:
        kept = (mark, SiteMap(await every(app)))
        app.memory["sites"] = kept
    return kept[1]
