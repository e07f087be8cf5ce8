"""The sinks that people configured: who is told what, and where its secret lies."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from shared import audit, sites
from shared.access import Principal
from shared.app import App
from shared.errors import Forbidden, InvalidInput, NotFound
from shared.sinks import KINDS
from shared.sinks.contract import Outlet, SinkError, SinkKind, SinkSettings
from shared.store.tables import Kind, Record


class Sink(Record):
    """One receiver of events. `site_ids` None: of every site. Its secret is in the vault only."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
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


def secret_name(sink_id: str) -> str:
    """Name of the Key Vault secret of a sink."""
    return f"sink-{sink_id}-secret"


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
    sink = await find(app, sink_id)
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
    app: App, caller: Principal, wanted: Wanted, current: Sink | None, **why: str | None
) -> tuple[Sink, str | None]:
    """Make a sink, or replace `current`; the stored one, and its secret when one was made now (to be shown once).

    `why` goes to the audit log (reason, ticket_number, request_id). Raises InvalidInput, NotFound for sites out of
    scope, Forbidden for a sink of every site by anyone but an Integration.Admin, PreconditionFailed.
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
    stored = Sink(
        id=current.id if current else uuid.uuid4().hex,
        kind=wanted.kind,
        name=wanted.name,
        settings=settings.model_dump(by_alias=True, mode="json"),
        site_ids=None if wanted.site_ids is None else sorted(set(wanted.site_ids)),
        enabled=wanted.enabled,
        disabled_reason=None if wanted.enabled else (current.disabled_reason if current else None),
        created_at=current.created_at if current else now,
        changed_at=now,
        etag=current.etag if current else None,
    )
    # The secret first: a sink without one could not send; a secret without a sink harms nobody.
    if secret is not None:
        await app.vault.set(secret_name(stored.id), secret)
        app.memory.pop(_remembered(stored.id), None)
    stored = await app.tables.put(SINKS, stored)
    verb = "sink.change" if current else "sink.create"
    await audit.record(
        app, caller.id, verb, stored.id, actor_name=caller.name, outcome="succeeded", name=stored.name, **_text(why)
    )
    return stored, made


async def remove(app: App, caller: Principal, sink: Sink, **why: str | None) -> None:
    """Take a sink away: nothing more is sent, its secret is deleted. Raises PreconditionFailed."""
    await app.tables.delete(SINKS, sink)
    await app.vault.delete(secret_name(sink.id))
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
    """The same, with the sink's secret (the vault is asked again when the sink was changed).

    Raises SinkError when the vault has none.
    """
    kept: tuple[datetime, str] | None = app.memory.get(_remembered(sink.id))
    if kept is None or kept[0] != sink.changed_at:
        secret = await app.vault.get(secret_name(sink.id))
        if not secret:
            raise SinkError("The vault has no secret for this sink. Save the sink with a new one.", permanent=True)
        kept = (sink.changed_at, secret)
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
