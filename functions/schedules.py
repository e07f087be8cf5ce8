"""Schedules: actions on devices by a calendar, what became of each run, and "keep on until"."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Self

from fastapi import Path, Request, Response
from pydantic import AwareDatetime, Field, StrictBool, StringConstraints, model_validator

from functions.devices import MAX_VALUES, FilterBody
from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Body, Caller, Name, QueryWhy, check_if_match, request_id
from shared.access import DEVICES_READ, DEVICES_UPDATE
from shared.capabilities import Verb
from shared.errors import InvalidInput
from shared.schedules import calendar, changes, overrides, views
from shared.schedules.changes import Wanted, Why
from shared.schedules.records import RUNS, Chosen, Schedule, Target
from shared.schedules.targets import MAX_DEVICES

area = Area("schedules")
MAX_HOLIDAYS = 400
MAX_TAGS = 15
ScheduleId = Annotated[str, Path(pattern=ID, description="Id of a schedule.")]
DeviceIds = Annotated[list[Annotated[str, Field(pattern=ID)]], Field(min_length=1, max_length=MAX_DEVICES)]
ReadOnly = Annotated[Any, Field(exclude=True, description="Given by the service; ignored when sent.")]


class TargetFilter(FilterBody):
    """What a list of devices filters on, and tags that a device must all have."""

    tags: Annotated[
        dict[
            Annotated[str, StringConstraints(min_length=1, max_length=512)],
            Annotated[str, StringConstraints(max_length=256)],
        ],
        Field(max_length=MAX_TAGS, description="Names without case, values with it, as in Azure."),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        values = asdict(self.merged())
        if not any(values.values()) and not self.tags:
            raise ValueError("an empty filter would mean every device: name at least one field")
        if any(len(value) > MAX_VALUES for name, value in values.items() if name != "search"):
            raise ValueError(f"at most {MAX_VALUES} values of a field")
        return self

    def chosen(self) -> Chosen:
        """What the domain takes."""
        return Chosen.model_validate(asdict(self.merged()) | {"tags": self.tags})


class TargetBody(Body):
    """Devices by their ids, or what matches a filter when the schedule runs; one of the two."""

    device_ids: DeviceIds | None = None
    filter: TargetFilter | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.device_ids is None) == (self.filter is None):
            raise ValueError("send deviceIds or filter, one of the two")
        return self


class ScheduleBody(Acting):
    """A schedule as it is wanted; what else a schedule shows is accepted and ignored."""

    name: Name
    action: Verb
    time_zone: Annotated[str, Field(max_length=64, description="An IANA name: Europe/Berlin.")]
    rule: Annotated[
        str, Field(max_length=calendar.MAX_RULE_CHARS, description="iCalendar RRULE, at most hourly: FREQ=DAILY.")
    ]
    start_at: Annotated[
        str, Field(max_length=40, description="Local time of timeZone: first day, and the time of day of each run.")
    ]
    holidays: Annotated[list[date], Field(max_length=MAX_HOLIDAYS, description="Local dates without a run.")] = Field(
        default_factory=list
    )
    target: TargetBody
    enabled: StrictBool = True
    confirm: Annotated[StrictBool, Field(description="For actions that ask for it.")] = False
    id: ReadOnly = None
    site_ids: ReadOnly = None
    owner: ReadOnly = None
    approval: ReadOnly = None
    overrides: ReadOnly = None
    next_run_at: ReadOnly = None
    next_runs: ReadOnly = None
    created_at: ReadOnly = None
    created_by: ReadOnly = None
    changed_at: ReadOnly = None

    def wanted(self) -> Wanted:
        """What the domain takes."""
        chosen = self.target.filter.chosen() if self.target.filter is not None else None
        return Wanted(
            name=self.name,
            action=self.action,
            time_zone=self.time_zone,
            rule=self.rule,
            start_at=self.start_at,
            holidays=self.holidays,
            target=Target(device_ids=self.target.device_ids, chosen=chosen),
            enabled=self.enabled,
            confirm=self.confirm,
        )


class OverrideBody(Acting):
    """Until when devices are kept on: all of the schedule's, or these."""

    until: Annotated[AwareDatetime, Field(description="To come, within 31 days.")]
    device_ids: Annotated[
        list[Annotated[str, Field(pattern=ID)]] | None, Field(min_length=1, max_length=overrides.MAX_DEVICES)
    ] = None


def _why(body: Acting, request: Request) -> Why:
    return Why(body.reason, body.ticket_number, request_id(request))


def _version(request: Request, schedule: Schedule) -> int | None:
    """Honour If-Match: what a client sees changes with its version, not with every run."""
    etag = check_if_match(request, schedule.changed(etag=_etag(schedule)))
    return schedule.version if etag is not None else None


def _etag(schedule: Schedule) -> str:
    return f'W/"{schedule.version}"'


def _shown(app: AppDep, response: Response, schedule: Schedule) -> views.ScheduleDetail:
    response.headers["ETag"] = _etag(schedule)
    return views.view_whole(schedule, app.clock.now())


@area.get("/schedules", permission=DEVICES_READ)
async def list_schedules(app: AppDep, caller: Caller, page: PageDep) -> Page[views.ScheduleView]:
    """The schedules whose every site is the caller's."""
    return page.of(
        [row for row in await changes.every(app) if changes.sees(caller, row)],
        columns={"name": lambda s: s.name, "nextRunAt": lambda s: s.next_due, "createdAt": lambda s: s.created_at},
        default="name",
        key=lambda s: s.id,
        view=views.view,
    )


@area.post("/schedules", permission=DEVICES_UPDATE, status_code=201, idempotent=True)
async def create_schedule(
    app: AppDep, caller: Caller, request: Request, response: Response, body: ScheduleBody
) -> views.ScheduleDetail:
    """Make a schedule. 409 when nothing matches or a confirmation is missing; `approval` says whether it may run."""
    stored = await changes.create(app, caller, body.wanted(), _why(body, request))
    response.headers["Location"] = f"{app.settings.public_api_url}/schedules/{stored.id}"
    return _shown(app, response, stored)


@area.get("/schedules/{schedule_id}", permission=DEVICES_READ)
async def read_schedule(
    app: AppDep, caller: Caller, response: Response, schedule_id: ScheduleId
) -> views.ScheduleDetail:
    """One schedule with its next five runs, local and in UTC, and what daylight saving does to each."""
    return _shown(app, response, await changes.get(app, caller, schedule_id))


@area.put("/schedules/{schedule_id}", permission=DEVICES_UPDATE)
async def replace_schedule(
    app: AppDep, caller: Caller, request: Request, response: Response, schedule_id: ScheduleId, body: ScheduleBody
) -> views.ScheduleDetail:
    """Replace a schedule; it is the caller's from now on. Another action, target or time needs its approval anew."""
    before = await changes.get(app, caller, schedule_id)
    version = _version(request, before)
    stored = await changes.replace(app, caller, before, body.wanted(), version, _why(body, request))
    return _shown(app, response, stored)


@area.delete("/schedules/{schedule_id}", permission=DEVICES_UPDATE, status_code=204)
async def delete_schedule(
    app: AppDep,
    caller: Caller,
    request: Request,
    schedule_id: ScheduleId,
    why: QueryWhy,
) -> None:
    """Delete a schedule. What it has begun goes on."""
    schedule = await changes.get(app, caller, schedule_id)
    await changes.delete(app, caller, schedule, _version(request, schedule), Why(**why))


@area.post("/schedules/{schedule_id}/approve", permission=DEVICES_UPDATE, idempotent=True)
async def approve_schedule(
    app: AppDep,
    caller: Caller,
    request: Request,
    response: Response,
    schedule_id: ScheduleId,
    body: Acting | None = None,
) -> views.ScheduleDetail:
    """Let a schedule run that needs a second person. 403 for whoever saved it, 409 when it needs nobody or has it."""
    schedule = await changes.get(app, caller, schedule_id)
    version = _version(request, schedule)
    stored = await changes.approve(app, caller, schedule, version, _why(body or Acting(), request))
    return _shown(app, response, stored)


@area.post("/schedules/{schedule_id}/override", permission=DEVICES_UPDATE, idempotent=True)
async def override_schedule(
    app: AppDep, caller: Caller, request: Request, response: Response, schedule_id: ScheduleId, body: OverrideBody
) -> views.ScheduleDetail:
    """Keep its devices on: stops, pauses, restarts are skipped until then; a stop or pause is done at its end."""
    schedule = await changes.get(app, caller, schedule_id)
    stored = await overrides.keep_on(app, caller, schedule, body.until, body.device_ids, _why(body, request))
    return _shown(app, response, stored)


@area.delete("/schedules/{schedule_id}/override", permission=DEVICES_UPDATE, status_code=204)
async def end_schedule_override(
    app: AppDep,
    caller: Caller,
    schedule_id: ScheduleId,
    why: QueryWhy,
) -> None:
    """End every override of a schedule: a stop or pause that was skipped is done now."""
    schedule = await changes.get(app, caller, schedule_id)
    await overrides.end(app, caller, schedule, Why(**why))


@area.get("/schedules/{schedule_id}/runs", permission=DEVICES_READ)
async def list_schedule_runs(
    app: AppDep, caller: Caller, page: PageDep, schedule_id: ScheduleId
) -> Page[views.ScheduleRun]:
    """What became of each run, newest first (the only order): started, overridden, nothingToDo, or missed and why."""
    page.order({"dueAt"}, "dueAt desc")
    if page.orderby not in (None, "dueAt desc"):
        raise InvalidInput("Runs are ordered by `dueAt desc` only.", target="$orderby")
    schedule = await changes.get(app, caller, schedule_id)
    above = ""
    if page.after is not None:
        if len(page.after) != 1 or not views.is_position(page.after[0]):
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
        above = page.after[0]
    total = await views.count(app, schedule) if page.count else None
    found = await views.runs(app, schedule, above=above, limit=page.top + 1)
    shown = found[: page.top]
    after = [RUNS.key(shown[-1])[1]] if len(found) > page.top else None
    return page.reply([views.view_run(row, schedule.time_zone) for row in shown], after=after, total=total)
