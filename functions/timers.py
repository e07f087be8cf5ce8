"""Every timer trigger. A timer only fans out: it enqueues jobs and returns."""

from __future__ import annotations

import azure.functions as func

from shared import alerts, connections, correlation, health, jobs, outbox, retention, schedules, sweep, tenants
from shared import app as composition

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 */15 * * * *", use_monitor=True)
async def poll_resource_health(timer: func.TimerRequest) -> None:
    """Every 15 minutes: one poll-subscription job per subscription of every synced, mapped tenant."""
    correlation.begin()
    await health.poll_all(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="0 5 * * * *", use_monitor=True)
async def refresh_tenants_hourly(timer: func.TimerRequest) -> None:
    """Hourly: one refresh-tenants job per connection."""
    correlation.begin()
    await tenants.refresh_all(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="0 20 3 * * *", use_monitor=True)
async def renew_refresh_tokens(timer: func.TimerRequest) -> None:
    """Daily: each connection's refresh token is used and the rotated one written back to the vault."""
    correlation.begin()
    await connections.renew_all(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="0 40 2 * * *", use_monitor=True)
async def remove_old_rows(timer: func.TimerRequest) -> None:
    """Daily: rows older than their age in shared/retention.py leave."""
    correlation.begin()
    await retention.sweep(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="15 * * * * *", use_monitor=True)
async def deliver_due(timer: func.TimerRequest) -> None:
    """Every minute: one deliver job per sink for which something is due that nobody sends."""
    correlation.begin()
    await outbox.deliver_due(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="50 7,22,37,52 * * * *", use_monitor=True)
async def read_back_tickets(timer: func.TimerRequest) -> None:
    """Every 15 minutes: one read-tickets job per enabled ticket sink."""
    correlation.begin()
    await outbox.read_tickets(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *", use_monitor=True)
async def judge_due(timer: func.TimerRequest) -> None:
    """Every minute: incidents whose time has come (a hold, a delay, a snooze, planned work) are looked at again."""
    correlation.begin()
    await alerts.send_due(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="5 * * * * *", use_monitor=True)
async def run_schedules(timer: func.TimerRequest) -> None:
    """Every minute: one run-schedule job for each time that has come."""
    correlation.begin()
    await schedules.send_due(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="45 */5 * * * *", use_monitor=True)
async def resend_lost_work(timer: func.TimerRequest) -> None:
    """Every 5 minutes: what was stored and whose message was never sent goes on its queue."""
    correlation.begin()
    await sweep.resend(composition.current())


@blueprint.timer_trigger(arg_name="timer", schedule="30 */5 * * * *", use_monitor=True)
async def watch_itself(timer: func.TimerRequest) -> None:
    """Every 5 minutes: one watch job, which opens and closes Tenantry's own alerts."""
    correlation.begin()
    await composition.current().queues.send(jobs.Watch())
