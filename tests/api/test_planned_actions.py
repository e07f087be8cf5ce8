"""Our own actions and the alerts of their devices: silent while they may be away, and loud once they should be back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from sandbox.scenarios import platform_fault
from sandbox.world import Resource
from shared.operations import planned
from tests.estate import Estate


@pytest.fixture(autouse=True)
def at_once(estate: Estate) -> None:
    """Azure does what it is asked before it answers."""
    estate.sandbox.cloud.world.behaviour.lro = "immediate"


async def acted(estate: Estate, machine: Resource, verb: str) -> dict[str, Any]:
    """The operation at its end, and what follows."""
    operation = await estate.call("POST", f"/devices/{estate.device_id(machine)}/actions/{verb}", 202, json={})
    await estate.settle(60, delayed=True)
    found: dict[str, Any] = await estate.call("GET", f"/operations/{operation['id']}")
    return found


async def alerts(estate: Estate, machine: Resource) -> list[dict[str, Any]]:
    return await estate.listed("/alerts", deviceId=estate.device_id(machine))


async def later(estate: Estate, minutes: float) -> None:
    await estate.advance(minutes * 60)
    await estate.timer("judge_due")


async def works(estate: Estate, machine: Resource) -> list[planned.Work]:
    found = await planned.of_subscription(estate.app, machine.subscription_id)
    return found[estate.device_id(machine)].works


async def test_a_restart_that_comes_back_in_time_tells_nobody(estate: Estate) -> None:
    await estate.webhook(events=["tenantry.alert.opened"])
    machine = estate.machine()
    await estate.poll()
    operation = await acted(estate, machine, "restart")
    estate.fall_ill(machine)
    await estate.poll()
    [silent] = await alerts(estate, machine)
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "action")
    assert "Restart by Alice" in silent["suppressedDetail"]
    done = datetime.fromisoformat(operation["lastUpdatedAt"])
    assert 29 * 60 < (datetime.fromisoformat(silent["suppressedUntil"]) - done).total_seconds() <= 30 * 60
    estate.recover(machine)
    await estate.poll()
    await later(estate, 60)
    [ended] = await alerts(estate, machine)
    assert (ended["id"], ended["state"], ended["suppressedBy"]) == (silent["id"], "closed", "action")
    assert await estate.received() == []


async def test_a_machine_that_is_not_back_after_a_restart_opens_and_says_what_was_waited_for(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await acted(estate, machine, "restart")
    estate.fall_ill(machine)
    await estate.poll()
    await later(estate, 31)
    [alert] = await alerts(estate, machine)
    assert (alert["state"], alert["condition"]) == ("open", "overdue")
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert any("Restart by Alice" in str(step.get("detail")) for step in detail["timeline"])


async def test_the_policy_says_how_long_a_device_of_its_kind_may_take(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    longer = {"clientNames": ["Contoso"], "types": [machine.type], "graceMinutes": 90}
    await estate.call("PUT", "/alerts/policy", json={"overrides": [longer]})
    await acted(estate, machine, "restart")
    estate.fall_ill(machine)
    await estate.poll()
    await later(estate, 60)
    assert [row["state"] for row in await alerts(estate, machine)] == ["suppressed"]
    await later(estate, 31)
    assert [row["state"] for row in await alerts(estate, machine)] == ["open"]


async def test_a_machine_that_we_stopped_stays_silent_until_somebody_starts_it(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    assert (await acted(estate, machine, "stop"))["status"] == "succeeded"
    [silent] = await alerts(estate, machine)
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "action")
    assert "suppressedUntil" not in silent
    await later(estate, 3 * 1440)
    world = estate.sandbox.cloud.world
    world.set_health(machine, platform_fault(world.clock.now()))
    await estate.poll()
    assert [row["state"] for row in await alerts(estate, machine)] == ["suppressed"], "it is meant to be down"
    assert (await acted(estate, machine, "start"))["status"] == "succeeded"
    await estate.poll()
    assert [(row["state"], row["suppressedBy"]) for row in await alerts(estate, machine)] == [("closed", "action")]
    await later(estate, 60)
    estate.fall_ill(machine)
    await estate.poll()
    assert [row["state"] for row in await alerts(estate, machine)] == ["open", "closed"]


async def test_an_action_that_failed_excuses_nothing(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    fault = {"service": "arm", "method": "POST", "path": "/restart", "status": 403, "times": 1}
    (await estate.control.post("/faults", json=fault)).raise_for_status()
    assert (await acted(estate, machine, "restart"))["status"] == "failed"
    [work] = await works(estate, machine)
    assert work.failed
    estate.fall_ill(machine)
    await estate.poll()
    assert [row["state"] for row in await alerts(estate, machine)] == ["open"]


async def test_an_action_is_noted_before_azure_is_asked_and_once_however_often_it_is_sent(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    fault = {"service": "arm", "method": "POST", "path": "/deallocate", "status": 500, "times": 1}
    (await estate.control.post("/faults", json=fault)).raise_for_status()
    assert (await acted(estate, machine, "stop"))["status"] == "succeeded"
    sent = [row for row in estate.sandbox.cloud.requests if row["method"] == "POST" and "/deallocate" in row["url"]]
    assert len(sent) == 2
    [work] = await works(estate, machine)
    assert (work.what, work.stops, work.failed) == ("Stop by Alice Anders", True, False)
    assert work.ends_at is not None
    assert work.starts_at < datetime.fromisoformat(str(sent[0]["at"])) < work.ends_at


async def test_only_the_newest_actions_of_a_device_are_kept(estate: Estate) -> None:
    now = estate.app.clock.now()
    for number in range(planned.KEPT + 3):
        await planned.begin(estate.app, "d", "s", "A/b", planned.work(str(number), "restart", "Bob", now))
    await planned.begin(estate.app, "d", "s", "A/b", planned.work("5", "restart", "Bob", now))
    kept = (await planned.of_subscription(estate.app, "s"))["d"].works
    assert [row.id for row in kept] == [str(number) for number in range(3, planned.KEPT + 3)]
    assert not await planned.end(estate.app, "d", "s", "no-such", now, done=True)
    assert not await planned.end(estate.app, "e", "s", "1", now, done=True)
