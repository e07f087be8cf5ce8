"""Where a subscription stands: its tenant, connection and site, whether it is polled and shown, and what ails it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from shared import connections, sites, tenants
from shared.app import App
from shared.connections import Connection
from shared.errors import SIGN_IN_AGAIN
from shared.sites import Site, SiteMap
from shared.tenants import SUBSCRIPTIONS, Subscription, Tenant

RECENT_SECONDS = 30
"""How old the tenants, connections and sites may be that a poll job goes by; before it stores, it asks again."""

STATES_UNREAD = "runStatesUnread"
"""Code of the failure that only run states could not be read: everything else is as fresh as ever."""


class RefreshError(TypedDict):
    """Why data cannot be refreshed, what to do, and since when, if that is known."""

    code: str
    message: str
    fix: str
    since: datetime | None


@dataclass(frozen=True)
class Place:
    """A subscription among the rows it belongs to. `site` None: not mapped."""

    subscription: Subscription
    tenant: Tenant | None
    connection: Connection | None
    site: Site | None

    @property
    def shown(self) -> bool:
        """Whether its devices are listed. What only fails stays listed, with its age."""
        tenant = self.tenant
        present = tenant is not None and tenant.status != "deactivated" and not tenant.removing
        return present and self.site is not None and not self.subscription.gone

    @property
    def not_polled(self) -> str:
        """Why it is not polled; empty when it is."""
        if self.subscription.gone:
            return "The subscription is gone."
        if self.tenant is None or self.tenant.status != "synced" or self.tenant.removing:
            return "The tenant is not synced."
        if self.site is None:
            return "The subscription is mapped to no site."
        if self.connection is None or self.connection.status != "active":
            return "The connection is not active."
        if self.subscription.access == "none":
            return self.subscription.access_reason or "Nothing lets us read this subscription."
        return ""

    @property
    def failure(self) -> RefreshError | None:
        """Why its data cannot be refreshed; None while it can. `since` is UTC."""
        connection, tenant, subscription = self.connection, self.tenant, self.subscription
        if connection is not None and connection.status == "needsConsent":
            reason = connection.needs_consent_reason or "The connection's sign-in is no longer taken."
            return _failure("needsConsent", reason, SIGN_IN_AGAIN, connection.needs_consent_since)
        if connection is None or connection.status != "active":
            return _failure("connectionNotActive", "The connection is not active.", "Test and complete it.", None)
        if tenant is not None and tenant.status == "failed":
            fix = tenant.status_fix or "Sync the tenant again."
            return _failure("tenantFailed", tenant.status_reason or "The sync failed.", fix, tenant.status_since)
        if subscription.access == "none":
            fix = "Give the application or AdminAgents a role on the subscription, then refresh the customers."
            reason = self.not_polled or "No role on the subscription."
            return _failure("noAzureAccess", reason, fix, subscription.failing_since)
        error = subscription.last_error
        if subscription.failing_since is None or error is None:
            return None
        return _failure(
            error.get("code", ""), error.get("message", ""), error.get("fix", ""), subscription.failing_since
        )


def _failure(code: str, message: str, fix: str, since: datetime | None) -> RefreshError:
    return {"code": code, "message": message, "fix": fix, "since": since}


@dataclass(frozen=True)
class Directory:
    """The rows that subscriptions are joined with."""

    tenants: dict[str, Tenant]
    connections: dict[str, Connection]
    sites: SiteMap

    def place(self, subscription: Subscription) -> Place:
        """Where a subscription stands."""
        return Place(
            subscription,
            self.tenants.get(subscription.tenant_id),
            self.connections.get(subscription.connection_id),
            self.sites.of(subscription.tenant_id, subscription.id),
        )


async def directory(app: App) -> Directory:
    """As it is now."""
    every_tenant, every_connection, site_map = await asyncio.gather(
        tenants.every(app), connections.all(app), sites.load(app)
    )
    return Directory({t.id: t for t in every_tenant}, {c.id: c for c in every_connection}, site_map)


async def recent_directory(app: App) -> Directory:
    """As it was at most RECENT_SECONDS ago: of many jobs at once only the first reads."""
    kept: dict[str, Any] = app.memory.setdefault("directory", {"at": 0.0, "value": None, "lock": asyncio.Lock()})
    async with kept["lock"]:
        # Wall time: the rows age by it, whatever the application's clock was stepped to.
        if kept["value"] is None or time.monotonic() - kept["at"] > RECENT_SECONDS:
            kept["value"], kept["at"] = await directory(app), time.monotonic()
    found: Directory = kept["value"]
    return found


async def every(app: App) -> list[Place]:
    """All subscriptions, as they are now."""
    rows, found = await asyncio.gather(tenants.subscriptions(app), directory(app))
    return [found.place(row) for row in rows]


async def of(app: App, subscription_id: str) -> Place | None:
    """One subscription (lower case) as it is now, by point reads; None when there is no such row."""
    subscription = await app.tables.get(SUBSCRIPTIONS, "subscription", subscription_id) if subscription_id else None
    if subscription is None:
        return None
    tenant, connection, site_map = await asyncio.gather(
        app.tables.get(tenants.TENANTS, "tenant", subscription.tenant_id),
        app.tables.get(connections.CONNECTIONS, "connection", subscription.connection_id),
        sites.load(app),
    )
    return Place(subscription, tenant, connection, site_map.of(subscription.tenant_id, subscription.id))
