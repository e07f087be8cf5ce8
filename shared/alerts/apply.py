"""The job behind alerts: stored health events, and incidents whose time has come, become alerts and tickets.

The order of writes lets any next try finish what was cut off, and tell every sink once: the time of the next look, the
incident with what is to be done, the rows of alerts, the outbox, the incident with nothing left to do, and last the
event goes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.alerts import carry, due, groups, lease, looks, planned, surroundings
from shared.alerts.carry import Carried
from shared.alerts.gathering import in_turn, put_all
from shared.alerts.groups import Arrangement
from shared.alerts.looks import Look
from shared.alerts.records import ALERTS, OPEN, REASON_CHARS, Alert, closed_key
from shared.alerts.surroundings import Surroundings
from shared.app import App
from shared.devices import EVENT_PREFIX, EVENTS, HealthEvent
from shared.errors import PreconditionFailed
from shared.incidents import machine
from shared.incidents.cause import sighting_of
from shared.incidents.ids import parse_id
from shared.incidents.records import INCIDENTS, Effect, Incident, Observation
from shared.jobs import ApplyEvents

log = logging.getLogger("tenantry.alerts")

BATCH = 200
"""Events or devices looked at together: a batch is done well within a lease."""
PAUSE_SECONDS = 1.0
"""How long a job stays away while another works for its client, which hardly ever takes longer."""


async def run_apply(app: App, job: ApplyEvents) -> None:
    """Queue job: judge the devices of a subscription that changed, or whose time has come, or all of them.

    Of one that is out of sight nothing is judged: the job that closes its alerts forgets its events.
    """
    key = await surroundings.key_of(app, job.subscription_id)
    held = await lease.take(app, key)
    if not isinstance(held, lease.Lease):
        await app.queues.send(job, delay=min(held, PAUSE_SECONDS))
        return
    try:
        around = await surroundings.load(app, job.subscription_id)
        if around.place is None or not around.place.shown:
            await due.done(app, job.due, app.clock.now())
        elif around.key != key or not await _apply(app, job, around, held):
            await app.queues.send(job)
    except PreconditionFailed as error:
        # The lease ran out under our hands, and another works: what is left is looked at again.
        log.info("alerts of %s are being changed by another worker: %s", job.subscription_id, error.message)
        await app.queues.send(job, delay=PAUSE_SECONDS)
    finally:
        await lease.release(app, held)


async def _apply(app: App, job: ApplyEvents, around: Surroundings, held: lease.Lease) -> bool:
    """All of it; False when the lease was lost on the way, so that what is left needs another job."""
    subscription_id, now = job.subscription_id, app.clock.now()
    waiting = list(dict.fromkeys(job.due))
    if job.everything:
        waiting = [row.device_id async for row in app.tables.query(INCIDENTS, subscription_id)]
    while True:
        events = await app.tables.all(EVENTS, subscription_id, prefix=EVENT_PREFIX, limit=BATCH)
        chosen, waiting = waiting[:BATCH], waiting[BATCH:]
        if events or chosen:
            now = app.clock.now()
            await look_at(app, around, events, chosen, now)
            await app.tables.delete_rows(EVENTS.table, subscription_id, [EVENTS.key(event)[1] for event in events])
            await due.done(app, chosen, now)
        # Whoever stores more events sends a job for them.
        if not waiting and len(events) < BATCH:
            await groups.settle_client(app, around.key, app.clock.now())
            return True
        renewed = await lease.renew(app, held)
        if renewed is None:
            return False
        held = renewed


async def look_at(
    app: App, around: Surroundings, events: Sequence[HealthEvent], device_ids: Sequence[str], now: datetime
) -> None:
    """Judge devices by their new events (any order) and carry out what follows. Under the client's lease."""
    by_device: dict[str, list[HealthEvent]] = {device_id: [] for device_id in device_ids}
    for event in events:
        by_device.setdefault(event.device_id, []).append(event)
    found = await in_turn(by_device, lambda device_id: looks.load(app, device_id, by_device[device_id]))
    # What an earlier try decided is carried out before anything new is decided of the same device, and together with
    # what is decided of the others, so that an outage is seen as a whole.
    cut_off = {look.id for look in found if look.incident.effects}
    rest = await judged(app, around, [look for look in found if look.id not in cut_off], now)
    done = await carried_out(app, around, [*(look for look in found if look.id in cut_off), *rest], now)
    if cut_off:
        again = await judged(app, around, [look for look in done if look.id in cut_off], now)
        await carried_out(app, around, again, now)


async def judged(app: App, around: Surroundings, found: Sequence[Look], now: datetime) -> list[Look]:
    """Each device's incident after the machine saw what is new, stored with the effects that it asks for."""
    if not found:
        return []
    types = {look.id: look.type for look in found}
    works = await planned.of_devices(app, around.subscription_id, around.site_id, list(types), types=types)
    changes: list[tuple[Look, Incident]] = []
    for look in found:
        observation = Observation(
            sightings=tuple(sighting_of(event.change) for event in look.events),
            planned=works.get(look.id, ()),
            type=look.type,
            tags=look.device.tags if look.device else {},
            first=any(event.first_poll for event in look.events),
        )
        after, _ = machine.step(look.incident, observation, around.rules(look.type), looks.time_of(look, now))
        changes.append((look, after))
    return await looks.store(app, changes, now)


async def carried_out(app: App, around: Surroundings, found: Sequence[Look], now: datetime) -> list[Look]:
    """The effects of these incidents in rows and at the sinks; the looks with nothing left to do."""
    if not any(look.incident.effects for look in found):
        return list(found)
    arranged = await groups.arrange(app, around, found, now)
    every = {look.id: look for look in found} | {look.id: look for look in arranged.absorbed}
    todo = [look for look in every.values() if look.incident.effects]
    carried = Carried(app)
    await in_turn(todo, lambda look: _carry(carried, around, look, arranged))
    await carried.finish()
    emptied = await put_all(app, INCIDENTS, [look.incident.changed(effects=[]) for look in todo])
    done = {look.id: replace(look, incident=incident) for look, incident in zip(todo, emptied, strict=True)}
    for look in arranged.absorbed:
        await due.forget(app, look.id, groups.guarded_until(now))
    return [done.get(look.id, look) for look in found]


async def _carry(carried: Carried, around: Surroundings, look: Look, arranged: Arrangement) -> None:
    for effect in look.incident.effects:
        draft = await _draft(carried.app, around, look, effect)
        if draft is not None:
            told = effect
            if effect.kind in ("open", "reopen"):
                draft = draft.changed(**arranged.of(look.id))
            elif effect.close_reason == "mergedIntoOutage":
                draft, told = arranged.merged(look.id, draft, effect)
            await _carry_one(carried, around, look, draft, told)


async def _carry_one(carried: Carried, around: Surroundings, look: Look, draft: Alert, effect: Effect) -> None:
    if effect.kind == "open":
        await carry.open_alert(carried, draft, effect, sink_ids=around.sink_ids)
    elif effect.kind == "reopen":
        await carry.reopen_alert(carried, draft, effect, sink_ids=around.sink_ids)
    elif effect.kind == "update":
        await carry.update_alert(carried, draft, effect)
    elif effect.kind == "close":
        await carry.close_alert(carried, draft, effect.close_reason or "recovered", effect)
    elif effect.kind == "suppress":
        await carry.suppress(carried, draft, effect)
    else:
        await carry.release(carried, draft, effect)


async def _draft(app: App, around: Surroundings, look: Look, effect: Effect) -> Alert | None:
    """The alert as the incident wants it; None when nothing is known any more of what it is about."""
    incident, device_id = look.incident, look.id
    alert_id = effect.alert_id or incident.alert_id
    place = parse_id(alert_id or "")
    if alert_id is None or place is None:
        return None
    if alert_id != incident.alert_id:
        # An alert that the incident has left behind: it ends as its row says.
        former = await app.tables.get(ALERTS, OPEN, device_id)
        if former is None or former.id != alert_id:
            former = await app.tables.get(ALERTS, *closed_key(*place))
        if former is not None and effect.kind == "release":
            said = _said(incident)
            former = former.changed(status=said["status"], status_reason=said["status_reason"])
        return former
    subject = look.subject(app, around)
    if subject is None:
        former = await app.tables.get(ALERTS, *closed_key(*place))
        subject = former.subject if former is not None else None
    if subject is None:
        return None
    return Alert(
        id=alert_id,
        subject_id=device_id,
        client_key=around.key,
        site_id=look.row.site_id if look.device is None and look.row is not None else around.site_id,
        opened_at=place[1],
        subject=subject,
        first_poll=look.first_poll,
        **_said(incident),
    )


def _said(incident: Incident) -> dict[str, Any]:
    """What an incident says of its alert."""
    return {
        "condition": incident.condition or incident.status or "unavailable",
        "severity": incident.severity or "high",
        "since": incident.since,
        "status": incident.status,
        "status_reason": incident.status_reason[:REASON_CHARS] if incident.status_reason else None,
        "suppressed_by": incident.suppressed_by,
        "suppressed_until": incident.suppressed_until,
        "suppressed_detail": incident.suppressed_detail,
        "acknowledgement": incident.acknowledgement,
        "snooze": incident.snooze,
    }


async def give_up_apply(app: App, job: ApplyEvents, reason: str) -> None:
    """Nothing is lost: events and times stay stored, and the next poll or look at the clock begins again."""
