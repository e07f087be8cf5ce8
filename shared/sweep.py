"""Work that was stored and whose message was never sent, by a kill or an outage of the queues between the two.

Handlers say of an item or operation that it runs before they wait for anything, so that what is still `notStarted`
after a while was lost, or waits in a long line, where a second message does no harm: every handler may be called twice.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from shared import alerts, audit, hints, operations, progress, tenants
from shared.alerts.records import ALERTS, OPEN
from shared.app import App
from shared.connections import CONNECTIONS
from shared.devices import Place, places
from shared.jobs import (
    CloseAlerts,
    ExportDevices,
    FollowOperation,
    Job,
    PollSubscription,
    ProvisionTenant,
    RefreshTenants,
    RemoveConnection,
    UnsyncTenant,
)
from shared.operations.records import GUARDS
from shared.outbox import joining
from shared.progress import OPERATIONS, Operation
from shared.tenants import TENANTS

log = logging.getLogger("tenantry.sweep")
LOST_AFTER = timedelta(minutes=2)
"""Nothing of an operation has begun by then."""
HALF_SENT_AFTER = timedelta(minutes=20)
"""Some of its items have, and nothing was written since: longer than any queue or wait should take."""
MONTHS = 3
"""This and the last one, and at times the next: what was asked for just before a month ended is not forgotten."""
NEVER_BEGUN = {"code": "neverBegun", "message": "The service stopped before this was begun. Ask for it again."}


async def resend(app: App) -> int:
    """Timer: send what was stored and never sent; gives the number of messages."""
    found: list[Job] = []
    for month in progress.partitions(app.clock.now(), months=MONTHS):
        rows = app.tables.query(OPERATIONS, month, where="status eq 'notStarted' or status eq 'running'")
        async for operation in rows:
            found += await _beginnings(app, operation)
    found += await _closings(app)
    found += await alerts.retirements(app)
    found += await hints.lost(app)
    found += await joining.lost(app)
    if found:
        log.warning("%d messages that were never sent, or wait in a long line, are sent again", len(found))
    await app.queues.send_all(found)
    return len(found)


async def _beginnings(app: App, operation: Operation) -> list[Job]:
    """The jobs that begin what of an operation has not begun; none while it is young, or no kind that is sent again."""
    now = app.clock.now()
    if operations.is_bulk(operation):
        return await operations.lost_of_bulk(app, operation)
    if operation.status == "notStarted":
        if now - operation.created_at > LOST_AFTER:
            kind = "device." if operation.kind.startswith("device.") else operation.kind
            begin = (WHOLE | BY_ITEM).get(kind)
            return await begin(app, operation) if begin else []
    elif now - operation.last_updated_at > HALF_SENT_AFTER and operation.kind in BY_ITEM:
        return await BY_ITEM[operation.kind](app, operation)
    return []


async def _action(app: App, operation: Operation) -> list[Job]:
    """An action whose device does not name it was refused to its caller, or given up before it was accepted."""
    guard = await app.tables.get(GUARDS, "device", str(operation.resource))
    if guard is None or guard.operation_id != operation.id:
        await _cancel(app, operation)
        return []
    return [FollowOperation(operation_id=operation.id, correlation_id=operation.correlation_id)]


async def _export(_: App, operation: Operation) -> list[Job]:
    return [ExportDevices(operation_id=operation.id, correlation_id=operation.correlation_id)]


async def _removal(app: App, operation: Operation) -> list[Job]:
    """A connection that does not name its removal goes on; one that is gone already ends the operation."""
    connection_id = str(operation.resource)
    connection = await app.tables.get(CONNECTIONS, "connection", connection_id)
    if connection is not None and connection.removal_operation_id != operation.id:
        await _cancel(app, operation)
        return []
    return [
        RemoveConnection(
            connection_id=connection_id, operation_id=operation.id, correlation_id=operation.correlation_id
        )
    ]


async def _cancel(app: App, operation: Operation) -> None:
    await audit.record(
        app,
        operation.created_by,
        operation.kind,
        str(operation.resource),
        tenant_id=operation.tenant_ids[0] if len(operation.tenant_ids) == 1 else None,
        outcome="failed",
        reason=operation.reason,
        ticket_number=operation.ticket_number,
        request_id=operation.correlation_id,
        once=f"{operation.id}|end",
        name=operation.resource_name,
        operationId=operation.id,
        status="canceled",
    )
    await progress.update(app, operation.id, status="canceled", error=NEVER_BEGUN)


async def _polls(app: App, operation: Operation) -> list[Job]:
    waiting = await _waiting(app, operation)
    return [PollSubscription(subscription_id=target, **_of(operation)) for target in waiting]


async def _refreshes(app: App, operation: Operation) -> list[Job]:
    """Items are connections and, once one was listed, tenants of it."""
    found: list[Job] = []
    for target in await _waiting(app, operation):
        tenant = await app.tables.get(TENANTS, "tenant", target)
        if tenant is None:
            found.append(RefreshTenants(connection_id=target, **_of(operation)))
        else:
            found.append(RefreshTenants(connection_id=tenant.connection_id, tenant_id=target, **_of(operation)))
    return found


async def _syncs(app: App, operation: Operation) -> list[Job]:
    return [ProvisionTenant(tenant_id=target, **_of(operation)) for target in await _owned(app, operation)]


async def _unsyncs(app: App, operation: Operation) -> list[Job]:
    return [UnsyncTenant(tenant_id=target, **_of(operation)) for target in await _owned(app, operation)]


async def _owned(app: App, operation: Operation) -> list[str]:
    """Items whose tenant names the operation. The others fail: their tenant never changed, or something else came."""
    found = []
    for target in await _waiting(app, operation):
        tenant = await app.tables.get(TENANTS, "tenant", target)
        if tenant is not None and tenant.operation_id == operation.id:
            found.append(target)
        else:
            await progress.set_item(app, operation.id, target, "failed", NEVER_BEGUN)
    return found


async def _waiting(app: App, operation: Operation) -> list[str]:
    """Targets of the items that have not begun. An operation without any item is done."""
    items = await progress.items(app, operation.id)
    if not items:
        await progress.update(app, operation.id, status="succeeded", percent_complete=100)
    return [item.target for item in items if item.status == "notStarted"]


def _of(operation: Operation) -> dict[str, Any]:
    return {"operation_id": operation.id, "correlation_id": operation.correlation_id}


Begin = Callable[[App, Operation], Awaitable[list[Job]]]
WHOLE: dict[str, Begin] = {"device.": _action, "devices.export": _export, "connection.remove": _removal}
"""Kind of an operation with one message -> what sends it."""
BY_ITEM: dict[str, Begin] = {
    "devices.refresh": _polls,
    "tenants.refresh": _refreshes,
    "tenants.sync": _syncs,
    "tenants.unsync": _unsyncs,
}
"""Kind of an operation with a message per item -> what sends those of the items that have not begun."""


async def _closings(app: App) -> list[Job]:
    """One job for each subscription that is out of sight and has open or silent alerts all the same."""
    owners = {
        alert.subject.subscription_id: alert.subject.tenant_id
        async for alert in app.tables.query(ALERTS, OPEN)
        if alert.kind == "device"
    }
    if not owners:
        return []
    rows, around = await tenants.subscriptions(app), await places.directory(app)
    known = {row.id: around.place(row) for row in rows}
    found: list[Job] = []
    for subscription_id, tenant_id in owners.items():
        reason = _why_closed(known.get(subscription_id), tenant_known=tenant_id in around.tenants)
        if reason:
            found.append(CloseAlerts(subscription_id=subscription_id, reason=reason))
    return found


def _why_closed(place: Place | None, *, tenant_known: bool) -> str:
    """Why a subscription is out of sight, as its alerts tell it; empty when it is not. Pure."""
    if place is None:
        return "subscriptionGone" if tenant_known else "tenantUnsynced"
    if place.shown:
        return ""
    if place.subscription.gone:
        return "subscriptionGone"
    if place.tenant is None or place.tenant.status == "deactivated" or place.tenant.removing:
        return "tenantUnsynced"
    return "siteUnmapped"
