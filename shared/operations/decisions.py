"""What people say of an operation that was asked for: approve it, reject it, or cancel what has not begun.

One conditional write decides; of two who decide at once, the second is told what the first has said.
"""

from __future__ import annotations

from typing import Any

from shared import audit
from shared.access import Principal, granted
from shared.app import App
from shared.capabilities import VERBS
from shared.errors import Conflict, Forbidden, NotFound
from shared.jobs import FollowOperation, RunBulk
from shared.operations import reads
from shared.operations.bulk import CANCELED, is_bulk, note, stopped
from shared.operations.lanes import LOST_SITES
from shared.operations.records import bulk_of
from shared.progress import ITEMS, OPERATIONS, TERMINAL, Operation

NOTHING_WAITS = "Nothing of it waits to begin any more."
NAMED = 20
"""Sites that an error names."""
REJECTED = {"code": "approvalRejected", "message": "A second person has rejected it."}


async def decide(
    app: App,
    caller: Principal,
    operation_id: str,
    *,
    approve: bool,
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
) -> Operation:
    """Approve or reject an operation that waits for it.

    Raises NotFound outside the caller's sites, Forbidden for who asked for it, Conflict when it waits no more, or when
    it is to be approved and who asked for it has lost some of its sites.
    """
    operation = await reads.get(app, caller, operation_id)
    if operation.approval is None:
        raise Conflict("This operation needs no approval.", code="noApproval")
    if caller.id == operation.approval.requested_by:
        raise Forbidden(
            "You asked for it yourself. Another person must decide; you can cancel it.", code="approvalByRequester"
        )
    if approve and _pending(operation):
        await _require_requester(app, caller, operation, reason, ticket_number, request_id)
    now = app.clock.now()

    def decided(row: Operation) -> Operation:
        approval, plan = row.approval, bulk_of(row)
        if approval is None or approval.state != "pending":
            said = approval.state if approval else "decided"
            raise Conflict(f"It is {said} already.", code="alreadyDecided")
        if approval.expires_at <= now:
            raise Conflict("The time to approve it is over. Ask for the action again.", code="approvalExpired")
        approval = approval.changed(
            state="approved" if approve else "rejected",
            decided_by=caller.id,
            decided_by_name=caller.name,
            decided_at=now,
            reason=reason,
        )
        what = "approve" if approve else "reject"
        told = note(what, plan.verb, caller.id, caller.name, reason, ticket_number, request_id)
        changed = row.changed(state=plan.changed(notes=[*plan.notes, told]).into())
        if not approve:
            changed = stopped(row, REJECTED | ({"reason": reason} if reason else {}), told)
        return changed.changed(approval=approval, last_updated_at=now)

    return await _decided(app, operation, await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), decided))


async def cancel(
    app: App,
    caller: Principal,
    operation_id: str,
    *,
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
) -> Operation:
    """Cancel what has not begun of an action on many devices, or an action on one that has not begun.

    What was sent to Azure goes on to its end. Raises NotFound, and Conflict when there is nothing to cancel, or when
    somebody approves it at the same moment.
    """
    operation = await reads.get(app, caller, operation_id)
    now = app.clock.now()
    if is_bulk(operation):
        if not await app.tables.all(ITEMS, operation.id, where="status eq 'notStarted'", limit=1):
            raise Conflict(NOTHING_WAITS, code="alreadyEnded")

        def stop(row: Operation) -> Operation:
            if row.status in TERMINAL or bulk_of(row).stopping:
                raise Conflict(NOTHING_WAITS, code="alreadyEnded")
            if _pending(operation) and not _pending(row):
                # Whoever cancels what waits to be approved has not asked to stop what runs.
                raise Conflict("It was decided at this moment. Look, and cancel it again.", code="alreadyDecided")
            told = note("cancel", bulk_of(row).verb, caller.id, caller.name, reason, ticket_number, request_id)
            approval = row.approval.changed(state="canceled") if row.approval and _pending(row) else row.approval
            return stopped(row, CANCELED, told).changed(approval=approval, last_updated_at=now)

        return await _decided(app, operation, await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), stop))
    area, _, verb = operation.kind.partition(".")
    if area != "device" or verb not in VERBS:
        raise Conflict("Only actions on devices can be canceled.", code="notCancelable")

    def withdraw(row: Operation) -> Operation:
        _require_waiting(row)
        return row.changed(status="canceled", error=CANCELED, last_updated_at=now)

    _require_waiting(operation)
    # First: nothing else tells who did it.
    target = operation.resource or operation.id
    why = {"reason": reason, "ticket_number": ticket_number, "request_id": request_id}
    about: dict[str, Any] = {"why": why, "name": operation.resource_name, "operationId": operation.id}
    await _record(app, caller, operation, "cancel", target, "accepted", **about)
    changed = await app.tables.update(OPERATIONS, *OPERATIONS.key(operation), withdraw)
    # What follows an end (the device is free again, who waits is told) follows this one too.
    await app.queues.send(FollowOperation(operation_id=operation.id, correlation_id=request_id))
    return changed or operation


async def _require_requester(
    app: App, caller: Principal, operation: Operation, reason: str | None, ticket_number: str | None, request_id: str
) -> None:
    """Raises Conflict, and tells the audit log, when who asked for an operation may not act on all its sites now."""
    if bulk_of(operation).every_site is not False:
        return
    lost = sorted(set(operation.site_ids) - await granted(app, operation.created_by))
    if not lost:
        return
    named = ", ".join(lost[:NAMED]) + (f" and {len(lost) - NAMED} more" if len(lost) > NAMED else "")
    said = f"No longer a site of whoever asked for it ({bulk_of(operation).asked_by}): {named}."
    why = {"reason": reason, "ticket_number": ticket_number, "request_id": request_id}
    await _record(app, caller, operation, "approve", operation.id, "refused", why, refusal=said)
    raise Conflict(f"{said} Reject it, or ask for the action yourself.", code=LOST_SITES)


async def _record(
    app: App,
    caller: Principal,
    operation: Operation,
    what: str,
    target: str,
    outcome: str,
    why: dict[str, Any],
    **details: Any,
) -> None:
    """Write what somebody said of an operation into the audit log."""
    tenant_id = operation.tenant_ids[0] if len(operation.tenant_ids) == 1 else None
    await audit.record(
        app,
        caller.id,
        f"{operation.kind}.{what}",
        target,
        tenant_id=tenant_id,
        actor_name=caller.name,
        outcome=outcome,
        **why,
        **details,
    )


def _pending(row: Operation) -> bool:
    return row.approval is not None and row.approval.state == "pending"


def _require_waiting(row: Operation) -> None:
    if row.status != "notStarted":
        raise Conflict("It was begun already, and goes on to its end.", code="alreadyBegun")


async def _decided(app: App, operation: Operation, changed: Operation | None) -> Operation:
    if changed is None:
        raise NotFound(f"There is no operation {operation.id}.")
    await app.queues.send(RunBulk(operation_id=operation.id, correlation_id=operation.correlation_id))
    return changed
