"""What the host reads before it runs anything: host.json, and the functions of function_app.py."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func

OVERRIDE = "AzureFunctionsJobHost__"
"""An application setting `AzureFunctionsJobHost__a__b` replaces `a.b` of host.json
(learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values)."""
TRIGGERS = ("httpTrigger", "queueTrigger", "timerTrigger")


class IndexingError(Exception):
    """function_app.py holds what the real host would refuse to index."""


def span(text: str) -> float:
    """Seconds of a .NET time span: `[d.]hh:mm:ss[.fff]`. Raises ValueError when it is none."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a time span such as 00:00:30")
    days, hours, minutes, seconds = match.groups()
    parts = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return parts.total_seconds()


@dataclass(frozen=True)
class HostJson:
    """The parts of host.json that the stand-in honours, with Azure's defaults. Times in seconds.

    learn.microsoft.com/azure/azure-functions/functions-host-json and, beside it,
    functions-bindings-storage-queue#hostjson-settings.
    """

    route_prefix: str = "api"
    function_timeout: float = 1800.0
    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    max_polling_interval: float = 60.0
    visibility_timeout: float = 0.0
    base64: bool = True

    @classmethod
    def read(cls, path: Path, settings: Mapping[str, str]) -> HostJson:
        """From a host.json and the settings that override it. Raises ValueError when a value is malformed."""
        document = json.loads(path.read_text()) if path.exists() else {}
        for name, value in settings.items():
            if name.startswith(OVERRIDE):
                *parents, last = name.removeprefix(OVERRIDE).split("__")
                node = document
                for parent in parents:
                    node = node.setdefault(parent, {})
                node[last] = value
        extensions = document.get("extensions", {})
        queues = extensions.get("queues", {})
        batch = int(queues.get("batchSize", cls.batch_size))
        if not 1 <= batch <= 32:
            raise ValueError("extensions.queues.batchSize is 1 to 32")
        return cls(
            route_prefix=extensions.get("http", {}).get("routePrefix", cls.route_prefix).strip("/"),
            function_timeout=span(document.get("functionTimeout", "00:30:00")),
            batch_size=batch,
            new_batch_threshold=int(queues.get("newBatchThreshold", batch // 2)),
            max_dequeue_count=int(queues.get("maxDequeueCount", cls.max_dequeue_count)),
            max_polling_interval=span(queues.get("maxPollingInterval", "00:01:00")),
            visibility_timeout=span(queues.get("visibilityTimeout", "00:00:00")),
            base64=queues.get("messageEncoding", "base64").lower() == "base64",
        )


@dataclass(frozen=True)
class Function:
    """One indexed function: its name, its code, its trigger (function.json's binding), and what it takes."""

    name: str
    code: Callable[..., Any]
    trigger: dict[str, Any]
    bindings: list[dict[str, Any]]
    wants_context: bool
    is_async: bool
    directory: str

    @property
    def kind(self) -> str:
        """The trigger's type: httpTrigger, queueTrigger or timerTrigger."""
        return str(self.trigger["type"])


def _import(directory: Path) -> func.FunctionApp:
    path = directory / "function_app.py"
    name = "function_app" if directory == Path.cwd() else f"function_app_{abs(hash(str(directory)))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise IndexingError(f"{path} does not exist")
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for value in vars(module).values():
        if isinstance(value, func.FunctionApp):
            return value
    raise IndexingError(f"{path} has no FunctionApp")


def _indexed(function: func.Function, directory: Path) -> Function:
    """Check one function as the Python worker does, and keep what running it needs."""
    name, code = str(function.get_function_name()), function.get_user_function()
    bindings: list[dict[str, Any]] = [json.loads(text) for text in function.get_raw_bindings()]
    trigger = next((b for b in bindings if str(b["type"]).endswith("Trigger")), None)
    if trigger is None or trigger["type"] not in TRIGGERS:
        raise IndexingError(f"{name}: the stand-in knows the triggers {', '.join(TRIGGERS)}")
    taken = set(inspect.signature(code).parameters)
    # `$return` is the output of an HTTP function, not a parameter.
    given = {str(b["name"]) for b in bindings} - {"$return"}
    if extra := sorted(taken - given - {"context"}):
        raise IndexingError(f"{name}: parameters declared in Python but not bound: {', '.join(extra)}")
    if missing := sorted(given - taken):
        raise IndexingError(f"{name}: bound but not declared in Python: {', '.join(missing)}")
    return Function(
        name=name,
        code=code,
        trigger=trigger,
        bindings=bindings,
        wants_context="context" in taken,
        is_async=inspect.iscoroutinefunction(code),
        directory=str(directory),
    )


@functools.cache
def functions_of(directory: Path) -> tuple[Function, ...]:
    """Import `directory`/function_app.py and index it, once in a process: a second get_functions() raises.

    In order of name without regard to case, which is also the order in which the real host matches HTTP routes
    (github.com/Azure/azure-functions-host/issues/9876). Raises IndexingError for what the real host refuses.
    """
    indexed = [_indexed(function, directory) for function in _import(directory).get_functions()]
    return tuple(sorted(indexed, key=lambda function: function.name.lower()))


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Replace `%NAME%` by the setting of that name, as the host does in binding expressions."""
    return re.sub(r"%([^%]+)%", lambda match: settings.get(match[1], match[0]), text)
