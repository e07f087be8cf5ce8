"""Events that Azure sends: who may send them, what of them is taken, and that a device is read at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox.world import Resource
from shared.hints import sources
from shared.hints.work import HINTS
from tests.estate import Estate
from tests.unit.test_event_parsing import ALERT, CLOUD_EVENT, EVENT, SUBSCRIPTION

PATHS = {"azure-monitor": "/events/azure-monitor", "event-grid": "/events/event-grid"}
BODIES: dict[str, Any] = {"azure-monitor": ALERT, "event-grid": [EVENT]}
APPLICATIONS = {"azure-monitor": "action-groups", "event-grid": "event-grid"}


@pytest_asyncio.fixture
async def azure(estate: Estate) -> httpx.AsyncClient:
    """A caller without any token."""
    return await estate.person()


async def source(estate: Estate, kind: str = "azure-monitor", **fields: Any) -> dict[str, Any]:
    """A new event source, with its URL."""
    made: dict[str, Any] = await estate.call(
        "POST", "/event-sources", 201, json={"kind": kind, "name": "Contoso", **fields}
    )
    return made


async def token(estate: Estate, application: str, **fields: Any) -> dict[str, str]:
    answer = await estate.control.post("/tokens", json={"application": application, **fields})
    return {"Authorization": f"Bearer {answer.json()['accessToken']}"}


def about(body: Any, subscription_id: str) -> Any:
    """The published sample, about another subscription."""
    return json.loads(json.dumps(body).replace(SUBSCRIPTION, subscription_id))


async def status(estate: Estate, resource: Resource) -> str:
    return str((await estate.call("GET", f"/devices/{estate.device_id(resource)}"))["status"])


@pytest.mark.parametrize("kind", PATHS)
async def test_an_event_needs_a_proof(estate: Estate, azure: httpx.AsyncClient, kind: str) -> None:
    made, path = await source(estate, kind), PATHS[kind]
    other = await source(estate, next(other for other in PATHS if other != kind))
    sig, wrong = made["url"].rpartition("sig=")[2], other["url"].rpartition("sig=")[2]
    refused: list[dict[str, Any]] = [
        {},
        {"params": {"source": made["id"]}},
        {"params": {"sig": sig}},
        {"params": {"source": made["id"], "sig": wrong}},
        {"params": {"source": other["id"], "sig": wrong}},
        {"params": {"source": "nobody", "sig": sig}},
        {"headers": {"Authorization": "Bearer nonsense"}},
        {"headers": {"Authorization": estate.alice.headers["authorization"]}},
        {"headers": await token(estate, "daemon")},
        {"headers": await token(estate, "daemon", roles=[sources.APPLICATIONS[kind].role])},  # type: ignore[index]  # its keys are PATHS's
        {"headers": await token(estate, APPLICATIONS[kind], roles=[])},
        {"headers": await token(estate, APPLICATIONS[kind], audience="https://management.azure.com")},
        {"headers": await token(estate, APPLICATIONS[kind], lifetimeSeconds=-600)},
        {"headers": await token(estate, next(a for k, a in APPLICATIONS.items() if k != kind))},
        # A wrong secret is not made good by a right token.
        {
            "params": {"source": made["id"], "sig": wrong},
            "headers": await token(estate, APPLICATIONS[kind]),
        },
    ]
    for how in refused:
        answer = await azure.post(path, json=BODIES[kind], **how)
        assert answer.status_code == 401, (how, answer.text)
    for how in ({"params": {"source": made["id"], "sig": sig}}, {"headers": await token(estate, APPLICATIONS[kind])}):
        answer = await azure.post(path, json=BODIES[kind], **how)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"subscriptions": 0, "ignored": 0, "unknown": 1}


async def test_a_secret_is_shown_once_and_stored_only_as_a_hash(estate: Estate, azure: httpx.AsyncClient) -> None:
    made = await source(estate)
    secret = made["url"].rpartition("sig=")[2]
    assert len(secret) >= 43
    [listed] = await estate.listed("/event-sources")
    assert "url" not in listed
    [row] = [row async for row in estate.app.tables.rows("EventSources", "source")]
    assert secret not in str(row)
    [entry] = [e for e in await estate.listed("/audit") if e["action"] == "eventSource.create"]
    assert secret not in str(entry)
    repeated = [
        await estate.alice.post(
            "/event-sources", json={"kind": "event-grid", "name": "G"}, headers={"Idempotency-Key": "one"}
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in repeated] == [201, 201]
    assert ["url" in answer.json() for answer in repeated] == [True, False]


async def test_a_deleted_source_is_refused_at_once(estate: Estate, azure: httpx.AsyncClient) -> None:
    made = await source(estate)
    assert (await azure.post(made["url"], json=ALERT)).status_code == 200
    shown = await estate.call("GET", f"/event-sources/{made['id']}")
    assert shown["lastEventAt"] >= shown["createdAt"]
    await estate.call("DELETE", f"/event-sources/{made['id']}", 204)
    assert (await azure.post(made["url"], json=ALERT)).status_code == 401
    await estate.call("DELETE", f"/event-sources/{made['id']}", 404)


async def test_an_alert_of_azure_monitor_makes_the_device_be_read_at_once(
    estate: Estate, azure: httpx.AsyncClient
) -> None:
    made, machine = await source(estate), estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    answer = await azure.post(made["url"], json=about(ALERT, estate.cloud().id))
    assert answer.json() == {"subscriptions": 1, "ignored": 0, "unknown": 0}
    await estate.settle(30)
    assert await status(estate, machine) == "unavailable"
    assert await estate.app.tables.all(HINTS, "hint") == []


@pytest.mark.parametrize(
    "media, body",
    [
        ("application/json", [EVENT]),
        ("application/cloudevents+json; charset=utf-8", CLOUD_EVENT),
        ("application/cloudevents-batch+json", [CLOUD_EVENT, EVENT]),
    ],
)
async def test_events_of_event_grid_do_in_every_form(
    estate: Estate, azure: httpx.AsyncClient, media: str, body: Any
) -> None:
    made, machine = await source(estate, "event-grid"), estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    content = json.dumps(about(body, estate.cloud().id))
    answer = await azure.post(made["url"], content=content, headers={"Content-Type": media})
    assert answer.json() == {"subscriptions": 1, "ignored": 0, "unknown": 0}
    await estate.settle(30)
    assert await status(estate, machine) == "unavailable"


async def test_event_grid_may_ask_whether_its_events_are_wanted(estate: Estate, azure: httpx.AsyncClient) -> None:
    made = await source(estate, "event-grid")
    asked = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "512d38b6"}}
    answer = await azure.post(made["url"], json=[asked], headers={"aeg-event-type": "SubscriptionValidation"})
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "512d38b6"})
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    answer = await azure.options(made["url"], headers=origin)
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    assert answer.headers["webhook-allowed-rate"] == "*"
    # Without the proof nobody learns anything, and no code is echoed.
    assert (await azure.options(PATHS["event-grid"], headers=origin)).status_code == 401
    assert (await azure.post(PATHS["event-grid"], json=[asked])).status_code == 401


async def test_a_sender_may_speak_of_its_own_tenants_only(estate: Estate, azure: httpx.AsyncClient) -> None:
    tenants = {row["displayName"]: row["id"] for row in await estate.listed("/tenants")}
    made = await source(estate, tenantIds=[tenants["Fabrikam"].upper()])
    about_contoso = await azure.post(made["url"], json=about(ALERT, estate.cloud("Contoso").id))
    assert about_contoso.json() == {"subscriptions": 0, "ignored": 0, "unknown": 1}
    about_fabrikam = await azure.post(made["url"], json=about(ALERT, estate.cloud("Fabrikam").id))
    assert about_fabrikam.json()["subscriptions"] == 1
    await estate.settle(30)


async def test_bodies_are_bounded_and_of_the_right_kind(estate: Estate, azure: httpx.AsyncClient) -> None:
    url = (await source(estate, "event-grid"))["url"]
    large = [EVENT] * 2_000
    assert (await azure.post(url, json=large)).status_code == 413
    small = [{"type": "other"}] * 5_001
    assert (await azure.post(url, json=small)).status_code == 400
    assert (await azure.post(url, json=small[:5_000])).json() == {"subscriptions": 0, "ignored": 5_000, "unknown": 0}
    for body, media, expected in [
        (b"{", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"7", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "text/plain", 415),
        (b"[]", "application/cloudevents+xml", 415),
        (b"[]", "application/json", 200),
    ]:
        answer = await azure.post(url, content=body, headers={"Content-Type": media})
        assert answer.status_code == expected, (body[:20], media, answer.text)
    assert (await azure.post(f"{url}&filter=x", json=[])).status_code == 400


async def test_a_hundred_events_of_one_subscription_make_few_polls(estate: Estate, azure: httpx.AsyncClient) -> None:
    made, subscription = await source(estate, "event-grid"), estate.cloud()
    await estate.poll()
    machine = estate.machine()
    before = (await estate.control.get("/requests", params={"service": "arm", "since": 10**9})).json()["last"]
    body = json.dumps(about([EVENT], subscription.id))

    async def send(number: int) -> int:
        if number == 99:
            estate.fall_ill(machine)
        answer = await azure.post(made["url"], content=body, headers={"Content-Type": "application/json"})
        return answer.status_code

    statuses = []
    for begin in range(0, 100, 20):
        statuses += await asyncio.gather(*(send(number) for number in range(begin, begin + 20)))
    assert statuses == [200] * 100
    await estate.settle(30)
    assert await status(estate, machine) == "unavailable", "the last event must not be missed"
    sent = (await estate.control.get("/requests", params={"service": "arm", "since": before})).json()["requests"]
    polls = sum("/availabilitystatuses" in row["url"].lower() and subscription.id in row["url"] for row in sent)
    assert 1 <= polls <= 12


async def quiet(estate: Estate) -> list[dict[str, Any]]:
    """What Azure sent, once all of it has arrived and what follows is done."""
    async with asyncio.timeout(30):
        while (shown := (await estate.control.get("/action-groups")).json())["underWay"]:
            await asyncio.sleep(0.05)
    await estate.settle(30)
    rows: list[dict[str, Any]] = shown["sent"]
    return rows


async def change(estate: Estate, resource: Resource, state: str) -> None:
    answer = await estate.control.put("/health", json={"resourceId": resource.id, "availabilityState": state})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("schema", ["commonAlert", "eventGrid", "cloudEvents"])
async def test_late_double_and_mixed_up_events_are_one_ticket_that_closes(estate: Estate, schema: str) -> None:
    await estate.webhook()
    made = await source(estate, "azure-monitor" if schema == "commonAlert" else "event-grid")
    await estate.poll()
    machine, neighbour = estate.machine(), estate.machine("Fabrikam")
    group = {"url": made["url"], "schema": schema, "duplicates": 3, "jitterMs": 400}
    answer = await estate.control.put("/action-groups", json={"groups": [group]})
    assert answer.status_code == 200, answer.text
    await change(estate, machine, "Unavailable")
    await change(estate, neighbour, "Available")
    rows = await quiet(estate)
    assert [row["status"] for row in rows] == [200] * 4
    [alert] = await estate.listed("/alerts", state="open")
    assert alert["deviceId"] == estate.device_id(machine)
    await change(estate, machine, "Available")
    await quiet(estate)
    assert await estate.listed("/alerts", state="open") == []
    told = {row["headers"]["webhook-id"]: row["body"]["type"] for row in await estate.received()}
    assert sorted(told.values()) == ["tenantry.alert.closed", "tenantry.alert.opened"]


async def test_secure_groups_of_the_providers_tenant_need_no_secret(estate: Estate) -> None:
    await estate.poll()
    machine = estate.machine()
    url = f"{estate.host.url}/api/events"
    groups = [
        {"url": f"{url}/azure-monitor", "schema": "commonAlert", "secure": True},
        {"url": f"{url}/event-grid", "schema": "eventGrid", "secure": True},
        {"url": f"{url}/event-grid", "schema": "cloudEvents", "secure": True},
    ]
    answer = await estate.control.put("/action-groups", json={"groups": groups})
    assert answer.status_code == 200, answer.text
    await change(estate, machine, "Degraded")
    assert [row["status"] for row in await quiet(estate)] == [200] * 3
    assert await status(estate, machine) == "degraded"
    refused = await estate.control.put("/action-groups", json={"groups": [groups[1] | {"secure": False}]})
    assert refused.status_code == 400, "the handshake needs the proof too"
