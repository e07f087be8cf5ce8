"""`python -m sandbox.host [--port 7071] [--directory .]`: the Functions host stand-in until SIGINT or SIGTERM.

Settings come from the environment; what is missing there is taken from local.settings.json, as `func start` does, and
so is the port.
Settings must be there before a process starts (aiohttp reads SSL_CERT_FILE when it is imported), so this one then
starts itself anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.host.index import IndexingError
from sandbox.host.server import Host

PORT = 7071
AUTHORITY = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Whom to trust goes with the simulated cloud: a company's own authorities in the shell do not know it."""


def local_settings(directory: Path) -> dict[str, Any]:
    """What local.settings.json says; empty without one."""
    path = directory / "local.settings.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def missing_settings(local: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Values of local.settings.json that the environment does not have."""
    values = {name: str(value) for name, value in local.get("Values", {}).items()}
    missing = {name: value for name, value in values.items() if name not in environment}
    if "SANDBOX_CONTROL_URL" in missing:
        missing |= {name: values[name] for name in AUTHORITY if name in values}
    return missing


def local_port(local: Mapping[str, Any]) -> int:
    """Where local.settings.json has the host listen: PUBLIC_API_URL is made of it."""
    return int(local.get("Host", {}).get("LocalHttpPort", PORT))


async def run(port: int, directory: Path, composition: str | None) -> None:
    """Serve until told to stop."""
    host = Host(port, directory=directory, composition=composition)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await host.start()
    print(f"{len(host.functions)} functions on {host.url}", flush=True)
    await stopped.wait()
    await host.stop()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.host", description=__doc__)
    parser.add_argument("--port", type=int, help=f"that of local.settings.json, or {PORT}, unless given")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where function_app.py lies")
    parser.add_argument("--composition", default="shared.app", help="module with current() and close(); may be empty")
    arguments = parser.parse_args()
    directory: Path = arguments.directory.resolve()
    local = local_settings(directory)
    if missing := missing_settings(local, os.environ):
        os.execve(sys.executable, [sys.executable, "-m", "sandbox.host", *sys.argv[1:]], {**os.environ, **missing})  # noqa: S606 - itself
    level = os.environ.get("HOST_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(level=level, format="%(levelname)-7s %(name)s: %(message)s", stream=sys.stdout)
    logging.getLogger("azure").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        port = local_port(local) if arguments.port is None else arguments.port
        asyncio.run(run(port, directory, arguments.composition or None))
    except (IndexingError, OSError, ValueError) as error:
        sys.exit(f"The host cannot start: {error}")


if __name__ == "__main__":
    main()
