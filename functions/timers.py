"""Every timer trigger. A timer only fans out: it enqueues jobs and returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

from functions import tracing
from shared import alerts, connections, correlation, health, jobs, outbox, retention, schedules, sweep, tenants
from shared import app as composition
from shared.alerts import vitals
from shared.app import App

blueprint = func.Blueprint()
Work = Callable[[App], Awaitable[Any]]


def timer(schedule: str) -> Callable[[Work], Work]:
    """Register a timer trigger: seconds, minutes, hours, day, month, weekday, in UTC."""

    def register(work: Work) -> Work:
        async def run(timer: func.TimerRequest, context: func.Context) -> None:
            app = composition.current()
            correlation.begin()
            with tracing.run(f"timer {work.__name__}", "server", parent=tracing.host_span(context)):
                await work(app)

        run.__name__, run.__doc__ = work.__name__, work.__doc__
        blueprint.timer_trigger(arg_name="timer", schedule=schedule, use_monitor=True)(run)
        return work

    return register


@timer("0 */15 * * * *")
async def poll_resource_health(app: App) -> None:
    """Every 15 minutes: one poll-subscription job per subscription of every synced, mapped tenant."""
    await health.poll_all(app)


@timer("0 5 * * * *")
async def refresh_tenants_hourly(app: App) -> None:
    """Hourly: one refresh-tenants job per connection."""
    await tenants.refresh_all(app)


@timer("0 20 3 * * *")
async def renew_refresh_tokens(app: App) -> None:
    """Daily: each connection's refresh token is used and the rotated one written back to the vault."""
    await connections.renew_all(app)
    await vitals.record_secrets(app)


@timer("0 40 2 * * *")
async def remove_old_rows(app: App) -> None:
    """Daily: rows older than their age in shared/retention.py leave."""
    await retention.sweep(app)


@timer("15 * * * * *")
async def deliver_due(app: App) -> None:
    """Every minute: one deliver job per sink for which something is due that nobody sends."""
    await outbox.deliver_due(app)


@timer("50 7,22,37,52 * * * *")
async def read_back_tickets(app: App) -> None:
    """Every 15 minutes: one read-tickets job per enabled ticket sink."""
    await outbox.read_tickets(app)


@timer("30 * * * * *")
async def judge_due(app: App) -> None:
    """Every minute: incidents whose time has come (a hold, a delay, a snooze, planned work) are looked at again."""
    await alerts.send_due(app)


@timer("5 * * * * *")
async def run_schedules(app: App) -> None:
    """Every minute: one run-schedule job for each time that has come."""
    await schedules.send_due(app)


@timer("45 */5 * * * *")
async def resend_lost_work(app: App) -> None:
    """Every 5 minutes: what was stored and whose message was never sent goes on its queue."""
    await sweep.resend(app)


@timer("30 */5 * * * *")
async def watch_itself(app: App) -> None:
    """Every 5 minutes: one watch job, which opens and closes Tenantry's own alerts."""
    await app.queues.send(jobs.Watch())
