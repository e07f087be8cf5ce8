"""Appending to the audit log: the entries and their chain's new head in one transaction, or nothing.

Who appends has read the head and replaces that version of it, so of two writers one begins again. Within a process the
entries of a chain wait in one line, and what waits is written together: a process competes with others only.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.app import App
from shared.audit.chain import Deed, begun, linked
from shared.audit.records import CHAINS, ENTRIES, HEAD, HEADS, LOG, REGISTER_PARTITION, Chain, Head, Log, chain_of
from shared.errors import Conflict, PreconditionFailed
from shared.store.tables import MAX_DATA_CHARS, TRANSACTION_LIMIT, insert, put

AT_ONCE = TRANSACTION_LIMIT - 1
"""Entries in one transaction, beside the head."""
TRIES = 30
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 2.0
"""Seconds; a pause is a random part of what doubles from the one to the other."""


@dataclass
class _Line:
    """What a process has to append to one chain."""

    waiting: list[tuple[list[Deed], asyncio.Future[None]]] = field(default_factory=list)
    """At most `AT_ONCE` deeds each, with who waits for them."""
    drain: asyncio.Task[None] | None = None


async def record(
    app: App,
    actor: str,
    action: str,
    target: str,
    *,
    tenant_id: str | None = None,
    actor_name: str = "",
    outcome: str = "accepted",
    reason: str | None = None,
    ticket_number: str | None = None,
    request_id: str = "",
    client_request_id: str = "",
    azure_request_id: str = "",
    **details: Any,
) -> None:
    """Append one entry, to the chain of the client tenant that the target belongs to, or to the provider's own.

    Parameters as in `Entry`. Raises Conflict when too many others write to the chain, ValueError when it is too long
    for a row.
    """
    deed = Deed(
        actor=actor,
        action=action,
        target=target,
        tenant_id=tenant_id,
        actor_name=actor_name,
        outcome=outcome,
        reason=reason,
        ticket_number=ticket_number,
        request_id=request_id,
        client_request_id=client_request_id,
        azure_request_id=azure_request_id,
        details=details,
    )
    await record_all(app, [deed])


async def record_all(app: App, deeds: Iterable[Deed]) -> None:
    """Append many entries: those of one chain in order, 99 in a transaction. Raises as `record`.

    When it raises, some may have been written: whole transactions, each chain from its beginning.
    """
    by_chain: dict[str, list[Deed]] = {}
    for deed in deeds:
        _, [entry] = linked(begun(chain_of(deed.tenant_id), "1970-01-01"), [deed], app.clock.now())
        if len(entry.model_dump_json()) > MAX_DATA_CHARS:
            # Told here, so that it does not fail what is written together with it.
            raise ValueError(f"{deed.action} of {deed.target}: an entry of the audit log is too long for a row")
        by_chain.setdefault(entry.chain, []).append(deed)
    await asyncio.gather(*(_append(app, chain, some) for chain, some in by_chain.items()))


async def _append(app: App, chain: str, deeds: list[Deed]) -> None:
    name = f"audit|{chain}|{id(app.tables)}"
    line: _Line = app.memory.setdefault(name, _Line())
    dones: list[asyncio.Future[None]] = []
    for begin in range(0, len(deeds), AT_ONCE):
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append((deeds[begin : begin + AT_ONCE], done))
        dones.append(done)
    if line.drain is None:
        line.drain = asyncio.create_task(_drain(app, chain, line, name))
    await asyncio.gather(*dones)


async def _drain(app: App, chain: str, line: _Line, name: str) -> None:
    """Write what waits until nothing does. A task of its own: a caller who is cut off takes nobody's entries along."""
    try:
        while line.waiting:
            deeds, dones = _next(line)
            try:
                await _write(app, chain, deeds)
            except Exception as error:
                _tell(dones, error)
            else:
                _tell(dones, None)
    finally:
        line.drain = None
        app.memory.pop(name, None)


def _next(line: _Line) -> tuple[list[Deed], list[asyncio.Future[None]]]:
    """As much of the line as fits one transaction."""
    deeds: list[Deed] = []
    dones: list[asyncio.Future[None]] = []
    while line.waiting and len(deeds) + len(line.waiting[0][0]) <= AT_ONCE:
        some, done = line.waiting.pop(0)
        if not done.cancelled():
            deeds += some
            dones.append(done)
    return deeds, dones


def _tell(dones: list[asyncio.Future[None]], error: Exception | None) -> None:
    for done in dones:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


async def _write(app: App, chain: str, deeds: list[Deed]) -> None:
    """Append to the chain, again while other processes win the race."""
    if not deeds:
        return
    for attempt in range(TRIES):
        try:
            await _try(app, chain, deeds)
            return
        except (PreconditionFailed, Conflict):
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - it spreads writers, and guards nothing
    raise Conflict("The audit log of this client is being written by many at once. Try again.")


async def _try(app: App, chain: str, deeds: list[Deed]) -> None:
    """Raises PreconditionFailed or Conflict when another writer was faster."""
    now = app.clock.now()
    head, entries = linked(await _open(app, chain, now), deeds, now)
    try:
        await app.tables.transact([put(HEADS, head), *(insert(ENTRIES, entry) for entry in entries)])
    except PreconditionFailed:
        # A transaction that was answered with a server error, and was therefore sent twice, loses against itself.
        if await app.tables.get(ENTRIES, *ENTRIES.key(entries[0])) is None:
            raise


async def _open(app: App, chain: str, now: datetime) -> Head:
    """The head to append to: today's, or that of a later day that a worker with another clock has begun.

    A day is closed before the next begins, so that a worker whose clock is behind cannot append to it any more. Cut off
    in between, the next writer goes on from there. Raises PreconditionFailed or Conflict when another was faster.
    """
    today = f"{now:%Y-%m-%d}"
    head = await _head(app, chain, today) or await _newest(app, chain)
    while head is not None and head.next_day is not None and head.next_day > head.day:
        head = await _head(app, chain, head.next_day) or await _begin(app, chain, head.next_day, head)
        await _register(app, head)
    if head is None:
        head = await _begin(app, chain, today, None)
    elif head.day < today:
        closed = await app.tables.put(HEADS, head.changed(next_day=today))
        head = await _begin(app, chain, today, closed)
    await _register(app, head)
    return head


async def _head(app: App, chain: str, day: str) -> Head | None:
    return await app.tables.get(HEADS, day, f"{HEAD}{chain}")


async def _newest(app: App, chain: str) -> Head | None:
    """The head of the chain's newest day; None for a new chain, and when retention or somebody took it away."""
    registered = await app.tables.get(CHAINS, REGISTER_PARTITION, chain)
    return await _head(app, chain, registered.day) if registered is not None else None


async def _begin(app: App, chain: str, day: str, before: Head | None) -> Head:
    registered = await app.tables.get(CHAINS, REGISTER_PARTITION, chain)
    if registered is not None and (before is None or registered.day >= day):
        # There was a head, and it is gone. Verification tells whether it may be.
        head = begun(chain, day, registered.day)
    elif before is not None:
        head = begun(chain, day, before.day, before.hash)
    else:
        head = begun(chain, day)
    log = await app.tables.get(LOG, "log", "log")
    if log is None:
        await app.tables.insert(LOG, Log(first_day=day))
    elif log.first_day is None:
        await app.tables.put(LOG, log.changed(first_day=day))
    return await app.tables.insert(HEADS, head)


async def _register(app: App, head: Head) -> None:
    """Make a day that was begun the chain's newest, before its first entry: each day follows the registered one.

    One that was begun beside another, by workers on both sides of midnight, is taken back; then this raises
    PreconditionFailed.
    """
    if head.sequence:
        return
    known = await app.tables.get(CHAINS, REGISTER_PARTITION, head.chain)
    if known is None:
        await app.tables.insert(CHAINS, Chain(name=head.chain, day=head.day))
    elif known.day == head.day:
        return
    elif known.day == head.previous_day:
        await app.tables.put(CHAINS, known.changed(day=head.day))
    else:
        await app.tables.delete(HEADS, head)
        raise PreconditionFailed(f"The chain {head.chain} has another day, {known.day}.")
