"""Queue triggers: receive, run, delete; renew the lease while it runs; retry, then poison.

The rules are those of the Functions storage extension (learn.microsoft.com/azure/azure-functions/
functions-bindings-storage-queue-trigger): up to batchSize messages are fetched whenever no more than
newBatchThreshold run; an idle queue is asked ever less often, up to maxPollingInterval.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.functions.queue import QueueMessage
from azure.storage.queue import QueueMessage as StoredMessage
from azure.storage.queue.aio import QueueClient

from sandbox.host.index import Function, HostJson
from sandbox.host.invoke import Invoker

log = logging.getLogger("host")
FIRST_PAUSE = 0.1
"""Seconds before a queue that was empty is asked again; doubled each time, as in the real host."""
FIRST_NAP = 0.05
"""Seconds a woken listener still sleeps, so that a burst of wake-ups is one poll; doubled while it finds nothing."""
POISON = "-poison"


@dataclass
class Leased:
    """A message being worked on. `receipt` changes with each renewal, so it is used under `lock`."""

    message: StoredMessage
    receipt: str
    renewed: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: bool = False


class QueueListener:
    """Serves one queue-triggered function.

    `client` and `poison` send and receive texts as they are. `lease` is how many seconds a fetched message stays
    hidden before its next renewal is due; a host that dies hides its messages no longer than that. `poll` (seconds)
    bounds the pause of an idle queue instead of host.json, and lets `wake` cut it to a tenth.
    """

    def __init__(
        self,
        function: Function,
        client: QueueClient,
        poison: QueueClient | None,
        invoker: Invoker,
        host: HostJson,
        *,
        lease: float,
        poll: float | None,
    ) -> None:
        self.function, self.client, self.poison, self.invoker, self.host = function, client, poison, invoker, host
        self.lease, self.poll = lease, poll
        self.leased: dict[str, Leased] = {}
        self.empty_at = float("-inf")
        """Start (monotonic) of the last poll, when it found nothing."""
        self.poisoned: Callable[[str], None] = lambda queue: None
        """Called with the name of a poison queue that has been written."""
        # A poison queue is written by hosts only, and this one says so: it need not be asked as often.
        self._longest = (poll * (10 if poison is None else 1)) if poll else host.max_polling_interval
        self._asked = self._wanted = float("-inf")
        self._woken = False
        self._stir, self._looked = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self._renew_task: asyncio.Task[None] | None = None

    @property
    def queue(self) -> str:
        """The queue's name."""
        return str(self.client.queue_name)

    def start(self) -> None:
        """Begin to poll, in the running loop."""
        self._loop_task = asyncio.create_task(self._poll(), name=f"poll {self.queue}")
        self._renew_task = asyncio.create_task(self._renew(), name=f"renew {self.queue}")

    async def stop(self, grace: float) -> None:
        """Stop polling, give running handlers `grace` seconds, then let go: their leases expire."""
        await _cancel(self._loop_task)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                log.warning("%s is left unfinished; its message comes back when the lease ends", self.function.name)
                await _cancel(task)
        await _cancel(self._renew_task)
        self.leased.clear()

    async def count(self) -> int:
        """Messages in the queue, hidden ones included; 0 when there is no such queue."""
        try:
            return int((await self.client.get_queue_properties()).approximate_message_count or 0)
        except ResourceNotFoundError:
            return 0

    async def close(self) -> None:
        """Close the clients; a shared transport stays open."""
        await self.client.close()
        if self.poison is not None:
            await self.poison.close()

    def wake(self) -> None:
        """Something has run and may have enqueued: do not sleep out a long pause."""
        if self.poll is not None and not self._woken:
            self._woken = True
            self._stir.set()

    async def look(self) -> None:
        """Poll at once and return when that is done; at once, too, when so many run that no more are fetched."""
        self._wanted = now = time.monotonic()
        self._stir.set()
        while self._asked < now and len(self.leased) <= self.host.new_batch_threshold:
            await self._looked.wait()

    async def _poll(self) -> None:
        pause, nap = FIRST_PAUSE, FIRST_NAP
        while True:
            while len(self.leased) > self.host.new_batch_threshold:
                self._room.clear()
                await self._room.wait()
            asked = time.monotonic()
            self._woken = False
            self._stir.clear()
            try:
                found = await self._fetch()
            except AzureError as error:
                log.warning("queue %s cannot be read: %s", self.queue, str(error).splitlines()[0])
                found = 0
            self._asked = asked
            self.empty_at = float("-inf") if found else asked
            self._looked.set()
            self._looked = asyncio.Event()
            if found:
                pause, nap = FIRST_PAUSE, FIRST_NAP
            elif await self._sleep(pause, nap):
                nap = min(nap * 2, self._longest / 2)
            else:
                pause = min(pause * 2, self._longest)

    async def _sleep(self, pause: float, nap: float) -> bool:
        """Wait `pause` seconds, somewhat at random, or only `nap` when woken (True then), or not at all for `look`."""
        now = time.monotonic()
        end, soon = now + pause * random.uniform(0.8, 1.0), now + nap  # noqa: S311 - spreads polls, hides nothing
        while self._wanted <= self._asked:
            until = min(end, soon) if self._woken else end
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._stir.wait()
            except TimeoutError:
                break
            self._stir.clear()
        return self._woken

    async def _fetch(self) -> int:
        """Fetch up to batchSize messages and start them; how many there were. A missing queue is an empty one."""
        pages = self.client.receive_messages(
            messages_per_page=self.host.batch_size, visibility_timeout=max(1, round(self.lease))
        ).by_page()
        count = 0
        try:
            async for message in await anext(pages):
                count += 1
                item = Leased(message, str(message.pop_receipt), time.monotonic())
                self.leased[message.id] = item
                task = asyncio.create_task(self._work(item))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (ResourceNotFoundError, StopAsyncIteration):
            return 0
        return count

    async def _work(self, item: Leased) -> None:
        message = item.message
        try:
            await self._run(item)
        except AzureError as error:
            # The message comes back when its lease ends: work may be done twice, never lost.
            log.warning("queue %s: message %s: %s", self.queue, message.id, str(error).splitlines()[0])
        finally:
            item.done = True
            if self.leased.get(message.id) is item:
                del self.leased[message.id]
            if len(self.leased) <= self.host.new_batch_threshold:
                self._room.set()

    async def _run(self, item: Leased) -> None:
        """One message to its end: deleted, released for the next try, or poisoned."""
        message = item.message
        tries = int(message.dequeue_count or 1)
        if tries > self.host.max_dequeue_count and self.poison is not None:
            # The earlier tries ended without a word: a host died under them.
            await self._poison(item)
            return
        try:
            body = base64.b64decode(message.content, validate=True) if self.host.base64 else message.content.encode()
        except binascii.Error:
            log.error("queue %s: message %s is not base64 and is not read", self.queue, message.id)  # noqa: TRY400 - no trace says more
            await self._poison(item)
            return
        request = QueueMessage(
            id=message.id,
            body=body,
            dequeue_count=tries,
            expiration_time=message.expires_on,
            insertion_time=message.inserted_on,
            time_next_visible=message.next_visible_on,
            pop_receipt=item.receipt,
        )
        try:
            await self.invoker.run(self.function, request, f"{self.queue}, try {tries}")
        except Exception:  # the invoker has logged it; a failed message is tried again, whatever the failure was
            await self._failed(item, tries)
            return
        await self._delete(item)

    async def _failed(self, item: Leased, tries: int) -> None:
        if self.poison is None:
            # A poison queue has no poison queue of its own: the message stays hidden until its lease ends.
            return
        if tries >= self.host.max_dequeue_count:
            await self._poison(item)
            return
        async with item.lock:
            item.done = True
            await self.client.update_message(
                item.message.id, item.receipt, visibility_timeout=round(self.host.visibility_timeout)
            )

    async def _poison(self, item: Leased) -> None:
        if self.poison is None:
            # It stays, hidden until its lease ends, for whoever looks into the queue.
            log.error("queue %s: message %s cannot be handled", self.queue, item.message.id)
            return
        try:
            await self.poison.send_message(item.message.content)
        except ResourceNotFoundError:
            try:
                await self.poison.create_queue()
            except ResourceExistsError:
                log.debug("queue %s was made by another worker", self.poison.queue_name)
            await self.poison.send_message(item.message.content)
        log.error("queue %s: message %s moved to %s", self.queue, item.message.id, self.poison.queue_name)
        await self._delete(item)
        self.poisoned(str(self.poison.queue_name))

    async def _delete(self, item: Leased) -> None:
        async with item.lock:
            item.done = True
            try:
                await self.client.delete_message(item.message.id, item.receipt)
            except HttpResponseError as error:
                if error.status_code not in (400, 404):
                    raise
                log.warning("queue %s: the lease of message %s had ended; it runs again", self.queue, item.message.id)

    async def _renew(self) -> None:
        """Hide each running message for another lease when half of its last one is over."""
        while True:
            await asyncio.sleep(self.lease / 6)
            due = time.monotonic() - self.lease / 2
            items = [item for item in self.leased.values() if item.renewed <= due]
            await asyncio.gather(*(self._extend(item) for item in items))

    async def _extend(self, item: Leased) -> None:
        async with item.lock:
            if item.done:
                return
            try:
                renewed = await self.client.update_message(
                    item.message.id, item.receipt, visibility_timeout=max(1, round(self.lease))
                )
            except AzureError as error:
                log.warning("queue %s: lease of %s not renewed: %s", self.queue, item.message.id, error)
                return
            item.receipt, item.renewed = str(renewed.pop_receipt), time.monotonic()


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is None or task.done():
        return
    task.cancel()
    await asyncio.wait([task])
