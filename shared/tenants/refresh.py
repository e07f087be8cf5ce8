"""Who is listed: the partner's own tenant, its reseller customers, and customers with GDAP alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared import connections, progress
from shared.access import ADMIN, Principal
from shared.app import App
from shared.connections import Connection
from shared.connections.record import trail
from shared.errors import Conflict, MicrosoftError, NeedsConsent, NotFound, PreconditionFailed, Throttled
from shared.jobs import ProvisionTenant, RefreshTenants, UnsyncTenant
from shared.microsoft.graph import Contract, Organization, Relationship
from shared.microsoft.partner_center import Customer, PartnerCenter
from shared.store.tables import TRANSACTION_LIMIT, insert
from shared.tenants.access import discover, forget_lighthouse
from shared.tenants.diagnosis import LIVE
from shared.tenants.records import TENANTS, Tenant, change, every, get, partner_graph, problem
from shared.tenants.records import Relationship as Kind

log = logging.getLogger("tenantry.tenants")
USABLE = frozenset({"tested", "active"})
"""States of a connection in which its tenants can be refreshed, synced and mapped."""
MAX_ATTEMPTS = 12
STALE = timedelta(minutes=20)
"""Work on a tenant that is older than this lost its message: longer than any wait for replication."""


@dataclass(frozen=True)
class Seen:
    """Everyone that Microsoft lists for a partner."""

    own: Organization
    customers: tuple[Customer, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    contracts: Mapping[str, Contract] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a refresh changes: tenants to add, values to set by tenant id, and tenants of other connections."""

    added: tuple[Tenant, ...]
    changed: Mapping[str, Mapping[str, Any]]
    foreign: tuple[str, ...]


def plan(connection_id: str, seen: Seen, known: Iterable[Tenant]) -> Plan:
    """Compare what is stored with what Microsoft lists. Nothing vanishes: who is no longer listed is marked. Pure."""
    listed = _listed(connection_id, seen)
    added, changed, foreign = [], dict[str, dict[str, Any]](), []
    rows = {tenant.id: tenant for tenant in known}
    for tenant_id, now in listed.items():
        old = rows.get(tenant_id)
        if old is None:
            added.append(now)
            continue
        values: dict[str, Any] = {
            "relationship": now.relationship,
            "is_primary": now.is_primary,
            "relationship_ended": False,
        }
        if old.connection_id != connection_id:
            if not old.relationship_ended or old.status != "deactivated":
                foreign.append(tenant_id)
                continue
            values["connection_id"] = connection_id
        if old.last_synced_at is None:
            # Partner Center's names are copies; once a tenant was read, its own word counts.
            values["display_name"] = now.display_name
            values["default_domain"] = now.default_domain or old.default_domain
        if any(getattr(old, name) != value for name, value in values.items()):
            changed[tenant_id] = values
    for tenant in rows.values():
        if tenant.connection_id == connection_id and tenant.id not in listed and not tenant.relationship_ended:
            changed[tenant.id] = {"relationship_ended": True}
    return Plan(tuple(added), changed, tuple(foreign))


def _listed(connection_id: str, seen: Seen) -> dict[str, Tenant]:
    """Everyone by tenant id: the own tenant, Partner Center's customers, then who granted admin access alone."""
    own = Tenant(
        id=seen.own.id.lower(),
        display_name=seen.own.name,
        default_domain=seen.own.default_domain,
        initial_domain=seen.own.initial_domain,
        connection_id=connection_id,
        relationship="own",
        is_primary=True,
    )
    found = {own.id: own}
    for customer in seen.customers:
        kind: Kind = "reseller" if customer.relationship == "reseller" else "gdapOnly"
        if customer.relationship != "none":
            found.setdefault(
                customer.tenant_id,
                Tenant(
                    id=customer.tenant_id,
                    display_name=customer.name,
                    default_domain=customer.domain,
                    connection_id=connection_id,
                    relationship=kind,
                ),
            )
    for row in seen.relationships:
        if row.status in LIVE and row.customer_id:
            contract = seen.contracts.get(row.customer_id)
            found.setdefault(
                row.customer_id,
                Tenant(
                    id=row.customer_id,
                    display_name=row.customer_name or row.customer_id,
                    default_domain=contract.default_domain if contract else "",
                    connection_id=connection_id,
                    relationship="gdapOnly",
                ),
            )
    return found


async def refresh_all(app: App) -> None:
    """Hourly: one job per usable connection."""
    usable = [row for row in await connections.all(app) if row.status in USABLE]
    await app.queues.send_all(RefreshTenants(connection_id=row.id) for row in usable)


async def start_refresh(app: App, connection_id: str | None, *, by: Principal, **why: str | None) -> progress.Operation:
    """Refresh one connection, or all. Raises NotFound; Conflict when none is usable."""
    chosen = [await connections.get(app, connection_id)] if connection_id else await connections.all(app)
    usable = [row for row in chosen if row.status in USABLE]
    if not usable:
        raise Conflict("No connection is tested or active. Test a connection first.", code="notTested")
    operation = await progress.start(
        app,
        "tenants.refresh",
        reader=ADMIN,
        items={row.id: row.name for row in usable},
        created_by=by.id,
        asked_by=by.name,
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        correlation_id=why.get("request_id") or "",
    )
    await app.queues.send_all(
        RefreshTenants(connection_id=row.id, operation_id=operation.id, correlation_id=operation.correlation_id)
        for row in usable
    )
    await trail(app, by, "tenants.refresh", connection_id or "all", "accepted", why)
    return operation


async def run_refresh(app: App, job: RefreshTenants) -> None:
    """List a connection's customers, or the subscriptions of one tenant of it."""
    target = job.tenant_id or job.connection_id
    try:
        connection = await _usable(app, job.connection_id)
        if job.tenant_id is None:
            await _refresh_tenants(app, connection, job)
        else:
            await _refresh_subscriptions(app, connection, job.tenant_id)
    except Throttled as error:
        if job.attempt >= MAX_ATTEMPTS:
            await progress.set_item(app, job.operation_id, target, "failed", problem(error))
            return
        delay = max(error.retry_after, min(60.0, 2.0 ** (job.attempt + 1)))
        await progress.set_item(app, job.operation_id, target, "running")
        await app.queues.send(job.model_copy(update={"attempt": job.attempt + 1}), delay=delay)
    except NeedsConsent as error:
        await connections.needs_consent(app, job.connection_id, error)
        await progress.set_item(app, job.operation_id, target, "failed", problem(error))
    except (MicrosoftError, Conflict, NotFound) as error:
        log.warning("refresh of %s failed: %s", target, error)
        await progress.set_item(app, job.operation_id, target, "failed", problem(error))
    else:
        await progress.set_item(app, job.operation_id, target, "succeeded")


async def _usable(app: App, connection_id: str) -> Connection:
    connection = await connections.get(app, connection_id)
    if connection.status not in USABLE:
        raise Conflict(f"The connection {connection.name} is {connection.status}.", code="notTested")
    return connection


async def give_up_refresh(app: App, job: RefreshTenants, reason: str) -> None:
    """Report the item of a refresh that failed for good."""
    error = {"code": "internalError", "message": reason}
    await progress.set_item(app, job.operation_id, job.tenant_id or job.connection_id, "failed", error)


async def _refresh_tenants(app: App, connection: Connection, job: RefreshTenants) -> None:
    known = await every(app)
    wanted = plan(connection.id, await _look(app, connection), known)
    for begin in range(0, len(wanted.added), TRANSACTION_LIMIT):
        chunk = wanted.added[begin : begin + TRANSACTION_LIMIT]
        try:
            await app.tables.transact(insert(TENANTS, tenant) for tenant in chunk)
        except PreconditionFailed as error:
            # Another refresh added some of them a moment ago; the next look sees them as known.
            raise Throttled("Another refresh is running.", retry_after=1) from error
    for tenant_id, values in wanted.changed.items():
        await change(app, tenant_id, **values)
    forget_lighthouse(app, connection.id)
    mine = [tenant for tenant in known if tenant.connection_id == connection.id]
    synced = [tenant.id for tenant in mine if tenant.status == "synced"]
    if job.operation_id is not None and synced:
        await progress.add_items(app, job.operation_id, synced)
    await app.queues.send_all(job.model_copy(update={"tenant_id": tenant_id, "attempt": 0}) for tenant_id in synced)
    await _resume_stale(app, mine)
    if wanted.foreign:
        raise Conflict(
            f"These tenants belong to another connection and were left there: {', '.join(wanted.foreign)}.",
            code="tenantOfAnotherConnection",
        )


async def _resume_stale(app: App, tenants: list[Tenant]) -> None:
    """Send the job again of work that was stored and whose message was never sent, or was lost."""
    limit = app.clock.now() - STALE
    for tenant in tenants:
        if _older(tenant.status_since, limit) and tenant.status == "pending":
            await app.queues.send(ProvisionTenant(tenant_id=tenant.id, operation_id=tenant.operation_id))
        if _older(tenant.status_since, limit) and tenant.removing:
            await app.queues.send(UnsyncTenant(tenant_id=tenant.id, operation_id=tenant.operation_id))


def _older(at: datetime | None, limit: datetime) -> bool:
    return at is None or at < limit


async def _look(app: App, connection: Connection) -> Seen:
    credential = app.identity.credential(connection.id, connection.partner_tenant_id)
    graph = await partner_graph(app, connection.id)
    own = await graph.organization()
    customers = await PartnerCenter(app.settings, app.transport.http, credential).customers()
    relationships = await graph.relationships()
    named = {row.tenant_id for row in customers}
    only_gdap = any(row.status in LIVE and row.customer_id not in named for row in relationships)
    contracts = await graph.contracts() if only_gdap else []
    return Seen(own, tuple(customers), tuple(relationships), {row.customer_id: row for row in contracts})


async def _refresh_subscriptions(app: App, connection: Connection, tenant_id: str) -> None:
    tenant = await get(app, tenant_id)
    if tenant.status == "synced":
        await discover(app, connection, tenant)
