"""What every receiver has in common: deliveries, tickets, and being told to fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

HIDDEN = {"authorization", "cookie"}
"""Headers whose value is a secret and never shown."""


@dataclass
class Mood:
    """How a receiver answers: `status` with `delay_ms`, for the next `times` requests (None: until changed)."""

    status: int = 200
    delay_ms: float = 0.0
    times: int | None = None
    disconnect: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Ticket:
    """A ticket in the receiver's system."""

    id: str
    key: str
    """What the sender calls it: one ticket per key."""
    state: str
    title: str
    url: str
    notes: list[str] = field(default_factory=list)


class Receiver:
    """One kind of receiving system. Subclasses set `kind` and answer in `receive`."""

    kind: ClassVar[str]

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.deliveries: list[dict[str, Any]] = []
        self.tickets: dict[str, Ticket] = {}
        """By key."""
        self.mood = Mood()

    @property
    def url(self) -> str:
        """Where the receiver listens."""
        return f"{self.cloud.urls['control']}/receivers/{self.kind}"

    async def receive(self, call: Call) -> Reply:
        """Answer one request. Raises CloudError to refuse it."""
        raise NotImplementedError

    def verify(self, call: Call) -> bool:
        """Whether a request proves who sent it."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """What a sender must know, for GET /world."""
        return {"url": self.url}

    def settle(self, body: dict[str, Any]) -> None:
        """Take a change of PUT /receivers/{kind}: `{status?, delayMs?, times?, retryAfter?, kind?}`.

        `kind: disconnect` drops connections. Without `times` the change lasts. Raises CloudError 400 for other fields.
        """
        unknown = set(body) - {"status", "delayMs", "times", "retryAfter", "kind"}
        if unknown:
            raise CloudError(400, "UnknownField", f"Unknown fields: {', '.join(sorted(unknown))}.")
        headers = {"Retry-After": f"{body['retryAfter']:g}"} if "retryAfter" in body else {}
        self.mood = Mood(
            status=int(body.get("status", 200)),
            delay_ms=float(body.get("delayMs", 0)),
            times=None if body.get("times") is None else int(body["times"]),
            disconnect=body.get("kind") == "disconnect",
            headers=headers,
        )

    def mood_for_next(self) -> Mood:
        """The mood of the next answer, counted down."""
        if self.mood.times is not None:
            if self.mood.times > 0:
                self.mood.times -= 1
            else:
                self.mood = Mood()
        return self.mood

    def record(self, call: Call, status: int, *, verified: bool) -> None:
        """Remember what arrived and how it was answered (`status` 0: connection dropped)."""
        self.deliveries.append(
            {
                "at": self.now().isoformat(),
                "method": call.method,
                "path": call.path,
                "headers": {k: "***" if k in HIDDEN else v for k, v in call.headers.items()},
                "body": _body(call),
                "raw": call.raw_body.decode("utf-8", "replace"),
                "verified": verified,
                "status": status,
            }
        )

    def now(self) -> datetime:
        """Sandbox time."""
        return self.cloud.clock.now()

    def shown(self) -> dict[str, Any]:
        """What GET /receivers/{kind} answers."""
        tickets = [
            {"id": t.id, "key": t.key, "state": t.state, "title": t.title, "notes": t.notes, "url": t.url}
            for t in self.tickets.values()
        ]
        return {"deliveries": self.deliveries, "tickets": tickets}

    def clear(self) -> None:
        """Forget what arrived, and answer well again."""
        self.deliveries.clear()
        self.tickets.clear()
        self.mood = Mood()


def _body(call: Call) -> Any:
    """The JSON of a body, or its text."""
    try:
        return call.body
    except CloudError:
        return call.raw_body.decode("utf-8", "replace")
