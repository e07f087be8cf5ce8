"""Work that failed as often as the platform tries: kept as rows, shown, and put back or dismissed on request."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from shared import audit
from shared.access import Principal
from shared.app import App
from shared.errors import Conflict, NotFound, PreconditionFailed
from shared.store.tables import Kind, Record

PoisonState = Literal["poisoned", "requeued", "dismissed"]


class Poisoned(Record):
    """A message that was given up."""

    id: str
    queue: str
    body: str
    reason: str
    failed_at: datetime
    state: PoisonState = "poisoned"


POISONED = Kind("Poison", Poisoned, lambda p: ("poison", p.id))


async def record(app: App, queue: str, body: str, message_id: str, reason: str) -> Poisoned:
    """Keep a given-up message. The same message twice is one row."""
    mark = hashlib.sha256(f"{queue}|{message_id}".encode()).hexdigest()[:24]
    kept = Poisoned(id=f"{queue}-{mark}", queue=queue, body=body, reason=reason, failed_at=app.clock.now())
    return await app.tables.put(POISONED, kept)


async def listed(app: App, states: Collection[PoisonState] = ()) -> list[Poisoned]:
    """All of it, or what is in one of these states."""
    return [kept for kept in await app.tables.all(POISONED, "poison") if not states or kept.state in states]


async def requeue(app: App, poison_id: str, *, by: Principal, **why: str | None) -> Poisoned:
    """Send it again. `why` goes to the audit log (reason, ticket_number, request_id).

    Raises NotFound; Conflict when it was requeued already. What was dismissed can still be sent.
    """
    kept = await _given_up(app, poison_id)
    # The mark comes last: what a kill cuts off before it is sent again, which does no harm; nothing is lost.
    await app.queues.send_text(kept.queue, kept.body)
    return await _mark(app, kept, "requeued", "poison.requeue", by, why)


async def dismiss(app: App, poison_id: str, *, by: Principal, **why: str | None) -> Poisoned:
    """Let it be: nobody waits for it any more. `why` goes to the audit log (reason, ticket_number, request_id).

    Raises NotFound; Conflict when it was requeued or dismissed already.
    """
    kept = await _given_up(app, poison_id)
    if kept.state == "dismissed":
        raise Conflict("It was dismissed already.")
    return await _mark(app, kept, "dismissed", "poison.dismiss", by, why)


async def _given_up(app: App, poison_id: str) -> Poisoned:
    """Work that was not put back. Raises NotFound and Conflict."""
    kept = await app.tables.get(POISONED, "poison", poison_id)
    if kept is None:
        raise NotFound(f"There is no poisoned work {poison_id}.")
    if kept.state == "requeued":
        raise Conflict("It was put back already.")
    return kept


async def _mark(
    app: App, kept: Poisoned, state: PoisonState, verb: str, by: Principal, why: dict[str, str | None]
) -> Poisoned:
    await audit.record(
        app,
        by.id,
        verb,
        kept.id,
        actor_name=by.name,
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        request_id=why.get("request_id") or "",
    )
    try:
        return await app.tables.put(POISONED, kept.changed(state=state))
    except PreconditionFailed as error:
        raise Conflict("It was put back or dismissed already.") from error


class PoisonedWork(TypedDict):
    """A message that was given up, as the API shows it."""

    id: str
    queue: str
    body: str
    reason: str
    failedAt: datetime
    state: PoisonState


def view(kept: Poisoned) -> PoisonedWork:
    """As the API shows it."""
    return {
        "id": kept.id,
        "queue": kept.queue,
        "body": kept.body,
        "reason": kept.reason,
        "failedAt": kept.failed_at,
        "state": kept.state,
    }
