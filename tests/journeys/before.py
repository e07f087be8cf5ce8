"""A running installation of a version before this one, as it was cut off: its rows, its messages, and what it had told.

`tests/data/before.json.gz` was written by the application of commit e8d2cdc with its own sandbox, and exported by
`python -m shared.backup`. It has the rows as lines of a backup, the texts of the messages that were in queues, the
secrets of its sinks (the sandbox's own), and names of what the test looks for.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.store.backup_files import Manifest, TableWriter, prepare, write_manifest

FILE = Path(__file__).parent.parent / "data" / "before.json.gz"
AS_WRITTEN = "Audit"
"""Its entries are chained by hash; no address of a service is in them."""


@dataclass(frozen=True)
class Before:
    """What that file holds."""

    at: datetime
    """When it was cut off, by its own clock."""
    names: dict[str, Any]
    """What became of which resource: its id in Azure."""
    operations: dict[str, str]
    schedule: str
    sinks: dict[str, str]
    third: str
    """The client whose sync was cut off."""
    queues: dict[str, list[str]]
    secrets: dict[str, str]
    received: list[dict[str, Any]]
    tickets: list[dict[str, Any]]
    tables: dict[str, list[str]]
    origins: dict[str, str]
    """Service -> where it was."""

    @classmethod
    def load(cls) -> Before:
        """The file, as it is."""
        found = json.loads(gzip.decompress(FILE.read_bytes()))
        found["at"] = datetime.fromisoformat(found["at"])
        return cls(**{name: found[name] for name in cls.__dataclass_fields__})

    def moved(self, text: str, origins: dict[str, str]) -> str:
        """A text with the addresses of now for those of then."""
        places = {place: origins[name] for name, place in self.origins.items()}

        def move(plain: str) -> str:
            return re.sub("|".join(map(re.escape, places)), lambda found: places[found.group()], plain)

        def move_token(found: re.Match[str]) -> str:
            """Where the Azure SDK goes on with an action."""
            return base64.b64encode(move(base64.b64decode(found.group()).decode()).encode()).decode()

        return move(re.sub(r"eyJ[A-Za-z0-9+/]{40,}=*", move_token, text))

    def backup(self, folder: Path, origins: dict[str, str]) -> Path:
        """Its rows as a backup that can be restored beside other services."""
        prepare(folder)
        written = {}
        for table, rows in self.tables.items():
            with TableWriter(folder, table) as writer:
                for row in rows:
                    writer.write((row if table == AS_WRITTEN else self.moved(row, origins)).encode())
            written[table] = writer.done()
        write_manifest(folder, Manifest(account="before", begun_at=self.at, ended_at=self.at, tables=written))
        return folder
