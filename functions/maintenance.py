"""Maintenance windows: times in which people may take devices down, and nobody is told."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response
from pydantic import AwareDatetime, Field

from functions.paging import Page, PageDep
from functions.routing import ID, AppDep, Area, Body, Caller, QueryWhy, check_if_match, request_id
from shared.access import ALERTS_MANAGE, DEVICES_READ
from shared.alerts import maintenance
from shared.alerts.maintenance import MAX_DEVICES, MAX_SITES, MaintenanceWindow, State

area = Area("maintenance")
WindowId = Annotated[str, Path(pattern=ID, description="Id of a maintenance window.")]
SiteId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]


class WindowBody(Body):
    """A window as it is wanted: sites or devices, one of the two."""

    site_ids: Annotated[list[SiteId] | None, Field(min_length=1, max_length=MAX_SITES)] = None
    device_ids: Annotated[
        list[Annotated[str, Field(pattern=ID)]] | None, Field(min_length=1, max_length=MAX_DEVICES)
    ] = None
    start_at: AwareDatetime
    end_at: Annotated[AwareDatetime, Field(description="In the future, at most 31 days after startAt.")]
    reason: Annotated[str, Field(min_length=1, max_length=500, description="What is done; shown at silent alerts.")]
    ticket_number: Annotated[str | None, Field(max_length=100)] = None


@area.get("/maintenance", permission=DEVICES_READ)
async def list_maintenance_windows(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    state: Annotated[list[State] | None, Query(description="Default: all.")] = None,
    site_id: Annotated[list[SiteId] | None, Query(alias="siteId", description="Windows that name the site.")] = None,
) -> Page[MaintenanceWindow]:
    """The windows that are about the caller's sites, with those of their targets that are his."""
    now, seen = app.clock.now(), await maintenance.scope(app, caller)
    rows = [
        row
        for row in await maintenance.every(app)
        if seen.sees(row)
        and (not state or row.state(now) in state)
        and (not site_id or set(site_id) & set(seen.seen(row)[0]))
    ]
    return page.of(
        rows,
        columns={"startAt": lambda w: w.starts_at, "endAt": lambda w: w.ends_at, "createdAt": lambda w: w.created_at},
        default="startAt desc",
        key=lambda w: w.id,
        view=lambda w: maintenance.view(w, seen, now),
    )


@area.post("/maintenance", permission=ALERTS_MANAGE, status_code=201, idempotent=True)
async def create_maintenance_window(
    app: AppDep, caller: Caller, request: Request, response: Response, body: WindowBody
) -> MaintenanceWindow:
    """Make a window. What began to be down in it opens no alert, unless it is not back when it should be.

    409 when too many are not over: 200 of a caller who is limited to sites, 1,000 altogether.
    """
    stored, seen = await maintenance.create(
        app,
        caller,
        site_ids=body.site_ids,
        device_ids=body.device_ids,
        starts_at=body.start_at,
        ends_at=body.end_at,
        reason=body.reason,
        ticket_number=body.ticket_number,
        request_id=request_id(request),
    )
    response.headers["ETag"] = str(stored.etag)
    response.headers["Location"] = f"{app.settings.public_api_url}/maintenance/{stored.id}"
    return maintenance.view(stored, seen, app.clock.now())


@area.get("/maintenance/{window_id}", permission=DEVICES_READ)
async def read_maintenance_window(
    app: AppDep, caller: Caller, response: Response, window_id: WindowId
) -> MaintenanceWindow:
    """One window."""
    window, seen = await maintenance.get(app, caller, window_id)
    response.headers["ETag"] = str(window.etag)
    return maintenance.view(window, seen, app.clock.now())


@area.delete("/maintenance/{window_id}", permission=ALERTS_MANAGE, status_code=204)
async def end_maintenance_window(
    app: AppDep,
    caller: Caller,
    request: Request,
    window_id: WindowId,
    why: QueryWhy,
) -> None:
    """End a window now; one that is still to come goes away. 403 when it is about sites outside the caller's too."""
    window, seen = await maintenance.get(app, caller, window_id)
    etag = check_if_match(request, window)
    await maintenance.end(app, caller, window, seen, etag=etag, **why)
