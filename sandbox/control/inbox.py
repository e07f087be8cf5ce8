"""What arrived at the receivers, how they answer, and what people do to their tickets."""

from __future__ import annotations

from sandbox import receivers
from sandbox.control.routes import Routes, fields
from sandbox.wire import Call, Reply

routes = Routes()


@routes.route("GET", "/receivers/{kind}")
async def show(call: Call) -> Reply:
    """What arrived: `{deliveries, tickets}`; with `skip` or `top` only so many deliveries, oldest first."""
    shown = receivers.of(call.cloud, call.params["kind"]).shown()
    skip, top = int(call.query.get("skip", 0)), int(call.query.get("top", len(shown["deliveries"])))
    return Reply(shown | {"deliveries": shown["deliveries"][skip : skip + top]})


@routes.route("GET", "/receivers/{kind}/counts")
async def counts(call: Call) -> Reply:
    """How many requests were answered how, and how many tickets there are in each state."""
    return Reply(receivers.of(call.cloud, call.params["kind"]).counts())


@routes.route("GET", "/receivers/{kind}/tickets")
async def tickets(call: Call) -> Reply:
    """The tickets alone: `{tickets}`."""
    return Reply({"tickets": receivers.of(call.cloud, call.params["kind"]).shown()["tickets"]})


@routes.route("PUT", "/receivers/{kind}/tickets/{id}")
async def by_hand(call: Call) -> Reply:
    """What a person does to a ticket there: `{state: open|closed}`. The ticket as it is then."""
    ticket = receivers.of(call.cloud, call.params["kind"]).by_hand(call.params["id"], fields(call, "state")["state"])
    return Reply(ticket.shown())


@routes.route("DELETE", "/receivers/{kind}/tickets/{id}")
async def removed_by_hand(call: Call) -> Reply:
    """A person deletes a ticket there."""
    receivers.of(call.cloud, call.params["kind"]).removed_by_hand(call.params["id"])
    return Reply(status=204)


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
