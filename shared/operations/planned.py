"""Our own actions as the judgement of health sees them: a row per device, written before one is sent and at its end.

The row is all that the rules need; how long a device may take to be back is for them to say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.app import App
from shared.capabilities import Verb
from shared.errors import Conflict
from shared.store.tables import Kind, Record

KEPT = 12
"""Of one device, the newest: a spell begins during one of the last few, or not because of them."""
STOPPING: frozenset[Verb] = frozenset({"stop", "pause"})
"""After these a device is away until somebody starts it."""
WORDS: dict[Verb, str] = {"start": "Start", "stop": "Stop", "pause": "Pause", "resume": "Resume", "restart": "Restart"}


class Work(Record):
    """One action on a device. Times are UTC."""

    id: str
    """Of its operation."""
    kind: Literal["action", "schedule"] = "action"
    what: str
    """`Restart by Alice Anders`."""
    starts_at: datetime
    """When it was first sent to Azure."""
    ends_at: datetime | None = None
    """None: not known to have ended."""
    stops: bool = False
    """It leaves the device away, until somebody starts it."""
    failed: bool = False
    """It ended without doing what it should, so that nothing excuses a device that stays away."""


class DeviceWork(Record):
    """The actions on a device, oldest first."""

    device_id: str
    subscription_id: str
    device_type: str
    """ARM's name of the type."""
    works: list[Work] = Field(default_factory=list)


WORKS = Kind("PlannedWork", DeviceWork, lambda w: (w.subscription_id, w.device_id))


def work(
    operation_id: str, verb: Verb, by: str, starts_at: datetime, kind: Literal["action", "schedule"] = "action"
) -> Work:
    """The record of an action that is about to be sent; `by` is the name of who asked."""
    what = f"{WORDS[verb]} by {by}" if by else WORDS[verb]
    return Work(id=operation_id, kind=kind, what=what, starts_at=starts_at, stops=verb in STOPPING)


async def of_subscription(app: App, subscription_id: str) -> dict[str, DeviceWork]:
    """Device id -> its actions, of every device of a subscription that was acted upon. One query."""
    return {row.device_id: row async for row in app.tables.query(WORKS, subscription_id)}


async def begin(app: App, device_id: str, subscription_id: str, device_type: str, new: Work) -> None:
    """Store an action before it is sent. What is stored of it already stays: it may have been taken the first time."""
    row = DeviceWork(device_id=device_id, subscription_id=subscription_id, device_type=device_type, works=[new])
    try:
        await app.tables.insert(WORKS, row)
    except Conflict:

        def extended(present: DeviceWork) -> DeviceWork | None:
            if any(known.id == new.id for known in present.works):
                return None
            return present.changed(works=[*present.works, new][-KEPT:])

        await app.tables.update(WORKS, subscription_id, device_id, extended)


async def end(app: App, device_id: str, subscription_id: str, operation_id: str, at: datetime, *, done: bool) -> bool:
    """Store that an action ended, and whether it did what it should; gives whether it was stored as begun at all."""
    known = False

    def ended(present: DeviceWork) -> DeviceWork | None:
        nonlocal known
        known = any(row.id == operation_id for row in present.works)
        return present.changed(
            works=[
                row.changed(ends_at=row.ends_at or at, failed=not done) if row.id == operation_id else row
                for row in present.works
            ]
        )

    await app.tables.update(WORKS, subscription_id, device_id, ended)
    return known
