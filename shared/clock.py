"""The application's idea of now: a port, so that stepped time drives the same code as real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


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
    """A key part that sorts later times first (15 digits of milliseconds before the year 10000)."""
    return f"{253_402_300_800_000 - int(at.timestamp() * 1000):015d}"


def rfc3339(at: datetime) -> str:
    """`2026-01-31T12:00:00Z`, UTC, whole seconds kept and microseconds cut to milliseconds when there are any."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")
