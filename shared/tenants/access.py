"""How each Azure subscription of a tenant is reached: Lighthouse, the application's own role, or AdminAgents.

Consent, GDAP and Azure rights are three different things: GDAP gives none of Azure
(learn.microsoft.com/partner-center/customers/gdap-introduction), so every way is tried, in that order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.app import App
from shared.connections import Connection
from shared.errors import AccessDenied, NeedsConsent
from shared.jobs import CloseAlerts
from shared.microsoft import arm
from shared.microsoft.arm import ListedSubscription
from shared.microsoft.identity import TenantCredential
from shared.store.tables import put
from shared.tenants.records import (
    SUBSCRIPTIONS,
    Access,
    Subscription,
    Tenant,
    client_credential,
    subscriptions,
)

LIGHTHOUSE_SECONDS = 60
"""How long the list of subscriptions delegated to the partner is kept: it serves all tenants of a connection."""
WRITES = 50
NO_ROLE = (
    "No role lets Tenantry read it: delegate it with Azure Lighthouse, give the application Reader and Virtual Machine "
    "Contributor, or give AdminAgents its Owner role back."
)
BY_AGENTS = "The application has no role of its own there; the AdminAgents group's is used."
DELETED = "Deleted"
OURS = {"tenant_id", "connection_id", "name", "state", "access", "access_reason", "access_by_person", "gone"}


@dataclass(frozen=True)
class Seen:
    """The subscriptions of one tenant by each way, id -> subscription; `refused` says why a way is closed."""

    lighthouse: Mapping[str, ListedSubscription] = field(default_factory=dict)
    lighthouse_person: Mapping[str, ListedSubscription] = field(default_factory=dict)
    """Delegated to a group of the person who signed in, not to the application."""
    application: Mapping[str, ListedSubscription] = field(default_factory=dict)
    person: Mapping[str, ListedSubscription] = field(default_factory=dict)
    refused: str | None = None
    """Why the signed-in person gets no token there."""


@dataclass(frozen=True)
class Reached:
    """A subscription with the first way that works."""

    subscription: ListedSubscription
    access: Access
    by_person: bool = False
    reason: str | None = None


def choose(seen: Seen) -> dict[str, Reached]:
    """The way to reach each subscription, in the fixed order. Pure."""
    reached: dict[str, Reached] = {}
    ways: tuple[tuple[Mapping[str, ListedSubscription], Access, bool, str | None], ...] = (
        (seen.lighthouse, "lighthouse", False, None),
        (seen.lighthouse_person, "lighthouse", True, None),
        (seen.application, "application", False, None),
        (seen.person, "adminAgents", True, BY_AGENTS),
    )
    for found, access, by_person, reason in ways:
        for subscription_id, subscription in found.items():
            if subscription.state != DELETED:
                reached.setdefault(subscription_id, Reached(subscription, access, by_person, reason))
    return reached


def merge(
    tenant: Tenant,
    known: Iterable[Subscription],
    reached: Mapping[str, Reached],
    gone: frozenset[str],
    why_not: str,
    now: datetime,
) -> list[Subscription]:
    """The rows that change: new ones, ones reached otherwise than before, ones that no way reaches. Pure.

    `gone` are those that Azure says do not exist any more; `why_not` is told of the others that are not reached.
    """
    rows = {row.id: row for row in known}
    changed = []
    for subscription_id, way in reached.items():
        values: dict[str, Any] = {
            "tenant_id": tenant.id,
            "connection_id": tenant.connection_id,
            "name": way.subscription.name,
            "state": way.subscription.state,
            "access": way.access,
            "access_reason": way.reason,
            "access_by_person": way.by_person,
            "gone": False,
        }
        old = rows.pop(subscription_id, None)
        new = old.changed(**values) if old else Subscription(id=subscription_id, **values)
        if new != old:
            changed.append(new)
    for subscription_id, old in rows.items():
        reason = "It was deleted or moved to another tenant." if subscription_id in gone else why_not
        new = old.changed(access="none", access_reason=reason, gone=subscription_id in gone)
        new = new.changed(failing_since=_failing_since(new, now))
        if new != old:
            changed.append(new)
    return changed


def _failing_since(row: Subscription, now: datetime) -> datetime | None:
    """Since when it is not read. What no way reaches is not polled, so no poll would say that it fails."""
    read = row.last_refreshed_at
    if row.access != "none" or row.gone or read is None:
        return row.failing_since
    return row.failing_since if row.failing_since is not None and row.failing_since > read else now


async def discover(app: App, connection: Connection, tenant: Tenant) -> list[Subscription]:
    """List a tenant's subscriptions anew and store how each is reached. Gives all its rows.

    One that nothing lists stays, marked as gone or without access; alerts of a gone one are closed.
    Raises NeedsConsent or Throttled.
    """
    known = await subscriptions(app, tenant.id)
    seen = await look(app, connection, tenant)
    reached = choose(seen)
    missing = [row for row in known if row.id not in reached and not row.gone]
    gone = frozenset([row.id for row in missing if await _is_gone(app, tenant, row)])
    gone |= {row.id for row in known if row.gone and row.id not in reached}
    now = app.clock.now()
    changed = merge(tenant, known, reached, gone, seen.refused or NO_ROLE, now)
    for row in missing:
        if row.id in gone:
            # Before the row: a crash in between only closes twice.
            await app.queues.send(CloseAlerts(subscription_id=row.id, reason="subscriptionGone"))
    await _store(app, changed, now)
    return await subscriptions(app, tenant.id) if changed else known


async def _store(app: App, changed: list[Subscription], now: datetime) -> None:
    fresh = [row for row in changed if row.etag is None]
    for begin in range(0, len(fresh), WRITES):
        await app.tables.transact(put(SUBSCRIPTIONS, row) for row in fresh[begin : begin + WRITES])
    for row in changed:
        if row.etag is not None:
            await app.tables.update(SUBSCRIPTIONS, "subscription", row.id, _only_ours(row, now))


def _only_ours(row: Subscription, now: datetime) -> Callable[[Subscription], Subscription]:
    """Replaces what belongs to this module: polls write to these rows too."""
    values = row.model_dump(include=OURS)

    def replaced(current: Subscription) -> Subscription:
        new = current.changed(**values)
        return new.changed(failing_since=_failing_since(new, now))

    return replaced


async def look(app: App, connection: Connection, tenant: Tenant) -> Seen:
    """What each identity lists in a tenant. A way that is refused lists nothing. Raises NeedsConsent or Throttled."""
    own = tenant.id == connection.partner_tenant_id
    by_lighthouse = ({}, {}) if own else await _lighthouse(app, connection)
    application, _ = await _listed(app, client_credential(app, tenant, app_only=True))
    person, refused = await _listed(app, client_credential(app, tenant, app_only=False))
    by_app, by_person, by_role, by_group = (
        {row.id: row for row in found.values() if row.home_tenant_id == tenant.id}
        for found in (*by_lighthouse, application, person)
    )
    return Seen(by_app, by_person, by_role, by_group, refused)


async def _listed(app: App, credential: TenantCredential) -> tuple[dict[str, ListedSubscription], str | None]:
    """Subscriptions that a credential lists, or none and why it is refused."""
    try:
        rows = await arm.list_subscriptions(app.settings, app.transport.azure, credential)
    except AccessDenied as error:
        return {}, f"{error.message} {error.fix}".strip()
    return {row.id: row for row in rows}, None


async def _lighthouse(
    app: App, connection: Connection
) -> tuple[dict[str, ListedSubscription], dict[str, ListedSubscription]]:
    """What the partner's own tenant lists, as the application and as the person; kept for a minute."""
    key = f"lighthouse-{connection.id}"
    kept = app.memory.setdefault(key, {"lock": asyncio.Lock(), "at": float("-inf"), "seen": ({}, {})})
    async with kept["lock"]:
        if asyncio.get_running_loop().time() - kept["at"] > LIGHTHOUSE_SECONDS:
            home = connection.partner_tenant_id
            by_app, _ = await _listed(app, app.identity.credential(connection.id, home, app_only=True))
            by_person, _ = await _listed(app, app.identity.credential(connection.id, home))
            kept["seen"], kept["at"] = (by_app, by_person), asyncio.get_running_loop().time()
    seen: tuple[dict[str, ListedSubscription], dict[str, ListedSubscription]] = kept["seen"]
    return seen


def forget_lighthouse(app: App, connection_id: str) -> None:
    """Make the next look ask Azure again."""
    app.memory.pop(f"lighthouse-{connection_id}", None)


async def _is_gone(app: App, tenant: Tenant, row: Subscription) -> bool:
    """Whether Azure says that a subscription is no more; a refusal says nothing of that."""
    for app_only in (True, False):
        credential = client_credential(app, tenant, app_only=app_only)
        try:
            state = await arm.subscription_state(app.settings, app.transport.azure, credential, row.id)
        except NeedsConsent:
            raise
        except AccessDenied:
            continue
        return state in (None, DELETED)
    return False
