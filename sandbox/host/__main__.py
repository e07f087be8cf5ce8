"""`python -m sandbox.host [--port 7071] [--directory .]`: the Functions host stand-in until SIGINT or SIGTERM.

Settings come from the environment; what is missing there is taken from local.settings.json, as `func start` does.
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
from pathlib import Path

from sandbox.host.index import IndexingError
from sandbox.host.server import Host


def missing_settings(directory: Path) -> dict[str, str]:
    """Values of local.settings.json that the environment does not have."""
    path = directory / "local.settings.json"
    if not path.exists():
        return {}
    values = json.loads(path.read_text()).get("Values", {})
    return {name: str(value) for name, value in values.items() if name not in os.environ}


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
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where function_app.py lies")
    parser.add_argument("--composition", default="shared.app", help="module with current() and close(); may be empty")
    arguments = parser.parse_args()
    directory: Path = arguments.directory.resolve()
    if missing := missing_settings(directory):
        os.execve(sys.executable, [sys.executable, "-m", "sandbox.host", *sys.argv[1:]], {**os.environ, **missing})  # noqa: S606 - itself
    level = os.environ.get("HOST_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(level=level, format="%(levelname)-7s %(name)s: %(message)s", stream=sys.stdout)
    logging.getLogger("azure").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(run(arguments.port, directory, arguments.composition or None))
    except (IndexingError, OSError, ValueError) as error:
        sys.exit(f"The host cannot start: {error}")


if __name__ == "__main__":
    main()
