"""When a sink is left alone, and how fast it is sent to: pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from shared.store.tables import Record

FAILURES = 5
"""In a row, before nothing is sent for a while."""
FIRST_WAIT, LONGEST_WAIT = 30, 900
"""Seconds."""
BACK_OFF = (5, 30, 120, 600, 1800, 3600, 3600, 3600, 3600)
"""Seconds after the first, second... attempt that failed. One more failure than there are waits is the last."""


class Circuit(Record):
    """Closed: everything is sent. Open until a time: nothing. After that time one message is tried."""

    failures: int = 0
    wait: int = 0
    """Seconds of the last opening; 0 when closed."""
    until: datetime | None = None
    since: datetime | None = None
    """The first of the failures in a row."""

    def at(self, now: datetime) -> Literal["closed", "open", "probe"]:
        """What may be sent."""
        if self.until is None:
            return "closed"
        return "open" if self.until > now else "probe"

    def failed(self, now: datetime) -> Circuit:
        """After a failure: opened by the fifth in a row, and for twice as long by each probe."""
        failures, since = self.failures + 1, self.since or now
        if self.until is not None and self.until > now:
            # It was under way when the circuit opened.
            return self.changed(failures=failures)
        if failures < FAILURES:
            return Circuit(failures=failures, since=since)
        wait = min(LONGEST_WAIT, self.wait * 2 or FIRST_WAIT)
        return Circuit(failures=failures, wait=wait, until=now + timedelta(seconds=wait), since=since)


class Rate(Record):
    """Messages begun, as one time: when the next one would begin if they were evenly spread (GCRA)."""

    at: datetime | None = None

    def begun(self, now: datetime, per_minute: int, burst: int) -> tuple[Rate, timedelta]:
        """After one more message and no wait; or, with what it must wait, as it is: a minute has `per_minute` at most.

        `burst` may begin at once after a silence, fewer than `per_minute`.
        """
        interval = timedelta(minutes=1) / max(1, per_minute - burst)
        # No run of messages reaches further: what is beyond was written by a worker whose clock is ahead.
        at = min(max(self.at or now, now), now + interval * burst)
        wait = max(timedelta(), at - now - interval * max(0, burst - 1))
        return Rate(at=at if wait else at + interval), wait
