"""The items of an operation on many devices, and its end, which is made of theirs.

An item is `notStarted` until a lane takes it or it is canceled: whoever writes first wins. Its action is an operation
of its own, with an id that follows from both, so that repeated work begins none twice.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from shared import audit, progress
from shared.app import App
from shared.devices import subscription_of
from shared.errors import PreconditionFailed
from shared.jobs import AdvanceLane, Announce
from shared.operations.records import Plan, bulk_of
from shared.progress import ITEMS, OPERATIONS, TERMINAL, Item, Operation, Status
from shared.store.tables import TRANSACTION_LIMIT, put

PACE_SECONDS = 2
"""Between the end of one device and the beginning of the next in its place."""


def child_id(operation_id: str, target: str) -> str:
    """Id of the operation on one device of many: in a partition of its own, so that lists show the whole only."""
    return f"{operation_id.replace('-', '.')}-{target}"


def prefix_of(subscription_id: str) -> str:
    """What the device ids of a subscription begin with."""
    return subscription_id.replace("-", "")


async def claim(app: App, operation_id: str, target: str) -> Item | None:
    """Mark an item as begun unless it was; gives it as it is then."""

    def begun(item: Item) -> Item | None:
        if item.status != "notStarted":
            return None
        return item.changed(status="running", child=child_id(operation_id, target))

    return await app.tables.update(ITEMS, operation_id, target, begun)


async def settle(app: App, operation_id: str, target: str, status: Status, error: dict[str, Any] | None) -> None:
    """Store the end of an item, once."""
    await app.tables.update(
        ITEMS,
        operation_id,
        target,
        lambda item: None if item.status in TERMINAL else item.changed(status=status, error=error),
    )


async def report(app: App, child: Operation, plan: Plan) -> None:
    """Tell the whole how the action on one device ended; harmless when repeated."""
    await settle(app, plan.parent, plan.device_id, child.status, child.error)
    await make_room(app, plan.parent, plan.device_id, child.correlation_id)


async def make_room(app: App, operation_id: str, target: str, correlation_id: str) -> None:
    """Let the lane go on in place of a target that has ended."""
    job = AdvanceLane(
        subscription_id=subscription_of(target),
        operation_id=operation_id,
        target=target,
        correlation_id=correlation_id,
    )
    await app.queues.send(job, delay=PACE_SECONDS)


async def cancel_rest(app: App, operation: Operation, error: dict[str, Any]) -> None:
    """Cancel every item that has not begun."""
    waiting: list[Item] = []
    async for item in app.tables.query(ITEMS, operation.id, where="status eq 'notStarted'"):
        waiting.append(item.changed(status="canceled", error=error))
        if len(waiting) == TRANSACTION_LIMIT:
            await _cancel(app, waiting)
            waiting = []
    await _cancel(app, waiting)


async def _cancel(app: App, items: list[Item]) -> None:
    try:
        await app.tables.transact([put(ITEMS, item) for item in items])
    except PreconditionFailed:
        # One of them has begun meanwhile.
        for item in items:
            await app.tables.update(
                ITEMS,
                item.operation_id,
                item.target,
                lambda now, error=item.error: (  # type: ignore[misc]  # mypy wants no defaults in a lambda
                    now.changed(status="canceled", error=error) if now.status == "notStarted" else None
                ),
            )


def end_of(counts: Counter[str]) -> Status:
    """How the whole ended, when every item has. Pure.

    One that failed makes it failed; else one whose outcome nobody knows makes it that; else one that was canceled.
    """
    for status in ("failed", "outcomeUnknown", "canceled"):
        if counts[status]:
            return status
    return "succeeded"


MESSAGES: dict[str, str] = {
    "failed": "Some items failed; each says why.",
    "outcomeUnknown": "Of some items nobody knows whether they were done; each says why.",
    "canceled": "Some items were canceled before they began.",
}


async def finish(app: App, operation_id: str) -> None:
    """End an operation on many devices if all its items have ended; harmless when repeated."""
    operation = await progress.find(app, operation_id)
    if operation is None:
        return
    if operation.status not in TERMINAL:
        plan = bulk_of(operation)
        if not (plan.begun or plan.stopping):
            return
        if await app.tables.all(ITEMS, operation_id, where="done eq false", limit=1):
            return
        counts = await progress.tally(app, operation_id)
        status = end_of(counts)
        error: dict[str, Any] | None = None
        if status != "succeeded":
            error = {"code": f"items{status[0].upper()}{status[1:]}", "message": MESSAGES[status]}
        if status == "canceled" and plan.stopping:
            error = plan.stopping
        await audit.record(
            app,
            operation.created_by,
            operation.kind,
            operation.id,
            tenant_id=operation.tenant_ids[0] if len(operation.tenant_ids) == 1 else None,
            actor_name=plan.asked_by,
            outcome=progress.OUTCOMES.get(status, status),
            reason=operation.reason,
            ticket_number=operation.ticket_number,
            request_id=operation.correlation_id,
            once=f"{operation.id}|end",
            devices=operation.item_count,
            status=status,
            **({"errorCode": error["code"]} if error else {}),
        )
        operation = await progress.update(
            app,
            operation_id,
            status=status,
            result={name: counts[name] for name in ("succeeded", "failed", "canceled", "outcomeUnknown")},
            error=error,
            percent_complete=100,
        )
    told = Announce(
        event="tenantry.operation.completed",
        event_id=f"{operation.id}|completed",
        subject=operation.id,
        site_ids=operation.site_ids,
        data=progress.view(operation, app.clock.now())
        | {"deviceName": f"{operation.item_count} devices", "askedBy": bulk_of(operation).asked_by},
        correlation_id=operation.correlation_id,
    )
    await app.queues.send_all(told.parts())


async def change(app: App, operation: Operation, **values: Any) -> Operation:
    """Write an operation back as it was read but for these. Raises PreconditionFailed when it changed meanwhile."""
    return await app.tables.put(OPERATIONS, operation.changed(last_updated_at=app.clock.now(), **values))
