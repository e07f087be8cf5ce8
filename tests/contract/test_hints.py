"""Few polls out of many events, and none missed: the hint's row against Azurite, with workers that die."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from sandbox.server import Sandbox
from sandbox.world import Resource
from shared import hints, jobs, sweep
from shared.app import App
from shared.hints import work
from shared.hints.parse import Parsed
from shared.hints.sources import Sender
from shared.hints.work import HINTS, Hint
from shared.jobs import ApplyEvents, PollSubscription
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import mortal

ANYONE = Sender()
"""Whoever proved to be one of Microsoft's applications."""


@dataclass
class Listener:
    """Contoso, and what asked for its subscription to be read. The host polls, unless `sent` takes the messages."""

    estate: Estate

    @property
    def app(self) -> App:
        return self.estate.app

    @property
    def subscription(self) -> str:
        return self.estate.cloud().id

    @property
    def parsed(self) -> Parsed:
        return Parsed((self.subscription,), 1, 0)

    async def row(self) -> Hint | None:
        return await self.app.tables.get(HINTS, "hint", self.subscription)

    async def status(self, resource: Resource) -> str:
        shown = await self.estate.call("GET", f"/devices/{self.estate.device_id(resource)}")
        return str(shown["status"])


@pytest_asyncio.fixture
async def listener(
    fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle
) -> AsyncIterator[Listener]:
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    await estate.poll()
    yield Listener(estate)


@contextlib.asynccontextmanager
async def collected(app: App) -> AsyncIterator[list[jobs.Job]]:
    """What is sent meanwhile is kept here instead: no worker takes it."""
    kept: list[jobs.Job] = []

    async def keep(job: jobs.Job, *, delay: float = 0) -> None:
        kept.append(job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.queues, "send", keep)
        yield kept


async def nothing(app: App, job: ApplyEvents) -> None:
    """Apply no events: where a test is about polls."""


async def test_while_a_message_waits_no_second_one_is_sent(listener: Listener) -> None:
    app = listener.app
    async with collected(app) as sent:
        heard = await asyncio.gather(*(hints.arrived(app, listener.parsed, ANYONE) for _ in range(50)))
        assert {row.subscriptions for row in heard} == {1}
        assert sent == [PollSubscription(subscription_id=listener.subscription, hinted=True)]


async def test_an_event_during_a_poll_is_followed_by_another_look(listener: Listener) -> None:
    app, machine = listener.app, listener.estate.machine()
    polls = 0

    async def apply(app: App, job: ApplyEvents) -> None:
        nonlocal polls
        polls += 1
        if polls == 1:
            # The poll has read Azure already.
            listener.estate.fall_ill(machine)
            for _ in range(5):
                await hints.arrived(app, listener.parsed, ANYONE)

    async with collected(app) as sent:
        await hints.run(app, PollSubscription(subscription_id=listener.subscription, hinted=True), apply)
        assert polls == 2
        assert [job for job in sent if isinstance(job, PollSubscription)] == []
    assert await listener.status(machine) == "unavailable"
    assert await listener.row() is None


async def test_a_storm_is_handed_over_to_another_message(listener: Listener) -> None:
    app = listener.app
    polls = 0

    async def apply(app: App, job: ApplyEvents) -> None:
        nonlocal polls
        polls += 1
        await hints.arrived(app, listener.parsed, ANYONE)

    async with collected(app) as sent:
        await hints.run(app, PollSubscription(subscription_id=listener.subscription, hinted=True), apply)
    assert polls == work.ROUNDS
    assert sent == [PollSubscription(subscription_id=listener.subscription, hinted=True)]
    row = await listener.row()
    assert row is not None
    assert row.waiting_since is not None
    assert row.running_since is None


async def test_two_messages_do_not_poll_a_subscription_at_once(listener: Listener) -> None:
    app, job = listener.app, PollSubscription(subscription_id=listener.subscription, hinted=True)

    async def apply(app: App, _: ApplyEvents) -> None:
        await hints.run(app, job, nothing)

    async with collected(app) as sent:
        await hints.run(app, job, apply)
        assert sent.count(job) == 1, "the second comes back later"


async def test_a_poll_that_found_nothing_new_is_done_once_more(listener: Listener) -> None:
    # Azure's list may show a change later than its event arrives.
    app, job = listener.app, PollSubscription(subscription_id=listener.subscription, hinted=True)
    async with collected(app) as sent:
        await hints.run(app, job, nothing)
        assert sent == [job.model_copy(update={"looks": 1})]
        [again] = sent
        assert isinstance(again, PollSubscription)
        sent.clear()
        await hints.run(app, again, nothing)
        assert sent == []


async def test_a_message_that_was_never_sent_is_sent_by_the_timer(listener: Listener) -> None:
    estate, machine = listener.estate, listener.estate.machine()
    estate.fall_ill(machine)
    with pytest.raises(AzureError):
        # Killed between the row and the message.
        await hints.arrived(mortal(listener.app, 1), listener.parsed, ANYONE)
    assert await listener.row() is not None
    async with collected(listener.app) as sent:
        assert await hints.lost(listener.app) == []
        await hints.arrived(listener.app, listener.parsed, ANYONE)
        assert sent == [], "as far as anybody knows, one waits"
    await estate.advance(work.LOST_AFTER.total_seconds() + 1)
    assert await sweep.resend(listener.app) == 1
    await estate.settle(30)
    assert await listener.status(machine) == "unavailable"
    assert await listener.row() is None


async def test_an_event_does_not_wait_for_the_timer_when_a_message_is_overdue(listener: Listener) -> None:
    estate, machine = listener.estate, listener.estate.machine()
    await listener.app.tables.put(
        HINTS, Hint(subscription_id=listener.subscription, waiting_since=listener.app.clock.now())
    )
    estate.fall_ill(machine)
    await estate.advance(work.STALE.total_seconds() + 1)
    await hints.arrived(listener.app, listener.parsed, ANYONE)
    await estate.settle(30)
    assert await listener.status(machine) == "unavailable"


@pytest.mark.parametrize("writes", range(1, 9))
async def test_a_worker_killed_at_any_write_of_a_hinted_poll_loses_nothing(listener: Listener, writes: int) -> None:
    estate, machine = listener.estate, listener.estate.machine()
    job = PollSubscription(subscription_id=listener.subscription, hinted=True)
    applied = 0

    async def apply(app: App, job: ApplyEvents) -> None:
        nonlocal applied
        applied += 1

    estate.fall_ill(machine)
    dying = mortal(listener.app, writes)
    killed = False
    async with collected(listener.app):
        try:
            await hints.run(dying, job, apply)
        except AzureError:
            killed = True
    # The platform gives the message to another worker; until the dead one's poll counts as lost, it comes back later.
    applied_before = applied
    await estate.advance(max(work.STALE, timedelta(seconds=60)).total_seconds() + 1)
    async with collected(listener.app):
        await hints.run(listener.app, job, apply)
    assert applied > applied_before
    assert await listener.status(machine) == "unavailable"
    assert await listener.row() is None
    assert killed or writes > 4


async def test_work_that_is_given_up_leaves_no_hint_behind(listener: Listener) -> None:
    job = PollSubscription(subscription_id=listener.subscription, hinted=True)

    async def broken(app: App, job: ApplyEvents) -> None:
        raise AzureError("nobody expected this")

    for _ in range(2):
        with pytest.raises(AzureError):
            await hints.run(listener.app, job, broken)
        row = await listener.row()
        assert row is not None
        assert row.running_since is None, "the next try must not take itself for another worker"
    await hints.give_up(listener.app, job, "It failed five times in a row.")
    assert await listener.row() is None
