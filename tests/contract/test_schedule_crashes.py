"""Killed at any write, a schedule's run is done once, and the next one comes; and what the timer reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import jobs, schedules
from shared.access import Principal
from shared.app import App
from shared.progress import OPERATIONS
from shared.schedules import changes, overrides
from shared.schedules.changes import Why
from shared.schedules.records import DUE, DUE_PARTITION, RUNS, SCHEDULES
from shared.schedules.running import WORKING
from shared.store.tables import Kind, Tables
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import mortal
from tests.scheduling import body

MOST_WRITES = 14
"""More than a run makes."""


@pytest_asyncio.fixture
async def estate(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Contoso, in an Azure that does at once what it is asked."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    estate.sandbox.cloud.world.behaviour.lro = "immediate"
    await estate.poll()
    return estate


async def begun(estate: Estate) -> int:
    """How many operations of schedules there are, of this month and of yesterday's."""
    now = estate.app.clock.now()
    months = {f"{day:%Y%m}" for day in (now - timedelta(days=1), now)}
    return sum(
        [row.kind == "devices.restart" for month in months async for row in estate.app.tables.query(OPERATIONS, month)]
    )


async def killed_at(app: App, job: jobs.RunSchedule, writes: int) -> bool:
    """Work on a run with a worker that is killed after so many writes; whether it was."""
    try:
        await schedules.run(mortal(app, writes), job)
    except AzureError:
        return True
    return False


@pytest.mark.timeout(300)
async def test_a_worker_killed_at_any_write_neither_loses_nor_doubles_a_run(estate: Estate) -> None:
    wanted = body(estate, estate.machine(), action="restart", rule="FREQ=HOURLY")
    schedule = await estate.call("POST", "/schedules", 201, json=wanted)
    deaths = 0
    for writes in range(MOST_WRITES):
        before = await begun(estate)
        due = datetime.fromisoformat((await estate.call("GET", f"/schedules/{schedule['id']}"))["nextRunAt"])
        await estate.advance((due - estate.app.clock.now()).total_seconds() + 5)
        job = jobs.RunSchedule(schedule_id=schedule["id"], at=due)
        killed = await killed_at(estate.app, job, writes)
        deaths += killed
        # The time stays written down, so that the timer sends another worker once the first is taken for dead.
        [row] = await estate.app.tables.all(DUE, DUE_PARTITION, limit=1)
        assert killed is (row.at == due), writes
        await estate.advance(WORKING.total_seconds() + 1)
        await estate.timer("run_schedules")
        await estate.settle(60, delayed=True)
        assert await begun(estate) - before == 1, writes
        [run] = [row for row in await estate.app.tables.all(RUNS, schedule["id"]) if row.due_at == due]
        assert (run.state, bool(run.operation_id)) == ("started", True), writes
        [following] = await estate.app.tables.all(DUE, DUE_PARTITION)
        assert following.at == due + timedelta(hours=1), writes
    assert MOST_WRITES > deaths >= 9, "the worker must have died at every write there is"


class Watched(Tables):
    """The real tables, and which of them were read."""

    def __init__(self, real: Tables) -> None:
        super().__init__(real._service)
        self._clients, self.read = real._clients, list[str]()

    async def get(self, kind: Kind[Any], partition: str, row: str) -> Any:
        self.read.append(kind.table)
        return await super().get(kind, partition, row)

    async def rows(self, table: str, partition: str, **query: Any) -> AsyncIterator[Any]:
        self.read.append(table)
        async for row in super().rows(table, partition, **query):
            yield row


async def test_the_timer_reads_what_is_due_and_no_schedule(estate: Estate) -> None:
    for minutes in (10, 60, 600):
        await estate.call("POST", "/schedules", 201, json=body(estate, estate.machine(), minutes=minutes))
    await estate.advance(11 * 60)
    watched = Watched(estate.app.tables)
    assert await schedules.send_due(replace(estate.app, tables=watched)) == 1
    assert watched.read == [DUE.table]
    await estate.settle(60, delayed=True)


async def test_two_workers_at_the_same_time_run_it_once(estate: Estate) -> None:
    wanted = body(estate, estate.machine(), action="restart")
    schedule = await estate.call("POST", "/schedules", 201, json=wanted)
    await estate.advance(11 * 60)
    for _ in range(3):
        await estate.timer("run_schedules")
    await estate.settle(60, delayed=True)
    assert await begun(estate) == 1
    assert len(await estate.app.tables.all(RUNS, schedule["id"])) == 1


async def test_a_caller_whose_request_dies_leaves_a_schedule_that_runs_or_none(estate: Estate) -> None:
    people = (await estate.control.get("/world")).json()["people"]
    for writes in range(4):
        answer = await estate.call("POST", "/schedules", 201, json=body(estate, estate.machine(), rule="FREQ=HOURLY"))
        stored = await estate.app.tables.get(SCHEDULES, "schedule", answer["id"])
        assert stored is not None
        owner = Principal(people["alice"]["objectId"], "Alice", frozenset(), None)
        wanted = changes.Wanted(
            name="Later",
            action="stop",
            time_zone="UTC",
            rule="FREQ=DAILY",
            start_at=stored.start_at,
            holidays=[],
            target=stored.target,
        )
        dying = mortal(estate.app, writes)
        try:
            await changes.replace(dying, owner, stored, wanted, None, Why())
            await overrides.keep_on(dying, owner, stored, estate.app.clock.now() + timedelta(hours=3), None, Why())
        except AzureError:
            pass
        now = await estate.app.tables.get(SCHEDULES, "schedule", stored.id)
        assert now is not None
        rows = await estate.app.tables.all(DUE, DUE_PARTITION)
        mine = {row.at for row in rows if row.schedule_id == stored.id}
        needed = {at for at in (now.next_due, *(one.until for one in now.overrides)) if at}
        assert needed <= mine, writes
