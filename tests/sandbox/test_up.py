"""The whole system as `make demo` starts it, with a small function app in place of ours."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest_asyncio

from sandbox.up import FailedError, Ports, check_ports

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "host_app"
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


def free_base() -> int:
    """A base above which every port of a system is free now."""
    for _ in range(100):
        base = random.randrange(20_000, 30_000, 50)
        if _all_free(base):
            return base
    raise AssertionError("no free ports")


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """Runs `python -m sandbox.up`; what a failed test leaves running is stopped."""
    started: list[asyncio.subprocess.Process] = []

    async def run(*arguments: str) -> asyncio.subprocess.Process:
        started.append(await _process(*arguments))
        return started[-1]

    yield run
    for process in started:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _process(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.up", *arguments),
        cwd=ROOT,
        env={**os.environ, "TICK": "0 0 3 * * *"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def read_until(process: asyncio.subprocess.Process, text: str) -> str:
    """What it prints, up to a line with `text`."""
    output = ""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode():
            output += line
            if text in line:
                return output
    raise AssertionError(f"it ended: {output}")


async def test_everything_starts_answers_and_stops_on_a_signal(tmp_path: Path, start: Start) -> None:
    base = free_base()
    app = ("--directory", str(APP), "--composition", "", "--no-seed")
    process = await start("--port-base", str(base), "--state", str(tmp_path), *app)
    output = await read_until(process, "Ctrl-C")
    assert re.search(r"alice +\S+@\S+ +Integration.Admin", output)
    settings = json.loads((tmp_path / "local.settings.json").read_text())["Values"]
    assert settings["PUBLIC_API_URL"] == f"http://localhost:{base + 20}/api"
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://localhost:{base + 20}/api/plain")).text == "plain text"
        token = await client.post(f"http://localhost:{base}/_sandbox/tokens", content='{"person": "alice"}')
        assert token.json()["accessToken"].count(".") == 2
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0
    check_ports(Ports.above(base).used(host=True))


async def test_a_child_that_dies_ends_everything_with_its_last_lines(tmp_path: Path, start: Start) -> None:
    (tmp_path / "function_app.py").write_text("raise SystemExit('the application is broken')\n")
    process = await start(
        *("--port-base", str(free_base()), "--state", str(tmp_path)), *("--directory", str(tmp_path), "--no-seed")
    )
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert b"host ended (1). Its last lines:\nthe application is broken" in output


async def test_the_sandbox_alone_writes_the_settings_that_func_start_reads(tmp_path: Path, start: Start) -> None:
    base = free_base()
    process = await start(
        *("--only-sandbox", "--port-base", str(base), "--state", str(tmp_path / "state"), "--directory", str(tmp_path))
    )
    await read_until(process, "Ctrl-C")
    document = json.loads((tmp_path / "local.settings.json").read_text())
    assert document["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert document["Values"]["SANDBOX_CONTROL_URL"] == f"http://localhost:{base}/_sandbox"
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def test_nothing_outlives_it_however_it_ends(tmp_path: Path, start: Start) -> None:
    base = free_base()
    app = ("--directory", str(APP), "--composition", "", "--no-seed")
    process = await start("--port-base", str(base), "--state", str(tmp_path), *app)
    await read_until(process, "Ctrl-C")
    process.kill()
    await process.communicate()
    async with asyncio.timeout(20):
        while not _all_free(base):
            await asyncio.sleep(0.05)


def _all_free(base: int) -> bool:
    try:
        check_ports(Ports.above(base).used(host=True))
    except FailedError:
        return False
    return True


async def test_a_refused_start_leaves_the_running_system_alone(tmp_path: Path, start: Start) -> None:
    (tmp_path / "timers.json").write_text("{}")
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base))
        taken.listen()
        process = await start("--port-base", str(base), "--state", str(tmp_path))
        await process.communicate()
    assert (tmp_path / "timers.json").exists()


async def test_a_port_base_that_cannot_be_is_one_clear_line(start: Start) -> None:
    process = await start("--port-base", "70000")
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert output.decode().strip() == "--port-base takes a port up to 65500."


async def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path, start: Start) -> None:
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 2))
        taken.listen()
        process = await start("--port-base", str(base), "--state", str(tmp_path))
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert output.decode().strip().startswith(f"Ports in use: {base + 2}.")


def test_usual_ports_are_those_of_the_tools() -> None:
    assert Ports().used(host=True) == [8400, 8401, 8402, 8403, 8404, 8405, 10000, 10001, 10002, 7071, 4280]
