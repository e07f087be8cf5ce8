"""The sinks that people configured: who is told what, and where their secrets lie."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import datetime
from typing import Any, cast

from pydantic import Field, ValidationError

from shared import audit, sites
from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed, Unavailable
from shared.jobs import Announce, CatchUp, Deliver
from shared.outbox import given
from shared.sinks import KINDS
from shared.sinks.contract import ALERT_EVENTS, Outlet, SinkError, SinkSettings
from shared.store.tables import Kind, Record

log = logging.getLogger("tenantry.sinks")
TRIES = 8
"""How often a write that others overtook is tried."""
DISABLED = "tenantry.sink.disabled"
MAX_SINKS, MAX_SINKS_OF_SITES = 500, 20
"""How many there are, and how many of somebody's sites when he does not see every site: each may keep a worker waiting
for as long as its receiver answers slowly."""
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


class Wanted(Record):
    """What a caller asks a sink to be."""

    kind: str
    name: str
    settings: dict[str, Any] = Field(default_factory=dict)
    """With the secrets that are to be changed."""
    site_ids: list[str] | None = None
    events: list[str] | None = None
    subscription: bool = False
    enabled: bool = True


async def every(app: App) -> list[Sink]:
    """All sinks, the disabled too."""
    return await app.tables.all(SINKS, "sink")


async def find(app: App, sink_id: str) -> Sink | None:
    """One sink whoever asks, or None."""
    return await app.tables.get(SINKS, "sink", sink_id)


async def get(app: App, caller: Principal, sink_id: str) -> Sink:
    """One sink. Raises NotFound, also when it tells of sites outside the caller's."""
    return _in_scope(caller, await find(app, sink_id), sink_id)


def _in_scope(caller: Principal, sink: Sink | None, sink_id: str) -> Sink:
    if sink is None or sink.leaving is not None or not _sees(caller, sink):
        raise NotFound(f"There is no sink {sink_id}.")
    return sink


async def seen_by(app: App, caller: Principal) -> list[Sink]:
    """The sinks whose every site the caller may see."""
    return [sink for sink in await every(app) if sink.leaving is None and _sees(caller, sink)]


def _sees(caller: Principal, sink: Sink) -> bool:
    if caller.sites is None:
        return True
    return sink.site_ids is not None and caller.sites.issuperset(sink.site_ids)


async def save(
    app: App,
    caller: Principal,
    wanted: Wanted,
    current: Sink | None,
    *,
    etag: str | None = None,
    identifier: str | None = None,
    **why: str | None,
) -> tuple[Sink, dict[str, str]]:
    """Make a sink, or replace `current`; the stored one, and the secrets made now (to be shown once).

    `etag` None: whatever version of it is there. `identifier`: the id of a new one, which must not be there yet (else
    Conflict). `why` goes to the audit log (reason, ticket_number, request_id).
    Raises InvalidInput, NotFound for sites out of scope and for a sink that is gone meanwhile, Forbidden for a sink of
    every site by anyone but an Integration.Admin, PreconditionFailed when it is not that version any more, Conflict
    when others change it all the time, and when there are too many.
    """
    kind = given.kind_of(wanted.kind)
    if current is not None and current.kind != wanted.kind:
        raise InvalidInput("The kind of a sink cannot change. Make another sink.", target="kind")
    if kind.TICKETS and wanted.events is not None and not set(ALERT_EVENTS) <= set(wanted.events):
        raise InvalidInput(f"Tickets need all of {', '.join(sorted(ALERT_EVENTS))}.", target="events")
    await _check_sites(app, caller, wanted.site_ids)
    if current is None:
        await _check_number(app, caller)
    kept = await secrets_of(app, current) if current else {}
    before = current.settings if current else {}
    wished, keeps = given.joined(kind, wanted.settings, kept, before)
    settings, made = kind.complete(wished)
    now = app.clock.now()
    sink_id = current.id if current else identifier or uuid.uuid4().hex
    await kind.check(outlet(app, sink_id), settings)
    secrets = given.secrets_in(kind, settings)
    fresh = f"sink-{sink_id}-secret-{uuid.uuid4().hex}" if secrets and secrets != kept else None
    new = Sink(
        id=sink_id,
        kind=wanted.kind,
        name=wanted.name,
        settings=given.without_secrets(kind, settings),
        secret_name=fresh or (current.secret_name if current else ""),
        site_ids=None if wanted.site_ids is None else sorted(set(wanted.site_ids)),
        events=None if wanted.events is None else sorted(set(wanted.events)),
        subscription=wanted.subscription,
        enabled=wanted.enabled,
        created_at=now,
        changed_at=now,
    )
    # The secrets first: a sink without them could not send; secrets without a sink harm nobody.
    if fresh is not None:
        await app.vault.set(fresh, json.dumps(secrets))
    if current is None:
        stored = await app.tables.insert(SINKS, new)
    else:
        stored = await _replace(app, caller, new, current, fresh, etag, keeps=keeps)
        # What waited for it to be on again, or for its settings to say where it belongs.
        await app.queues.send(Deliver(sink_id=stored.id))
    heard = (current.site_ids, current.events) if current and current.enabled else ()
    if stored.enabled and not stored.subscription and heard != (stored.site_ids, stored.events):
        # It may hear of alerts that it was not told of so far; a subscriber hears of what is to come.
        await app.queues.send(CatchUp(sink_id=stored.id, at=stored.changed_at))
    verb = "sink.change" if current else "sink.create"
    await audit.record(
        app, caller.id, verb, stored.id, actor_name=caller.name, outcome="succeeded", name=stored.name, **_text(why)
    )
    return stored, made


async def _replace(
    app: App, caller: Principal, new: Sink, current: Sink, fresh: str | None, etag: str | None, *, keeps: bool
) -> Sink:
    """Write a sink over `current`, then drop the secrets that nobody needs now: the old ones, or `fresh` if it lost."""
    try:
        stored, before = await _overwrite(app, caller, new, current, fresh, etag, keeps=keeps)
    except (PreconditionFailed, NotFound, Conflict):
        # Only these say that no row names it; after any other error the secret stays.
        if fresh is not None:
            await _drop(app, fresh)
        raise
    if fresh is not None:
        await _drop(app, before.secret_name)
    return stored


async def _overwrite(
    app: App, caller: Principal, new: Sink, current: Sink, fresh: str | None, etag: str | None, *, keeps: bool
) -> tuple[Sink, Sink]:
    """The sink as written, and the one it replaced. `keeps`: some of its secrets are those that `current` had."""
    named = current.secret_name
    for _ in range(TRIES):
        merged = new.changed(
            secret_name=fresh or current.secret_name,
            subscription=current.subscription,
            disabled_reason=None if new.enabled else current.disabled_reason,
            created_at=current.created_at,
            etag=current.etag,
        )
        try:
            return await app.tables.put(SINKS, merged), current
        except PreconditionFailed:
            present = await find(app, new.id)
            if present is not None and fresh is not None and present.secret_name == fresh:
                # A write whose answer was lost is sent again by the SDK, and then meets itself.
                return present, current
            if etag is not None:
                raise
            if keeps and present is not None and present.secret_name != named:
                # They were given for the settings that somebody else saved meanwhile, not for these.
                raise Conflict("Its secrets were changed meanwhile. Read it again, then repeat.") from None
        current = _in_scope(caller, present, new.id)
    raise Conflict(f"The sink {new.name} is being changed by many at once. Try again.")


async def _drop(app: App, secret_name: str) -> None:
    """Delete a secret that no row names. One that stays because the vault does not answer harms nobody."""
    try:
        if secret_name:
            await app.vault.delete(secret_name)
    except Unavailable as error:
        log.warning("%s", error)


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
    await audit.record(app, caller.id, "sink.delete", sink.id, actor_name=caller.name, name=sink.name, **_text(why))


async def drop(app: App, sink: Sink) -> None:
    """End a sink that was leaving: its row and its secrets go, and what still waits for it fails."""
    await app.queues.send(Deliver(sink_id=sink.id), delay=AFTER_REMOVAL)
    await app.tables.delete(SINKS, sink.changed(etag=None))
    await _forget(app, sink)


async def remove(app: App, caller: Principal, sink: Sink, *, etag: str | None = None, **why: str | None) -> None:
    """Take a sink away: nothing more is sent, its secrets are deleted. `etag` None: whatever version of it is there.

    Raises PreconditionFailed when it is not that version any more, Conflict when others change it all the time.
    """
    # Before the row goes: without a row nobody would look for what waits any more.
    await app.queues.send(Deliver(sink_id=sink.id), delay=AFTER_REMOVAL)
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
    await _forget(app, sink)
    await audit.record(
        app,
        caller.id,
        "sink.delete",
        sink.id,
        actor_name=caller.name,
        outcome="succeeded",
        name=sink.name,
        **_text(why),
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
        await app.queues.send(Deliver(sink_id=sink.id), delay=AFTER_REMOVAL)
        await app.tables.delete(SINKS, present)
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


async def _check_number(app: App, caller: Principal) -> None:
    present = await every(app)
    if len(present) >= MAX_SINKS:
        raise Conflict(f"There are {MAX_SINKS} sinks, which is the most. Delete one first.")
    if caller.sites is not None and sum(_sees(caller, sink) for sink in present) >= MAX_SINKS_OF_SITES:
        raise Conflict(f"Your sites have {MAX_SINKS_OF_SITES} sinks, which is the most. Delete one first.")


async def _check_sites(app: App, caller: Principal, site_ids: list[str] | None) -> None:
    if site_ids is None:
        if caller.sites is not None:
            raise Forbidden("Only an Integration.Admin makes a sink for every site. Name your sites in siteIds.")
        return
    known = (await sites.load(app)).by_id
    for site_id in site_ids:
        caller.require_site(site_id, f"site {site_id}")
        if site_id not in known:
            raise NotFound(f"There is no site {site_id}.")


def _text(why: dict[str, str | None]) -> dict[str, Any]:
    return {name: value for name, value in why.items() if value is not None}
