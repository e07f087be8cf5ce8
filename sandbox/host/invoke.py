"""Calling one function, as the Python worker does: bindings by name, a context, a time limit, a log line."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import azure.functions as func

from sandbox.host.index import Function

log = logging.getLogger("host")


class InvocationContext(func.Context):
    """What a handler finds in its `context` parameter."""

    def __init__(self, function: Function) -> None:
        self._function, self._id = function, str(uuid.uuid4())

    @property
    def invocation_id(self) -> str:
        """A GUID of this invocation."""
        return self._id

    @property
    def thread_local_storage(self) -> type[threading.local]:
        """Where the worker keeps the invocation id for threads of the handler."""
        return threading.local

    @property
    def function_name(self) -> str:
        """The function's name."""
        return self._function.name

    @property
    def function_directory(self) -> str:
        """Where function_app.py lies."""
        return self._function.directory

    @property
    def trace_context(self) -> Any:
        """Distributed tracing: none here."""
        return None

    @property
    def retry_context(self) -> Any:
        """Retry policies of a function: none here."""
        return None


class Sleeper(Protocol):
    """Who sleeps until something may have been enqueued."""

    def wake(self) -> None:
        """Sleep no longer."""


class Invoker:
    """Runs functions and counts them: `running` now, `runs` so far, `last_end` (monotonic) of any.

    `timeout` is host.json's functionTimeout in seconds. After each run the `listeners` are woken: it may have enqueued.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self.timeout = timeout
        self.running = self.runs = 0
        self.last_end = time.monotonic()
        self.listeners: Sequence[Sleeper] = ()

    async def run(self, function: Function, value: Any, what: str, *, reads: bool = False) -> Any:
        """Call `function` with its trigger's value and return what it returns.

        `what` describes the cause in the log; `reads` says that it enqueues nothing. Raises whatever the function
        raised, after logging it, and TimeoutError when it ran longer than host.json's functionTimeout.
        """
        arguments = {str(function.trigger["name"]): value}
        if function.wants_context:
            arguments["context"] = InvocationContext(function)
        started = time.perf_counter()
        self.running += 1
        self.runs += 1
        try:
            async with asyncio.timeout(self.timeout):
                if function.is_async:
                    result = await function.code(**arguments)
                else:
                    result = await asyncio.to_thread(function.code, **arguments)
        except Exception:  # whatever a handler raises is logged here, at the edge, and decides the message's fate above
            log.exception("%s failed (%s) after %d ms", function.name, what, (time.perf_counter() - started) * 1000)
            raise
        finally:
            self.running -= 1
            if not reads:
                self.last_end = time.monotonic()
                for listener in self.listeners:
                    listener.wake()
        log.info("%s ok (%s) in %d ms", function.name, what, (time.perf_counter() - started) * 1000)
        return result
