"""Devices leave with the reason why they were seen: their rows, changes, waiting events and index."""

from __future__ import annotations

from shared.app import App
from shared.devices import index
from shared.devices.records import DEVICES
from shared.tenants import SUBSCRIPTIONS


async def forget_subscription(app: App, subscription_id: str) -> int:
    """Delete everything stored of the devices of a subscription; gives the number of rows. Harmless when repeated."""
    # The row goes first: a poll that is under way loses its claim, and the lists show nothing from here on.
    await app.tables.update(
        SUBSCRIPTIONS,
        "subscription",
        subscription_id,
        lambda row: (
            None
            if row.digest is None and row.last_attempt_at is None
            else row.changed(digest=None, device_count=0, last_attempt_at=None)
        ),
    )
    await index.delete(app, subscription_id)
    app.memory.get("device-index", {}).pop(subscription_id, None)
    found = app.tables.rows(DEVICES.table, subscription_id, select=["PartitionKey", "RowKey"])
    return await app.tables.delete_rows(DEVICES.table, subscription_id, [entity["RowKey"] async for entity in found])
