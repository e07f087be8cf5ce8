"""What waits for a sink that cannot take it, what is sent again, and the tickets that come of it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from shared import jobs, outbox
from shared.errors import Unavailable
from shared.outbox import drain, outcome, sinks
from tests.estate import Estate
from tests.telling import alert_of, heard, log_of, notice, psa, psa_tickets, tell, ticket_of, wait

HOUR = 3600


async def announce(estate: Estate, event_id: str = "e1", site_ids: list[str] | None = None) -> None:
    """Announce something to the sinks, and wait until it was tried."""
    job = jobs.Announce(
        event="tenantry.tenant.synced", event_id=event_id, subject="t1", site_ids=site_ids, data={"id": "t1"}
    )
    await estate.app.queues.send(job)
    await estate.settle(30)


async def states(estate: Estate, sink: dict[str, Any]) -> list[str]:
    return [row.state for row in await log_of(estate, sink)]


async def test_a_ticket_without_a_company_is_held_and_shown_until_the_sink_is_saved(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened", "updated"], [sink["id"]], site_id="fabrikam-hq", client_name="Fabrikam")
    held = await ticket_of(estate, alert, sink)
    assert held["state"] == "held"
    assert "fabrikam-hq (Fabrikam) has no company" in held["lastError"]
    assert (await estate.call("GET", f"/sinks/{sink['id']}"))["delivery"]["held"] == 1
    [shown] = await estate.listed(f"/sinks/{sink['id']}/deliveries", state="held")
    assert shown["lastError"] == held["lastError"]
    await wait(estate, 2 * HOUR)
    assert await psa_tickets(estate) == []
    companies = [*sink["settings"]["companies"], {**sink["settings"]["companies"][0], "siteId": "fabrikam-hq"}]
    body = {**sink, "settings": {**sink["settings"], "companies": companies}}
    await estate.call("PUT", f"/sinks/{sink['id']}", json=body)
    await estate.settle(30)
    [ticket] = await psa_tickets(estate)
    assert (ticket["state"], len(ticket["notes"])) == ("open", 2)
    assert (await ticket_of(estate, alert, sink))["state"] == "open"


async def test_an_alert_that_is_over_before_its_held_opening_was_sent_is_skipped(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]], site_id="fabrikam-hq")
    await tell(estate, alert, ["updated", "closed"], [sink["id"]], site_id="fabrikam-hq", first=2)
    assert await states(estate, sink) == ["skipped"] * 3
    assert (await ticket_of(estate, alert, sink))["state"] == "skipped"
    assert await psa_tickets(estate) == []


async def test_a_receiver_that_is_gone_switches_its_sink_off_and_the_others_are_told_once(estate: Estate) -> None:
    sink, other = await estate.webhook(), await psa(estate)
    watcher = await estate.webhook(name="Watcher", events=["tenantry.sink.disabled"])
    await estate.receiver_fails(status=410, times=1)
    alerts = [alert_of(estate.app, name) for name in "ab"]
    for alert in alerts:
        await tell(estate, alert, ["opened"], [sink["id"], other["id"]])
    shown = await estate.call("GET", f"/sinks/{sink['id']}")
    assert (shown["enabled"], shown["disabledReason"]) == (False, "The receiver answered 410: it is gone.")
    assert await states(estate, sink) == ["pending", "pending"]
    [told] = await log_of(estate, watcher)
    assert (told.event, told.subject, told.state) == ("tenantry.sink.disabled", sink["id"], "delivered")
    assert "switched off" in (await ticket_of(estate, alerts[1], sink))["lastError"]
    again = await estate.call("PUT", f"/sinks/{sink['id']}", json={**shown, "enabled": True})
    assert "disabledReason" not in again
    await estate.settle(30)
    assert await states(estate, sink) == ["delivered", "delivered"]


async def test_a_sink_that_is_on_again_is_told_once_and_in_order_what_it_missed(estate: Estate) -> None:
    sink, told, missed = await estate.webhook(), alert_of(estate.app, "told"), alert_of(estate.app, "missed")
    await tell(estate, told, ["opened"], [sink["id"]])
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": False})
    await tell(estate, told, ["closed"], [sink["id"]], first=2)
    await tell(estate, missed, ["opened"], [sink["id"]])
    await wait(estate, HOUR)
    assert await heard(estate) == ["opened"]
    for _ in range(2):
        await estate.call("PUT", f"/sinks/{sink['id']}", json=sink)
        await estate.settle(30)
    # Different alerts have no order between them.
    verbs = dict[str, list[str]]()
    for row in await estate.received():
        verbs.setdefault(row["body"]["data"]["id"], []).append(row["body"]["type"].rpartition(".")[2])
    assert verbs == {told: ["opened", "closed"], missed: ["opened"]}
    assert (await ticket_of(estate, told, sink))["state"] == "closed"


async def test_what_opened_and_closed_while_a_sink_was_off_is_skipped(estate: Estate) -> None:
    sink, alert = await estate.webhook(enabled=False), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened", "closed", "opened"], [sink["id"]])
    await wait(estate, 60)
    assert await states(estate, sink) == ["skipped", "skipped", "pending"]
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": True})
    await estate.settle(30)
    assert await heard(estate) == ["opened"]


async def test_what_waited_for_a_week_has_failed(estate: Estate) -> None:
    off, held = await estate.webhook(enabled=False), await psa(estate)
    alert = alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [off["id"], held["id"]], site_id="fabrikam-hq")
    await wait(estate, drain.KEPT.total_seconds() - HOUR)
    assert (await states(estate, off), await states(estate, held)) == (["pending"], ["held"])
    await estate.advance(2 * HOUR)
    for sink in (off, held):
        await outbox.run_delivery(estate.app, jobs.DeliverSlow(sink_id=sink["id"]))
        [row] = await log_of(estate, sink)
        assert row.state == "failed"
        assert str(row.last_error).startswith(outcome.TOO_OLD)
        assert (await ticket_of(estate, alert, sink))["state"] == "failed"


async def test_what_waits_for_a_deleted_sink_fails(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "AFTER_REMOVAL", 1)
    sink, alert = await estate.webhook(enabled=False), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened", "closed"], [sink["id"]])
    await estate.call("DELETE", f"/sinks/{sink['id']}", 204)
    await estate.settle(30, delayed=True)
    assert [row.last_error for row in await log_of(estate, sink)] == ["The sink was deleted."] * 2
    assert (await ticket_of(estate, alert, sink))["state"] == "failed"


async def test_a_subscription_ends_when_its_receiver_is_gone(estate: Estate) -> None:
    sink = await estate.webhook()
    stored = await sinks.find(estate.app, sink["id"])
    assert stored is not None
    await estate.app.tables.put(sinks.SINKS, stored.changed(subscription=True))
    await estate.receiver_fails(status=410)
    await announce(estate)
    await estate.call("GET", f"/sinks/{sink['id']}", 404)
    assert await estate.app.vault.get(stored.secret_name) is None


async def test_an_alert_is_sent_again_under_the_same_ids(estate: Estate) -> None:
    sink, alert = await estate.webhook(), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened", "closed"], [sink["id"]])
    assert await outbox.redeliver_alert(estate.app, alert, [sink["id"]]) == 2
    await estate.settle(30)
    assert await heard(estate) == ["opened", "closed"] * 2
    ids = [row["headers"]["webhook-id"] for row in await estate.received()]
    assert ids[:2] == ids[2:]


async def test_one_delivery_is_sent_again_and_not_while_it_is_in_line(estate: Estate) -> None:
    sink = await estate.webhook()
    await announce(estate)
    [row] = await log_of(estate, sink)
    path = f"/sinks/{sink['id']}/deliveries/{row.id}/redeliver"
    await estate.receiver_fails(status=503, times=1, retryAfter=900)
    assert (await estate.call("POST", path, 202, json={"reason": "lost"}))["state"] == "pending"
    await estate.settle(30)
    await estate.call("POST", path, 409)
    await estate.call("POST", f"/sinks/{sink['id']}/deliveries/nothing/redeliver", 404)
    await wait(estate, 901)
    assert [row["status"] for row in await estate.received()] == [200, 503, 200]
    assert [row["reason"] for row in await estate.listed("/audit", target=f"{sink['id']}/{row.id}")] == ["lost"]


async def test_a_closed_alert_that_is_sent_again_to_a_desk_leaves_its_one_ticket_closed(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened", "closed"], [sink["id"]])
    await outbox.redeliver_alert(estate.app, alert, [sink["id"]])
    await estate.settle(30)
    [ticket] = await psa_tickets(estate)
    assert ticket["state"] == "closed"
    shown = await ticket_of(estate, alert, sink)
    assert (shown["state"], "closedByHand" in shown) == ("closed", False)


async def test_a_ticket_shows_its_number_and_link_and_is_closed_and_opened_again(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]])
    shown = await ticket_of(estate, alert, sink)
    assert (shown["state"], shown["kind"]) == ("open", "connectwise")
    assert {"externalId", "number", "url"} < set(shown)
    await tell(estate, alert, ["updated", "closed"], [sink["id"]], first=2)
    assert (await ticket_of(estate, alert, sink)) == {**shown, "state": "closed"}
    await tell(estate, alert, ["opened"], [sink["id"]], first=4, reopened=True)
    [ticket] = await psa_tickets(estate)
    assert ticket["state"] == "open"
    assert (await ticket_of(estate, alert, sink)) == shown


async def test_a_ticket_that_people_closed_is_shown_so_and_left_alone(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]])
    [ticket] = await psa_tickets(estate)
    by_hand = f"/receivers/connectwise/tickets/{ticket['id']}"
    (await estate.control.put(by_hand, json={"state": "closed"})).raise_for_status()
    await estate.timer("read_back_tickets")
    shown = await ticket_of(estate, alert, sink)
    assert (shown["state"], shown["closedByHand"]) == ("closed", True)
    await tell(estate, alert, ["updated", "closed"], [sink["id"]], first=2)
    await tell(estate, alert, ["opened", "closed"], [sink["id"]], first=4, reopened=True)
    [after] = await psa_tickets(estate)
    assert "opened 4" in after["notes"].pop(), "it failed again after it was back"
    assert after == {**ticket, "state": "closed", "closings": 1}
    rows = await log_of(estate, sink)
    assert [row.state for row in rows] == ["delivered"] * 5
    assert all(row.detail for row in rows[1:])
    assert (await ticket_of(estate, alert, sink))["closedByHand"] is True


async def test_what_fails_again_after_it_was_back_says_so_where_its_ticket_was_closed_by_hand(estate: Estate) -> None:
    await psa(estate)
    await estate.poll()
    machine = estate.machine()
    estate.fall_ill(machine)
    await estate.poll()
    [ticket] = await psa_tickets(estate)
    by_hand = f"/receivers/connectwise/tickets/{ticket['id']}"
    (await estate.control.put(by_hand, json={"state": "closed"})).raise_for_status()
    for change in (estate.recover, estate.fall_ill):
        await estate.advance(300)
        change(machine)
        await estate.poll()
    [alert] = await estate.alerts_of(machine)
    assert (alert["state"], alert["tickets"][0]["state"]) == ("open", "closed")
    steps = (await estate.call("GET", f"/alerts/{alert['id']}"))["timeline"]
    assert [step["what"] for step in steps] == ["opened", "closed", "reopened", "changed"]
    assert f"Ticket {ticket['id']} was closed by hand" in steps[-1]["detail"]
    [after] = await psa_tickets(estate)
    assert after["state"] == "closed"
    assert "It is back within the time to reopen" in after["notes"][-1]


async def test_a_ticket_that_people_closed_and_opened_again_is_closed_with_its_alert(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]])
    [ticket] = await psa_tickets(estate)
    by_hand = f"/receivers/connectwise/tickets/{ticket['id']}"
    (await estate.control.put(by_hand, json={"state": "closed"})).raise_for_status()
    await estate.timer("read_back_tickets")
    (await estate.control.put(by_hand, json={"state": "open"})).raise_for_status()
    await tell(estate, alert, ["closed"], [sink["id"]], first=2)
    assert [row["state"] for row in await psa_tickets(estate)] == ["closed"]
    assert "closedByHand" not in await ticket_of(estate, alert, sink)


async def test_a_ticket_that_the_desk_refused_for_good_stays_failed_until_it_is_sent_again(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    (await estate.control.put("/receivers/connectwise", json={"requireType": True})).raise_for_status()
    await tell(estate, alert, ["opened", "updated"], [sink["id"]])
    assert await states(estate, sink) == ["failed", "delivered"]
    shown = await ticket_of(estate, alert, sink)
    assert (shown["state"], "400" in shown["lastError"]) == ("failed", True)
    (await estate.control.put("/receivers/connectwise", json={"requireType": False})).raise_for_status()
    assert await estate.call("POST", f"/sinks/{sink['id']}/redeliver", 202) == {"count": 1}
    await estate.settle(30)
    assert (await ticket_of(estate, alert, sink))["state"] == "open"
    await tell(estate, alert, ["closed"], [sink["id"]], first=3)
    assert [row["state"] for row in await psa_tickets(estate)] == ["closed"]


async def test_what_a_sink_missed_while_off_leaves_the_ticket_of_an_earlier_time_as_it_was(estate: Estate) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened", "closed"], [sink["id"]])
    before = await ticket_of(estate, alert, sink)
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": False})
    await estate.advance(60)
    await tell(estate, alert, ["opened", "closed"], [sink["id"]], first=3, reopened=True)
    await wait(estate, 60)
    assert (await states(estate, sink))[2:] == ["skipped"] * 2
    assert await ticket_of(estate, alert, sink) == before


async def test_wrong_credentials_switch_a_desk_off_and_saving_the_right_ones_sends_what_waited(estate: Estate) -> None:
    sink, alert = await psa(estate, settings={"privateKey": "wrong"}), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]])
    shown = await estate.call("GET", f"/sinks/{sink['id']}")
    assert shown["enabled"] is False
    assert "401" in shown["disabledReason"]
    place = (await estate.control.get("/world")).json()["receivers"]["connectwise"]
    settings = {**sink["settings"], "privateKey": place["privateKey"]}
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "settings": settings})
    await estate.settle(30)
    assert [row["state"] for row in await psa_tickets(estate)] == ["open"]


async def test_tickets_of_many_alerts_are_found_whatever_lies_between_them(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = await estate.webhook()
    alerts = []
    for number in range(30):
        await estate.advance(60)
        alerts.append(alert_of(estate.app, str(number)))
    now = estate.app.clock.now()
    await outbox.tell(estate.app, [notice(alert, "opened", 1, now, [sink["id"]]) for alert in alerts])
    await estate.settle(30)
    asked = [*alerts[::5], alert_of(estate.app, "never")]
    for spare in (400, 0, -8):
        monkeypatch.setattr(sys.modules["shared.outbox.tickets"], "SPARE", spare)
        found = await outbox.tickets(estate.app, [(alert, [sink["id"]]) for alert in asked])
        assert [found[alert][0]["state"] for alert in asked] == ["open"] * 6 + ["pending"], spare


async def test_a_desk_that_is_removed_and_made_again_has_a_ticket_of_its_own_for_what_is_open(estate: Estate) -> None:
    first = await psa(estate)
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    await estate.settle(30, delayed=True)
    assert [row["state"] for row in await psa_tickets(estate)] == ["open"]
    await estate.call("DELETE", f"/sinks/{first['id']}", 204)
    await estate.settle(60, delayed=True)
    assert [row["state"] for row in await psa_tickets(estate)] == ["closed"]
    await psa(estate)
    await estate.settle(60, delayed=True)
    assert [row["state"] for row in await psa_tickets(estate)] == ["closed", "open"]
    estate.recover(machine)
    await estate.poll()
    await estate.settle(60, delayed=True)
    assert [row["state"] for row in await psa_tickets(estate)] == ["closed", "closed"]


async def test_of_two_sinks_at_one_desk_the_end_of_one_leaves_the_other_its_ticket(estate: Estate) -> None:
    kept, other = await psa(estate), await psa(estate, name="Other", siteIds=["contoso-hq"])
    alert = alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [kept["id"], other["id"]])
    assert len(await psa_tickets(estate)) == 2
    await tell(estate, alert, ["closed"], [other["id"]], first=2)
    mine, others = await ticket_of(estate, alert, kept), await ticket_of(estate, alert, other)
    by_id = {row["id"]: row["state"] for row in await psa_tickets(estate)}
    assert (by_id[mine["externalId"]], by_id[others["externalId"]]) == ("open", "closed")


async def test_a_sink_that_is_deleted_while_an_opening_is_on_its_way_closes_that_ticket_too(estate: Estate) -> None:
    sink = await psa(estate)
    machine = estate.machine()
    await estate.poll()
    # The desk takes the ticket, and nobody hears of it before the sink is deleted.
    await estate.control.put(
        "/receivers/connectwise",
        json={"kind": "disconnectAfter", "times": 1, "method": "POST", "path": ".*/service/tickets"},
    )
    estate.fall_ill(machine)
    await estate.poll()
    await estate.settle(30)
    assert [row["state"] for row in await psa_tickets(estate)] == ["open"]
    await estate.call("DELETE", f"/sinks/{sink['id']}", 204)
    await estate.settle(30)
    await wait(estate, 180)
    await estate.settle(30)
    assert [row["state"] for row in await psa_tickets(estate)] == ["closed"]


async def test_a_desk_that_would_not_hear_of_closings_is_refused(estate: Estate) -> None:
    sink = await psa(estate)
    body = {"kind": sink["kind"], "name": "Half", "settings": sink["settings"], "events": ["tenantry.alert.opened"]}
    refused = await estate.call("PUT", f"/sinks/{sink['id']}", 400, json=body)
    assert refused["error"]["target"] == "events"


async def test_what_was_held_is_sent_though_the_message_of_saving_its_sink_was_lost(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, alert = await psa(estate), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]], site_id="fabrikam-hq")
    company = {**sink["settings"]["companies"][0], "siteId": "fabrikam-hq"}
    body = {**sink, "settings": {**sink["settings"], "companies": [company]}}

    async def lost(*_: Any, **__: Any) -> None:
        raise Unavailable("The queues do not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(estate.app.queues, "send", lost)
        await estate.call("PUT", f"/sinks/{sink['id']}", 503, json=body)
    assert await states(estate, sink) == ["held"]
    await estate.timer("deliver_due")
    await estate.settle(30)
    assert (await states(estate, sink), len(await psa_tickets(estate))) == (["delivered"], 1)
