"""Asking for an action on a device: what can be done now, and beginning it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared import audit, capabilities, connections, devices, progress, tenants
from shared.access import DEVICES_READ, Principal
from shared.app import App
from shared.capabilities import VERBS, Answer, Capability, requests
from shared.capabilities.edge import ARC_MACHINE
from shared.devices import Device, Place, Shown
from shared.errors import Conflict, InvalidInput, MicrosoftError, NeedsConsent, PreconditionFailed, Throttled
from shared.jobs import FollowOperation
from shared.operations import azure, pauses, rights
from shared.operations.children import locate
from shared.operations.records import GUARDS, KEPT, Guard, Plan, WorkKind, plan_of
from shared.progress import TERMINAL, Operation

NOT_THERE = 404
GONE = "Azure does not have it, or not any more."
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


class Already(Conflict):
    """The device is as the action would leave it: of a schedule's, nothing is left to do."""


@dataclass(frozen=True)
class _Sight:
    """What an action would be done to, and how it is now."""

    resource_type: str
    resource_id: str
    state: str | None
    answer: Any = None
    why: str = ""
    """Why nothing can be done to it, as far as Azure said so."""
    code: str = ""
    """Of that, when Azure refuses to show it to us."""
    lacking: frozenset[str] = frozenset()
    """Of the rights that were asked for, those that we lack."""


async def _nearest(app: App, found: Shown, child: str) -> tuple[Shown, str]:
    """The device that a child of a device is, or lies under most closely, and its path below that one.

    Some resources are both a device and a child of one: asked for in either way they are the same, and busy with the
    same operation. Raises InvalidInput for what is no child.
    """
    parts = child.split("/") if child else []
    if parts:
        locate(found.device.type, found.device.resource_id, child)
    for length in range(len(parts), 0, -2):
        resource_id = "/".join([found.device.resource_id, *parts[:length]])
        own = await devices.find(app, devices.device_id(found.device.subscription_id, resource_id))
        if own is not None:
            return own, "/".join(parts[length:])
    return found, child


async def answers(app: App, found: Shown, child: str = "") -> list[Answer]:
    """All five verbs for a device, or a child of it, as it is now. Raises InvalidInput for what is no child."""
    found, child = await _nearest(app, found, child)
    device = found.device
    sight = await _look(app, found, child, VERBS)
    denied = no_access(found.place) if found.place.subscription.access == "none" else ""
    busy = await _busy(app, device.id)
    result = []
    for answer in capabilities.answers(sight.resource_type, sight.state, sight.answer):
        row = capabilities.find(sight.resource_type, answer.verb)
        # Of what it is in truth, Azure did not let us see.
        why = sight.why if sight.code and capabilities.known(sight.resource_type) is None else ""
        if answer.available and row is not None:
            why = denied or sight.why or busy or await _nothing_kept(app, device, row) or _not_permitted(row, sight)
        result.append(replace(answer, available=False, reason=why) if why else answer)
    return result


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
    instances: Sequence[str] = (),
    child: str = "",
) -> Operation:
    """Store an action and put it in line; nothing has been sent to Azure when this returns.

    `instances` names those of a scale set or a cluster, `child` what lies under the device. Raises Conflict when type,
    state or our rights in Azure do not allow it, another operation runs on the device, or `confirm` is missing, and
    InvalidInput when instances or child do not fit.
    """
    found, child = await _nearest(app, found, child)
    row, sight = await _allowed(app, found, verb, confirm=confirm, instances=instances, child=child)
    asked = Asked(caller.id, caller.name, reason, ticket_number, request_id)
    guard = await _guard(app, found.device.id)
    try:
        fields = _fields(found, row, sight, asked, child=child, instances=list(instances))
        operation = await progress.start(app, f"device.{verb}", **fields)
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
    row, sight = await _allowed(app, found, verb, confirm=confirm)
    guard = await _guard(app, found.device.id, holder=identifier)
    fields = _fields(found, row, sight, asked, parent=parent, work_kind=kind)
    operation = known or await progress.start(app, f"device.{verb}", identifier=identifier, **fields)
    await _write_down(app, operation, found, asked)
    await app.queues.send(FollowOperation(operation_id=identifier, correlation_id=asked.request_id))
    # Last: a device that names it needs no second message.
    await app.tables.put(GUARDS, guard.changed(operation_id=identifier))


async def _allowed(
    app: App, found: Shown, verb: str, *, confirm: bool, instances: Sequence[str] = (), child: str = ""
) -> tuple[Capability, _Sight]:
    """The row of a verb that can be done to the device now, and what it is done to. Raises as `start` does."""
    device, place = found.device, found.place
    sight = await _look(app, found, child, [verb])
    row = capabilities.find(sight.resource_type, verb)
    if sight.code:
        raise Conflict(sight.why, code=sight.code, target=verb)
    why = capabilities.refusal(sight.resource_type, verb, sight.state, sight.answer)
    if row is not None and why and sight.state == row.ends_in and row.ends_in not in row.allowed_from:
        raise Already(why, code="actionNotAvailable", target=verb)
    if row is None or why or (why := sight.why or await _nothing_kept(app, device, row)):
        raise Conflict(why, code="actionNotAvailable", target=verb)
    if why := _not_permitted(row, sight):
        raise Conflict(why, code=rights.MISSING, target=verb)
    if wrong := requests.missing(row, instances):
        raise InvalidInput(wrong, target="instances")
    if row.needs_confirmation and not confirm and not (row.instances == "optional" and instances):
        said = f"{row.effect} {row.confirmation} Send confirm: true to do it."
        raise Conflict(said, code="confirmationRequired", target="confirm")
    if place.subscription.access == "none":
        raise Conflict(no_access(place), code="noAzureAccess")
    return row, sight


def no_access(place: Place) -> str:
    """Why nothing can be done in a subscription that lets us do nothing."""
    return place.not_polled or "Nothing lets us act on this subscription."


def _fields(found: Shown, row: Capability, sight: _Sight, asked: Asked, **of_plan: Any) -> dict[str, Any]:
    """What is stored of an action."""
    device, site = found.device, found.place.site
    plan = Plan(
        verb=row.verb,
        device_id=device.id,
        resource_id=sight.resource_id,
        resource_type=sight.resource_type,
        subscription_id=device.subscription_id,
        tenant_id=device.tenant_id,
        asked_by=asked.name,
        **of_plan,
    )
    return {
        "reader": DEVICES_READ,
        "created_by": asked.by,
        "asked_by": asked.name,
        "tenant_ids": [device.tenant_id],
        "site_ids": [site.id] if site else [],
        "resource": device.id,
        "resource_name": f"{device.name}/{plan.child}" if plan.child else device.name,
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
        tenant_id=found.device.tenant_id,
        actor_name=asked.name,
        reason=asked.reason,
        ticket_number=asked.ticket_number,
        request_id=asked.request_id,
        once=f"{operation.id}|begin",
        name=found.device.name,
        operationId=operation.id,
        resourceId=plan_of(operation).resource_id,
    )


async def withdraw(app: App, operation_id: str, error: dict[str, Any] = NEVER_BEGUN) -> Operation | None:
    """End what was not put in line or has not begun, so that a message that was sent after all finds nothing to do.

    Gives it as it is then: what has begun goes on.
    """
    known = await progress.find(app, operation_id)
    if known is None:
        return None
    values = {"status": "canceled", "error": error, "last_updated_at": app.clock.now()}
    return await app.tables.update(
        progress.OPERATIONS,
        *progress.OPERATIONS.key(known),
        lambda current: current.changed(**values) if current.status == "notStarted" else None,
    )


async def _look(app: App, found: Shown, child: str, verbs: Sequence[str]) -> _Sight:
    """The resource now, and what we lack for these verbs, asked of Azure.

    The stored state, which must do where Azure cannot be asked, may be a quarter of an hour old.
    """
    device, place = found.device, found.place
    stored = _Sight(device.type, device.resource_id, device.power_state)
    if child:
        stored = _Sight(*locate(device.type, device.resource_id, child), None)
    of_arc = stored.resource_type.lower() == ARC_MACHINE
    if place.tenant is None or place.subscription.access == "none":
        return stored
    if capabilities.known(stored.resource_type) is None and not of_arc:
        return stored
    credential = await tenants.arm_credential(app, place.tenant, place.subscription)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            kind, resource_id = await azure.target(app, credential, stored.resource_type, stored.resource_id)
            row = capabilities.known(kind)
            if row is None:
                return stored
            wanted = {one.rbac_action for verb in verbs if (one := capabilities.find(kind, verb)) is not None}
            now, lacking = await asyncio.gather(
                azure.present(app, credential, row, resource_id),
                rights.lacking(app, credential, resource_id, wanted),
            )
            return _Sight(kind, resource_id, now.state, now.answer, lacking=lacking)
    except NeedsConsent as error:
        await connections.needs_consent(app, place.tenant.connection_id, error)
        return stored
    except Throttled as error:
        await pauses.obey(app, device.subscription_id, error)
        return stored
    except MicrosoftError as error:
        if error.status == NOT_THERE:
            return replace(stored, state=None, why=GONE)
        if error.status == rights.FORBIDDEN:
            missing = rights.refused(error)
            why = rights.said(*missing) if missing else f"Azure refuses to tell its state: {error.message} {error.fix}"
            return replace(stored, state=None, why=why.strip(), code=rights.MISSING if missing else "azureRefused")
        # Looking is a courtesy: the action itself meets any other refusal, and its operation tells it.
        return stored
    except TimeoutError:
        return stored


def _not_permitted(row: Capability, sight: _Sight) -> str:
    """Why Azure would refuse; empty when it would not, or nobody knows."""
    return rights.said(row.rbac_action, sight.resource_id) if row.rbac_action in sight.lacking else ""


async def _nothing_kept(app: App, device: Device, row: Capability) -> str:
    """Why what another action took away cannot be put back; empty when it can, or nothing is to be."""
    if not row.restores or await app.tables.get(KEPT, device.subscription_id, device.id) is not None:
        return ""
    return azure.NOTHING_KEPT


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
