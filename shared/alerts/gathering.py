"""Doing the same for many: a bounded number at once, or many in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from shared.app import App
from shared.store.tables import Kind, Record, put

AT_ONCE = 16
IN_ONE = 50
"""Rows in one transaction, which takes 4 MiB."""
A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R", bound=Record)


async def in_turn(items: Iterable[A], do: Callable[[A], Awaitable[B]]) -> list[B]:
    """The results in order. Every item is waited for, also when one fails: nothing may go on after its job has ended.

    Raises the first failure.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: A) -> B:
        async with gate:
            return await do(item)

    ended = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    found: list[B] = []
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
        found.append(outcome)
    return found


async def put_all(app: App, kind: Kind[R], records: Iterable[R]) -> list[R]:
    """Store records, of each partition many at once; gives them as they are stored, in order.

    Raises PreconditionFailed when one has changed; others may be stored then.
    """
    wanted = list(records)
    by_partition: dict[str, list[int]] = {}
    for place, record in enumerate(wanted):
        by_partition.setdefault(kind.key(record)[0], []).append(place)
    chunks = [
        places[begin : begin + IN_ONE] for places in by_partition.values() for begin in range(0, len(places), IN_ONE)
    ]

    async def one(chunk: list[int]) -> None:
        etags = await app.tables.transact([put(kind, wanted[place]) for place in chunk])
        for place, etag in zip(chunk, etags, strict=True):
            wanted[place] = wanted[place].changed(etag=etag)

    await in_turn(chunks, one)
    return wanted
