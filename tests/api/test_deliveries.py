"""What is sent to a sink and when: in order, as often as the receiver allows, and nothing lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared import jobs, outbox
from shared.access import ADMIN, Principal
from shared.outbox import asking, circuit, deliveries, drain, ledger, line, outcome, sender, sinks
from shared.outbox.records import HEAD, HEADS, LINE, Head
from shared.sinks import KINDS
from shared.sinks.contract import LOST_SECONDS, SinkError
from shared.store.tables import Kind
from tests.estate import Estate
from tests.telling import alert_of, heard, log_of, notice, tell, ticket_of, wait

ALICE = Principal("alice", "Alice", frozenset({ADMIN}), None)
HOUR = 3600


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every retry is due at once, and failures never open the circuit."""
    monkeypatch.setattr(outcome, "BACK_OFF", (0,) * len(circuit.BACK_OFF))
    monkeypatch.setattr(circuit, "FAILURES", 1000)


async def announce(estate: Estate, event_id: str = "e1", site_ids: list[str] | None = None) -> None:
    """Announce something to the sinks, and wait until it was tried."""
    job = jobs.Announce(
        event="tenantry.tenant.synced", event_id=event_id, subject="t1", site_ids=site_ids, data={"id": "t1"}
    )
    await estate.app.queues.send(job)
    await estate.settle(30)


async def states(estate: Estate, sink: dict[str, Any]) -> list[str]:
    return [row.state for row in await log_of(estate, sink)]


async def test_a_failing_receiver_is_tried_again_with_the_same_id(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=503, times=2)
    await announce(estate)
    received = await estate.received()
    assert [row["status"] for row in received] == [503, 503, 200]
    assert len({row["headers"]["webhook-id"] for row in received}) == 1
    assert len({row["raw"] for row in received}) == 1
    [shown] = await estate.listed(f"/sinks/{sink['id']}/deliveries")
    assert shown["state"] == "delivered"
    assert [attempt["status"] for attempt in shown["attempts"]] == [503, 503, 200]
    assert all(attempt["durationMs"] >= 0 for attempt in shown["attempts"])


async def test_deliveries_of_an_alert_are_listed_apart_from_those_of_others(estate: Estate) -> None:
    sink = await estate.webhook()
    first = alert_of(estate.app, "1")
    await tell(estate, first, ["opened", "closed"], [sink["id"]])
    await estate.advance(HOUR)
    second, third = alert_of(estate.app, "2"), alert_of(estate.app, "3")
    await tell(estate, second, ["opened"], [sink["id"]])
    await estate.receiver_fails(status=503, times=1)
    await tell(estate, third, ["opened"], [sink["id"]])
    path = f"/sinks/{sink['id']}/deliveries"

    async def told(**query: Any) -> list[tuple[str, str]]:
        return [(row["alertId"], row["event"].rpartition(".")[2]) for row in await estate.listed(path, **query)]

    assert await told(alertId=first) == [(first, "closed"), (first, "opened")]
    assert await told(alertId=[first, second]) == [(second, "opened"), (first, "closed"), (first, "opened")]
    assert await told(alertId=[first, third], state="pending") == [(third, "opened")]
    assert await told(alertId="another") == []
    page = await estate.call("GET", path, params={"alertId": first, "$top": 1, "$count": True})
    assert (page["count"], len(page["value"])) == (2, 1)
    await estate.call("GET", path, 400, params={"alertId": ["a"] * 11})


async def test_what_waits_is_listed_by_a_few_queries_however_much_it_is(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = await estate.webhook(enabled=False)
    for number in range(12):
        await tell(estate, alert_of(estate.app, str(number)), ["opened"], [sink["id"]])
    get, read = estate.app.tables.get, list[str]()

    async def counted(kind: Kind[Any], partition: str, row: str) -> Any:
        read.append(row)
        return await get(kind, partition, row)

    monkeypatch.setattr(estate.app.tables, "get", counted)
    found = await deliveries.of_sink(estate.app, sink["id"])
    assert (len(found), all(row.body for row in found), read) == (12, True, [])


async def test_what_waits_for_a_sink_ends_though_its_deletion_takes_long(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await estate.webhook(enabled=False)
    await tell(estate, alert_of(estate.app, "1"), ["opened"], [made["id"]])
    delete = estate.app.tables.delete

    async def slow(kind: Kind[Any], record: Any) -> None:
        if kind is sinks.SINKS:
            # What was to be done once it is gone comes while it is there.
            await estate.settle(30, delayed=True)
        await delete(kind, record)

    monkeypatch.setattr(estate.app.tables, "delete", slow)
    sink = await sinks.find(estate.app, made["id"])
    assert sink is not None
    await sinks.remove(estate.app, ALICE, sink)
    await estate.settle(30, delayed=True)
    assert [row.state for row in await deliveries.of_sink(estate.app, made["id"])] == ["failed"]


async def test_a_dropped_connection_is_a_failed_attempt_with_its_reason(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(kind="disconnect", times=1)
    await announce(estate)
    [row] = await log_of(estate, sink)
    assert [attempt.status for attempt in row.attempts] == [0, 200]
    assert "could not be reached" in str(row.attempts[0].error)


async def test_a_silent_receiver_is_left_after_the_time_out(
    estate: Estate, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sinks.http.TIMEOUT_SECONDS", 0.2)
    sink = await estate.webhook()
    await estate.receiver_fails(delayMs=1000, times=1)
    await announce(estate)
    [row] = await log_of(estate, sink)
    assert "did not answer" in str(row.attempts[0].error)
    assert row.state == "delivered"


async def test_many_requests_for_one_message_are_bounded_together(
    estate: Estate, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "OPERATION_SECONDS", 0.2)
    sink = await estate.webhook()
    await estate.receiver_fails(delayMs=1000, times=1)
    await announce(estate)
    [row] = await log_of(estate, sink)
    assert "not done within" in str(row.attempts[0].error)
    # It may be under way still.
    assert row.due_at - row.attempts[0].at >= timedelta(seconds=LOST_SECONDS)
    await wait(estate, LOST_SECONDS + 5)
    [row] = await log_of(estate, sink)
    assert row.state == "delivered"


async def test_a_redirect_is_a_failure_and_not_followed(estate: Estate, quick: None) -> None:
    await estate.webhook()
    await estate.receiver_fails(status=302, times=1)
    await announce(estate)
    assert [row["status"] for row in await estate.received()] == [302, 200]


async def test_after_the_last_attempt_a_delivery_has_failed(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=500)
    await announce(estate)
    [row] = await log_of(estate, sink)
    assert (row.state, row.attempt_count, len(row.attempts)) == ("failed", 9, 10)
    assert 'The receiver answered 500: {"error":"The receiver was told to fail.' in str(row.last_error)


async def test_a_mistake_of_a_kind_with_one_message_does_not_stop_the_others(
    estate: Estate, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = await estate.webhook()
    send = KINDS["webhook"].close

    async def mistaken(outlet: Any, settings: Any, message: Any) -> Any:
        if message.text == "closed 2":
            raise KeyError("id")
        return await send(outlet, settings, message)

    monkeypatch.setattr(KINDS["webhook"], "close", mistaken)
    for name in ("a", "b"):
        await tell(
            estate, alert_of(estate.app, name), ["opened", "closed"], [sink["id"]], first=1 if name == "a" else 3
        )
    assert sorted(await states(estate, sink)) == ["delivered", "delivered", "delivered", "failed"]
    [failed] = await estate.listed(f"/sinks/{sink['id']}/deliveries", state="failed")
    assert failed["lastError"] == "It failed with an unexpected answer: KeyError."


async def test_events_of_an_alert_arrive_in_order_though_the_first_is_tried_again(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=500, times=2)
    await tell(estate, alert_of(estate.app, "a"), ["opened", "updated", "closed"], [sink["id"]])
    assert await heard(estate) == ["opened"] * 3 + ["updated", "closed"]


async def test_an_event_waits_for_the_one_before_it_and_other_alerts_do_not(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "BACK_OFF", (HOUR,) * 9)
    sink, (first, second) = await estate.webhook(), (alert_of(estate.app, name) for name in "ab")
    await estate.receiver_fails(status=500, times=1)
    await tell(estate, first, ["opened"], [sink["id"]])
    await tell(estate, first, ["closed"], [sink["id"]], first=2)
    await tell(estate, second, ["opened"], [sink["id"]])
    assert [row["body"]["data"]["id"] for row in await estate.received()] == [first, second]
    assert (await ticket_of(estate, first, sink))["state"] == "pending"
    await wait(estate, HOUR + 1)
    rows = [row["body"] for row in await estate.received() if row["body"]["data"]["id"] == first]
    assert [row["type"].rpartition(".")[2] for row in rows] == ["opened", "opened", "closed"]


async def test_two_events_of_one_millisecond_keep_their_order(estate: Estate) -> None:
    sink, alert = await estate.webhook(), alert_of(estate.app, "a")
    now = estate.app.clock.now()
    verbs = ("opened", "updated", "updated", "closed")
    told = [notice(alert, verb, number, now, [sink["id"]]) for number, verb in enumerate(verbs, 1)]  # type: ignore[arg-type]  # the tuple's words are verbs
    await outbox.tell(estate.app, told[::-1])
    await estate.settle(30)
    assert await heard(estate) == list(verbs)


async def test_the_same_events_told_again_are_sent_once(estate: Estate) -> None:
    sink, alert = await estate.webhook(), alert_of(estate.app, "a")
    now = estate.app.clock.now()
    opened, closed = (notice(alert, v, n, now, [sink["id"]]) for n, v in ((1, "opened"), (2, "closed")))  # type: ignore[arg-type]  # as above
    await outbox.tell(estate.app, [opened])
    await estate.settle(30)
    await outbox.tell(estate.app, [opened, closed, closed])
    await outbox.tell(estate.app, [closed, opened])
    await estate.settle(30)
    assert await heard(estate) == ["opened", "closed"]


async def test_what_follows_an_opening_that_was_given_up_is_not_told_to_an_event_sink_until_it_is_sent_again(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "BACK_OFF", ())
    sink, alert = await estate.webhook(), alert_of(estate.app, "a")
    await estate.receiver_fails(status=500, times=1)
    await tell(estate, alert, ["opened"], [sink["id"]])
    await tell(estate, alert, ["updated", "closed"], [sink["id"]], first=2)
    assert await states(estate, sink) == ["failed"] * 3
    assert len(await estate.received()) == 1
    assert (await ticket_of(estate, alert, sink))["state"] == "failed"
    assert await estate.call("POST", f"/sinks/{sink['id']}/redeliver", 202) == {"count": 3}
    await estate.settle(30)
    assert await heard(estate) == ["opened", "opened", "updated", "closed"]
    assert (await ticket_of(estate, alert, sink)) == {"sinkId": sink["id"], "kind": "webhook", "state": "closed"}


async def test_a_receiver_that_is_down_for_hours_loses_nothing_and_is_hardly_asked(estate: Estate) -> None:
    sink = await estate.webhook()
    alerts = [alert_of(estate.app, str(number)) for number in range(12)]
    await estate.receiver_fails(status=503)
    for alert in alerts:
        await tell(estate, alert, ["opened"], [sink["id"]])
    shown = (await estate.call("GET", f"/sinks/{sink['id']}"))["delivery"]
    assert (shown["circuit"], shown["pending"]) == ("open", 12)
    for _ in range(4 * 12):
        await wait(estate, 300)
    asked = len(await estate.received())
    assert 12 <= asked - circuit.FAILURES <= 24, "about every quarter of an hour"
    await estate.receiver_fails()
    for _ in range(10):
        await wait(estate, 400)
    await estate.settle(30)
    assert await states(estate, sink) == ["delivered"] * 12
    arrived = [row["body"]["data"]["id"] for row in await estate.received() if row["status"] == 200]
    assert Counter(arrived) == Counter(alerts)
    assert (await estate.call("GET", f"/sinks/{sink['id']}"))["delivery"] == {
        "pending": 0,
        "held": 0,
        "circuit": "closed",
    }


async def test_one_message_that_the_receiver_cannot_digest_does_not_keep_the_others(estate: Estate) -> None:
    sink = await estate.webhook()
    bad = alert_of(estate.app, "bad")
    send = KINDS["webhook"].open

    async def digest(outlet: Any, settings: Any, message: Any) -> Any:
        if message.key.startswith(bad):
            raise SinkError("The receiver answered 500.", status=500)
        return await send(outlet, settings, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KINDS["webhook"], "open", digest)
        await tell(estate, bad, ["opened"], [sink["id"]])
        for _ in range(5):
            await wait(estate, 1000)
        assert (await estate.call("GET", f"/sinks/{sink['id']}"))["delivery"]["circuit"] == "open"
        good = alert_of(estate.app, "good")
        await tell(estate, good, ["opened"], [sink["id"]])
        await wait(estate, 1000)
    assert (await ticket_of(estate, good, sink))["state"] == "open"


async def test_429_pauses_the_whole_sink_and_costs_no_attempt(estate: Estate) -> None:
    sink, (first, second) = await estate.webhook(), (alert_of(estate.app, name) for name in "ab")
    await estate.receiver_fails(status=429, times=1, retryAfter=900)
    await tell(estate, first, ["opened"], [sink["id"]])
    await tell(estate, second, ["opened"], [sink["id"]])
    await wait(estate, 800)
    assert len(await estate.received()) == 1
    [row, _] = await log_of(estate, sink)
    assert (row.state, row.attempt_count, len(row.attempts)) == ("pending", 0, 1)
    assert "pausedUntil" in (await estate.call("GET", f"/sinks/{sink['id']}"))["delivery"]
    await wait(estate, 101)
    assert [row["status"] for row in await estate.received()] == [429, 200, 200]
    assert all(row["verified"] for row in await estate.received()), "signed when it was sent"


async def test_retry_after_is_waited_for_when_it_is_longer_than_ours(estate: Estate) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=503, times=1, retryAfter=900)
    began = estate.app.clock.now()
    await announce(estate)
    [row] = await log_of(estate, sink)
    assert timedelta(seconds=890) < row.due_at - began < timedelta(seconds=960)
    await wait(estate, 901)
    assert await states(estate, sink) == ["delivered"]


async def test_a_short_pause_is_waited_out_by_who_sends(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS["webhook"], "CONCURRENCY", 1)
    await estate.receiver_fails(status=429, times=1, retryAfter=1)
    sink, now = await estate.webhook(), estate.app.clock.now()
    told = [notice(alert_of(estate.app, name), "opened", 1, now, [sink["id"]]) for name in "abc"]
    await outbox.tell(estate.app, told)
    await estate.settle(30)
    refused, *others = (datetime.fromisoformat(row["at"]) for row in await estate.received())
    assert len(others) == 3
    assert others[0] - refused >= timedelta(seconds=1)
    assert await states(estate, sink) == ["delivered"] * 3


async def test_no_more_begin_in_a_minute_than_the_kind_says(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS["webhook"], "PER_MINUTE", 30)
    monkeypatch.setattr(KINDS["webhook"], "CONCURRENCY", 4)
    monkeypatch.setattr(drain, "QUICK_SECONDS", 0.5)
    monkeypatch.setattr(drain, "RUN_SECONDS", 0.5)
    sink, now = await estate.webhook(), estate.app.clock.now()
    told = [notice(alert_of(estate.app, str(n)), "opened", 1, now, [sink["id"]]) for n in range(60)]

    def allowed() -> float:
        """Four at once and 26 in the minute after them: however long it took to come here."""
        return 4 + (estate.app.clock.now() - now).total_seconds() * 26 / 60

    # Its successors wait for this test, not the test for them.
    monkeypatch.setattr(ledger, "SOON", timedelta(seconds=-1))
    await outbox.tell(estate.app, told)
    await estate.settle(30)
    for _ in range(60):
        count = len(await estate.received())
        assert count <= allowed()
        if count == len(told):
            break
        await wait(estate, 13)
    assert await states(estate, sink) == ["delivered"] * 60


async def test_nobody_sends_while_another_has_the_lease_and_a_lease_ends_by_itself(estate: Estate) -> None:
    sink, alert = await estate.webhook(), alert_of(estate.app, "a")
    now = estate.app.clock.now()
    await estate.app.tables.put(HEADS, Head(sink_id=sink["id"], holder="somebody", until=now + ledger.LEASE))
    await tell(estate, alert, ["opened"], [sink["id"]])
    await estate.timer("deliver_due")
    assert await heard(estate) == []
    await wait(estate, ledger.LEASE.total_seconds() + 1)
    assert await heard(estate) == ["opened"]
    head = await estate.app.tables.get(HEADS, sink["id"], HEAD)
    assert head is not None
    assert head.holder == ""


async def test_who_lost_the_lease_stores_nothing_more(estate: Estate) -> None:
    sink, alert = await estate.webhook(enabled=False), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]])
    [row] = await estate.app.tables.all(LINE, sink["id"], prefix="p|")
    mine = await ledger.take(estate.app, sink["id"])
    assert mine is not None
    assert await ledger.take(estate.app, sink["id"]) is None
    await estate.advance(61)
    theirs = await ledger.take(estate.app, sink["id"])
    assert theirs is not None
    mine.add(outcome.given_up(row, None, "late", estate.app.clock.now()))
    with pytest.raises(ledger.LeaseLost):
        await mine.store()
    assert await states(estate, sink) == ["pending"]
    theirs.add(outcome.given_up(row, None, "in time", estate.app.clock.now()))
    await theirs.store()
    assert [row.last_error for row in await log_of(estate, sink)] == ["in time"]


async def test_what_comes_while_the_line_is_emptied_is_sent_too(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = await estate.webhook()
    walk, late = sender.Sender.run, alert_of(estate.app, "late")

    async def run(self: sender.Sender) -> None:
        await walk(self)
        if not await estate.app.tables.all(LINE, sink["id"], prefix="p|"):
            # Its own job finds the lease taken, and ends.
            now = estate.app.clock.now()
            await outbox.tell(estate.app, [notice(late, "opened", 1, now, [sink["id"]])])
            await outbox.run_delivery(estate.app, jobs.DeliverSlow(sink_id=sink["id"]))
            monkeypatch.setattr(sender.Sender, "run", walk)

    monkeypatch.setattr(sender.Sender, "run", run)
    monkeypatch.setattr(line, "wake", _nobody)
    await tell(estate, alert_of(estate.app, "a"), ["opened"], [sink["id"]])
    await outbox.run_delivery(estate.app, jobs.DeliverSlow(sink_id=sink["id"]))
    assert [row["body"]["data"]["id"] for row in await estate.received()][1:] == [late]


async def _nobody(app: Any, sink_ids: Any) -> None:
    """Wake no sink."""


async def test_a_long_line_is_left_to_a_successor(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "QUICK_SECONDS", 0.2)
    monkeypatch.setattr(drain, "RUN_SECONDS", 0.2)
    sink = await estate.webhook()
    now = estate.app.clock.now()
    told = [notice(alert_of(estate.app, str(n)), "opened", 1, now, [sink["id"]]) for n in range(300)]
    await outbox.tell(estate.app, told)
    await estate.settle(60, delayed=True)
    assert Counter(await states(estate, sink)) == {"delivered": 300}
    assert len({row["headers"]["webhook-id"] for row in await estate.received()}) == 300
    assert len(await estate.received()) == 300


async def test_deliveries_page_newest_first(estate: Estate) -> None:
    sink = await estate.webhook()
    await announce(estate, "e0")
    await estate.receiver_fails(status=429, retryAfter=9000)
    for number in range(1, 5):
        await estate.advance(60)
        await announce(estate, f"e{number}")
    for state, expected in (("", 5), ("pending", 4), ("delivered", 1), ("failed", 0)):
        seen: list[str] = []
        link = f"/sinks/{sink['id']}/deliveries?$top=2&$count=true" + (f"&state={state}" if state else "")
        while link:
            page = await estate.call("GET", link)
            assert page["count"] == expected
            seen += [row["eventAt"] for row in page["value"]]
            link = page.get("nextLink", "")
        assert len(seen) == expected
        assert seen == sorted(seen, reverse=True)
