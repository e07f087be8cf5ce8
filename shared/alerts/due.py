"""When incidents must be looked at again though nothing new was seen: one row per time, read by a timer.

The row is written before the incident that needs it, and deleted after the look, so that no time is ever missed; a
look too many changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta

from shared.alerts.gathering import in_turn, put_all
from shared.app import App
from shared.devices.records import subscription_of
from shared.incidents.records import INCIDENTS, Incident
from shared.jobs import ApplyEvents, Job, PollSubscription
from shared.store.tables import Kind, Record

PARTITION = "due"
AT_ONCE = 5_000
"""Looks that one run of the timer asks for; the rest a minute later."""
IN_A_JOB = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SOON = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
BEFORE = 2 * MINUTE
"""So long before an alert that waits opens by the clock, Azure is asked again: it does not tell of every recovery."""


class Due(Record):
    """A device whose incident is to be looked at, and when (UTC)."""

    device_id: str
    at: datetime


def _stamp(at: datetime) -> str:
    return f"{(at - _EPOCH) // timedelta(milliseconds=1):015d}"


DUE = Kind("IncidentsDue", Due, lambda due: (PARTITION, f"{_stamp(due.at)}|{due.device_id}"))


async def remember(app: App, device_id: str, at: datetime, now: datetime) -> None:
    """Have a device looked at, at a time after `now`."""
    await remember_all(app, [(device_id, at)], now)


async def remember_all(app: App, looks: Iterable[tuple[str, datetime]], now: datetime) -> None:
    """Have devices looked at, each at a time after `now`."""
    rows = {device_id: Due(device_id=device_id, at=max(at, now + SOON)) for device_id, at in looks}
    await put_all(app, DUE, rows.values())


async def forget(app: App, device_id: str, at: datetime) -> None:
    """Not at that time after all."""
    await app.tables.delete(DUE, Due(device_id=device_id, at=at))


async def done(app: App, device_ids: Iterable[str], now: datetime) -> None:
    """The devices were looked at: drop what was due for them until now."""
    looked = set(device_ids)
    rows = [row async for row in _until(app, now) if row.device_id in looked]
    await app.tables.delete_rows(DUE.table, PARTITION, [DUE.key(row)[1] for row in rows])


async def _until(app: App, now: datetime) -> AsyncIterator[Due]:
    beyond = _stamp(now + timedelta(milliseconds=1))
    async for row in app.tables.query(DUE, PARTITION, where="RowKey lt @beyond", parameters={"beyond": beyond}):
        yield row


async def send(app: App) -> int:
    """Timer, once a minute: the jobs for the devices whose time has come or comes soon; gives the number of jobs."""
    by_subscription: dict[str, set[str]] = {}
    count, now = 0, app.clock.now()
    async for row in _until(app, now):
        by_subscription.setdefault(subscription_of(row.device_id), set()).add(row.device_id)
        count += 1
        if count >= AT_ONCE:
            break
    found: list[Job] = [
        ApplyEvents(subscription_id=subscription_id, due=chunk)
        for subscription_id, devices in by_subscription.items()
        for chunk in _chunks(sorted(devices))
    ]
    found += await _polls(app, now)
    await app.queues.send_all(found)
    return len(found)


async def _polls(app: App, now: datetime) -> list[PollSubscription]:
    """One for each subscription in which an alert that waited opens in the minute that is BEFORE away."""
    begin = now.replace(second=0, microsecond=0) + BEFORE
    end = begin + MINUTE
    by_subscription: dict[str, list[str]] = {}
    where, stamps = "RowKey ge @begin and RowKey lt @end", {"begin": _stamp(begin), "end": _stamp(end)}
    async for row in app.tables.query(DUE, PARTITION, where=where, parameters=stamps, limit=AT_ONCE):
        by_subscription.setdefault(subscription_of(row.device_id), []).append(row.device_id)

    async def opens(device_ids: list[str]) -> bool:
        for device_id in device_ids:
            incident = await app.tables.get(INCIDENTS, *INCIDENTS.key(Incident(device_id=device_id)))
            if incident is None or incident.phase != "suppressed" or incident.suppressed_until is None:
                continue
            if incident.suppressed_by in ("hold", "unknown") and begin <= incident.suppressed_until < end:
                return True
        return False

    wanted = await in_turn(by_subscription.values(), opens)
    # One look is enough: what it does not see is judged by the clock.
    return [
        PollSubscription(subscription_id=name, hinted=True, looks=1)
        for name, ask in zip(by_subscription, wanted, strict=True)
        if ask
    ]


def _chunks(devices: list[str]) -> list[list[str]]:
    return [devices[begin : begin + IN_A_JOB] for begin in range(0, len(devices), IN_A_JOB)]
