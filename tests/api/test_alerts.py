"""Alerts over the wire: what opens and closes them, and that every sink is told once and in order."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from sandbox.world import Resource
from shared import jobs
from shared.access import ADMIN, DEVICES_READ, Principal
from shared.alerts import carry, lease, reads
from shared.alerts.records import ALERTS, OPEN, Alert, alert_id, client_key
from shared.incidents.records import Effect
from tests.estate import Estate

ALICE = Principal("alice", "Alice", frozenset({ADMIN, DEVICES_READ}), None)


def types(received: list[dict[str, Any]]) -> list[str]:
    return [row["body"]["type"] for row in received]


async def about(estate: Estate, machine: Resource) -> list[dict[str, Any]]:
    """What arrived at the webhook receiver about a machine, once everything has."""
    await estate.settle(30, delayed=True)
    wanted = estate.device_id(machine)
    return [row for row in await estate.received() if row["body"]["subject"] == wanted]


async def alert_of(estate: Estate, machine: Resource) -> dict[str, Any]:
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    found: dict[str, Any] = alert
    return found


async def ill(estate: Estate, machine: Resource) -> dict[str, Any]:
    """Make a machine ill, after a first poll that saw it well: its open alert."""
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    return await alert_of(estate, machine)


async def apply(estate: Estate) -> None:
    await estate.app.queues.send(jobs.ApplyEvents(subscription_id=estate.cloud().id))
    await estate.settle(30)


async def test_a_device_that_falls_ill_opens_one_alert_and_recovers_to_close_it(estate: Estate) -> None:
    sink = await estate.webhook()
    machine = estate.machine()
    alert = await ill(estate, machine)
    assert (alert["state"], alert["condition"], alert["status"]) == ("open", "unavailable", "unavailable")
    assert (alert["clientName"], alert["siteId"], alert["tenantName"]) == ("Contoso", "contoso-hq", "Contoso")
    await estate.settle(30, delayed=True)
    alert = await alert_of(estate, machine)
    [ticket] = alert["tickets"]
    assert (ticket["sinkId"], ticket["kind"], ticket["state"]) == (sink["id"], "webhook", "open")
    device = await estate.call("GET", f"/devices/{alert['deviceId']}")
    brief = ("id", "state", "condition", "severity", "openedAt")
    assert device["openAlert"] == {name: alert[name] for name in brief}
    estate.recover(machine)
    await estate.poll()
    assert await estate.listed("/alerts", state="open", deviceId=alert["deviceId"]) == []
    assert "openAlert" not in await estate.call("GET", f"/devices/{alert['deviceId']}")
    received = await about(estate, machine)
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert (detail["state"], detail["closeReason"], detail["status"]) == ("closed", "recovered", "available")
    assert [step["what"] for step in detail["timeline"]] == ["opened", "closed"]
    assert detail["tickets"][0]["state"] == "closed"
    assert types(received) == ["tenantry.alert.opened", "tenantry.alert.closed"]
    assert all(row["verified"] for row in received)
    assert [row["body"]["data"]["id"] for row in received] == [alert["id"]] * 2


@pytest.mark.parametrize("ahead", [1, 3600, 26 * 3600])
async def test_a_recovery_counts_though_the_worker_that_sees_it_is_behind_the_one_that_saw_the_fault(
    estate: Estate, ahead: float
) -> None:
    await estate.call("PUT", "/alerts/policy", json={"reopenMinutes": 0})
    await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    estate.app.clock.advance(ahead)
    await estate.poll()
    opened = await alert_of(estate, machine)
    estate.app.clock.advance(-ahead)
    estate.recover(machine)
    await estate.poll()
    closed = await alert_of(estate, machine)
    assert (closed["id"], closed["state"], closed["closeReason"]) == (opened["id"], "closed", "recovered")
    assert closed["closedAt"] > opened["openedAt"]
    estate.fall_ill(machine)
    await estate.poll()
    [reopened] = await estate.listed("/alerts", deviceId=opened["deviceId"], state="open")
    assert reopened["openedAt"] > closed["closedAt"]
    await estate.advance(ahead + 61)
    await estate.timer("deliver_due")
    await estate.settle(30, delayed=True)
    assert types(await about(estate, machine)) == [f"tenantry.alert.{what}" for what in ("opened", "closed", "opened")]


async def test_a_deleted_device_closes_its_alert_with_that_reason(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await ill(estate, machine)
    cloud = estate.cloud()
    del cloud.resources[machine.id.lower()]
    cloud.version += 1
    await estate.poll()
    assert (await alert_of(estate, machine))["closeReason"] == "deviceDeleted"
    assert types(await about(estate, machine)) == ["tenantry.alert.opened", "tenantry.alert.closed"]


async def test_an_unmapped_site_closes_its_alerts_with_that_reason(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await ill(estate, machine)
    answer = await estate.alice.delete("/sites/contoso-hq/mapping")
    assert answer.is_success, answer.text
    await estate.settle(30)
    assert (await alert_of(estate, machine))["closeReason"] == "siteUnmapped"
    assert await estate.listed("/devices", clientName="Contoso") == []
    assert types(await about(estate, machine)) == ["tenantry.alert.opened", "tenantry.alert.closed"]


@pytest.mark.parametrize("reason", ["tenantUnsynced", "subscriptionGone"])
async def test_devices_that_leave_our_sight_close_their_alerts(estate: Estate, reason: str) -> None:
    machine = estate.machine()
    await ill(estate, machine)
    for _ in range(2):
        await estate.app.queues.send(jobs.CloseAlerts(subscription_id=estate.cloud().id, reason=reason))
        await estate.settle(30)
        assert (await alert_of(estate, machine))["closeReason"] == reason


async def test_a_subscription_that_cannot_be_read_closes_nothing(estate: Estate) -> None:
    machine = estate.machine()
    alert = await ill(estate, machine)
    estate.recover(machine)
    estate.cloud().role_assignments.clear()
    await estate.poll()
    assert (await alert_of(estate, machine))["state"] == "open"
    assert alert["state"] == "open"


async def test_an_alert_that_is_being_moved_shows_once(estate: Estate) -> None:
    machine = estate.machine()
    alert = await ill(estate, machine)
    tables = estate.app.tables
    before = await tables.get(ALERTS, OPEN, alert["deviceId"])
    assert before is not None
    estate.recover(machine)
    await estate.poll()
    closed = await alert_of(estate, machine)
    assert closed["state"] == "closed"
    # As a worker leaves it that died before its last step: the open row is still there.
    await tables.put(ALERTS, before.changed(etag=None))
    assert await estate.listed("/alerts", deviceId=alert["deviceId"]) == [closed]
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert detail["state"] == "closed"
    # And one that was opened again: the row that knows more counts.
    newer = before.changed(etag=None, effect_count=before.effect_count + 9)
    await tables.put(ALERTS, newer)
    [shown] = await estate.listed("/alerts", deviceId=alert["deviceId"])
    assert shown["state"] == "open"


async def test_an_open_alert_without_an_incident_closes_with_its_subscription(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    alert = await ill(estate, machine)
    row = await estate.app.tables.get(ALERTS, OPEN, alert["deviceId"])
    assert row is not None
    other = f"{row.subject_id[:-3]}zzz"
    carried = carry.Carried(estate.app)
    draft = row.changed(id=alert_id(other, row.opened_at), subject_id=other, effect_count=0, etag=None)
    await carry.open_alert(carried, draft, Effect(kind="open", at=row.opened_at, alert_id=draft.id, number=1))
    await carried.finish()
    await estate.app.queues.send(jobs.CloseAlerts(subscription_id=estate.cloud().id, reason="siteUnmapped"))
    await estate.settle(30, delayed=True)
    assert await estate.app.tables.all(ALERTS, OPEN) == []
    assert (await estate.call("GET", f"/alerts/{draft.id}"))["closeReason"] == "siteUnmapped"


async def test_a_second_worker_waits_for_the_first_on_a_subscription(estate: Estate) -> None:
    held = await lease.take(estate.app, "s")
    assert isinstance(held, lease.Lease)
    waiting = await lease.take(estate.app, "s")
    assert isinstance(waiting, float)
    assert 0 < waiting <= lease.SECONDS
    await estate.advance(lease.SECONDS + 1)
    taken = await lease.take(estate.app, "s")
    assert isinstance(taken, lease.Lease)
    assert await lease.renew(estate.app, held) is None
    await lease.release(estate.app, held)
    assert await lease.renew(estate.app, taken) is not None


async def test_events_that_find_their_client_worked_on_are_an_alert_within_three_seconds(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    held = await lease.take(estate.app, client_key("Contoso", estate.cloud().id))
    assert isinstance(held, lease.Lease)
    estate.fall_ill(machine)
    await estate.poll()
    await lease.release(estate.app, held)
    began = time.monotonic()
    await estate.settle(30, delayed=True)
    assert time.monotonic() - began < 3
    assert (await alert_of(estate, machine))["state"] == "open"


async def test_events_wait_while_another_worker_holds_the_subscription(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    held = await lease.take(estate.app, client_key("Contoso", estate.cloud().id))
    assert isinstance(held, lease.Lease)
    estate.fall_ill(machine)
    await estate.poll()
    assert await estate.listed("/alerts", deviceId=estate.device_id(machine)) == []
    await lease.release(estate.app, held)
    await apply(estate)
    assert (await alert_of(estate, machine))["state"] == "open"


async def test_alerts_are_seen_within_ones_sites_only(estate: Estate) -> None:
    await estate.grant("bob", "fabrikam-hq")
    alert = await ill(estate, estate.machine())
    bob, carol = await estate.person("bob"), await estate.person("carol")
    assert (await bob.get("/alerts")).json()["value"] == []
    assert (await bob.get(f"/alerts/{alert['id']}")).status_code == 404
    assert (await bob.post(f"/alerts/{alert['id']}/redeliver")).status_code == 404
    await estate.grant("bob", "contoso-hq")
    assert alert["id"] in [row["id"] for row in (await bob.get("/alerts")).json()["value"]]
    assert (await bob.get(f"/alerts/{alert['id']}")).status_code == 200
    assert (await carol.post(f"/alerts/{alert['id']}/redeliver")).status_code == 403


async def many(estate: Estate, count: int) -> list[str]:
    """Closed and open alerts of Contoso in turn, a day apart; their ids, newest first."""
    alert = await ill(estate, estate.machine())
    tables = estate.app.tables
    template = await tables.get(ALERTS, OPEN, alert["deviceId"])
    assert template is not None
    ids = []
    for number in range(count):
        at = template.opened_at - timedelta(days=number + 1)
        device = f"{template.subject_id[:-3]}{number:03d}"
        row: Alert = template.changed(id=alert_id(device, at), subject_id=device, opened_at=at, etag=None, sink_ids=[])
        if number % 2:
            row = row.changed(state="closed", closed_at=at, close_reason="recovered")
        await tables.put(ALERTS, row)
        ids.append(row.id)
    return ids


async def test_open_and_closed_alerts_page_in_one_order_newest_first(estate: Estate) -> None:
    ids = await many(estate, 40)
    seen: list[str] = []
    link = "/alerts?$top=7&$count=true"
    while link:
        page = await estate.call("GET", link)
        seen += [row["id"] for row in page["value"]]
        link = page.get("nextLink", "")
        assert page["count"] == len(await reads.listed(estate.app, reads.Filter(), limit=None))
    assert len(seen) == len(set(seen))
    assert [row for row in seen if row in ids] == ids
    only_closed = [row["id"] for row in await estate.listed("/alerts", state="closed")]
    assert only_closed == ids[1::2]
    assert await estate.listed("/alerts", state="suppressed") == []


async def test_a_wrong_filter_is_refused(estate: Estate) -> None:
    for query in (
        "state=ajar",
        "status=sad",
        "$orderby=status",
        "$orderby=openedAt asc",
        "$skiptoken=WzFd",
        "$skiptoken=x",
        "sate=open",
    ):
        error = (await estate.call("GET", f"/alerts?{query}", 400))["error"]
        assert error["code"] == "invalidInput", query


async def test_an_unknown_alert_is_not_found(estate: Estate) -> None:
    for identifier in ("x", "x-", "-1", "a-zzzzzzzzzz", "no.such-1"):
        await estate.call("GET", f"/alerts/{identifier}", 404)
        await estate.call("POST", f"/alerts/{identifier}/redeliver", 404)


async def test_filters_narrow_the_list(estate: Estate) -> None:
    machine = estate.machine()
    alert = await ill(estate, machine)
    for query in ({"search": machine.name.upper()[:6]}, {"clientName": "contoso"}, {"status": "unavailable"}):
        assert alert["id"] in [row["id"] for row in await estate.listed("/alerts", **query)]
    for query in ({"search": "no such name"}, {"clientName": "Fabrikam"}, {"tenantId": "x"}, {"siteId": "other"}):
        assert await estate.listed("/alerts", **query) == []


async def test_redelivering_sends_the_same_events_under_the_same_ids(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    alert = await ill(estate, machine)
    shown = await estate.call("POST", f"/alerts/{alert['id']}/redeliver", 202, json={"reason": "lost it"})
    assert [step["what"] for step in shown["timeline"]] == ["opened", "redelivered"]
    await estate.settle(30)
    received = await about(estate, machine)
    assert types(received) == ["tenantry.alert.opened"] * 2
    assert len({row["headers"]["webhook-id"] for row in received}) == 1
    audited = await estate.listed("/audit", target=alert["id"])
    assert [(row["action"], row["reason"]) for row in audited] == [("alert.redeliver", "lost it")]


async def test_an_alert_that_nobody_was_told_of_cannot_be_redelivered(estate: Estate) -> None:
    alert = await ill(estate, estate.machine())
    await estate.call("POST", f"/alerts/{alert['id']}/redeliver", 409)
