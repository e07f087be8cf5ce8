"""Schedules and their runs as the API shows them, and lists of runs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, NotRequired, cast
from zoneinfo import ZoneInfo

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from shared.app import App
from shared.capabilities import Verb
from shared.devices import Status
from shared.schedules import calendar
from shared.schedules.calendar import Moment
from shared.schedules.records import RUNS, Approval, Chosen, Override, Run, Schedule, State

NEXT_RUNS = 5
IsoDate = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]


class ScheduleFilter(TypedDict, total=False):
    """What the devices of a schedule match when it runs; what is empty is left out."""

    clientName: list[str]
    siteId: list[str]
    tenantId: list[str]
    subscriptionId: list[str]
    resourceGroup: list[str]
    type: list[str]
    region: list[str]
    status: list[Status]
    search: str
    tags: dict[str, str]


class ScheduleTarget(TypedDict):
    """Devices, or what matches a filter when the schedule runs; one of the two."""

    deviceIds: NotRequired[list[str] | None]
    filter: NotRequired[ScheduleFilter]


class ScheduleApproval(TypedDict):
    """Whether a second person must approve it, why, and has."""

    state: Literal["notNeeded", "pending", "approved"]
    devices: int
    reason: NotRequired[str]
    approvedBy: NotRequired[str]
    approvedAt: NotRequired[datetime]


class ScheduleOverride(TypedDict):
    """A "keep on until"; without `deviceIds` of all that the schedule is about."""

    until: datetime
    since: datetime
    by: str
    deviceIds: NotRequired[list[str]]
    reason: NotRequired[str]
    ticketNumber: NotRequired[str]


class NextRun(TypedDict):
    """A run to come, in UTC and in the schedule's time zone; `note` says what daylight saving does to it."""

    at: datetime
    local: str
    note: NotRequired[str]


class _Coming(TypedDict, total=False):
    nextRunAt: datetime


class ScheduleView(_Coming, TypedDict):
    """A schedule. `startAt` and `holidays` are local, other times UTC; without `nextRunAt` no run is to come."""

    id: str
    name: str
    action: Verb
    timeZone: str
    rule: str
    startAt: str
    holidays: list[IsoDate]
    target: ScheduleTarget
    enabled: bool
    confirm: bool
    siteIds: list[str]
    owner: str
    approval: ScheduleApproval
    overrides: list[ScheduleOverride]
    createdAt: datetime
    createdBy: str
    changedAt: datetime


class ScheduleDetail(ScheduleView, TypedDict):
    """A schedule with its next runs."""

    nextRuns: list[NextRun]


class ScheduleRun(TypedDict):
    """What became of a schedule at one time: `operationId` of one that began, `reason` of one that was missed."""

    dueAt: datetime
    dueLocal: str
    because: Literal["calendar", "override"]
    action: Verb
    state: State
    begunAt: datetime
    lateSeconds: int
    devices: int
    kept: int
    outOfScope: int
    reason: NotRequired[str]
    message: NotRequired[str]
    operationId: NotRequired[str]
    keptBy: NotRequired[list[str]]


def view(schedule: Schedule) -> ScheduleView:
    """A schedule as lists show it."""
    coming: _Coming = {"nextRunAt": schedule.next_due} if schedule.next_due is not None else {}
    return {
        "id": schedule.id,
        "name": schedule.name,
        "action": schedule.action,
        "timeZone": schedule.time_zone,
        "rule": schedule.rule,
        "startAt": schedule.start_at,
        "holidays": [day.isoformat() for day in schedule.holidays],
        "target": _target(schedule),
        "enabled": schedule.enabled,
        "confirm": schedule.confirm,
        "siteIds": schedule.site_ids,
        "owner": schedule.owner_name,
        "approval": _approval(schedule.approval),
        "overrides": [_override(one) for one in schedule.overrides],
        **coming,
        "createdAt": schedule.created_at,
        "createdBy": schedule.created_by_name,
        "changedAt": schedule.changed_at,
    }


def view_whole(schedule: Schedule, now: datetime) -> ScheduleDetail:
    """A schedule with its next runs."""
    found = calendar.runs(schedule.calendar(), now, NEXT_RUNS) if schedule.enabled else []
    return {**view(schedule), "nextRuns": [_moment(moment) for moment in found]}


def _moment(moment: Moment) -> NextRun:
    shown: NextRun = {"at": moment.at, "local": moment.local.isoformat()}
    if moment.note:
        shown["note"] = moment.note
    return shown


def _target(schedule: Schedule) -> ScheduleTarget:
    if schedule.target.chosen is None:
        return {"deviceIds": schedule.target.device_ids}
    return {"filter": view_filter(schedule.target.chosen)}


FILTER_NAMES = {
    "client_names": "clientName",
    "site_ids": "siteId",
    "tenant_ids": "tenantId",
    "subscription_ids": "subscriptionId",
    "resource_groups": "resourceGroup",
    "types": "type",
    "regions": "region",
    "statuses": "status",
    "search": "search",
    "tags": "tags",
}
"""What the fields of a filter are called in a body."""


def view_filter(chosen: Chosen) -> ScheduleFilter:
    """A filter by the names of the API, without what is empty."""
    values = chosen.model_dump()
    return cast("ScheduleFilter", {name: values[field] for field, name in FILTER_NAMES.items() if values[field]})


def _approval(approval: Approval) -> ScheduleApproval:
    shown: ScheduleApproval = {
        "state": "notNeeded" if not approval.why else ("approved" if approval.by else "pending"),
        "devices": approval.devices,
    }
    if approval.why:
        shown["reason"] = approval.why
    if approval.by_name:
        shown["approvedBy"] = approval.by_name
    if approval.at is not None:
        shown["approvedAt"] = approval.at
    return shown


def _override(override: Override) -> ScheduleOverride:
    shown: ScheduleOverride = {"until": override.until, "since": override.at, "by": override.by_name}
    if override.device_ids is not None:
        shown["deviceIds"] = override.device_ids
    if override.reason is not None:
        shown["reason"] = override.reason
    if override.ticket_number is not None:
        shown["ticketNumber"] = override.ticket_number
    return shown


def view_run(run: Run, time_zone: str) -> ScheduleRun:
    """A run, in words: when it was due, and what became of it."""
    shown: ScheduleRun = {
        "dueAt": run.due_at,
        "dueLocal": run.due_at.astimezone(ZoneInfo(time_zone)).isoformat(),
        "because": "override" if run.cause else "calendar",
        "action": run.action,
        "state": run.state,
        "begunAt": run.begun_at,
        "lateSeconds": max(0, int((run.begun_at - run.due_at).total_seconds())),
        "devices": run.devices,
        "kept": run.kept,
        "outOfScope": run.out_of_scope,
    }
    if run.reason is not None:
        shown["reason"] = run.reason
    if run.message is not None:
        shown["message"] = run.message
    if run.operation_id is not None:
        shown["operationId"] = run.operation_id
    if run.kept_by_names:
        shown["keptBy"] = run.kept_by_names
    return shown


async def runs(app: App, schedule: Schedule, *, above: str = "", limit: int) -> list[Run]:
    """Runs of a schedule, newest first, beyond a row key."""
    return await app.tables.all(RUNS, schedule.id, above=above, limit=limit)


async def count(app: App, schedule: Schedule) -> int:
    """How many runs are kept."""
    return sum([1 async for _ in app.tables.rows(RUNS.table, schedule.id, select=["RowKey"])])


def is_position(text: object) -> bool:
    """Whether it may be the row key of a run."""
    return isinstance(text, str) and re.fullmatch(r"\d{15}(-[0-9a-f]{8})?", text, re.ASCII) is not None
