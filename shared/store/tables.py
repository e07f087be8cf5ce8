"""Table Storage: typed records, conditional writes, transactions, and no scan.

A record is a pydantic model kept as JSON in the column `data`, so that lists and times need no mapping; what a query
filters on is promoted to a column of its own. Azure refuses rows above 1 MiB and strings above 64 KiB
(learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model), so a record stays small.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Conflict, PreconditionFailed, Unavailable

TRANSACTION_LIMIT = 100
"""Operations in one entity-group transaction."""
MAX_DATA_CHARS = 32_000
"""A string property holds 64 KiB of UTF-16."""


class Record(BaseModel):
    """A stored thing. `etag` is the version it was read at; None for a new one. Change it with `changed`."""

    # A process builds the validators of the rows it meets: those of all take a tenth of its start.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    etag: str | None = Field(default=None, exclude=True, repr=False)

    def changed(self, **values: Any) -> Self:
        """A copy with other values, same etag."""
        return self.model_copy(update=values)


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Kind(Generic[R]):
    """Where records of one model live: table, keys, and promoted columns (bool, int32, str, bytes)."""

    table: str
    model: type[R]
    key: Callable[[R], tuple[str, str]]
    columns: Callable[[R], Mapping[str, Any]] = field(default=lambda record: {})
    parts: int = 1
    """How many properties of MAX_DATA_CHARS a record may fill."""


@dataclass(frozen=True)
class Write:
    """One operation of a transaction, made by `insert`, `put` or `delete` of this module."""

    table: str
    operation: tuple[Any, ...]


def encode(kind: Kind[R], record: R) -> dict[str, Any]:
    """The entity of a record."""
    partition, row = kind.key(record)
    data = record.model_dump_json(exclude_none=True)
    parts = [data[begin : begin + MAX_DATA_CHARS] for begin in range(0, len(data), MAX_DATA_CHARS)]
    if len(parts) > kind.parts:
        raise ValueError(f"{kind.table} {partition}/{row}: {len(data)} characters do not fit a row")
    named = {f"data{number or ''}": part for number, part in enumerate(parts)}
    return {"PartitionKey": partition, "RowKey": row, **named, **kind.columns(record)}


def decode(kind: Kind[R], entity: Any) -> R:
    """The record of an entity, with its etag."""
    further = (entity.get(f"data{number}", "") for number in range(1, kind.parts))
    return kind.model.model_validate_json(entity["data"] + "".join(further)).changed(etag=entity.metadata["etag"])


def insert(kind: Kind[R], record: R) -> Write:
    """A transaction step that fails when the row exists."""
    return Write(kind.table, ("create", encode(kind, record)))


def put(kind: Kind[R], record: R) -> Write:
    """A transaction step: replace if the record carries an etag, else insert or replace."""
    entity = encode(kind, record)
    if record.etag is None:
        return Write(kind.table, ("upsert", entity, {"mode": UpdateMode.REPLACE}))
    condition = {"etag": record.etag, "match_condition": MatchConditions.IfNotModified}
    return Write(kind.table, ("update", entity, {"mode": UpdateMode.REPLACE, **condition}))


def delete(kind: Kind[R], record: R) -> Write:
    """A transaction step: delete if unchanged since read (any version when the record has no etag)."""
    partition, row = kind.key(record)
    entity = {"PartitionKey": partition, "RowKey": row}
    if record.etag is None:
        return Write(kind.table, ("delete", entity))
    return Write(
        kind.table, ("delete", entity, {"etag": record.etag, "match_condition": MatchConditions.IfNotModified})
    )


class Tables:
    """Every table of the application. Tables are made when first written or read."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._clients: dict[str, TableClient] = {}

    def _client(self, table: str) -> TableClient:
        if table not in self._clients:
            self._clients[table] = self._service.get_table_client(table)
        return self._clients[table]

    async def _create(self, table: str) -> None:
        await self._service.create_table_if_not_exists(table)

    async def get(self, kind: Kind[R], partition: str, row: str) -> R | None:
        """One record, or None."""
        try:
            return decode(kind, await self._client(kind.table).get_entity(partition, row))
        except ResourceNotFoundError:
            return None

    async def query(
        self,
        kind: Kind[R],
        partition: str,
        *,
        prefix: str = "",
        above: str = "",
        below: str = "",
        where: str = "",
        parameters: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[R]:
        """Records of one partition in row-key order.

        `prefix` keeps keys that begin with it, `above` those greater than it, `below` those less; `where` filters on
        promoted columns, its values as `@name` in `parameters`. Never reads more than `limit` records.
        """
        async for entity in self.rows(
            kind.table,
            partition,
            prefix=prefix,
            above=above,
            below=below,
            where=where,
            parameters=parameters,
            limit=limit,
        ):
            yield decode(kind, entity)

    async def all(self, kind: Kind[R], partition: str, **query: Any) -> list[R]:
        """`query` as a list."""
        return [record async for record in self.query(kind, partition, **query)]

    async def rows(
        self,
        table: str,
        partition: str,
        *,
        prefix: str = "",
        above: str = "",
        below: str = "",
        where: str = "",
        parameters: Mapping[str, Any] | None = None,
        select: list[str] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Any]:
        """Raw entities of one partition, for rows that are not records. A partition is always named: no scans."""
        if not partition:
            raise ValueError("a query needs a partition")
        clauses, values = ["PartitionKey eq @pk"], {"pk": partition, **(parameters or {})}
        if prefix:
            clauses += ["RowKey ge @low", "RowKey lt @high"]
            values |= {"low": prefix, "high": prefix[:-1] + chr(ord(prefix[-1]) + 1)}
        if above:
            clauses.append("RowKey gt @above")
            values["above"] = above
        if below:
            clauses.append("RowKey lt @below")
            values["below"] = below
        if where:
            clauses.append(f"( {where} )")  # spaced: the SDK finds parameters by splitting at spaces
        page = min(limit, 1000) if limit else 1000
        found = self._client(table).query_entities(
            " and ".join(clauses), parameters=values, select=select, results_per_page=page
        )
        count = 0
        try:
            async for entity in found:
                yield entity
                count += 1
                if limit is not None and count >= limit:
                    return
        except ResourceNotFoundError:
            await self._create(table)

    async def insert(self, kind: Kind[R], record: R) -> R:
        """Store a new record. Raises Conflict when its key is taken."""
        entity = encode(kind, record)
        try:
            done = await self._with_table(kind.table, lambda t: t.create_entity(entity))
        except ResourceExistsError as error:
            raise Conflict(f"{kind.model.__name__} {entity['RowKey']} exists already.") from error
        return record.changed(etag=done["etag"])

    async def put(self, kind: Kind[R], record: R) -> R:
        """Store a record: only if unchanged since it was read when it carries an etag, else whatever is there.

        Raises PreconditionFailed when it changed or is gone.
        """
        entity = encode(kind, record)
        try:
            if record.etag is None:
                done = await self._with_table(kind.table, lambda t: t.upsert_entity(entity, mode=UpdateMode.REPLACE))
            else:
                done = await self._client(kind.table).update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=record.etag, match_condition=MatchConditions.IfNotModified
                )
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise PreconditionFailed(f"{kind.model.__name__} {entity['RowKey']} has changed. Read it again.") from error
        return record.changed(etag=done["etag"])

    async def delete(self, kind: Kind[R], record: R) -> None:
        """Delete if unchanged since read (any version when it has no etag); nothing happens when it is gone."""
        partition, row = kind.key(record)
        condition: dict[str, Any] = (
            {"etag": record.etag, "match_condition": MatchConditions.IfNotModified} if record.etag else {}
        )
        try:
            await self._client(kind.table).delete_entity(partition, row, **condition)
        except ResourceModifiedError as error:
            raise PreconditionFailed(f"{kind.model.__name__} {row} has changed. Read it again.") from error
        except ResourceNotFoundError:
            return

    async def update(self, kind: Kind[R], partition: str, row: str, change: Callable[[R], R | None]) -> R | None:
        """Read, change and write back, again while others win the race (8 tries). None when there is no such record.

        `change` gives the new record, or None to leave it. It must be pure: it may be called several times.
        """
        for _ in range(8):
            current = await self.get(kind, partition, row)
            if current is None:
                return None
            wanted = change(current)
            if wanted is None:
                return current
            try:
                return await self.put(kind, wanted.changed(etag=current.etag))
            except PreconditionFailed:
                continue
        raise Conflict(f"{kind.model.__name__} {row} is being changed by many at once. Try again.")

    async def transact(self, writes: Iterable[Write]) -> list[str]:
        """Do up to 100 writes of one table and one partition, all or none; the new etag of each (empty if deleted).

        Raises PreconditionFailed when an etag or an insert lost its race.
        """
        steps = list(writes)
        if not steps:
            return []
        if len(steps) > TRANSACTION_LIMIT:
            raise ValueError(f"{len(steps)} writes do not fit one transaction")
        table = steps[0].table
        operations = [step.operation for step in steps]
        try:
            done = await self._with_table(table, lambda t: t.submit_transaction(operations))
        except TableTransactionError as error:
            if error.status_code in (404, 409, 412):
                raise PreconditionFailed(f"{table}: row {error.index} has changed. Read it again.") from error
            raise
        return [str(row.get("etag") or "") for row in done]

    async def put_raw(self, table: str, entity: dict[str, Any]) -> None:
        """Insert or replace an entity that is not a record (compressed read models)."""
        await self._with_table(table, lambda t: t.upsert_entity(entity, mode=UpdateMode.REPLACE))

    async def delete_raw(self, table: str, partition: str, row: str) -> None:
        """Delete an entity that is not a record."""
        try:
            await self._client(table).delete_entity(partition, row)
        except ResourceNotFoundError:
            return

    async def get_raw(self, table: str, partition: str, row: str) -> Any | None:
        """One entity that is not a record, or None."""
        try:
            return await self._client(table).get_entity(partition, row)
        except ResourceNotFoundError:
            return None

    async def delete_rows(self, table: str, partition: str, rows: Iterable[str]) -> int:
        """Delete rows of one partition by their keys, whatever they hold; gives how many. Gone ones do no harm."""
        keys = list(rows)
        for begin in range(0, len(keys), TRANSACTION_LIMIT):
            chunk = keys[begin : begin + TRANSACTION_LIMIT]
            try:
                await self._client(table).submit_transaction(
                    [("delete", {"PartitionKey": partition, "RowKey": key}) for key in chunk]
                )
            except (TableTransactionError, ResourceNotFoundError):
                for key in chunk:
                    await self.delete_raw(table, partition, key)
        return len(keys)

    async def untouched(
        self, table: str, before: datetime, *, rows: tuple[str, str] | None = None, where: str = "", limit: int
    ) -> list[tuple[str, str]]:
        """Keys of rows that nobody wrote since `before`, by the service's own Timestamp; `rows` is [from, to).

        `where` filters on promoted columns, with values in it.

        Reads the whole table: for the daily sweep and nothing else.
        """
        clauses, parameters = ["Timestamp lt @before"], dict[str, Any](before=before.astimezone(UTC))
        if rows is not None:
            clauses += ["RowKey ge @low", "RowKey lt @high"]
            parameters |= {"low": rows[0], "high": rows[1]}
        if where:
            clauses.append(f"( {where} )")
        return await self._keys(table, " and ".join(clauses), parameters, limit)

    async def before(self, table: str, partition: str, *, limit: int) -> list[tuple[str, str]]:
        """Keys of the rows of partitions that sort before one: reads these and no others. For the daily sweep."""
        return await self._keys(table, "PartitionKey lt @before", {"before": partition}, limit)

    async def _keys(self, table: str, where: str, parameters: dict[str, Any], limit: int) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        try:
            async for entity in self._client(table).query_entities(
                where, parameters=parameters, select=["PartitionKey", "RowKey"], results_per_page=1000
            ):
                found.append((entity["PartitionKey"], entity["RowKey"]))
                if len(found) >= limit:
                    break
        except ResourceNotFoundError:
            return []
        return found

    async def _with_table(self, table: str, act: Callable[[TableClient], Any]) -> Any:
        """Do it, and once more after making the table when it is not there yet."""
        try:
            return await act(self._client(table))
        except HttpResponseError as error:
            if getattr(error, "error_code", None) != "TableNotFound" and "TableNotFound" not in str(error):
                raise
        await self._create(table)
        return await act(self._client(table))

    async def ping(self) -> None:
        """Raises Unavailable when Table Storage does not answer or refuses us."""
        try:
            await self.get(Kind("Ping", Record, lambda _: ("", "")), "ping", "ping")
        except AzureError as error:
            raise Unavailable(f"Table Storage does not answer: {error.message}.") from error

    async def close(self) -> None:
        """Close the clients; the shared transport stays open."""
        for client in self._clients.values():
            await client.close()
        await self._service.close()
