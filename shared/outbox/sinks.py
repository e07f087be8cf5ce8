"""The sinks that people configured: who is told what, where their secrets lie, and how they end."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any, cast

from pydantic import Field, ValidationError

from shared import audit
from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, NotFound, PreconditionFailed
from shared.jobs import Announce, Deliver
from shared.sinks import KINDS
from shared.sinks.contract import ALERT_EVENTS, Outlet, SinkError, SinkSettings
from shared.store.tables import Kind, Record

log = logging.getLogger("tenantry.sinks")
TRIES = 8
"""How often a write that others overtook is tried."""
DISABLED = "tenantry.sink.disabled"
AFTER_REMOVAL = 5
"""Seconds after which what still waits for a sink that was deleted is ended."""


class Sink(Record):
    """One receiver of events. `site_ids` None: of every site. Its secrets are in the vault only."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
    """Without the secrets."""
    secret_name: str = ""
    """Name of its secrets in the vault, one JSON object; empty without any. Each version of them has a name of its own,
    so that this row decides which one counts."""
    site_ids: list[str] | None = None
    former_site_ids: list[str] = Field(default_factory=list)
    """Sites that it was told of before and is not now. What it was told of them is in its log, in line for it and in
    its tickets: who does not see them does not see the sink."""
    formerly_of_all: bool = False
    """It was told of every site before."""
    events: list[str] | None = None
    """CloudEvents types it is told of; None: all."""
    subscription: bool = False
    """It was made by a subscriber, and is deleted when that one is gone."""
    enabled: bool = True
    disabled_reason: str | None = None
    """Why it was switched off by itself."""
    leaving: datetime | None = None
    """Since when it is being deleted: its tickets are closed first, and it is told of nothing that came later."""
    created_at: datetime
    changed_at: datetime

    def concerns(self, site_id: str | None) -> bool:
        """Whether what happens at a site (None: at none) is told to it."""
        return self.site_ids is None or (site_id is not None and site_id in self.site_ids)

    def wants(self, event: str) -> bool:
        """Whether it is told of such events: ticket sinks are told of alerts only."""
        if self.kind not in KINDS or (KINDS[self.kind].TICKETS and event not in ALERT_EVENTS):
            return False
        return self.events is None or event in self.events


SINKS = Kind("Sinks", Sink, lambda s: ("sink", s.id), parts=10)
"""A desk of every client has 2,000 companies of 115 characters, beside 400 site ids and 50 events."""


async def every(app: App) -> list[Sink]:
    """All sinks, the disabled too."""
    return await app.tables.all(SINKS, "sink")


async def find(app: App, sink_id: str) -> Sink | None:
    """One sink whoever asks, or None."""
    return await app.tables.get(SINKS, "sink", sink_id)


async def get(app: App, caller: Principal, sink_id: str) -> Sink:
    """One sink. Raises NotFound, also when it tells of sites outside the caller's."""
    return in_scope(caller, await find(app, sink_id), sink_id)


def in_scope(caller: Principal, sink: Sink | None, sink_id: str) -> Sink:
    """A sink that was read. Raises NotFound as `get` does."""
    if sink is None or sink.leaving is not None or not sees(caller, sink):
        raise NotFound(f"There is no sink {sink_id}.")
    return sink


async def seen_by(app: App, caller: Principal) -> list[Sink]:
    """The sinks whose every site the caller may see."""
    return [sink for sink in await every(app) if sink.leaving is None and sees(caller, sink)]


def sees(caller: Principal, sink: Sink) -> bool:
    """Whether every site that a sink is or was told of is the caller's."""
    if caller.sites is None:
        return True
    if sink.site_ids is None or sink.formerly_of_all:
        return False
    return caller.sites.issuperset([*sink.site_ids, *sink.former_site_ids])


async def leave(app: App, caller: Principal, sink: Sink, *, etag: str | None = None, **why: str | None) -> None:
    """Mark a sink that is to be deleted once its tickets are closed: it is shown no more. See `drop`.

    Raises as `remove` does.
    """
    for _ in range(TRIES):
        try:
            await app.tables.put(SINKS, sink.changed(leaving=app.clock.now()))
        except PreconditionFailed:
            if etag is not None:
                raise
            sink = await get(app, caller, sink.id)
        else:
            break
    else:
        raise Conflict(f"The sink {sink.name} is being changed by many at once. Try again.")
    await audit.record(app, caller.id, "sink.delete", sink.id, actor_name=caller.name, name=sink.name, **said(why))


async def drop(app: App, sink: Sink) -> None:
    """End a sink that was leaving: its row and its secrets go, and what still waits for it fails."""
    await _end_line(app, sink)
    await app.tables.delete(SINKS, sink.changed(etag=None))
    await _end_line(app, sink)
    await _forget(app, sink)


async def _end_line(app: App, sink: Sink) -> None:
    """Have what waits for a sink ended once its row is gone.

    Asked before the row goes, since without a row nobody would look for what waits any more; and after, since the first
    job ends nothing when the row took longer to go.
    """
    await app.queues.send(Deliver(sink_id=sink.id), delay=AFTER_REMOVAL)


async def remove(app: App, caller: Principal, sink: Sink, *, etag: str | None = None, **why: str | None) -> None:
    """Take a sink away: nothing more is sent, its secrets are deleted. `etag` None: whatever version of it is there.

    Raises PreconditionFailed when it is not that version any more, Conflict when others change it all the time.
    """
    await _end_line(app, sink)
    for _ in range(TRIES):
        try:
            await app.tables.delete(SINKS, sink)
        except PreconditionFailed:
            if etag is not None:
                raise
            sink = await get(app, caller, sink.id)
        else:
            break
    else:
        raise Conflict(f"The sink {sink.name} is being changed by many at once. Try again.")
    await _end_line(app, sink)
    await _forget(app, sink)
    await audit.record(
        app,
        caller.id,
        "sink.delete",
        sink.id,
        actor_name=caller.name,
        outcome="succeeded",
        name=sink.name,
        **said(why),
    )


async def _forget(app: App, sink: Sink) -> None:
    if sink.secret_name:
        await app.vault.delete(sink.secret_name)
    app.memory.pop(_remembered(sink.id), None)


async def disable(app: App, sink: Sink, reason: str) -> None:
    """Switch a sink off because its receiver cannot be sent to, and tell the others once; not one changed meanwhile.

    A subscription has ended by this, and is deleted.
    """
    present = await find(app, sink.id)
    if present is None or not present.enabled or present.changed_at != sink.changed_at:
        return
    if sink.subscription:
        await _end_line(app, sink)
        await app.tables.delete(SINKS, present)
        await _end_line(app, sink)
        await _forget(app, present)
        await audit.record(app, "tenantry", "sink.delete", sink.id, outcome="succeeded", name=sink.name, reason=reason)
        return
    # Announced first: one that is cut off here is found enabled, and announces the same again, which is told once.
    await app.queues.send(
        Announce(
            event=DISABLED,
            event_id=f"{DISABLED}|{sink.id}|{sink.changed_at.isoformat()}",
            subject=sink.id,
            site_ids=sink.site_ids,
            data={"id": sink.id, "kind": sink.kind, "name": sink.name, "disabledReason": reason},
        )
    )
    try:
        await app.tables.put(SINKS, present.changed(enabled=False, disabled_reason=reason, changed_at=app.clock.now()))
    except PreconditionFailed:
        log.info("The sink %s was changed while its receiver refused: %s", sink.id, reason)
        return
    log.warning("The sink %s (%s) is switched off: %s", sink.id, sink.name, reason)


def outlet(app: App, sink_id: str) -> Outlet:
    """How a sink reaches the world from here, now."""
    memory: dict[str, Any] = app.memory.setdefault("sink-outlets", {})
    private = app.settings.allow_private_webhooks
    return Outlet(app.transport.receiver(sink_id), app.clock.now(), sink_id, private, memory)


def _remembered(sink_id: str) -> str:
    """Where the process keeps a sink's secrets."""
    return f"sink-secret-{sink_id}"


async def secrets_of(app: App, sink: Sink) -> dict[str, str]:
    """A sink's secrets by the names of its settings; the vault is asked again when the sink has others.

    Raises Unavailable.
    """
    if not sink.secret_name:
        return {}
    kept: tuple[str, dict[str, str]] | None = app.memory.get(_remembered(sink.id))
    if kept is None or kept[0] != sink.secret_name:
        name, text = sink.secret_name, await app.vault.get(sink.secret_name)
        if text is None and (present := await find(app, sink.id)) is not None and present.secret_name:
            # It was given others since it was read.
            name, text = present.secret_name, await app.vault.get(present.secret_name)
        kept = (name, cast(dict[str, str], json.loads(text)) if text else {})
        app.memory[_remembered(sink.id)] = kept
    return kept[1]


async def settings_of(app: App, sink: Sink) -> SinkSettings:
    """Its settings as its kind's model, with the secrets. Raises Unavailable; SinkError when they cannot be used."""
    secrets = await secrets_of(app, sink)
    if sink.secret_name and not secrets:
        app.memory.pop(_remembered(sink.id), None)
        raise SinkError("The vault has no secret for this sink. Save the sink with a new one.", disable=True)
    try:
        return KINDS[sink.kind].Settings.model_validate({**sink.settings, **secrets})
    except (KeyError, ValidationError) as error:
        raise SinkError(
            "The sink's settings are not what its kind takes. Save the sink again.", disable=True
        ) from error


def said(why: dict[str, str | None]) -> dict[str, Any]:
    """What of a why there is, for the audit log."""
    return {name: value for name, value in why.items() if value is not None}
