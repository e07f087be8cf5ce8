"""A worker that is killed, or not answered once, after so many writes: the real application, cut off at will."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from azure.core.exceptions import AzureError

from shared.app import App
from shared.errors import Unavailable
from shared.jobs import Job
from shared.store.queues import Queues
from shared.store.tables import Kind, Record, Tables, Write


class Life:
    """How many more writes a worker makes before it is killed; then nothing it tries reaches the storage."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def spend(self) -> None:
        """One write. Raises AzureError once the worker is dead."""
        self.left -= 1
        self.check()

    def check(self) -> None:
        """Raises AzureError once the worker is dead."""
        if self.left < 0:
            raise AzureError("killed")


class Outage(Life):
    """One write that the storage does not answer; before and after it, it does."""

    def check(self) -> None:
        """Raises Unavailable once."""
        if self.left == -1:
            self.left -= 1
            raise Unavailable("Table Storage does not answer. Try again in a minute.")

    @property
    def over(self) -> bool:
        """Whether it has been."""
        return self.left < 0


class MortalTables(Tables):
    """The real tables, until the worker is killed."""

    def __init__(self, real: Tables, life: Life) -> None:
        super().__init__(real._service)
        self._clients, self._life = real._clients, life

    async def get(self, kind: Kind[Any], partition: str, row: str) -> Any:
        self._life.check()
        return await super().get(kind, partition, row)

    async def insert(self, kind: Kind[Any], record: Any) -> Any:
        self._life.spend()
        return await super().insert(kind, record)

    async def put(self, kind: Kind[Any], record: Any) -> Any:
        self._life.spend()
        return await super().put(kind, record)

    async def delete(self, kind: Kind[Any], record: Record) -> None:
        self._life.spend()
        await super().delete(kind, record)

    async def transact(self, writes: Iterable[Write]) -> list[str]:
        self._life.spend()
        return await super().transact(writes)


class MortalQueues(Queues):
    """The real queues, until the worker is killed."""

    def __init__(self, real: Queues, life: Life, lost: tuple[type[Job], ...], into: list[Job]) -> None:
        super().__init__(real._service)
        self._clients, self._life, self._lost, self._into = real._clients, life, lost, into

    async def send(self, job: Job, *, delay: float = 0) -> None:
        if isinstance(job, self._lost):
            self._life.spend()
            self._into.append(job)
        else:
            await super().send(job, delay=delay)

    async def send_text(self, queue: str, text: str, *, delay: float = 0) -> None:
        self._life.spend()
        await super().send_text(queue, text, delay=delay)


def mortal(
    app: App,
    writes: int,
    *,
    lost: type[Job] | tuple[type[Job], ...] = (),
    into: list[Job] | None = None,
) -> App:
    """The application in a worker that dies after so many writes. Jobs of the classes `lost` go into a list only."""
    return living(app, Life(writes), lost=lost, into=into)


def living(app: App, life: Life, *, lost: type[Job] | tuple[type[Job], ...] = (), into: list[Job] | None = None) -> App:
    """The application in a worker of this life. Jobs of the classes `lost` go into a list only."""
    classes = lost if isinstance(lost, tuple) else (lost,)
    queues = MortalQueues(app.queues, life, classes, [] if into is None else into)
    return replace(app, tables=MortalTables(app.tables, life), queues=queues)
