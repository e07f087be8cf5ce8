"""The application's idea of now: a port, so that stepped time drives the same code as real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import WithJsonSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Wall time in UTC, plus an offset that only the Functions host stand-in ever sets."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        """The present, aware, UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Step forward by `seconds`."""
        self._offset += timedelta(seconds=seconds)


def newest_first(at: datetime) -> str:
    """A key part that sorts later times first (15 digits of milliseconds before the year 10000).

    In whole numbers: a float of seconds would round some times to the millisecond before.
    """
    return f"{253_402_300_800_000 - (at - _EPOCH) // timedelta(milliseconds=1):015d}"


Rfc3339 = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time as `rfc3339` gives it."""


def rfc3339(at: datetime) -> str:
    """`2026-01-31T12:00:00Z`, UTC, whole seconds kept and microseconds cut to milliseconds when there are any."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")
