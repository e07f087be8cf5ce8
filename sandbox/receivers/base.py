"""What every receiver has in common: deliveries, tickets, and being told to fail."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Cloud

HIDDEN = {"authorization", "cookie", "secret", "apiintegrationcode"}
"""Headers whose value is a secret and never shown."""
MOODS = ("status", "disconnect", "disconnectAfter", "mixed")


@dataclass
class Mood:
    """How a receiver answers: `status` with `delay_ms`, for the next `times` requests (None: until changed).

    `disconnect` drops the connection at once; `disconnect_after` carries the request out and drops it then, so that
    the sender does not know. `method`, `path` (a regular expression) and `probability` choose the requests it is for.
    """

    status: int = 200
    delay_ms: float = 0.0
    times: int | None = None
    disconnect: bool = False
    disconnect_after: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    method: str = ""
    path: str = ""
    probability: float = 1.0
    mixed: bool = False
    """Each time another fault: a 503, a 429, a dropped connection, a lost answer."""


@dataclass
class Ticket:
    """A ticket in the receiver's system."""

    id: str
    key: str
    """What the sender calls it."""
    state: str
    """`open` or `closed`."""
    title: str
    url: str
    notes: list[str] = field(default_factory=list)
    company: str = ""
    """Id of the company it is for, in systems that have companies."""
    priority: str = ""
    """Id of its priority, in systems that have priorities."""
    closings: int = 0
    """How often it was given a closed state, also when it had one."""

    def turn(self, state: str) -> None:
        """Give it a state."""
        self.state = state
        self.closings += state == "closed"

    def shown(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "id": self.id,
            "key": self.key,
            "state": self.state,
            "title": self.title,
            "notes": self.notes,
            "url": self.url,
            "company": self.company,
            "priority": self.priority,
            "closings": self.closings,
        }


class Receiver:
    """One kind of receiving system. Subclasses set `kind` and answer in `receive`."""

    kind: ClassVar[str]
    kept: ClassVar[int] = 100_000
    """So many deliveries are remembered; the oldest go first."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.deliveries: list[dict[str, Any]] = []
        self.tickets: dict[str, Ticket] = {}
        """By key, or by id in a system where nothing keeps a key from having two."""
        self.mood = Mood()
        self.answers: Counter[int] = Counter()
        """Requests by the status of their answers, 0 for a connection that was dropped at once."""
        self.lost = 0
        """Requests that were carried out and whose answer was lost; they are among `answers` too."""

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
        """Take a change of PUT /receivers/{kind}.

        `{kind?: status|disconnect|disconnectAfter|mixed, status?, delayMs?, times?, retryAfter?, method?, path?,
        probability?}`. Without `times` the change lasts. Raises CloudError 400 for other fields.
        """
        known = {"status", "delayMs", "times", "retryAfter", "kind", "method", "path", "probability"}
        unknown = set(body) - known
        if unknown:
            raise CloudError(400, "UnknownField", f"Unknown fields: {', '.join(sorted(unknown))}.")
        if body.get("kind", "status") not in MOODS:
            raise CloudError(400, "UnknownKind", f"kind is one of {', '.join(MOODS)}.")
        headers = {"Retry-After": f"{body['retryAfter']:g}"} if "retryAfter" in body else {}
        try:
            re.compile(str(body.get("path", "")))
        except re.error as error:
            raise CloudError(400, "BadPath", f"path is no regular expression: {error}") from error
        self.mood = Mood(
            status=int(body.get("status", 200)),
            delay_ms=float(body.get("delayMs", 0)),
            times=None if body.get("times") is None else int(body["times"]),
            disconnect=body.get("kind") == "disconnect",
            disconnect_after=body.get("kind") == "disconnectAfter",
            headers=headers,
            method=str(body.get("method", "")).upper(),
            path=str(body.get("path", "")),
            probability=float(body.get("probability", 1)),
            mixed=body.get("kind") == "mixed",
        )

    def mood_for(self, call: Call) -> Mood:
        """The mood in which a request is answered, counted down."""
        mood = self.mood
        if mood.method not in ("", call.method) or not re.search(mood.path, call.path):
            return Mood()
        if mood.probability < 1 and self.cloud.world.rng.random() >= mood.probability:
            return Mood()
        if mood.times is not None:
            if mood.times > 0:
                mood.times -= 1
            else:
                self.mood = Mood()
        return self._one_of_many(self.mood) if self.mood.mixed else self.mood

    def _one_of_many(self, mood: Mood) -> Mood:
        faults: tuple[dict[str, Any], ...] = (
            {"status": 503},
            {"status": 429, "headers": {"Retry-After": "1"} | mood.headers},
            {"disconnect": True},
            {"disconnect_after": True},
        )
        return replace(mood, **self.cloud.world.rng.choice(faults))

    def failure(self, status: int) -> Any:
        """The body of an answer that the mood asks for, as this system words it."""
        return {"error": "The receiver was told to fail.", "status": status}

    def by_hand(self, ticket_id: str, state: str) -> Ticket:
        """A person closes or reopens a ticket there. Raises CloudError 404, 400."""
        if state not in ("open", "closed"):
            raise CloudError(400, "BadState", "state is open or closed.")
        ticket = next((row for row in self.tickets.values() if row.id == ticket_id), None)
        if ticket is None:
            raise CloudError(404, "UnknownTicket", f"There is no ticket {ticket_id}.")
        ticket.state = state
        return ticket

    def removed_by_hand(self, ticket_id: str) -> None:
        """A person deletes a ticket there. Raises CloudError 404."""
        kept = {name: row for name, row in self.tickets.items() if row.id != ticket_id}
        if len(kept) == len(self.tickets):
            raise CloudError(404, "UnknownTicket", f"There is no ticket {ticket_id}.")
        self.tickets = kept

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
        if len(self.deliveries) > self.kept:
            del self.deliveries[: self.kept // 10]

    def now(self) -> datetime:
        """Sandbox time."""
        return self.cloud.clock.now()

    def shown(self) -> dict[str, Any]:
        """What GET /receivers/{kind} answers."""
        return {"deliveries": self.deliveries, "tickets": [row.shown() for row in self.tickets.values()]}

    def counts(self) -> dict[str, Any]:
        """What GET /receivers/{kind}/counts answers."""
        states = Counter(row.state for row in self.tickets.values())
        answers = {str(status): count for status, count in sorted(self.answers.items())}
        return {"requests": self.answers.total(), "answers": answers, "lost": self.lost, "tickets": dict(states)}

    def clear(self) -> None:
        """Forget what arrived, and answer well again."""
        self.answers.clear()
        self.lost = 0
        self.deliveries.clear()
        self.tickets.clear()
        self.mood = Mood()


def _body(call: Call) -> Any:
    """The JSON of a body, or its text."""
    try:
        return call.body
    except CloudError:
        return call.raw_body.decode("utf-8", "replace")
