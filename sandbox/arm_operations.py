"""Long-running operations of ARM: the 202, the two polling URLs, and progress by polls or by the stepped clock.

What differs from provider to provider (codes, headers, the look of the URLs) is a `Protocol`.

How long one takes is `Behaviour.lro`: `immediate` answers 200 at once; `polls=n` answers InProgress n times;
`seconds=s` runs until the clock says so, `typical` as long as its type usually takes. An operation that nobody polls
ends by the clock as well (`polls=n` after n seconds), because some clients never poll to the end.
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


@dataclass(frozen=True)
class Protocol:
    """How one kind of operation answers; the defaults are those of virtual machines."""

    first: int = 202
    at_once: int = 200
    """The first answer's code when the operation ended before it."""
    status_url: bool = True
    """Answers carry Azure-AsyncOperation."""
    result_url: bool = True
    """Answers carry Location."""
    status_segment: str = "operations"
    result_segment: str = "operations"
    version: str | None = None
    """The api-version in the URLs; None is the call's own."""
    twins: bool = True
    """Both URLs carry the same id."""
    done: int = 200
    """What Location answers at the end."""
    percent: bool = False
    """Status bodies carry percentComplete."""
    typical: float = 60.0
    """Seconds that it takes under `typical`."""
    body: Callable[[], Any] = lambda: None
    """What the first answer and those of Location carry: the resource as it is then, or nothing."""


_OF_MACHINES = Protocol()


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
    protocol: Protocol
    result_id: str
    """The id in Location: `id` itself unless the two differ."""
    polls: int
    """InProgress answers in all."""
    canceled: bool = False
    """Ends Canceled when `error` is there."""
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


def observe(world: World, resource: Resource) -> None:
    """Count a read of a resource as a poll of its operation, when that has no URL to be polled by."""
    operation = running(world, resource)
    if operation is not None and not (operation.protocol.status_url or operation.protocol.result_url):
        _step(world, operation)


def begin(
    call: Call,
    resource: Resource,
    *,
    provider: str,
    verb: str,
    error: dict[str, str] | None,
    finish: Callable[[Operation], None],
    protocol: Protocol = _OF_MACHINES,
    location: str | None = None,
    canceled: bool = False,
) -> Reply:
    """Start an operation on a resource and answer for it.

    That is the protocol's first code with its polling URLs, or its `at_once` code when the operation ended at once.
    `error` ({code, message}) makes it end Failed, or Canceled. `location` is the region in the URLs, by default the
    resource's. The caller has checked that the resource is not busy.
    """
    world, now = call.world, call.world.clock.now()
    polls, seconds = _pace(world.behaviour.lro, protocol.typical)
    operation_id = str(uuid.uuid4())
    operation = Operation(
        id=operation_id,
        provider=provider,
        subscription_id=resource.subscription_id,
        resource_id=resource.id,
        location=location or resource.location,
        verb=verb,
        started=now,
        due=now + timedelta(seconds=seconds),
        polls_left=polls,
        error=error,
        finish=finish,
        protocol=protocol,
        result_id=operation_id if protocol.twins else str(uuid.uuid4()),
        polls=polls or 0,
        canceled=canceled,
    )
    register = _register(world)
    register.known[operation.id] = register.known[operation.result_id] = operation
    register.by_resource[resource.id.lower()] = operation
    if world.behaviour.lro == "immediate" and error is None:
        _end(world, operation, now)
        if protocol.at_once != protocol.first:
            return Reply(protocol.body(), protocol.at_once)
    else:
        heapq.heappush(register.waiting, (operation.due, next(register.counter), operation))
    urls = _urls(call, operation)
    waits = _retry_after(world, operation) if urls else {}
    return Reply(protocol.body(), protocol.first, headers={**urls, **waits})


def _urls(call: Call, operation: Operation) -> dict[str, str]:
    """The polling headers of an operation: absolute, opaque, with the api-version of whoever serves them."""
    protocol = operation.protocol
    version = protocol.version or call.query.get("api-version", "")
    place = f"{call.base_url}/subscriptions/{operation.subscription_id}/providers/{operation.provider}"
    place += f"/locations/{operation.location}"
    tail = f"?p={uuid.uuid4().hex}&api-version={version}"
    urls = {}
    if protocol.status_url:
        urls["Azure-AsyncOperation"] = f"{place}/{protocol.status_segment}/{operation.id}{tail}"
    if protocol.result_url:
        urls["Location"] = f"{place}/{protocol.result_segment}/{operation.result_id}{tail}&monitor=true"
    return urls


def add_routes(service: Service) -> None:
    """The polling URLs, of every provider."""

    @service.route("GET", "/subscriptions/{sub}/providers/{provider}/locations/{location}/{segment}/{op}")
    async def poll(call: Call) -> Reply:
        world, params = call.world, call.params
        arm_access.require(call, params["sub"], f"{params['provider']}/locations/{params['segment']}/read")
        settle(world)
        operation = _register(world).known.get(params["op"].lower())
        if (
            operation is None
            or operation.subscription_id != params["sub"].lower()
            or operation.provider.lower() != params["provider"].lower()
        ):
            raise CloudError(404, "NotFound", f"The operation '{params['op']}' could not be found.")
        _step(world, operation)
        if call.query.get("monitor", "").lower() == "true":
            return _monitor_reply(world, operation)
        return _status_reply(world, operation)


def _step(world: World, operation: Operation) -> None:
    """One poll of an operation that counts them."""
    if operation.ended is not None or operation.polls_left is None:
        return
    if operation.polls_left == 0:
        _end(world, operation, world.clock.now())
    else:
        operation.polls_left -= 1


def _status_reply(world: World, operation: Operation) -> Reply:
    body: dict[str, Any] = {"startTime": _precise(operation.started), "name": operation.id}
    if operation.protocol.percent:
        body["percentComplete"] = _percent(world, operation)
    if operation.ended is None:
        return Reply({**body, "status": "InProgress"}, headers=_retry_after(world, operation))
    body["endTime"] = _precise(operation.ended)
    if operation.error is None:
        return Reply({**body, "status": "Succeeded"})
    return Reply({**body, "status": "Canceled" if operation.canceled else "Failed", "error": operation.error})


def _percent(world: World, operation: Operation) -> float:
    """How much of an operation is done: by its polls, or by the clock."""
    if operation.ended is not None:
        return 100.0
    if operation.polls_left is not None:
        return round(100 * (operation.polls - operation.polls_left) / (operation.polls + 1), 1)
    whole = (operation.due - operation.started).total_seconds() or 1.0
    return round(min(99.0, 100 * (world.clock.now() - operation.started).total_seconds() / whole), 1)


def _monitor_reply(world: World, operation: Operation) -> Reply:
    if operation.ended is None:
        return Reply(operation.protocol.body(), 202, headers=_retry_after(world, operation))
    if operation.error is not None:
        raise CloudError(409, operation.error["code"], operation.error["message"])
    body = operation.protocol.body() if world.resource(operation.resource_id) is not None else None
    return Reply(body, operation.protocol.done)


def _end(world: World, operation: Operation, when: datetime) -> None:
    if operation.ended is not None:
        return
    operation.ended = when
    _register(world).by_resource.pop(operation.resource_id.lower(), None)
    if world.resource(operation.resource_id) is None and operation.error is None:
        operation.error = {"code": "NotFound", "message": "The resource was deleted while the operation ran."}
    operation.finish(operation)


def _pace(lro: str, typical: float) -> tuple[int | None, float]:
    """(InProgress answers or None, seconds by the clock) of `Behaviour.lro`."""
    if lro == "typical":
        return (None, typical)
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
