"""`python -m sandbox.up`: the whole system on this machine, behind `make demo` and `make sandbox`.

Starts Azurite, the sandbox and the Functions host as children, waits until each answers, prints what is where, passes
their output on line by line, and stops all of them on Ctrl-C or when one dies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sandbox import azurite
from sandbox.environment import QUICK, app_settings, write_local_settings

READY_SECONDS = 60.0
STOP_SECONDS = 12.0
"""Longer than the grace the host gives its running functions."""
KEPT_LINES = 20
PR_SET_PDEATHSIG = 1
HIGHEST_BASE = 65_500
PORTAL = Path("portal", "dist")
"""Where `make portal` puts the built portal, below the project's folder."""
COLOURS = {"azurite": 36, "sandbox": 35, "host": 32, "portal": 34, "demo": 33}


class FailedError(Exception):
    """The system cannot run; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens. The sandbox also takes the TLS ports that follow its own."""

    sandbox: int = 8400
    blob: int = 10000
    queue: int = 10001
    table: int = 10002
    host: int = 7071
    portal: int = 4280
    tls: int = 5

    @classmethod
    def above(cls, base: int) -> Ports:
        """A set of its own, so that several systems can run side by side: `base` to `base` + 21."""
        return cls(sandbox=base, blob=base + 10, queue=base + 11, table=base + 12, host=base + 20, portal=base + 21)

    def used(self, *, host: bool) -> list[int]:
        """Every port that must be free."""
        ports = [*range(self.sandbox, self.sandbox + self.tls + 1), self.blob, self.queue, self.table]
        return [*ports, self.host, self.portal] if host else ports


@dataclass
class Child:
    """A running child process, and the last lines it wrote."""

    name: str
    process: asyncio.subprocess.Process
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


def _end_with_parent() -> None:
    """In a child, before its program runs: be terminated when the parent is gone, however it went (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class System:
    """The children, started in order and stopped in reverse."""

    def __init__(self, ports: Ports, state: Path, directory: Path) -> None:
        self.ports, self.state, self.directory = ports, state, directory
        self.children: list[Child] = []
        self.died = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def control(self) -> str:
        """The sandbox's control API."""
        return f"http://localhost:{self.ports.sandbox}/_sandbox"

    @property
    def host_url(self) -> str:
        """The Functions host."""
        return f"http://localhost:{self.ports.host}"

    @property
    def portal_url(self) -> str | None:
        """The portal; None where it is not built."""
        built = (self.directory / PORTAL / "index.html").is_file()
        return f"http://localhost:{self.ports.portal}" if built else None

    async def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a child in a session of its own, so that Ctrl-C reaches only this process, and follow its output."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        child = Child(name, process)
        self.children.append(child)
        task = asyncio.create_task(self._follow(child))
        self._tasks.add(task)
        return child

    async def _follow(self, child: Child) -> None:
        assert child.process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        while line := await child.process.stdout.readline():
            text = line.decode(errors="replace").rstrip()
            child.lines.append(text)
            show(child.name, text)
        await child.process.wait()
        self.died.set()

    async def ready(self, child: Child, answers: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a child answers. Raises FailedError with its last lines when it dies or takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while child.process.returncode is None:
                    if await answers():
                        return
                    await asyncio.sleep(0.1)
        state = "did not answer" if child.process.returncode is None else f"ended ({child.process.returncode})"
        raise FailedError("\n".join([f"{child.name} {state}. Its last lines:", *child.lines]))

    def dead(self) -> list[Child]:
        """Children that have ended."""
        return [child for child in self.children if child.process.returncode is not None]

    async def stop(self) -> None:
        """Stop what runs, the last started first."""
        for child in reversed(self.children):
            if child.process.returncode is not None:
                continue
            child.process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await child.process.wait()
            except TimeoutError:
                child.process.kill()
                await child.process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def show(name: str, text: str) -> None:
    """Print a child's line behind its name, coloured on a terminal."""
    prefix = f"{name:7} |"
    print(
        f"\x1b[{COLOURS.get(name, 0)}m{prefix}\x1b[0m {text}" if sys.stdout.isatty() else f"{prefix} {text}", flush=True
    )


def check_ports(ports: Sequence[int]) -> None:
    """Raise FailedError naming the ports of 127.0.0.1 that something else already uses."""
    taken = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(str(port))
    if taken:
        raise FailedError(
            f"Ports in use: {', '.join(taken)}. Does another demo still run? Stop what uses them, or choose others: "
            'make demo ARGS="--port-base 18400"'
        )


async def start_storage(system: System) -> str:
    """Start Azurite; its connection string."""
    ports = system.ports
    try:
        command = azurite.command(ports.blob, ports.queue, ports.table)
    except azurite.MissingError as error:
        raise FailedError(str(error)) from error
    child = await system.start("azurite", command, azurite.environment())

    async def answers() -> bool:
        return all([await _open(port) for port in (ports.blob, ports.queue, ports.table)])

    await system.ready(child, answers)
    return azurite.connection_string(ports.blob, ports.queue, ports.table)


async def _open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def start_sandbox(system: System, client: httpx.AsyncClient, scenario: str) -> dict[str, Any]:
    """Start the simulated cloud; its world as `GET /_sandbox/world` describes it."""
    more = {"SANDBOX_PORT": str(system.ports.sandbox), "SANDBOX_STATE": str(system.state), "SANDBOX_WORLD": scenario}
    child = await system.start("sandbox", [sys.executable, "-m", "sandbox"], {**os.environ, **more})
    found: dict[str, Any] = {}

    async def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.get(f"{system.control}/world")
            if answer.is_success and answer.json()["scenario"] == scenario:
                found.update(answer.json())
        return bool(found)

    await system.ready(child, answers)
    return found


async def start_host(system: System, client: httpx.AsyncClient, settings: Mapping[str, str], composition: str) -> None:
    """Start the Functions host with the application."""
    command = [sys.executable, "-m", "sandbox.host", "--port", str(system.ports.host)]
    command += ["--directory", str(system.directory), "--composition", composition]
    child = await system.start("host", command, {**os.environ, **settings, "HOST_STATE": str(system.state)})

    async def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.get(f"{system.host_url}/admin/host/status")
            return answer.is_success and answer.json()["state"] == "Running"
        return False

    await system.ready(child, answers)


async def start_portal(system: System, client: httpx.AsyncClient, url: str) -> None:
    """Start what serves the built portal."""
    command = [sys.executable, "-m", "sandbox.static_web_apps", "--port", str(system.ports.portal)]
    command += ["--folder", str(system.directory / PORTAL), "--api", f"{system.host_url}/api"]
    command += ["--sign-in", f"http://localhost:{system.ports.sandbox}"]
    child = await system.start("portal", command, os.environ)

    async def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await client.get(url)).is_success
        return False

    await system.ready(child, answers)


async def seed(system: System) -> None:
    """Make a living system of it: sandbox/demo.py connects, syncs, maps, polls, and goes on polling."""
    urls = ["--api", f"{system.host_url}/api", "--control", system.control]
    child = await system.start("demo", [sys.executable, "-m", "sandbox.demo", *urls], os.environ)

    async def answers() -> bool:
        return any(line.startswith("Ready") for line in child.lines)

    await system.ready(child, answers)


def summary(system: System, world: Mapping[str, Any], *, host: bool, written: Path) -> str:
    """What is where, who can sign in, and how to call the API by hand."""
    base = "" if system.ports == Ports() else f"--port-base {system.ports.sandbox}"
    tour = f' ARGS="{base}"' if base else ""
    lines = ["", f"  {world['partner']['name']} and {len(world['tenants'])} client tenants, on this machine:", ""]
    if host:
        lines += [f"    Portal     {system.portal_url or 'not built; make portal'}"]
        lines += [
            f"    API        {system.host_url}/api   (its documentation: {system.host_url}/api/docs)",
            f"    Functions  {system.host_url}/admin/functions",
        ]
    lines += [f"    Sandbox    http://localhost:{system.ports.sandbox}/", "", "  People:"]
    for name, person in sorted(world["people"].items()):
        roles = ", ".join(person["apiRoles"]) or "no role"
        lines.append(f"    {name:8} {person['userPrincipalName']:34} {roles}")
    if host:
        who = """'{"person": "alice"}'"""
        take = """sed 's/.*"accessToken": *"//; s/".*//'"""
        lines += [
            "",
            "  A token, and a call with it:",
            f"    TOKEN=$(curl -s {system.control}/tokens -d {who} | {take})",
            f'    curl -s -H "Authorization: Bearer $TOKEN" {system.host_url}/api/me',
            "",
            f"  The main job, step by step: make tour{tour}",
        ]
    else:
        lines += [
            "",
            f"  The application's settings are in {written}:",
            "  start `func start`, or `.venv/bin/python -m sandbox.host`, in this folder.",
        ]
    return "\n".join([*lines, "", "  Ctrl-C stops everything.", ""])


async def run(arguments: argparse.Namespace) -> None:
    """Start everything, say so, and wait for a signal or a death. Raises FailedError."""
    base: int = arguments.port_base
    if not 0 <= base <= HIGHEST_BASE:
        raise FailedError(f"--port-base takes a port up to {HIGHEST_BASE}.")
    ports = Ports.above(base) if base else Ports()
    with_host = not (arguments.only_sandbox or arguments.no_host)
    check_ports(ports.used(host=with_host))
    usual = Path(".run", str(base)) if base else Path(".run")
    system = System(ports, (arguments.state or usual).resolve(), arguments.directory.resolve())
    system.state.mkdir(parents=True, exist_ok=True)
    (system.state / "timers.json").unlink(missing_ok=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    starting = asyncio.create_task(_start(system, arguments, with_host=with_host))
    waiting = [asyncio.create_task(stopped.wait()), asyncio.create_task(system.died.wait())]
    try:
        await asyncio.wait([starting, waiting[0]], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            print(starting.result(), flush=True)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.is_set():
            dead = system.dead()[0]
            raise FailedError(
                "\n".join([f"{dead.name} ended ({dead.process.returncode}). Its last lines:", *dead.lines])
            )
    finally:
        for task in (starting, *waiting):
            task.cancel()
        await asyncio.gather(starting, *waiting, return_exceptions=True)
        await system.stop()


async def _start(system: System, arguments: argparse.Namespace, *, with_host: bool) -> str:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        storage = await start_storage(system)
        scenario = "default" if arguments.world == "empty" else arguments.world
        world = await start_sandbox(system, client, scenario)
        authority, portal = system.state / "ca.pem", system.portal_url
        settings = QUICK | app_settings(world, storage, system.host_url, authority, portal_url=portal)
        folder = system.directory if arguments.only_sandbox else system.state
        written = folder / "local.settings.json"
        write_local_settings(written, settings, system.ports.host)
        if with_host:
            await start_host(system, client, settings, arguments.composition)
            if portal is not None:
                await start_portal(system, client, portal)
            if arguments.world != "empty" and not arguments.no_seed:
                await seed(system)
    return summary(system, world, host=with_host, written=written)


def main() -> None:
    """Read the arguments and run until stopped."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.up", description=__doc__)
    parser.add_argument(
        "--world",
        default="default",
        choices=["default", "empty", "outage", "actions"],
        help="empty: the clients are there, but nothing is connected yet",
    )
    parser.add_argument(
        "--only-sandbox", action="store_true", help="no host; writes local.settings.json for `func start`"
    )
    parser.add_argument("--no-host", action="store_true", help="no host; its settings go into the state folder")
    parser.add_argument("--port-base", type=int, default=0, help="take ports from here on instead of the usual ones")
    parser.add_argument(
        "--state", type=Path, help="folder of certificates and run-time files, .run unless ports are moved"
    )
    parser.add_argument("--no-seed", action="store_true", help="connect nothing: the same as --world empty")
    parser.add_argument("--composition", default="shared.app", help="see python -m sandbox.host")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where function_app.py lies")
    try:
        asyncio.run(run(parser.parse_args()))
    except FailedError as error:
        sys.exit(f"\n{error}")


if __name__ == "__main__":
    main()
