"""Schedules over the wire: when they run and on what, who may have which, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.world import Resource
from shared.schedules import changes
from shared.schedules.records import DUE, DUE_PARTITION
from tests.errors import error_of
from tests.estate import Estate
from tests.scheduling import body, come, made, runs, shown, tag, until


@pytest.fixture(autouse=True)
def at_once(estate: Estate) -> None:
    """Azure does what it is asked before it answers."""
    estate.sandbox.cloud.world.behaviour.lro = "immediate"


def posts(estate: Estate, verb: str) -> int:
    """How many requests for an action reached Azure."""
    seen = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    return sum(row["url"].partition("?")[0].endswith(f"/{verb}") for row in seen)


async def operation_of(estate: Estate, run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await estate.call("GET", f"/operations/{run['operationId']}")
    return found


async def test_a_schedule_shows_its_next_runs_and_what_daylight_saving_does_to_them(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    year = estate.app.clock.now().year + 1
    spring = next(day for day in (datetime(year, 3, 31 - back, tzinfo=UTC) for back in range(7)) if day.weekday() == 6)
    before = spring - timedelta(days=1)
    wanted = body(estate, machine, timeZone="Europe/Berlin", startAt=f"{before:%Y-%m-%d}T02:30")
    answer = await estate.alice.post("/schedules", json=wanted | {"reason": "Cost", "ticketNumber": "T-1"})
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert answer.headers["location"].endswith(f"/api/schedules/{stored['id']}")
    assert len(stored["nextRuns"]) == 5
    first, skipped = stored["nextRuns"][:2]
    assert (first["local"], "note" in first) == (f"{before:%Y-%m-%d}T02:30:00+01:00", False)
    assert skipped["local"] == f"{spring:%Y-%m-%d}T03:00:00+02:00"
    assert skipped["at"] == f"{spring:%Y-%m-%d}T01:00:00Z"
    assert "skips 02:30" in skipped["note"]
    assert await shown(estate, stored) == stored
    [listed] = await estate.listed("/schedules")
    assert (listed["nextRunAt"], "nextRuns" in listed) == (first["at"], False)
    [trail] = await estate.listed("/audit", target=stored["id"])
    assert (trail["action"], trail["reason"], trail["ticketNumber"]) == ("schedules.create", "Cost", "T-1")


async def test_at_its_time_it_acts_once_and_goes_on(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    await come(estate, 5)
    assert (await runs(estate, schedule), machine.power) == ([], "running")
    await until(estate, schedule["nextRunAt"])
    await come(estate, 1)
    [run] = await runs(estate, schedule)
    assert (run["state"], run["dueAt"], run["devices"], run["because"]) == (
        "started",
        schedule["nextRunAt"],
        1,
        "calendar",
    )
    assert (machine.power, posts(estate, "deallocate")) == ("deallocated", 1)
    assert (await operation_of(estate, run))["status"] == "succeeded"
    following = datetime.fromisoformat((await shown(estate, schedule))["nextRunAt"])
    assert following - datetime.fromisoformat(schedule["nextRunAt"]) == timedelta(days=1)
    rows = await estate.app.tables.all(DUE, DUE_PARTITION)
    assert [row.at for row in rows] == [following]


async def test_machines_that_are_as_wanted_already_are_no_failures(estate: Estate) -> None:
    off, on = estate.machine("Contoso"), estate.machine("Fabrikam")
    off.power = "deallocated"
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    schedule = await made(estate, off, on)
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    operation = await operation_of(estate, run)
    assert operation["status"] == "succeeded"
    found = {item["target"]: item for item in operation["items"]}
    assert found[estate.device_id(off)]["error"]["code"] == "already"
    assert "error" not in found[estate.device_id(on)]
    assert posts(estate, "deallocate") == 1


async def test_what_was_on_its_way_at_the_last_poll_is_looked_at_when_the_run_comes(estate: Estate) -> None:
    machine = estate.machine()
    machine.power = "starting"
    await estate.poll()
    assert (await estate.call("GET", f"/devices/{estate.device_id(machine)}"))["powerState"] == "starting"
    machine.power = "running"
    estate.cloud().version += 1
    schedule = await made(estate, machine)
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], (await operation_of(estate, run))["status"]) == ("started", "succeeded")
    assert machine.power == "deallocated"


async def test_a_run_of_which_everything_is_done_already_is_no_failure_either(estate: Estate) -> None:
    off = estate.machine()
    off.power = "deallocated"
    await estate.poll()
    schedule = await made(estate, off)
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["state"], (await operation_of(estate, run))["status"]) == ("started", "succeeded")
    assert posts(estate, "deallocate") == 0


async def test_a_holiday_and_a_schedule_that_is_off_run_nothing(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    begin = body(estate, machine)["startAt"]
    holiday = await made(estate, machine, holidays=[begin[:10]])
    off = await made(estate, machine, enabled=False)
    assert ("nextRunAt" in off, off["nextRuns"]) == (False, [])
    assert holiday["nextRunAt"][:10] > begin[:10]
    await come(estate, 15)
    assert (await runs(estate, holiday), await runs(estate, off), machine.power) == ([], [], "running")


async def test_a_filter_is_looked_at_when_it_runs_across_tenants_and_by_tags(estate: Estate) -> None:
    first, other = estate.machine("Contoso"), estate.machine("Fabrikam")
    tag(estate, first, Autostop="yes")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    schedule = await made(estate, target={"filter": {"tags": {"autostop": "yes"}}})
    assert schedule["target"] == {"filter": {"tags": {"autostop": "yes"}}}
    assert schedule["siteIds"] == ["contoso-hq", "fabrikam-hq"]
    tag(estate, other, Autostop="yes")
    tag(estate, first, Autostop="no")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (run["devices"], first.power, other.power) == (1, "running", "deallocated")


BAD: list[tuple[dict[str, Any], int, str, str]] = [
    ({"timeZone": "Europe/Berln"}, 400, "timeZone", "Europe/Berlin"),
    ({"timeZone": "Europe/Berlin", "startAt": "2027-03-28T02:30"}, 400, "startAt", "does not exist"),
    ({"timeZone": "Europe/Berlin", "startAt": "2027-10-31T02:30"}, 400, "startAt", "comes twice"),
    ({"startAt": "2027-03-28T02:30:00Z"}, 400, "startAt", "offset"),
    ({"startAt": "2027-03-28T02:30+02:00"}, 400, "startAt", "offset"),
    ({"startAt": "2099-03-28T02:30"}, 400, "startAt", "five years"),
    ({"startAt": "0001-01-01T00:00"}, 400, "startAt", "five years"),
    ({"startAt": "9999-12-31T23:59", "timeZone": "America/New_York"}, 400, "startAt", "five years"),
    ({"rule": "FREQ=MINUTELY"}, 400, "rule", "HOURLY"),
    ({"rule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, 400, "rule", "never run"),
    ({"rule": "FREQ=DAILY;UNTIL=20200101"}, 400, "rule", "never run"),
    ({"rule": "whenever"}, 400, "rule", "no part"),
    ({"action": "destroy"}, 400, "action", ""),
    ({"target": {}}, 400, "target", "one of the two"),
    ({"target": {"deviceIds": ["a"], "filter": {"search": "x"}}}, 400, "target", "one of the two"),
    ({"target": {"filter": {}}}, 400, "target.filter", "at least one"),
    ({"target": {"filter": {"tags": {}}}}, 400, "target.filter", "at least one"),
    ({"target": {"filter": {"serch": "x"}}}, 400, "target.filter.serch", ""),
    ({"target": {"deviceIds": []}}, 400, "target.deviceIds", ""),
    ({"target": {"deviceIds": ["nothing"]}}, 404, "target.deviceIds", "nothing"),
    ({"target": {"filter": {"search": "no machine has this name"}}}, 409, "target.filter", "No device"),
    ({"target": {"filter": {"tags": {"none": "such"}}}}, 409, "target.filter", "No device"),
    ({"holidays": ["christmas"]}, 400, "holidays.0", ""),
    ({"surprise": 1}, 400, "surprise", ""),
    ({"name": ""}, 400, "name", ""),
]


async def test_what_cannot_be_a_schedule_is_refused_with_why_and_nothing_is_stored(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    disk = next(row for row in estate.cloud().resources.values() if row.type == "Microsoft.Compute/disks")
    nothing_to_stop = {"target": {"deviceIds": [estate.device_id(disk)]}}
    for change, status, target, why in [*BAD, (nothing_to_stop, 409, "target.deviceIds", "cannot be done")]:
        answer = await estate.alice.post("/schedules", json=body(estate, machine) | change)
        assert answer.status_code == status, (change, answer.text)
        error = answer.json()["error"]
        targets = {error.get("target", ""), *(detail["target"] for detail in error.get("details", []))}
        assert any(name.startswith(target) for name in targets), (change, error)
        assert why in answer.text, (change, error)
    assert await estate.listed("/schedules") == []
    assert await estate.app.tables.all(DUE, DUE_PARTITION) == []


async def test_a_schedule_is_seen_and_changed_by_those_only_who_have_all_its_sites(estate: Estate) -> None:
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    await estate.grant("bob", "contoso-hq")
    await estate.grant("carol", "contoso-hq")
    bob, carol = await estate.person("bob"), await estate.person("carol")
    both, mine = await made(estate, ours, theirs), await made(estate, ours)
    for person in (bob, carol):
        listed = (await person.get("/schedules")).json()["value"]
        assert [row["id"] for row in listed] == [mine["id"]]
    path = f"/schedules/{both['id']}"
    error_of(await bob.get(path), 404, "notFound")
    error_of(await bob.get(f"{path}/runs"), 404, "notFound")
    error_of(await bob.put(path, json=body(estate, ours)), 404, "notFound")
    error_of(await bob.delete(path), 404, "notFound")
    error_of(await bob.post(f"{path}/approve"), 404, "notFound")
    later = (estate.app.clock.now() + timedelta(hours=3)).isoformat()
    error_of(await bob.post(f"{path}/override", json={"until": later}), 404, "notFound")
    error_of(await bob.delete(f"{path}/override"), 404, "notFound")
    error_of(await bob.post("/schedules", json=body(estate, theirs)), 404, "notFound")
    error_of(await carol.post("/schedules", json=body(estate, ours)), 403, "forbidden")
    error_of(await carol.delete(f"/schedules/{mine['id']}"), 403, "forbidden")
    assert (await bob.delete(f"/schedules/{mine['id']}")).status_code == 204
    assert [row["id"] for row in await estate.listed("/schedules")] == [both["id"]]


async def filtered_by_bob(estate: Estate, machine: Resource) -> dict[str, Any]:
    """A schedule of Bob's about every machine that he sees."""
    bob = await estate.person("bob")
    answer = await bob.post("/schedules", json=body(estate, target={"filter": {"type": machine.type}}))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_run_never_goes_beyond_the_sites_that_the_schedule_was_saved_with(estate: Estate) -> None:
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    await estate.grant("bob", "contoso-hq")
    schedule = await filtered_by_bob(estate, ours)
    assert schedule["siteIds"] == ["contoso-hq"]
    await estate.grant("bob", "contoso-hq", "fabrikam-hq")
    await until(estate, schedule["nextRunAt"])
    assert (ours.power, theirs.power) == ("deallocated", "running")


async def test_a_run_never_goes_beyond_the_sites_that_its_owner_has_then(estate: Estate) -> None:
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    await estate.grant("bob", "contoso-hq", "fabrikam-hq")
    schedule = await filtered_by_bob(estate, ours)
    await estate.grant("bob", "fabrikam-hq")
    await until(estate, schedule["nextRunAt"])
    [run] = await runs(estate, schedule)
    assert (ours.power, theirs.power) == ("running", "deallocated")
    assert "1 of its sites" in run["message"]


async def test_nobody_uses_up_all_the_schedules_there_may_be(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_OWN", 2)
    monkeypatch.setattr(changes, "MAX_SCHEDULES", 3)
    machine = estate.machine()
    await estate.poll()
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    [mine, _] = [await made(estate, machine), await made(estate, machine)]
    full = error_of(await estate.alice.post("/schedules", json=body(estate, machine)), 409, "tooMany")
    assert "You own 2 schedules" in full["message"]
    assert (await bob.post("/schedules", json=body(estate, machine))).status_code == 201
    full = error_of(await bob.post("/schedules", json=body(estate, machine)), 409, "tooMany")
    assert "There are 3 schedules" in full["message"]
    await estate.call("PUT", f"/schedules/{mine['id']}", json=mine)


async def test_what_an_administrator_is_granted_bounds_the_schedules_that_he_saved_before(estate: Estate) -> None:
    ours, theirs = estate.machine("Contoso"), estate.machine("Fabrikam")
    await estate.poll("Contoso")
    await estate.poll("Fabrikam")
    alice = (await estate.control.get("/world")).json()["people"]["alice"]["objectId"]
    await estate.call("PUT", f"/access/{alice}", json={"siteIds": ["fabrikam-hq"]})
    await estate.advance(1)
    schedule = await made(estate, ours, theirs)
    await until(estate, schedule["nextRunAt"])
    assert (ours.power, theirs.power) == ("deallocated", "deallocated")
    ours.power = theirs.power = "running"
    await estate.call("PUT", f"/access/{alice}", json={"siteIds": ["fabrikam-hq"]})
    await until(estate, (await shown(estate, schedule))["nextRunAt"])
    assert (ours.power, theirs.power) == ("running", "deallocated")
    await estate.call("PUT", f"/access/{alice}", json={"siteIds": []})
    await until(estate, (await shown(estate, schedule))["nextRunAt"])
    assert [run["state"] for run in await runs(estate, schedule)] == ["missed", "started", "started"]


async def test_whoever_saves_a_schedule_owns_it_and_if_match_is_honoured(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await estate.grant("bob", "contoso-hq")
    schedule = await made(estate, machine)
    path = f"/schedules/{schedule['id']}"
    bob = await estate.person("bob")
    read = await bob.get(path)
    etag = read.headers["etag"]
    # What a schedule shows may be sent back.
    answer = await bob.put(path, json=read.json() | {"name": "Nights off"}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["owner"]) == ("Nights off", "Bob Berg")
    assert answer.headers["etag"] != etag
    error_of(await bob.put(path, json=body(estate, machine), headers={"If-Match": etag}), 412, "preconditionFailed")
    error_of(await bob.delete(path, headers={"If-Match": etag}), 412, "preconditionFailed")
    etag = answer.headers["etag"]
    await until(estate, schedule["nextRunAt"])
    assert [run["state"] for run in await runs(estate, schedule)] == ["started"]
    # A run changes nothing that a client has written.
    assert (await bob.get(path)).headers["etag"] == etag
    assert (await bob.delete(path, headers={"If-Match": etag})).status_code == 204
    error_of(await bob.get(path), 404, "notFound")
    assert await estate.app.tables.all(DUE, DUE_PARTITION) == []


async def test_another_time_takes_the_place_of_the_old_one(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine)
    moved = await estate.call("PUT", f"/schedules/{schedule['id']}", json=body(estate, machine, minutes=60))
    await until(estate, schedule["nextRunAt"])
    assert (await runs(estate, schedule), machine.power) == ([], "running")
    await until(estate, moved["nextRunAt"])
    assert [run["dueAt"] for run in await runs(estate, schedule)] == [moved["nextRunAt"]]


async def test_runs_are_a_collection_newest_first(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    schedule = await made(estate, machine, rule="FREQ=HOURLY")
    for _ in range(3):
        await until(estate, (await shown(estate, schedule))["nextRunAt"])
    path = f"/schedules/{schedule['id']}/runs"
    first = await estate.call("GET", path, params={"$top": 2, "$count": "true"})
    assert (len(first["value"]), first["count"]) == (2, 3)
    answer = await estate.alice.get(first["nextLink"])
    everything = [*first["value"], *answer.json()["value"]]
    dues = [row["dueAt"] for row in everything]
    assert (len(dues), dues) == (3, sorted(dues, reverse=True))
    assert "nextLink" not in answer.json()
    await estate.call("GET", path, 400, params={"$orderby": "dueAt"})
    await estate.call("GET", path, 400, params={"$skiptoken": "WyJ4Il0"})
