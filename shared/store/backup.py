"""Export of every table of the application into files, and the way back.

Tables only: what waits in queues is made again from rows, and secrets are the vault's to keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.errors import Conflict
from shared.store import backup_files as files
from shared.store.backup_files import Manifest, TableFile, TableWriter, Tally
from shared.store.tables import TRANSACTION_LIMIT, Tables

NOT_OURS = "Azure"
"""How the names of the tables begin in which the Functions host keeps what it logs."""
MARK = "RestoreInProgress"
"""Table that says which backup is being restored and which tables are done; empty otherwise, and never exported."""
FIRST_PAGE, LARGEST_PAGE = 100, 1000
PAGE_BYTES = 4_000_000
"""What a page of rows is to take, of whatever size they are: a row holds up to 1 MiB."""
BATCH_BYTES = 3_000_000
"""A transaction holds 4 MiB (learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions)."""
AT_ONCE = 8
"""Transactions on their way."""
TABLES_AT_ONCE = 4

IN_TURN = ("Subscriptions", "DeviceIndex", "Devices", "Incidents", "Alerts", "Deliveries")
"""Read first, one after the other: what says that something is done is read before its result. So a backup of a running
application holds no poll without its devices, and no incident without its alert and ticket."""

T = TypeVar("T")
Say = Callable[[str], None]


class Backup:
    """The tables of an account, and a folder of files. `say` is told of each step, in a line."""

    def __init__(self, service: TableServiceClient, say: Say) -> None:
        self._service, self._say = service, say
        self._tables = Tables(service)

    @property
    def account(self) -> str:
        """The name of the storage account."""
        return str(self._service.account_name)

    async def export(self, folder: Path) -> tuple[Manifest, str]:
        """Write every table into an empty folder; the manifest and its SHA-256.

        Raises InvalidInput; Conflict for an account that a restore has half filled, which would look like a whole one.
        """
        await self._expect_whole()
        files.prepare(folder)
        begun = datetime.now(UTC)
        found: dict[str, TableFile] = {}
        there = await self._names()
        rest = [name for name in there if name not in IN_TURN]
        for names in (*([name] for name in IN_TURN if name in there), *_chunks(rest, TABLES_AT_ONCE)):
            written = await asyncio.gather(*(self._export_table(folder, name) for name in names))
            found |= dict(zip(names, written, strict=True))
        await self._expect_whole()
        ended = datetime.now(UTC)
        manifest = Manifest(account=self.account, begun_at=begun, ended_at=ended, tables=found)
        return manifest, files.write_manifest(folder, manifest)

    async def _expect_whole(self) -> None:
        if await self._mark() is not None:
            raise Conflict(
                f"A restore into {self.account} was cut off, or is under way: the account holds a part of a backup."
                " Give the restore again until it ends, then export."
            )

    async def _export_table(self, folder: Path, table: str) -> TableFile:
        with TableWriter(folder, table) as writer:
            async for line in self._lines(table):
                writer.write(line)
        done = writer.done()
        self._say(f"{table}: {done.rows} rows")
        return done

    async def restore(self, folder: Path, *, replace: bool = False) -> Manifest:
        """Make the account what the backup holds; one that was cut off goes on where it was.

        `replace`: it begins anew, and what the account holds is deleted first. Raises InvalidInput for a backup that is
        not whole, before anything is written; Conflict for an account that is not empty, or does not hold the backup
        afterwards.
        """
        manifest, name = check(folder)
        mark = None if replace else await self._mark()
        if mark is None:
            holding = [table for table in await self._names() if await self._holds(table)]
            if holding and not replace:
                raise Conflict(
                    f"{self.account} is not empty: there are rows in {', '.join(holding)}."
                    " Restore into an empty account, or replace what is there."
                )
            await self._forget_mark()
            mark = await self._set_mark(name, "emptying")
        elif mark["backup"] != name:
            raise Conflict(
                f"A restore of another backup into {self.account} was cut off."
                " Finish that one, or replace what is there."
            )
        if mark["phase"] == "emptying":
            await self._empty()
            await self._set_mark(name, "writing")
        await self._write(folder, manifest)
        await self.compare(manifest)
        await self._forget_mark()
        return manifest

    async def compare(self, manifest: Manifest) -> None:
        """Raises Conflict unless the account holds what a backup does, and nothing else."""
        names = {*manifest.tables, *await self._names()}
        wrong = []
        for table in sorted(names):
            tally = Tally()
            async for line in self._lines(table):
                tally.add(line)
            promised = manifest.tables.get(table)
            rows, digest = (promised.rows, promised.digest) if promised else (0, Tally().digest)
            if (tally.rows, tally.digest) != (rows, digest):
                wrong.append(f"{table} has {tally.rows} rows, the backup {rows}, or other ones")
        if wrong:
            raise Conflict(
                f"{self.account} does not hold what the backup does: {'; '.join(wrong)}."
                " Stop the application, which may have written, and replace what is there."
            )

    async def _write(self, folder: Path, manifest: Manifest) -> None:
        done = {row["RowKey"] async for row in self._tables.rows(MARK, "done")}
        for table, promised in manifest.tables.items():
            if table in done:
                continue
            await self._service.create_table_if_not_exists(table)
            client = self._service.get_table_client(table)
            for some in _chunks(_batches(files.lines(folder, table)), AT_ONCE):
                await asyncio.gather(*(_send(client, batch) for batch in some))
            await self._tables.put_raw(MARK, {"PartitionKey": "done", "RowKey": table})
            self._say(f"{table}: {promised.rows} rows")

    async def _empty(self) -> None:
        for table in await self._names():
            rows = 0
            client = self._service.get_table_client(table)
            keys: dict[str, list[str]] = {}
            async for row in client.list_entities(select=["PartitionKey", "RowKey"], results_per_page=LARGEST_PAGE):
                keys.setdefault(row["PartitionKey"], []).append(row["RowKey"])
                rows += 1
                if rows % LARGEST_PAGE == 0:
                    await self._delete(table, keys)
                    keys = {}
            await self._delete(table, keys)
            if rows:
                self._say(f"{table}: {rows} rows deleted")

    async def _delete(self, table: str, keys: dict[str, list[str]]) -> None:
        for some in _chunks(keys.items(), AT_ONCE):
            await asyncio.gather(*(self._tables.delete_rows(table, partition, rows) for partition, rows in some))

    async def _names(self) -> list[str]:
        """The application's tables."""
        names = sorted([str(table.name) async for table in self._service.list_tables()])
        return [name for name in names if not name.startswith(NOT_OURS) and name != MARK]

    async def _holds(self, table: str) -> bool:
        rows = self._service.get_table_client(table).list_entities(select=["PartitionKey"], results_per_page=1)
        return await anext(aiter(rows), None) is not None

    async def _lines(self, table: str) -> AsyncIterator[bytes]:
        """Every row as a line; a page in memory at a time, the smaller the larger the rows are."""
        client, token, size = self._service.get_table_client(table), None, FIRST_PAGE
        try:
            while True:
                pages = client.list_entities(results_per_page=size).by_page(token)
                count = length = 0
                async for row in await anext(pages):
                    line = files.encode(row)
                    count, length = count + 1, length + len(line)
                    yield line
                token = pages.continuation_token  # type: ignore[attr-defined] # of every page iterator of the SDK
                if not token:
                    return
                size = min(LARGEST_PAGE, max(1, PAGE_BYTES * count // length)) if length else size
        except (ResourceNotFoundError, StopAsyncIteration):
            return

    async def _mark(self) -> Any | None:
        return await self._tables.get_raw(MARK, "restore", "begun")

    async def _set_mark(self, backup: str, phase: str) -> Any:
        mark = {"PartitionKey": "restore", "RowKey": "begun", "backup": backup, "phase": phase}
        await self._tables.put_raw(MARK, mark)
        return mark

    async def _forget_mark(self) -> None:
        done = [row["RowKey"] async for row in self._tables.rows(MARK, "done")]
        # What is done goes first: without its backup's name it would be taken for another's.
        await self._tables.delete_rows(MARK, "done", done)
        await self._tables.delete_raw(MARK, "restore", "begun")


def check(folder: Path) -> tuple[Manifest, str]:
    """Read a whole backup; its manifest and the SHA-256 of that. Raises InvalidInput for one that is not whole."""
    manifest, name = files.read_manifest(folder)
    for table, promised in manifest.tables.items():
        files.check(folder, table, promised)
    return manifest, name


async def _send(client: TableClient, batch: list[dict[str, Any]]) -> None:
    """Insert or replace rows of one partition: done twice it is done once."""
    if len(batch) == 1:
        await client.upsert_entity(batch[0], mode=UpdateMode.REPLACE)
    else:
        await client.submit_transaction([("upsert", row, {"mode": UpdateMode.REPLACE}) for row in batch])


def _batches(lines: Iterable[bytes]) -> Iterator[list[dict[str, Any]]]:
    """Rows in transactions: of one partition, and no more than one takes."""
    batch: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        row = files.decode(line)
        full = len(batch) == TRANSACTION_LIMIT or size + len(line) > BATCH_BYTES
        if batch and (full or row["PartitionKey"] != batch[0]["PartitionKey"]):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(line)
    if batch:
        yield batch


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
