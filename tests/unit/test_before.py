"""Rows and messages of versions before this one are read, and those of a later one are not lost."""

from __future__ import annotations

import importlib
import pkgutil
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

import shared
from shared.store.backup_files import decode
from shared.store.tables import Kind
from shared.store.tables import decode as record_of
from tests.journeys.before import Before

PACKED = {"DeviceIndex"}
"""Tables whose rows are no records."""
BEFORE = Before.load()


def kinds() -> dict[str, list[Kind[Any]]]:
    """Every kind of row of the application, by table."""
    found: dict[str, list[Kind[Any]]] = {}
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Kind) and value not in found.setdefault(value.table, []):
                found[value.table].append(value)
    return found


class Row(dict[str, Any]):
    """An entity as the SDK gives it."""

    metadata = SimpleNamespace(get=lambda _: None)


def read(kind: Kind[Any], row: dict[str, Any]) -> bool:
    """Whether a row is one of that kind: it is read, and says the key that it has."""
    entity = Row(row)
    entity.metadata = {"etag": "e"}  # type: ignore[assignment] # as much of it as is looked at
    try:
        return kind.key(record_of(kind, entity)) == (row["PartitionKey"], row["RowKey"])
    except (ValidationError, KeyError):
        return False


def test_every_row_of_the_version_before_is_read() -> None:
    known, unread, count = kinds(), [], 0
    for table, lines in BEFORE.tables.items():
        if table in PACKED:
            continue
        for line in lines:
            row, count = decode(line.encode()), count + 1
            if not any(read(kind, row) for kind in known.get(table, [])):
                unread.append(f"{table} {row['PartitionKey']}/{row['RowKey']}")
    assert unread == []
    assert count > 100
