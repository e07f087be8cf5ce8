"""What arrived at the receivers, and how they answer."""

from __future__ import annotations

from sandbox import receivers
from sandbox.control.routes import Routes
from sandbox.wire import Call, Reply

routes = Routes()


@routes.route("GET", "/receivers/{kind}")
async def show(call: Call) -> Reply:
    """What arrived: `{deliveries, tickets}`."""
    return Reply(receivers.of(call.cloud, call.params["kind"]).shown())


@routes.route("DELETE", "/receivers/{kind}")
async def clear(call: Call) -> Reply:
    """Forget what arrived."""
    receivers.of(call.cloud, call.params["kind"]).clear()
    return Reply(status=204)


@routes.route("PUT", "/receivers/{kind}")
async def settle(call: Call) -> Reply:
    """Change how a receiver answers (see its `settle`)."""
    receiver = receivers.of(call.cloud, call.params["kind"])
    receiver.settle(call.body)
    return Reply(receiver.describe())
