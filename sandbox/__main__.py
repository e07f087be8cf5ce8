"""`python -m sandbox`: the simulated cloud alone, until SIGINT or SIGTERM.

Settings: SANDBOX_PORT (8400), SANDBOX_STATE (.run), SANDBOX_TLS_PORTS (further TLS ports, comma separated),
SANDBOX_WORLD (default).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

from sandbox import scenarios
from sandbox.server import Sandbox


async def run() -> None:
    """Serve until told to stop."""
    extra = tuple(int(port) for port in os.environ.get("SANDBOX_TLS_PORTS", "").split(",") if port)
    sandbox = Sandbox(int(os.environ.get("SANDBOX_PORT", "8400")), Path(os.environ.get("SANDBOX_STATE", ".run")), extra)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await sandbox.start()
    if (world := os.environ.get("SANDBOX_WORLD", "default")) != "default":
        scenarios.reset(sandbox.cloud, world)
    for name, url in sandbox.urls.items():
        print(f"{name:14} {url}", flush=True)
    await stopped.wait()
    await sandbox.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(run())
    except OSError as error:
        raise SystemExit(f"The sandbox cannot start: {error}") from error
