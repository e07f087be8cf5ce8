"""Values larger than a property: compressed, cut into properties, and into several rows when one does not hold them.

A property holds 64 KiB, a row 1 MiB
(learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model). All rows of a value are
replaced in one transaction, so a reader never sees half of one.
"""

from __future__ import annotations

import zlib
from typing import Any

from azure.data.tables import UpdateMode

from shared.store.tables import Tables, Write

PROPERTY_BYTES = 60_000
PROPERTIES = 12
ROW_BYTES = PROPERTY_BYTES * PROPERTIES
MAX_ROWS = 4
"""What one transaction (4 MiB, base64 included) takes."""
MAX_BYTES = ROW_BYTES * MAX_ROWS


def pack(value: bytes) -> bytes:
    """Compressed. Raises ValueError when it does not fit one transaction."""
    packed = zlib.compress(value, 6)
    if len(packed) > MAX_BYTES:
        raise ValueError(f"{len(packed)} compressed bytes do not fit; at most {MAX_BYTES}")
    return packed


async def write(tables: Tables, table: str, partition: str, row: str, value: bytes, version: str) -> int:
    """Replace a value; gives the number of rows written. `row` must not hold `!`."""
    packed = pack(value)
    parts = [packed[begin : begin + ROW_BYTES] for begin in range(0, len(packed), ROW_BYTES)]
    steps = []
    for number, part in enumerate(parts):
        chunks = [part[begin : begin + PROPERTY_BYTES] for begin in range(0, len(part), PROPERTY_BYTES)]
        entity: dict[str, Any] = {"PartitionKey": partition, "RowKey": _row(row, number)}
        entity |= {"version": version, "parts": len(parts)} | {f"c{place:02d}": c for place, c in enumerate(chunks)}
        steps.append(Write(table, ("upsert", entity, {"mode": UpdateMode.REPLACE})))
    await tables.transact(steps) if len(steps) > 1 else await tables.put_raw(table, steps[0].operation[1])
    return len(steps)


async def read(tables: Tables, table: str, partition: str, row: str) -> tuple[str, bytes] | None:
    """Version and value, or None. A value that is being replaced at that moment is read again."""
    for _ in range(3):
        first = await tables.get_raw(table, partition, row)
        if first is None:
            return None
        entities = [first]
        for number in range(1, first["parts"]):
            further = await tables.get_raw(table, partition, _row(row, number))
            if further is not None and further["version"] == first["version"]:
                entities.append(further)
        if len(entities) == first["parts"]:
            return first["version"], unpack(entities)
    return None


def unpack(entities: list[Any]) -> bytes:
    """The value of all rows of it, in their order."""
    packed = b"".join(entity[f"c{n:02d}"] for entity in entities for n in range(PROPERTIES) if f"c{n:02d}" in entity)
    return zlib.decompress(packed)


async def delete(tables: Tables, table: str, partition: str, row: str) -> None:
    """Delete a value; nothing happens when it is gone."""
    for number in range(MAX_ROWS - 1, -1, -1):
        await tables.delete_raw(table, partition, _row(row, number))


def _row(row: str, number: int) -> str:
    return f"{row}!{number}" if number else row
