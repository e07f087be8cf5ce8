"""Workers that die while they send: a desk has each ticket once all the same, and other sinks know what came twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import jobs, outbox
from shared.app import App
from shared.outbox import deliveries, ledger, line, sender
from shared.sinks import KINDS
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import mortal
from tests.telling import Verb, alert_of, log_of, notice, psa, psa_tickets

VERBS: tuple[Verb, ...] = ("opened", "updated", "closed")
ALERTS = 3


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host,
    sandbox: Sandbox,
    control: httpx.AsyncClient,
    api: ApiFor,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Estate]:
    """Contoso, where nobody sends but the test, and each outcome is a write of its own."""

    async def nobody(app: App, sink_ids: Collection[str]) -> None:
        """Wake no sink."""

    monkeypatch.setattr(line, "wake", nobody)
    monkeypatch.setattr(ledger, "IN_ONE", 3)
    monkeypatch.setattr(sender, "FULL", 1)
    monkeypatch.setattr(sender, "KEPT_SECONDS", 0.01)
    yield await made.build(fresh_app, sandbox, control, api, settle)


async def tell(estate: Estate, app: App, alerts: list[str], sink: dict[str, Any]) -> None:
    """Tell of the whole life of alerts."""
    at = estate.app.clock.now().replace(microsecond=0)
    rows = [
        notice(alert, verb, number, at + timedelta(seconds=number), [sink["id"]])
        for alert in alerts
        for number, verb in enumerate(VERBS, 1)
    ]
    await outbox.tell(app, rows)


async def send(app: App, sink: dict[str, Any]) -> bool:
    """Send what waits; whether the worker was killed."""
    try:
        await outbox.run_delivery(app, jobs.DeliverSlow(sink_id=sink["id"]))
    except (AzureError, BaseExceptionGroup):
        return True
    return False


async def finish(estate: Estate, sink: dict[str, Any]) -> None:
    """Another worker, once the lease of the dead one has ended."""
    await estate.advance(ledger.LEASE.total_seconds() + 1)
    assert not await send(estate.app, sink)
    assert all(row.state == "delivered" for row in await log_of(estate, sink))


async def arrived(estate: Estate) -> dict[str, list[str]]:
    """What the webhook receiver heard of each alert in its order, whatever came again counted once."""
    found: dict[str, dict[str, str]] = {}
    for row in await estate.received():
        seen = found.setdefault(row["body"]["data"]["id"], {})
        seen.setdefault(row["headers"]["webhook-id"], row["body"]["type"].rpartition(".")[2])
    return {alert: list(seen.values()) for alert, seen in found.items()}


async def test_a_worker_killed_at_any_write_loses_no_event_and_repeats_under_the_same_id(estate: Estate) -> None:
    sink, killed, repeated = await estate.webhook(), 0, 0
    for writes in range(14):
        alerts = [alert_of(estate.app, f"{writes}x{number}") for number in range(ALERTS)]
        await tell(estate, estate.app, alerts, sink)
        killed += await send(mortal(estate.app, writes), sink)
        await finish(estate, sink)
        heard = await arrived(estate)
        assert [heard[alert] for alert in alerts] == [list(VERBS)] * ALERTS, writes
        repeated += len(await estate.received()) - sum(len(verbs) for verbs in heard.values())
        await estate.control.delete("/receivers/webhook")
        await estate.advance(60)
    assert killed >= 10, "it must have died at every write there is"
    assert repeated <= 14 * ALERTS * len(VERBS)


async def test_a_worker_killed_at_any_write_leaves_one_ticket_that_is_closed_once(estate: Estate) -> None:
    sink, killed = await psa(estate), 0
    for writes in range(1, 12):
        alerts = [alert_of(estate.app, f"{writes}x{number}") for number in range(ALERTS)]
        await tell(estate, estate.app, alerts, sink)
        killed += await send(mortal(estate.app, writes), sink)
        await finish(estate, sink)
        await assert_each_ticket_once(estate, alerts, sink)
        await estate.control.delete("/receivers/connectwise")
        await estate.advance(60)
    assert killed >= 8


async def assert_each_ticket_once(estate: Estate, alerts: list[str], sink: dict[str, Any]) -> None:
    """One ticket an alert, closed, with each note once."""
    tickets = await psa_tickets(estate)
    assert Counter(row["key"].partition(".")[0] for row in tickets) == Counter(alerts)
    requests = (await estate.control.get("/receivers/connectwise")).json()["deliveries"]
    closings = Counter(row["path"] for row in requests if row["method"] == "PATCH")
    assert set(closings.values()) == {1}
    assert len(closings) == len(alerts)
    for ticket in tickets:
        assert ticket["state"] == "closed"
        assert len(ticket["notes"]) == len(set(ticket["notes"])) == len(VERBS), ticket
    shown = await outbox.tickets(estate.app, [(alert, [sink["id"]]) for alert in alerts])
    assert {shown[alert][0]["state"] for alert in alerts} == {"closed"}
    assert not any("closedByHand" in shown[alert][0] for alert in alerts)


class Killed(BaseException):
    """The process is gone."""


def dying(patch: pytest.MonkeyPatch, kind: str, calls: int) -> None:
    """Make the process end right after the receiver has done what it was asked, the `calls`th time."""
    left = [calls]
    for verb in ("open", "update", "close"):
        send = getattr(KINDS[kind], verb)

        async def last(outlet: Any, settings: Any, message: Any, send: Any = send) -> Any:
            receipt = await send(outlet, settings, message)
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return receipt

        patch.setattr(KINDS[kind], verb, last)


@pytest.mark.parametrize("kind", ["webhook", "connectwise"])
async def test_a_worker_killed_between_the_receivers_deed_and_our_record_doubles_no_ticket(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # Nothing is stored before it dies.
    monkeypatch.setattr(sender, "FULL", 1000)
    monkeypatch.setattr(sender, "WAITED_SECONDS", 1000)
    sink = await (psa(estate) if kind == "connectwise" else estate.webhook())
    doubled = 0
    for calls in range(1, ALERTS * len(VERBS) + 1):
        alerts = [alert_of(estate.app, f"{calls}x{number}") for number in range(ALERTS)]
        await tell(estate, estate.app, alerts, sink)
        with pytest.MonkeyPatch.context() as patch:
            dying(patch, kind, calls)
            assert await send(estate.app, sink)
        await finish(estate, sink)
        if kind == "connectwise":
            await assert_each_ticket_once(estate, alerts, sink)
        else:
            heard = await arrived(estate)
            assert [heard[alert] for alert in alerts] == [list(VERBS)] * ALERTS, calls
            doubled += len(await estate.received()) - ALERTS * len(VERBS)
        await estate.control.delete(f"/receivers/{kind}")
        await estate.advance(60)
    if kind == "webhook":
        assert doubled >= ALERTS * len(VERBS), "at least what it had sent when it died"


async def test_telling_that_is_cut_off_and_done_again_tells_once(estate: Estate) -> None:
    sink = await estate.webhook()
    # One event in a transaction, so that it can be cut off between them.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "IN_ONE", 1)
        patch.setattr(line, "AT_ONCE", 1)
        for writes in range(4):
            alerts = [alert_of(estate.app, str(writes))]
            at = estate.app.clock.now()
            rows = [notice(alerts[0], verb, n, at, [sink["id"]]) for n, verb in enumerate(VERBS, 1)]
            if writes < len(VERBS):
                with pytest.raises(BaseExceptionGroup):
                    await outbox.tell(mortal(estate.app, writes), rows)
            await send(estate.app, sink)
            await outbox.tell(estate.app, rows)
            await send(estate.app, sink)
            assert (await arrived(estate))[alerts[0]] == list(VERBS)
    assert len(await estate.received()) == 4 * len(VERBS)


async def test_a_redelivery_cut_off_before_its_message_is_sent_by_the_timer(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, alerts = await estate.webhook(), [alert_of(estate.app, "a")]
    await tell(estate, estate.app, alerts, sink)
    await send(estate.app, sink)
    # The rows are put back in line; no job is sent, as nobody is woken here.
    assert await deliveries.redeliver_alert(estate.app, alerts[0], [sink["id"]]) == len(VERBS)
    await estate.settle(10)
    assert len(await estate.received()) == len(VERBS)
    await estate.timer("deliver_due")
    verbs = [row["body"]["type"].rpartition(".")[2] for row in await estate.received()]
    assert verbs == [*VERBS, *VERBS]


async def test_two_workers_at_once_send_each_event_once(estate: Estate) -> None:
    sink = await estate.webhook()
    alerts = [alert_of(estate.app, str(number)) for number in range(20)]
    await tell(estate, estate.app, alerts, sink)
    await asyncio.gather(*(send(estate.app, sink) for _ in range(8)))
    assert len(await estate.received()) == 20 * len(VERBS)
    assert {tuple(verbs) for verbs in (await arrived(estate)).values()} == {VERBS}
