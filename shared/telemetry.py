"""What the application does, as OpenTelemetry: spans, metrics and logs, to Azure Monitor, a file or the console.

Every span and metric is made through this module, by hand: the instrumentations of libraries record URLs, and ours have
secrets in them (an event source's address, a workflow's `sig`). What is told are names, ids, hosts and numbers; never a
query, a body, a header or what an exception says. Log lines lose what looks like a secret or an address of a person.

Off unless APPLICATIONINSIGHTS_CONNECTION_STRING or TELEMETRY is set; then the SDK is not even imported. The names are
those of docs/telemetry.md.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import correlation
from shared.redaction import clean
from shared.settings import Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

SCOPE = "tenantry"
"""Name of the tracer and the meter, and of the logger above all of ours."""
NOISY = ("azure", "httpx")
"""Libraries that log every request at INFO, httpx with the whole URL: the Functions worker sends that to the host."""
INSTRUMENTATIONS = frozenset(
    {"azure_sdk", "django", "fastapi", "flask", "httpx", "httpx2", "psycopg2", "requests", "urllib", "urllib3"}
)
"""Those that Microsoft's distribution brings."""
PLAIN = ("oauth2", "v1", "v1.0", "v2.0")
"""Parts of paths that are no words and still name nobody."""
DURATIONS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
FRESH_SECONDS = 75.0
"""Somewhat more than the minute after which metrics are sent."""
UNITS: dict[str, str] = {
    "tenantry.poll.age": "s",
    "tenantry.poll.duration": "s",
    "tenantry.microsoft.calls": "{request}",
    "tenantry.microsoft.throttled": "{request}",
    "tenantry.queue.depth": "{message}",
    "tenantry.queue.poison": "{message}",
    "tenantry.deliveries": "{delivery}",
    "tenantry.sinks.failing": "{sink}",
    "tenantry.secrets.expiring": "{secret}",
}
"""Every metric."""

Value = str | int | float | bool | None
Attributes = Mapping[str, Value]
"""What is None is left out."""
Levels = dict[tuple[tuple[str, str | int | float | bool], ...], tuple[float, float]]
"""Attributes -> a value, and when it was recorded (monotonic)."""
Kind = Literal["server", "consumer", "client", "internal"]
_W3C = TraceContextTextMapPropagator()
_OFF = trace.INVALID_SPAN


@dataclass
class _Running:
    """The providers that are in use. `owned` ones are shut down when the application closes."""

    tracer: trace.Tracer
    meter: metrics.Meter
    owned: list[Any] = field(default_factory=list)
    handler: logging.Handler | None = None
    out: TextIO | None = None
    """The file that is written."""
    instruments: dict[str, Any] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)


_running: _Running | None = None


def is_on() -> bool:
    """Whether anything is told to anybody: what takes a request to find out is left out otherwise."""
    return _running is not None


@contextmanager
def span(
    name: str, kind: Kind = "internal", attributes: Attributes | None = None, *, parent: str = "", link: str = ""
) -> Iterator[trace.Span]:
    """What is done within is a span. `parent` (a traceparent) in place of the current span; `link`: another cause.

    An exception that leaves it is told by its type alone.
    """
    if _running is None:
        yield _OFF
        return
    cause = trace.get_current_span(_W3C.extract({"traceparent": link})).get_span_context() if link else None
    with _running.tracer.start_as_current_span(
        name,
        context=_W3C.extract({"traceparent": parent}) if parent else None,
        kind=trace.SpanKind[kind.upper()],
        attributes=_known(attributes or {}),
        links=[trace.Link(cause)] if cause is not None and cause.is_valid else None,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            fail(made, type(error).__name__)
            raise


def fail(made: trace.Span, what: str) -> None:
    """Mark a span as failed: `what` is a type of error or a status, never a text."""
    made.set_attribute("error.type", what)
    made.set_status(trace.StatusCode.ERROR)


def traceparent() -> str | None:
    """The current span as W3C names it, for a message or a row; None when there is none."""
    if _running is None:
        return None
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def microsoft(service: str, method: str, url: str) -> Iterator[trace.Span]:
    """A request to Microsoft. `answered` says how it ended; one that nobody answered has the status 0."""
    if _running is None:
        yield _OFF
        return
    shown = {"tenantry.service": service, **_request(method, url, template(urlsplit(url).path))}
    with span(f"{method} {service}", "client", shown) as made:
        try:
            yield made
        except BaseException:
            count("tenantry.microsoft.calls", service=service, status=0)
            raise


@contextmanager
def receiver(method: str, url: str) -> Iterator[trace.Span]:
    """A request to a receiver that people configured: path and query of many are the secret itself."""
    with span(f"{method} receiver", "client", _request(method, url) if _running is not None else None) as made:
        yield made


def _request(method: str, url: str, path: str = "/") -> dict[str, Value]:
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return {
        "http.request.method": method,
        "server.address": parts.hostname,
        "server.port": port,
        "url.scheme": parts.scheme,
        "url.full": f"{parts.scheme}://{parts.hostname}:{port}{path}",
    }


def answered(made: trace.Span, service: str, status: int) -> None:
    """The status of a request within `microsoft`."""
    if _running is None:
        return
    status_of(made, status)
    count("tenantry.microsoft.calls", service=service, status=status)
    if status == 429:
        count("tenantry.microsoft.throttled", service=service)


def status_of(made: trace.Span, status: int) -> None:
    """The HTTP status of the answer that a client span got."""
    made.set_attribute("http.response.status_code", status)
    if status >= 400:
        fail(made, str(status))


def template(path: str) -> str:
    """What a path asks for, without names and ids: of `/subscriptions/4f.../resourceGroups/web`, every other part.

    Of other services than Resource Manager, the parts that are plain words.
    """
    parts = path.strip("/").split("/")
    if parts[0] == "secrets":
        return "/secrets/*"
    if parts[0] not in ("subscriptions", "providers"):
        words = [part.partition("(")[0] for part in parts]
        return "/" + "/".join(word if word.isalpha() or word in PLAIN else "*" for word in words)
    shown: list[str] = []
    said = True
    for part in parts:
        if shown and shown[-1] == "providers":
            # A namespace stands for itself; type and name follow it by turns.
            shown.append(part)
            said = True
        else:
            shown.append(part if said else "*")
            said = not said
    return "/" + "/".join(shown)


def count(name: str, amount: int = 1, **attributes: Value) -> None:
    """Add to a counter."""
    if _running is not None:
        _instrument(_running, name, "counter").add(amount, _known(attributes))


def took(name: str, seconds: float, **attributes: Value) -> None:
    """Record a duration."""
    if _running is not None:
        _instrument(_running, name, "histogram").record(seconds, _known(attributes))


def level(name: str, value: float, **attributes: Value) -> None:
    """Record how much there is now."""
    running = _running
    if running is None:
        return
    if name not in running.levels:
        running.levels[name] = {}
        observe = partial(_fresh, running.levels[name])
        running.meter.create_observable_gauge(name, [observe], unit=UNITS[name])
    running.levels[name][tuple(sorted(_known(attributes).items()))] = (value, time.monotonic())


def _fresh(levels: Levels, _: metrics.CallbackOptions) -> list[metrics.Observation]:
    """What was recorded since the last time, or nearly: an instance that looks no more must not repeat what was."""
    now = time.monotonic()
    return [
        metrics.Observation(value, dict(about)) for about, (value, at) in levels.items() if now - at < FRESH_SECONDS
    ]


def _instrument(running: _Running, name: str, kind: str) -> Any:
    if name not in running.instruments:
        more = {"explicit_bucket_boundaries_advisory": DURATIONS} if kind == "histogram" else {}
        running.instruments[name] = getattr(running.meter, f"create_{kind}")(name, unit=UNITS[name], **more)
    return running.instruments[name]


def _known(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}


def start(settings: Settings) -> None:
    """Begin to tell, where the settings say so; nothing when it has begun."""
    global _running
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if _running is not None or not (settings.telemetry or settings.applicationinsights_connection_string):
        return
    _running = _to_azure(settings) if settings.applicationinsights_connection_string else _to_local(settings)


def stop() -> None:
    """Send what waits, and tell no more; what goes to Azure goes on, as there is one of it for each process."""
    global _running
    if _running is None:
        return
    flush()
    if _running.owned:
        ended, _running = _running, None
        if ended.handler is not None:
            logging.getLogger(SCOPE).removeHandler(ended.handler)
        for provider in ended.owned:
            provider.shutdown()
        if ended.out is not None:
            ended.out.close()


def flush() -> None:
    """Send what waits."""
    if _running is not None:
        for provider in _running.owned or _of_process():
            provider.force_flush()


def _of_process() -> list[Any]:
    from opentelemetry import _logs

    return [trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()]


def _to_azure(settings: Settings) -> _Running:
    """To Azure Monitor, by Microsoft's distribution without its instrumentations; to a local place besides."""
    from azure.monitor.opentelemetry import configure_azure_monitor
    from opentelemetry import _logs
    from opentelemetry.sdk.resources import Resource

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        logging.getLogger("tenantry.telemetry").error(
            "Somebody set up OpenTelemetry before: remove PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY from the app "
            "settings, as it records URLs with secrets in them"
        )
    for other in logging.getLogger().handlers:
        other.addFilter(_Cleaning())
    handler = _handler(_logs.get_logger_provider())
    spans, logs, readers = _local(_opened(settings.telemetry)) if settings.telemetry else ([], [], [])
    configure_azure_monitor(
        connection_string=settings.applicationinsights_connection_string,
        resource=Resource.create(_resource()),
        # It adds no handler of its own to a logger that has one.
        logger_name=SCOPE,
        instrumentation_options={name: {"enabled": False} for name in INSTRUMENTATIONS},
        span_processors=spans,
        log_record_processors=logs,
        metric_readers=readers,
        enable_live_metrics=False,
        enable_performance_counters=False,
    )
    return _Running(trace.get_tracer(SCOPE, VERSION), metrics.get_meter(SCOPE, VERSION), handler=handler)


def _to_local(settings: Settings) -> _Running:
    """To a file or the console, by providers of our own: nothing else in the process begins to tell by itself."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    out = _opened(settings.telemetry)
    spans, logs, readers = _local(out)
    resource = Resource.create(_resource())
    tracers, meters = TracerProvider(resource=resource), MeterProvider(readers, resource=resource)
    loggers = LoggerProvider(resource=resource)
    for processor in spans:
        tracers.add_span_processor(processor)
    for each in logs:
        loggers.add_log_record_processor(each)
    return _Running(
        tracers.get_tracer(SCOPE, VERSION),
        meters.get_meter(SCOPE, VERSION),
        [tracers, meters, loggers],
        _handler(loggers),
        out if out is not sys.stdout else None,
    )


def _resource() -> dict[str, str]:
    return {"service.name": SCOPE, "service.version": VERSION}


class _Cleaning(logging.Filter):
    """Cleans what other handlers are given: the Functions worker's passes it on to the host, which exports it too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place."""
        record.__dict__.update(cleaned(record).__dict__)
        return True


def _opened(place: str) -> TextIO:
    return sys.stdout if place == "console" else Path(place).open("a", encoding="utf-8")


def _local(out: TextIO) -> tuple[list[SpanProcessor], list[LogRecordProcessor], list[MetricReader]]:
    """What writes to the console or a file: a line of JSON for each span, log line and look at metrics."""
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    def line(told: Any) -> str:
        return f"{told.to_json(indent=None)}\n"

    return (
        [BatchSpanProcessor(ConsoleSpanExporter(out=out, formatter=line))],
        [BatchLogRecordProcessor(ConsoleLogRecordExporter(out=out, formatter=line))],
        [PeriodicExportingMetricReader(ConsoleMetricExporter(out=out, formatter=line))],
    )


def _handler(provider: Any) -> logging.Handler:
    """The handler that tells our log lines, added to our logger."""
    handler: logging.Handler = _log_handler()(level=logging.INFO, logger_provider=provider)
    ours = logging.getLogger(SCOPE)
    if ours.getEffectiveLevel() > logging.INFO:
        ours.setLevel(logging.INFO)
    ours.addHandler(handler)
    return handler


@cache
def _log_handler() -> Any:
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    class Handler(LoggingHandler):  # type: ignore[misc]  # as mypy does not look into the SDK
        """Tells log lines with the correlation id, and without what must not leave."""

        def emit(self, record: logging.LogRecord) -> None:
            """Tell a cleaned copy: other handlers get the record as it is."""
            super().emit(cleaned(record))

    return Handler


def cleaned(record: logging.LogRecord) -> logging.LogRecord:
    """A log record with its text cleaned; of an exception its type and where it was, not what it says."""
    copy = logging.makeLogRecord(record.__dict__)
    copy.msg, copy.args, copy.exc_info, copy.exc_text = clean(record.getMessage()), None, None, None
    told = copy.__dict__
    told["correlation_id"] = correlation.current()
    if record.exc_info and record.exc_info[0] is not None:
        told["exception.type"] = record.exc_info[0].__name__
        frames = traceback.extract_tb(record.exc_info[2])
        told["exception.stacktrace"] = "\n".join(f"{row.filename}:{row.lineno} in {row.name}" for row in frames)
    return copy
