"""Runs of schedules: what is missed is told, what is kept on goes off in the end, what is large is approved."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from shared import jobs, sites
from shared.access import ADMIN, Principal
from shared.alerts import policies
from shared.clock import rfc3339
from shared.schedules import overrides
from shared.schedules.changes import Why
from shared.schedules.records import DUE, DUE_PARTITION, GRACE, PARTITION, RUNS, SCHEDULES, Due, Run
from shared.schedules.running import WORKING, give_up
from tests.errors import error_of
from tests.estate import Estate
from tests.scheduling import body, come, made, runs, shown, tag, until
from tests.telling import log_of

ALICE = Principal("alice", "Alice", frozenset({ADMIN}), None)
MISSED = "tenantry.schedule.missed"
GRACE_MINUTES = GRACE.total_seconds() / 60


@pytest.fixture(autouse=True)
def at_once(estate: Estate) -> None:
    """Azure does what it is asked before it answers."""
    estate.sandbox.cloud.world.behaviour.lro = "immediate"


def approval_above(estate: Estate, monkeypatch: pytest.MonkeyPatch, devices: int) -> None:
    settings = estate.app.settings.model_copy(update={"approval_above_devices": devices})
    monkeypatch.setattr(estate.app, "settings", settings)


async def told(estate: Estate) -> list[dict[str, Any]]:
    """The events about missed runs that arrived."""
    return [row["body"] for row in await estate.received() if row["body"]["type"] == MISSED]


def in_minutes(estate: Estate, minutes: float) -> str:
    return (estate.app.clock.now() + timedelta(minutes=minutes)).isoformat()


async def keep_on(estate: Estate, schedule: dict[str, Any], minutes: float, expect: int = 200, **more: Any) -> Any:
    sent = {"until": in_minutes(estate, minutes), **more}
    return await estate.call("POST", f"/schedules/{schedule['id']}/override", expect, json=sent)


async def states(estate: Estate, schedule: dict[str, Any]) -> list[str]:
    return [run["state"] for run in await runs(estate, schedule)]


async def test_a_late_run_says_how_late_it_was(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await until(estate, schedule["nextRunAt"], beyond=7 * 60)
    [run] = await runs(estate, schedule)
    assert (run["state"], run["message"], machine.power) == ("started", "Begun 7 minutes late.", "deallocated")
    assert 7 * 60 <= run["lateSeconds"] < 8 * 60


async def test_a_run_that_nobody_came_to_is_not_begun_late_but_told(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await until(estate, schedule["nextRunAt"], beyond=(GRACE_MINUTES + 1) * 60)
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"], machine.power) == ("missed", "late", "running")
    assert "16 minutes" in run["message"]
    [event] = await told(estate)
    assert event["subject"] == schedule["id"]
    about = {name: event["data"][name] for name in ("scheduleName", "dueAt", "reason", "missed")}
    assert about == {"scheduleName": "Dev off", "dueAt": run["dueAt"], "reason": "late", "missed": 1}
    trail = await estate.listed("/audit", target=schedule["id"])
    assert next((row["action"], row["outcome"]) for row in trail) == ("schedules.missed", "failed")
    # And it goes on.
    await until(estate, (await shown(estate, schedule))["nextRunAt"])
    assert await states(estate, schedule) == ["started", "missed"]


async def test_a_missed_run_of_two_thousand_sites_is_told_once_to_each_sink_and_goes_on(estate: Estate) -> None:
    names = [f"{number:063d}" for number in range(2000)]
    for name in (names[0], names[-1]):
        await sites.save(estate.app, name, f"Client {name[-4:]}", "HQ", by=ALICE)
    sinks = [await estate.webhook(), *[await estate.webhook(siteIds=[name]) for name in (names[0], names[-1])]]
    other = await estate.webhook(siteIds=["fabrikam-hq"])
    await estate.poll()
    schedule = await made(estate, estate.machine())
    stored = await estate.app.tables.get(SCHEDULES, PARTITION, schedule["id"])
    assert stored is not None
    await estate.app.tables.put(SCHEDULES, stored.changed(site_ids=names))
    await until(estate, schedule["nextRunAt"], beyond=(GRACE_MINUTES + 5) * 60)
    assert await states(estate, schedule) == ["missed"]
    assert (await shown(estate, schedule))["nextRunAt"] != schedule["nextRunAt"]
    assert [[row.event for row in await log_of(estate, sink)] for sink in (*sinks, other)] == [[MISSED]] * 3 + [[]]


async def test_work_given_up_on_a_schedule_that_was_changed_meanwhile_misses_nothing_of_the_new_calendar(
    estate: Estate,
) -> None:
    await estate.poll()
    schedule = await made(estate, estate.machine())
    await estate.advance(3 * 3600)
    new = await estate.call("PUT", f"/schedules/{schedule['id']}", json=schedule | {"rule": "FREQ=HOURLY"})
    at = datetime.fromisoformat(schedule["nextRunAt"])
    await give_up(estate.app, jobs.RunSchedule(schedule_id=schedule["id"], at=at), "It failed five times.")
    assert [run["reason"] for run in await runs(estate, schedule)] == ["changed"]
    assert (await shown(estate, schedule))["nextRunAt"] == new["nextRunAt"]


async def test_what_was_missed_in_a_long_outage_is_listed_run_by_run_and_told_at_once(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine, rule="FREQ=HOURLY")
    await until(estate, schedule["nextRunAt"], beyond=10.5 * 3600)
    assert await states(estate, schedule) == ["missed"] * 11
    assert sorted(event["data"]["missed"] for event in await told(estate)) == [1, 10]
    await until(estate, (await shown(estate, schedule))["nextRunAt"])
    assert (await states(estate, schedule))[0] == "started"


async def test_a_run_of_an_owner_without_sites_is_missed_and_told_until_another_one_owns_it(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    schedule = (await bob.post("/schedules", json=body(estate, machine))).json()
    await estate.grant("bob")
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"], machine.power) == ("missed", "ownerLostSites", "running")
    assert "Bob Berg" in run["message"]
    [event] = await told(estate)
    assert event["data"]["reason"] == "ownerLostSites"
    assert "schedules.missed" in [row["action"] for row in await estate.listed("/audit", target=schedule["id"])]
    taken = await estate.call("PUT", f"/schedules/{schedule['id']}", json=await shown(estate, schedule))
    assert taken["owner"] == "Alice Anders"
    await until(estate, taken["nextRunAt"])
    assert ((await states(estate, schedule))[0], machine.power) == ("started", "deallocated")


async def test_a_run_that_waits_for_approval_does_not_begin_once_its_owner_lost_the_site(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval_above(estate, monkeypatch, 0)
    machine = estate.machine()
    await estate.poll()
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    wanted = body(estate, target={"filter": {"type": machine.type, "siteId": "contoso-hq"}})
    schedule = (await bob.post("/schedules", json=wanted)).json()
    approval_above(estate, monkeypatch, 1)
    await estate.advance(11 * 60)
    await estate.timer("run_schedules")
    [run] = await runs(estate, schedule)
    path = f"/operations/{run['operationId']}/approve"
    await estate.grant("bob", "fabrikam-hq")
    assert (await estate.call("POST", path, 409, json={}))["error"]["code"] == "requesterLostSites"
    assert machine.power == "running"


async def test_a_run_that_finds_no_device_is_missed(estate: Estate) -> None:
    machine = estate.machine()
    tag(estate, machine, Autostop="yes")
    await estate.poll()
    schedule = await made(estate, target={"filter": {"tags": {"Autostop": "yes"}}})
    tag(estate, machine, Autostop="no")
    await estate.poll()
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"]) == ("missed", "nothingMatches")


async def test_a_device_that_is_gone_is_left_out_and_counted(estate: Estate) -> None:
    ours, gone = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    schedule = await made(estate, ours, gone)
    del estate.cloud("Fabrikam").resources[gone.id.lower()]
    estate.cloud("Fabrikam").version += 1
    await estate.poll("Fabrikam")
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], run["devices"], run["outOfScope"]) == ("started", 1, 1)


async def test_a_schedule_that_is_changed_while_its_run_is_due_says_that_it_did_not_run(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await estate.advance(11 * 60)
    await estate.call("PUT", f"/schedules/{schedule['id']}", json=body(estate, machine, minutes=30))
    await come(estate, 1)
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"], run["dueAt"]) == ("missed", "changed", schedule["nextRunAt"])
    assert machine.power == "running"


async def test_a_run_that_was_cut_off_before_its_schedule_changed_is_not_left_half_done(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await estate.advance(11 * 60)
    now, at = estate.app.clock.now(), datetime.fromisoformat(schedule["nextRunAt"])
    half = Run(schedule_id=schedule["id"], due_at=at, action="stop", begun_at=now, worked_until=now + WORKING)
    await estate.app.tables.put(RUNS, half)
    await estate.call("PUT", f"/schedules/{schedule['id']}", json=body(estate, machine, minutes=60))
    await come(estate, 1)
    assert await states(estate, schedule) == ["starting"], "whoever began it may be at work"
    await come(estate, 3)
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"]) == ("missed", "changed")
    assert [row.at > at for row in await estate.app.tables.all(DUE, DUE_PARTITION)] == [True]


async def test_a_run_that_fails_in_every_try_is_missed_and_the_schedule_goes_on(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await estate.advance(11 * 60)
    job = jobs.RunSchedule(schedule_id=schedule["id"], at=datetime.fromisoformat(schedule["nextRunAt"]))
    await give_up(estate.app, job, "It failed five times in a row.")
    await give_up(estate.app, job.model_copy(update={"schedule_id": "none"}), "It failed five times in a row.")
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"]) == ("missed", "gaveUp")
    assert (await shown(estate, schedule))["nextRunAt"] > schedule["nextRunAt"]


async def test_a_time_that_no_schedule_knows_of_is_dropped_after_a_while(estate: Estate) -> None:
    at = estate.app.clock.now()
    await estate.app.tables.put(DUE, Due(schedule_id="none", at=at))
    await come(estate, 1)
    assert len(await estate.app.tables.all(DUE, DUE_PARTITION)) == 1, "its schedule may be written at this moment"
    await come(estate, 10)
    assert await estate.app.tables.all(DUE, DUE_PARTITION) == []


async def test_keep_on_until_skips_the_stop_and_stops_then(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    kept = await keep_on(estate, schedule, 120, reason="Release night", ticketNumber="T-2")
    [override] = kept["overrides"]
    assert (override["by"], override["reason"]) == ("Alice Anders", "Release night")
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], run["keptBy"], machine.power) == ("overridden", ["Alice Anders"], "running")
    assert "Alice Anders" in run["message"]
    await until(estate, override["until"])
    made_up, _ = await runs(estate, schedule)
    assert (made_up["state"], made_up["because"], made_up["dueAt"]) == ("started", "override", override["until"])
    assert machine.power == "deallocated"
    assert (await shown(estate, schedule))["overrides"] == []
    trail = await estate.listed("/audit", target=schedule["id"])
    assert ("schedules.override", "T-2") in [(row["action"], row["ticketNumber"]) for row in trail]


async def test_some_devices_are_kept_on_and_the_others_go_off(estate: Estate) -> None:
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    schedule = await made(estate, ours, theirs)
    kept = await keep_on(estate, schedule, 60, deviceIds=[estate.device_id(ours)])
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], run["devices"], run["kept"]) == ("started", 1, 1)
    assert (ours.power, theirs.power) == ("running", "deallocated")
    theirs.power = "running"
    await until(estate, kept["overrides"][0]["until"])
    assert (ours.power, theirs.power) == ("deallocated", "running")


async def test_what_another_schedule_was_to_start_meanwhile_stays_on(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await made(estate, machine, minutes=30, action="start", name="Dev on")
    kept = await keep_on(estate, schedule, 60)
    await until(estate, schedule["nextRunAt"])
    await come(estate, 25)
    await until(estate, kept["overrides"][0]["until"])
    assert await states(estate, schedule) == ["nothingToDo", "overridden"]
    assert machine.power == "running"


async def test_an_override_that_is_made_longer_still_ends_with_the_stop(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await keep_on(estate, schedule, 30)
    await until(estate, schedule["nextRunAt"])
    # The next stop is tomorrow: longer than until then there is nothing else to hold off.
    longer = await keep_on(estate, schedule, 90)
    assert len(longer["overrides"]) == 1
    await come(estate, 25)
    assert machine.power == "running"
    await until(estate, longer["overrides"][0]["until"])
    assert machine.power == "deallocated"


async def test_an_override_that_is_ended_stops_what_it_kept_on(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await keep_on(estate, schedule, 120)
    await until(estate, schedule["nextRunAt"])
    await estate.call("DELETE", f"/schedules/{schedule['id']}/override", 204)
    await come(estate, 1)
    assert (machine.power, (await shown(estate, schedule))["overrides"]) == ("deallocated", [])
    await estate.call("DELETE", f"/schedules/{schedule['id']}/override", 204)


async def test_an_override_that_somebody_renews_while_another_ends_it_still_comes_to_its_end(estate: Estate) -> None:
    await estate.poll()
    schedule = await made(estate, estate.machine())
    await keep_on(estate, schedule, 120)
    read = await estate.app.tables.get(SCHEDULES, PARTITION, schedule["id"])
    assert read is not None
    [override] = read.overrides
    await estate.app.tables.put(SCHEDULES, read.changed(overrides=[override.changed(by_name="Bob")]))
    await overrides.end(estate.app, ALICE, read, Why())
    after = await estate.app.tables.get(SCHEDULES, PARTITION, schedule["id"])
    assert after is not None
    assert [one.until for one in after.overrides] == [override.until]
    due = await estate.app.tables.all(DUE, DUE_PARTITION)
    assert (override.until, override.id) in [(row.at, row.cause) for row in due]


async def test_the_end_of_an_override_is_in_utc_however_it_was_sent(estate: Estate) -> None:
    await estate.poll()
    schedule = await made(estate, estate.machine())
    end = (estate.app.clock.now() + timedelta(minutes=120)).replace(microsecond=0)
    sent = {"until": end.astimezone(timezone(timedelta(hours=5))).isoformat()}
    kept = await estate.call("POST", f"/schedules/{schedule['id']}/override", json=sent)
    assert kept["overrides"][0]["until"] == rfc3339(end)


async def test_a_run_at_the_very_end_of_an_override_is_the_calendars_and_the_only_one(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine, rule="FREQ=HOURLY")
    second = schedule["nextRuns"][1]["at"]
    await estate.call("POST", f"/schedules/{schedule['id']}/override", json={"until": second})
    await until(estate, schedule["nextRunAt"])
    await until(estate, second)
    await come(estate, 1)
    found = [(run["state"], run["because"]) for run in await runs(estate, schedule)]
    assert (found, machine.power) == ([("started", "calendar"), ("overridden", "calendar")], "deallocated")
    assert (await shown(estate, schedule))["overrides"] == []


async def test_a_run_that_was_missed_meanwhile_makes_up_for_nothing_at_the_end_of_an_override(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine, rule="FREQ=HOURLY")
    first = datetime.fromisoformat(schedule["nextRunAt"])
    end = (first + timedelta(minutes=90)).isoformat()
    await estate.call("POST", f"/schedules/{schedule['id']}/override", json={"until": end})
    await until(estate, schedule["nextRunAt"])
    await until(estate, end)
    await come(estate, 1)
    found = {(run["state"], run["because"]) for run in await runs(estate, schedule)}
    assert found == {("overridden", "calendar"), ("missed", "calendar"), ("started", "override")}
    assert (machine.power, (await shown(estate, schedule))["overrides"]) == ("deallocated", [])


async def test_an_override_that_nothing_fell_into_does_nothing(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await keep_on(estate, schedule, 20)
    await estate.call("DELETE", f"/schedules/{schedule['id']}/override", 204)
    await come(estate, 1)
    assert (await runs(estate, schedule), machine.power) == ([], "running")


async def test_a_restart_is_held_off_and_not_made_up_for(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine, action="restart")
    kept = await keep_on(estate, schedule, 60)
    await until(estate, schedule["nextRunAt"])
    await until(estate, kept["overrides"][0]["until"])
    assert await states(estate, schedule) == ["nothingToDo", "overridden"]
    assert not [row for row in estate.sandbox.cloud.requests if "/restart" in row["url"]]


async def test_an_override_that_makes_no_sense_is_refused_with_why(estate: Estate) -> None:
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    schedule = await made(estate, ours, minutes=30)
    start = await made(estate, ours, action="start")
    off = await made(estate, ours, enabled=False)
    path = f"/schedules/{schedule['id']}/override"
    for minutes in (-1, 32 * 1440):
        error_of(await estate.alice.post(path, json={"until": in_minutes(estate, minutes)}), 400, "invalidInput")
    error_of(await estate.alice.post(path, json={"until": "2027-01-01T00:00:00"}), 400, "invalidInput")
    early = error_of(await estate.alice.post(path, json={"until": in_minutes(estate, 5)}), 409, "nothingToKeepOn")
    assert "next run is at" in early["message"]
    for other in (start, off):
        sent = {"until": in_minutes(estate, 60)}
        error_of(await estate.alice.post(f"/schedules/{other['id']}/override", json=sent), 409, "nothingToKeepOn")
    named: dict[str, Any] = {"until": in_minutes(estate, 60), "deviceIds": [estate.device_id(theirs)]}
    error_of(await estate.alice.post(path, json=named), 404, "notFound")
    assert (await shown(estate, schedule))["overrides"] == []


async def test_a_large_schedule_runs_once_a_second_person_approved_it(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await estate.webhook()
    approval_above(estate, monkeypatch, 1)
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    await estate.grant("bob", "contoso-hq", "fabrikam-hq")
    bob = await estate.person("bob")
    schedule = await made(estate, ours, theirs)
    assert (schedule["approval"]["state"], schedule["approval"]["devices"]) == ("pending", 2)
    path = f"/schedules/{schedule['id']}"
    error_of(await estate.alice.post(f"{path}/approve"), 403, "approvalByRequester")
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], run["reason"]) == ("missed", "notApproved")
    assert len(await told(estate)) == 1
    approved = (await bob.post(f"{path}/approve", json={"ticketNumber": "T-3"})).json()
    assert (approved["approval"]["state"], approved["approval"]["approvedBy"]) == ("approved", "Bob Berg")
    error_of(await bob.post(f"{path}/approve"), 409, "alreadyDecided")
    assert ("schedules.approve", "T-3") in [
        (row["action"], row["ticketNumber"]) for row in await estate.listed("/audit", target=schedule["id"])
    ]
    await until(estate, (await shown(estate, schedule))["nextRunAt"])
    assert (ours.power, theirs.power) == ("deallocated", "deallocated")
    # Another name keeps the approval, and so do days off; days on do not, nor does another action.
    renamed = await estate.call("PUT", path, json=approved | {"name": "Nights", "holidays": ["2030-12-25"]})
    assert renamed["approval"]["state"] == "approved"
    changed = await estate.call("PUT", path, json=renamed | {"holidays": []})
    assert changed["approval"]["state"] == "pending"
    await bob.post(f"{path}/approve")
    changed = await estate.call("PUT", path, json=renamed | {"action": "restart"})
    assert changed["approval"]["state"] == "pending"
    # Whoever approved it and then saves it has nobody else's word for it.
    await bob.post(f"{path}/approve")
    mine = (await bob.put(path, json=changed | {"name": "Mine"})).json()
    assert mine["approval"]["state"] == "pending"


async def test_a_run_that_has_grown_beyond_what_was_approved_waits_for_a_second_person(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, other = estate.machine("Contoso"), estate.machine("Fabrikam")
    tag(estate, machine, Autostop="yes")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    approval_above(estate, monkeypatch, 1)
    schedule = await made(estate, target={"filter": {"tags": {"Autostop": "yes"}}})
    assert schedule["approval"]["state"] == "notNeeded"
    error_of(await estate.alice.post(f"/schedules/{schedule['id']}/approve"), 409, "noApprovalNeeded")
    tag(estate, other, Autostop="yes")
    await estate.poll("Fabrikam")
    left = datetime.fromisoformat(schedule["nextRunAt"]) - estate.app.clock.now()
    await come(estate, left.total_seconds() / 60 + 0.2, delayed=False)
    [run] = await runs(estate, schedule)
    operation = await estate.call("GET", f"/operations/{run['operationId']}")
    assert (operation["status"], operation["approval"]["state"]) == ("notStarted", "pending")
    assert (machine.power, other.power) == ("running", "running")


async def test_a_scheduled_stop_opens_no_ticket_and_says_which_schedule_it_was(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await until(estate, schedule["nextRunAt"])
    await estate.poll()
    [silent] = await estate.alerts_of(machine)
    assert (silent["state"], silent["suppressedBy"]) == ("suppressed", "schedule")
    assert "schedule Dev off" in silent["suppressedDetail"]
    await estate.later(600)
    assert [row["state"] for row in await estate.alerts_of(machine)] == ["suppressed"]


@pytest.mark.parametrize("action, power", [("restart", "running"), ("start", "deallocated")])
async def test_a_machine_that_does_not_come_back_after_a_schedule_opens_one_ticket_that_names_it(
    estate: Estate, action: str, power: str
) -> None:
    machine = estate.machine()
    machine.power = power
    await estate.poll()
    schedule = await made(estate, machine, action=action, name="Patch night")
    await until(estate, schedule["nextRunAt"])
    estate.fall_ill(machine)
    await estate.poll()
    assert [(row["state"], row["suppressedBy"]) for row in await estate.alerts_of(machine)] == [
        ("suppressed", "schedule")
    ]
    grace = (await policies.load(estate.app)).for_device("Contoso", "contoso-hq", machine.type).grace_minutes
    await estate.later(grace + 1)
    await estate.later(60)
    [alert] = await estate.alerts_of(machine)
    assert (alert["state"], alert["condition"]) == ("open", "overdue")
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert any("schedule Patch night" in str(step.get("detail")) for step in detail["timeline"])
