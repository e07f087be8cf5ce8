"""The span of one call by the Functions host, and whose child it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import azure.functions as func

from shared import correlation, telemetry
from shared.redaction import clean

log = logging.getLogger("tenantry.jobs")


class Failed(Exception):
    """A job or timer ended by an error that nobody foresaw. The host exports what it says, so that is cleaned."""


def host_span(context: func.Context | None) -> str:
    """The traceparent of the host's own span; empty where the host tells none."""
    return parent_of(getattr(context, "trace_context", None))


def parent_of(trace_context: Any) -> str:
    """The traceparent in what the Python worker knows of the host's span."""
    return str(getattr(trace_context, "trace_parent", None) or "")


@contextmanager
def run(
    name: str,
    kind: telemetry.Kind,
    attributes: telemetry.Attributes | None = None,
    *,
    parent: str = "",
    link: str = "",
) -> Iterator[None]:
    """A job or timer as a span with the correlation id. Raises Failed for whatever leaves it, after logging that."""
    given = {"tenantry.correlation_id": correlation.current(), **(attributes or {})}
    failure: Failed | None = None
    with telemetry.span(name, kind, given, parent=parent, link=link if link != parent else "") as span:
        try:
            yield
        except Exception as error:  # whatever it was, the host tries again or not
            log.exception("%s failed", name)
            telemetry.fail(span, type(error).__name__)
            failure = Failed(f"{name}: {type(error).__name__}: {clean(str(error))}")
    if failure is not None:
        raise failure from None
