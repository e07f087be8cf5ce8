"""The host as an object: it indexes one function app, serves its triggers on a port, and stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Coroutine, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from azure.core.pipeline.transport import AioHttpTransport
from azure.functions.queue import QueueMessage
from azure.storage.queue.aio import QueueClient
from starlette.types import Receive, Scope, Send

from sandbox.host import admin, http, reset
from sandbox.host.index import Function, HostJson, functions_of, resolve
from sandbox.host.invoke import Invoker
from sandbox.host.queues import POISON, QueueListener
from sandbox.host.timers import Timer

log = logging.getLogger("host")
GRACE = 10.0
"""Seconds that running handlers get when the host stops or is emptied."""
CLOCK_SLACK = 1.0
"""Seconds by which the sandbox's time may differ from wall time without having been stepped."""
LEASE = 600.0
"""Seconds a fetched message stays hidden in Azure before its lease is renewed."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take no signal."""
        yield


class Host:
    """Runs function_app.py in the current event loop.

    `port` 0 takes a free one; it is bound at once (OSError when taken), so that `url` is known before `start`.
    `settings` join the process's environment while the host runs (an application reads its settings there).
    `directory` holds function_app.py and host.json. `composition` names the module whose `current()` and `close()`
    give and drop the application's App; None when it has none.

    Of the settings the host itself reads AzureWebJobsStorage (or another trigger's connection), the
    AzureFunctionsJobHost__ overrides of host.json, HOST_QUEUE_LEASE (seconds, 600), HOST_POLL_SECONDS (longest pause of
    an idle queue, and a wake-up after each run; host.json's maxPollingInterval when unset), HOST_TIMERS (off: no
    schedules), HOST_STATE (folder that remembers the last runs of timers) and SANDBOX_CONTROL_URL.
    """

    def __init__(
        self,
        port: int = 7071,
        settings: Mapping[str, str] | None = None,
        *,
        directory: Path | None = None,
        composition: str | None = "shared.app",
    ) -> None:
        # asyncio switches Nagle's algorithm off only for sockets that say they are TCP.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.url = f"http://localhost:{self._socket.getsockname()[1]}"
        self.settings: dict[str, str] = {}
        self._given: dict[str, str] = dict(settings or {})
        self.directory = (directory or Path.cwd()).resolve()
        self.composition = composition
        self.host_json = HostJson()
        self.functions: tuple[Function, ...] = ()
        self.state = "Offline"
        self.listeners: list[QueueListener] = []
        self.timers: dict[str, Timer] = {}
        self.invoker = Invoker()
        self._routes = http.Routes((), "")
        self._before: dict[str, str | None] = {}
        self._schedules: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()
        self._server: _Server | None = None
        self._server_task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._transport: AioHttpTransport | None = None
        self._started = time.monotonic()

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the start."""
        return int((time.monotonic() - self._started) * 1000)

    def use(self, settings: Mapping[str, str]) -> None:
        """Add settings before `start`, such as those that need `url`."""
        self._given.update(settings)

    async def start(self) -> None:
        """Index the functions, serve HTTP, poll queues, follow schedules.

        Raises IndexingError for what the real host refuses, ValueError for a malformed setting or host.json.
        """
        self._before = {name: os.environ.get(name) for name in self._given}
        os.environ.update(self._given)
        self.settings = dict(os.environ)
        self.host_json = HostJson.read(self.directory / "host.json", self.settings)
        self.invoker.timeout = self.host_json.function_timeout
        self._started = time.monotonic()
        self.functions = functions_of(self.directory)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
        self._transport = AioHttpTransport(session=self._session, session_owner=False)
        self._routes = http.Routes(self._of("httpTrigger"), self.host_json.route_prefix)
        self.timers = {f.name: Timer(f, self.settings, self.invoker) for f in self._of("timerTrigger")}
        self.listeners = [self._listener(function) for function in self._of("queueTrigger")]
        self.invoker.listeners = [listener for listener in self.listeners if not listener.queue.endswith(POISON)]
        await self._join_clock()
        await self._listen()
        for listener in self.listeners:
            listener.start()
        if self.settings.get("HOST_TIMERS", "on").lower() != "off":
            state = self.settings.get("HOST_STATE")
            remember = Path(state) / "timers.json" if state else None
            for timer in self.timers.values():
                _keep(self._schedules, timer.follow(remember))
        self.state = "Running"

    async def stop(self) -> None:
        """Stop polling, let running handlers end, close the application and the port, restore the environment."""
        self.state = "Stopping"
        if self._server is not None and self._server_task is not None:
            self._server.should_exit = True
            await self._server_task
        await asyncio.gather(*(listener.stop(GRACE) for listener in self.listeners))
        if self._runs:
            await asyncio.wait(self._runs, timeout=GRACE)
        unfinished = [*self._schedules, *self._runs]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._close_application()
        for listener in self.listeners:
            await listener.close()
        self.listeners = []
        if self._session is not None:
            await self._session.close()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.state = "Offline"

    def trigger(self, function: Function, given: str) -> None:
        """Run a timer or queue function now, in the background; `given` is the message body of a queue function.

        Raises admin.RefusedError for an HTTP function.
        """
        if function.kind == "timerTrigger":
            _keep(self._runs, self.timers[function.name].run())
        elif function.kind == "queueTrigger":
            message = QueueMessage(id=str(uuid.uuid4()), body=given, dequeue_count=1)
            _keep(self._runs, self._run_quietly(function, message))
        else:
            raise admin.RefusedError(400, f"{function.name} is called by its own URL")

    async def reset(self) -> None:
        """Empty the application's tables, queues and vault and let it forget what it keeps in memory.

        Handlers that run are awaited first. Raises reset.NotLocalError when anything of it is not on this machine.
        """
        transport = self._open_transport()
        await asyncio.gather(*(listener.stop(GRACE) for listener in self.listeners))
        if "AzureWebJobsStorage" in self.settings:
            await reset.empty_storage(self.settings["AzureWebJobsStorage"], transport)
        if "KEY_VAULT_URL" in self.settings:
            await reset.empty_vault(self.settings, transport)
        await self._close_application()
        await self._join_clock()
        for listener in self.listeners:
            listener.start()

    async def advance(self, seconds: float) -> dict[str, Any]:
        """Step the application's clock and the sandbox's; gives the sandbox's answer, or {} without a sandbox."""
        if self.composition is not None:
            importlib.import_module(self.composition).current().clock.advance(seconds)
        return await self._step_sandbox(seconds)

    async def _join_clock(self) -> None:
        """Put a new application on the sandbox's time, which may have been stepped before."""
        if self.composition is None:
            return
        now = (await self._step_sandbox(0)).get("now")
        if now is not None:
            ahead = (datetime.fromisoformat(now) - datetime.now(UTC)).total_seconds()
            if ahead > CLOCK_SLACK:
                importlib.import_module(self.composition).current().clock.advance(ahead)

    async def _step_sandbox(self, seconds: float) -> dict[str, Any]:
        control = self.settings.get("SANDBOX_CONTROL_URL")
        if control is None or self._session is None:
            return {}
        async with self._session.post(f"{control}/clock", json={"advanceSeconds": seconds}) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    async def settle(self, limit: float, *, delayed: bool = False) -> bool:
        """Wait until no function runs and no queue has a visible message; False when that took over `limit` seconds.

        `delayed`: messages that become visible later are awaited too.
        """
        asked = time.monotonic()
        targets = self.listeners
        try:
            async with asyncio.timeout(limit):
                while True:
                    if self._runs or self.invoker.running or any(each.leased for each in self.listeners):
                        await asyncio.sleep(0.01)
                        continue
                    await asyncio.gather(*(each.look() for each in targets))
                    since = max(asked, self.invoker.last_end)
                    if not all(each.empty_at > since and not each.leased for each in self.listeners):
                        targets = self.listeners
                        continue
                    counts = await asyncio.gather(*(each.count() for each in targets if delayed))
                    if not any(counts):
                        return True
                    targets = [each for each, count in zip(targets, counts, strict=True) if count]
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return False

    def _of(self, kind: str) -> list[Function]:
        return [function for function in self.functions if function.kind == kind]

    def _listener(self, function: Function) -> QueueListener:
        name = resolve(str(function.trigger["queueName"]), self.settings)
        setting = str(function.trigger.get("connection") or "AzureWebJobsStorage")
        setting = setting if setting in self.settings else f"AzureWebJobs{setting}"
        if setting not in self.settings:
            raise ValueError(f"{function.name}: the setting {setting} with a connection string is missing")
        transport = self._open_transport()

        def client(queue: str) -> QueueClient:
            return QueueClient.from_connection_string(self.settings[setting], queue, transport=transport)

        poll = self.settings.get("HOST_POLL_SECONDS")
        listener = QueueListener(
            function,
            client(name),
            None if name.endswith(POISON) else client(name + POISON),
            self.invoker,
            self.host_json,
            lease=float(self.settings.get("HOST_QUEUE_LEASE", LEASE)),
            poll=float(poll) if poll else None,
        )
        listener.poisoned = self._wake
        return listener

    def _wake(self, queue: str) -> None:
        for listener in self.listeners:
            if listener.queue == queue:
                listener.wake()

    def _open_transport(self) -> AioHttpTransport:
        if self._transport is None:
            raise RuntimeError("the host is not started")
        return self._transport

    async def _listen(self) -> None:
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=int(GRACE),
        )
        self._server = _Server(config)
        self._server_task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._server_task.done():
                self._server_task.result()
            await asyncio.sleep(0.005)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await admin.serve(self, scope, receive, send):
            await http.serve(self._routes, self.invoker, scope, receive, send)

    async def _run_quietly(self, function: Function, message: QueueMessage) -> None:
        try:
            await self.invoker.run(function, message, "asked for by /admin")
        except Exception:  # the invoker has logged it; nobody waits for the result of an admin run
            log.debug("%s was run by hand and failed", function.name)

    async def _close_application(self) -> None:
        """Close the application's App."""
        if self.composition is not None:
            await importlib.import_module(self.composition).close()


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    """Run `work` in the background and hold its task until it ends."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
