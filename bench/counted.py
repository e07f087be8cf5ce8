"""Counts what the application asks of storage, vault and Microsoft: a child of bench/cost.py.

The application runs in this process on the stage's storage, so that each request of its own is seen. Prints JSON: for
an unchanged poll cycle, for every timer on an idle system, and for an alert from the fault to the closed ticket, what
each asked for, how many jobs it took, and how long they ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import TextBase64DecodePolicy
from azure.storage.queue.aio import QueueServiceClient

from shared import alerts, connections, health, jobs, outbox, retention, schedules, settings, sweep, tenants
from shared import app as composition
from shared.alerts import watchdog
from shared.app import App

FAULTS = 10
IN_FLIGHT = 24
STEP_SECONDS = 300.0
"""Between two steps of an alert: half an hour in all, so that any hold is over."""
MICROSOFT = {"arm", "graph", "login", "partnercenter"}
Work = Callable[[App], Awaitable[Any]]
Counts = dict[str, float]

WORK: dict[type[jobs.Job], Callable[[App, Any], Awaitable[Any]]] = {
    jobs.PollSubscription: health.run_poll,
    jobs.ApplyEvents: alerts.run_apply,
    jobs.CloseAlerts: alerts.run_close,
    jobs.Announce: outbox.run_announcement,
    jobs.Deliver: outbox.run_delivery,
    jobs.DeliverSlow: outbox.run_delivery,
    jobs.ReadTickets: outbox.run_read_tickets,
    jobs.RefreshTenants: tenants.run_refresh,
    jobs.Watch: watchdog.run_watch,
}


async def _watch(app: App) -> None:
    await app.queues.send(jobs.Watch())


TIMERS: dict[str, Work] = {
    "refresh_tenants_hourly": tenants.refresh_all,
    "renew_refresh_tokens": connections.renew_all,
    "remove_old_rows": retention.sweep,
    "judge_due": alerts.send_due,
    "run_schedules": schedules.send_due,
    "deliver_due": outbox.deliver_due,
    "read_back_tickets": outbox.read_tickets,
    "resend_lost_work": sweep.resend,
    "watch_itself": _watch,
}
"""What each timer of functions/timers.py does, but for the poll's."""


class Watched:
    """The application, and what it has asked for so far."""

    def __init__(self, app: App, queues: QueueServiceClient, control: httpx.AsyncClient) -> None:
        self.app, self.queues, self.control, self.counts = app, queues, control, Counter[str]()
        storage = dict(part.split("=", 1) for part in app.settings.storage_connection.split(";"))
        names = {
            storage["TableEndpoint"]: "tables",
            storage["QueueEndpoint"]: "queues",
            app.settings.key_vault_url: "vault",
        }
        kinds = {urlsplit(url).netloc: name for url, name in names.items()}
        send = app.transport.azure.send

        async def seen(request: Any, **options: Any) -> Any:
            if kind := kinds.get(urlsplit(request.url).netloc):
                self.counts[kind] += 1
            return await send(request, **options)

        # Every client of a store sends through this one; Microsoft's services are asked what arrived.
        app.transport.azure.send = seen  # type: ignore[method-assign]  # counted on the way, not changed

    async def step(self, work: Work) -> Counts:
        """What one thing and the jobs that come of it ask for. `seconds`: how long one instance ran for it."""
        last = (await self._requests(10**9))["last"]
        before, began = Counter(self.counts), time.perf_counter()
        await work(self.app)
        while await self._drain():
            pass
        seconds = time.perf_counter() - began
        calls = [row for row in (await self._requests(last))["requests"] if row["service"] in MICROSOFT]
        asked = {name: count - before[name] for name, count in self.counts.items()} | {"calls": len(calls)}
        return {**{name: float(count) for name, count in asked.items() if count}, "seconds": round(seconds, 3)}

    async def _requests(self, since: int) -> dict[str, Any]:
        answer = await self.control.get("/requests", params={"since": since})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def _drain(self) -> bool:
        """Do every job that waits, as the host would; False when there is none."""
        found = False
        for job, work in WORK.items():
            client = self.queues.get_queue_client(job.QUEUE, message_decode_policy=TextBase64DecodePolicy())
            messages: list[Any] = []
            with contextlib.suppress(ResourceNotFoundError):
                messages = [message async for message in client.receive_messages(messages_per_page=32)]
            gate = asyncio.Semaphore(IN_FLIGHT)
            await asyncio.gather(*(self._one(gate, work, job, message.content) for message in messages))
            for message in messages:
                await client.delete_message(message)
            self.counts["jobs"] += len(messages)
            found = found or bool(messages)
        return found

    async def _one(self, gate: asyncio.Semaphore, work: Any, job: type[jobs.Job], text: str) -> None:
        async with gate:
            await work(self.app, job.model_validate_json(text))


async def of_an_alert(watched: Watched, idle: dict[str, Counts]) -> Counts:
    """What one alert asks for, above what idle polls and timers do. Raises RuntimeError when a ticket is not closed."""
    control = watched.control
    world = (await control.get("/world", params={"resources": "true"})).json()
    tenants_of_ours = [tenant for tenant in world["tenants"] if tenant["name"].startswith("Customer ")]
    ill = [t["subscriptions"][0]["resources"][0]["id"] for t in tenants_of_ours][:FAULTS]
    total: Counts = {}
    for state in ("Unavailable", "Available"):
        for resource_id in ill:
            body = {"resourceId": resource_id, "availabilityState": state}
            (await control.put("/health", json=body)).raise_for_status()
        for work, name in (
            (health.poll_all, "poll"),
            (alerts.send_due, "judge_due"),
            (outbox.deliver_due, "deliver_due"),
        ) * 2:
            asked = await watched.step(work)
            total = {
                kind: total.get(kind, 0) + asked.get(kind, 0) - idle[name].get(kind, 0) for kind in {*total, *asked}
            }
            watched.app.clock.advance(STEP_SECONDS)
            (await control.post("/clock", json={"advanceSeconds": STEP_SECONDS})).raise_for_status()
    tickets = [ticket["state"] for ticket in (await control.get("/receivers/webhook")).json()["tickets"]]
    if tickets != ["closed"] * len(ill):
        raise RuntimeError(f"{len(ill)} faults made these tickets: {tickets}")
    return {name: round(max(0.0, number / len(ill)), 3) for name, number in total.items()}


async def main() -> None:
    """Count and print."""
    given = settings.load()
    queues = QueueServiceClient.from_connection_string(given.storage_connection)
    async with httpx.AsyncClient(base_url=os.environ["SANDBOX_CONTROL_URL"], timeout=60, trust_env=False) as control:
        watched = Watched(composition.build(given), queues, control)
        # The first fills caches and gets tokens.
        await watched.step(health.poll_all)
        found = {"poll": await watched.step(health.poll_all)}
        for name, work in TIMERS.items():
            await watched.step(work)
            found[name] = await watched.step(work)
        found["alert"] = await of_an_alert(watched, found)
        await watched.app.aclose()
    await queues.close()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
