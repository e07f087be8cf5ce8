"""The audit log: one appended row per acting call, never changed; old days leave by retention."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from pydantic import Field

from shared.app import App
from shared.clock import newest_first
from shared.store.tables import Kind, Record


class Entry(Record):
    """Who did what to what, why, and how it came out. `at` is UTC."""

    id: str
    at: datetime
    actor: str
    """Principal id, or `tenantry` for a timer."""
    actor_name: str = ""
    action: str
    """`<area>.<verb>`."""
    target: str
    outcome: str
    """accepted | succeeded | failed | refused."""
    reason: str | None = None
    ticket_number: str | None = None
    request_id: str = ""
    details: dict[str, Any] = Field(default_factory=dict)


ENTRIES = Kind("Audit", Entry, lambda e: (f"{e.at:%Y-%m-%d}", e.id), lambda e: {"actor": e.actor, "target": e.target})


async def record(
    app: App,
    actor: str,
    action: str,
    target: str,
    *,
    actor_name: str = "",
    outcome: str = "accepted",
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
    **details: Any,
) -> None:
    """Append one entry."""
    now = app.clock.now()
    await app.tables.insert(
        ENTRIES,
        Entry(
            id=f"{newest_first(now)}{uuid.uuid4().hex[:8]}",
            at=now,
            actor=actor,
            actor_name=actor_name,
            action=action,
            target=target,
            outcome=outcome,
            reason=reason,
            ticket_number=ticket_number,
            request_id=request_id,
            details=details,
        ),
    )


async def of_day(
    app: App, day: date, *, actor: str | None, target: str | None, above: str = "", limit: int
) -> list[Entry]:
    """Entries of one UTC day, newest first."""
    clauses, values = [], {}
    if actor is not None:
        clauses.append("actor eq @actor")
        values["actor"] = actor
    if target is not None:
        clauses.append("target eq @target")
        values["target"] = target
    return await app.tables.all(
        ENTRIES, f"{day:%Y-%m-%d}", above=above, where=" and ".join(clauses), parameters=values, limit=limit
    )


def view(entry: Entry) -> dict[str, Any]:
    """As the API shows it."""
    return {
        "id": entry.id,
        "at": entry.at,
        "actor": entry.actor,
        "actorName": entry.actor_name,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "ticketNumber": entry.ticket_number,
        "requestId": entry.request_id,
        "details": entry.details,
    }
