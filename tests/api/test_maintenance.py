"""Maintenance windows over the wire: their life, their scope, and the silence that they make."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.alerts import maintenance
from shared.store.tables import insert
from tests.errors import error_of
from tests.estate import Estate

PATH = "/maintenance"


def at(estate: Estate, minutes: float) -> str:
    return (estate.app.clock.now() + timedelta(minutes=minutes)).isoformat()


def body(estate: Estate, begin: float = -1, end: float = 60, **fields: Any) -> dict[str, Any]:
    """A window from so many minutes to so many from now."""
    targets = {} if "deviceIds" in fields or "siteIds" in fields else {"siteIds": ["contoso-hq"]}
    return {"startAt": at(estate, begin), "endAt": at(estate, end), "reason": "Patching", **targets, **fields}


async def made(estate: Estate, begin: float = -1, end: float = 60, **fields: Any) -> dict[str, Any]:
    window: dict[str, Any] = await estate.call("POST", PATH, 201, json=body(estate, begin, end, **fields))
    await estate.settle(30)
    return window


async def alerts(estate: Estate, device_id: str) -> list[tuple[str, str | None]]:
    rows = await estate.listed("/alerts", deviceId=device_id)
    return [(row["state"], row.get("suppressedBy") or row.get("closeReason")) for row in rows]


async def test_a_window_is_made_listed_and_ended(estate: Estate) -> None:
    answer = await estate.alice.post(PATH, json=body(estate, ticketNumber="T-1"), headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201, answer.text
    window = answer.json()
    assert (window["state"], window["siteIds"], window["reason"]) == ("active", ["contoso-hq"], "Patching")
    assert window["ticketNumber"] == "T-1"
    assert window["createdBy"]
    assert answer.headers["location"].endswith(f"/api{PATH}/{window['id']}")
    later = await made(estate, 120, 180, siteIds=["fabrikam-hq", "contoso-hq", "contoso-hq"])
    assert later["siteIds"] == ["contoso-hq", "fabrikam-hq"]
    assert [row["id"] for row in await estate.listed(PATH)] == [later["id"], window["id"]]
    assert [row["id"] for row in await estate.listed(PATH, state="upcoming")] == [later["id"]]
    assert [row["id"] for row in await estate.listed(PATH, siteId="fabrikam-hq")] == [later["id"]]
    await estate.call("DELETE", f"{PATH}/{window['id']}?reason=Done&ticketNumber=T-2", 204)
    ended = await estate.call("GET", f"{PATH}/{window['id']}")
    assert (ended["state"], ended["endedBy"]) == ("past", window["createdBy"])
    assert datetime.fromisoformat(ended["endAt"]) <= estate.app.clock.now()
    await estate.call("DELETE", f"{PATH}/{window['id']}", 204)
    await estate.call("DELETE", f"{PATH}/{later['id']}", 204)
    await estate.call("GET", f"{PATH}/{later['id']}", 404)
    await estate.call("DELETE", f"{PATH}/{later['id']}", 404)
    entries = await estate.listed("/audit", target=window["id"])
    assert [(row["action"], row["reason"], row["ticketNumber"]) for row in entries] == [
        ("maintenance.end", "Done", "T-2"),
        ("maintenance.create", "Patching", "T-1"),
    ]


async def test_a_window_is_ended_only_as_it_was_read(estate: Estate) -> None:
    window = await made(estate)
    path = f"{PATH}/{window['id']}"
    answer = await estate.alice.delete(path, headers={"If-Match": '"old"'})
    assert error_of(answer, 412)["code"] == "preconditionFailed"
    etag = (await estate.alice.get(path)).headers["etag"]
    assert (await estate.alice.delete(path, headers={"If-Match": etag})).status_code == 204
    assert (await estate.alice.delete(path, headers={"If-Match": etag})).status_code == 412


@pytest.mark.parametrize(
    "begin, end, fields, status",
    [
        (0, 0, {}, 400),
        (10, 5, {}, 400),
        (-60, -1, {}, 400),
        (0, 31 * 1440 + 1, {}, 400),
        (367 * 1440, 367 * 1440 + 60, {}, 400),
        (0, 60, {"siteIds": []}, 400),
        (0, 60, {"siteIds": ["contoso-hq"], "deviceIds": ["d"]}, 400),
        (0, 60, {"siteIds": None}, 400),
        (0, 60, {"reason": ""}, 400),
        (0, 60, {"reason": None}, 400),
        (0, 60, {"startAt": "2026-01-01T00:00:00"}, 400),
        (0, 60, {"startsAt": "x"}, 400),
        (0, 60, {"siteIds": ["no-such"]}, 404),
        (0, 60, {"deviceIds": ["no-such"]}, 404),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(
    estate: Estate, begin: float, end: float, fields: dict[str, Any], status: int
) -> None:
    error_of(await estate.alice.post(PATH, json=body(estate, begin, end, **fields)), status)
    assert await estate.listed(PATH) == []


async def test_a_window_is_made_and_seen_within_ones_sites_only(estate: Estate) -> None:
    await estate.poll()
    device = estate.device_id(estate.machine())
    await estate.grant("bob", "fabrikam-hq")
    await estate.grant("carol", "contoso-hq")
    bob, carol = await estate.person("bob"), await estate.person("carol")
    mallory, nobody = await estate.person("mallory"), await estate.person()
    targets: tuple[dict[str, Any], ...] = (
        {"siteIds": ["contoso-hq"]},
        {"deviceIds": [device]},
        {"siteIds": ["contoso-hq", "fabrikam-hq"]},
    )
    for fields in targets:
        assert (await bob.post(PATH, json=body(estate, **fields))).status_code == 404
    both = await made(estate, siteIds=["contoso-hq", "fabrikam-hq"])
    of_device = await made(estate, deviceIds=[device])
    shown = (await bob.get(PATH)).json()["value"]
    assert [(row["id"], row["siteIds"]) for row in shown] == [(both["id"], ["fabrikam-hq"])]
    assert (await bob.get(f"{PATH}/{of_device['id']}")).status_code == 404
    assert (await bob.delete(f"{PATH}/{of_device['id']}")).status_code == 404
    refused = error_of(await bob.delete(f"{PATH}/{both['id']}"), 403)
    assert "outside yours" in refused["message"]
    seen = {row["id"]: row for row in (await carol.get(PATH)).json()["value"]}
    assert seen[of_device["id"]]["deviceIds"] == [device]
    assert seen[both["id"]]["siteIds"] == ["contoso-hq"]
    own = await bob.post(PATH, json=body(estate, siteIds=["fabrikam-hq"]))
    assert own.status_code == 201, own.text
    assert (await bob.delete(f"{PATH}/{own.json()['id']}")).status_code == 204
    for person, read, write in ((carol, 200, 403), (mallory, 403, 403), (nobody, 401, 401)):
        assert (await person.get(PATH)).status_code == read
        assert (await person.post(PATH, json=body(estate))).status_code == write
        assert (await person.delete(f"{PATH}/{both['id']}")).status_code == write


async def test_what_goes_down_in_a_window_and_is_back_in_time_tells_nobody(estate: Estate) -> None:
    await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    await made(estate, deviceIds=[estate.device_id(machine)])
    estate.fall_ill(machine)
    await estate.poll()
    assert await alerts(estate, estate.device_id(machine)) == [("suppressed", "maintenance")]
    [silent] = await estate.listed("/alerts", state="suppressed")
    assert "Maintenance: Patching" in silent["suppressedDetail"]
    await estate.advance(600)
    estate.recover(machine)
    await estate.poll()
    [ended] = await estate.listed("/alerts", state="closed", suppressedBy="maintenance")
    assert (ended["id"], ended["closeReason"], ended["tickets"]) == (silent["id"], "recovered", [])
    assert ended["suppressedDetail"] == silent["suppressedDetail"]
    assert await estate.received() == []


async def test_what_is_not_back_after_a_window_opens_and_says_what_was_waited_for(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    await made(estate, end=60)
    estate.fall_ill(machine)
    await estate.poll()
    await estate.advance(60 * 60)
    await estate.timer("judge_due")
    assert await alerts(estate, estate.device_id(machine)) == [("suppressed", "maintenance")]
    await estate.advance(31 * 60)
    await estate.timer("judge_due")
    [alert] = await estate.listed("/alerts", state="open", deviceId=estate.device_id(machine))
    assert alert["condition"] == "overdue"
    detail = await estate.call("GET", f"/alerts/{alert['id']}")
    assert any("Maintenance: Patching" in str(step.get("detail")) for step in detail["timeline"])


async def test_a_window_that_is_made_late_closes_what_began_in_it(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    assert await alerts(estate, estate.device_id(machine)) == [("open", None)]
    await made(estate, begin=-2)
    assert ("closed", "plannedWork") in await alerts(estate, estate.device_id(machine))


async def test_a_window_that_is_ended_early_excuses_only_until_the_grace_is_over(estate: Estate) -> None:
    machine = estate.machine()
    await estate.poll()
    window = await made(estate, end=1440)
    estate.fall_ill(machine)
    await estate.poll()
    await estate.call("DELETE", f"{PATH}/{window['id']}", 204)
    await estate.settle(30)
    assert await alerts(estate, estate.device_id(machine)) == [("suppressed", "maintenance")]
    await estate.advance(31 * 60)
    await estate.timer("judge_due")
    assert await alerts(estate, estate.device_id(machine)) == [("open", None)]


async def test_a_window_of_one_site_leaves_the_others_alone(estate: Estate) -> None:
    machine = estate.machine("Fabrikam")
    await estate.poll("Fabrikam")
    await made(estate)
    estate.fall_ill(machine)
    await estate.poll("Fabrikam")
    assert await alerts(estate, estate.device_id(machine)) == [("open", None)]


async def test_windows_that_are_not_over_are_bounded_per_limited_caller_and_altogether(estate: Estate) -> None:
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    made_by_bob = (await bob.post(PATH, json=body(estate))).json()
    row = await estate.app.tables.get(maintenance.WINDOWS, maintenance.PARTITION, made_by_bob["id"])
    assert row is not None
    tables = estate.app.tables

    async def store(first: int, count: int, **values: Any) -> None:
        rows = [row.changed(id=f"{row.id}-{number:04d}", etag=None, **values) for number in range(first, first + count)]
        for begin in range(0, count, 100):
            await tables.transact([insert(maintenance.WINDOWS, one) for one in rows[begin : begin + 100]])

    await store(0, maintenance.MAX_OF_CALLER - 2)
    past = estate.app.clock.now() - timedelta(minutes=1)
    await store(300, 50, ends_at=past)
    last = await bob.post(PATH, json=body(estate))
    assert last.status_code == 201, "those that are over do not count"
    assert "200" in error_of(await bob.post(PATH, json=body(estate)), 409)["message"]
    window = await made(estate)
    await estate.call("DELETE", f"{PATH}/{window['id']}", 204)
    await store(1000, maintenance.MAX_WINDOWS - maintenance.MAX_OF_CALLER - 1, created_by="others")
    window = await made(estate)
    assert "1000" in error_of(await estate.alice.post(PATH, json=body(estate)), 409)["message"]
    await estate.call("DELETE", f"{PATH}/{window['id']}", 204)
    await made(estate)
    assert (await bob.delete(f"{PATH}/{last.json()['id']}")).status_code == 204
    assert (await bob.post(PATH, json=body(estate))).status_code == 201
