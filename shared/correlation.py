"""One id that ties a request or timer to every job and every Microsoft call it causes.

It travels as `x-ms-correlation-request-id`; each outgoing request has an `x-ms-client-request-id` of its own besides
(learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling names neither as secret).
"""

from __future__ import annotations

import uuid
from contextvars import ContextVar

HEADER = "x-ms-correlation-request-id"
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def begin(correlation_id: str = "") -> str:
    """Set the id for what runs from here on in this task; a new one when none is given."""
    chosen = correlation_id or str(uuid.uuid4())
    _current.set(chosen)
    return chosen


def current() -> str:
    """The id, or an empty string outside of any request or job."""
    return _current.get()
