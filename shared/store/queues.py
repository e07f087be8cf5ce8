"""Queue Storage: one queue per kind of job, typed messages, base64 as the Functions trigger expects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared import correlation, telemetry
from shared.errors import Unavailable
from shared.jobs import ALL, Job

ENQUEUE_CONCURRENCY = 16
MAX_DELAY = 7 * 24 * 3600
"""Seconds a message can be hidden at most (learn.microsoft.com/rest/api/storageservices/put-message)."""


class Queues:
    """Sends jobs. Queues are made when first written."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    def _client(self, queue: str) -> QueueClient:
        if queue not in self._clients:
            self._clients[queue] = self._service.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        return self._clients[queue]

    async def send(self, job: Job, *, delay: float = 0) -> None:
        """Enqueue a job, hidden for `delay` seconds (rounded up)."""
        caused = {"correlation_id": job.correlation_id or correlation.current(), "traceparent": telemetry.traceparent()}
        job = job.model_copy(update={name: value for name, value in caused.items() if value})
        await self.send_text(job.QUEUE, job.model_dump_json(exclude_none=True), delay=delay)

    async def send_all(self, jobs: Iterable[Job], *, delay: float = 0) -> None:
        """Enqueue many jobs, a bounded number at once."""
        gate = asyncio.Semaphore(ENQUEUE_CONCURRENCY)

        async def one(job: Job) -> None:
            async with gate:
                await self.send(job, delay=delay)

        await asyncio.gather(*(one(job) for job in jobs))

    async def send_text(self, queue: str, text: str, *, delay: float = 0) -> None:
        """Enqueue a message as it is (a poisoned one that is tried again)."""
        hidden = min(MAX_DELAY, -int(-delay // 1)) if delay > 0 else None
        client = self._client(queue)
        try:
            await client.send_message(text, visibility_timeout=hidden)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                await client.create_queue()
            await client.send_message(text, visibility_timeout=hidden)

    async def depths(self) -> dict[str, int]:
        """How many messages each queue holds, hidden ones included, as near as the service knows: a request for each.

        A queue that nothing was ever sent to is left out.
        """

        async def depth(queue: str) -> int | None:
            with suppress(ResourceNotFoundError):
                return (await self._client(queue).get_queue_properties()).approximate_message_count
            return None

        queues = [job.QUEUE for job in ALL]
        found = await asyncio.gather(*(depth(queue) for queue in queues))
        return {queue: count for queue, count in zip(queues, found, strict=True) if count is not None}

    async def ping(self) -> None:
        """Raises Unavailable when Queue Storage does not answer or refuses us. No such queue is an answer too."""
        try:
            await self._client("ping").get_queue_properties()
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise Unavailable(f"Queue Storage does not answer: {error.message}.") from error

    async def close(self) -> None:
        """Close the clients; the shared transport stays open."""
        for client in self._clients.values():
            await client.close()
        await self._service.close()
