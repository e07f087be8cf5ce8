"""How Tenantry does, as metrics: recorded from what the watchdog has read already, and nothing when nobody is told."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from shared import telemetry
from shared.app import App
from shared.devices import Place
from shared.errors import Unavailable

log = logging.getLogger("tenantry.vitals")
SECRETS_WITHIN = timedelta(days=30)


def oldest(places: Iterable[Place], now: datetime) -> dict[str, float]:
    """Seconds since the last successful refresh of the subscription that waits longest. Pure.

    `read` of those that Azure lets us read, `failing` of those it does not.
    """
    found: dict[str, float] = {}
    for place in places:
        row = place.subscription
        since = row.last_refreshed_at or row.failing_since
        if place.not_polled or since is None:
            continue
        state = "failing" if row.failing_since is not None else "read"
        found[state] = max(found.get(state, 0.0), (now - since).total_seconds())
    return found


async def record(app: App, places: Iterable[Place], *, poisoned: int, failing_sinks: int) -> None:
    """Record ages and counts that were read for another reason, and ask how long the queues are."""
    if not telemetry.is_on():
        return
    for state, age in oldest(places, app.clock.now()).items():
        telemetry.level("tenantry.poll.age", age, state=state)
    telemetry.level("tenantry.queue.poison", poisoned)
    telemetry.level("tenantry.sinks.failing", failing_sinks)
    for queue, depth in (await app.queues.depths()).items():
        telemetry.level("tenantry.queue.depth", depth, queue=queue)


async def record_secrets(app: App) -> None:
    """Record how many secrets of the vault end soon."""
    if not telemetry.is_on():
        return
    try:
        ending = await app.vault.ending(app.clock.now() + SECRETS_WITHIN)
    except Unavailable as error:
        log.warning("the secrets that end soon are not counted: %s", error.message)
        return
    telemetry.level("tenantry.secrets.expiring", ending)
