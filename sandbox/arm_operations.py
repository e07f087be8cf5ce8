"""Long-running operations of ARM: the 202, the two polling URLs, and progress by polls or by the stepped clock.

How far one takes is `Behaviour.lro`: `immediate` answers 200 at once; `polls=n` answers InProgress n times;
`seconds=s` runs until the clock says so. An operation that nobody polls ends by the clock as well (`polls=n` after n
seconds), because some clients never poll to the end.
Source: https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""

from __future__ import annotations

import heapq
import itertools
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox import arm_access
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Resource, World

_POLL_MS = "100"
"""Between the polls of `polls=n`: short, so that tests are quick; sent beside the whole second of Retry-After."""


@dataclass
class Operation:
    """One operation. `finish` is called once, with the operation, when it succeeded or failed."""

    id: str
    provider: str
    subscription_id: str
    resource_id: str
    location: str
    verb: str
    started: datetime
    due: datetime
    polls_left: int | None
    """InProgress answers left; None when only the clock counts."""
    error: dict[str, str] | None
    """{code, message} when it is to fail."""
    finish: Callable[[Operation], None]
    ended: datetime | None = None


@dataclass
class _Register:
    known: dict[str, Operation] = field(default_factory=dict)
    by_resource: dict[str, Operation] = field(default_factory=dict)
    waiting: list[tuple[datetime, int, Operation]] = field(default_factory=list)
    counter: itertools.count[int] = field(default_factory=itertools.count)


def _register(world: World) -> _Register:
    register: _Register = world.extra.setdefault("arm.operations", _Register())
    return register


def settle(world: World) -> None:
    """End every operation whose time has come. Cheap when there is none: call it before reading state."""
    waiting, now = _register(world).waiting, world.clock.now()
    while waiting and (waiting[0][2].ended is not None or waiting[0][0] <= now):
        operation = heapq.heappop(waiting)[2]
        _end(world, operation, operation.due)


def running(world: World, resource: Resource) -> Operation | None:
    """The operation that a resource is busy with."""
    return _register(world).by_resource.get(resource.id.lower())


def begin(
    call: Call,
    resource: Resource,
    *,
    provider: str,
    verb: str,
    error: dict[str, str] | None,
    finish: Callable[[Operation], None],
) -> Reply:
    """Start an operation on a resource and answer for it: 202 with both polling URLs, or 200 when it ended at once.

    `error` ({code, message}) makes it end Failed. The caller has checked that the resource is not busy.
    """
    world, now = call.world, call.world.clock.now()
    polls, seconds = _pace(world.behaviour.lro)
    operation = Operation(
        id=str(uuid.uuid4()),
        provider=provider,
        subscription_id=resource.subscription_id,
        resource_id=resource.id,
        location=resource.location,
        verb=verb,
        started=now,
        due=now + timedelta(seconds=seconds),
        polls_left=polls,
        error=error,
        finish=finish,
    )
    register = _register(world)
    register.known[operation.id] = operation
    register.by_resource[resource.id.lower()] = operation
    if world.behaviour.lro == "immediate" and error is None:
        _end(world, operation, now)
        return Reply()
    heapq.heappush(register.waiting, (operation.due, next(register.counter), operation))
    base = (
        f"{call.base_url}/subscriptions/{operation.subscription_id}/providers/{provider}/locations/{operation.location}"
        f"/operations/{operation.id}?p={uuid.uuid4().hex}&api-version={call.query.get('api-version', '')}"
    )
    urls = {"Azure-AsyncOperation": base, "Location": f"{base}&monitor=true"}
    return Reply(status=202, headers={**urls, **_retry_after(world, operation)})


def add_routes(service: Service) -> None:
    """The polling URLs, of every provider."""

    @service.route("GET", "/subscriptions/{sub}/providers/{provider}/locations/{location}/operations/{op}")
    async def poll(call: Call) -> Reply:
        world, params = call.world, call.params
        arm_access.require(call, params["sub"], f"{params['provider']}/locations/operations/read")
        settle(world)
        operation = _register(world).known.get(params["op"].lower())
        if (
            operation is None
            or operation.subscription_id != params["sub"].lower()
            or operation.provider.lower() != params["provider"].lower()
        ):
            raise CloudError(404, "NotFound", f"The operation '{params['op']}' could not be found.")
        if operation.ended is None and operation.polls_left is not None:
            if operation.polls_left == 0:
                _end(world, operation, world.clock.now())
            else:
                operation.polls_left -= 1
        if call.query.get("monitor", "").lower() == "true":
            return _monitor_reply(world, operation)
        return _status_reply(world, operation)


def _status_reply(world: World, operation: Operation) -> Reply:
    body: dict[str, Any] = {"startTime": _precise(operation.started), "name": operation.id}
    if operation.ended is None:
        return Reply({**body, "status": "InProgress"}, headers=_retry_after(world, operation))
    body["endTime"] = _precise(operation.ended)
    if operation.error is None:
        return Reply({**body, "status": "Succeeded"})
    return Reply({**body, "status": "Failed", "error": operation.error})


def _monitor_reply(world: World, operation: Operation) -> Reply:
    if operation.ended is None:
        return Reply(status=202, headers=_retry_after(world, operation))
    if operation.error is not None:
        raise CloudError(409, operation.error["code"], operation.error["message"])
    return Reply()


def _end(world: World, operation: Operation, when: datetime) -> None:
    if operation.ended is not None:
        return
    operation.ended = when
    _register(world).by_resource.pop(operation.resource_id.lower(), None)
    if world.resource(operation.resource_id) is None and operation.error is None:
        operation.error = {"code": "NotFound", "message": "The resource was deleted while the operation ran."}
    operation.finish(operation)


def _pace(lro: str) -> tuple[int | None, float]:
    """(InProgress answers or None, seconds by the clock) of `Behaviour.lro`."""
    match = re.fullmatch(r"(polls|seconds)=(\d+(?:\.\d+)?)", lro)
    if match is None:
        return (0, 0.0)
    amount = float(match[2])
    return (int(amount), max(amount, 1.0)) if match[1] == "polls" else (None, amount)


def _retry_after(world: World, operation: Operation) -> dict[str, str]:
    """Whole seconds, at least 1 (clients take 0 for absent); besides, milliseconds when less is left."""
    if operation.polls_left is not None:
        return {"Retry-After": "1", "retry-after-ms": _POLL_MS}
    left = (operation.due - world.clock.now()).total_seconds()
    if left < 1:
        return {"Retry-After": "1", "retry-after-ms": str(max(20, int(left * 1000) + 1))}
    return {"Retry-After": "1"}


def _precise(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}3+00:00"
