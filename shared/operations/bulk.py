"""One action on many devices: asked for once, approved by a second person when it must be, and carried out in lanes.

The whole is an operation with one item per device. What is asked of it (to begin, to approve, to cancel) is stored with
one conditional write; the job `run-bulk` then does what follows from the row, and may do it again.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from shared import audit, capabilities, progress
from shared.access import DEVICES_READ
from shared.app import App
from shared.capabilities import VERBS, Verb
from shared.devices import Shown, subscription_of
from shared.devices.listing import Row
from shared.errors import Conflict, ErrorDetail, InvalidInput
from shared.jobs import AdvanceLane, FollowOperation, Job, RunBulk
from shared.operations import actions, lanes, parts
from shared.operations.records import KEYS, Bulk, Key, Note, WorkKind, bulk_of
from shared.progress import ITEMS, OPERATIONS, TERMINAL, Approval, Item, Operation
from shared.store.tables import TRANSACTION_LIMIT, Write, put

MOST: Final = 5000
"""Devices of one operation."""
REFUSED_SHOWN = 20
"""Devices that an error names."""
SILENT_AFTER = timedelta(minutes=2)
"""What was asked for and has not begun by then has lost its message."""
UNSEEN_AFTER = timedelta(minutes=10)
"""Lanes of what runs longer are looked at, in case one of them lost a message."""
CANCELED: Final = {"code": "canceled", "message": "It was canceled before it began."}
EXPIRED: Final = {"code": "approvalExpired", "message": "Nobody approved it in time. Ask for it again."}


def is_bulk(operation: Operation) -> bool:
    """Whether it is an action on many devices."""
    area, _, verb = operation.kind.partition(".")
    return area == "devices" and verb in VERBS


async def start_many(
    app: App,
    *,
    verb: Verb,
    found: Sequence[Shown | Row],
    asked_by: str,
    asked_by_name: str,
    every_site: bool = False,
    kind: WorkKind = "action",
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
    confirm: bool = False,
    approved_by: str | None = None,
    key: str = "",
) -> Operation:
    """Store an action on many devices and put it in line; nothing has been sent to Azure when this returns.

    `asked_by` is a principal id, whose grants are looked at again before each device begins, unless `every_site` says
    that the principal sees all by role. What cannot be acted on is a failed item with the reason. A `key` stands
    for one operation, whoever asks with it again; `approved_by` says who approved it already.

    Raises InvalidInput for too many devices, Conflict for none, for none that can be acted on, and without `confirm`
    where it is needed.
    """
    if key and (known := await _under(app, key)) is not None:
        await app.queues.send(RunBulk(operation_id=known.id, correlation_id=request_id))
        return known
    refused = _refusals(found, verb, kind)
    marked = _check(found, verb, refused, confirm=confirm)
    now, able = app.clock.now(), len(refused) - sum(why is not None for why in refused.values())
    limit = app.settings.approval_above_devices
    approval = None
    if limit and approved_by is None and (able > limit or (marked and able > 1)):
        until = now + timedelta(hours=app.settings.approval_hours)
        approval = Approval(requested_by=asked_by, requested_by_name=asked_by_name, expires_at=until)
    requested = note("request" if approval else "", verb, asked_by, asked_by_name, reason, ticket_number, request_id)
    notes = [requested]
    if approved_by is not None:
        notes.append(note("approve", verb, approved_by, "", reason, ticket_number, request_id))
    plan = Bulk(verb=verb, work_kind=kind, asked_by=asked_by_name, every_site=every_site, confirm=confirm, notes=notes)
    identifier = await _identifier(app, key, now)
    places = [one.place for one in found]
    operation = Operation(
        id=identifier,
        kind=f"devices.{verb}",
        reader=DEVICES_READ,
        created_at=now,
        last_updated_at=now,
        created_by=asked_by,
        asked_by=asked_by_name,
        tenant_ids=sorted({place.subscription.tenant_id for place in places}),
        site_ids=sorted({place.site.id for place in places if place.site}),
        reason=reason,
        ticket_number=ticket_number,
        correlation_id=request_id,
        item_count=len(refused),
        approval=approval,
        state=plan.into(),
    )
    await _store_items(app, identifier, refused, found)
    try:
        operation = await app.tables.insert(OPERATIONS, operation)
    except Conflict:
        operation = await progress.read(app, identifier)
    # Killed from here on, it is accepted: shared/sweep.py sends the message. Who is told of a failure may ask again.
    try:
        await app.queues.send(RunBulk(operation_id=identifier, correlation_id=request_id))
    except BaseException:
        await actions.withdraw(app, identifier)
        raise
    return operation


def note(
    what: str,
    verb: str,
    actor: str,
    actor_name: str,
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
    outcome: str = "accepted",
) -> Note:
    """An act for the audit log: `devices.restart` itself, or `devices.restart.<what>`."""
    return Note(
        id=uuid.uuid4().hex,
        action=f"devices.{verb}.{what}" if what else f"devices.{verb}",
        actor=actor,
        actor_name=actor_name,
        outcome=outcome,
        reason=reason,
        ticket_number=ticket_number,
        request_id=request_id,
    )


def _refusals(found: Sequence[Shown | Row], verb: Verb, kind: WorkKind) -> dict[str, dict[str, str] | None]:
    """Device id -> why nothing can be done to it as far as is stored, None when it can. Pure.

    A stored state may be a quarter of an hour old, and nobody asks again for a schedule: each of its devices is looked
    at when its turn comes, and one that is as wanted already is no failure.
    """
    result: dict[str, dict[str, str] | None] = {}
    for one in found:
        device = one.device if isinstance(one, Shown) else one.entry
        state = None if kind == "schedule" else device.power_state
        why, code = capabilities.refusal(device.type, verb, state), "actionNotAvailable"
        if not why and one.place.subscription.access == "none":
            why, code = actions.no_access(one.place), "noAzureAccess"
        result[device.id] = {"code": code, "message": why} if why else None
    return result


def _check(
    found: Sequence[Shown | Row], verb: Verb, refused: dict[str, dict[str, str] | None], *, confirm: bool
) -> bool:
    """Whether a marked action is among those that can be done. Raises InvalidInput or Conflict when nothing may be."""
    if not refused:
        raise Conflict("No device matches. Nothing was done.", code="nothingMatches", target="filter")
    if len(refused) > MOST:
        raise InvalidInput(
            f"{len(refused)} devices match; at most {MOST} may be acted on at once. Name fewer.", code="tooMany"
        )
    if all(refused.values()):
        details: list[ErrorDetail] = [
            {"code": why["code"], "message": why["message"], "target": target}
            for target, why in list(refused.items())[:REFUSED_SHOWN]
            if why
        ]
        first = details[0]["message"]
        raise Conflict(
            f"None of the {len(refused)} devices can be acted on. The first: {first}",
            code="actionNotAvailable",
            target=verb,
            details=details,
        )
    marked = None
    for one in found:
        device = one.device if isinstance(one, Shown) else one.entry
        row = capabilities.find(device.type, verb)
        if refused[device.id] is None and row is not None and row.needs_confirmation:
            marked = row
            break
    if marked is not None and not confirm:
        raise Conflict(f"{marked.effect} Send confirm: true to do it.", code="confirmationRequired", target="confirm")
    return marked is not None


async def _under(app: App, key: str) -> Operation | None:
    """The operation that was stored under a key."""
    known = await app.tables.get(KEYS, "key", _hash(key))
    return await progress.find(app, known.operation_id) if known else None


async def _identifier(app: App, key: str, now: datetime) -> str:
    """The id of a new operation; that of an earlier try under the same key, which died before it was stored."""
    new = progress.new_id(now)
    if not key:
        return new
    try:
        await app.tables.insert(KEYS, Key(key=_hash(key), operation_id=new))
    except Conflict:
        known = await app.tables.get(KEYS, "key", _hash(key))
        return known.operation_id if known else new
    return new


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def _store_items(
    app: App, operation_id: str, refused: dict[str, dict[str, str] | None], found: Sequence[Shown | Row]
) -> None:
    """The rows of the items, before that of the operation: without it, nobody looks at them."""
    rows: dict[str, Write] = {}
    for one in found:
        device, site = one.device if isinstance(one, Shown) else one.entry, one.place.site
        why = refused[device.id]
        client = site.client_name if site else ""
        item = Item(operation_id=operation_id, target=device.id, name=device.name, client=client)
        rows[device.id] = put(ITEMS, item.changed(status="failed", error=why) if why else item)
    writes = list(rows.values())
    for begin in range(0, len(writes), TRANSACTION_LIMIT):
        await app.tables.transact(writes[begin : begin + TRANSACTION_LIMIT])


async def run(app: App, job: RunBulk) -> None:
    """Queue job: write down who asked for what, then begin, stop, or wait for the approval."""
    operation = await progress.find(app, job.operation_id)
    if operation is None:
        return
    operation = await _write_notes(app, operation)
    plan = bulk_of(operation)
    if operation.status in TERMINAL:
        await parts.finish(app, operation.id)
        return
    approval = operation.approval
    if not plan.stopping and approval is not None and approval.state == "pending":
        left = (approval.expires_at - app.clock.now()).total_seconds()
        if left > 0:
            await app.queues.send(job, delay=left)
            return
        operation = await expire(app, operation)
        plan = bulk_of(operation)
    if plan.stopping:
        await parts.cancel_rest(app, operation, plan.stopping)
        await _withdraw_begun(app, operation, plan.stopping)
    elif not plan.begun:
        for subscription_id in await _subscriptions(app, operation.id):
            await lanes.join(app, subscription_id, operation.id)
        await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), _begun(app.clock.now()))
    await parts.finish(app, operation.id)


async def _withdraw_begun(app: App, operation: Operation, error: dict[str, Any]) -> None:
    """Cancel what lanes have begun and nobody has sent yet; it makes room as whatever ends does."""
    async for item in app.tables.query(ITEMS, operation.id, where="status eq 'running'"):
        child = await actions.withdraw(app, item.child, error)
        if child is None or child.status != "canceled":
            continue
        await audit.record(
            app,
            child.created_by,
            child.kind,
            item.target,
            tenant_id=child.tenant_ids[0],
            actor_name=bulk_of(operation).asked_by,
            outcome="canceled",
            reason=child.reason,
            ticket_number=child.ticket_number,
            request_id=child.correlation_id,
            once=f"{child.id}|end",
            name=item.name,
            operationId=child.id,
            status=child.status,
            errorCode=error["code"],
        )
        await app.queues.send(FollowOperation(operation_id=child.id, correlation_id=child.correlation_id))


async def _write_notes(app: App, operation: Operation) -> Operation:
    """Write the acts that wait into the audit log; gives the operation as it is then."""
    notes = bulk_of(operation).notes
    if not notes:
        return operation
    tenant_id = operation.tenant_ids[0] if len(operation.tenant_ids) == 1 else None
    deeds = [
        audit.Deed(
            actor=one.actor,
            action=one.action,
            target=operation.id,
            tenant_id=tenant_id,
            actor_name=one.actor_name,
            outcome=one.outcome,
            reason=one.reason,
            ticket_number=one.ticket_number,
            request_id=one.request_id,
            once=one.id,
            details={"devices": operation.item_count},
        )
        for one in notes
    ]
    await audit.record_all(app, deeds)
    written = {one.id for one in notes}

    def without(row: Operation) -> Operation | None:
        plan = bulk_of(row)
        return row.changed(state=plan.changed(notes=[n for n in plan.notes if n.id not in written]).into())

    return await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), without) or operation


async def _subscriptions(app: App, operation_id: str) -> list[str]:
    """The subscriptions of the items that have not ended."""
    rows = app.tables.rows(ITEMS.table, operation_id, where="done eq false", select=["RowKey"])
    return sorted({subscription_of(row["RowKey"]) async for row in rows})


def _begun(now: datetime) -> Callable[[Operation], Operation | None]:
    def begun(row: Operation) -> Operation | None:
        state = bulk_of(row).changed(begun=True).into()
        return None if row.status in TERMINAL else row.changed(status="running", state=state, last_updated_at=now)

    return begun


async def expire(app: App, operation: Operation) -> Operation:
    """Nobody approved it in time; gives it as it is then, which is as it was when somebody has decided meanwhile."""

    def expired(row: Operation) -> Operation | None:
        plan, approval = bulk_of(row), row.approval
        if approval is None or approval.state != "pending":
            return None
        told = note("expire", plan.verb, "tenantry", "", outcome="refused")
        return stopped(row, EXPIRED, told).changed(approval=approval.changed(state="expired"))

    return await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), expired) or operation


def stopped(row: Operation, why: dict[str, str], told: Note) -> Operation:
    """The row of an operation of which nothing more begins. Pure."""
    plan = bulk_of(row)
    return row.changed(state=plan.changed(stopping=plan.stopping or why, notes=[*plan.notes, told]).into())


async def lost(app: App, operation: Operation) -> list[Job]:
    """For the sweep: the messages that an operation may have lost; none while it is young or waits to be approved."""
    now, plan = app.clock.now(), bulk_of(operation)
    again = RunBulk(operation_id=operation.id, correlation_id=operation.correlation_id)
    if operation.status == "notStarted":
        pending = operation.approval is not None and operation.approval.state == "pending"
        waits = pending and not plan.notes and operation.approval is not None and operation.approval.expires_at > now
        return [again] if now - operation.last_updated_at > SILENT_AFTER and not waits else []
    if now - operation.last_updated_at < UNSEEN_AFTER:
        return []
    waiting = await _subscriptions(app, operation.id)
    return [again, *(AdvanceLane(subscription_id=one, operation_id=operation.id) for one in waiting)]


async def give_up(app: App, job: RunBulk, reason: str) -> None:
    """The message was poisoned: nothing more of the operation begins."""
    operation = await progress.find(app, job.operation_id)
    if operation is None:
        return
    error = {"code": "gaveUp", "message": reason}
    if operation.status not in TERMINAL:
        told = note("giveUp", bulk_of(operation).verb, "tenantry", "", reason, outcome="failed")
        operation = (
            await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), lambda row: stopped(row, error, told))
            or operation
        )
    try:
        # What people did is told, whatever became of it; if that is what cannot be done, the rest still is.
        operation = await _write_notes(app, operation)
    finally:
        if operation.status not in TERMINAL:
            await parts.cancel_rest(app, operation, error)
            await parts.finish(app, operation.id)
