"""One worker at a time per subscription, so that its events are applied in order. A lease ends by itself."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from shared.app import App
from shared.errors import Conflict, PreconditionFailed
from shared.store.tables import Kind, Record

SECONDS = 60


class Lease(Record):
    """Who works on a subscription, until when (UTC)."""

    subscription_id: str
    holder: str
    until: datetime


LEASES = Kind("Alerts", Lease, lambda lease: ("lease", lease.subscription_id))


async def take(app: App, subscription_id: str) -> Lease | float:
    """The lease, or the seconds until the present one ends."""
    now = app.clock.now()
    wanted = Lease(subscription_id=subscription_id, holder=uuid.uuid4().hex, until=now + timedelta(seconds=SECONDS))
    try:
        return await app.tables.insert(LEASES, wanted)
    except Conflict:
        present = await app.tables.get(LEASES, "lease", subscription_id)
    if present is None:
        return 1.0
    if present.until > now:
        return (present.until - now).total_seconds()
    try:
        return await app.tables.put(LEASES, wanted.changed(etag=present.etag))
    except PreconditionFailed:
        return 1.0


async def renew(app: App, lease: Lease) -> Lease | None:
    """The lease for another minute once half of it is over, or None when it ran out and another took it."""
    now = app.clock.now()
    if lease.until - now > timedelta(seconds=SECONDS / 2):
        return lease
    try:
        return await app.tables.put(LEASES, lease.changed(until=now + timedelta(seconds=SECONDS)))
    except PreconditionFailed:
        return None


async def release(app: App, lease: Lease) -> None:
    """End it now."""
    try:
        await app.tables.delete(LEASES, lease)
    except PreconditionFailed:
        return
