"""A sink that is made, or enabled anew, is told of what is open now, as if that had opened for it.

Client after client, each under its lease: whoever works for a client then has read of the sink, or its alerts are seen
here. The alert's row names the sink first, and when it joined: so the same job, done again, tells under the same ids,
and what follows of the alert is told to the sink too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from shared import outbox
from shared.alerts import lease, outages, reads, watchdog
from shared.alerts.carry import Carried
from shared.alerts.gathering import in_turn
from shared.alerts.records import ALERTS, OPEN, Alert, client_key
from shared.app import App
from shared.devices import places
from shared.errors import Conflict
from shared.incidents.records import Effect
from shared.jobs import CatchUp
from shared.outbox import joining, sinks
from shared.outbox.outcome import TOO_OLD
from shared.outbox.sinks import Sink
from shared.sinks.contract import ALERT_EVENTS

CLIENTS = 50
"""In one job; its successor does the next."""
AT_ONCE = 50
"""Alerts between two looks at the lease."""
PAUSE_SECONDS = 1.0
NOTE = "This was open already when this sink was set up or switched on."


async def run(app: App, job: CatchUp) -> None:
    """Queue job: tell a sink of the open alerts of its sites, those of its present line apart."""
    await joining.begun(app, job)
    sink = await sinks.find(app, job.sink_id)
    if sink is None or not _hears(sink):
        await joining.done(app, job)
        return
    keys = [key for key in await _keys(app, sink) if key > job.above]
    done = job.above
    for key in keys[:CLIENTS]:
        held = await lease.take(app, key)
        if not isinstance(held, lease.Lease):
            await app.queues.send(job.model_copy(update={"above": done}), delay=min(held, PAUSE_SECONDS))
            return
        try:
            finished = await _client(app, sink, job, key, held)
        finally:
            await lease.release(app, held)
        if not finished:
            break
        done = key
    if keys and done != keys[-1]:
        await app.queues.send(job.model_copy(update={"above": done}))
    else:
        await joining.done(app, job)


def _hears(sink: Sink) -> bool:
    """Whether it is told of what is open."""
    told = sink.enabled and sink.leaving is None and not sink.subscription
    return told and any(sink.wants(event) for event in ALERT_EVENTS)


async def _keys(app: App, sink: Sink) -> list[str]:
    """The clients that the sink is told of, in order: by their sites, and by their open alerts. See lease."""
    found = [place for place in await places.every(app) if sink.concerns(place.site.id if place.site else None)]
    keys = {client_key(p.site.client_name if p.site else "", p.subscription.id) for p in found}
    rows = await app.tables.all(ALERTS, OPEN, where="state eq 'open'")
    return sorted({*keys, *(_key(row) for row in rows)})


def _key(alert: Alert) -> str:
    return watchdog.LEASE if alert.kind == "self" else alert.client_key


async def _client(app: App, sink: Sink, job: CatchUp, key: str, held: lease.Lease) -> bool:
    """All of one client; False when the lease was lost on the way."""
    mine = "" if key == watchdog.LEASE else key
    where = "client eq @client and state eq 'open' and parent eq ''"
    rows = await app.tables.all(ALERTS, OPEN, where=where, parameters={"client": mine})
    found = [row for row in rows if _key(row) == key and _concerns(sink, row)]
    for begin in range(0, len(found), AT_ONCE):
        some = found[begin : begin + AT_ONCE]
        new = [
            row for row in some if row.joined.get(sink.id, job.at if sink.id not in row.sink_ids else None) == job.at
        ]
        await in_turn(new, lambda row: _join(app, sink, job, row))
        await _again(app, sink, [row for row in some if row not in new])
        renewed = await lease.renew(app, held)
        if renewed is None:
            return False
        held = renewed
    return True


def _concerns(sink: Sink, alert: Alert) -> bool:
    """As for an alert that opens; a sink is not told that it fails itself."""
    if alert.kind != "self":
        return sink.concerns(alert.site_id)
    if alert.subject_id == watchdog.subject_of(f"sink|{sink.id}"):
        return False
    named = reads.sites_of(alert)
    return any(map(sink.concerns, named)) if named else sink.concerns(None)


async def _join(app: App, sink: Sink, job: CatchUp, row: Alert) -> None:
    if sink.id not in row.sink_ids:
        row = await app.tables.put(
            ALERTS, row.changed(sink_ids=[*row.sink_ids, sink.id], joined={**row.joined, sink.id: job.at})
        )
    inside: list[Alert] = []
    if row.kind == "outage":
        members = "parent eq @parent and state eq 'open'"
        inside = await app.tables.all(ALERTS, OPEN, where=members, parameters={"parent": row.id})
    note = f"{outages.opening(row)} {NOTE}" if row.kind == "outage" else NOTE
    carried = Carried(app, inside=sorted(inside, key=lambda member: member.subject.name))
    # Later than this sink is there, and before whatever follows: numbers of effects begin with 1.
    effect = Effect(kind="open", at=job.at, alert_id=row.id, number=0, note=note)
    carried.tell("opened", row, effect, sink_ids=[sink.id])
    await carried.finish()


async def _again(app: App, sink: Sink, rows: Sequence[Alert]) -> None:
    """What was too old to be sent when the sink was off, and is open still, is sent after all."""
    known = await outbox.tickets(app, [(row.id, [sink.id]) for row in rows])
    for row in rows:
        [ticket] = known[row.id]
        if ticket["state"] == "failed" and str(ticket.get("lastError", "")).startswith(TOO_OLD):
            with suppress(Conflict):
                await outbox.redeliver_alert(app, row.id, [sink.id])


async def give_up(app: App, job: CatchUp, reason: str) -> None:
    """Nothing to mark: the poisoned job is listed, to be put back."""
