"""Bringing the stored devices of one subscription to what a poll saw, for whoever holds the claim."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from shared import jobs
from shared.app import App
from shared.devices import index
from shared.devices.index import Row
from shared.devices.records import CHANGES, DEVICE_PREFIX, DEVICES, EVENTS, Device, device_id
from shared.errors import Conflict, MicrosoftError, PreconditionFailed
from shared.health import observe
from shared.health.diff import Plan, Step, diff
from shared.health.observe import Seen
from shared.store.tables import Write, decode, delete, insert, put

CLAIM = "claimed"
"""End of what stands in place of a digest while devices are written."""
TRIES = 5
"""How often the devices are compared anew when others changed them meanwhile."""
FEW = 30
"""So many changed devices are read one by one; more of them, all at once with the others."""


@dataclass(frozen=True)
class Observation:
    """What a poll saw. `warning` is set when health could not be read though the inventory could."""

    at: datetime
    seen: list[Seen]
    digest: str
    warning: MicrosoftError | None = None


@dataclass(frozen=True)
class _Basis:
    """What the observation is compared with: stored devices by id, and which of those seen need a look at all."""

    stored: dict[str, Device]
    seen: list[Seen]
    rows: dict[str, Row]
    """Index rows of the others, which stay as they are."""
    pending: bool = False
    """Events of an earlier poll wait to be applied."""


async def store(
    app: App,
    subscription_id: str,
    tenant_id: str,
    observation: Observation,
    digest: str | None,
    *,
    first: bool = False,
    apply_after: float = 0,
) -> int:
    """Write devices with their changes and events, then the index, then the job that applies the events.

    `digest` is that of the last observation stored, `first` that there was none ever, `apply_after` how many seconds
    the job is hidden; gives the number of devices. Raises Conflict when others keep changing the devices.
    """
    marks = {device_id(subscription_id, one.resource_id): (one, observe.mark_of(one)) for one in observation.seen}
    basis = await _changed_only(app, subscription_id, digest, marks)
    for _ in range(TRIES):
        basis = basis or await _everything(app, subscription_id, observation.seen)
        now = app.clock.now()
        plan = diff(
            basis.stored, basis.seen, tenant_id=tenant_id, subscription_id=subscription_id, now=now, first=first
        )
        try:
            await _write(app, plan)
        except PreconditionFailed:
            basis = None
            continue
        rows = basis.rows | {device.id: index.row_of(device, marks[device.id][1]) for device in plan.devices}
        await index.write(app, subscription_id, observation.digest, rows.values())
        if basis.pending or plan.has_events:
            await app.queues.send(jobs.ApplyEvents(subscription_id=subscription_id), delay=apply_after)
        return len(rows)
    raise Conflict(f"The devices of {subscription_id} are being changed by others. It is tried again.")


async def _changed_only(
    app: App, subscription_id: str, digest: str | None, marks: dict[str, tuple[Seen, str]]
) -> _Basis | None:
    """Only what differs from the index. None when the index cannot vouch for the devices, or many differ.

    It can when the last poll ended well (its digest is no claim) and this is the index it wrote.
    """
    if digest is None or digest.endswith(CLAIM) or not digest.startswith(observe.FORMAT):
        return None
    rows = await index.rows_of(app, subscription_id, digest)
    if rows is None:
        return None
    changed = [identifier for identifier, (_, mark) in marks.items() if rows.get(identifier, ("",))[-1] != mark]
    gone = [identifier for identifier in rows if identifier not in marks]
    if len(changed) + len(gone) > FEW:
        return None
    found = await asyncio.gather(
        *(app.tables.get(DEVICES, subscription_id, f"{DEVICE_PREFIX}{key}") for key in (*changed, *gone))
    )
    return _Basis(
        stored={device.id: device for device in found if device is not None},
        seen=[marks[identifier][0] for identifier in changed],
        rows={key: row for key, row in rows.items() if key in marks and key not in changed},
    )


async def _everything(app: App, subscription_id: str, seen: list[Seen]) -> _Basis:
    """Every stored device, and whether events wait: their rows sort after those of the devices."""
    stored: dict[str, Device] = {}
    async for entity in app.tables.rows(DEVICES.table, subscription_id, above=DEVICE_PREFIX):
        if not entity["RowKey"].startswith(DEVICE_PREFIX):
            return _Basis(stored, seen, {}, pending=True)
        device = decode(DEVICES, entity)
        stored[device.id] = device
    return _Basis(stored, seen, {})


async def _write(app: App, plan: Plan) -> None:
    for steps in plan.transactions():
        await app.tables.transact([write for step in steps for write in _writes(step)])


def _writes(step: Step) -> list[Write]:
    if step.deleted:
        first = delete(DEVICES, step.device)
    else:
        first = insert(DEVICES, step.device) if step.device.etag is None else put(DEVICES, step.device)
    writes = [first]
    if step.change is not None:
        writes.append(put(CHANGES, step.change))
    if step.event is not None:
        writes.append(put(EVENTS, step.event))
    return writes
