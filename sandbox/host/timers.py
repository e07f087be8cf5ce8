"""Timer triggers: NCRONTAB schedules on wall time in UTC, one run at a time, a missed run made up for once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from azure.functions.timer import TimerRequest
from croniter import croniter

from sandbox.host.index import Function, IndexingError, resolve
from sandbox.host.invoke import Invoker

log = logging.getLogger("host")


def next_time(schedule: str, after: datetime) -> datetime:
    """The first time of an NCRONTAB expression after `after` (both aware, UTC).

    Six fields, seconds first, or five without them; day of month and day of week must both match, unlike in cron
    (learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions). Raises ValueError.
    """
    fields = schedule.split()
    if len(fields) not in (5, 6):
        raise ValueError(f"{schedule!r} is not an NCRONTAB expression of five or six fields")
    iterator = croniter(schedule, after, second_at_beginning=len(fields) == 6, day_or=False)
    found: datetime = iterator.get_next(datetime)
    return found


class Timer:
    """One timer-triggered function. `last` is the last time it was due and ran."""

    def __init__(self, function: Function, settings: Mapping[str, str], invoker: Invoker) -> None:
        self.function, self.invoker = function, invoker
        self.schedule = resolve(str(function.trigger["schedule"]), settings)
        try:
            next_time(self.schedule, datetime.now(UTC))
        except ValueError as error:
            raise IndexingError(f"{function.name}: {error}") from error
        self.last: datetime | None = None
        self._running = asyncio.Lock()

    async def run(self, *, past_due: bool = False) -> None:
        """Run it now, after a run that is still going. Errors are logged, not raised: the next time comes anyway."""
        async with self._running:
            now = datetime.now(UTC)
            status = {
                "Last": (self.last or now).isoformat(),
                "Next": next_time(self.schedule, now).isoformat(),
                "LastUpdated": now.isoformat(),
            }
            request = TimerRequest(past_due=past_due, schedule_status=status, schedule={"AdjustForDST": True})
            self.last = now
            try:
                await self.invoker.run(self.function, request, "timer")
            except Exception:  # the invoker has logged it; a schedule goes on whatever its function raised
                log.debug("%s is due again at %s", self.function.name, status["Next"])

    async def follow(self, remember: Path | None) -> None:
        """Run on schedule for ever; the time of the last run is kept in `remember`, a JSON file of all timers."""
        self.last = _read(remember).get(self.function.name)
        overdue = self.last is not None and next_time(self.schedule, self.last) < datetime.now(UTC)
        if overdue or self.function.trigger.get("runOnStartup"):
            await self._tick(remember, past_due=overdue)
        while True:
            now = datetime.now(UTC)
            await asyncio.sleep((next_time(self.schedule, now) - now).total_seconds())
            await self._tick(remember, past_due=False)

    async def _tick(self, remember: Path | None, *, past_due: bool) -> None:
        await self.run(past_due=past_due)
        if remember is not None and self.last is not None:
            _write(remember, {**_read(remember), self.function.name: self.last})


def _write(path: Path, times: Mapping[str, datetime]) -> None:
    path.write_text(json.dumps({name: time.isoformat() for name, time in times.items()}))


def _read(path: Path | None) -> dict[str, datetime]:
    if path is None or not path.exists():
        return {}
    return {name: datetime.fromisoformat(text) for name, text in json.loads(path.read_text()).items()}
