"""Schedules and their runs as the API shows them, and lists of runs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.app import App
from shared.schedules import calendar
from shared.schedules.calendar import Moment
from shared.schedules.records import RUNS, Approval, Chosen, Override, Run, Schedule

NEXT_RUNS = 5


def view(schedule: Schedule) -> dict[str, Any]:
    """A schedule as lists show it."""
    shown: dict[str, Any] = {
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
        "nextRunAt": schedule.next_due,
        "createdAt": schedule.created_at,
        "createdBy": schedule.created_by_name,
        "changedAt": schedule.changed_at,
    }
    return {name: value for name, value in shown.items() if value is not None}


def view_whole(schedule: Schedule, now: datetime) -> dict[str, Any]:
    """A schedule with its next runs."""
    found = calendar.runs(schedule.calendar(), now, NEXT_RUNS) if schedule.enabled else []
    return view(schedule) | {"nextRuns": [_moment(moment) for moment in found]}


def _moment(moment: Moment) -> dict[str, Any]:
    shown = {"at": moment.at, "local": moment.local.isoformat()}
    return shown | ({"note": moment.note} if moment.note else {})


def _target(schedule: Schedule) -> dict[str, Any]:
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
    "power_states": "powerState",
    "search": "search",
    "tags": "tags",
}
"""What the fields of a filter are called in a body."""


def view_filter(chosen: Chosen) -> dict[str, Any]:
    """A filter by the names of the API, without what is empty."""
    values = chosen.model_dump()
    return {name: values[field] for field, name in FILTER_NAMES.items() if values[field]}


def _approval(approval: Approval) -> dict[str, Any]:
    state = "notNeeded" if not approval.why else ("approved" if approval.by else "pending")
    shown = {
        "state": state,
        "reason": approval.why or None,
        "devices": approval.devices,
        "approvedBy": approval.by_name or None,
        "approvedAt": approval.at,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _override(override: Override) -> dict[str, Any]:
    shown = {
        "until": override.until,
        "deviceIds": override.device_ids,
        "since": override.at,
        "by": override.by_name,
        "reason": override.reason,
        "ticketNumber": override.ticket_number,
    }
    return {name: value for name, value in shown.items() if value is not None}


def view_run(run: Run, time_zone: str) -> dict[str, Any]:
    """A run, in words: when it was due, and what became of it."""
    shown = {
        "dueAt": run.due_at,
        "dueLocal": run.due_at.astimezone(ZoneInfo(time_zone)).isoformat(),
        "because": "override" if run.cause else "calendar",
        "action": run.action,
        "state": run.state,
        "reason": run.reason,
        "message": run.message,
        "begunAt": run.begun_at,
        "lateSeconds": max(0, int((run.begun_at - run.due_at).total_seconds())),
        "operationId": run.operation_id,
        "devices": run.devices,
        "kept": run.kept,
        "keptBy": run.kept_by_names or None,
        "outOfScope": run.out_of_scope,
    }
    return {name: value for name, value in shown.items() if value is not None}


async def runs(app: App, schedule: Schedule, *, above: str = "", limit: int) -> list[Run]:
    """Runs of a schedule, newest first, beyond a row key."""
    return await app.tables.all(RUNS, schedule.id, above=above, limit=limit)


async def count(app: App, schedule: Schedule) -> int:
    """How many runs are kept."""
    return sum([1 async for _ in app.tables.rows(RUNS.table, schedule.id, select=["RowKey"])])


def is_position(text: object) -> bool:
    """Whether it may be the row key of a run."""
    return isinstance(text, str) and re.fullmatch(r"\d{15}(-[0-9a-f]{8})?", text, re.ASCII) is not None
