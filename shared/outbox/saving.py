"""Saving a sink: what a caller asks it to be is checked, its secrets are kept, and what it may hear of now is sent."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from typing import Any

from pydantic import Field

from shared import audit, sites
from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed, Unavailable
from shared.jobs import CatchUp, Deliver
from shared.outbox import given, joining, sinks
from shared.outbox.sinks import SINKS, TRIES, Sink
from shared.sinks import logic_apps
from shared.sinks.contract import ALERT_EVENTS, EVENTS, SinkSettings, secret
from shared.store.tables import Record

log = logging.getLogger("tenantry.sinks")
MAX_SINKS, MAX_SINKS_OF_SITES = 500, 20
"""How many there are, and how many of somebody's sites when he does not see every site: each may keep a worker waiting
for as long as its receiver answers slowly."""
MAX_FORMER = 1_000
"""Sites that a sink was told of before and that are kept by name; with more it was told of every site."""
NAMED = 20
"""Sites that an error names."""


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


def subscription_id(callback_url: str) -> str:
    """The id of the subscription of a callback URL."""
    return f"sub{hashlib.sha256(f'subscription|{callback_url}'.encode()).hexdigest()[:29]}"


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
    _check_events(wanted.events, current)
    await _check_sites(app, caller, wanted.site_ids, current)
    if current is None:
        await _check_number(app, caller)
    kept = await sinks.secrets_of(app, current) if current else {}
    before = current.settings if current else {}
    wished, keeps = given.joined(kind, wanted.settings, kept, before)
    await _check_named(app, caller, set(wished.named_sites()) - given.named_sites(kind, before))
    settings, made = kind.complete(wished)
    _check_url(settings, current)
    now = app.clock.now()
    sink_id = current.id if current else identifier or uuid.uuid4().hex
    await kind.check(sinks.outlet(app, sink_id), settings)
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
    heard = (current.site_ids, current.events) if current and current.enabled else ()
    # It may hear of alerts that it was not told of so far; a subscriber hears of what is to come.
    joins = new.enabled and not (current or new).subscription and heard != (new.site_ids, new.events)
    if joins:
        await joining.owe(app, sink_id, now)
    # The secrets first: a sink without them could not send; secrets without a sink harm nobody.
    if fresh is not None:
        await app.vault.set(fresh, json.dumps(secrets))
    if current is None:
        stored = await _insert(app, new, fresh)
    else:
        stored = await _replace(app, caller, new, current, fresh, etag, keeps=keeps)
        # What waited for it to be on again, or for its settings to say where it belongs.
        await app.queues.send(Deliver(sink_id=stored.id))
    if joins:
        await app.queues.send(CatchUp(sink_id=stored.id, at=now))
    verb = "sink.change" if current else "sink.create"
    told = {"outcome": "succeeded", "name": stored.name, **sinks.said(why)}
    await audit.record(app, caller.id, verb, stored.id, actor_name=caller.name, **told)
    return stored, made


async def _insert(app: App, new: Sink, fresh: str | None) -> Sink:
    """Write a new sink; when another one has its id, `fresh` goes again."""
    try:
        return await app.tables.insert(SINKS, new)
    except Conflict:
        present = await sinks.find(app, new.id)
        if fresh is not None and present is not None and present.secret_name == fresh:
            # A write whose answer was lost is sent again by the SDK, and then meets itself.
            return present
        await _drop(app, fresh or "")
        raise


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
            **_former(current, new.site_ids),
            disabled_reason=None if new.enabled else current.disabled_reason,
            created_at=current.created_at,
            etag=current.etag,
        )
        try:
            return await app.tables.put(SINKS, merged), current
        except PreconditionFailed:
            present = await sinks.find(app, new.id)
            if present is not None and fresh is not None and present.secret_name == fresh:
                # A write whose answer was lost is sent again by the SDK, and then meets itself.
                return present, current
            if etag is not None:
                raise
            if keeps and present is not None and present.secret_name != named:
                # They were given for the settings that somebody else saved meanwhile, not for these.
                raise Conflict("Its secrets were changed meanwhile. Read it again, then repeat.") from None
        current = sinks.in_scope(caller, present, new.id)
    raise Conflict(f"The sink {new.name} is being changed by many at once. Try again.")


def _former(current: Sink, site_ids: list[str] | None) -> dict[str, Any]:
    """What a sink keeps of the sites that it was told of before and is not told of with these."""
    former = sorted({*(current.site_ids or ()), *current.former_site_ids} - set(site_ids or ()))
    of_all = current.formerly_of_all or current.site_ids is None or len(former) > MAX_FORMER
    return {"former_site_ids": [] if of_all else former, "formerly_of_all": of_all}


async def _drop(app: App, secret_name: str) -> None:
    """Delete a secret that no row names. One that stays because the vault does not answer harms nobody."""
    try:
        if secret_name:
            await app.vault.delete(secret_name)
    except Unavailable as error:
        log.warning("%s", error)


def _check_url(settings: SinkSettings, current: Sink | None) -> None:
    """Raises InvalidInput for another URL of a subscription: by the one it has, its workflow ends it."""
    if current is None or not current.subscription or not isinstance(settings, logic_apps.Settings):
        return
    if subscription_id(secret(settings.callback_url)) != current.id:
        raise InvalidInput("A subscription keeps its URL. Let the workflow subscribe anew.", target=logic_apps.TARGET)


async def _check_number(app: App, caller: Principal) -> None:
    present = await sinks.every(app)
    if len(present) >= MAX_SINKS:
        raise Conflict(f"There are {MAX_SINKS} sinks, which is the most. Delete one first.")
    if caller.sites is not None and sum(sinks.sees(caller, sink) for sink in present) >= MAX_SINKS_OF_SITES:
        raise Conflict(f"Your sites have {MAX_SINKS_OF_SITES} sinks, which is the most. Delete one first.")


def _check_events(events: list[str] | None, current: Sink | None) -> None:
    """Raises InvalidInput for types that there are none of; one that the sink has already may stay."""
    had = (current.events if current else None) or []
    if unknown := sorted(set(events or ()) - set(had) - set(EVENTS)):
        raise InvalidInput(
            f"There is no event {', '.join(unknown)}. There are: {', '.join(EVENTS)}.",
            code="unknownEvent",
            target="events",
        )


async def _check_sites(app: App, caller: Principal, site_ids: list[str] | None, current: Sink | None) -> None:
    """The sites that it is told of: the caller's, and there. One that the sink has already may be gone meanwhile."""
    if site_ids is None:
        if caller.sites is not None:
            raise Forbidden("Only an Integration.Admin makes a sink for every site. Name your sites in siteIds.")
        return
    had = (current.site_ids if current else None) or []
    known = (await sites.load(app)).by_id
    for site_id in site_ids:
        caller.require_site(site_id, f"site {site_id}")
        if site_id not in known and site_id not in had:
            raise NotFound(f"There is no site {site_id}.")


async def _check_named(app: App, caller: Principal, site_ids: set[str]) -> None:
    """The sites that its settings name now and did not before. Raises InvalidInput; whose there are is not told."""
    if not site_ids:
        return
    known = {site.id for site in await sites.seen_by(app, caller)}
    if unknown := sorted(site_ids - known):
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        raise InvalidInput(
            f"There is no site {', '.join(unknown[:NAMED])}{more}. Take it out of companies, or make it first.",
            code="unknownSite",
            target="settings.companies",
        )
