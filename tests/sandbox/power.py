"""What the tests of power actions share: the world with every type, a bare client, and how a run state is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from sandbox import arm_operations, scale_sets
from sandbox.power import states, table
from sandbox.power.table import Action, PowerType
from sandbox.server import Sandbox
from sandbox.world import Resource, Subscription, World
from tests.sandbox.browser import ARM, client, post_token, tenant_called


def row_of(type_name: str) -> PowerType:
    """The row of a type."""
    return table.load()[type_name.lower()]


@asynccontextmanager
async def bare_client(sandbox: Sandbox) -> AsyncIterator[Bare]:
    """A client signed in as the application `automation` of Contoso, in the world `actions`."""
    async with httpx.AsyncClient(timeout=30) as http:
        contoso = tenant_called(sandbox.cloud.world, "Contoso")
        form = {"grant_type": "client_credentials", "scope": ARM, **client(sandbox.cloud.world, "automation")}
        answer = await post_token(sandbox, http, contoso.id, **form)
        yield Bare(sandbox, http, answer.json()["access_token"])


class Bare:
    """A client that knows ARM's protocol and nothing of the types: it sends what it is told, and polls what it gets."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient, token: str) -> None:
        self.sandbox, self.http, self.token = sandbox, http, token

    @property
    def world(self) -> World:
        return self.sandbox.cloud.world

    @property
    def subscription(self) -> Subscription:
        """The subscription with one resource of every type."""
        return next(row for row in self.world.subscriptions.values() if row.name == "Contoso Everything")

    def resource(self, row: PowerType) -> Resource:
        """The resource of a type."""
        return next(one for one in self.subscription.resources.values() if one.type == row.type)

    def prepare(self, row: PowerType, action: Action, lro: str = "polls=1") -> Resource:
        """Put the resource into a state that an action may begin in, and let nothing be left of the test before."""
        world, resource = self.world, self.resource(row)
        world.clock.advance(600)
        arm_operations.settle(world)
        world.behaviour.lro = lro
        resource.faults.clear()
        if row.running == states.PRESENT:
            present = [{"name": "ipconfig1", "properties": {}}] if action.verb == "stop" else []
            resource.properties = {**resource.properties, "ipConfigurations": present}
            return resource
        before = row.stopped if action.verb in ("start", "resume") else row.running
        before = action.needs[0] if action.needs else row.initial if before is None else before
        for target in scale_sets.instances(world, resource) if resource.type == scale_sets.TYPE else [resource]:
            states.write(world, row, target, before)
        return resource

    async def send(self, method: str, url: str, *, version: str | None = None, **request: Any) -> httpx.Response:
        """A request to a path below ARM, or to a whole URL as it is."""
        headers = {"Authorization": f"Bearer {request.pop('token', self.token)}"}
        query = {**request.pop("params", {}), **({"api-version": version} if version else {})}
        whole = url if url.startswith("https:") else f"{self.sandbox.urls['arm']}{url}"
        return await self.http.request(method, whole, params=query or None, headers=headers, **request)

    async def act(
        self, row: PowerType, action: Action, *, version: str | None = None, token: str | None = None
    ) -> httpx.Response:
        """Send an action as the table has it."""
        resource = self.resource(row)
        path = f"{resource.id}/{action.operation}" if action.operation else resource.id
        body = action.body
        if action.method == "PUT" and row.kind == "tracked":
            body = await self._whole(row, resource, action)
        request: dict[str, Any] = {} if body is None else {"json": body}
        if token is not None:
            request["token"] = token
        return await self.send(
            action.method, path, version=version or action.version, params=dict(action.query), **request
        )

    async def _whole(self, row: PowerType, resource: Resource, action: Action) -> dict[str, Any]:
        """The resource as a GET gives it, changed: what a PUT of the whole resource needs."""
        body: dict[str, Any] = (await self.send("GET", resource.id, version=action.version)).json()
        if action.body is not None:
            body["properties"] |= action.body["properties"]
        elif action.verb == "stop":
            del body["properties"]["ipConfigurations"]
        else:
            body["properties"]["ipConfigurations"] = [{"name": "ipconfig1", "properties": {}}]
        return body

    async def state(self, row: PowerType) -> Any:
        """The run state, read the way the table says."""
        resource, version = self.resource(row), next(iter(row.actions.values())).version
        if row.read == "getStatus":
            body = (await self.send("POST", f"{resource.id}/getStatus", version=version)).json()
        elif row.read == "executions":
            body = (await self.send("GET", f"{resource.id}/executions", version=version)).json()["value"][0]
        else:
            tail = "/instanceView" if row.read == "instanceView" else ""
            body = (await self.send("GET", f"{resource.id}{tail}", version=version)).json()
        for part in row.path.split("."):
            body = body.get(part) if isinstance(body, dict) else None
        if row.running == "present":
            return "present" if body else "absent"
        if isinstance(body, list):
            return next(one["code"] for one in body if one["code"].startswith("PowerState/"))
        return body

    async def poll(self, first: httpx.Response) -> str | None:
        """One poll by each header of an answer: the status if all say the same; None when there is no header."""
        said = set()
        if url := first.headers.get("azure-asyncoperation"):
            said.add((await self.send("GET", url)).json()["status"])
        if url := first.headers.get("location"):
            said.add("InProgress" if (await self.send("GET", url)).status_code == 202 else "Succeeded")
        assert len(said) < 2
        return said.pop() if said else None

    async def follow(self, first: httpx.Response, row: PowerType, action: Action) -> dict[str, Any]:
        """Poll an answer to its end, by the headers alone; the error of a failed one, or {}."""
        if not (action.long_running or action.later):
            return {"status": "Succeeded"}
        if status_url := first.headers.get("azure-asyncoperation"):
            for _ in range(20):
                body = (await self.send("GET", status_url)).json()
                if body["status"] in ("Succeeded", "Failed", "Canceled"):
                    return {"status": body["status"], **body.get("error", {})}
        elif result_url := first.headers.get("location"):
            for _ in range(20):
                reply = await self.send("GET", result_url)
                if reply.status_code != 202:
                    return {"status": "Succeeded"} if reply.is_success else reply.json()["error"]
        else:
            for _ in range(20):
                if await self.state(row) == action.after:
                    return {"status": "Succeeded"}
        raise AssertionError(f"{row.type} {action.verb} does not end")
