"""Who decides on an action on many devices after it was asked for: a second person approves, anybody cancels."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.world import Resource
from shared import progress
from shared.devices import DEVICES
from shared.devices.records import DEVICE_PREFIX
from shared.operations import follow, lanes, pauses, reads
from shared.operations.records import GUARDS, LANES
from shared.sites import SITES
from tests import many
from tests.estate import Estate
from tests.many import act, approve_above, audited, ended, ended_now, ids, machines, other, polled, posts


@pytest.fixture(autouse=True)
def quick(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    many.quicken(estate, monkeypatch)


async def test_above_the_set_number_a_second_person_lets_it_begin(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate, "Contoso", "Fabrikam")
    operation = await act(estate, deviceIds=ids(estate, rows))
    link = f"/operations/{operation['id']}"
    await estate.settle(30)
    waiting = await estate.call("GET", link)
    alice = (await estate.control.get("/world")).json()["people"]["alice"]["objectId"]
    assert (waiting["status"], waiting["approval"]["state"], waiting["approval"]["requestedBy"]) == (
        "notStarted",
        "pending",
        alice,
    )
    assert posts(estate) == []
    own = await estate.alice.post(f"{link}/approve", json={})
    assert (own.status_code, own.json()["error"]["code"]) == (403, "approvalByRequester")
    assert (await estate.alice.post(f"{link}/reject", json={})).status_code == 403
    bob = await other(estate, "contoso-hq")
    assert (await bob.post(f"{link}/approve", json={})).status_code == 404
    carol = await estate.person("carol")
    assert (await carol.post(f"{link}/approve", json={})).status_code == 403
    assert (await bob.post("/operations/202601-none/approve", json={})).status_code == 404
    bob = await other(estate, "contoso-hq", "fabrikam-hq")
    approved = await bob.post(f"{link}/approve", json={"reason": "Planned"})
    assert approved.status_code == 200
    assert (approved.json()["approval"]["state"], approved.json()["approval"]["decidedByName"]) == (
        "approved",
        "Bob Berg",
    )
    for word in ("approve", "reject"):
        twice = await bob.post(f"{link}/{word}", json={})
        assert (twice.status_code, twice.json()["error"]["code"]) == (409, "alreadyDecided")
    done = await ended_now(estate, operation)
    assert done["status"] == "succeeded"
    assert len(posts(estate)) == len(rows)
    assert await audited(estate, operation) == [
        "Alice Anders devices.restart.request accepted",
        "Bob Berg devices.restart.approve accepted",
        "Alice Anders devices.restart succeeded",
    ]


async def test_what_was_rejected_never_begins(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate)
    operation = await act(estate, deviceIds=ids(estate, rows))
    bob = await other(estate, "contoso-hq")
    assert (await bob.post(f"/operations/{operation['id']}/reject", json={"reason": "No"})).status_code == 200
    done = await ended_now(estate, operation)
    assert (done["status"], done["approval"]["state"], done["error"]["code"]) == (
        "canceled",
        "rejected",
        "approvalRejected",
    )
    assert done["result"]["canceled"] == len(rows)
    assert posts(estate) == []
    assert "Bob Berg devices.restart.reject accepted" in await audited(estate, operation)


async def test_an_approval_that_expired_cannot_be_given(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate)
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    bob = await other(estate, "contoso-hq")
    await estate.advance(24 * 3600 + 1)
    bob = await estate.person("bob")
    shown = (await bob.get(f"/operations/{operation['id']}")).json()
    assert (shown["status"], shown["approval"]["state"]) == ("notStarted", "expired"), "whatever the timer has done"
    assert [row["approval"]["state"] for row in await estate.listed("/operations")] == ["expired"]
    late = await bob.post(f"/operations/{operation['id']}/approve", json={})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "approvalExpired")
    await estate.timer("resend_lost_work")
    done = (await bob.get(f"/operations/{operation['id']}")).json()
    assert (done["status"], done["approval"]["state"], done["error"]["code"]) == (
        "canceled",
        "expired",
        "approvalExpired",
    )
    assert posts(estate) == []


@pytest.mark.parametrize("rivals", [("approve", "approve"), ("approve", "reject"), ("approve", "cancel")])
async def test_of_two_who_decide_at_once_one_does(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, rivals: tuple[str, str]
) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate)
    operation = await act(estate, deviceIds=ids(estate, rows))
    bob = await other(estate, "contoso-hq")
    answers = await asyncio.gather(
        *(
            (estate.alice if word == "cancel" else bob).post(f"/operations/{operation['id']}/{word}", json={})
            for word in rivals
        )
    )
    codes = [answer.status_code for answer in answers]
    done = await ended_now(estate, operation)
    if rivals[1] == "cancel" and codes == [200, 200]:
        # Approved first, and canceled before all had begun.
        assert done["result"]["succeeded"] + done["result"]["canceled"] == len(rows)
    else:
        assert sorted(codes) == [200, 409]
        assert done["status"] == ("succeeded" if rivals[codes.index(200)] == "approve" else "canceled")
    assert len(posts(estate)) == done["result"]["succeeded"]


async def test_what_changed_until_the_approval_is_looked_at_again(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate, "Contoso", "Fabrikam")
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    bob = await other(estate, "contoso-hq", "fabrikam-hq")
    gone, moved = rows[0], machines(estate, "Fabrikam")
    device = await estate.app.tables.get(DEVICES, gone.subscription_id, f"{DEVICE_PREFIX}{estate.device_id(gone)}")
    assert device is not None
    await estate.app.tables.delete(DEVICES, device)
    site = await estate.app.tables.get(SITES, "site", "fabrikam-hq")
    assert site is not None
    await estate.app.tables.put(SITES, site.changed(tenant_id=None, etag=None))
    await estate.app.tables.put(SITES, site.changed(id="fabrikam-lab", site_name="Lab", etag=None))
    rows[1].power = "deallocated"
    assert (await bob.post(f"/operations/{operation['id']}/approve", json={})).status_code == 200
    done = await ended_now(estate, operation)
    codes = {item["target"]: item.get("error", {}).get("code") for item in done["items"]}
    assert codes[estate.device_id(gone)] == "deviceGone"
    assert codes[estate.device_id(rows[1])] == "actionNotAvailable"
    assert {codes[estate.device_id(row)] for row in moved} == {"siteChanged"}
    assert sorted(posts(estate)) == sorted(row.id.lower() for row in machines(estate)[2:])


async def asked_by_bob(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[Resource]]:
    """An action that Bob, who has Contoso's site, asked for and that waits to be approved."""
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate)
    bob = await other(estate, "contoso-hq")
    answer = await bob.post("/actions", json={"action": "restart", "deviceIds": ids(estate, rows)})
    assert answer.status_code == 202, answer.text
    await estate.settle(30)
    return answer.json(), rows


async def test_what_is_no_longer_the_requesters_cannot_be_approved(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation, rows = await asked_by_bob(estate, monkeypatch)
    link = f"/operations/{operation['id']}"
    await estate.grant("bob", "fabrikam-hq")
    refused = (await estate.call("POST", f"{link}/approve", 409, json={"reason": "Fine"}))["error"]
    assert refused["code"] == "requesterLostSites"
    assert "Bob Berg" in refused["message"]
    assert "contoso-hq" in refused["message"]
    assert (await estate.call("GET", link))["approval"]["state"] == "pending"
    assert "Alice Anders devices.restart.approve refused" in await audited(estate, operation)
    assert posts(estate) == []
    await estate.grant("bob", "contoso-hq")
    await estate.call("POST", f"{link}/approve", json={})
    assert (await ended_now(estate, operation))["result"]["succeeded"] == len(rows)


async def test_what_is_no_longer_the_requesters_does_not_begin(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    operation, rows = await asked_by_bob(estate, monkeypatch)
    await pauses.add(estate.app, rows[0].subscription_id, 60)
    await estate.call("POST", f"/operations/{operation['id']}/approve", json={})
    await estate.settle(30)
    await estate.grant("bob")
    await estate.advance(61)
    done = await ended_now(estate, operation)
    assert done["status"] == "failed"
    assert {item["error"]["code"] for item in done["items"]} == {"requesterLostSites"}
    assert posts(estate) == []


async def test_cancel_stops_what_has_not_begun(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    rows = await polled(estate)
    estate.sandbox.cloud.world.behaviour.lro = "seconds=60"
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    link = f"/operations/{operation['id']}"
    half = await estate.call("GET", link)
    assert half["status"] == "running"
    assert sorted(item["status"] for item in half["items"]) == ["notStarted"] * (len(rows) - 1) + ["running"]
    await estate.call("POST", f"{link}/cancel", json={"reason": "Wrong ones"})
    await estate.call("POST", f"{link}/cancel", 409, json={})
    await estate.settle(30)
    half = await estate.call("GET", link)
    assert half["status"] == "running"
    assert half["percentComplete"] == 100 * (len(rows) - 1) // len(rows)
    await estate.advance(61)
    done = await ended(estate, operation)
    assert (done["status"], done["error"]["code"]) == ("canceled", "canceled")
    assert done["result"] == {"succeeded": 1, "failed": 0, "canceled": len(rows) - 1, "outcomeUnknown": 0}
    assert len(posts(estate)) == 1
    await estate.call("POST", f"{link}/cancel", 409, json={})
    trail = await audited(estate, operation)
    assert "Alice Anders devices.restart.cancel accepted" in trail
    assert trail[-1] == "Alice Anders devices.restart canceled"
    lane = await estate.app.tables.get(LANES, "lane", rows[0].subscription_id)
    assert lane is not None
    assert (lane.slots, lane.waiting) == ([], [])


async def test_a_cancel_reaches_what_has_a_slot_and_was_not_sent(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_long(*_: Any) -> float:
        return 600

    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    rows = await polled(estate)
    with monkeypatch.context() as patch:
        patch.setattr(follow, "_held_up", for_long)
        operation = await act(estate, deviceIds=ids(estate, rows))
        await estate.settle(30)
    await estate.call("POST", f"/operations/{operation['id']}/cancel", json={})
    done = await ended_now(estate, operation)
    assert (done["status"], done["result"]["canceled"]) == ("canceled", len(rows))
    await estate.advance(601)
    await estate.settle(30)
    assert posts(estate) == []
    lane = await estate.app.tables.get(LANES, "lane", rows[0].subscription_id)
    assert lane is not None
    assert (lane.slots, lane.waiting) == ([], [])
    first = min(ids(estate, rows))
    assert await estate.app.tables.get(GUARDS, "device", first) is None
    assert [row["outcome"] for row in await estate.listed("/audit", target=first)] == ["canceled", "accepted"]


async def test_a_cancel_does_not_stop_what_was_approved_meanwhile(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve_above(estate, monkeypatch, 1)
    rows = await polled(estate)
    operation = await act(estate, deviceIds=ids(estate, rows))
    bob, link, read = await other(estate, "contoso-hq"), f"/operations/{operation['id']}", reads.get

    async def approved_just_after(*asked: Any) -> progress.Operation:
        found = await read(*asked)
        monkeypatch.setattr(reads, "get", read)
        assert (await bob.post(f"{link}/approve", json={})).status_code == 200
        return found

    monkeypatch.setattr(reads, "get", approved_just_after)
    assert (await estate.call("POST", f"{link}/cancel", 409, json={}))["error"]["code"] == "alreadyDecided"
    assert (await ended_now(estate, operation))["status"] == "succeeded"


async def test_an_action_of_which_everything_has_begun_is_not_canceled(estate: Estate) -> None:
    rows = await polled(estate)
    estate.sandbox.cloud.world.behaviour.lro = "seconds=60"
    operation = await act(estate, deviceIds=ids(estate, rows))
    await estate.settle(30)
    refused = await estate.call("POST", f"/operations/{operation['id']}/cancel", 409, json={})
    assert refused["error"]["code"] == "alreadyEnded"
    await estate.advance(61)
    assert (await ended(estate, operation))["status"] == "succeeded"


async def test_only_what_has_not_begun_of_an_action_on_one_device_is_canceled(estate: Estate) -> None:
    rows = await polled(estate)
    device = estate.device_id(rows[0])
    await pauses.add(estate.app, rows[0].subscription_id, 60)
    operation = await estate.call("POST", f"/devices/{device}/actions/restart", 202, json={})
    await estate.settle(30)
    why = {"reason": "Wrong", "ticketNumber": "T-9"}
    canceled = await estate.call("POST", f"/operations/{operation['id']}/cancel", json=why)
    assert canceled["status"] == "canceled"
    await estate.settle(30)
    assert posts(estate) == []
    assert await estate.app.tables.get(GUARDS, "device", device) is None
    await estate.call("POST", f"/operations/{operation['id']}/cancel", 409, json={"reason": "Too late"})
    trail = [row for row in await estate.listed("/audit", target=device) if row["action"] == "device.restart.cancel"]
    assert [(row["actorName"], row["reason"], row["ticketNumber"]) for row in trail] == [
        ("Alice Anders", "Wrong", "T-9")
    ]
    refresh = await estate.call("POST", "/devices/refresh", 202, json={})
    answer = await estate.alice.post(f"/operations/{refresh['id']}/cancel", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "notCancelable")
    await estate.settle(30)
