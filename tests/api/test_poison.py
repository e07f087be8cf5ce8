"""Work that fails five times is kept, shown, and can be put back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import pytest
from azure.core.exceptions import AzureError

from sandbox.host import Host
from shared import app as composition
from shared import poison
from shared.access import Principal
from shared.jobs import CloseAlerts
from tests.mortal import mortal

UNREADABLE = '{"version": 99, "subscription_id": "s"}'
"""A message of a version that is yet to come: the application was rolled back."""


async def poisoned(alice: httpx.AsyncClient) -> list[dict[str, str]]:
    answer = await alice.get("/service/poison", params={"$orderby": "failedAt"})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, str]] = answer.json()["value"]
    return rows


async def test_work_given_up_is_listed_and_runs_again_when_it_is_put_back(
    fresh_alice: httpx.AsyncClient, host: Host, settle: Callable[[], Awaitable[None]]
) -> None:
    assert await poisoned(fresh_alice) == []
    await composition.current().queues.send_text(CloseAlerts.QUEUE, UNREADABLE)
    await settle()
    [given_up] = await poisoned(fresh_alice)
    assert (given_up["queue"], given_up["body"], given_up["state"]) == (CloseAlerts.QUEUE, UNREADABLE, "poisoned")
    assert "A newer version of Tenantry wrote it (message version 99; this one reads 1)" in given_up["reason"]

    again = await fresh_alice.post(f"/service/poison/{given_up['id']}/requeue")
    assert again.status_code == 202, again.text
    await settle()
    states = sorted(row["state"] for row in await poisoned(fresh_alice))
    assert states == ["poisoned", "requeued"], "it ran again, and was given up again"


async def test_work_is_put_back_once(
    fresh_alice: httpx.AsyncClient, host: Host, settle: Callable[[], Awaitable[None]]
) -> None:
    await composition.current().queues.send_text(CloseAlerts.QUEUE, UNREADABLE)
    await settle()
    [given_up] = await poisoned(fresh_alice)
    await fresh_alice.post(f"/service/poison/{given_up['id']}/requeue")
    second = await fresh_alice.post(f"/service/poison/{given_up['id']}/requeue")
    assert second.status_code == 409
    assert "already" in second.json()["error"]["message"]
    await settle()
    audited = (await fresh_alice.get("/audit")).json()["value"]
    assert [entry["action"] for entry in audited if entry["action"] == "poison.requeue"] == ["poison.requeue"]


async def test_poisoned_work_that_is_not_there_cannot_be_put_back(fresh_alice: httpx.AsyncClient) -> None:
    answer = await fresh_alice.post("/service/poison/nothing/requeue")
    assert answer.status_code == 404


async def test_work_that_is_of_no_use_any_more_is_dismissed_once_and_may_still_be_put_back(
    fresh_alice: httpx.AsyncClient,
) -> None:
    kept = await poison.record(composition.current(), CloseAlerts.QUEUE, UNREADABLE, "m1", "It failed.")
    path = f"/service/poison/{kept.id}"
    done = await fresh_alice.post(f"{path}/dismiss", json={"reason": "Of a version that is gone"})
    assert (done.status_code, done.json()["state"]) == (200, "dismissed")
    assert (await fresh_alice.get("/service/poison?state=poisoned")).json()["value"] == []
    assert (await fresh_alice.post(f"{path}/dismiss")).status_code == 409
    assert (await fresh_alice.post(f"{path}/requeue")).json()["state"] == "requeued"
    assert (await fresh_alice.post(f"{path}/dismiss")).status_code == 409
    assert (await fresh_alice.post("/service/poison/nothing/dismiss")).status_code == 404
    audited = [(row["action"], row["reason"]) for row in (await fresh_alice.get("/audit")).json()["value"]]
    assert ("poison.dismiss", "Of a version that is gone") in audited


@pytest.mark.parametrize("writes", range(4))
async def test_work_that_was_put_back_when_the_worker_was_killed_is_sent_or_still_waits(
    fresh_alice: httpx.AsyncClient, settle: Callable[[], Awaitable[None]], writes: int
) -> None:
    app = composition.current()
    kept = await poison.record(app, CloseAlerts.QUEUE, UNREADABLE, "m1", "It failed.")
    me = (await fresh_alice.get("/me")).json()
    alice = Principal(id=me["id"], name=me["name"], permissions=frozenset(me["permissions"]), sites=None)
    with suppress(AzureError):
        await poison.requeue(mortal(app, writes), kept.id, by=alice)
    await settle()
    by_id = {row["id"]: row["state"] for row in await poisoned(fresh_alice)}
    ran = len(by_id) == 2
    audited = [row["action"] for row in (await fresh_alice.get("/audit")).json()["value"]]
    assert by_id[kept.id] == "poisoned" or (ran and audited == ["poison.requeue"])
    if by_id[kept.id] == "poisoned":
        again = await fresh_alice.post(f"/service/poison/{kept.id}/requeue")
        assert again.status_code == 202, again.text


async def test_only_work_that_waits_is_listed_when_asked_for(fresh_alice: httpx.AsyncClient) -> None:
    app = composition.current()
    kept = await poison.record(app, CloseAlerts.QUEUE, UNREADABLE, "m1", "It failed.")
    done = await poison.record(app, CloseAlerts.QUEUE, UNREADABLE, "m2", "It failed.")
    await app.tables.put(poison.POISONED, done.changed(state="requeued"))
    listed = (await fresh_alice.get("/service/poison?state=poisoned&$count=true")).json()
    assert ([row["id"] for row in listed["value"]], listed["count"]) == ([kept.id], 1)
