"""A storage that takes every other transaction without saying so, or not at all, while a sink is sent to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import jobs, outbox
from shared.app import App
from shared.errors import Unavailable
from shared.outbox import ledger, line, sender
from shared.store.tables import Tables, Write
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.telling import alert_of, log_of, notice, psa, psa_tickets


class DoubtfulTables(Tables):
    """The real tables; no answer comes to every other transaction, which was done (`done`) or not."""

    def __init__(self, real: Tables, *, done: bool) -> None:
        super().__init__(real._service)
        self._clients, self._done, self.count = real._clients, done, 0

    async def transact(self, writes: Iterable[Write]) -> list[str]:
        self.count += 1
        if self.count % 2 == 0:
            return await super().transact(writes)
        if self._done:
            await super().transact(writes)
        raise Unavailable("Table Storage does not answer.")


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host,
    sandbox: Sandbox,
    control: httpx.AsyncClient,
    api: ApiFor,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Estate]:
    """Contoso, where nobody sends but the test, and a few outcomes fill a transaction."""

    async def nobody(app: App, sink_ids: Collection[str]) -> None:
        """Wake no sink."""

    monkeypatch.setattr(line, "wake", nobody)
    monkeypatch.setattr(ledger, "IN_ONE", 9)
    monkeypatch.setattr(ledger, "NO_ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(sender, "FULL", 1)
    monkeypatch.setattr(sender, "KEPT_SECONDS", 0.01)
    yield await made.build(fresh_app, sandbox, control, api, settle)


@pytest.mark.parametrize("done", [True, False])
async def test_what_the_storage_does_not_answer_is_neither_lost_nor_sent_again(estate: Estate, *, done: bool) -> None:
    sinks, at = [await estate.webhook(), await psa(estate)], estate.app.clock.now()
    alerts = [alert_of(estate.app, str(number)) for number in range(5)]
    ids = [sink["id"] for sink in sinks]
    told = [notice(alert, "opened", 1, at, ids) for alert in alerts]
    told += [notice(alert, "closed", 2, at + timedelta(seconds=1), ids) for alert in alerts]
    await outbox.tell(estate.app, told)
    tables = DoubtfulTables(estate.app.tables, done=done)
    for sink in ids:
        await outbox.run_delivery(replace(estate.app, tables=tables), jobs.DeliverSlow(sink_id=sink))
    assert tables.count > 8
    for sink in sinks:
        assert [row.state for row in await log_of(estate, sink)] == ["delivered"] * 10
    assert len(await estate.received()) == 10
    tickets = await psa_tickets(estate)
    assert [(row["state"], row["closings"], len(row["notes"])) for row in tickets] == [("closed", 1, 2)] * 5


async def test_a_worker_stops_when_the_storage_stays_away_until_its_lease_may_end(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, alert = await estate.webhook(), alert_of(estate.app, "a")
    await outbox.tell(estate.app, [notice(alert, "opened", 1, estate.app.clock.now(), [sink["id"]])])
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "RESERVE", ledger.LEASE)
        app = replace(estate.app, tables=DoubtfulTables(estate.app.tables, done=False))
        await outbox.run_delivery(app, jobs.DeliverSlow(sink_id=sink["id"]))
    assert [row.state for row in await log_of(estate, sink)] == ["pending"]
    await estate.advance(ledger.LEASE.total_seconds() + 1)
    await outbox.run_delivery(estate.app, jobs.DeliverSlow(sink_id=sink["id"]))
    assert [row.state for row in await log_of(estate, sink)] == ["delivered"]
