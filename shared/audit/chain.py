"""How entries are linked: pure. Each carries the hash of the one before it, and a day's first that of its day's start.

A hash is the SHA-256 of the text that is stored, so that it can be checked by anybody who can read the table, and stays
true when the model gets new fields.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.audit.records import Entry, Head, chain_of
from shared.clock import newest_first

MOST_ENTRIES = 99_999_999
"""Of a chain on one day."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What an entry says, before it has its place in a chain. Fields as in `Entry`."""

    actor: str
    action: str
    target: str
    tenant_id: str | None = None
    """The client tenant that the target belongs to; None when it is nobody's or several clients'."""
    actor_name: str = ""
    outcome: str = "accepted"
    reason: str | None = None
    ticket_number: str | None = None
    request_id: str = ""
    client_request_id: str = ""
    azure_request_id: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    """Ends the entry's id, so that it is found again whatever its place became."""
    once: str = ""
    """Names the act, in characters of a row key: an act that is told again, by another worker or after a kill, is not
    written again. Empty: each telling is an act of its own."""


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def start_of(chain: str, day: str, previous_day: str | None, previous_hash: str) -> str:
    """What the first entry of a day follows: the chain's name, the day, and the end of its day before."""
    return digest(json.dumps([chain, day, previous_day, previous_hash]))


def begun(chain: str, day: str, previous_day: str | None = None, previous_hash: str = "") -> Head:
    """The head of a day that has no entry yet."""
    return Head(
        chain=chain,
        day=day,
        hash=start_of(chain, day, previous_day, previous_hash),
        at=datetime.fromisoformat(day).replace(tzinfo=UTC),
        previous_day=previous_day,
        previous_hash=previous_hash,
    )


def linked(head: Head, deeds: Iterable[Deed], now: datetime) -> tuple[Head, list[Entry]]:
    """The next entries of a chain, and its head after them; `now` is not after the head's day.

    Time does not go back within a chain, whichever worker's clock is behind, so that rows in order of time are in order
    of the chain.
    """
    at, sequence, last = max(now, head.at), head.sequence, head.hash
    entries: list[Entry] = []
    for deed in deeds:
        sequence += 1
        entry = Entry(
            id=f"{newest_first(at)}{MOST_ENTRIES - sequence:08d}{deed.mark}",
            at=at,
            actor=deed.actor,
            actor_name=deed.actor_name,
            action=deed.action,
            target=deed.target,
            outcome=deed.outcome,
            reason=deed.reason,
            ticket_number=deed.ticket_number,
            request_id=deed.request_id,
            client_request_id=deed.client_request_id,
            azure_request_id=deed.azure_request_id,
            details=deed.details,
            chain=chain_of(deed.tenant_id),
            sequence=sequence,
            previous=last,
        )
        last = digest(entry.model_dump_json(exclude_none=True))
        entries.append(entry.changed(hash=last))
    return head.changed(sequence=sequence, hash=last, at=at), entries
