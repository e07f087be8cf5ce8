"""Tenantry's own alerts: each failure is caused, opens one ticket where it can be told, and closes by itself."""

from __future__ import annotations

from typing import Any

from shared.jobs import CloseAlerts
from shared.outbox import sinks
from shared.outbox.records import HEAD, LINE
from shared.poison import POISONED
from tests.estate import Estate

MINUTES = 60


async def watch(estate: Estate, *, delayed: bool = True) -> None:
    """Have it look; `delayed`: and wait until what a burst of events leaves for its end is sent too."""
    await estate.timer("watch_itself")
    await estate.settle(30, delayed=delayed)


async def own(estate: Estate, state: str = "open") -> list[dict[str, Any]]:
    return await estate.listed("/alerts", kind="self", state=state)


async def told(estate: Estate) -> list[tuple[str, str]]:
    """What the webhook receiver was told of Tenantry itself: event and condition."""
    bodies = [row["body"] for row in await estate.received()]
    return [(row["type"], row["data"]["condition"]) for row in bodies if row["data"].get("kind") == "self"]


def both(condition: str) -> list[tuple[str, str]]:
    return [("tenantry.alert.opened", condition), ("tenantry.alert.closed", condition)]


async def polls(estate: Estate) -> None:
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")


async def test_a_late_cycle_is_one_ticket_and_closes_with_the_next_polls(estate: Estate) -> None:
    sink = await estate.webhook()
    await polls(estate)
    await watch(estate)
    assert await own(estate) == []
    await estate.advance(46 * MINUTES)
    await watch(estate)
    [alert] = await own(estate)
    await watch(estate)
    assert [row["id"] for row in await own(estate)] == [alert["id"]]
    assert (alert["condition"], alert["severity"], alert["title"]) == ("pollLate", "high", "Health polls are late")
    assert [row["sinkId"] for row in alert["tickets"]] == [sink["id"]]
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert "2 of 2 subscriptions" in detail["timeline"][0]["detail"]
    await polls(estate)
    await watch(estate)
    assert await own(estate) == []
    [closed] = await own(estate, "closed")
    assert (closed["id"], closed["closeReason"]) == (alert["id"], "recovered")
    assert await told(estate) == both("pollLate")


async def test_a_tenant_that_azure_refuses_is_one_ticket_at_its_sites_sinks(estate: Estate) -> None:
    mine, _ = await estate.webhook(siteIds=["contoso-hq"]), await estate.webhook(siteIds=["fabrikam-hq"])
    await polls(estate)
    assignments = list(estate.cloud().role_assignments)
    estate.cloud().role_assignments.clear()
    await polls(estate)
    await estate.advance(119 * MINUTES)
    await polls(estate)
    await watch(estate)
    assert await own(estate) == []
    await estate.advance(2 * MINUTES)
    await polls(estate)
    await watch(estate)
    [alert] = await own(estate)
    assert (alert["condition"], alert["title"]) == ("tenantFailing", "Contoso cannot be read")
    assert (alert["siteId"], alert["clientName"]) == ("contoso-hq", "Contoso")
    assert [row["sinkId"] for row in alert["tickets"]] == [mine["id"]]
    estate.cloud().role_assignments.extend(assignments)
    await polls(estate)
    await watch(estate)
    assert await own(estate) == []
    assert await told(estate) == both("tenantFailing")


async def test_a_sign_in_that_is_gone_is_one_ticket_for_all_tenants(estate: Estate) -> None:
    await estate.webhook()
    await polls(estate)
    (await estate.control.post("/people/dave/revoke")).raise_for_status()
    estate.app.identity.forget_connection("c1")
    await polls(estate)
    await estate.advance(121 * MINUTES)
    await watch(estate)
    [alert] = await own(estate)
    assert alert["title"] == "The connection Northwind needs a sign-in"
    assert "siteId" not in alert or alert["siteId"] is None


async def broken(estate: Estate, **fields: Any) -> dict[str, Any]:
    """A sink whose receiver takes no connection."""
    settings = {"url": "http://127.0.0.1:9/nobody"}
    body = {"kind": "webhook", "name": "Broken", "settings": settings, **fields}
    made: dict[str, Any] = await estate.call("POST", "/sinks", 201, json=body)
    return made


async def test_a_sink_that_is_down_too_long_is_told_at_another_and_not_at_itself(estate: Estate) -> None:
    down, good = await broken(estate), await estate.webhook()
    await polls(estate)
    estate.fall_ill(estate.machine())
    await estate.poll()
    await watch(estate, delayed=False)
    assert await own(estate) == []
    await estate.advance(61 * MINUTES)
    await polls(estate)
    await watch(estate, delayed=False)
    [alert] = await own(estate)
    assert (alert["condition"], alert["title"]) == ("sinkFailing", "The sink Broken gets nothing")
    assert [row["sinkId"] for row in alert["tickets"]] == [good["id"]]
    waiting = await estate.listed(f"/sinks/{down['id']}/deliveries")
    assert alert["id"] not in {row.get("alertId") for row in waiting}
    receiver = (await estate.control.get("/world")).json()["receivers"]["webhook"]
    mended = {**down, "settings": {"url": receiver["url"], "secret": receiver["secret"]}}
    await estate.call("PUT", f"/sinks/{down['id']}", json=mended)
    await estate.advance(16 * MINUTES)
    await estate.timer("deliver_due")
    await estate.settle(30, delayed=True)
    await polls(estate)
    await watch(estate)
    assert await own(estate) == []
    assert await told(estate) == both("sinkFailing")


async def test_a_sink_that_was_switched_off_by_itself_is_a_ticket_and_one_switched_off_by_hand_is_none(
    estate: Estate,
) -> None:
    await estate.webhook()
    by_hand = await broken(estate, name="By hand")
    off = await broken(estate, name="Off")
    await estate.call("PUT", f"/sinks/{by_hand['id']}", json={**by_hand, "enabled": False})
    stored = await sinks.find(estate.app, off["id"])
    assert stored is not None
    await sinks.disable(estate.app, stored, "It answered 401.")
    await estate.settle(30)
    await polls(estate)
    await estate.advance(61 * MINUTES)
    await polls(estate)
    await watch(estate)
    [alert] = await own(estate)
    assert alert["title"] == "The sink Off gets nothing"
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert "It answered 401." in detail["timeline"][0]["detail"]
    await estate.call("DELETE", f"/sinks/{off['id']}", 204)
    await watch(estate)
    assert await own(estate) == []


async def test_work_that_was_given_up_is_a_ticket_until_it_is_put_back(estate: Estate) -> None:
    await estate.webhook()
    await polls(estate)
    await estate.app.queues.send_text(CloseAlerts.QUEUE, '{"version": 99}')
    await estate.settle(30)
    await watch(estate)
    [alert] = await own(estate)
    assert (alert["condition"], alert["severity"]) == ("poisonedWork", "high")
    [given_up] = await estate.listed("/service/poison")
    good = '{"version": 1, "subscription_id": "s", "reason": "siteUnmapped"}'
    stored = await estate.app.tables.get(POISONED, "poison", given_up["id"])
    assert stored is not None
    await estate.app.tables.put(POISONED, stored.changed(body=good))
    await estate.call("POST", f"/service/poison/{given_up['id']}/requeue", 202)
    await estate.settle(30)
    await watch(estate)
    assert await own(estate) == []
    assert await told(estate) == both("poisonedWork")


async def test_more_work_that_is_given_up_is_a_note_that_names_whose_it_was(estate: Estate) -> None:
    await estate.webhook()
    await polls(estate)
    for place, name in enumerate(("Contoso", "Fabrikam")):
        cloud = estate.cloud(name)
        await estate.app.queues.send_text(CloseAlerts.QUEUE, f'{{"version": 99, "subscription_id": "{cloud.id}"}}')
        await estate.settle(30)
        for _ in range(2):
            await watch(estate)
        [alert] = await own(estate)
        assert alert["clientName"] == "Contoso"
        steps = (await estate.call("GET", f"/alerts/{alert['id']}"))["timeline"]
        assert [step["what"] for step in steps] == ["opened", "changed"][: place + 1]
        assert f"{name} (subscription {cloud.name})" in steps[-1]["detail"]
    assert [event for event, _ in await told(estate)] == ["tenantry.alert.opened", "tenantry.alert.updated"]


async def test_the_times_of_the_watchdog_are_those_of_the_policy(estate: Estate) -> None:
    await polls(estate)
    await estate.call("PUT", "/alerts/policy", json={"watchdog": {"pollLateMinutes": 120}})
    await estate.advance(119 * MINUTES)
    await watch(estate)
    assert await own(estate) == []
    await estate.advance(2 * MINUTES)
    await watch(estate)
    assert [row["condition"] for row in await own(estate)] == ["pollLate"]


async def test_a_ticket_whose_opener_died_before_he_told_anybody_is_told_by_the_next_look(estate: Estate) -> None:
    await estate.webhook()
    await polls(estate)
    await estate.advance(46 * MINUTES)
    await watch(estate)
    [alert] = await own(estate)
    # As a worker leaves it that died after it stored the alert: the sink's line was never written.
    for table, row in await _line(estate, alert["tickets"][0]["sinkId"]):
        await estate.app.tables.delete_raw(table, alert["tickets"][0]["sinkId"], row)
    before = len(await told(estate))
    await watch(estate)
    await estate.advance(2)
    await estate.timer("deliver_due")
    assert len(await told(estate)) == before + 1


async def _line(estate: Estate, sink_id: str) -> list[tuple[str, str]]:
    rows = estate.app.tables.rows(LINE.table, sink_id, select=["RowKey"])
    return [(LINE.table, entity["RowKey"]) async for entity in rows if entity["RowKey"] != HEAD]


async def test_who_may_not_see_every_site_sees_no_alert_of_tenantry_itself(estate: Estate) -> None:
    await estate.grant("carol", "fabrikam-hq")
    await polls(estate)
    await estate.advance(46 * MINUTES)
    await watch(estate)
    [alert] = await own(estate)
    carol = await estate.person("carol")
    assert (await carol.get("/alerts", params={"kind": "self"})).json()["value"] == []
    assert (await carol.get(f"/alerts/{alert['id']}")).status_code == 404
