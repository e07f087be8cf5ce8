"""Action groups and Event Grid of the simulated Azure: what they send, to whom, late, twice and mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import tokens
from sandbox.azure_types import VM
from sandbox.server import Sandbox, _listen, _Server
from sandbox.world import Resource

ORIGIN = "eventgrid.azure.net"
COMPUTE = "Microsoft.Compute/"


@dataclass
class Listener:
    """Somebody's address: keeps what comes, and answers as told."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    fail: int = 0
    """So many of the next events are answered with 503."""
    proves: bool = True

    async def answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(headers={"WebHook-Allowed-Origin": ORIGIN} if self.proves else {})
        body = await request.json()
        if isinstance(body, list) and body[0].get("eventType", "").endswith("SubscriptionValidationEvent"):
            code = body[0]["data"]["validationCode"]
            return JSONResponse({"validationResponse": code if self.proves else "no"})
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.fail -= 1
        return Response(status_code=503 if self.fail >= 0 else 200)


@pytest_asyncio.fixture(loop_scope="session")
async def listener() -> AsyncIterator[Listener]:
    listener, sock = Listener(), _listen(0)
    listener.url = f"http://localhost:{sock.getsockname()[1]}/hook"
    app = Starlette(routes=[Route("/hook", listener.answer, methods=["POST", "OPTIONS"])])
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener
    server.should_exit = True
    await task
    sock.close()


@pytest.fixture
def machine(sandbox: Sandbox) -> Resource:
    world = sandbox.cloud.world
    every = (r for s in world.subscriptions.values() for r in s.resources.values())
    return next(r for r in every if r.type == VM and r.power == "running")


async def listen(control: httpx.AsyncClient, *groups: dict[str, Any], status: int = 200) -> None:
    answer = await control.put("/action-groups", json={"groups": list(groups)})
    assert answer.status_code == status, answer.text


async def change(control: httpx.AsyncClient, resource: Resource, state: str, **fields: Any) -> None:
    body = {"resourceId": resource.id, "availabilityState": state, **fields}
    (await control.put("/health", json=body)).raise_for_status()


async def sent(control: httpx.AsyncClient) -> list[dict[str, Any]]:
    """What was sent, once nothing is under way any more."""
    async with asyncio.timeout(20):
        while True:
            shown = (await control.get("/action-groups")).json()
            if not shown["underWay"]:
                rows: list[dict[str, Any]] = shown["sent"]
                return rows
            await asyncio.sleep(0.02)


async def test_an_action_group_tells_in_the_common_schema(
    control: httpx.AsyncClient, listener: Listener, machine: Resource
) -> None:
    await listen(control, {"url": listener.url, "schema": "commonAlert"})
    await change(control, machine, "Unavailable")
    await change(control, machine, "Unavailable")
    assert [row["status"] for row in await sent(control)] == [200], "the same state again is no event"
    [body] = listener.bodies
    essentials, context = body["data"]["essentials"], body["data"]["alertContext"]
    assert body["schemaId"] == "azureMonitorCommonAlertSchema"
    assert essentials["monitoringService"] == "Resource Health"
    assert essentials["alertTargetIDs"] == [machine.id.lower()]
    assert context["properties"]["currentHealthStatus"] == "Unavailable"
    assert context["properties"]["previousHealthStatus"] == "Available"
    assert "authorization" not in listener.headers[0]
    await change(control, machine, "Available")
    await sent(control)
    assert listener.bodies[1]["data"]["alertContext"]["status"] == "Resolved"


async def test_a_secure_group_carries_a_token_of_microsofts_application(
    control: httpx.AsyncClient, listener: Listener, machine: Resource, sandbox: Sandbox
) -> None:
    await listen(control, {"url": listener.url, "schema": "commonAlert", "secure": True})
    await change(control, machine, "Degraded")
    await sent(control)
    given = listener.headers[0]["authorization"].removeprefix("Bearer ")
    world = sandbox.cloud.world
    audience = world.applications["tenantry-api"].app_id
    claims = jwt.decode(given, tokens._key()[0].public_key(), algorithms=["RS256"], audience=audience)
    assert claims["azp"] == "461e8683-5575-4561-ac7f-899cc907d62a"
    assert claims["roles"] == ["ActionGroupsSecureWebhook"]
    assert claims["tid"] == world.partner.id


@pytest.mark.parametrize("schema", ["eventGrid", "cloudEvents"])
async def test_event_grid_tells_of_machines_after_a_handshake(
    control: httpx.AsyncClient, listener: Listener, machine: Resource, sandbox: Sandbox, schema: str
) -> None:
    listener.proves = False
    await listen(control, {"url": listener.url, "schema": schema}, status=400)
    listener.proves = True
    await listen(control, {"url": listener.url, "schema": schema})
    every = sandbox.cloud.world.subscriptions[machine.subscription_id].resources.values()
    other = next(r for r in every if r.health is not None and not r.type.startswith(COMPUTE))
    await change(control, other, "Degraded")
    await change(control, machine, "Unavailable")
    assert len(await sent(control)) == 1, "Event Grid tells of machines only"
    [body] = listener.bodies
    event = body[0] if schema == "eventGrid" else body
    properties = event["data"]["resourceInfo"]["properties"]
    assert properties["targetResourceId"] == machine.id
    assert (properties["previousAvailabilityState"], properties["availabilityState"]) == ("Available", "Unavailable")
    media = listener.headers[0]["content-type"]
    assert media.startswith("application/json" if schema == "eventGrid" else "application/cloudevents+json")


async def test_events_come_twice_in_any_order_and_in_batches(
    control: httpx.AsyncClient, listener: Listener, machine: Resource
) -> None:
    await listen(control, {"url": listener.url, "schema": "eventGrid", "duplicates": 1, "jitterMs": 300, "batch": 10})
    states = ["Unavailable", "Degraded", "Unknown", "Available", "Unavailable", "Available"]
    for state in states:
        await change(control, machine, state)
    await sent(control)
    events = [event for body in listener.bodies for event in body]
    assert len(events) == 2 * len(states)
    assert len({event["id"] for event in events}) == len(states)
    assert len(listener.bodies) < len(events)
    assert events != sorted(events, key=lambda event: event["eventTime"])


async def test_a_failing_address_is_tried_again_and_a_refusing_one_is_not(
    control: httpx.AsyncClient, listener: Listener, machine: Resource
) -> None:
    listener.fail = 2
    await listen(
        control,
        {"url": listener.url, "schema": "commonAlert", "retryMs": 10},
        {"url": f"{listener.url}/nowhere", "schema": "commonAlert", "retryMs": 10},
    )
    await change(control, machine, "Unavailable")
    rows = await sent(control)
    assert [row["status"] for row in rows if row["status"] != 404] == [503, 503, 200]
    assert [row["try"] for row in rows if row["status"] == 404] == [1]


async def test_other_subscriptions_and_a_new_world_are_not_told_of(
    control: httpx.AsyncClient, listener: Listener, machine: Resource
) -> None:
    await listen(control, {"url": listener.url, "schema": "commonAlert", "subscriptionIds": ["another"]})
    await change(control, machine, "Unavailable")
    assert await sent(control) == []
    await listen(control, {"url": listener.url, "schema": "commonAlert", "delayMs": 100})
    await change(control, machine, "Available")
    await control.post("/reset", json={})
    await asyncio.sleep(0.2)
    assert listener.bodies == []
    assert (await control.put("/action-groups", json={"groups": [{"url": "x", "schema": "y"}]})).status_code == 400
    assert (await control.put("/action-groups", json={"groups": [{"uri": "x"}]})).status_code == 400
