"""Killed at any write, an action on many machines begins every one of them, none twice, and counts how they ended."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.azure_types import VM
from sandbox.host import Host
from sandbox.server import Sandbox
from sandbox.world import Resource
from shared import devices, operations, progress
from shared.app import App
from shared.devices import Shown
from shared.errors import Unavailable
from shared.jobs import AdvanceLane, FollowOperation, Job, RunBulk
from shared.operations import follow, lanes
from shared.operations.records import GUARDS, LANES, plan_of
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import Outage, living, mortal

LEAST_WRITES, MOST_WRITES = 30, 70
"""Two restarts make more than the one and fewer than the other."""
LIVES = 10
"""Workers of one test."""
IMMORTAL = 10**9
MESSAGES = (RunBulk, AdvanceLane, FollowOperation)


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host,
    sandbox: Sandbox,
    control: httpx.AsyncClient,
    api: ApiFor,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> Estate:
    """Contoso, in an Azure that does at once what it is asked; one machine of a subscription after the other."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    estate.sandbox.cloud.world.behaviour.lro = "immediate"
    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    await estate.webhook()
    await estate.poll()
    return estate


class Worker:
    """Handles messages as the platform has them handled: one that was not handled to its end comes again."""

    def __init__(self, estate: Estate, machines: list[Resource], key: str) -> None:
        self.estate, self.machines, self.key = estate, machines, key
        self.waiting: list[Job] = []
        self.killed = False
        self.hidden: set[str] = set()
        """Devices of which it had begun to send the request when it died."""

    def app(self, writes: int) -> App:
        return mortal(self.estate.app, writes, lost=MESSAGES, into=self.waiting)

    async def ask(self, app: App) -> progress.Operation:
        found = [await devices.find(self.estate.app, self.estate.device_id(row)) for row in self.machines]
        return await operations.start_many(
            app,
            verb="restart",
            found=[row for row in found if isinstance(row, Shown)],
            asked_by="tenantry",
            asked_by_name="Nightly",
            every_site=True,
            key=self.key,
        )

    async def work(self, writes: int) -> progress.Operation:
        """All of it, by a worker that dies after so many writes and then by one that lives: the operation's end."""
        app = self.app(writes)
        try:
            begun = await self.ask(app)
        except AzureError:
            self.killed, app = True, self.app(IMMORTAL)
            begun = await self.ask(app)
        while self.waiting:
            job = self.waiting[0]
            try:
                await self.handle(app, job)
            except AzureError:
                self.killed, app = True, self.app(IMMORTAL)
                self.hidden = await self.sending(begun.id)
                await self.estate.advance(follow.SENDING.total_seconds() + 1)
            else:
                self.waiting.remove(job)
        await self.estate.settle(60, delayed=True)
        # What the host was sending when the clock was stepped goes on by this.
        await self.estate.timer("deliver_due")
        return await progress.read(self.estate.app, begun.id)

    async def sending(self, operation_id: str) -> set[str]:
        """Devices whose request is being sent, as far as is stored."""
        children = await self.estate.app.tables.all(progress.OPERATIONS, operation_id.replace("-", "."))
        return {child.resource or "" for child in children if plan_of(child).phase == "sending"}

    async def handle(self, app: App, job: Job) -> None:
        if isinstance(job, RunBulk):
            await operations.run_bulk(app, job)
        elif isinstance(job, AdvanceLane):
            await operations.run_lane(app, job)
        elif isinstance(job, FollowOperation):
            await operations.run(app, job)


def sent(estate: Estate) -> Counter[str]:
    """How many restarts of each machine reached Azure."""
    rows = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    urls = [row["url"].partition("?")[0].lower() for row in rows]
    return Counter(url.removesuffix("/restart") for url in urls if url.endswith("/restart"))


async def lived(estate: Estate, writes: int) -> tuple[Worker, progress.Operation]:
    """Two restarts by a worker that dies after so many writes: none lost, none doubled, each outcome as it must be."""
    rows = [row for row in estate.cloud().resources.values() if row.type == VM and row.power == "running"][:2]
    before, worker = sent(estate), Worker(estate, rows, f"life {writes}")
    ended = await worker.work(writes)
    requests = sent(estate) - before
    items = {item.target: item.status for item in await progress.items(estate.app, ended.id)}
    assert ended.result is not None
    assert ended.result == {name: sum(status == name for status in items.values()) for name in ended.result}
    for row in rows:
        device = estate.device_id(row)
        times, hidden = requests[row.id.lower()], device in worker.hidden
        assert items[device] == ("outcomeUnknown" if hidden else "succeeded")
        assert times == 1 or (hidden and times == 0)
        assert await estate.app.tables.get(GUARDS, "device", device) is None
    assert ended.status == ("outcomeUnknown" if worker.hidden else "succeeded")
    lane = await estate.app.tables.get(LANES, "lane", rows[0].subscription_id)
    assert lane is not None
    assert (lane.slots, lane.waiting) == ([], [])
    told = [row for row in await estate.received() if row["body"]["subject"] == ended.id]
    assert len({row["headers"]["webhook-id"] for row in told}) == 1
    audited = await estate.listed("/audit", target=ended.id)
    assert {row["outcome"] for row in audited} == {"accepted", "unknown" if worker.hidden else "succeeded"}
    return worker, ended


@pytest.mark.parametrize("first", range(0, MOST_WRITES, LIVES))
async def test_a_worker_killed_at_any_write_loses_none_and_doubles_none(estate: Estate, first: int) -> None:
    killed = [(await lived(estate, writes))[0].killed for writes in range(first, first + LIVES)]
    # Once dead of the last write there is, it lives for ever.
    assert killed == sorted(killed, reverse=True)
    assert first > LEAST_WRITES or all(killed)
    assert first + LIVES < MOST_WRITES or not killed[-1], "the worker must have died at every write there is"


async def test_a_restart_whose_sending_the_kill_hid_is_counted_as_such(estate: Estate) -> None:
    for writes in range(12, LEAST_WRITES):
        worker, ended = await lived(estate, writes)
        if worker.hidden:
            assert ended.result == {"succeeded": 1, "failed": 0, "canceled": 0, "outcomeUnknown": 1}
            return
    pytest.fail("no kill hid an outcome")


async def test_a_storage_that_does_not_answer_once_while_a_device_begins_fails_none(estate: Estate) -> None:
    rows = [row for row in estate.cloud().resources.values() if row.type == VM and row.power == "running"][:2]
    for writes in range(MOST_WRITES):
        before, worker, outage = sent(estate), Worker(estate, rows, f"outage {writes}"), Outage(writes)
        lives = worker.app(IMMORTAL)
        falters = living(estate.app, outage, lost=MESSAGES, into=worker.waiting)
        begun = await worker.ask(lives)
        while worker.waiting:
            job = worker.waiting[0]
            try:
                await worker.handle(falters if isinstance(job, AdvanceLane) else lives, job)
            except Unavailable:
                # As the platform does: a message that was not handled to its end comes again.
                continue
            worker.waiting.remove(job)
        await estate.settle(60, delayed=True)
        ended = await progress.read(estate.app, begun.id)
        assert ended.result == {"succeeded": 2, "failed": 0, "canceled": 0, "outcomeUnknown": 0}, (writes, ended)
        assert sent(estate) - before == Counter(row.id.lower() for row in rows)
        for item in await progress.items(estate.app, ended.id):
            own = [row for row in await estate.listed("/audit") if row["details"].get("operationId") == item.child]
            assert sorted(row["outcome"] for row in own) == ["accepted", "succeeded"], writes
        if not outage.over:
            assert writes > 10, "a lane writes more than that"
            return
    pytest.fail("the outage must have met every write that a lane makes")
