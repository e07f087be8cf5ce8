"""Schedules as rows: what one is, when it is due next, and what became of each run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pydantic import Field

from shared.capabilities import Verb
from shared.clock import newest_first
from shared.devices import Filter, Status
from shared.schedules import calendar
from shared.schedules.calendar import Calendar
from shared.store.tables import Kind, Record

PARTITION, DUE_PARTITION = "schedule", "due"
KEEPABLE: frozenset[Verb] = frozenset({"stop", "pause", "restart"})
"""What "keep on until" holds off: these take a device away."""
MADE_UP: frozenset[Verb] = frozenset({"stop", "pause"})
"""What is done at the end of that instead."""
GRACE = timedelta(minutes=15)
"""How late a run may begin; later it is missed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Chosen(Record):
    """A filter of devices: as `devices.Filter`, and tags that a device must all have."""

    client_names: list[str] = Field(default_factory=list)
    site_ids: list[str] = Field(default_factory=list)
    tenant_ids: list[str] = Field(default_factory=list)
    subscription_ids: list[str] = Field(default_factory=list)
    resource_groups: list[str] = Field(default_factory=list)
    types: list[str] = Field(default_factory=list)
    regions: list[str] = Field(default_factory=list)
    statuses: list[Status] = Field(default_factory=list)
    power_states: list[str] = Field(default_factory=list)
    search: str = ""
    tags: dict[str, str] = Field(default_factory=dict)

    def filter(self) -> Filter:
        """Without the tags, which lists do not know."""
        values = self.model_dump(exclude={"tags", "search"})
        return Filter(**{name: tuple(value) for name, value in values.items()}, search=self.search)


class Target(Record):
    """What a schedule is about: devices, or what matches a filter when it runs; one of the two."""

    device_ids: list[str] | None = None
    chosen: Chosen | None = None


class Approval(Record):
    """Whether a second person must approve the schedule, and has. Of the action, target and times as they are."""

    why: str = ""
    """Why one is needed; empty when none is."""
    devices: int = 0
    """How many there were when it was saved."""
    by: str = ""
    """Principal id; empty: nobody yet."""
    by_name: str = ""
    at: datetime | None = None

    @property
    def missing(self) -> bool:
        """Whether it may not run yet."""
        return bool(self.why) and not self.by


class Override(Record):
    """A "keep on until": runs that take devices away are skipped until then. Times are UTC."""

    id: str
    at: datetime
    until: datetime
    device_ids: list[str] | None = None
    """None: all that the schedule is about."""
    by: str = ""
    by_name: str
    reason: str | None = None
    ticket_number: str | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it keeps devices on now."""
        return self.at <= now < self.until


class Schedule(Record):
    """What is to be done, to which devices, when. Times are UTC but `start_at`."""

    id: str
    name: str
    action: Verb
    time_zone: str
    rule: str
    start_at: str
    """Local time of the time zone."""
    holidays: list[date] = Field(default_factory=list)
    target: Target
    enabled: bool = True
    confirm: bool = False
    """The confirmation that dangerous actions ask for."""
    site_ids: list[str]
    """The sites it may touch: those in reach of whoever saved it, then. It never touches another one."""
    owner_id: str
    """Who saved it last: his present sites bound what a run touches."""
    owner_name: str
    owner_unlimited: bool = False
    """He saw every site by his role when he saved it."""
    approval: Approval
    overrides: list[Override] = Field(default_factory=list)
    next_due: datetime | None = None
    """The next run by the calendar; None: there is none."""
    version: int = 1
    """Rises with every change that a client makes: its ETag."""
    created_at: datetime
    created_by_name: str
    changed_at: datetime

    def calendar(self) -> Calendar:
        """When it runs. Raises InvalidInput for what no longer is a calendar (a time zone that was given up)."""
        return calendar.parse(self.time_zone, self.rule, self.start_at, self.holidays)

    def next_after(self, after: datetime) -> datetime | None:
        """The first run after an instant, if it is on and there is one."""
        found = calendar.runs(self.calendar(), after, 1) if self.enabled else []
        return found[0].at if found else None


SCHEDULES = Kind("Schedules", Schedule, lambda s: (PARTITION, s.id), lambda s: {"owner": s.owner_id}, parts=10)


class Due(Record):
    """A time at which a schedule must be looked at, in UTC."""

    schedule_id: str
    at: datetime
    cause: str = ""
    """Empty: the calendar. Else the id of an override, which ends then."""


def stamp(at: datetime) -> str:
    """A key part that sorts earlier times first."""
    return f"{(at - _EPOCH) // timedelta(milliseconds=1):015d}"


DUE = Kind("SchedulesDue", Due, lambda d: (DUE_PARTITION, f"{stamp(d.at)}|{d.schedule_id}|{d.cause}"))

State = Literal["starting", "started", "missed", "overridden", "nothingToDo"]


class Run(Record):
    """What became of a schedule at one time that it was due. Times are UTC."""

    schedule_id: str
    due_at: datetime
    cause: str = ""
    """As of `Due`."""
    action: Verb
    state: State = "starting"
    reason: str | None = None
    """Of a missed one, as a code."""
    message: str | None = None
    begun_at: datetime
    worked_until: datetime
    """While it is `starting`: after this whoever works on it is taken for dead."""
    operation_id: str | None = None
    devices: int = 0
    kept: int = 0
    """Devices that an override kept on."""
    out_of_scope: int = 0
    """Devices that were named and are gone, or out of the schedule's or its owner's sites."""
    kept_by: list[str] = Field(default_factory=list)
    """Ids of the overrides that held anything off."""
    kept_by_names: list[str] = Field(default_factory=list)


def run_row(due_at: datetime, cause: str) -> str:
    """The row key of a run: newest first; of one time the calendar's own before one of an override."""
    return f"{newest_first(due_at)}{f'-{cause}' if cause else ''}"


RUNS = Kind(
    "ScheduleRuns",
    Run,
    lambda r: (r.schedule_id, run_row(r.due_at, r.cause)),
    lambda r: {"state": r.state},
)
