"""Retry-After of a subscription: its budgets are shared, so that whoever is told to wait waits for all."""

from __future__ import annotations

from datetime import timedelta

from shared.app import App
from shared.operations.records import PAUSES, Pause


async def add(app: App, subscription_id: str, seconds: float) -> None:
    """Let nothing be asked about a subscription for so long; a longer pause that holds already stays."""
    until = app.clock.now() + timedelta(seconds=seconds)
    present = await app.tables.get(PAUSES, "pause", subscription_id)
    if present is None or present.until < until:
        await app.tables.put(PAUSES, Pause(subscription_id=subscription_id, until=until))


async def left(app: App, subscription_id: str) -> float:
    """Seconds of the pause that are left; 0 when there is none."""
    present = await app.tables.get(PAUSES, "pause", subscription_id)
    return max(0.0, (present.until - app.clock.now()).total_seconds()) if present else 0.0
