"""Few polls out of many events: a subscription that is being read, or about to be, is not asked for twice.

A row says that a message waits, or that a poll runs. Whoever receives an event looks at it first: while a message waits
there is nothing to do, because its poll reads Azure later than the event came; while a poll runs, it is told to look
again. Only for an idle subscription is a message sent, after the row. So the last event is never missed, and a message
that was lost is found by the row it left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import health
from shared.app import App
from shared.errors import Conflict, PreconditionFailed
from shared.hints.parse import Parsed
from shared.hints.sources import Sender
from shared.jobs import ApplyEvents, PollSubscription
from shared.store.tables import Kind, Record
from shared.tenants import SUBSCRIPTIONS

log = logging.getLogger("tenantry.hints")
Apply = Callable[[App, ApplyEvents], Awaitable[None]]
STALE = timedelta(seconds=60)
"""After so long a waiting message or a running poll counts as lost, and an event makes a new one."""
LOST_AFTER = timedelta(minutes=2)
"""After so long the timer makes a new one without an event."""
AT_ONCE = 16
"""Subscriptions of one request that are looked at together."""
TRIES = 12
ROUNDS = 3
"""Polls in one run of the job; what comes after is another message, so that no client waits for another's storm."""
BUSY_SECONDS = 5.0
"""How long a second message stays away while the first is at work."""
LOOK_AGAIN_SECONDS = 45.0
"""Azure's list may show a change later than its event came: a poll that found nothing new is done once more."""


class Hint(Record):
    """A subscription that an event asks to be read. There is no row when nothing is to be done."""

    subscription_id: str
    waiting_since: datetime | None = None
    """A message for it is under way since then."""
    running_since: datetime | None = None
    """A poll for it runs since then."""
    again: bool = False
    """Another event came while it ran."""

    def waits(self, now: datetime) -> bool:
        """Whether a message is under way that may still come."""
        return self.waiting_since is not None and now - self.waiting_since < STALE

    def runs(self, now: datetime) -> bool:
        """Whether a poll runs that may still end."""
        return self.running_since is not None and now - self.running_since < STALE

    def followed(self, now: datetime) -> bool:
        """Whether somebody saw to it not long ago."""
        return any(at is not None and now - at <= LOST_AFTER for at in (self.waiting_since, self.running_since))


HINTS = Kind("Hints", Hint, lambda h: ("hint", h.subscription_id))


@dataclass(frozen=True)
class Heard:
    """What became of a request's events: subscriptions that will be read, events passed over, subscriptions unknown."""

    subscriptions: int
    ignored: int
    unknown: int


async def arrived(app: App, parsed: Parsed, sender: Sender) -> Heard:
    """Let the subscriptions that events speak of be read soon, if they are ours and the sender may speak of them."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(subscription_id: str) -> bool:
        async with gate:
            return await _hint(app, subscription_id, sender)

    known = await asyncio.gather(*(one(subscription_id) for subscription_id in parsed.subscriptions))
    return Heard(sum(known), parsed.ignored, len(known) - sum(known))


async def _hint(app: App, subscription_id: str, sender: Sender) -> bool:
    """Whether the subscription is one of ours that the sender may speak of; then it is seen to."""
    row = await app.tables.get(SUBSCRIPTIONS, "subscription", subscription_id)
    if row is None or row.gone or (sender.tenant_ids is not None and row.tenant_id not in sender.tenant_ids):
        return False
    for _ in range(TRIES):
        now = app.clock.now()
        hint = await app.tables.get(HINTS, "hint", subscription_id)
        try:
            if hint is None:
                await app.tables.insert(HINTS, Hint(subscription_id=subscription_id, waiting_since=now))
            elif hint.waits(now):
                return True
            elif hint.runs(now):
                if not hint.again:
                    await app.tables.put(HINTS, hint.changed(again=True))
                return True
            else:
                await app.tables.put(HINTS, hint.changed(waiting_since=now, running_since=None, again=False))
        except (Conflict, PreconditionFailed):
            continue
        break
    # Sent in any case: when the row stays contended, a poll too many is better than an event missed.
    await app.queues.send(PollSubscription(subscription_id=subscription_id, hinted=True))
    return True


async def run(app: App, job: PollSubscription, apply: Apply) -> None:
    """Queue job: poll for the sake of an event, and make alerts of what was found without another queue in between."""
    if not await _begin(app, job):
        await app.queues.send(job, delay=BUSY_SECONDS)
        return
    ended = False
    try:
        for _ in range(ROUNDS):
            news = await health.run_poll(app, job)
            # Also when this try found nothing new: the one before may have died between the two.
            await apply(app, ApplyEvents(subscription_id=job.subscription_id))
            if ended := await _end(app, job.subscription_id):
                if news is False and job.looks == 0:
                    await app.queues.send(job.model_copy(update={"looks": 1, "attempt": 0}), delay=LOOK_AGAIN_SECONDS)
                return
        await _wait_again(app, job.subscription_id)
        ended = True
        await app.queues.send(PollSubscription(subscription_id=job.subscription_id, hinted=True))
    finally:
        if not ended:
            # The platform tries this message again.
            await _wait_again(app, job.subscription_id)


async def give_up(app: App, job: PollSubscription, reason: str) -> None:
    """The platform tried often enough: the subscription is marked, and the next event begins anew."""
    await app.tables.delete(HINTS, Hint(subscription_id=job.subscription_id))
    await health.give_up_poll(app, job, reason)


async def _begin(app: App, job: PollSubscription) -> bool:
    """Say that the poll runs; False while another does for the same subscription."""
    for _ in range(TRIES):
        now = app.clock.now()
        hint = await app.tables.get(HINTS, "hint", job.subscription_id)
        try:
            if hint is None:
                await app.tables.insert(HINTS, Hint(subscription_id=job.subscription_id, running_since=now))
            elif hint.runs(now):
                return False
            else:
                await app.tables.put(HINTS, hint.changed(waiting_since=None, running_since=now, again=False))
        except (Conflict, PreconditionFailed):
            continue
        return True
    return False


async def _end(app: App, subscription_id: str) -> bool:
    """Say that the poll is done; False when an event came meanwhile, and one more is due."""
    for _ in range(TRIES):
        hint = await app.tables.get(HINTS, "hint", subscription_id)
        if hint is None:
            return True
        try:
            if hint.again:
                await app.tables.put(HINTS, hint.changed(running_since=app.clock.now(), again=False))
                return False
            await app.tables.delete(HINTS, hint)
        except PreconditionFailed:
            continue
        return True
    return False


async def _wait_again(app: App, subscription_id: str) -> None:
    """Say that the next poll is a message's."""
    now = app.clock.now()

    def waiting(hint: Hint) -> Hint:
        return hint.changed(waiting_since=now, running_since=None, again=False)

    await app.tables.update(HINTS, "hint", subscription_id, waiting)


async def lost(app: App) -> list[PollSubscription]:
    """The messages to send for hints that nobody follows any more: theirs was never sent, or their poll was killed."""
    now, rows = app.clock.now(), await app.tables.all(HINTS, "hint")
    found = [row for row in rows if not row.followed(now)]
    if found:
        log.warning("%d subscriptions were to be read because of an event, and were not: sent again", len(found))
    return [PollSubscription(subscription_id=row.subscription_id, hinted=True) for row in found]
