"""Alerts close when their devices leave our sight: site unmapped, tenant unsynced, subscription gone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import get_args

from shared import devices
from shared.alerts import apply, carry, groups, lease, looks, retiring, surroundings
from shared.alerts.carry import Carried
from shared.alerts.looks import Look
from shared.alerts.records import ALERTS, OPEN, Alert
from shared.alerts.surroundings import Surroundings
from shared.app import App
from shared.devices.records import subscription_of
from shared.incidents import machine
from shared.incidents.records import INCIDENTS, CloseReason, Effect, Incident
from shared.jobs import CloseAlerts

REASONS: tuple[CloseReason, ...] = get_args(CloseReason)


async def run_close(app: App, job: CloseAlerts) -> None:
    """Queue job: close every alert of a subscription with the reason, then forget its devices and incidents.

    Or close the tickets of a sink that goes away.
    """
    if job.sink_id is not None:
        await retiring.run(app, job, job.sink_id)
        return
    reason: CloseReason = next((known for known in REASONS if known == job.reason), "subscriptionGone")
    there = await of_subscription(app, job.subscription_id)
    keys = {await surroundings.key_of(app, job.subscription_id), *(row.client_key for row in there)}
    async with AsyncExitStack() as stack:
        # In one order everywhere, so that two jobs never wait for each other.
        for key in sorted(keys - {""}):
            held = await lease.take(app, key)
            if not isinstance(held, lease.Lease):
                await app.queues.send(job, delay=min(held, apply.PAUSE_SECONDS))
                return
            stack.push_async_callback(lease.release, app, held)
        await _close(app, job.subscription_id, reason)
        for key in sorted(keys - {""}):
            await groups.settle_client(app, key, app.clock.now(), reason)


async def _close(app: App, subscription_id: str, reason: CloseReason) -> None:
    around, now = await surroundings.load(app, subscription_id), app.clock.now()
    incidents = await app.tables.all(INCIDENTS, subscription_id)
    rows = {row.subject_id: row for row in await of_subscription(app, subscription_id)}
    for begin in range(0, len(incidents), apply.BATCH):
        await _close_incidents(app, around, incidents[begin : begin + apply.BATCH], rows, reason)
    # What an incident does not know of: rows of before there were any.
    carried = Carried(app)
    for row in await of_subscription(app, subscription_id):
        if row.state == "suppressed":
            await app.tables.delete(ALERTS, row.changed(etag=None))
            continue
        effect = Effect(kind="close", at=now, alert_id=row.id, number=row.effect_count + 1)
        await carry.close_alert(carried, row, reason, effect)
    await carried.finish()
    await devices.forget_subscription(app, subscription_id)
    await app.tables.delete_rows(INCIDENTS.table, subscription_id, [row.device_id for row in incidents])


async def _close_incidents(
    app: App, around: Surroundings, incidents: Sequence[Incident], rows: dict[str, Alert], reason: CloseReason
) -> None:
    now = app.clock.now()
    found = [Look(row, (), None, rows.get(row.device_id)) for row in incidents]
    found = await apply.carried_out(app, around, found, now)
    closed = [(look, machine.close(look.incident, reason, looks.time_of(look, now))[0]) for look in found]
    await apply.carried_out(app, around, await looks.store(app, closed, now), now)


async def of_subscription(app: App, subscription_id: str) -> list[Alert]:
    """The open and silent alerts of a subscription's devices."""
    prefix = subscription_id.replace("-", "").lower()
    found = await app.tables.all(ALERTS, OPEN, prefix=prefix)
    return [row for row in found if subscription_of(row.subject_id) == subscription_id]


async def give_up_close(app: App, job: CloseAlerts, reason: str) -> None:
    """Nothing more to mark: the alerts stay open and the poisoned job is listed, to be put back."""
