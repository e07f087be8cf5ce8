"""What waits for a sink, what became of it, and its tickets: rows of one table, one partition per sink.

An event's row stands in line until it ended (`p|` and its time, so that they are read in order), and is in the log from
the beginning (`d|` and its id, newest first). Both are written in one transaction, so that one told twice is sent once.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from shared.clock import newest_first
from shared.incidents.ids import order, parse_id
from shared.jobs import Deliver, DeliverSlow
from shared.outbox.circuit import Circuit, Rate
from shared.sinks.contract import TicketRef
from shared.store.tables import Kind, Record

TABLE = "Deliveries"
IN_LINE, LOGGED, TICKET, UNOPENED, HEAD = "p|", "d|", "t|", "x|", "h"
ATTEMPTS_KEPT = 10
ERROR_CHARS = 300
"""Of a receiver's answer, in each attempt."""
NEVER = "9" * 15
"""The due column of what waits for people."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

State = Literal["pending", "held", "delivered", "failed", "skipped"]
TicketState = Literal["pending", "open", "closed", "failed", "held", "skipped"]


class Attempt(Record):
    """One time of sending. `at` is UTC; `status` is the receiver's, 0 without an answer."""

    at: datetime
    status: int = 0
    error: str | None = None
    duration_ms: int = 0


class Delivery(Record):
    """One event for one sink. Times are UTC."""

    id: str
    """Also the webhook-id."""
    sink_id: str
    kind: str
    event: str
    """CloudEvents type."""
    event_at: datetime
    subject: str
    lane: str
    """Events of one lane are sent in order: the alert's id, or something of the event's own."""
    number: int = 0
    """Their order within one millisecond."""
    alert_id: str | None = None
    body: str = ""
    """The CloudEvent, sent as it is. The log has it once the delivery has ended."""
    title: str = ""
    text: str = ""
    severity: str = ""
    site_id: str | None = None
    client_name: str = ""
    url: str = ""
    reopened: bool = False
    state: State = "pending"
    line_at: datetime
    """When it was (last) put in line."""
    due_at: datetime
    attempt_count: int = 0
    """Of those that count: since it was put in line, and while the sink took other things."""
    attempts: list[Attempt] = Field(default_factory=list)
    last_error: str | None = None
    detail: str | None = None
    """What there is to say of one that ended well."""
    done_at: datetime | None = None
    traceparent: str | None = None
    """The span that put it in line, so that its ticket is of that trace whoever sends it."""

    @property
    def verb(self) -> str:
        """`opened`, `updated` or `closed` of an alert; the last word of another event."""
        return self.event.rpartition(".")[2]

    @property
    def key(self) -> str:
        """Its row while it is in line."""
        return f"{IN_LINE}{milliseconds(self.event_at)}|{self.lane}|{self.number:06d}"


class Ticket(Record):
    """What an alert has at a sink, as far as we know."""

    alert_id: str
    sink_id: str
    kind: str
    state: TicketState = "pending"
    external_id: str = ""
    number: str = ""
    url: str = ""
    closed_by_hand: bool = False
    last_error: str | None = None
    title: str = ""
    severity: str = ""
    """As the kind gave them to the ticket last."""
    told_at: datetime | None = None
    """Time of the newest event of the alert that was told there, closings apart."""

    @property
    def ref(self) -> TicketRef | None:
        """As kinds know it; None when there is none in the other system."""
        if not self.external_id:
            return None
        # One that people closed is not ours to open again: for a kind it is one that we left open.
        closed = self.state == "closed" and not self.closed_by_hand
        return TicketRef(
            self.external_id, self.number, self.url, "closed" if closed else "open", self.title, self.severity
        )


class Unopened(Record):
    """An alert whose opening was given up: an event sink is not told what came after."""

    alert_id: str
    sink_id: str


class Head(Record):
    """Who sends to a sink now, and how the sink has behaved. Only the holder of the lease writes it."""

    sink_id: str
    holder: str = ""
    until: datetime | None = None
    """End of the lease."""
    circuit: Circuit = Circuit()
    rate: Rate = Rate()
    paused_until: datetime | None = None
    """The receiver asked for quiet."""
    sink_version: datetime | None = None
    """When the sink was changed last, as far as this has been acted upon."""
    wake_at: datetime | None = None
    """When a job that was sent for later begins."""
    slow: bool = True
    """Something failed or took long when it was last sent to, or nothing was sent to it yet: its jobs have a queue of
    their own."""

    @property
    def job(self) -> Deliver:
        """What has it sent to."""
        return (DeliverSlow if self.slow else Deliver)(sink_id=self.sink_id)

    def leased(self, now: datetime) -> bool:
        """Whether somebody sends at this time."""
        return bool(self.holder) and self.until is not None and self.until > now


def milliseconds(at: datetime) -> str:
    """A key part that sorts earlier times first."""
    return f"{max(0, (at - _EPOCH) // timedelta(milliseconds=1)):015d}"


def lane_of(key: str) -> str:
    """The lane in the key of a row in line."""
    return key.split("|")[2]


def time_of(key: str) -> datetime:
    """The event's time in the key of a row in line."""
    return _EPOCH + timedelta(milliseconds=int(key.split("|")[1]))


def delivery_id(sink_id: str, at: datetime, key: str) -> str:
    """The id of the delivery of an event (its time and a key of its own) to a sink."""
    return f"{newest_first(at)}{hashlib.sha256(f'{key}|{sink_id}'.encode()).hexdigest()[:24]}"


def ticket_row(alert_id: str) -> str:
    """Row of an alert's ticket: the newest alert first."""
    place = parse_id(alert_id)
    return TICKET + (order(*place) if place else alert_id)


def _columns(row: Delivery) -> dict[str, Any]:
    return {"state": row.state, "alert": row.alert_id or ""}


def _line_columns(row: Delivery) -> dict[str, Any]:
    due = NEVER if row.state == "held" else milliseconds(row.due_at)
    return {**_columns(row), "due": due, "verb": row.verb, "tried": bool(row.attempts)}


LINE = Kind(TABLE, Delivery, lambda d: (d.sink_id, d.key), _line_columns)
LOG = Kind(TABLE, Delivery, lambda d: (d.sink_id, LOGGED + d.id), _columns)
TICKETS = Kind(TABLE, Ticket, lambda t: (t.sink_id, ticket_row(t.alert_id)), lambda t: {"state": t.state})
UNOPENEDS = Kind(TABLE, Unopened, lambda u: (u.sink_id, UNOPENED + u.alert_id))
HEADS = Kind(TABLE, Head, lambda h: (h.sink_id, HEAD))


def stub(row: Delivery) -> Delivery:
    """What the log has of a delivery that is in line: the rest is there."""
    return row.changed(body="", text="", attempts=[], etag=None)
