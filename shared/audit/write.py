"""Appending to the audit log: the entries and their chain's new head in one transaction, or nothing.

Who appends has read the head and replaces that version of it, so of two writers one begins again. Within a process the
entries of a chain wait in one line, and what waits is written together: a process competes with others only.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.app import App
from shared.audit.chain import Deed, begun, linked
from shared.audit.records import (
    CHAINS,
    ENTRIES,
    HEAD,
    HEADS,
    LOG,
    MARKS,
    ONCE,
    REGISTER_PARTITION,
    Chain,
    Head,
    Log,
    Mark,
    chain_of,
)
from shared.errors import Conflict, PreconditionFailed
from shared.store.tables import MAX_DATA_CHARS, TRANSACTION_LIMIT, insert, put

AT_ONCE = TRANSACTION_LIMIT - 1
"""Rows of entries and marks in one transaction, beside the head."""
EARLY = timedelta(hours=6)
"""So long after midnight an act may be told again that was written on the day before."""
TRIES = 30
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 2.0
"""Seconds; a pause is a random part of what doubles from the one to the other."""


@dataclass
class _Line:
    """What a process has to append to one chain."""

    waiting: list[tuple[list[Deed], asyncio.Future[None]]] = field(default_factory=list)
    """At most `AT_ONCE` rows each, with who waits for them."""
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
    once: str = "",
    **details: Any,
) -> None:
    """Append one entry, to the chain of the client tenant that the target belongs to, or to the provider's own.

    Parameters as in `Entry`, and `once` as in `Deed`. Raises Conflict when too many others write to the chain,
    ValueError when it is too long for a row.
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
        once=once,
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
    size = AT_ONCE // 2 if any(deed.once for deed in deeds) else AT_ONCE
    for begin in range(0, len(deeds), size):
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append((deeds[begin : begin + size], done))
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
    while line.waiting and _rows(deeds) + _rows(line.waiting[0][0]) <= AT_ONCE:
        some, done = line.waiting.pop(0)
        if not done.cancelled():
            deeds += some
            dones.append(done)
    return deeds, dones


def _rows(deeds: list[Deed]) -> int:
    return len(deeds) + sum(bool(deed.once) for deed in deeds)


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
    left = list({deed.once or deed.mark: deed for deed in reversed(deeds)}.values())[::-1]
    for attempt in range(TRIES):
        if not left:
            return
        try:
            left = await _try(app, chain, left, again=attempt > 0)
        except (PreconditionFailed, Conflict):
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - it spreads writers, and guards nothing
    if left:
        raise Conflict("The audit log of this client is being written by many at once. Try again.")


async def _try(app: App, chain: str, deeds: list[Deed], *, again: bool) -> list[Deed]:
    """Write them; gives what is left, which is nothing. Raises PreconditionFailed or Conflict when another was faster.

    A transaction meets a mark of its day by itself; only then the marks are read.
    """
    now = app.clock.now()
    opened = await _open(app, chain, now)
    days = [opened.day] if again else []
    if opened.previous_day and now < datetime.fromisoformat(opened.day).replace(tzinfo=UTC) + EARLY:
        days.append(opened.previous_day)
    deeds = await _unmarked(app, days, deeds)
    if not deeds:
        return []
    head, entries = linked(opened, deeds, now)
    marks = [insert(MARKS, Mark(day=head.day, name=deed.once)) for deed in deeds if deed.once]
    try:
        await app.tables.transact([put(HEADS, head), *(insert(ENTRIES, entry) for entry in entries), *marks])
    except PreconditionFailed:
        # A transaction that was answered with a server error, and was therefore sent twice, loses against itself.
        if await app.tables.get(ENTRIES, *ENTRIES.key(entries[0])) is None:
            raise
    return []


async def _unmarked(app: App, days: list[str], deeds: list[Deed]) -> list[Deed]:
    """Those that have no entry yet on any of these days."""

    async def marked(deed: Deed) -> bool:
        found = [await app.tables.get(MARKS, day, f"{ONCE}{deed.once}") for day in days if deed.once]
        return any(mark is not None for mark in found)

    known = await asyncio.gather(*(marked(deed) for deed in deeds))
    return [deed for deed, there in zip(deeds, known, strict=True) if not there]


async def _open(app: App, chain: str, now: datetime) -> Head:
    """The head to append to: today's, or that of a later day that a worker with another clock has begun.

    A day is closed before the next begins, so that a worker whose clock is behind cannot append to it any more. Cut off
    in between, the next writer goes on from there. Raises PreconditionFailed or Conflict when another was faster.
    """
    today = f"{now:%Y-%m-%d}"
    head, registered = await _head(app, chain, today), None
    if head is None:
        registered = await _registered(app, chain)
        head = await _head(app, chain, registered.day) if registered is not None else None
    while head is not None and head.next_day is not None and head.next_day > head.day:
        head = await _head(app, chain, head.next_day) or await _go_on(app, head, head.next_day)
        await _register(app, head)
    if head is None and registered is not None:
        # There was a head, and it is gone. Verification tells whether it may be.
        head = await _begin(app, begun(chain, max(today, registered.day), registered.day))
    elif head is None:
        head = await _begin(app, begun(chain, today))
    elif head.day < today:
        head = await _go_on(app, await app.tables.put(HEADS, head.changed(next_day=today)), today)
    await _register(app, head)
    return head


async def _head(app: App, chain: str, day: str) -> Head | None:
    return await app.tables.get(HEADS, day, f"{HEAD}{chain}")


async def _registered(app: App, chain: str) -> Chain | None:
    return await app.tables.get(CHAINS, REGISTER_PARTITION, chain)


async def _go_on(app: App, before: Head, day: str) -> Head:
    """Begin the day that follows a closed one."""
    registered = await _registered(app, before.chain)
    if registered is not None and registered.day >= day:
        # It had begun, and its head is gone. Was it begun a moment ago, then its head is there, and this is refused.
        return await _begin(app, begun(before.chain, day, registered.day))
    return await _begin(app, begun(before.chain, day, before.day, before.hash))


async def _begin(app: App, head: Head) -> Head:
    """Store the head of a day. Raises Conflict when another was faster."""
    log = await app.tables.get(LOG, "log", "log")
    if log is None:
        await app.tables.insert(LOG, Log(first_day=head.day))
    elif log.first_day is None:
        await app.tables.put(LOG, log.changed(first_day=head.day))
    return await app.tables.insert(HEADS, head)


async def _register(app: App, head: Head) -> None:
    """Make a day that was begun the chain's newest, before its first entry: each day follows the registered one.

    One that was begun beside another, by workers on both sides of midnight, is taken back; then this raises
    PreconditionFailed.
    """
    if head.sequence:
        return
    known = await _registered(app, head.chain)
    if known is None:
        await app.tables.insert(CHAINS, Chain(name=head.chain, day=head.day))
    elif known.day == head.day:
        return
    elif known.day == head.previous_day:
        await app.tables.put(CHAINS, known.changed(day=head.day))
    else:
        await app.tables.delete(HEADS, head)
        raise PreconditionFailed(f"The chain {head.chain} has another day, {known.day}.")
