"""Receivers: other people's ticket systems, listening at /receivers/{kind} on the plain HTTP port.

A module of this package adds one by defining a `RECEIVER`, a subclass of `base.Receiver`; nothing else lists it.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil

from sandbox.receivers.base import Receiver
from sandbox.wire import Call, CloudError, Disconnect, Reply, Service
from sandbox.world import Cloud


def _discover() -> dict[str, type[Receiver]]:
    found: dict[str, type[Receiver]] = {}
    for module in pkgutil.iter_modules(__path__):
        receiver = getattr(importlib.import_module(f"{__name__}.{module.name}"), "RECEIVER", None)
        if receiver is not None:
            found[receiver.kind] = receiver
    return found


KINDS = _discover()
"""Kind -> class."""


def of(cloud: Cloud, kind: str) -> Receiver:
    """The receiver of a kind in the present world. Raises CloudError 404 for an unknown kind."""
    if kind not in KINDS:
        raise CloudError(404, "UnknownReceiver", f"Receiver '{kind}' is none of {', '.join(sorted(KINDS))}.")
    present: dict[str, Receiver] = cloud.world.extra.setdefault("receivers", {})
    if kind not in present:
        present[kind] = KINDS[kind](cloud)
    return present[kind]


async def _received(receiver: Receiver, call: Call) -> Reply:
    """The receiver's own answer, counted."""
    try:
        reply = await receiver.receive(call)
    except CloudError as error:
        receiver.answers[error.status] += 1
        raise
    receiver.answers[reply.status] += 1
    return reply


def service(cloud: Cloud) -> Service:
    """Every receiver, as one ASGI application."""
    receivers = Service(cloud, "receivers", [], simulated=False)

    async def receive(call: Call) -> Reply:
        receiver = of(cloud, call.params["kind"].lower())
        mood = receiver.mood_for(call)
        if mood.delay_ms:
            await asyncio.sleep(mood.delay_ms / 1000)
        if mood.disconnect:
            receiver.record(call, 0, verified=receiver.verify(call))
            receiver.answers[0] += 1
            raise Disconnect
        if mood.status >= 300:
            receiver.record(call, mood.status, verified=receiver.verify(call))
            receiver.answers[mood.status] += 1
            return Reply(receiver.failure(mood.status), mood.status, dict(mood.headers))
        reply = await _received(receiver, call)
        if mood.disconnect_after:
            receiver.lost += 1
            raise Disconnect
        if reply.status < 300 and mood.status != 200:
            reply.status = mood.status
        return reply

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        receivers.route(method, "/receivers/{kind}")(receive)
        receivers.route(method, "/receivers/{kind}/{rest:path}")(receive)
    return receivers
