"""One worker at a time per client, so that its outages are seen as a whole. A lease ends by itself."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from shared.app import App
from shared.errors import Conflict, PreconditionFailed
from shared.store.tables import Kind, Record

SECONDS = 60
PATIENCE_SECONDS = 10.0
"""How long a caller of the API waits for a worker; a batch hardly ever takes longer."""
PAUSE_SECONDS = 0.2


class Lease(Record):
    """Who works on a client's alerts, until when (UTC)."""

    key: str
    """See records.client_key."""
    holder: str
    until: datetime


LEASES = Kind("Alerts", Lease, lambda lease: ("lease", lease.key))


async def take(app: App, key: str) -> Lease | float:
    """The lease, or the seconds until the present one ends."""
    now = app.clock.now()
    wanted = Lease(key=key, holder=uuid.uuid4().hex, until=now + timedelta(seconds=SECONDS))
    try:
        return await app.tables.insert(LEASES, wanted)
    except Conflict:
        present = await app.tables.get(LEASES, "lease", key)
    if present is None:
        return PAUSE_SECONDS
    if present.until > now:
        return (present.until - now).total_seconds()
    try:
        return await app.tables.put(LEASES, wanted.changed(etag=present.etag))
    except PreconditionFailed:
        return PAUSE_SECONDS


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


@asynccontextmanager
async def waited_for(app: App, key: str) -> AsyncIterator[Lease]:
    """The lease for as long as the block takes. Raises Conflict when others keep it for PATIENCE_SECONDS."""
    began = time.monotonic()
    while not isinstance(held := await take(app, key), Lease):
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise Conflict("The alerts of this client are being worked on. Try again in a minute.")
        await asyncio.sleep(PAUSE_SECONDS)
    try:
        yield held
    finally:
        await release(app, held)
