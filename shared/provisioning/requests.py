"""What people ask for: synchronize tenants, or undo it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from shared import connections, progress, tenants
from shared.access import ADMIN, Principal
from shared.app import App
from shared.connections.record import trail
from shared.errors import Conflict, InvalidInput
from shared.jobs import ProvisionTenant, UnsyncTenant
from shared.progress import Operation
from shared.tenants import TENANTS, Tenant
from shared.tenants.refresh import USABLE

T = TypeVar("T")
AT_ONCE = 16


async def sync(app: App, tenant_ids: list[str], *, by: Principal, **why: str | None) -> Operation:
    """Begin to synchronize tenants: one item each. Raises InvalidInput for an unknown one.

    Raises Conflict when a connection is not tested yet. A tenant whose removal still runs ends as a failed item.
    """
    chosen = await _chosen(app, tenant_ids)
    usable = {row.id: row.status in USABLE for row in await connections.all(app)}
    if closed := [tenant.display_name for tenant in chosen if not usable.get(tenant.connection_id)]:
        raise Conflict(f"The connection of {', '.join(closed)} is not tested, or needs a sign-in.", code="notTested")
    operation = await _begin(app, "tenants.sync", chosen, by, why)
    now = app.clock.now()

    def change(current: Tenant) -> Tenant | None:
        if current.removing:
            return None
        return current.changed(
            status="pending",
            status_since=now,
            status_reason=None,
            status_fix=None,
            consent_url=None,
            steps={},
            operation_id=operation.id,
        )

    ready = await _store(app, operation, chosen, change, "What was made there before is still being removed. Wait.")
    await app.queues.send_all(
        ProvisionTenant(tenant_id=row.id, operation_id=operation.id, correlation_id=operation.correlation_id)
        for row in ready
    )
    return operation


async def unsync(app: App, tenant_ids: list[str], *, by: Principal, **why: str | None) -> Operation:
    """Begin to remove what was made in tenants: one item each; their data is out of reach at once.

    Raises InvalidInput for an unknown one, Conflict when only the primary tenant is named; among others it is a failed
    item.
    """
    chosen = await _chosen(app, tenant_ids)
    text = "The provider's own tenant cannot be unsynced; remove the connection instead."
    if all(tenant.is_primary for tenant in chosen):
        raise Conflict(text, code="primaryTenant")
    operation = await _begin(app, "tenants.unsync", chosen, by, why)

    def change(current: Tenant) -> Tenant | None:
        return None if current.is_primary else deactivated(app, current, operation)

    ready = await _store(app, operation, chosen, change, text)
    await app.queues.send_all(
        UnsyncTenant(tenant_id=row.id, operation_id=operation.id, correlation_id=operation.correlation_id)
        for row in ready
    )
    return operation


def deactivated(app: App, tenant: Tenant, operation: Operation) -> Tenant:
    """The tenant while what was made there is being removed."""
    return tenant.changed(
        status="deactivated",
        status_since=app.clock.now(),
        status_reason=None,
        status_fix=None,
        consent_url=None,
        removing=True,
        operation_id=operation.id,
    )


async def _chosen(app: App, tenant_ids: list[str]) -> list[Tenant]:
    wanted = list(dict.fromkeys(tenant_id.lower() for tenant_id in tenant_ids))
    known = {tenant.id: tenant for tenant in await tenants.every(app)}
    unknown = [tenant_id for tenant_id in wanted if tenant_id not in known]
    if unknown:
        raise InvalidInput(
            f"There is no tenant {', '.join(unknown)}. Refresh the tenants, then use their ids.",
            code="unknownTenant",
            target="tenantIds",
            details=[{"code": "unknownTenant", "message": "unknown", "target": name} for name in unknown],
        )
    return [known[tenant_id] for tenant_id in wanted]


async def _begin(app: App, kind: str, chosen: list[Tenant], by: Principal, why: dict[str, str | None]) -> Operation:
    ids = [tenant.id for tenant in chosen]
    operation = await progress.start(
        app,
        kind,
        reader=ADMIN,
        items={tenant.id: tenant.display_name for tenant in chosen},
        tenant_ids=ids if len(ids) <= 100 else [],
        created_by=by.id,
        asked_by=by.name,
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        correlation_id=why.get("request_id") or "",
    )

    async def write_down(tenant_id: str) -> None:
        await trail(app, by, kind, tenant_id, "accepted", why, tenant_id=tenant_id)

    await _each(write_down, ids)
    return operation


async def _store(
    app: App, operation: Operation, chosen: list[Tenant], change: Callable[[Tenant], Tenant | None], refusal: str
) -> list[Tenant]:
    """Change each row before any message is sent; gives those that took the change. The others are failed items."""
    ready = []
    refused: dict[str, Any] = {"code": "conflict", "message": refusal}

    async def store(tenant: Tenant) -> None:
        kept = await app.tables.update(TENANTS, "tenant", tenant.id, change)
        if kept is not None and kept.operation_id == operation.id:
            ready.append(kept)
        else:
            await progress.set_item(app, operation.id, tenant.id, "failed", refused)

    await _each(store, chosen)
    return ready


async def _each(act: Callable[[T], Awaitable[None]], targets: Iterable[T]) -> None:
    """Do it for every target, a bounded number at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(target: T) -> None:
        async with gate:
            await act(target)

    await asyncio.gather(*(one(target) for target in targets))
