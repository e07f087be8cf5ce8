"""The audit log against a real storage service: many writers, killed ones, wrong clocks, tampering, retention."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from shared import app as composition
from shared import audit, retention
from shared.app import App
from shared.audit.records import CHAINS, HEAD, HEADS, REGISTER_PARTITION, TABLE
from shared.clock import Clock
from shared.errors import Conflict, PreconditionFailed
from shared.store.tables import Tables, Write
from tests.mortal import mortal

TENANT = "0a0a0a0a-0000-4000-8000-000000000001"
OTHER = "0a0a0a0a-0000-4000-8000-000000000002"
MIDNIGHT = datetime(2031, 5, 7, tzinfo=UTC)
"""Days of the tests are far from today, so that none ends while a test runs."""
DAY = MIDNIGHT.date()
EVENING = timedelta(minutes=10)
"""Clocks go on while a test runs: longer than any does."""


def at(app: App, moment: datetime) -> App:
    """A worker of its own, whose clock says something."""
    clock = Clock()
    clock.advance((moment - clock.now()).total_seconds())
    return replace(app, clock=clock, memory={})


@pytest_asyncio.fixture
async def app(fresh_app: Host) -> App:
    return at(composition.current(), MIDNIGHT + timedelta(hours=12))


async def write(app: App, *targets: str, tenant_id: str | None = TENANT) -> None:
    await audit.record_all(
        app, [audit.Deed(actor="a", action="test.act", target=target, tenant_id=tenant_id) for target in targets]
    )


async def stored(app: App, day: date = DAY) -> list[audit.Entry]:
    return await audit.of_day(app, day, actor=None, target=None, limit=100_000)


async def only(app: App, day: date = DAY, chain: str = TENANT) -> dict[str, Any]:
    """The verdict on one chain of a day."""
    found = (await audit.verify(app, day, chain=chain))["chains"]
    assert len(found) == 1
    return dict(found[0])


def targets(entries: Iterable[audit.Entry]) -> list[str]:
    """In the order of the chain."""
    return [entry.target for entry in sorted(entries, key=lambda entry: entry.sequence)]


async def storm(workers: list[App], each: int) -> None:
    async def busy(number: int, worker: App) -> None:
        for one in range(each):
            await audit.record(worker, "a", "test.act", f"{number}/{one}", tenant_id=TENANT)

    await asyncio.gather(*(busy(number, worker) for number, worker in enumerate(workers)))


async def whole(app: App, count: int) -> None:
    """So many entries, none lost, none doubled, each one's own in their order, and the chain is whole."""
    found = targets(await stored(app))
    assert len(found) == len(set(found)) == count
    by_writer: dict[str, list[int]] = {}
    for target in found:
        writer, _, number = target.partition("/")
        by_writer.setdefault(writer, []).append(int(number))
    assert all(numbers == list(range(len(numbers))) for numbers in by_writer.values())
    verdict = await only(app)
    assert (verdict["ok"], verdict["entries"], verdict["head"]["sequence"]) == (True, count, count)


async def test_many_writers_of_one_process_lose_and_double_nothing(app: App) -> None:
    await storm([app] * 24, 10)
    await whole(app, 240)
    assert not [name for name in app.memory if name.startswith("audit|")], "nothing is kept of a line that is empty"


async def test_a_storm_of_processes_ends_with_every_entry_once(app: App) -> None:
    await storm([replace(app, memory={}) for _ in range(24)], 3)
    await whole(app, 72)


async def test_many_entries_take_few_transactions_and_keep_their_order(app: App) -> None:
    counting = CountingTables(app.tables)
    await write(replace(app, tables=counting), *(f"w/{number}" for number in range(250)))
    assert counting.transactions == 3
    await whole(app, 250)


async def test_chains_of_tenants_do_not_mix(app: App) -> None:
    await asyncio.gather(
        write(app, "one", "two"),
        write(app, "three", tenant_id=OTHER.upper()),
        write(app, "four", tenant_id=None),
    )
    report = await audit.verify(app, DAY)
    assert [(row["tenantId"], row["entries"], row["ok"]) for row in report["chains"]] == [
        (None, 1, True),
        (TENANT, 2, True),
        (OTHER, 1, True),
    ]
    assert (report["ok"], report["entries"], report["unchained"]) == (True, 4, 0)
    found = await audit.of_day(app, DAY, actor=None, target=None, chain=OTHER, limit=10)
    assert targets(found) == ["three"]


@pytest.mark.parametrize("writes", range(8))
async def test_a_writer_killed_anywhere_harms_nobody(app: App, writes: int) -> None:
    await write(at(app, MIDNIGHT - timedelta(hours=1)), "yesterday")
    died = False
    try:
        await write(mortal(app, writes), "killed")
    except AzureError:
        died = True
    assert died == (writes < 4)
    await write(app, "after")
    assert targets(await stored(app)) == (["after"] if died else ["killed", "after"])
    for day in (DAY - timedelta(days=1), DAY):
        assert (await only(app, day))["ok"]


@pytest.mark.parametrize("writes", range(4))
async def test_a_day_that_was_begun_by_a_killed_writer_is_no_gap(app: App, writes: int) -> None:
    await write(at(app, MIDNIGHT - timedelta(hours=1)), "yesterday")
    with pytest.raises(AzureError):
        await write(mortal(app, writes), "killed")
    tomorrow = at(app, MIDNIGHT + timedelta(hours=36))
    await write(tomorrow, "tomorrow")
    for day in (-1, 0, 1):
        report = await audit.verify(app, DAY + timedelta(days=day))
        assert report["ok"], report
    assert not (await only(app, DAY + timedelta(days=1)))["begins"]


async def test_one_caller_that_is_cut_off_takes_no_others_entries_along(app: App) -> None:
    tasks = [asyncio.create_task(write(app, f"{number}/0")) for number in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert {f"{number}/0" for number in range(1, 5)} <= set(targets(await stored(app)))
    assert (await only(app))["ok"]


async def test_an_entry_too_long_for_a_row_fails_alone(app: App) -> None:
    results = await asyncio.gather(
        write(app, "short"), write(app, "x" * 40_000), write(app, "other"), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert sorted(targets(await stored(app))) == ["other", "short"]


class CountingTables(Tables):
    """The real tables, with a count of transactions."""

    def __init__(self, real: Tables) -> None:
        super().__init__(real._service)
        self.transactions = 0

    async def transact(self, writes: Iterable[Write]) -> list[str]:
        self.transactions += 1
        return await super().transact(writes)


class ForgetfulTables(Tables):
    """The real tables behind a service that does what it is asked, fails to say so, and meets the repetition."""

    async def transact(self, writes: Iterable[Write]) -> list[str]:
        steps = list(writes)
        await super().transact(steps)
        return await super().transact(steps)


class Overtaken(Tables):
    """The real tables, to which a worker with another clock writes just after the newest day was read first."""

    def __init__(self, service: Any, other: App) -> None:
        super().__init__(service)
        self.other: App | None = other

    async def get(self, kind: Any, partition: str, row: str) -> Any:
        found = await super().get(kind, partition, row)
        if kind is CHAINS and self.other is not None:
            other, self.other = self.other, None
            await write(other, "yesterday")
        return found


class LateTables(Tables):
    """The real tables, always too late."""

    async def transact(self, writes: Iterable[Write]) -> list[str]:
        raise PreconditionFailed("Another was faster.")


async def test_a_transaction_that_was_sent_twice_is_written_once(app: App) -> None:
    await write(app, "before")
    await write(replace(app, tables=ForgetfulTables(app.tables._service), memory={}), "one", "two")
    assert targets(await stored(app)) == ["before", "one", "two"]
    assert (await only(app))["ok"]


async def test_who_never_wins_is_told_and_nothing_is_written(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.audit.write.LONGEST_PAUSE", 0.001)
    with pytest.raises(Conflict, match="written by many"):
        await write(replace(app, tables=LateTables(app.tables._service), memory={}), "never")
    assert await stored(app) == []


async def test_a_worker_whose_clock_is_behind_writes_to_the_day_that_has_begun(app: App) -> None:
    before = MIDNIGHT - EVENING
    late, early = at(app, before), at(app, MIDNIGHT + timedelta(seconds=1))
    await write(late, "yesterday")
    await write(early, "first of the day")
    await write(at(app, before), "behind")
    assert targets(await stored(app, DAY - timedelta(days=1))) == ["yesterday"]
    assert targets(await stored(app)) == ["first of the day", "behind"]
    times = [entry.at for entry in await stored(app)]
    assert times == sorted(times, reverse=True)
    for day in (DAY - timedelta(days=1), DAY):
        assert (await only(app, day))["ok"]


async def test_clocks_on_both_sides_of_midnight_make_one_chain(app: App) -> None:
    workers = [at(app, MIDNIGHT + timedelta(seconds=one)) for one in (-3, 3) * 6]
    await storm(workers, 3)
    days = [DAY - timedelta(days=1), DAY]
    found = [target for day in days for target in targets(await stored(app, day))]
    assert len(found) == len(set(found)) == 36
    for day in days:
        report = await audit.verify(app, day)
        assert report["ok"], report


async def test_a_day_begun_by_another_clock_between_two_reads_is_no_gap(app: App) -> None:
    behind = at(app, MIDNIGHT - EVENING)
    await write(replace(app, tables=Overtaken(app.tables._service, behind), memory={}), "one", "two")
    for day in (DAY - timedelta(days=1), DAY):
        assert (await only(app, day))["ok"]
    assert not (await only(app))["begins"]


async def test_an_act_told_twice_is_written_once(app: App) -> None:
    async def told(worker: App, *names: str) -> None:
        await audit.record_all(
            worker, [audit.Deed(actor="a", action="test.act", target=n, tenant_id=TENANT, once=n) for n in names]
        )

    await told(at(app, MIDNIGHT - EVENING), "yesterday")
    app = at(app, MIDNIGHT + timedelta(minutes=1))
    await told(app, "one", "one")
    await asyncio.gather(*(told(replace(app, memory={}), "one", f"{number}", "yesterday") for number in range(8)))
    await told(app, "one", "two", "yesterday")
    await told(replace(app, tables=ForgetfulTables(app.tables._service), memory={}), "three")
    assert targets(await stored(app, DAY - timedelta(days=1))) == ["yesterday"]
    found = targets(await stored(app))
    assert found[0] == "one"
    assert sorted(found) == sorted(["one", "two", "three", *(f"{number}" for number in range(8))])
    assert (await only(app))["ok"]


async def test_days_are_joined_over_days_without_entries(app: App) -> None:
    for day in (0, 1, 9):
        await write(at(app, MIDNIGHT + timedelta(days=day, hours=6)), f"of day {day}")
    assert [(await only(app, DAY + timedelta(days=day)))["begins"] for day in (0, 1, 9)] == [True, False, False]
    empty = await audit.verify(app, DAY + timedelta(days=5))
    assert (empty["ok"], empty["entries"], empty["message"]) == (True, 0, "Nothing was written on this day.")


async def remove_day(app: App, day: date, *, chain: str = TENANT, head: bool = True, rows: bool = True) -> None:
    """What somebody with the account's key can do."""
    partition = day.isoformat()
    keys = [str(row["RowKey"]) async for row in app.tables.rows(TABLE, partition, where=f"chain eq '{chain}'")]
    await app.tables.delete_rows(TABLE, partition, keys if rows else [])
    await app.tables.delete_rows(TABLE, partition, [f"{HEAD}{chain}"] if head else [])


async def three_days(app: App) -> list[date]:
    for day in range(3):
        await write(at(app, MIDNIGHT + timedelta(days=day, hours=6)), "one", "two", "three")
    return [DAY + timedelta(days=day) for day in range(3)]


async def wrong(app: App, days: list[date]) -> list[bool]:
    return [not (await audit.verify(app, day))["ok"] for day in days]


async def test_a_day_that_was_taken_away_shows_on_both_sides(app: App) -> None:
    days = await three_days(app)
    await remove_day(app, days[1])
    assert await wrong(app, days) == [True, False, True]
    verdict = await only(app, days[2])
    assert verdict["firstProblem"]["what"] == f"The chain's day before, {days[1]}, is gone."


async def test_the_newest_day_that_was_taken_away_shows(app: App) -> None:
    days = await three_days(app)
    await remove_day(app, days[2])
    assert await wrong(app, days) == [False, True, True]
    await write(at(app, MIDNIGHT + timedelta(days=2, hours=7)), "later that day")
    assert await wrong(app, days) == [False, True, True]
    await write(at(app, MIDNIGHT + timedelta(days=3)), "the day after")
    assert (await wrong(app, days))[2]


async def test_a_newest_day_that_was_taken_away_shows_the_day_after(app: App) -> None:
    days = await three_days(app)
    await remove_day(app, days[2])
    await write(at(app, MIDNIGHT + timedelta(days=3)), "the day after")
    verdict = await only(app, DAY + timedelta(days=3))
    assert verdict["firstProblem"]["what"] == f"The chain's day before, {days[2]}, is gone."


@pytest.mark.parametrize("more", [False, True], ids=["and nothing more", "and more is written"])
async def test_a_head_that_was_taken_away_shows(app: App, more: bool) -> None:
    await write(app, "one", "two")
    await remove_day(app, DAY, rows=False)
    if more:
        await write(app, "three")
    assert not (await only(app))["ok"]


async def test_a_register_that_was_taken_away_shows(app: App) -> None:
    days = await three_days(app)
    await app.tables.delete_rows(TABLE, REGISTER_PARTITION, [TENANT])
    assert await wrong(app, days) == [False, False, True]
    await write(at(app, MIDNIGHT + timedelta(days=3)), "later")
    assert (await wrong(app, days))[2]


async def test_a_rebuilt_day_shows_on_the_next(app: App) -> None:
    days = await three_days(app)
    before = await app.tables.get(HEADS, days[0].isoformat(), f"{HEAD}{TENANT}")
    await remove_day(app, days[1])
    known = await app.tables.get(CHAINS, REGISTER_PARTITION, TENANT)
    assert before is not None
    assert known is not None
    # A whole new chain of that day, by the application's own means.
    await app.tables.put(CHAINS, known.changed(day=days[0].isoformat()))
    await app.tables.put(HEADS, before.changed(next_day=None))
    await write(at(app, MIDNIGHT + timedelta(days=1, hours=6)), "forged")
    assert await wrong(app, days) == [False, False, True]


async def test_rows_that_cannot_be_read_are_told_and_break_nothing(app: App) -> None:
    await write(app, "one", "two", "three")
    rows = [row async for row in app.tables.rows(TABLE, DAY.isoformat())]
    for number, data in ((1, "{"), (3, "[]")):
        await app.tables.put_raw(TABLE, {**rows[number], "data": data})
    await app.tables.put_raw(TABLE, {"PartitionKey": REGISTER_PARTITION, "RowKey": "odd", "data": "1"})
    verdict = await only(app)
    assert (verdict["ok"], verdict["head"], verdict["entries"]) == (False, None, 3)


def unchained(moment: datetime) -> dict[str, Any]:
    """A row as it was written before there were chains."""
    identifier = f"{253_402_300_800_000 - int(moment.timestamp() * 1000):015d}deadbeef"
    said = {"id": identifier, "at": moment.isoformat(), "actor": "a", "action": "b.c", "target": "t"}
    data = json.dumps({**said, "outcome": "succeeded"})
    return {"PartitionKey": f"{moment:%Y-%m-%d}", "RowKey": identifier, "data": data, "actor": "a", "target": "t"}


async def test_entries_from_before_chains_are_told_apart(app: App) -> None:
    for moment in (MIDNIGHT + timedelta(hours=1), MIDNIGHT - timedelta(hours=9)):
        await app.tables.put_raw(TABLE, unchained(moment))
    await write(app, "chained")
    report = await audit.verify(app, DAY)
    assert (report["ok"], report["unchained"], report["entries"]) == (True, 1, 1)
    before = await audit.verify(app, DAY - timedelta(days=1))
    assert (before["ok"], before["unchained"], before["chains"]) == (True, 1, [])
    assert before["message"].startswith("1 entries were written before there were chains")
    assert [entry.target for entry in await stored(app)] == ["chained", "t"]


async def test_an_entry_without_a_chain_is_a_forgery_once_there_are_chains(app: App) -> None:
    await write(app, "chained")
    await app.tables.put_raw(TABLE, unchained(MIDNIGHT + timedelta(days=1, hours=1)))
    report = await audit.verify(app, DAY + timedelta(days=1))
    assert (report["ok"], report["unchained"]) == (False, 1)


async def test_retention_takes_whole_days_and_what_remains_is_whole(app: App) -> None:
    days = await three_days(app)
    await write(at(app, MIDNIGHT), "begun long ago", tenant_id=OTHER)
    keep = timedelta(days=app.settings.audit_retention_days)
    # The last hour of the last day on which the second day is kept, then the first on which it is not.
    assert await retention.sweep(at(app, MIDNIGHT + timedelta(days=1, hours=23) + keep)) > 0
    assert await stored(app, days[0]) == []
    assert await wrong(app, days) == [False, False, False]
    gone = await audit.verify(app, days[0])
    assert gone["message"] == f"The day is not kept any more: retention has removed what is before {days[1]}."
    assert [(await only(app, day))["begins"] for day in days[1:]] == [True, False]
    assert gone["keptFrom"] == days[1].isoformat()
    # A chain of which nothing is left goes on.
    much_later = at(app, MIDNIGHT + timedelta(days=30) + keep)
    await retention.sweep(much_later)
    await write(much_later, "new", tenant_id=OTHER)
    verdict = await only(app, much_later.clock.now().date(), OTHER)
    assert (verdict["ok"], verdict["begins"]) == (True, True)


def test_no_age_of_rows_cuts_through_a_chain() -> None:
    assert TABLE not in {age.table for age in retention.AGES}


async def test_a_sweep_that_was_cut_off_leaves_no_sign_of_tampering(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    days = await three_days(app)
    later = at(app, MIDNIGHT + timedelta(days=1, hours=1, seconds=app.settings.audit_retention_days * 86400))
    monkeypatch.setattr(retention, "ROWS_PER_SWEEP", 2)
    assert await retention.sweep(later) == 2
    assert len(await stored(app, days[0])) == 1
    assert await wrong(app, days) == [False, False, False]
    while await retention.sweep(later):
        pass
    assert [len(await stored(app, day)) for day in days] == [0, 3, 3]
