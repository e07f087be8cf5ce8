"""What changed between the stored devices of a subscription and what a poll sees: pure, the time is passed in.

Changes of a device are ordered by their time, and the clocks of workers differ: the time of a change is after that of
the stored row, whatever the clock of this worker says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.devices.records import Change, Device, Health, HealthEvent, device_id
from shared.health.observe import Seen, health_of

QUIET = frozenset({"available", "notReported"})
"""A device first seen like this has no change to tell."""
TICK = timedelta(milliseconds=1)
"""The unit of the times in keys."""
DEVICES_PER_TRANSACTION = 33
"""Three rows each: the device, its change, its event."""


@dataclass(frozen=True)
class Step:
    """One device's part of a transaction. `device` carries the etag of the stored row."""

    device: Device
    deleted: bool = False
    change: Change | None = None
    event: HealthEvent | None = None


@dataclass(frozen=True)
class Plan:
    """All writes that bring the store to what was seen, and the devices as they are then, in order of their id."""

    steps: list[Step] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)

    @property
    def has_events(self) -> bool:
        """Whether an event waits to be applied afterwards."""
        return any(step.event is not None for step in self.steps)

    def transactions(self) -> Iterator[list[Step]]:
        """The steps in groups that fit one transaction each."""
        for begin in range(0, len(self.steps), DEVICES_PER_TRANSACTION):
            yield self.steps[begin : begin + DEVICES_PER_TRANSACTION]


def diff(
    stored: Mapping[str, Device],
    seen: Iterable[Seen],
    *,
    tenant_id: str,
    subscription_id: str,
    now: datetime,
    first: bool = False,
) -> Plan:
    """The plan. `stored` is by device id. Running it and comparing again gives an empty plan.

    `first`: the subscription was never read before, so that what is down may have been so for long.
    """
    plan = Plan()
    left = dict(stored)
    for one in seen:
        identifier = device_id(subscription_id, one.resource_id)
        before = left.pop(identifier, None)
        at = _after(before, now)
        after = _device(identifier, one, before, tenant_id, subscription_id, at)
        if after is None:
            if before is not None:
                plan.devices.append(before)
            continue
        plan.devices.append(after)
        change = _change(before, after, at)
        event = None
        if change is not None:
            already = first and before is None
            event = HealthEvent(device_id=identifier, change=change, device=after, first_poll=already)
        plan.steps.append(Step(after, change=change, event=event))
    for gone in left.values():
        at = _after(gone, now)
        change = Change(device_id=gone.id, at=at, seen_at=at, before=gone.health.status, after=None)
        event = HealthEvent(device_id=gone.id, change=change, device=gone)
        plan.steps.append(Step(gone, deleted=True, change=change, event=event))
    return plan


def _after(before: Device | None, now: datetime) -> datetime:
    """The time of what is seen of a device now: later than everything stored of it."""
    return now if before is None else max(now, before.changed_at + TICK)


def _device(
    identifier: str, seen: Seen, before: Device | None, tenant_id: str, subscription_id: str, now: datetime
) -> Device | None:
    """The row to write, or None when the stored one says the same."""
    health = _health(health_of(seen), before, now)
    after = Device(
        id=identifier,
        resource_id=seen.resource_id,
        name=seen.name,
        type=seen.type,
        region=seen.region,
        resource_group=seen.resource_group,
        subscription_id=subscription_id,
        tenant_id=tenant_id,
        tags=dict(seen.tags),
        health=health,
        power_state=seen.power_state or None,
        first_seen_at=before.first_seen_at if before else now,
        changed_at=before.changed_at if before else now,
        etag=before.etag if before else None,
    )
    if before is None:
        return after
    return None if after == before else after.changed(changed_at=now)


def _health(health: Health, before: Device | None, now: datetime) -> Health:
    """With a time since when: Azure's, else that of the same status as stored, else now."""
    if health.since is not None:
        return health
    same = before is not None and before.health.status == health.status
    return health.changed(since=before.health.since if before is not None and same else now)


def _change(before: Device | None, after: Device, now: datetime) -> Change | None:
    """The change to tell: another status, or, while not available, another cause for it."""
    old, new = before.health if before else None, after.health
    if old is None and new.status in QUIET:
        return None
    if old is not None and old.status == new.status:
        cause = (old.reason_type, old.context, old.category) != (new.reason_type, new.context, new.category)
        if new.status in QUIET or not cause:
            return None
    return Change(
        device_id=after.id,
        at=new.since or now,
        seen_at=now,
        before=old.status if old else None,
        after=new.status,
        reason=new.reason,
        reason_type=new.reason_type,
        context=new.context,
        category=new.category,
    )
