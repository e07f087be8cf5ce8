"""Event subscriptions over the wire: what a Logic Apps workflow sends when it begins and ends listening."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from shared import jobs
from shared.access import ADMIN, Principal
from shared.errors import Conflict
from shared.outbox import saving
from tests.estate import Estate

ALICE = Principal("alice", "Alice", frozenset({ADMIN}), None)
OPENED, CLOSED, SYNCED = "tenantry.alert.opened", "tenantry.alert.closed", "tenantry.tenant.synced"


@pytest_asyncio.fixture
async def callback(estate: Estate) -> str:
    """What `@{listCallbackUrl()}` gives in the sandbox's logic app."""
    world = (await estate.control.get("/world")).json()
    url: str = world["receivers"]["logicapps"]["url"]
    return url


async def subscribe(estate: Estate, url: str, expect: int = 201, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await estate.call(
        "POST", "/event-subscriptions", expect, json={"callbackUrl": url, **fields}
    )
    return made


async def announce(estate: Estate, event_id: str, site_ids: list[str] | None = None) -> None:
    """Something that is no alert happens, and what follows is waited for."""
    data = {"id": "t1"}
    job = jobs.Announce(event=SYNCED, event_id=event_id, subject="t1", site_ids=site_ids, data=data)
    await estate.app.queues.send(job)
    await estate.settle(30)


async def events(estate: Estate) -> list[str]:
    """The types of the events that started a run, in order."""
    shown = (await estate.control.get("/receivers/logicapps")).json()
    return [run["event"] for run in shown["runs"]]


async def behave(estate: Estate, **how: Any) -> None:
    (await estate.control.put("/receivers/logicapps", json=how)).raise_for_status()


async def test_a_workflow_is_told_from_its_subscribe_until_its_unsubscribe(estate: Estate, callback: str) -> None:
    machine = estate.machine()
    await subscribe(estate, callback, events=[OPENED, CLOSED])
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    estate.recover(machine)
    await estate.poll()
    # The worker that told of the opening may just be ending: then the closing waits for the next one.
    await estate.settle(30, delayed=True)
    told = await events(estate)
    assert told[-2:] == [OPENED, CLOSED]
    await estate.call("POST", "/event-subscriptions/unsubscribe", 204, json={"callbackUrl": callback})
    assert await estate.listed("/event-subscriptions") == []
    estate.fall_ill(machine)
    await estate.poll()
    assert await events(estate) == told


async def test_the_trigger_gets_the_cloudevent_as_json(estate: Estate, callback: str) -> None:
    await subscribe(estate, callback)
    await announce(estate, "e1")
    shown = (await estate.control.get("/receivers/logicapps")).json()
    [delivery], [run] = shown["deliveries"], shown["runs"]
    assert run["status"] == "Succeeded"
    assert delivery["headers"]["content-type"].startswith("application/json")
    assert (delivery["body"]["specversion"], delivery["body"]["type"]) == ("1.0", SYNCED)
    assert delivery["headers"]["webhook-id"] == delivery["body"]["id"] == run["trackingId"]


async def test_subscribing_again_with_the_same_url_changes_the_subscription(estate: Estate, callback: str) -> None:
    first = await subscribe(estate, callback, events=[OPENED])
    again = await subscribe(estate, callback, 200, events=[SYNCED], name="Boards")
    assert (again["id"], again["events"], again["name"]) == (first["id"], [SYNCED], "Boards")
    [listed] = await estate.listed("/event-subscriptions")
    assert listed["id"] == first["id"]
    await announce(estate, "e1")
    assert await events(estate) == [SYNCED]


async def test_a_subscription_keeps_the_url_by_which_its_workflow_ends_it(estate: Estate, callback: str) -> None:
    made = await subscribe(estate, callback)
    path = f"/sinks/{made['id']}"
    sink = await estate.call("GET", path)
    body = {name: sink[name] for name in ("kind", "siteIds", "events", "enabled")} | {"name": "Boards"}
    other = {"settings": {"callbackUrl": f"{callback}&x=1"}}
    error = (await estate.call("PUT", path, 400, json=body | other))["error"]
    assert error["target"] == "settings.callbackUrl"
    await estate.call("PUT", path, json=body | {"settings": {"callbackUrl": callback}})
    assert (await estate.call("PUT", path, json=body | {"settings": {}}))["name"] == "Boards"
    await estate.call("POST", "/event-subscriptions/unsubscribe", 204, json={"callbackUrl": callback})
    assert await estate.listed("/sinks") == []


async def test_a_subscription_that_another_request_made_first_leaves_no_secret(
    estate: Estate, callback: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = saving.Wanted(kind="logicApps", name="S", settings={"callbackUrl": callback}, subscription=True)
    identifier, vault, kept = saving.subscription_id(callback), estate.app.vault, dict[str, str]()
    put, drop = vault.set, vault.delete

    async def stored(name: str, value: str) -> None:
        kept[name] = value
        await put(name, value)

    async def dropped(name: str) -> None:
        kept.pop(name, None)
        await drop(name)

    monkeypatch.setattr(vault, "set", stored)
    monkeypatch.setattr(vault, "delete", dropped)
    first, _ = await saving.save(estate.app, ALICE, wanted, None, identifier=identifier)
    with pytest.raises(Conflict):
        await saving.save(estate.app, ALICE, wanted, None, identifier=identifier)
    assert list(kept) == [first.secret_name]


async def test_subscribing_twice_at_once_makes_one(estate: Estate, callback: str) -> None:
    body = {"callbackUrl": callback}
    answers = await asyncio.gather(*(estate.alice.post("/event-subscriptions", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) in ([200, 200, 200, 201], [200, 200, 200, 200])
    assert len({answer.json()["id"] for answer in answers}) == 1
    await announce(estate, "e1")
    assert await events(estate) == [SYNCED]


async def test_a_subscription_is_told_of_its_events_and_sites_only(estate: Estate, callback: str) -> None:
    contoso, fabrikam = [row["id"] for row in await estate.listed("/sites", **{"$orderby": "clientName"})][:2]
    await subscribe(estate, callback, events=[SYNCED], siteIds=[contoso])
    await announce(estate, "e1", [fabrikam])
    assert await events(estate) == []
    await announce(estate, "e2", [contoso])
    assert await events(estate) == [SYNCED]


@pytest.mark.parametrize("ended", [{"status": 404}, {"status": 410}, {"deleted": True}, {"renewed": True}])
async def test_a_callback_that_is_gone_ends_its_subscription(
    estate: Estate, callback: str, ended: dict[str, Any]
) -> None:
    made = await subscribe(estate, callback)
    await behave(estate, **ended)
    await announce(estate, "e1")
    assert await estate.listed("/event-subscriptions") == []
    assert await estate.listed("/sinks") == []
    await estate.call("GET", f"/event-subscriptions/{made['id']}", 404)
    await estate.call("POST", "/event-subscriptions/unsubscribe", 204, json={"callbackUrl": callback})


async def test_a_callback_that_is_only_down_stays_subscribed(estate: Estate, callback: str) -> None:
    made = await subscribe(estate, callback)
    await behave(estate, status=503, times=1)
    await announce(estate, "e1")
    assert [row["id"] for row in await estate.listed("/event-subscriptions")] == [made["id"]]
    await estate.settle(30, delayed=True)
    assert await events(estate) == [SYNCED]


async def test_the_callback_url_is_never_shown_or_stored_outside_the_vault(estate: Estate, callback: str) -> None:
    signature = callback.partition("sig=")[2]
    answer = await estate.alice.post("/event-subscriptions", json={"callbackUrl": callback})
    made = answer.json()
    here = f"/event-subscriptions/{made['id']}"
    paths = ("/event-subscriptions", here, "/sinks", f"/sinks/{made['id']}", "/audit")
    seen = [answer.text, *[(await estate.alice.get(path)).text for path in paths]]
    await behave(estate, status=500)
    await announce(estate, "e1")
    seen.append((await estate.alice.get(f"/sinks/{made['id']}/deliveries")).text)
    rows = [str(entity) async for entity in estate.app.tables.rows("Sinks", "sink")]
    assert rows
    assert signature not in str(seen + rows)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"callbackUrl": ""},
        {"callbackUrl": "ftp://secret-place/x"},
        {"callbackUrl": "https://user:secret-place@93.184.216.34/x"},
        {"callbackUrl": "http://localhost:1/x", "events": []},
        {"callbackUrl": "http://localhost:1/x", "events": ["secret-place"]},
        {"callbackUrl": "http://localhost:1/x", "more": 1},
    ],
)
async def test_what_can_never_work_is_refused_without_repeating_the_url(estate: Estate, body: dict[str, Any]) -> None:
    answer = await estate.alice.post("/event-subscriptions", json=body)
    assert answer.status_code == 400
    if "callbackUrl" in body and "events" not in body:
        assert "secret-place" not in answer.text
    assert await estate.listed("/event-subscriptions") == []


async def test_a_subscription_is_deleted_at_its_location(estate: Estate, callback: str) -> None:
    answer = await estate.alice.post("/event-subscriptions", json={"callbackUrl": callback})
    made = answer.json()
    assert answer.headers["Location"].endswith(f"/api/event-subscriptions/{made['id']}")
    path = f"/event-subscriptions/{made['id']}"
    assert await estate.call("GET", path) == made
    stale = await estate.alice.delete(path, headers={"If-Match": "old"})
    assert stale.status_code == 412
    await estate.call("DELETE", path, 204)
    await estate.call("DELETE", path, 404)
    await announce(estate, "e1")
    assert await events(estate) == []


async def test_other_sinks_are_no_subscriptions(estate: Estate) -> None:
    sink = await estate.webhook()
    assert await estate.listed("/event-subscriptions") == []
    await estate.call("GET", f"/event-subscriptions/{sink['id']}", 404)
    await estate.call("DELETE", f"/event-subscriptions/{sink['id']}", 404)


async def test_who_may_subscribe_and_to_what(estate: Estate, callback: str) -> None:
    bob, carol, nobody = await estate.person("bob"), await estate.person("carol"), await estate.person()
    site = (await estate.listed("/sites"))[0]["id"]
    body = {"callbackUrl": callback}
    assert (await nobody.post("/event-subscriptions", json=body)).status_code == 401
    assert (await carol.post("/event-subscriptions", json=body)).status_code == 403
    assert (await bob.post("/event-subscriptions", json=body)).status_code == 403
    assert (await bob.post("/event-subscriptions", json={**body, "siteIds": [site]})).status_code == 404
    await estate.grant("bob", site)
    made = await bob.post("/event-subscriptions", json={**body, "siteIds": [site]})
    assert made.status_code == 201
    path = f"/event-subscriptions/{made.json()['id']}"
    assert (await carol.get(path)).status_code == 404
    assert (await carol.get("/event-subscriptions")).json()["value"] == []
    await estate.grant("carol", site)
    assert (await carol.get(path)).json() == made.json()
    assert (await carol.delete(path)).status_code == 403
    assert (await carol.post("/event-subscriptions/unsubscribe", json=body)).status_code == 403
    assert (await bob.post("/event-subscriptions/unsubscribe", json=body)).status_code == 204


async def test_a_subscription_of_every_site_is_beyond_who_sees_some(estate: Estate, callback: str) -> None:
    site = (await estate.listed("/sites"))[0]["id"]
    made = await subscribe(estate, callback)
    await estate.grant("bob", site)
    bob, body = await estate.person("bob"), {"callbackUrl": callback}
    assert (await bob.post("/event-subscriptions", json={**body, "siteIds": [site]})).status_code == 404
    assert (await bob.post("/event-subscriptions/unsubscribe", json=body)).status_code == 404
    assert [row["id"] for row in await estate.listed("/event-subscriptions")] == [made["id"]]
