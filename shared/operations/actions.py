"""Asking for an action on a device: what can be done now, and beginning it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared import audit, capabilities, connections, progress, tenants
from shared.access import DEVICES_READ, Principal
from shared.app import App
from shared.capabilities import Answer, Capability
from shared.capabilities.compute import VIRTUAL_MACHINE
from shared.devices import Place, Shown
from shared.errors import Conflict, MicrosoftError, NeedsConsent, PreconditionFailed, Throttled
from shared.jobs import FollowOperation
from shared.microsoft import compute
from shared.operations import pauses
from shared.operations.records import GUARDS, Guard, Plan, WorkKind
from shared.progress import TERMINAL, Operation

TOO_MANY = 429
LOOK_SECONDS = 10
"""How long a caller waits for the machine's present state; after that the stored one must do."""
GUARD_WITHOUT_OPERATION = timedelta(minutes=5)
"""A guard that names no operation by then was left by a request that died."""

NEVER_BEGUN = {"code": "neverBegun", "message": "It could not be put in line. Ask for it again."}


@dataclass(frozen=True)
class Asked:
    """Who asked for an action, and why."""

    by: str
    """Principal id."""
    name: str
    reason: str | None = None
    ticket_number: str | None = None
    request_id: str = ""


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
    row = await _allowed(app, found, verb, confirm=confirm)
    asked = Asked(caller.id, caller.name, reason, ticket_number, request_id)
    guard = await _guard(app, found.device.id)
    try:
        operation = await progress.start(app, f"device.{verb}", **_fields(found, row, asked))
        await _write_down(app, operation, found, asked)
        await app.tables.put(GUARDS, guard.changed(operation_id=operation.id))
    except BaseException:
        await app.tables.delete(GUARDS, guard.changed(etag=None))
        raise
    # Killed from here on, it is accepted: shared/sweep.py sends the message. Who is told of a failure may ask again.
    try:
        await app.queues.send(FollowOperation(operation_id=operation.id, correlation_id=request_id))
    except BaseException:
        await withdraw(app, operation.id)
        await app.tables.delete(GUARDS, guard.changed(etag=None))
        raise
    return operation


async def start_part(
    app: App, found: Shown, asked: Asked, verb: str, identifier: str, *, parent: str, confirm: bool, kind: WorkKind
) -> None:
    """Begin the part of an operation on many devices that is about this one. Called again, it goes on where it was.

    Raises Conflict as `start` does, and PreconditionFailed when another worker does the same at this moment.
    """
    known = await progress.find(app, identifier)
    row = await _allowed(app, found, verb, confirm=confirm)
    guard = await _guard(app, found.device.id, holder=identifier)
    fields = _fields(found, row, asked, parent=parent, work_kind=kind)
    operation = known or await progress.start(app, f"device.{verb}", identifier=identifier, **fields)
    await _write_down(app, operation, found, asked)
    await app.queues.send(FollowOperation(operation_id=identifier, correlation_id=asked.request_id))
    # Last: a device that names it needs no second message.
    await app.tables.put(GUARDS, guard.changed(operation_id=identifier))


async def _allowed(app: App, found: Shown, verb: str, *, confirm: bool) -> Capability:
    """The row of a verb that can be done to the device now. Raises Conflict when it cannot."""
    device, place = found.device, found.place
    state = await _present_state(app, found)
    row = capabilities.find(device.type, verb)
    why = capabilities.refusal(device.type, verb, state)
    if why or row is None:
        raise Conflict(why, code="actionNotAvailable", target=verb)
    if row.needs_confirmation and not confirm:
        raise Conflict(f"{row.effect} Send confirm: true to do it.", code="confirmationRequired", target="confirm")
    if place.subscription.access == "none":
        raise Conflict(no_access(place), code="noAzureAccess")
    return row


def no_access(place: Place) -> str:
    """Why nothing can be done in a subscription that lets us do nothing."""
    return place.not_polled or "Nothing lets us act on this subscription."


def _fields(found: Shown, row: Capability, asked: Asked, **of_plan: Any) -> dict[str, Any]:
    """What is stored of an action."""
    device, site = found.device, found.place.site
    plan = Plan(
        verb=row.verb,
        device_id=device.id,
        resource_id=device.resource_id,
        resource_type=device.type,
        subscription_id=device.subscription_id,
        tenant_id=device.tenant_id,
        asked_by=asked.name,
        **of_plan,
    )
    return {
        "reader": DEVICES_READ,
        "created_by": asked.by,
        "tenant_ids": [device.tenant_id],
        "site_ids": [site.id] if site else [],
        "resource": device.id,
        "reason": asked.reason,
        "ticket_number": asked.ticket_number,
        "correlation_id": asked.request_id,
        "state": plan.into(),
    }


async def _write_down(app: App, operation: Operation, found: Shown, asked: Asked) -> None:
    """Write an action into the audit log."""
    await audit.record(
        app,
        asked.by,
        operation.kind,
        found.device.id,
        actor_name=asked.name,
        reason=asked.reason,
        ticket_number=asked.ticket_number,
        request_id=asked.request_id,
        operationId=operation.id,
        resourceId=found.device.resource_id,
    )


async def withdraw(app: App, operation_id: str) -> Operation | None:
    """End what was not put in line, so that a message that was sent after all finds nothing to do.

    Gives it as it is then: what has begun goes on.
    """
    known = await progress.find(app, operation_id)
    if known is None:
        return None
    values = {"status": "canceled", "error": NEVER_BEGUN, "last_updated_at": app.clock.now()}
    return await app.tables.update(
        progress.OPERATIONS,
        *progress.OPERATIONS.key(known),
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
    except Throttled as error:
        if error.status == TOO_MANY:
            await pauses.add(app, device.subscription_id, error.retry_after)
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
    operation = await progress.find(app, guard.operation_id or guard.holder)
    if operation is None and not guard.operation_id:
        return app.clock.now() - guard.at < GUARD_WITHOUT_OPERATION
    return operation is not None and operation.status not in TERMINAL


async def _guard(app: App, device_id: str, *, holder: str = "") -> Guard:
    """Take the device, again for the same holder. Raises Conflict while another operation has it."""
    wanted = Guard(device_id=device_id, holder=holder, at=app.clock.now())
    present = await app.tables.get(GUARDS, "device", device_id)
    if present is None:
        return await _taken(app, wanted, fresh=True)
    mine = bool(holder) and present.holder == holder
    if not mine and await _holds(app, present):
        raise Conflict(await _busy(app, device_id) or "Another operation runs on it.", code="operationRunning")
    return await _taken(app, wanted.changed(etag=present.etag), fresh=False)


async def _taken(app: App, wanted: Guard, *, fresh: bool) -> Guard:
    try:
        return await (app.tables.insert(GUARDS, wanted) if fresh else app.tables.put(GUARDS, wanted))
    except (Conflict, PreconditionFailed) as error:
        raise Conflict("Another operation begins on it at this moment.", code="operationRunning") from error
