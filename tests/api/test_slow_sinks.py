"""Sinks that fail, answer slowly or ask for quiet: they cost nobody else's tickets time, and no request is wasted."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from shared import outbox
from shared.outbox import ledger
from shared.outbox.records import HEAD, HEADS, Head
from tests.estate import Estate
from tests.telling import alert_of, log_of, notice, tell, wait

WORKERS = 24
"""batchSize and newBatchThreshold of host.json together: the jobs of one queue under way at once."""


async def head_of(estate: Estate, sink: dict[str, Any]) -> Head:
    found = await estate.app.tables.get(HEADS, sink["id"], HEAD)
    assert found is not None
    return found


@pytest.mark.parametrize("retry_after", [{"retryAfter": 0}, {}])
async def test_each_429_in_a_row_makes_the_pause_longer_until_the_sink_is_left_alone(
    estate: Estate, retry_after: dict[str, int]
) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=429, **retry_after)
    with pytest.MonkeyPatch.context() as patch:
        # What comes next waits for this test, not the test for it.
        patch.setattr(ledger, "SOON", timedelta(seconds=-1))
        await tell(estate, alert_of(estate.app, "a"), ["opened"], [sink["id"]])
        pauses: list[float] = []
        for _ in range(7):
            head, now = await head_of(estate, sink), estate.app.clock.now()
            pauses.append((max(head.paused_until or now, head.circuit.until or now) - now).total_seconds())
            before = len(await estate.received())
            await wait(estate, pauses[-1] + 0.1)
            # 1, 2 and 4 seconds may be waited out by who sends.
            assert len(await estate.received()) <= before + 4
    assert pauses[-1] > 100
    assert [later / earlier for earlier, later in zip(pauses[-3:], pauses[-2:], strict=False)] == pytest.approx(
        [2, 2], rel=0.1
    )
    assert len(await estate.received()) <= 12
    [row] = await log_of(estate, sink)
    assert (row.state, row.attempt_count) == ("pending", 0)
    await estate.receiver_fails()
    await wait(estate, 900)
    assert [row.state for row in await log_of(estate, sink)] == ["delivered"]
    assert (await head_of(estate, sink)).circuit.failures == 0


async def test_many_429_at_once_count_as_one(estate: Estate) -> None:
    sink, now = await estate.webhook(), estate.app.clock.now()
    await estate.receiver_fails(status=429, times=10, retryAfter=900, delayMs=200)
    told = [notice(alert_of(estate.app, str(n)), "opened", 1, now, [sink["id"]]) for n in range(10)]
    await outbox.tell(estate.app, told)
    await estate.settle(30)
    assert (await head_of(estate, sink)).circuit.failures == 1


async def test_a_sink_that_failed_is_slow_until_it_takes_what_it_is_sent(estate: Estate) -> None:
    sink = await estate.webhook()
    await tell(estate, alert_of(estate.app, "first"), ["opened"], [sink["id"]])
    assert not (await head_of(estate, sink)).slow
    await estate.receiver_fails(status=503, times=1)
    await tell(estate, alert_of(estate.app, "a"), ["opened"], [sink["id"]])
    assert (await head_of(estate, sink)).slow
    await wait(estate, 60)
    assert [row.state for row in await log_of(estate, sink)] == ["delivered"] * 2
    assert not (await head_of(estate, sink)).slow


async def test_sinks_that_are_slow_do_not_delay_the_others(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 4.0
    monkeypatch.setattr("shared.sinks.http.TIMEOUT_SECONDS", seconds)
    monkeypatch.setattr(ledger, "SOON", timedelta(seconds=-1))

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}/x"
        slow = [await estate.webhook(name=str(n), settings={"url": url}) for n in range(WORKERS + 2)]
        healthy, now = await estate.webhook(), estate.app.clock.now()
        await estate.app.tables.put(HEADS, Head(sink_id=healthy["id"], slow=False))
        first = notice(alert_of(estate.app, "a"), "opened", 1, now, [sink["id"] for sink in slow])
        await outbox.tell(estate.app, [first])
        await asyncio.sleep(1.2)  # until each of them has a worker
        began = time.monotonic()
        await outbox.tell(estate.app, [notice(alert_of(estate.app, "b"), "opened", 1, now, [healthy["id"]])])
        while not await estate.received() and time.monotonic() - began < seconds:
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
        await estate.settle(60)
    assert took < seconds - 1.5
    assert {(await head_of(estate, sink)).slow for sink in slow} == {True}


async def test_a_dead_workers_sink_is_sent_to_as_soon_as_its_lease_ends(estate: Estate) -> None:
    sink, tables = await estate.webhook(), estate.app.tables
    renewed_soon = ledger.RENEWED + timedelta(seconds=5)
    for left, arrived in ((renewed_soon, 0), (timedelta(seconds=2), 1)):
        until = estate.app.clock.now() + left
        await tables.put(HEADS, Head(sink_id=sink["id"], holder="somebody", until=until))
        if not arrived:
            await tell(estate, alert_of(estate.app, "a"), ["opened"], [sink["id"]])
        await estate.timer("deliver_due")
        await estate.settle(30, delayed=True)
        assert len(await estate.received()) == arrived
