"""What Microsoft's services have in common when they ask to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from shared.errors import Throttled

T = TypeVar("T")
SHORT_SECONDS, SHORT_WAITS = 2.0, 3
"""A wait up to this long is sat out, so often; a longer one is for who calls."""

UNNAMED_SECONDS = 1.0
"""Seconds to wait when nobody names a time: a busy moment or a lost connection is mostly over by then."""


def asks_to_wait(status: int) -> bool:
    """Whether an HTTP status says that the same request may succeed later."""
    return status in (408, 429) or status >= 500


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a Retry-After header names; UNNAMED_SECONDS when it names none or a date."""
    try:
        return max(0.1, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return UNNAMED_SECONDS


def no_answer(service: str) -> Throttled:
    """The error for a service that could not be reached, or broke the connection."""
    return Throttled(f"{service} did not answer.", retry_after=UNNAMED_SECONDS, status=0, remote_code="noAnswer")


async def patiently(request: Callable[[], Awaitable[T]]) -> T:
    """Send a request that may be repeated, and again after a short wait that is asked for; all else is raised.

    A job that came back for every short wait would begin its step anew each time, and where the allowance is small
    never end it.
    """
    for _ in range(SHORT_WAITS):
        try:
            return await request()
        except Throttled as error:
            if error.retry_after > SHORT_SECONDS:
                raise
            await asyncio.sleep(error.retry_after)
    return await request()
