"""Who may send us events: sources with a secret of their own, and Microsoft's applications with an Entra token.

An action group or event subscription in a client's tenant can carry a secret in its URL only: its tokens are of that
tenant. One in the provider's own tenant can do without: Microsoft's application holds an app role of our registration.
Sources: learn.microsoft.com/azure/azure-monitor/alerts/action-groups#configure-authentication-for-secure-webhook,
learn.microsoft.com/azure/event-grid/secure-webhook-delivery (the applications' ids and roles),
learn.microsoft.com/azure/event-grid/security-authentication#using-client-secret-as-a-query-parameter.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NotRequired
from urllib.parse import urlencode

from typing_extensions import TypedDict

from shared import audit
from shared.access import Principal, calling_application
from shared.app import App
from shared.clock import Rfc3339, rfc3339
from shared.errors import NotFound, Unauthenticated
from shared.store.tables import Kind, Record

SourceKind = Literal["azure-monitor", "event-grid"]


@dataclass(frozen=True)
class Application:
    """An application of Microsoft's, and the app role of our registration that it must hold."""

    client_id: str
    role: str


APPLICATIONS: dict[SourceKind, Application] = {
    "azure-monitor": Application("461e8683-5575-4561-ac7f-899cc907d62a", "ActionGroupsSecureWebhook"),
    "event-grid": Application("4962773b-9cdb-44cf-a8bf-237846a00ab7", "AzureEventGridSecureWebhookSubscriber"),
}
SECRET_BYTES = 32
NOTE_EVERY = timedelta(minutes=1)
"""The time of a source's last event is written at most so often."""


class EventSource(Record):
    """Something that sends events with a secret, of which only a hash is kept: 256 random bits need no slow one."""

    id: str
    kind: SourceKind
    name: str
    tenant_ids: list[str] | None = None
    """Whose subscriptions it may speak of; None: any."""
    secret_hash: str
    created_at: datetime
    created_by: str
    last_event_at: datetime | None = None
    """At most NOTE_EVERY behind."""


EVENT_SOURCES = Kind("EventSources", EventSource, lambda s: ("source", s.id))


@dataclass(frozen=True)
class Sender:
    """Who proved to be one. `tenant_ids` as in EventSource; `source` None: an application of Microsoft's."""

    tenant_ids: frozenset[str] | None = None
    source: EventSource | None = None


async def create(
    app: App,
    caller: Principal,
    kind: SourceKind,
    name: str,
    tenant_ids: list[str] | None,
    *,
    request_id: str = "",
    reason: str | None = None,
    ticket_number: str | None = None,
) -> tuple[EventSource, str]:
    """A new source, and the URL to give to Azure: it holds the secret, and is known to nobody else afterwards."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    source = EventSource(
        id=uuid.uuid4().hex,
        kind=kind,
        name=name,
        tenant_ids=None if tenant_ids is None else sorted({one.lower() for one in tenant_ids}),
        secret_hash=_hash(secret),
        created_at=app.clock.now(),
        created_by=caller.id,
    )
    stored = await app.tables.insert(EVENT_SOURCES, source)
    await audit.record(
        app,
        caller.id,
        "eventSource.create",
        source.id,
        actor_name=caller.name,
        outcome="succeeded",
        request_id=request_id,
        reason=reason,
        ticket_number=ticket_number,
        kind=kind,
        name=name,
    )
    # `sig`: a name that Azure's own hosts and logs know to be secret and leave out.
    return stored, f"{app.settings.public_api_url}/events/{kind}?{urlencode({'source': source.id, 'sig': secret})}"


async def every(app: App) -> list[EventSource]:
    """All of them."""
    return await app.tables.all(EVENT_SOURCES, "source")


async def get(app: App, source_id: str) -> EventSource:
    """One source. Raises NotFound."""
    found = await app.tables.get(EVENT_SOURCES, "source", source_id)
    if found is None:
        raise NotFound(f"There is no event source {source_id}.")
    return found


async def remove(
    app: App,
    caller: Principal,
    source: EventSource,
    *,
    etag: str | None = None,
    request_id: str = "",
    reason: str | None = None,
    ticket_number: str | None = None,
) -> None:
    """Delete a source: what is sent with its secret from now on is refused. Raises PreconditionFailed."""
    await app.tables.delete(EVENT_SOURCES, source.changed(etag=etag))
    await audit.record(
        app,
        caller.id,
        "eventSource.delete",
        source.id,
        actor_name=caller.name,
        outcome="succeeded",
        request_id=request_id,
        reason=reason,
        ticket_number=ticket_number,
    )


class EventSourceView(TypedDict):
    """What may send events with a secret; never the secret. No `tenantIds`: it may speak of any."""

    id: str
    kind: SourceKind
    name: str
    createdAt: Rfc3339
    createdBy: str
    tenantIds: NotRequired[list[str]]
    lastEventAt: NotRequired[Rfc3339]


def view(source: EventSource) -> EventSourceView:
    """As callers see it; never the secret."""
    shown: EventSourceView = {
        "id": source.id,
        "kind": source.kind,
        "name": source.name,
        "createdAt": rfc3339(source.created_at),
        "createdBy": source.created_by,
    }
    if source.tenant_ids is not None:
        shown["tenantIds"] = source.tenant_ids
    if source.last_event_at is not None:
        shown["lastEventAt"] = rfc3339(source.last_event_at)
    return shown


async def prove(app: App, kind: SourceKind, *, source_id: str, secret: str, authorization: str | None) -> Sender:
    """Who sends: by the secret when one is sent, else by the token. Raises Unauthenticated."""
    if secret or source_id:
        source = await app.tables.get(EVENT_SOURCES, "source", source_id) if source_id else None
        matches = hmac.compare_digest(source.secret_hash if source else "", _hash(secret))
        if source is None or source.kind != kind or not matches:
            raise Unauthenticated("There is no such event source, or its secret is another one.")
        return Sender(None if source.tenant_ids is None else frozenset(source.tenant_ids), source)
    wanted = APPLICATIONS[kind]
    client_id, roles = await calling_application(app, authorization)
    if client_id != wanted.client_id or wanted.role not in roles:
        raise Unauthenticated(
            f"Events come from an event source's URL, or with a token of {wanted.client_id} and the role {wanted.role}."
        )
    return Sender()


async def note(app: App, sender: Sender) -> None:
    """Remember when a source was last heard of."""
    source, now = sender.source, app.clock.now()
    if source is None or (source.last_event_at is not None and now - source.last_event_at < NOTE_EVERY):
        return

    def noted(row: EventSource) -> EventSource | None:
        fresh = row.last_event_at is not None and now - row.last_event_at < NOTE_EVERY
        return None if fresh else row.changed(last_event_at=now)

    await app.tables.update(EVENT_SOURCES, "source", source.id, noted)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
