"""When a device deserves a ticket, over the wire: holds, unknown, flapping, reopening, silence, people."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sandbox.world import Resource
from shared.alerts.due import DUE, PARTITION
from shared.alerts.records import ALERTS, OPEN
from shared.clock import rfc3339
from shared.incidents.records import INCIDENTS
from shared.jobs import ApplyEvents
from shared.operations import planned
from shared.outbox.sinks import SINKS
from tests.estate import Estate

OPENED, UPDATED, CLOSED = "opened", "updated", "closed"


async def policy(estate: Estate, **rules: Any) -> None:
    await estate.call("PUT", "/alerts/policy", json=rules)
    await estate.settle(30)


async def told(estate: Estate, machine: Resource, *, delayed: bool = True) -> list[str]:
    """What the webhook heard of a machine, in order."""
    await estate.settle(30, delayed=delayed)
    wanted = estate.device_id(machine)
    rows = [row["body"] for row in await estate.received() if row["body"]["subject"] == wanted]
    return [row["type"].rpartition(".")[2] for row in rows]


async def states(estate: Estate, machine: Resource) -> list[tuple[str, str]]:
    return [(row["state"], row["condition"]) for row in await estate.alerts_of(machine)]


async def down(estate: Estate, machine: Resource) -> None:
    estate.fall_ill(machine)
    await estate.poll()


async def up(estate: Estate, machine: Resource) -> None:
    estate.recover(machine)
    await estate.poll()


@pytest.fixture
async def machine(estate: Estate) -> Resource:
    """A machine that was seen well, and a webhook."""
    await estate.webhook()
    await estate.poll()
    return estate.machine()


async def test_a_hold_opens_by_the_timer_and_not_before(estate: Estate, machine: Resource) -> None:
    await policy(estate, holdMinutes=10)
    await down(estate, machine)
    [silent] = await estate.alerts_of(machine)
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "hold")
    assert datetime.fromisoformat(silent["suppressedUntil"]) > datetime.fromisoformat(silent["openedAt"])
    shown = await estate.call("GET", f"/devices/{estate.device_id(machine)}")
    assert shown["suppressedAlert"]["suppressedBy"] == "hold"
    assert "openAlert" not in shown
    await estate.later(9)
    assert await states(estate, machine) == [("suppressed", "unavailable")]
    assert await told(estate, machine) == []
    await estate.later(1.1)
    [alert] = await estate.alerts_of(machine)
    assert (alert["id"], alert["state"]) == (silent["id"], "open")
    assert "suppressedBy" not in alert
    assert await told(estate, machine) == [OPENED]
    assert await estate.app.tables.all(DUE, PARTITION) == [], "a look that was made is not made again"


async def test_a_device_that_is_back_within_the_hold_tells_nobody_and_leaves_nothing(
    estate: Estate, machine: Resource
) -> None:
    await policy(estate, holdMinutes=10)
    await down(estate, machine)
    await estate.advance(300)
    await up(estate, machine)
    await estate.later(30)
    assert await states(estate, machine) == []
    assert await told(estate, machine) == []


@pytest.mark.parametrize("state", ["Unavailable", "Unknown"])
async def test_a_recovery_that_azure_did_not_tell_of_is_seen_before_a_waiting_alert_opens(
    estate: Estate, machine: Resource, state: str
) -> None:
    await policy(estate, holdMinutes=10, unknownAfterMinutes=10)
    await estate.health(machine, state)
    await estate.poll()
    assert [kind for kind, _ in await states(estate, machine)] == ["suppressed"]
    estate.recover(machine)
    # Less than a minute each, so that the timer runs in every minute of the clock.
    for _ in range(6):
        await estate.later(55 / 60)
    assert [kind for kind, _ in await states(estate, machine)] == ["suppressed"], "nobody asks long before its time"
    for _ in range(4):
        await estate.later(55 / 60)
    assert {state for state, _ in await states(estate, machine)} <= {"closed"}
    await estate.later(2)
    assert {state for state, _ in await states(estate, machine)} <= {"closed"}
    assert await estate.received() == []


async def test_unknown_opens_only_after_its_time(estate: Estate, machine: Resource) -> None:
    await estate.health(machine, "Unknown")
    await estate.poll()
    [silent] = await estate.alerts_of(machine)
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "unknown")
    await estate.later(29)
    assert await told(estate, machine) == []
    await estate.later(1.1)
    assert await states(estate, machine) == [("open", "unknown")]
    assert (await estate.alerts_of(machine))[0]["severity"] == "low"
    assert await told(estate, machine) == [OPENED]


async def test_strict_opens_unknown_at_once(estate: Estate, machine: Resource) -> None:
    await policy(estate, strict=True)
    await estate.health(machine, "Unknown")
    await estate.poll()
    assert await states(estate, machine) == [("open", "unknown")]


async def test_unknown_closes_by_the_policy_once_that_is_strict_no_more_unless_it_lasted(
    estate: Estate, machine: Resource
) -> None:
    await policy(estate, strict=True)
    await estate.health(machine, "Unknown")
    await estate.poll()
    await policy(estate, strict=False)
    silent, closed = await estate.alerts_of(machine)
    assert (closed["state"], closed["closeReason"]) == ("closed", "policyChanged")
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "unknown")
    assert await told(estate, machine) == [OPENED, CLOSED]
    await estate.later(31)
    await policy(estate, strict=True)
    await policy(estate, strict=False)
    assert (await states(estate, machine))[0] == ("open", "unknown")


async def test_who_looks_after_an_alert_still_does_when_it_opens_again(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    await estate.call("POST", f"/alerts/{alert['id']}/acknowledge", json={"note": "On it"})
    await up(estate, machine)
    await estate.advance(60)
    await down(estate, machine)
    [again] = await estate.alerts_of(machine)
    assert (again["id"], again["state"], again["acknowledgement"]["note"]) == (alert["id"], "open", "On it")


async def test_flapping_becomes_one_ticket_that_closes_when_it_is_quiet(estate: Estate, machine: Resource) -> None:
    await policy(estate, flapChanges=5, flapWindowMinutes=60, reopenMinutes=0)
    for _ in range(6):
        await down(estate, machine)
        await estate.advance(120)
        await up(estate, machine)
        await estate.advance(120)
    found = await states(estate, machine)
    assert found[0] == ("open", "flapping")
    assert len(found) <= 3
    events = await told(estate, machine)
    assert events.count(OPENED) - events.count(CLOSED) == 1
    before = events.count(OPENED)
    await estate.later(30)
    assert (await states(estate, machine))[0] == ("open", "flapping")
    await estate.later(31)
    assert (await states(estate, machine))[0] == ("closed", "flapping")
    assert (await told(estate, machine)).count(OPENED) == before


async def test_within_the_reopen_window_the_ticket_is_the_same(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [first] = await estate.alerts_of(machine)
    await up(estate, machine)
    await estate.advance(30 * 60)
    await down(estate, machine)
    [again] = await estate.alerts_of(machine)
    assert (again["id"], again["state"], again["openedAt"]) == (first["id"], "open", first["openedAt"])
    assert "closedAt" not in again
    assert await told(estate, machine) == [OPENED, CLOSED, OPENED]
    last = [row["body"] for row in await estate.received()][-1]
    assert (last["data"]["reopened"], last["data"]["id"]) == (True, first["id"])
    detail = await estate.call("GET", f"/alerts/{first['id']}")
    assert [step["what"] for step in detail["timeline"]] == ["opened", "closed", "reopened"]
    await up(estate, machine)
    await estate.advance(61 * 60)
    await down(estate, machine)
    newest, oldest = await estate.alerts_of(machine)
    assert oldest["id"] == first["id"] != newest["id"]


async def test_what_a_user_stopped_is_silent_and_listed_as_suppressed(estate: Estate, machine: Resource) -> None:
    await estate.stopped_by_user(machine)
    await estate.poll()
    [silent] = await estate.listed("/alerts", state="suppressed")
    assert (silent["deviceId"], silent["suppressedBy"]) == (estate.device_id(machine), "userInitiated")
    assert await estate.listed("/alerts", state="open") == []
    await estate.later(24 * 60)
    assert await states(estate, machine) == [("suppressed", "unavailable")]
    await estate.call("POST", f"/alerts/{silent['id']}/acknowledge", 409)
    await estate.call("POST", f"/alerts/{silent['id']}/redeliver", 409)
    assert "toldAt" not in silent
    await up(estate, machine)
    assert await told(estate, machine) == []
    ended = await estate.call("GET", f"/alerts/{silent['id']}")
    assert (ended["state"], ended["closeReason"], ended["suppressedBy"]) == ("closed", "recovered", "userInitiated")
    assert (ended["status"], ended["tickets"], "toldAt" in ended) == ("available", [], False)
    assert [step["what"] for step in ended["timeline"]] == ["suppressed", "closed"]
    assert "It is available again" in ended["timeline"][-1]["detail"]
    await estate.call("POST", f"/alerts/{silent['id']}/redeliver", 409)


async def test_why_there_was_no_ticket_is_found_afterwards(estate: Estate, machine: Resource) -> None:
    await estate.stopped_by_user(machine)
    await estate.poll()
    await up(estate, machine)
    await estate.advance(3600)
    await down(estate, machine)
    await up(estate, machine)
    told_of, silent = await estate.alerts_of(machine, state="closed")
    assert "suppressedBy" not in told_of
    for wanted, found in (("userInitiated", [silent]), ("maintenance", []), ("none", [told_of])):
        rows = await estate.alerts_of(machine, suppressedBy=wanted)
        assert [row["id"] for row in rows] == [row["id"] for row in found], wanted
    await estate.call("GET", "/alerts?suppressedBy=nobody", 400)


async def test_an_alert_says_when_it_was_told_beside_when_it_was_made(estate: Estate, machine: Resource) -> None:
    await policy(estate, holdMinutes=10)
    await down(estate, machine)
    await estate.later(11)
    [alert] = await estate.alerts_of(machine)
    waited = datetime.fromisoformat(alert["toldAt"]) - datetime.fromisoformat(alert["openedAt"])
    assert waited.total_seconds() > 590
    await up(estate, machine)
    await down(estate, machine)
    await estate.later(11)
    [again] = await estate.alerts_of(machine)
    assert (again["state"], again["toldAt"]) == ("open", alert["toldAt"])


async def test_an_open_alert_whose_device_turns_out_to_be_stopped_by_a_user_closes(
    estate: Estate, machine: Resource
) -> None:
    await down(estate, machine)
    await estate.advance(60)
    await estate.stopped_by_user(machine)
    await estate.poll()
    rows = await estate.alerts_of(machine)
    assert [row["closeReason"] for row in rows if row["state"] == "closed"] == ["userInitiated"]
    assert await told(estate, machine) == [OPENED, CLOSED]


async def test_what_a_policy_does_not_ask_for_any_more_closes(estate: Estate, machine: Resource) -> None:
    await estate.health(machine, "Degraded")
    await estate.poll()
    assert await states(estate, machine) == [("open", "degraded")]
    await policy(estate, openOn=["unavailable"])
    [closed] = await estate.alerts_of(machine)
    assert (closed["state"], closed["closeReason"]) == ("closed", "policyChanged")
    assert await told(estate, machine) == [OPENED, CLOSED]


async def test_what_a_policy_begins_to_ask_for_opens(estate: Estate, machine: Resource) -> None:
    await policy(estate, openOn=["unavailable"])
    await estate.health(machine, "Degraded")
    await estate.poll()
    assert await estate.listed("/alerts", state="open") == []
    await policy(estate)
    assert (await states(estate, machine))[0] == ("open", "degraded")


async def test_severity_follows_the_rules_and_filters_the_list(estate: Estate, machine: Resource) -> None:
    await policy(estate, severities=[{"severity": "critical", "types": [machine.type]}])
    await down(estate, machine)
    [alert] = await estate.listed("/alerts", severity="critical", kind="device", condition="unavailable")
    assert alert["deviceId"] == estate.device_id(machine)
    assert await estate.listed("/alerts", severity="low") == []
    assert await estate.listed("/alerts", condition="flapping") == []
    assert await estate.listed("/alerts", kind="outage") == []


async def test_a_change_between_two_bad_states_is_a_note(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    await estate.advance(60)
    await estate.health(machine, "Degraded", summary="Slow.")
    await estate.poll()
    [alert] = await estate.alerts_of(machine)
    assert (alert["state"], alert["status"], alert["condition"]) == ("open", "degraded", "degraded")
    assert await told(estate, machine) == [OPENED, UPDATED]


async def test_who_acknowledges_is_shown_and_told_once(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    path = f"/alerts/{alert['id']}"
    body = {"note": "Called Azure", "reason": "On duty", "ticketNumber": "T-9"}
    shown = await estate.call("POST", f"{path}/acknowledge", json=body)
    assert shown["acknowledgement"]["by"].startswith("Alice")
    assert shown["acknowledgement"]["note"] == "Called Azure"
    assert shown["timeline"][-1]["what"] == "acknowledged"
    await estate.settle(30)
    assert await told(estate, machine) == [OPENED, UPDATED]
    [row] = await estate.listed("/audit", target=alert["id"])
    assert (row["action"], row["reason"], row["ticketNumber"]) == ("alert.acknowledge", "On duty", "T-9")
    shown = await estate.call("DELETE", f"{path}/acknowledge")
    assert "acknowledgement" not in shown
    assert shown["timeline"][-1]["what"] == "unacknowledged"
    await up(estate, machine)
    await estate.call("POST", f"{path}/acknowledge", 409)


async def test_who_acknowledges_while_another_worker_writes_the_same_incident_is_heard_once(
    estate: Estate, machine: Resource
) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    until = time.monotonic() + 0.5

    async def write() -> int:
        count = 0
        while time.monotonic() < until:
            await estate.app.tables.update(INCIDENTS, machine.subscription_id, alert["deviceId"], lambda row: row)
            count += 1
        return count

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    shown = await estate.call("POST", f"/alerts/{alert['id']}/acknowledge", json={"note": "Mine"})
    assert await writing > 10
    assert [step["what"] for step in shown["timeline"]] == ["opened", "acknowledged"]
    assert await told(estate, machine) == [OPENED, UPDATED]


async def test_a_snoozed_alert_says_nothing_more_and_still_closes(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    shown = await estate.call("POST", f"/alerts/{alert['id']}/snooze", json={"minutes": 60})
    assert shown["snooze"]["by"].startswith("Alice")
    assert shown["snooze"]["until"]
    await estate.settle(30)
    before = await told(estate, machine)
    await estate.advance(60)
    await estate.health(machine, "Degraded")
    await estate.poll()
    assert await told(estate, machine) == before
    await up(estate, machine)
    assert (await told(estate, machine))[len(before) :] == [CLOSED]


async def test_what_falls_again_while_it_is_snoozed_is_suppressed_until_then(estate: Estate, machine: Resource) -> None:
    await policy(estate, reopenMinutes=0)
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    await estate.call("POST", f"/alerts/{alert['id']}/snooze", json={"minutes": 60})
    await up(estate, machine)
    await estate.advance(60)
    await down(estate, machine)
    [silent] = await estate.alerts_of(machine, state="suppressed")
    assert silent["suppressedBy"] == "snooze"
    await estate.later(60)
    [opened] = await estate.alerts_of(machine, state="open")
    assert opened["id"] == silent["id"]


async def test_a_snooze_ends_when_somebody_says_so(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    await estate.call("POST", f"/alerts/{alert['id']}/snooze", json={"untilChange": True})
    await estate.advance(60)
    end = (estate.app.clock.now() + timedelta(hours=1)).replace(microsecond=0)
    elsewhere = end.astimezone(timezone(timedelta(hours=5))).isoformat()
    shown = await estate.call("POST", f"/alerts/{alert['id']}/snooze", json={"until": elsewhere})
    assert shown["snooze"]["until"] == rfc3339(end), "in UTC, however it was sent"
    shown = await estate.call("DELETE", f"/alerts/{alert['id']}/snooze")
    assert "snooze" not in shown
    audited = await estate.listed("/audit", target=alert["id"])
    assert [row["action"] for row in audited] == ["alert.wake", "alert.snooze", "alert.snooze"]


@pytest.mark.parametrize(
    "body",
    [{"minutes": 0}, {"until": "2020-01-01T00:00:00Z"}, {"minutes": 5, "until": "2099-01-01T00:00:00Z"}, {"x": 1}],
)
async def test_a_wrong_snooze_is_refused(estate: Estate, machine: Resource, body: dict[str, Any]) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    await estate.call("POST", f"/alerts/{alert['id']}/snooze", 400, json=body)


async def test_business_hours_let_a_mild_alert_wait(estate: Estate, machine: Resource) -> None:
    now = estate.app.clock.now()
    another = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][(now.weekday() + 2) % 7]
    await policy(estate, businessHours={"timeZone": "UTC", "days": [another], "alwaysFrom": "high"})
    await estate.health(machine, "Degraded")
    await estate.poll()
    [silent] = await estate.alerts_of(machine)
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "businessHours")
    severe = next(
        r for r in estate.cloud().resources.values() if r.health and r.id != machine.id and r.type == machine.type
    )
    await down(estate, severe)
    assert (await estate.alerts_of(severe))[0]["state"] == "open"


async def test_who_may_only_read_changes_nothing(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    await estate.grant("bob", "fabrikam-hq")
    await estate.grant("carol", "contoso-hq")
    bob, carol = await estate.person("bob"), await estate.person("carol")
    for method, verb in (("POST", "acknowledge"), ("DELETE", "acknowledge"), ("POST", "snooze"), ("DELETE", "snooze")):
        assert (await carol.request(method, f"/alerts/{alert['id']}/{verb}")).status_code == 403, verb
        assert (await bob.request(method, f"/alerts/{alert['id']}/{verb}")).status_code == 404, verb
    row = await estate.app.tables.get(ALERTS, OPEN, estate.device_id(machine))
    assert row is not None
    assert (row.acknowledgement, row.snooze) == (None, None)


async def test_a_sink_that_is_deleted_closes_its_tickets_first(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    assert await told(estate, machine) == [OPENED]
    [sink] = await estate.listed("/sinks")
    await estate.call("DELETE", f"/sinks/{sink['id']}", 204)
    assert await estate.listed("/sinks") == []
    await estate.call("GET", f"/sinks/{sink['id']}", 404)
    async with asyncio.timeout(30):
        while await estate.app.tables.all(SINKS, "sink"):
            await asyncio.sleep(0.05)
    # What is delayed is only the look, some seconds after a sink is gone, at what still waits for it.
    assert await told(estate, machine, delayed=False) == [OPENED, CLOSED]
    last = [row["body"]["data"] for row in await estate.received()][-1]
    assert (last["state"], last["closeReason"]) == ("closed", "sinkRemoved")
    [alert] = await estate.alerts_of(machine)
    assert alert["state"] == "open", "for people it goes on"
    await up(estate, machine)
    assert await told(estate, machine, delayed=False) == [OPENED, CLOSED]


async def test_a_restart_of_what_is_down_already_excuses_nothing(estate: Estate, machine: Resource) -> None:
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    await estate.advance(30)
    device = estate.device_id(machine)
    work = planned.work("op-1", "restart", "Alice", estate.app.clock.now())
    row = planned.DeviceWork(
        device_id=device, subscription_id=machine.subscription_id, device_type=machine.type, works=[work]
    )
    await estate.app.tables.put(planned.WORKS, row)
    await estate.app.queues.send(ApplyEvents(subscription_id=machine.subscription_id, everything=True))
    await estate.settle(30)
    [still] = await estate.alerts_of(machine)
    assert (still["id"], still["state"]) == (alert["id"], "open")
    await up(estate, machine)
    [closed] = await estate.alerts_of(machine)
    assert closed["closeReason"] == "recovered"
    assert await told(estate, machine) == [OPENED, CLOSED]


async def test_a_sink_that_was_made_since_is_told_of_a_reopened_alert_as_new(estate: Estate, machine: Resource) -> None:
    old = await estate.listed("/sinks")
    await down(estate, machine)
    await up(estate, machine)
    new = await estate.webhook(name="New")
    await down(estate, machine)
    [alert] = await estate.alerts_of(machine)
    assert {row["sinkId"] for row in alert["tickets"]} == {new["id"], *(row["id"] for row in old)}
    last = [row["body"] for row in await estate.received()][-len(old) - 1 :]
    assert sorted(row["data"].get("reopened", False) for row in last) == [False] + [True] * len(old)
