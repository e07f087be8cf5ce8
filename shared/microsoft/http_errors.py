"""What Partner Center and Microsoft Graph have in common when they ask to wait."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import Throttled

NO_ANSWER_SECONDS = 2.0
BUSY_SECONDS = 5.0
"""Seconds to wait when no time is named."""


def asks_to_wait(status: int) -> bool:
    """Whether an HTTP status says that the same request may succeed later."""
    return status in (408, 429) or status >= 500


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a Retry-After header names; BUSY_SECONDS when it names none or a date."""
    try:
        return max(0.1, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return BUSY_SECONDS


def no_answer(service: str) -> Throttled:
    """The error for a service that could not be reached, or broke the connection."""
    return Throttled(f"{service} did not answer.", retry_after=NO_ANSWER_SECONDS, status=0, remote_code="noAnswer")
