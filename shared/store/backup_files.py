"""The files of a backup: one of gzip'd JSON lines per table, and a manifest that says what must be in them.

A line is a row as Table Storage itself writes it in JSON, so that every value keeps its type
(learn.microsoft.com/rest/api/storageservices/payload-format-for-table-service-operations). ETag and Timestamp are the
service's own and are made anew by it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from azure.data.tables import EdmType, EntityProperty
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import InvalidInput
from shared.version import VERSION

FORMAT = 1
"""Of the files. It rises when a reader of the format before would misread them."""
MANIFEST = "manifest.json"
TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
"""learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model."""
TYPE = "@odata.type"


class TableFile(BaseModel):
    """What the file of a table holds."""

    model_config = ConfigDict(frozen=True)

    rows: int
    digest: str
    """Of the rows, in whatever order: what is in a table can be compared with it."""
    sha256: str
    """Of the file."""


class Manifest(BaseModel):
    """What a backup holds. It is written last: a folder without one is no backup. Times are UTC."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str = VERSION
    """Of the application that the rows are of."""
    account: str
    begun_at: datetime
    ended_at: datetime
    tables: dict[str, TableFile]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())


class Tally:
    """Number and digest of rows, in whatever order they come."""

    def __init__(self) -> None:
        self.rows = self._sum = 0

    def add(self, line: bytes) -> None:
        """Count a row."""
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(line).digest())) % 2**256

    @property
    def digest(self) -> str:
        """The sum of the rows' SHA-256, in hexadecimal."""
        return f"{self._sum:064x}"


class TableWriter:
    """Writes the file of a table, line by line, for nobody's eyes but the owner's; `done` says what it holds."""

    def __init__(self, folder: Path, table: str) -> None:
        self._path, self._tally = table_path(folder, table), Tally()
        self._raw = os.fdopen(_create(self._path), "wb")
        # Without a time in it, the same rows are the same file.
        self._zip = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", compresslevel=6, mtime=0)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, _: TracebackType | None) -> None:
        """End the file, on the disk itself."""
        self._zip.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()

    def write(self, line: bytes) -> None:
        """Add a row."""
        self._zip.write(line + b"\n")
        self._tally.add(line)

    def done(self) -> TableFile:
        """What was written; after the file was ended."""
        return TableFile(rows=self._tally.rows, digest=self._tally.digest, sha256=_sha256(self._path))


def prepare(folder: Path) -> None:
    """Make the folder of a new backup. Raises InvalidInput when there is something in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty. A backup needs a folder of its own.")


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write it whole or not at all; gives its SHA-256, which names the backup."""
    text = manifest.model_dump_json(indent=1).encode() + b"\n"
    written = folder / f"{MANIFEST}.part"
    with os.fdopen(_create(written), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    written.rename(folder / MANIFEST)
    return hashlib.sha256(text).hexdigest()


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """The manifest and its SHA-256. Raises InvalidInput for what this version cannot restore."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise InvalidInput(f"{folder} holds no whole backup: {MANIFEST} is not there.") from None
    try:
        found = json.loads(text)
        written = found["format"]
    except (ValueError, TypeError, KeyError):
        raise InvalidInput(f"{folder / MANIFEST} is damaged. Take another backup.") from None
    if written != FORMAT:
        raise InvalidInput(
            f"The backup is written in format {written}, and this version of Tenantry ({VERSION}) reads {FORMAT}."
            " Restore it with the version that wrote it."
        )
    try:
        manifest = Manifest.model_validate(found)
        newer = _numbers(manifest.version) > _numbers(VERSION)
    except (ValidationError, ValueError):
        raise InvalidInput(f"{folder / MANIFEST} is damaged. Take another backup.") from None
    if newer:
        raise InvalidInput(
            f"The backup is of Tenantry {manifest.version}, which is newer than this one ({VERSION})."
            f" Restore it with {manifest.version}."
        )
    if odd := [name for name in manifest.tables if not TABLE_NAME.fullmatch(name)]:
        raise InvalidInput(f"{folder / MANIFEST} is damaged: there can be no table {odd[0]!r}.")
    return manifest, hashlib.sha256(text).hexdigest()


def check(folder: Path, table: str, promised: TableFile) -> None:
    """Read the file of a table to its end. Raises InvalidInput when it does not hold what the manifest says."""
    path = table_path(folder, table)
    if not path.exists():
        raise InvalidInput(f"{path} is missing. Take another backup.")
    if _sha256(path) != promised.sha256:
        raise InvalidInput(f"{path} is not the file that was written: its checksum differs. Take another backup.")
    tally = Tally()
    for line in lines(folder, table):
        tally.add(line)
    if (tally.rows, tally.digest) != (promised.rows, promised.digest):
        raise InvalidInput(
            f"{path} has {tally.rows} rows and its manifest {promised.rows}, or other ones. Take another backup."
        )


def lines(folder: Path, table: str) -> Iterator[bytes]:
    """The rows of a table, as they were written. Raises InvalidInput for a file that ends early or is none."""
    path = table_path(folder, table)
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                yield line.rstrip(b"\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(f"{path} is damaged: {error}. Take another backup.") from error


def table_path(folder: Path, table: str) -> Path:
    """The file of a table."""
    return folder / f"{table}.jsonl.gz"


def encode(entity: Mapping[str, Any]) -> bytes:
    """A row as a line: the same row is always the same line."""
    row: dict[str, Any] = {}
    for name, value in entity.items():
        kind, plain = _typed(value)
        row[name] = plain
        if kind is not None:
            row[name + TYPE] = kind.value
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()


def decode(line: bytes) -> dict[str, Any]:
    """The row of a line, as the SDK takes it."""
    row: dict[str, Any] = json.loads(line)
    types = {name.removesuffix(TYPE): EdmType(kind) for name, kind in row.items() if name.endswith(TYPE)}
    return {name: _value(value, types.get(name)) for name, value in row.items() if not name.endswith(TYPE)}


def _typed(value: Any) -> tuple[EdmType | None, Any]:
    """The type and the JSON of what the SDK gave; no type where JSON itself has it (str, bool, Int32)."""
    if isinstance(value, EntityProperty):
        return EdmType(value.edm_type), str(value.value)
    if isinstance(value, float):
        # JSON has neither infinity nor NaN, and says 5 for 5.0 in some writers.
        return EdmType.DOUBLE, repr(value)
    if isinstance(value, bytes):
        return EdmType.BINARY, base64.b64encode(value).decode()
    if isinstance(value, UUID):
        return EdmType.GUID, str(value)
    if isinstance(value, datetime):
        # The service knows tenths of microseconds, which Python does not.
        return EdmType.DATETIME, value.tables_service_value  # type: ignore[attr-defined] # what the SDK makes of one
    if isinstance(value, str | bool | int):
        return None, value
    raise TypeError(f"a {type(value).__name__} is no value of a row")


def _value(value: Any, kind: EdmType | None) -> Any:
    if kind is None:
        return value
    if kind is EdmType.DOUBLE:
        return float(value)
    if kind is EdmType.BINARY:
        return base64.b64decode(value)
    return EntityProperty(value, kind)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
