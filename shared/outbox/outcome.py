"""What becomes of a delivery and its ticket by what the receiver said: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from shared.outbox.circuit import BACK_OFF, Circuit
from shared.outbox.records import ATTEMPTS_KEPT, ERROR_CHARS, Attempt, Delivery, Ticket, TicketState
from shared.sinks.contract import Message, Receipt, SinkError, TicketRef

NEVER_OPENED = "The opening of this alert was never delivered, so this was not sent."
BY_HAND = "People closed the ticket; it is left as it is."
OVER = "It was over before anything could be sent."
TOO_OLD = "It could not be delivered within 7 days."
KEY_CHARS = 12
"""Of a sink's id, in the key of its tickets."""


@dataclass(frozen=True)
class Outcome:
    """A delivery and its ticket as they are now. `held`, `pending`: it stays in line."""

    row: Delivery
    ticket: Ticket | None = None

    @property
    def in_line(self) -> bool:
        """Whether it stays in line."""
        return self.row.state in ("pending", "held")


def message(row: Delivery, ticket: Ticket | None) -> Message:
    """What a kind is given to send."""
    return Message(
        id=row.id,
        type=row.event,
        body=row.body.encode(),
        key=f"{row.alert_id}.{row.sink_id[:KEY_CHARS]}" if row.alert_id else "",
        title=row.title,
        text=row.text,
        severity=row.severity,
        site_id=row.site_id,
        client_name=row.client_name,
        url=row.url,
        reopened=row.reopened,
        late=ticket is not None and ticket.told_at is not None and row.event_at < ticket.told_at,
        ticket=ticket.ref if ticket else None,
    )


def unsent(row: Delivery, ticket: Ticket | None, *, tickets: bool, unopened: bool, now: datetime) -> Outcome | None:
    """What becomes of a delivery that is not sent, or None when it is to be sent.

    `tickets`: the sink is one of tickets; `unopened`: the opening of its alert was given up.
    """
    if row.alert_id is None or row.verb == "opened":
        return None
    if not tickets:
        return (
            Outcome(_ended(row, "failed", now, error=NEVER_OPENED), _failed(row, ticket, NEVER_OPENED))
            if unopened
            else None
        )
    if ticket is not None and ticket.closed_by_hand and row.verb != "closed":
        return Outcome(_ended(row, "delivered", now, detail=BY_HAND), ticket)
    return None


def taken(
    row: Delivery, ticket: Ticket | None, receipt: Receipt, attempt: Attempt, now: datetime, *, tickets: bool
) -> Outcome:
    """After a receipt. `tickets`: the sink is one of tickets."""
    row = _tried(row, attempt)
    detail = receipt.detail or (BY_HAND if receipt.closed_by_hand else None)
    done = _ended(row, "delivered", now, detail=detail)
    if row.alert_id is None:
        return Outcome(done)
    before = ticket or _ticket(row)
    if tickets and before.state == "failed" and row.verb != "opened" and receipt.ticket is None:
        # There is no ticket, as its opening was given up: that stays to be seen.
        return Outcome(done, before)
    # An event that is sent again after its alert's end meets the ticket that we closed, not people.
    ours = before.state == "closed" and not before.closed_by_hand
    state: TicketState = "open"
    if receipt.closed_by_hand or row.verb == "closed" or (row.verb == "updated" and before.state == "closed"):
        state = "closed"
    by_hand = (receipt.closed_by_hand and not ours) or (row.verb == "updated" and before.closed_by_hand)
    after = _named(before, receipt.ticket).changed(state=state, closed_by_hand=by_hand, last_error=None)
    if row.verb != "closed":
        after = after.changed(told_at=max(row.event_at, before.told_at or row.event_at))
    return Outcome(done, after)


def refused(
    row: Delivery, ticket: Ticket | None, error: SinkError, attempt: Attempt, now: datetime, circuit: Circuit
) -> Outcome:
    """After a failure. `circuit` as it was when the message was begun, and `now` the time of the answer."""
    row = _tried(row, attempt).changed(last_error=attempt.error)
    before = ticket or _ticket(row)
    if error.disable:
        # It waits until somebody has changed the sink; what nobody can take spends no attempts.
        return _with(row.changed(due_at=now), before, attempt.error)
    if error.held:
        return _with(row.changed(state="held"), before.changed(state="held"), attempt.error)
    if error.permanent:
        return Outcome(_ended(row, "failed", now, error=attempt.error), _failed(row, ticket, attempt.error))
    asked = timedelta(seconds=error.retry_after or 0)
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _with(row.changed(due_at=now + asked), before, attempt.error)
    if circuit.until is not None:
        # A probe: while the receiver takes nothing at all, that is not the message's doing.
        return _with(row.changed(due_at=max(now + asked, circuit.failed(now).until or now)), before, attempt.error)
    count = row.attempt_count + 1
    if count > len(BACK_OFF):
        return Outcome(_ended(row, "failed", now, error=attempt.error), _failed(row, ticket, attempt.error))
    wait = max(timedelta(seconds=BACK_OFF[count - 1]), asked)
    return _with(row.changed(attempt_count=count, due_at=now + wait), before, attempt.error)


def given_up(row: Delivery, ticket: Ticket | None, error: str, now: datetime) -> Outcome:
    """Ended without being delivered."""
    return Outcome(_ended(row, "failed", now, error=error), _failed(row, ticket, error))


def skipped(row: Delivery, ticket: Ticket | None, now: datetime) -> Outcome:
    """Of an alert that ended before its opening could be sent."""
    before = ticket or _ticket(row)
    state: TicketState = "closed" if before.external_id else "skipped"
    done = _ended(row, "skipped", now, detail=OVER).changed(last_error=None)
    return Outcome(done, before.changed(state=state, last_error=None) if row.alert_id else None)


def _with(row: Delivery, ticket: Ticket, error: str | None) -> Outcome:
    return Outcome(row, ticket.changed(last_error=error) if row.alert_id else None)


def _failed(row: Delivery, ticket: Ticket | None, error: str | None) -> Ticket | None:
    return (ticket or _ticket(row)).changed(state="failed", last_error=error) if row.alert_id else None


def _ticket(row: Delivery) -> Ticket:
    """Of an alert whose ticket was not looked up: what must have been before its event."""
    state: TicketState = "pending" if row.verb == "opened" else "open"
    return Ticket(alert_id=row.alert_id or "", sink_id=row.sink_id, kind=row.kind, state=state)


def _named(ticket: Ticket, ref: TicketRef | None) -> Ticket:
    if ref is None:
        return ticket
    return ticket.changed(
        external_id=ref.external_id or ticket.external_id,
        number=ref.number or ticket.number,
        url=ref.url or ticket.url,
        title=ref.title or ticket.title,
        severity=ref.severity or ticket.severity,
    )


def _tried(row: Delivery, attempt: Attempt) -> Delivery:
    short = attempt.changed(error=attempt.error[:ERROR_CHARS] if attempt.error else None)
    return row.changed(attempts=[*row.attempts, short][-ATTEMPTS_KEPT:])


def _ended(
    row: Delivery, state: str, now: datetime, *, error: str | None = None, detail: str | None = None
) -> Delivery:
    return row.changed(state=state, done_at=now, last_error=error, detail=detail)
