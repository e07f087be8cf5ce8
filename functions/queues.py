"""Every queue trigger: one per kind of job, and one per poison queue.

A handler returns when the job is done or has stored its own successor; it raises only for what nobody expected. Then
the platform tries again, and after the fifth failure moves the message to `<queue>-poison`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import azure.functions as func

from functions import tracing
from shared import (
    alerts,
    correlation,
    devices,
    health,
    hints,
    jobs,
    operations,
    outbox,
    poison,
    provisioning,
    schedules,
    telemetry,
    tenants,
)
from shared import app as composition
from shared.alerts import catching_up, watchdog
from shared.app import App
from shared.jobs import Job

blueprint = func.Blueprint()
J = TypeVar("J", bound=Job)
GivenUp = Callable[[App, J, str], Awaitable[None]]
REASON = "It failed five times in a row; the log of the function has the error."


def handle(job: type[J], work: Callable[[App, J], Awaitable[None]], given_up: GivenUp[J]) -> None:
    """Register the trigger of a job's queue, and that of its poison queue.

    `work` does the job; `given_up` marks the row that the job was about as failed, with a readable reason.
    """
    name = job.QUEUE.replace("-", "_")

    async def run(message: func.QueueMessage, context: func.Context) -> None:
        app = composition.current()
        try:
            parsed = job.model_validate_json(message.get_body())
        except ValueError as error:
            raise tracing.Failed(f"A message of {job.QUEUE} is not as its class says: {type(error).__name__}") from None
        correlation.begin(parsed.correlation_id)
        # The trace is that of who sent the job; the host's own, which begins here, is linked.
        caused, told = parsed.traceparent or "", tracing.host_span(context)
        with tracing.run(f"job {job.QUEUE}", "consumer", _about(parsed, message), parent=caused or told, link=told):
            await work(app, parsed)

    async def keep(message: func.QueueMessage) -> None:
        app = composition.current()
        text = message.get_body().decode(errors="replace")
        try:
            parsed = job.model_validate_json(text)
        except ValueError:
            await poison.record(app, job.QUEUE, text, str(message.id), jobs.why_unread(job, text))
            return
        await poison.record(app, job.QUEUE, text, str(message.id), REASON)
        await given_up(app, parsed, REASON)

    functions: tuple[tuple[Callable[..., Awaitable[None]], str], ...] = ((run, ""), (keep, "_poison"))
    for function, suffix in functions:
        function.__name__ = name + suffix
        function.__doc__ = job.__doc__
        blueprint.queue_trigger(
            arg_name="message", queue_name=job.QUEUE + suffix.replace("_", "-"), connection="AzureWebJobsStorage"
        )(blueprint.function_name(name + suffix)(function))


def _about(job: Job, message: func.QueueMessage) -> telemetry.Attributes:
    """What a job is about: ids only."""
    names = ("connection_id", "tenant_id", "subscription_id", "operation_id", "sink_id", "schedule_id")
    found: dict[str, telemetry.Value] = {f"tenantry.{name}": getattr(job, name, None) or None for name in names}
    return found | {"messaging.destination.name": job.QUEUE, "tenantry.try": message.dequeue_count}


async def _poll(app: App, job: jobs.PollSubscription) -> None:
    if job.hinted:
        await hints.run(app, job, alerts.run_apply)
    else:
        await health.run_poll(app, job)


async def _give_up_poll(app: App, job: jobs.PollSubscription, reason: str) -> None:
    await (hints.give_up if job.hinted else health.give_up_poll)(app, job, reason)


handle(jobs.RefreshTenants, tenants.run_refresh, tenants.give_up_refresh)
handle(jobs.ProvisionTenant, provisioning.run, provisioning.give_up)
handle(jobs.UnsyncTenant, provisioning.run_removal, provisioning.give_up_removal)
handle(jobs.RemoveConnection, provisioning.run_connection_removal, provisioning.give_up_connection_removal)
handle(jobs.PollSubscription, _poll, _give_up_poll)
handle(jobs.ApplyEvents, alerts.run_apply, alerts.give_up_apply)
handle(jobs.CloseAlerts, alerts.run_close, alerts.give_up_close)
handle(jobs.Announce, outbox.run_announcement, outbox.give_up_announcement)
handle(jobs.Deliver, outbox.run_delivery, outbox.give_up_delivery)
handle(jobs.DeliverSlow, outbox.run_delivery, outbox.give_up_delivery)
handle(jobs.CatchUp, catching_up.run, catching_up.give_up)
handle(jobs.ReadTickets, outbox.run_read_tickets, outbox.give_up_read_tickets)
handle(jobs.Watch, watchdog.run_watch, watchdog.give_up_watch)
handle(jobs.FollowOperation, operations.run, operations.give_up)
handle(jobs.RunBulk, operations.run_bulk, operations.give_up_bulk)
handle(jobs.AdvanceLane, operations.run_lane, operations.give_up_lane)
handle(jobs.RunSchedule, schedules.run, schedules.give_up)
handle(jobs.ExportDevices, devices.run_export, devices.give_up_export)
