"""Lanes: of each subscription, a few devices at once are acted upon for operations on many; the others wait their turn.

A lane is a row with the devices that are being acted upon and the operations that wait, the oldest first. A device that
has ended sends a message, which frees its slot and gives it to the next one: so the cost of a device does not depend on
how many there are, and a subscription is asked for at most AT_ONCE / PACE_SECONDS actions a second. That is half of
what ARM refills of writes (10 a second: learn.microsoft.com/azure/azure-resource-manager/management/
request-limits-and-throttling) and below Compute's 500 updates a minute
(learn.microsoft.com/azure/virtual-machines/compute-throttling-limits).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared import devices, progress
from shared.access import granted
from shared.app import App
from shared.devices import subscription_of
from shared.errors import Conflict, TenantryError, Throttled, Unavailable
from shared.jobs import AdvanceLane, FollowOperation, PollSubscription
from shared.operations import actions, parts, pauses
from shared.operations.actions import Asked
from shared.operations.follow import PATIENCE
from shared.operations.records import GUARDS, LANES, Bulk, Lane, Slot, Waiting, bulk_of, plan_of
from shared.progress import ITEMS, TERMINAL, Operation, Status

AT_ONCE = 10
"""Devices of one subscription."""
RACES = frozenset({"operationRunning", "conflict", "preconditionFailed"})
"""Codes of what two workers that begin the same at once are told."""
SILENT_AFTER = timedelta(minutes=10)
"""What was put in line and has not begun by then has lost its message, or waits in a long line."""
LOST_SITES = "requesterLostSites"
"""Code of what is refused because whoever asked for it may not any more."""
CROWDED_SECONDS = 1
"""Before a message comes again that found the lane being changed by many."""


async def join(app: App, subscription_id: str, operation_id: str) -> None:
    """Let an operation wait in a subscription's lane, behind those that wait there."""
    new = Waiting(operation_id=operation_id)
    try:
        await app.tables.insert(LANES, Lane(subscription_id=subscription_id, waiting=[new]))
    except Conflict:

        def joined(lane: Lane) -> Lane | None:
            if any(known.operation_id == operation_id for known in lane.waiting):
                return None
            return lane.changed(waiting=[*lane.waiting, new])

        await app.tables.update(LANES, "lane", subscription_id, joined)
    await app.queues.send(AdvanceLane(subscription_id=subscription_id, operation_id=operation_id))


@dataclass
class _Offer:
    """What was read for a lane: targets per waiting operation, and whether they are the last of it."""

    gone: set[tuple[str, str]]
    at: datetime
    found: dict[str, tuple[list[str], bool]] = field(default_factory=dict)


async def run(app: App, job: AdvanceLane) -> None:
    """Queue job: free the slots of what has ended, and begin the next."""
    lane = await app.tables.get(LANES, "lane", job.subscription_id)
    if lane is None:
        return
    if lane.waiting and (pause := await pauses.left(app, job.subscription_id)):
        await app.queues.send(job, delay=pause)
        return
    gone = {(job.operation_id, job.target)} if job.target else await _ended(app, lane)
    by = f"{job.operation_id}|{job.target}" if job.target else ""
    offer = await _offer(app, lane, gone)
    try:
        after = await app.tables.update(LANES, "lane", lane.subscription_id, lambda now: _next(now, offer, by))
    except Conflict:
        await app.queues.send(job, delay=CROWDED_SECONDS)
        return
    after = after or lane
    mine = [slot for slot in after.slots if slot.by == by or not job.target]
    waits = [await _begin(app, slot, thorough=not job.target) for slot in mine]
    if any(waits):
        await app.queues.send(job, delay=max(waits))
    for operation_id in ({job.operation_id} | _operations(lane)) - _operations(after) - {""}:
        # Nothing of it is left in this lane.
        await parts.finish(app, operation_id)
        await app.queues.send(PollSubscription(subscription_id=job.subscription_id, correlation_id=job.correlation_id))


def _operations(lane: Lane) -> set[str]:
    return {slot.operation_id for slot in lane.slots} | {one.operation_id for one in lane.waiting}


async def _ended(app: App, lane: Lane) -> set[tuple[str, str]]:
    """Slots whose item has ended, or is gone."""
    found = set()
    for slot in lane.slots:
        item = await app.tables.get(ITEMS, slot.operation_id, slot.target)
        if item is None or item.status in TERMINAL:
            found.add((slot.operation_id, slot.target))
    return found


async def _offer(app: App, lane: Lane, gone: set[tuple[str, str]]) -> _Offer:
    """The next targets, as many as there is room for."""
    offer = _Offer(gone, app.clock.now())
    room = AT_ONCE - sum((slot.operation_id, slot.target) not in gone for slot in lane.slots)
    for waiting in lane.waiting:
        if room <= 0:
            break
        operation = await progress.find(app, waiting.operation_id)
        if operation is None or operation.status in TERMINAL or bulk_of(operation).stopping:
            offer.found[waiting.operation_id] = ([], True)
            continue
        items = await app.tables.all(
            ITEMS,
            waiting.operation_id,
            prefix=parts.prefix_of(lane.subscription_id),
            above=waiting.after,
            where="status eq 'notStarted'",
            limit=room,
        )
        offer.found[waiting.operation_id] = ([item.target for item in items], len(items) < room)
        room -= len(items)
    return offer


def _next(lane: Lane, offer: _Offer, by: str) -> Lane | None:
    """The lane with what has ended out of it, and what is offered in its place; None when nothing changes. Pure."""
    slots = [slot for slot in lane.slots if (slot.operation_id, slot.target) not in offer.gone]
    waiting: list[Waiting] = []
    for one in lane.waiting:
        targets, all_of_it = offer.found.get(one.operation_id, ([], False))
        fresh = [target for target in targets if target > one.after]
        taken = fresh[: max(0, AT_ONCE - len(slots))]
        slots += [Slot(operation_id=one.operation_id, target=target, by=by, at=offer.at) for target in taken]
        if not all_of_it or len(taken) < len(fresh):
            waiting.append(one.changed(after=taken[-1]) if taken else one)
    changed = lane.changed(slots=slots, waiting=waiting)
    return None if changed == lane else changed


async def _begin(app: App, slot: Slot, *, thorough: bool) -> float:
    """Begin the action on one device, or go on where that was cut off; gives seconds to wait before trying again, or 0.

    What has begun tells of its end itself. `thorough`: what was silent for long may have lost its message.
    """
    operation = await progress.find(app, slot.operation_id)
    item = await parts.claim(app, slot.operation_id, slot.target)
    if operation is None or item is None:
        return 0
    identifier = parts.child_id(slot.operation_id, slot.target)
    child = await progress.find(app, identifier)
    if child is None and item.status in TERMINAL:
        await parts.make_room(app, slot.operation_id, slot.target, operation.correlation_id)
    elif child is not None and child.status in TERMINAL:
        if item.status not in TERMINAL and (thorough or child.error == actions.NEVER_BEGUN):
            await parts.report(app, child, plan_of(child))
    elif child is not None and await _named(app, slot.target, child.id):
        if thorough and child.status == "notStarted" and app.clock.now() - child.created_at > SILENT_AFTER:
            await app.queues.send(FollowOperation(operation_id=child.id, correlation_id=child.correlation_id))
    elif item.status not in TERMINAL and (stopping := bulk_of(operation).stopping):
        await parts.settle(app, slot.operation_id, slot.target, "canceled", stopping)
        await parts.make_room(app, slot.operation_id, slot.target, operation.correlation_id)
    elif item.status not in TERMINAL:
        try:
            await _start(app, operation, bulk_of(operation), slot.target, identifier)
        except Unavailable:
            # It says nothing of the device: the message comes again, and goes on where it was.
            raise
        except TenantryError as error:
            return await _not_begun(app, operation, slot, identifier, error)
    return 0


async def _not_begun(app: App, operation: Operation, slot: Slot, identifier: str, error: TenantryError) -> float:
    """The action could not begin: the item fails, unless another worker does the same or Azure asks to wait."""
    if isinstance(error, Throttled) and (slot.at is None or app.clock.now() - slot.at < PATIENCE):
        await pauses.obey(app, subscription_of(slot.target), error)
        return error.retry_after
    guard = await app.tables.get(GUARDS, "device", slot.target)
    if error.code in RACES and guard is not None and guard.holder == identifier:
        return CROWDED_SECONDS
    child = await actions.withdraw(app, identifier)
    if child is not None and child.error != actions.NEVER_BEGUN:
        return 0  # it was begun by another worker, and tells of its end itself
    already = isinstance(error, actions.Already) and bulk_of(operation).work_kind == "schedule"
    shown = {"code": "already" if already else error.code, "message": error.message}
    status: Status = "succeeded" if already else "failed"
    await parts.settle(app, slot.operation_id, slot.target, status, shown)
    await parts.make_room(app, slot.operation_id, slot.target, operation.correlation_id)
    return 0


async def _named(app: App, device_id: str, operation_id: str) -> bool:
    guard = await app.tables.get(GUARDS, "device", device_id)
    return guard is not None and guard.operation_id == operation_id


async def _start(app: App, operation: Operation, plan: Bulk, target: str, identifier: str) -> None:
    """Begin it if that is still right. Raises TenantryError with the reason when it is not."""
    found = await devices.find(app, target)
    if found is None:
        raise Conflict("It is no longer among the devices that are shown.", code="deviceGone")
    site = found.place.site
    if site is None or site.id not in operation.site_ids:
        raise Conflict("It belongs to another site since this was asked for.", code="siteChanged")
    if plan.every_site is False and site.id not in await granted(app, operation.created_by):
        raise Conflict(f"{site.id} is no longer a site of whoever asked for it ({plan.asked_by}).", code=LOST_SITES)
    asked = Asked(
        operation.created_by, plan.asked_by, operation.reason, operation.ticket_number, operation.correlation_id
    )
    await actions.start_part(
        app,
        found,
        asked,
        plan.verb,
        identifier,
        parent=operation.id,
        confirm=plan.confirm,
        kind=plan.work_kind,
    )


async def give_up(app: App, job: AdvanceLane, reason: str) -> None:
    """The message was poisoned: what it could not begin fails, and the lane goes on."""
    lane = await app.tables.get(LANES, "lane", job.subscription_id)
    by = f"{job.operation_id}|{job.target}" if job.target else ""
    for slot in lane.slots if lane else []:
        child = await progress.find(app, parts.child_id(slot.operation_id, slot.target))
        if child is None and slot.by == by:
            await parts.settle(app, slot.operation_id, slot.target, "failed", {"code": "gaveUp", "message": reason})
            await parts.make_room(app, slot.operation_id, slot.target, job.correlation_id)
