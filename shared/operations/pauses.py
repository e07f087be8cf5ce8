"""Retry-After of a subscription: its budgets are shared, so that whoever is told to wait waits for all."""

from __future__ import annotations

from datetime import timedelta

from shared.app import App
from shared.errors import Throttled
from shared.operations.records import PAUSES, Pause

TOO_MANY = 429
OF_ONE_RESOURCE = frozenset({"RetryableErrorDueToAnotherOperation"})
"""Azure's codes of a 429 that is about the state of the one resource that was asked for."""


async def add(app: App, subscription_id: str, seconds: float) -> None:
    """Let nothing be asked about a subscription for so long; a longer pause that holds already stays."""
    until = app.clock.now() + timedelta(seconds=seconds)
    present = await app.tables.get(PAUSES, "pause", subscription_id)
    if present is None or present.until < until:
        await app.tables.put(PAUSES, Pause(subscription_id=subscription_id, until=until))


async def obey(app: App, subscription_id: str, error: Throttled) -> None:
    """Let a subscription alone when the answer was about more than the one resource.

    Resource Manager's limits are the subscription's. Providers have limits of their own, for a resource and for a
    subscription, and answer both alike: only a resource that is locked by another operation is told apart, by its code
    (learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling).
    """
    if error.status == TOO_MANY and error.remote_code not in OF_ONE_RESOURCE:
        await add(app, subscription_id, error.retry_after)


async def left(app: App, subscription_id: str) -> float:
    """Seconds of the pause that are left; 0 when there is none."""
    present = await app.tables.get(PAUSES, "pause", subscription_id)
    return max(0.0, (present.until - app.clock.now()).total_seconds()) if present else 0.0
