"""Events that Azure sends us, and the sources they come from."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from fastapi import Header, Path, Query, Request, Response
from pydantic import Field
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import GUID, ID, Acting, AppDep, Area, Caller, Name, QueryWhy, check_if_match, request_id
from shared import hints
from shared.access import ADMIN
from shared.errors import UnsupportedMediaType
from shared.hints import parse, sources
from shared.hints.sources import EventSourceView, SourceKind

area = Area("events")
PROOF = "an event source's secret in its URL, or an Entra token of Microsoft's application with its role of this API"
MAX_BYTES = 1_100_000
"""Event Grid's largest batch is 1 MiB (learn.microsoft.com/azure/event-grid/delivery-and-retry#output-batching)."""
JSON_MEDIA = ("application/json",)
GRID_MEDIA = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")
SourceId = Annotated[str, Path(pattern=ID, description="Id of an event source.")]
Source = Annotated[str, Query(max_length=128, pattern=ID + r"|^$", description="Id of the event source.")]
Sig = Annotated[str, Query(max_length=200, description="Its secret.")]


def _any_json(*media: str) -> dict[str, Any]:
    """What OpenAPI says of a body whose schema is Microsoft's."""
    schema = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
    return {
        "requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in media}},
        "x-max-bytes": MAX_BYTES,
    }


class NewSource(Acting):
    """An event source to be made."""

    kind: SourceKind
    name: Annotated[Name, Field(description="What people call it.")]
    tenant_ids: Annotated[
        list[Annotated[str, Field(pattern=GUID)]] | None,
        Field(min_length=1, max_length=100, description="Whose subscriptions it may speak of. None: any."),
    ] = None


class HeardEvents(TypedDict):
    """What became of them: subscriptions that are read now, events passed over, subscriptions unknown."""

    subscriptions: int
    ignored: int
    unknown: int


class Validation(TypedDict):
    """The code that Event Grid wants back."""

    validationResponse: str


class NewEventSource(EventSourceView, TypedDict):
    """A source that was just made. `url` holds its secret, and is not in a repeated answer."""

    url: NotRequired[str]


async def _prove(app: AppDep, request: Request, kind: SourceKind, source: str, sig: str) -> sources.Sender:
    authorization = request.headers.get("authorization")
    return await sources.prove(app, kind, source_id=source, secret=sig, authorization=authorization)


async def _document(request: Request, media: tuple[str, ...]) -> Any:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in media:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(media)}.")
    return parse.document(await request.body())


async def _hear(app: AppDep, sender: sources.Sender, parsed: parse.Parsed) -> HeardEvents:
    heard = await hints.arrived(app, parsed, sender)
    await sources.note(app, sender)
    return {"subscriptions": heard.subscriptions, "ignored": heard.ignored, "unknown": heard.unknown}


@area.post("/events/azure-monitor", anonymous=PROOF, extra=_any_json(*JSON_MEDIA))
async def hear_azure_monitor(app: AppDep, request: Request, source: Source = "", sig: Sig = "") -> HeardEvents:
    """An action group's alert in the common schema: the subscription it is about is read at once."""
    sender = await _prove(app, request, "azure-monitor", source, sig)
    return await _hear(app, sender, parse.azure_monitor(await _document(request, JSON_MEDIA)))


@area.post("/events/event-grid", anonymous=PROOF, extra=_any_json(*GRID_MEDIA))
async def hear_event_grid(
    app: AppDep, request: Request, source: Source = "", sig: Sig = ""
) -> HeardEvents | Validation:
    """HealthResources events, in Event Grid's schema or as CloudEvents: their subscriptions are read at once.

    A SubscriptionValidationEvent is answered with its code.
    """
    sender = await _prove(app, request, "event-grid", source, sig)
    payload = await _document(request, GRID_MEDIA)
    if (code := parse.validation_code(payload)) is not None:
        return {"validationResponse": code}
    return await _hear(app, sender, parse.event_grid(payload))


@area.route("OPTIONS", "/events/event-grid", anonymous=PROOF)
async def allow_event_grid(
    app: AppDep,
    request: Request,
    response: Response,
    source: Source = "",
    sig: Sig = "",
    origin: Annotated[str | None, Header(alias="WebHook-Request-Origin", max_length=200)] = None,
) -> dict[str, Any]:
    """CloudEvents' handshake: the sender that names itself may send here, as often as it likes.

    github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
    """
    await _prove(app, request, "event-grid", source, sig)
    if origin is not None and origin.isascii() and origin.isprintable():
        response.headers["WebHook-Allowed-Origin"] = origin
        response.headers["WebHook-Allowed-Rate"] = "*"
    return {}


@area.get("/event-sources", permission=ADMIN)
async def list_event_sources(app: AppDep, page: PageDep) -> Page[EventSourceView]:
    """What may send events with a secret, and when each was last heard of; never the secret."""
    return page.of(
        await sources.every(app),
        columns={"name": lambda s: s.name, "kind": lambda s: s.kind, "createdAt": lambda s: s.created_at},
        default="name",
        key=lambda s: s.id,
        view=sources.view,
    )


@area.post("/event-sources", permission=ADMIN, status_code=201, idempotent=True, shown_once=("url",))
async def create_event_source(
    app: AppDep, caller: Caller, request: Request, response: Response, body: NewSource
) -> NewEventSource:
    """Make one. `url` is what to give to Azure: it holds the secret, and is shown in this answer only."""
    stored, url = await sources.create(
        app,
        caller,
        body.kind,
        body.name,
        body.tenant_ids,
        request_id=request_id(request),
        reason=body.reason,
        ticket_number=body.ticket_number,
    )
    response.headers["ETag"] = str(stored.etag)
    response.headers["Location"] = f"{app.settings.public_api_url}/event-sources/{stored.id}"
    return {**sources.view(stored), "url": url}


@area.get("/event-sources/{source_id}", permission=ADMIN)
async def read_event_source(app: AppDep, response: Response, source_id: SourceId) -> EventSourceView:
    """One source; never its secret."""
    source = await sources.get(app, source_id)
    response.headers["ETag"] = str(source.etag)
    return sources.view(source)


@area.delete("/event-sources/{source_id}", permission=ADMIN, status_code=204)
async def delete_event_source(
    app: AppDep, caller: Caller, request: Request, source_id: SourceId, why: QueryWhy
) -> None:
    """Delete one: what is sent with its secret is refused from now on."""
    source = await sources.get(app, source_id)
    etag = check_if_match(request, source)
    await sources.remove(
        app,
        caller,
        source,
        etag=etag,
        request_id=why["request_id"] or "",
        reason=why["reason"],
        ticket_number=why["ticket_number"],
    )
