"""Ticket sinks: who is told of alerts, operations and tenants."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import Field

from functions.paging import PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, check_if_match, request_id
from shared.access import ALERTS_MANAGE, DEVICES_READ
from shared.alerts import deliveries, sinks, trial
from shared.alerts.sinks import Sink, Wanted
from shared.errors import InvalidInput
from shared.sinks import KINDS

area = Area("sinks")
MAX_SITES = 400
SinkId = Annotated[str, Path(pattern=ID, description="Id of a sink.")]
SiteId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
ReadOnly = Annotated[Any, Field(description="Given by the service; ignored when sent.")]


class SinkBody(Acting):
    """A sink as it is wanted, and why."""

    kind: Annotated[str, Field(max_length=50, description="One of GET /sinks/kinds.")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    settings: Annotated[dict[str, Any], Field(max_length=50, description="By the kind's JSON Schema; secret beside.")]
    site_ids: Annotated[
        list[SiteId] | None, Field(min_length=1, max_length=MAX_SITES, description="None: every site.")
    ] = None
    enabled: bool = True
    id: ReadOnly = None
    created_at: ReadOnly = None
    changed_at: ReadOnly = None
    disabled_reason: ReadOnly = None

    def wanted(self) -> Wanted:
        """What the domain takes."""
        return Wanted(
            kind=self.kind, name=self.name, settings=self.settings, site_ids=self.site_ids, enabled=self.enabled
        )


def _may_change(caller: Caller) -> bool:
    return ALERTS_MANAGE in caller.permissions


def _why(body: Acting, request: Request) -> dict[str, str | None]:
    """What the audit log is told beside the deed."""
    return {"reason": body.reason, "ticket_number": body.ticket_number, "request_id": request_id(request)}


@area.get("/sinks/kinds", permission=DEVICES_READ)
async def list_kinds(page: PageDep) -> dict[str, Any]:
    """The kinds of sinks there are, each with the JSON Schema of its settings."""
    return page.of(
        list(KINDS.values()),
        columns={"kind": lambda k: k.KIND},
        default="kind",
        key=lambda k: k.KIND,
        view=lambda k: {"kind": k.KIND, "title": k.TITLE, "settings": k.Settings.model_json_schema()},
    )


@area.get("/sinks", permission=DEVICES_READ)
async def list_sinks(app: AppDep, caller: Caller, page: PageDep) -> dict[str, Any]:
    """The sinks whose every site the caller sees; never a secret."""
    return page.of(
        await sinks.seen_by(app, caller),
        columns={"name": lambda s: s.name, "kind": lambda s: s.kind, "createdAt": lambda s: s.created_at},
        default="name",
        key=lambda s: s.id,
        view=lambda s: sinks.view(s, may_change=_may_change(caller)),
    )


@area.post("/sinks", permission=ALERTS_MANAGE, status_code=201, idempotent=True, shown_once=("secret",))
async def create_sink(
    app: AppDep, caller: Caller, request: Request, response: Response, body: SinkBody
) -> dict[str, Any]:
    """Make a sink. A secret that was not sent is made, and shown in this answer only."""
    stored, secret = await sinks.save(app, caller, body.wanted(), None, **_why(body, request))
    response.headers["ETag"] = str(stored.etag)
    response.headers["Location"] = f"{app.settings.public_api_url}/sinks/{stored.id}"
    return sinks.view(stored, may_change=True, secret=secret)


@area.get("/sinks/{sink_id}", permission=DEVICES_READ)
async def read_sink(app: AppDep, caller: Caller, response: Response, sink_id: SinkId) -> dict[str, Any]:
    """One sink."""
    sink = await sinks.get(app, caller, sink_id)
    response.headers["ETag"] = str(sink.etag)
    return sinks.view(sink, may_change=_may_change(caller))


@area.put("/sinks/{sink_id}", permission=ALERTS_MANAGE)
async def replace_sink(
    app: AppDep, caller: Caller, request: Request, response: Response, sink_id: SinkId, body: SinkBody
) -> dict[str, Any]:
    """Replace a sink. Its secret stays unless another is sent. Once on, it gets what failed because it was off."""
    current = await sinks.get(app, caller, sink_id)
    etag = check_if_match(request, current)
    stored, secret = await sinks.save(app, caller, body.wanted(), current, etag=etag, **_why(body, request))
    if stored.enabled:
        # Whatever it was before: a request that was cut off here is made good by the next one.
        await deliveries.resume(app, stored.id)
    response.headers["ETag"] = str(stored.etag)
    return sinks.view(stored, may_change=True, secret=secret)


@area.delete("/sinks/{sink_id}", permission=ALERTS_MANAGE, status_code=204)
async def delete_sink(app: AppDep, caller: Caller, request: Request, sink_id: SinkId) -> None:
    """Delete a sink with its secret. What was not sent yet fails."""
    sink = await sinks.get(app, caller, sink_id)
    await sinks.remove(app, caller, sink, etag=check_if_match(request, sink), request_id=request_id(request))


@area.post("/sinks/{sink_id}/test", permission=ALERTS_MANAGE, idempotent=True)
async def try_sink(
    app: AppDep, caller: Caller, request: Request, sink_id: SinkId, body: Acting | None = None
) -> dict[str, Any]:
    """Send a `tenantry.sink.test` event now; 200 with `{outcome: passed|failed, status, detail, durationMs}`."""
    sink = await sinks.get(app, caller, sink_id)
    return await trial.run(app, caller, sink, **_why(body or Acting(), request))


@area.get("/sinks/{sink_id}/deliveries", permission=DEVICES_READ)
async def list_deliveries(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    sink_id: SinkId,
    state: Annotated[str | None, Query(pattern="^(pending|delivered|failed)$", description="Default: all.")] = None,
) -> dict[str, Any]:
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
    total = len(await deliveries.of_sink(app, sink.id, state=state)) if page.count else None
    found = await deliveries.of_sink(app, sink.id, state=state, above=above, limit=page.top + 1)
    shown = found[: page.top]
    after = [shown[-1].id] if len(found) > page.top else None
    return page.reply([deliveries.view(row) for row in shown], after=after, total=total)
