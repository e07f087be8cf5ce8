"""Rows of the audit log. A day is a partition: its entries newest first, then a head for each chain, then marks."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field
from typing_extensions import TypedDict

from shared.app import App
from shared.store.tables import Kind, Record

TABLE = "Audit"
PROVIDER = "provider"
"""The chain of what concerns no client tenant."""
HEAD = "h|"
"""Row keys of heads begin with it; those of entries with a digit, and so lie below."""
ONCE = "o|"
"""Row keys of marks begin with it."""
REGISTER_PARTITION = "chains"


class Entry(Record):
    """Who did what to what, why, and how it came out. `at` is UTC, and never before that of the entry before it."""

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
    """`x-ms-client-request-id` of who called us."""
    client_request_id: str = ""
    """`x-ms-client-request-id` that we sent to Microsoft."""
    azure_request_id: str = ""
    """`x-ms-request-id` that Microsoft answered with, where it is known."""
    details: dict[str, Any] = Field(default_factory=dict)
    chain: str = ""
    """A client tenant's id or `PROVIDER`; empty in an entry written before there were chains."""
    sequence: int = 0
    """From 1, in its chain and day."""
    previous: str = ""
    """Hash of the entry before it; of the first one of a day, of what its day follows (see chain.py)."""
    hash: str = Field(default="", exclude=True)
    """SHA-256 of the row's `data` as it is stored; a column beside it, and not read back."""


class Head(Record):
    """Where a chain ends on a day. `at` is that of its last entry, UTC; the day's first moment when there is none."""

    chain: str
    day: str
    """YYYY-MM-DD, UTC."""
    sequence: int = 0
    """Number of entries."""
    hash: str
    at: datetime
    previous_day: str | None = None
    """The day before it in which the chain has a head; None at the beginning of the chain."""
    previous_hash: str = ""
    """Of that day's head when it was closed; empty when that head was gone."""
    next_day: str | None = None
    """The day that follows it: from then on nothing is appended to this one."""


class Mark(Record):
    """The act of this name has its entry on this day."""

    day: str
    name: str


class Chain(Record):
    """The newest day that a chain has."""

    name: str
    day: str


class Log(Record):
    """What is known of the log as a whole. Days are UTC."""

    first_day: str | None = None
    """When chains began: entries of later days are in one."""
    kept_from: str | None = None
    """Days before it were removed by retention, or are being removed."""


ENTRIES = Kind(
    TABLE,
    Entry,
    lambda e: (f"{e.at:%Y-%m-%d}", e.id),
    lambda e: {"actor": e.actor, "target": e.target, "chain": e.chain, "hash": e.hash},
    parts=2,
)
HEADS = Kind(TABLE, Head, lambda h: (h.day, f"{HEAD}{h.chain}"))
MARKS = Kind(TABLE, Mark, lambda m: (m.day, f"{ONCE}{m.name}"))
CHAINS = Kind(TABLE, Chain, lambda c: (REGISTER_PARTITION, c.name))
LOG = Kind(TABLE, Log, lambda _: ("log", "log"))


def chain_of(tenant_id: str | None) -> str:
    """The chain of what concerns a client tenant, or none."""
    return tenant_id.lower() if tenant_id else PROVIDER


async def log_of(app: App) -> Log:
    """What is known of the log as a whole."""
    return await app.tables.get(LOG, "log", "log") or Log()


async def of_day(
    app: App, day: date, *, actor: str | None, target: str | None, chain: str | None = None, above: str = "", limit: int
) -> list[Entry]:
    """Entries of one UTC day, newest first."""
    wanted = {"actor": actor, "target": target, "chain": chain}
    values = {name: value for name, value in wanted.items() if value is not None}
    where = " and ".join(f"{name} eq @{name}" for name in values)
    return await app.tables.all(
        ENTRIES, f"{day:%Y-%m-%d}", above=above, below=HEAD, where=where, parameters=values, limit=limit
    )


class AuditEntry(TypedDict):
    """Who did what to what, why, and how it came out. `tenantId` null: it concerns no client tenant, or several."""

    id: str
    at: datetime
    tenantId: str | None
    actor: str
    actorName: str
    action: str
    target: str
    outcome: str
    reason: str | None
    ticketNumber: str | None
    requestId: str
    clientRequestId: str
    azureRequestId: str
    details: dict[str, Any]


def view(entry: Entry) -> AuditEntry:
    """As the API shows it."""
    return {
        "id": entry.id,
        "at": entry.at,
        "tenantId": tenant_of(entry.chain),
        "actor": entry.actor,
        "actorName": entry.actor_name,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "ticketNumber": entry.ticket_number,
        "requestId": entry.request_id,
        "clientRequestId": entry.client_request_id,
        "azureRequestId": entry.azure_request_id,
        "details": entry.details,
    }


def tenant_of(chain: str) -> str | None:
    """The client tenant of a chain; None for the provider's own."""
    return chain if chain not in ("", PROVIDER) else None
