"""What people do to an alert: acknowledge it, snooze it, have its events sent again. Under the client's lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared import audit, outbox
from shared.access import Principal
from shared.alerts import apply, carry, due, lease, looks, reads, surroundings
from shared.alerts.carry import Carried
from shared.alerts.records import ALERTS, Alert, Step, extended
from shared.app import App
from shared.devices.records import subscription_of
from shared.errors import Conflict, NotFound, PreconditionFailed
from shared.incidents import machine, notes
from shared.incidents.records import Acknowledgement, Effect, Incident, Snooze

TRIES = 6
PAUSE_SECONDS = 0.05
"""Before the second try; twice as long before each one after it."""
Change = Callable[[Incident], tuple[Incident, tuple[Effect, ...]]]


async def acknowledge(app: App, caller: Principal, alert_id: str, note: str | None, **why: str | None) -> Alert:
    """Say that the caller looks after an open alert; its tickets get a note. `why` goes to the audit log.

    Raises NotFound; Conflict when it is not open.
    """
    now = app.clock.now()
    done = Acknowledgement(by=caller.name, at=now, note=note)
    said = f"Acknowledged by {caller.name}{f': {note}' if note else '.'}"
    return await _act(
        app,
        caller,
        alert_id,
        "alert.acknowledge",
        lambda incident: machine.acknowledge(incident, caller.name, note, now),
        lambda alert: (alert.changed(acknowledgement=done), said),
        why,
    )


async def unacknowledge(app: App, caller: Principal, alert_id: str, **why: str | None) -> Alert:
    """Take it back. Raises NotFound; Conflict when it is not open."""
    now = app.clock.now()
    return await _act(
        app,
        caller,
        alert_id,
        "alert.unacknowledge",
        lambda incident: machine.unacknowledge(incident, caller.name, now),
        lambda alert: (alert.changed(acknowledgement=None), f"Acknowledgement taken back by {caller.name}."),
        why,
    )


async def snooze(app: App, caller: Principal, alert_id: str, wanted: Snooze, **why: str | None) -> Alert:
    """Silence an open or silent alert; it still closes. Raises NotFound; Conflict when it is closed."""
    now = app.clock.now()
    return await _act(
        app,
        caller,
        alert_id,
        "alert.snooze",
        lambda incident: machine.snooze(incident, wanted, now),
        lambda alert: (alert.changed(snooze=wanted), f"{notes.snoozed(wanted)}."),
        why,
        silent=True,
    )


async def wake(app: App, caller: Principal, alert_id: str, **why: str | None) -> Alert:
    """End a snooze now. Raises NotFound; Conflict when it is closed."""
    now = app.clock.now()
    return await _act(
        app,
        caller,
        alert_id,
        "alert.wake",
        lambda incident: machine.wake(incident, caller.name, now),
        lambda alert: (alert.changed(snooze=None), f"Snooze ended by {caller.name}."),
        why,
        silent=True,
    )


async def _act(
    app: App,
    caller: Principal,
    alert_id: str,
    verb: str,
    on_incident: Change,
    on_row: Callable[[Alert], tuple[Alert, str]],
    why: dict[str, str | None],
    *,
    silent: bool = False,
) -> Alert:
    for attempt in range(TRIES):
        try:
            acted = await _try(app, caller, alert_id, on_incident, on_row, silent=silent)
            break
        except PreconditionFailed:
            # The lease ran out under our hands, and another worked. What was done is seen, and not done again.
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
    else:
        raise Conflict("The alerts of this client are being changed by many at once. Try again.")
    await audit.record(
        app,
        caller.id,
        verb,
        alert_id,
        tenant_id=acted.subject.tenant_id,
        actor_name=caller.name,
        outcome="succeeded",
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        request_id=why.get("request_id") or "",
        name=acted.subject.name,
    )
    found = await reads.find(app, alert_id)
    if found is None:
        # A snooze that ends may let a silent alert go.
        raise NotFound(f"There is no alert {alert_id} any more.")
    return found


async def _try(
    app: App,
    caller: Principal,
    alert_id: str,
    on_incident: Change,
    on_row: Callable[[Alert], tuple[Alert, str]],
    *,
    silent: bool,
) -> Alert:
    """Do it once; gives the alert as it was before. Raises PreconditionFailed when another worked on it."""
    seen = await reads.get(app, caller, alert_id)
    async with lease.waited_for(app, seen.client_key or alert_id):
        alert = await reads.get(app, caller, alert_id)
        if alert.state == "closed" or (alert.state == "suppressed" and not silent):
            raise Conflict(f"The alert is {alert.state}.")
        if alert.kind == "device":
            await _on_incident(app, alert, on_incident)
        else:
            changed, note = on_row(alert)
            if changed != alert:
                await _on_row(app, changed, note)
        return alert


async def _on_incident(app: App, alert: Alert, change: Change) -> None:
    now = app.clock.now()
    around = await surroundings.load(app, subscription_of(alert.subject_id))
    look = await looks.load(app, alert.subject_id, ())
    (look,) = await apply.carried_out(app, around, [look], now)
    after, _ = change(look.incident)
    # Cut off from here on, it is finished by the next look.
    guard = now + due.SOON
    await due.remember(app, look.id, guard, now)
    (look,) = await looks.store(app, [(look, after)], now)
    (look,) = await apply.carried_out(app, around, [look], now)
    # What ended with a snooze, or begins with it, shows at once.
    (look,) = await apply.judged(app, around, [look], now)
    await apply.carried_out(app, around, [look], now)
    await due.forget(app, look.id, guard)


async def _on_row(app: App, changed: Alert, note: str) -> None:
    carried = Carried(app)
    effect = Effect(kind="update", at=app.clock.now(), alert_id=changed.id, number=changed.effect_count + 1, note=note)
    await carry.update_alert(carried, changed, effect)
    await carried.finish()


async def redeliver(app: App, caller: Principal, alert_id: str, **why: str | None) -> Alert:
    """Send again, under the same ids, what of the alert has ended at its sinks; of an outage's device, the outage's.

    `why` goes to the audit log. Raises NotFound, Conflict while all of it is still under way or when none was told.
    """
    seen = await reads.get(app, caller, alert_id)
    merged = seen.parent_id is not None and not seen.sink_ids
    parent = await reads.find(app, seen.parent_id or "") if merged else None
    told = parent or seen
    if not told.sink_ids:
        raise Conflict("No sink was told of this alert, so there is nothing to send again.")
    await outbox.redeliver_alert(app, told.id, told.sink_ids)
    step = Step(at=app.clock.now(), what="redelivered", detail=caller.name)
    partition, row = ALERTS.key(seen)
    changed = await app.tables.update(
        ALERTS, partition, row, lambda current: current.changed(timeline=extended(current.timeline, step))
    )
    await audit.record(
        app,
        caller.id,
        "alert.redeliver",
        alert_id,
        tenant_id=seen.subject.tenant_id,
        actor_name=caller.name,
        name=seen.subject.name,
        **{name: value for name, value in why.items() if value is not None},
    )
    return changed or seen
