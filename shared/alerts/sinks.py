"""The sinks that people configured: who is told what, and where its secret lies."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from shared import audit, sites
from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed, Unavailable
from shared.sinks import KINDS
from shared.sinks.contract import Outlet, SinkError, SinkKind, SinkSettings
from shared.store.tables import Kind, Record

log = logging.getLogger("tenantry.sinks")
TRIES = 8
"""How often a write that others overtook is tried."""


class Sink(Record):
    """One receiver of events. `site_ids` None: of every site. Its secret is in the vault only."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
    secret_name: str
    """Name of its secret in the vault; each secret has a name of its own, so that this row decides which one counts."""
    site_ids: list[str] | None = None
    enabled: bool = True
    disabled_reason: str | None = None
    """Why it was switched off by itself."""
    created_at: datetime
    changed_at: datetime

    def concerns(self, site_id: str | None) -> bool:
        """Whether what happens at a site (None: at none) is told to it."""
        return self.site_ids is None or (site_id is not None and site_id in self.site_ids)


SINKS = Kind("Sinks", Sink, lambda s: ("sink", s.id))


class Wanted(Record):
    """What a caller asks a sink to be."""

    kind: str
    name: str
    settings: dict[str, Any] = Field(default_factory=dict)
    site_ids: list[str] | None = None
    enabled: bool = True


def _remembered(sink_id: str) -> str:
    """Where the process keeps a sink's secret."""
    return f"sink-secret-{sink_id}"


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
    if sink is None or not _sees(caller, sink):
        raise NotFound(f"There is no sink {sink_id}.")
    return sink


async def seen_by(app: App, caller: Principal) -> list[Sink]:
    """The sinks whose every site the caller may see."""
    return [sink for sink in await every(app) if _sees(caller, sink)]


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
    **why: str | None,
) -> tuple[Sink, str | None]:
    """Make a sink, or replace `current`; the stored one, and its secret when one was made now (to be shown once).

    `etag` None: whatever version of it is there. `why` goes to the audit log (reason, ticket_number, request_id).
    Raises InvalidInput, NotFound for sites out of scope and for a sink that is gone meanwhile, Forbidden for a sink of
    every site by anyone but an Integration.Admin, PreconditionFailed when it is not that version any more, Conflict
    when others change it all the time.
    """
    kind = _kind(wanted.kind)
    if current is not None and current.kind != wanted.kind:
        raise InvalidInput("The kind of a sink cannot change. Make another sink.", target="kind")
    await _check_sites(app, caller, wanted.site_ids)
    given, secret = dict(wanted.settings), wanted.settings.get("secret")
    given.pop("secret", None)
    settings = _settings(kind, given)
    made = None
    if secret is not None:
        if not isinstance(secret, str):
            raise InvalidInput("The secret must be text.", target="settings.secret")
        kind.check_secret(secret)
    elif current is None:
        secret = made = kind.make_secret()
    await kind.check(outlet(app), settings)
    now = app.clock.now()
    sink_id = current.id if current else uuid.uuid4().hex
    fresh = f"sink-{sink_id}-secret-{uuid.uuid4().hex}" if secret is not None else None
    new = Sink(
        id=sink_id,
        kind=wanted.kind,
        name=wanted.name,
        settings=settings.model_dump(by_alias=True, mode="json"),
        secret_name=fresh or (current.secret_name if current else ""),
        site_ids=None if wanted.site_ids is None else sorted(set(wanted.site_ids)),
        enabled=wanted.enabled,
        created_at=now,
        changed_at=now,
    )
    # The secret first: a sink without one could not send; a secret without a sink harms nobody.
    if fresh is not None and secret is not None:
        await app.vault.set(fresh, secret)
    if current is None:
        stored = await app.tables.insert(SINKS, new)
    else:
        stored = await _replace(app, caller, new, current, fresh, etag)
    verb = "sink.change" if current else "sink.create"
    await audit.record(
        app, caller.id, verb, stored.id, actor_name=caller.name, outcome="succeeded", name=stored.name, **_text(why)
    )
    return stored, made


async def _replace(app: App, caller: Principal, new: Sink, current: Sink, fresh: str | None, etag: str | None) -> Sink:
    """Write a sink over `current`, then drop the secret that nobody needs now: the old one, or `fresh` if it lost."""
    try:
        stored, before = await _overwrite(app, caller, new, current, fresh, etag)
    except (PreconditionFailed, NotFound, Conflict):
        # Only these say that no row names it; after any other error the secret stays.
        if fresh is not None:
            await _drop(app, fresh)
        raise
    if fresh is not None:
        await _drop(app, before.secret_name)
    return stored


async def _overwrite(
    app: App, caller: Principal, new: Sink, current: Sink, fresh: str | None, etag: str | None
) -> tuple[Sink, Sink]:
    """The sink as written, and the one it replaced."""
    for _ in range(TRIES):
        merged = new.changed(
            secret_name=fresh or current.secret_name,
            disabled_reason=None if new.enabled else current.disabled_reason,
            created_at=current.created_at,
            etag=current.etag,
        )
        try:
            return await app.tables.put(SINKS, merged), current
        except PreconditionFailed:
            present = await find(app, new.id)
            if present is not None and present.secret_name == fresh:
                # A write whose answer was lost is sent again by the SDK, and then meets itself.
                return present, current
            if etag is not None:
                raise
        current = _in_scope(caller, present, new.id)
    raise Conflict(f"The sink {new.name} is being changed by many at once. Try again.")


async def _drop(app: App, secret_name: str) -> None:
    """Delete a secret that no row names. One that stays because the vault does not answer harms nobody."""
    try:
        await app.vault.delete(secret_name)
    except Unavailable as error:
        log.warning("%s", error)


async def remove(app: App, caller: Principal, sink: Sink, *, etag: str | None = None, **why: str | None) -> None:
    """Take a sink away: nothing more is sent, its secret is deleted. `etag` None: whatever version of it is there.

    Raises PreconditionFailed when it is not that version any more, Conflict when others change it all the time.
    """
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
    await app.vault.delete(sink.secret_name)
    app.memory.pop(_remembered(sink.id), None)
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


async def disable(app: App, sink_id: str, reason: str) -> None:
    """Switch a sink off by itself, with the reason."""
    await app.tables.update(
        SINKS,
        "sink",
        sink_id,
        lambda sink: sink.changed(enabled=False, disabled_reason=reason, changed_at=app.clock.now()),
    )


def outlet(app: App, secret: str = "") -> Outlet:
    """How a sink reaches the world from here."""
    return Outlet(app.transport.http, app.clock.now(), secret, app.settings.allow_private_webhooks)


async def outlet_of(app: App, sink: Sink) -> Outlet:
    """The same, with the sink's secret (the vault is asked again when the sink has another).

    Raises SinkError when the vault has none.
    """
    kept: tuple[str, str] | None = app.memory.get(_remembered(sink.id))
    if kept is None or kept[0] != sink.secret_name:
        name, secret = sink.secret_name, await app.vault.get(sink.secret_name)
        if not secret and (present := await find(app, sink.id)) is not None:
            # It was given another secret since it was read.
            name, secret = present.secret_name, await app.vault.get(present.secret_name)
        if not secret:
            raise SinkError("The vault has no secret for this sink. Save the sink with a new one.", permanent=True)
        kept = (name, secret)
        app.memory[_remembered(sink.id)] = kept
    return outlet(app, kept[1])


def settings_of(sink: Sink) -> SinkSettings:
    """Its settings as its kind's model."""
    return _kind(sink.kind).Settings.model_validate(sink.settings)


def view(sink: Sink, *, may_change: bool, secret: str | None = None) -> dict[str, Any]:
    """As the API shows it; who may not change it sees settings without what works as a key."""
    settings = sink.settings if may_change else settings_of(sink).redacted()
    shown: dict[str, Any] = {
        "id": sink.id,
        "kind": sink.kind,
        "name": sink.name,
        "settings": settings if secret is None else {**settings, "secret": secret},
        "siteIds": sink.site_ids,
        "enabled": sink.enabled,
        "createdAt": sink.created_at,
        "changedAt": sink.changed_at,
    }
    if sink.disabled_reason is not None:
        shown["disabledReason"] = sink.disabled_reason
    return shown


def _kind(name: str) -> SinkKind:
    if name not in KINDS:
        raise InvalidInput(f"There is no kind {name}. There are: {', '.join(sorted(KINDS))}.", target="kind")
    return KINDS[name]


def _settings(kind: SinkKind, given: dict[str, Any]) -> SinkSettings:
    try:
        return kind.Settings.model_validate(given)
    except ValidationError as error:
        details = [
            {"code": row["type"], "message": row["msg"], "target": ".".join(["settings", *map(str, row["loc"])])}
            for row in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidInput("Correct the settings, then send it again.", target="settings", details=details) from error


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
