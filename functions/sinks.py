"""Ticket sinks: who is told of alerts, operations and tenants."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import Field, StrictBool
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, Name, QueryWhy, check_if_match, request_id
from shared.access import ALERTS_MANAGE, DEVICES_READ
from shared.alerts import retiring
from shared.errors import InvalidInput
from shared.outbox import deliveries, saving, sinks, trial, views
from shared.outbox.deliveries import DeliveryView, SinkLag
from shared.outbox.records import State
from shared.outbox.saving import Wanted
from shared.outbox.sinks import Sink
from shared.outbox.trial import SinkChoice, SinkTrial
from shared.outbox.views import SinkKindView, SinkView
from shared.sinks import KINDS

area = Area("sinks")
MAX_SITES = 400
SinkId = Annotated[str, Path(pattern=ID, description="Id of a sink.")]
DeliveryId = Annotated[str, Path(pattern=ID, description="Id of a delivery, which is its webhook-id.")]
SiteId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
EventType = Annotated[str, Field(pattern=r"^tenantry\.[A-Za-z]{1,40}\.[A-Za-z]{1,40}$")]
MAX_EVENTS = 50
MAX_ALERTS = 10
ReadOnly = Annotated[Any, Field(description="Given by the service; ignored when sent.")]


class SinkBody(Acting):
    """A sink as it is wanted, and why."""

    kind: Annotated[str, Field(max_length=50, description="One of GET /sinks/kinds.")]
    name: Name
    settings: Annotated[dict[str, Any], Field(max_length=50, description="By the kind's JSON Schema.")]
    site_ids: Annotated[
        list[SiteId] | None, Field(min_length=1, max_length=MAX_SITES, description="None: every site.")
    ] = None
    events: Annotated[
        list[EventType] | None,
        Field(min_length=1, max_length=MAX_EVENTS, description="Types it is told of. None: all that its kind takes."),
    ] = None
    enabled: StrictBool = True
    id: ReadOnly = None
    subscription: ReadOnly = None
    delivery: ReadOnly = None
    created_at: ReadOnly = None
    changed_at: ReadOnly = None
    disabled_reason: ReadOnly = None

    def wanted(self) -> Wanted:
        """What the domain takes."""
        return Wanted(
            kind=self.kind,
            name=self.name,
            settings=self.settings,
            site_ids=self.site_ids,
            events=self.events,
            enabled=self.enabled,
        )


class SinkDetail(SinkView, TypedDict):
    """A sink, and what waits for it."""

    delivery: SinkLag


class SinkChoices(TypedDict):
    """What can be chosen for a setting, at most 100."""

    value: list[SinkChoice]


class RedeliveredCount(TypedDict):
    """How many deliveries were put back in line."""

    count: int


def _may_change(caller: Caller) -> bool:
    return ALERTS_MANAGE in caller.permissions


def _why(body: Acting, request: Request) -> dict[str, str | None]:
    """What the audit log is told beside the deed."""
    return {"reason": body.reason, "ticket_number": body.ticket_number, "request_id": request_id(request)}


@area.get("/sinks/kinds", permission=DEVICES_READ)
async def list_sink_kinds(page: PageDep) -> Page[SinkKindView]:
    """The kinds of sinks there are, each with the JSON Schema of its settings."""
    return page.of(
        list(KINDS.values()),
        columns={"kind": lambda k: k.KIND},
        default="kind",
        key=lambda k: k.KIND,
        view=views.view_kind,
    )


@area.get("/sinks", permission=DEVICES_READ)
async def list_sinks(app: AppDep, caller: Caller, page: PageDep) -> Page[SinkView]:
    """The sinks whose every site the caller sees; never a secret."""
    return page.of(
        await sinks.seen_by(app, caller),
        columns={"name": lambda s: s.name, "kind": lambda s: s.kind, "createdAt": lambda s: s.created_at},
        default="name",
        key=lambda s: s.id,
        view=lambda s: views.view(s, may_change=_may_change(caller)),
    )


@area.post("/sinks", permission=ALERTS_MANAGE, status_code=201, idempotent=True, shown_once=("secret",))
async def create_sink(app: AppDep, caller: Caller, request: Request, response: Response, body: SinkBody) -> SinkView:
    """Make a sink. A secret that was not sent is made, and shown in this answer only."""
    stored, made = await saving.save(app, caller, body.wanted(), None, **_why(body, request))
    response.headers["ETag"] = str(stored.etag)
    response.headers["Location"] = f"{app.settings.public_api_url}/sinks/{stored.id}"
    return views.view(stored, may_change=True, made=made)


@area.get("/sinks/{sink_id}", permission=DEVICES_READ)
async def read_sink(app: AppDep, caller: Caller, response: Response, sink_id: SinkId) -> SinkDetail:
    """One sink, and in `delivery` what waits for it and whether it is left alone after failures."""
    sink = await sinks.get(app, caller, sink_id)
    response.headers["ETag"] = str(sink.etag)
    return {**views.view(sink, may_change=_may_change(caller)), "delivery": await deliveries.lag(app, sink.id)}


@area.put("/sinks/{sink_id}", permission=ALERTS_MANAGE)
async def replace_sink(
    app: AppDep, caller: Caller, request: Request, response: Response, sink_id: SinkId, body: SinkBody
) -> SinkView:
    """Replace a sink. Secrets that are not sent stay. What waited for it to be on or to be set right is sent now.

    When a setting changes that says where or as whom the sink signs in, its secrets must be sent again.
    """
    current = await sinks.get(app, caller, sink_id)
    etag = check_if_match(request, current)
    stored, made = await saving.save(app, caller, body.wanted(), current, etag=etag, **_why(body, request))
    response.headers["ETag"] = str(stored.etag)
    return views.view(stored, may_change=True, made=made)


@area.delete("/sinks/{sink_id}", permission=ALERTS_MANAGE, status_code=204)
async def delete_sink(app: AppDep, caller: Caller, request: Request, sink_id: SinkId, why: QueryWhy) -> None:
    """Delete a sink with its secrets, after its open tickets were closed. What was not sent yet fails."""
    sink = await sinks.get(app, caller, sink_id)
    await retiring.remove_sink(app, caller, sink, etag=check_if_match(request, sink), **why)


@area.post("/sinks/{sink_id}/test", permission=ALERTS_MANAGE, idempotent=True)
async def try_sink(
    app: AppDep, caller: Caller, request: Request, sink_id: SinkId, body: Acting | None = None
) -> SinkTrial:
    """Send a `tenantry.sink.test` event now, or prove the settings of a ticket sink.

    200 also when it failed: `outcome` says so.
    """
    sink = await sinks.get(app, caller, sink_id)
    return await trial.run(app, caller, sink, **_why(body or Acting(), request))


@area.get("/sinks/{sink_id}/deliveries", permission=DEVICES_READ)
async def list_sink_deliveries(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    sink_id: SinkId,
    state: Annotated[State | None, Query(description="Default: all.")] = None,
    alert_id: Annotated[
        list[Annotated[str, Query(pattern=ID)]] | None,
        Query(alias="alertId", max_length=MAX_ALERTS, description="Of these alerts only."),
    ] = None,
) -> Page[DeliveryView]:
    """What was sent to it, and every attempt; newest event first (the only order)."""
    page.order({"eventAt"}, "eventAt desc")
    if page.orderby not in (None, "eventAt desc"):
        raise InvalidInput("Deliveries are ordered by `eventAt desc` only.", target="$orderby")
    sink: Sink = await sinks.get(app, caller, sink_id)
    above = ""
    if page.after is not None:
        if len(page.after) != 1 or not isinstance(page.after[0], str):
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
        above = page.after[0]
    alerts = tuple(alert_id or ())
    total = await deliveries.count(app, sink.id, state, alerts) if page.count else None
    found = await deliveries.of_sink(app, sink.id, state=state, alert_ids=alerts, above=above, limit=page.top + 1)
    shown = found[: page.top]
    after = [shown[-1].id] if len(found) > page.top else None
    return page.reply([deliveries.view(row) for row in shown], after=after, total=total)


@area.post(
    "/sinks/{sink_id}/deliveries/{delivery_id}/redeliver",
    permission=ALERTS_MANAGE,
    status_code=202,
    idempotent=True,
)
async def redeliver_delivery(
    app: AppDep, caller: Caller, request: Request, sink_id: SinkId, delivery_id: DeliveryId, body: Acting | None = None
) -> DeliveryView:
    """Put a delivery that has ended back in line, under the same id. 409 while it is in line."""
    sink = await sinks.get(app, caller, sink_id)
    row = await deliveries.redeliver(app, caller, sink.id, delivery_id, **_why(body or Acting(), request))
    return deliveries.view(row)


@area.post("/sinks/{sink_id}/redeliver", permission=ALERTS_MANAGE, status_code=202, idempotent=True)
async def redeliver_failed_deliveries(
    app: AppDep, caller: Caller, request: Request, sink_id: SinkId, body: Acting | None = None
) -> RedeliveredCount:
    """Put everything that failed back in line: `{count}`."""
    sink = await sinks.get(app, caller, sink_id)
    return {"count": await deliveries.redeliver_failed(app, caller, sink.id, **_why(body or Acting(), request))}


@area.get("/sinks/{sink_id}/choices/{name}", permission=ALERTS_MANAGE)
async def list_sink_choices(
    app: AppDep,
    caller: Caller,
    sink_id: SinkId,
    name: Annotated[str, Path(pattern=r"^[A-Za-z]{1,40}$", description="What is chosen: companies, boards...")],
    search: Annotated[str, Query(max_length=200, description="Part of a name.")] = "",
) -> SinkChoices:
    """What the other system offers for a setting: `{value: [{id, name}]}`, at most 100. For who sees every site."""
    sink = await sinks.get(app, caller, sink_id)
    return {"value": await trial.choices(app, caller, sink, name, search)}
