"""Asking for an action on a device: what can be done now, and beginning it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared import audit, capabilities, connections, progress, tenants
from shared.access import DEVICES_READ, Principal
from shared.app import App
from shared.capabilities import Answer
from shared.capabilities.compute import VIRTUAL_MACHINE
from shared.devices import Shown
from shared.errors import Conflict, MicrosoftError, NeedsConsent, PreconditionFailed
from shared.jobs import FollowOperation
from shared.microsoft import compute
from shared.operations.records import GUARDS, Guard, Plan
from shared.progress import TERMINAL, Operation

LOOK_SECONDS = 10
"""How long a caller waits for the machine's present state; after that the stored one must do."""
GUARD_WITHOUT_OPERATION = timedelta(minutes=5)
"""A guard that names no operation by then was left by a request that died."""


async def answers(app: App, found: Shown) -> list[Answer]:
    """All five verbs for a device as it is now."""
    device = found.device
    rows = capabilities.answers(device.type, await _present_state(app, found))
    why = await _busy(app, device.id)
    if not why:
        return rows
    return [Answer(row.verb, False, row.operation_name, why, row.effect) if row.available else row for row in rows]


async def start(
    app: App,
    caller: Principal,
    found: Shown,
    verb: str,
    *,
    confirm: bool = False,
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
) -> Operation:
    """Store an action and put it in line; nothing has been sent to Azure when this returns.

    Raises Conflict when type or state do not allow it, another operation runs on the device, or `confirm` is missing.
    """
    device, place = found.device, found.place
    state = await _present_state(app, found)
    row = capabilities.find(device.type, verb)
    why = capabilities.refusal(device.type, verb, state)
    if why or row is None:
        raise Conflict(why, code="actionNotAvailable", target=verb)
    if row.needs_confirmation and not confirm:
        raise Conflict(f"{row.effect} Send confirm: true to do it.", code="confirmationRequired", target="confirm")
    if place.subscription.access == "none":
        raise Conflict(place.not_polled or "Nothing lets us act on this subscription.", code="noAzureAccess")
    guard = await _guard(app, device.id)
    try:
        plan = Plan(
            verb=row.verb,
            device_id=device.id,
            resource_id=device.resource_id,
            resource_type=device.type,
            subscription_id=device.subscription_id,
            tenant_id=device.tenant_id,
            asked_by=caller.name,
        )
        operation = await progress.start(
            app,
            f"device.{verb}",
            reader=DEVICES_READ,
            created_by=caller.id,
            tenant_ids=[device.tenant_id],
            site_ids=[place.site.id] if place.site else [],
            resource=device.id,
            reason=reason,
            ticket_number=ticket_number,
            correlation_id=request_id,
            state=plan.into(),
        )
        await audit.record(
            app,
            caller.id,
            operation.kind,
            device.id,
            tenant_id=device.tenant_id,
            actor_name=caller.name,
            reason=reason,
            ticket_number=ticket_number,
            request_id=request_id,
            operationId=operation.id,
            resourceId=device.resource_id,
        )
        await app.tables.put(GUARDS, guard.changed(operation_id=operation.id))
    except BaseException:
        await app.tables.delete(GUARDS, guard.changed(etag=None))
        raise
    # Killed from here on, it is accepted: shared/sweep.py sends the message. Who is told of a failure may ask again.
    try:
        await app.queues.send(FollowOperation(operation_id=operation.id, correlation_id=request_id))
    except BaseException:
        await _withdraw(app, operation)
        await app.tables.delete(GUARDS, guard.changed(etag=None))
        raise
    return operation


async def _withdraw(app: App, operation: Operation) -> None:
    """End what was not put in line, so that a message that was sent after all finds nothing to do."""
    error = {"code": "neverBegun", "message": "It could not be put in line. Ask for it again."}
    values = {"status": "canceled", "error": error, "last_updated_at": app.clock.now()}
    await app.tables.update(
        progress.OPERATIONS,
        *progress.OPERATIONS.key(operation),
        lambda current: current.changed(**values) if current.status == "notStarted" else None,
    )


async def _present_state(app: App, found: Shown) -> str | None:
    """The power state now, asked of Azure: the stored one, which must do otherwise, may be a quarter of an hour old."""
    device, place = found.device, found.place
    if device.type.lower() != VIRTUAL_MACHINE.lower() or place.tenant is None or place.subscription.access == "none":
        return device.power_state
    credential = await tenants.arm_credential(app, place.tenant, place.subscription)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await compute.power_state(app.settings, app.transport.azure, credential, device.resource_id)
    except NeedsConsent as error:
        await connections.needs_consent(app, place.tenant.connection_id, error)
        return device.power_state
    except (MicrosoftError, TimeoutError):
        # Looking is a courtesy: the action itself meets the same refusal, and its operation tells it.
        return device.power_state


async def _busy(app: App, device_id: str) -> str:
    """Why a device cannot take an action because of another one; empty when it can."""
    guard = await app.tables.get(GUARDS, "device", device_id)
    if guard is None or not await _holds(app, guard):
        return ""
    return f"Operation {guard.operation_id} is still running on it." if guard.operation_id else "Another begins on it."


async def _holds(app: App, guard: Guard) -> bool:
    if not guard.operation_id:
        return app.clock.now() - guard.at < GUARD_WITHOUT_OPERATION
    month, _, row = guard.operation_id.partition("-")
    operation = await app.tables.get(progress.OPERATIONS, month, row)
    return operation is not None and operation.status not in TERMINAL


async def _guard(app: App, device_id: str) -> Guard:
    """Take the device. Raises Conflict while another operation has it."""
    wanted = Guard(device_id=device_id, at=app.clock.now())
    present = await app.tables.get(GUARDS, "device", device_id)
    if present is None:
        return await _taken(app, wanted, fresh=True)
    if await _holds(app, present):
        raise Conflict(await _busy(app, device_id) or "Another operation runs on it.", code="operationRunning")
    return await _taken(app, wanted.changed(etag=present.etag), fresh=False)


async def _taken(app: App, wanted: Guard, *, fresh: bool) -> Guard:
    try:
        return await (app.tables.insert(GUARDS, wanted) if fresh else app.tables.put(GUARDS, wanted))
    except (Conflict, PreconditionFailed) as error:
        raise Conflict("Another operation begins on it at this moment.", code="operationRunning") from error
