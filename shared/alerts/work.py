"""The jobs behind alerts: stored health events become alerts and deliveries; alerts close when devices leave our sight.

An event's row is deleted last, and everything before can be done again, so that work cut off anywhere is finished by
the next try and tells every sink once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared import devices, sites, tenants
from shared.alerts import deliveries, lease, rules, sinks
from shared.alerts.records import ALERTS, OPEN, Alert, Subject, closed_key, view
from shared.alerts.sinks import Sink
from shared.app import App
from shared.devices import EVENT_PREFIX, EVENTS, HealthEvent
from shared.errors import NotFound
from shared.jobs import ApplyEvents, CloseAlerts
from shared.sites import Site

BATCH = 200
"""Events read at once: a batch is done well within a lease."""
PAUSE_SECONDS = 2.0
"""How long a job stays away while another works on its subscription, which hardly ever takes longer."""
AT_ONCE = 16
"""Devices worked on at once."""
OPENED, CLOSED = "tenantry.alert.opened", "tenantry.alert.closed"


@dataclass(frozen=True)
class _Surroundings:
    """What alerts of one subscription show beside the device."""

    site: Site | None
    subscription_name: str
    tenant_name: str
    sinks: list[Sink]

    def subject(self, event: HealthEvent) -> Subject:
        """The device with the names around it."""
        device = event.device
        return Subject(
            resource_id=device.resource_id,
            name=device.name,
            type=device.type,
            region=device.region,
            resource_group=device.resource_group,
            subscription_id=device.subscription_id,
            subscription_name=self.subscription_name,
            tenant_id=device.tenant_id,
            tenant_name=self.tenant_name,
            client_name=self.site.client_name if self.site else "",
            site_name=self.site.site_name if self.site else "",
        )


async def run_apply(app: App, job: ApplyEvents) -> None:
    """Queue job: apply the stored events of a subscription, oldest first."""
    held = await lease.take(app, job.subscription_id)
    if not isinstance(held, lease.Lease):
        await app.queues.send(job, delay=min(held, PAUSE_SECONDS))
        return
    around: _Surroundings | None = None
    try:
        while events := await app.tables.all(EVENTS, job.subscription_id, prefix=EVENT_PREFIX, limit=BATCH):
            around = around or await _surroundings(app, events[0].device.tenant_id, job.subscription_id)
            await _apply_batch(app, events, around)
            if len(events) < BATCH:
                # Whoever stores more enqueues a job for it.
                return
            renewed = await lease.renew(app, held)
            if renewed is None:
                await app.queues.send(job)
                return
            held = renewed
    finally:
        await lease.release(app, held)


async def _apply_batch(app: App, events: list[HealthEvent], around: _Surroundings) -> None:
    by_device: dict[str, list[HealthEvent]] = {}
    for event in events:
        by_device.setdefault(event.device_id, []).append(event)
    gate = asyncio.Semaphore(AT_ONCE)

    async def in_order(of_device: list[HealthEvent]) -> None:
        async with gate:
            for event in of_device:
                await _apply(app, event, around)
                await app.tables.delete(EVENTS, event.changed(etag=None))

    # Every device is waited for, also when one fails: nothing may go on once the job has ended.
    ended = await asyncio.gather(*(in_order(row) for row in by_device.values()), return_exceptions=True)
    for outcome in ended:
        if outcome is not None:
            raise outcome


async def _apply(app: App, event: HealthEvent, around: _Surroundings) -> None:
    current = await app.tables.get(ALERTS, OPEN, event.device_id)
    site_id = around.site.id if around.site else None
    effect = rules.apply(current, event, EVENTS.key(event)[1], around.subject(event), site_id)
    alert = effect.alert
    if alert is None:
        return
    if effect.action == "open":
        if current is None:
            told = [sink.id for sink in around.sinks if sink.enabled and sink.concerns(site_id)]
            alert = alert.changed(sink_ids=told)
            await app.tables.insert(ALERTS, alert)
        await _tell_opened(app, alert, around.sinks)
    elif effect.action == "change":
        await app.tables.put(ALERTS, alert)
    elif current is not None:
        await _close(app, current, alert, around.sinks)


async def _tell_opened(app: App, alert: Alert, known: list[Sink]) -> None:
    told = [sink for sink in known if sink.id in alert.sink_ids]
    data = view(alert, await tickets(app, alert))
    key, at = f"{alert.id}|opened", alert.opened_at
    for sink in told:
        await deliveries.create(app, sink, OPENED, at, alert.device_id, data, key=key, alert_id=alert.id)


async def _close(app: App, current: Alert, closing: Alert, known: list[Sink]) -> None:
    """Store the closed alert, tell the sinks, drop the open one: a crash on the way only repeats.

    What was stored first decides when and why it closed, and thereby which deliveries there are.
    """
    partition, row = closed_key(current.device_id, current.opened_at)
    stored = await app.tables.get(ALERTS, partition, row)
    if stored is None:
        told = [sink.id for sink in known if sink.id in closing.sink_ids]
        stored = closing.changed(closing_ids=told, etag=None)
        await app.tables.insert(ALERTS, stored)
    at = stored.closed_at or stored.opened_at
    data = view(stored, await tickets(app, stored))
    for sink in known:
        if sink.id in stored.closing_ids:
            await deliveries.create(
                app,
                sink,
                CLOSED,
                at,
                stored.device_id,
                data,
                key=f"{stored.id}|closed",
                alert_id=stored.id,
                after=deliveries.delivery_id(sink.id, stored.opened_at, f"{stored.id}|opened"),
            )
    await app.tables.delete(ALERTS, current)


async def run_close(app: App, job: CloseAlerts) -> None:
    """Queue job: close every open alert of a subscription with the reason, then forget its devices."""
    held = await lease.take(app, job.subscription_id)
    if not isinstance(held, lease.Lease):
        await app.queues.send(job, delay=held + 1)
        return
    try:
        known, now = await sinks.every(app), app.clock.now()
        prefix = job.subscription_id.replace("-", "").lower()
        for alert in await app.tables.all(ALERTS, OPEN, prefix=prefix):
            await _close(app, alert, rules.closed(alert, job.reason, now), known)
            held = await lease.renew(app, held) or held
        await devices.forget_subscription(app, job.subscription_id)
    finally:
        await lease.release(app, held)


async def _surroundings(app: App, tenant_id: str, subscription_id: str) -> _Surroundings:
    site_map = await sites.load(app)
    subscription = await app.tables.get(tenants.SUBSCRIPTIONS, "subscription", subscription_id)
    try:
        tenant_name = (await tenants.get(app, tenant_id)).display_name
    except NotFound:
        tenant_name = ""
    return _Surroundings(
        site=site_map.of(tenant_id, subscription_id),
        subscription_name=subscription.name if subscription else "",
        tenant_name=tenant_name,
        sinks=await sinks.every(app),
    )


def sent(alert: Alert, sink_id: str) -> list[tuple[datetime, str]]:
    """Time and key of each delivery that the alert makes to a sink, oldest first."""
    events = [(alert.opened_at, f"{alert.id}|opened")]
    if alert.closed_at is not None and sink_id in alert.closing_ids:
        events.append((alert.closed_at, f"{alert.id}|closed"))
    return events


async def delivered(app: App, alert: Alert, sink_id: str) -> list[deliveries.Delivery]:
    """The deliveries of an alert to one sink, oldest first."""
    found = await asyncio.gather(
        *(
            app.tables.get(deliveries.DELIVERIES, sink_id, deliveries.delivery_id(sink_id, at, key))
            for at, key in sent(alert, sink_id)
        )
    )
    return [row for row in found if row is not None]


async def tickets(app: App, alert: Alert) -> list[dict[str, Any]]:
    """What became of the alert at each sink: `{sinkId, kind, state, lastError?}`."""
    rows = await asyncio.gather(*(delivered(app, alert, sink_id) for sink_id in alert.sink_ids))
    return [
        _ticket(sink_id, found, closed=alert.state == "closed")
        for sink_id, found in zip(alert.sink_ids, rows, strict=True)
    ]


def _ticket(sink_id: str, found: list[deliveries.Delivery], *, closed: bool) -> dict[str, Any]:
    if not found:
        return {"sinkId": sink_id, "state": "pending"}
    states = {row.state for row in found}
    state = "pending"
    if "failed" in states:
        state = "failed"
    elif states == {"delivered"}:
        state = "closed" if closed and len(found) > 1 else "open"
    shown: dict[str, Any] = {"sinkId": sink_id, "kind": found[0].kind, "state": state}
    errors = [row.last_error for row in found if row.last_error]
    if errors:
        shown["lastError"] = errors[-1]
    return shown


async def give_up_apply(app: App, job: ApplyEvents, reason: str) -> None:
    """Nothing is lost: the events stay stored, and the next poll of the subscription puts them in line again."""


async def give_up_close(app: App, job: CloseAlerts, reason: str) -> None:
    """Nothing more to mark: the alerts stay open and the poisoned job is listed, to be put back."""
