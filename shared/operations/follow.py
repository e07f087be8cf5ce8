"""Carrying an action out: one queue job per step, each one request to Azure, so that a killed worker loses nothing.

queued -> sending (stored before the request leaves) -> following (Azure's status URL) -> verifying (the resource's own
state) -> an end. A job that must wait stores where it stands and puts its successor in line.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from shared import audit, capabilities, connections, progress, tenants
from shared.app import App
from shared.devices import listing, places
from shared.errors import MicrosoftError, NeedsConsent, NotFound, PreconditionFailed, Throttled
from shared.jobs import Announce, ApplyEvents, FollowOperation, PollSubscription
from shared.microsoft.arm_actions import Progress, Unanswered
from shared.microsoft.identity import TenantCredential
from shared.operations import azure, parts, pauses, planned, rights
from shared.operations.records import GUARDS, Failure, Plan, plan_of
from shared.progress import OPERATIONS, TERMINAL, Operation, Status

SENDING = timedelta(seconds=60)
"""How long one request may take; twice what the client waits for its answer."""
SEND_BACK_OFF = (2, 5, 15, 30)
"""Seconds before an action whose answer was lost is sent again; after the last it is not."""
PATIENCE = timedelta(minutes=30)
"""How long Azure may keep us from sending."""
DEADLINE = timedelta(hours=2)
"""How long an accepted action may take. Compute's own limit is well below."""
KEPT_WAITING = "Azure asked for so long to be left alone about this subscription that the action was given up."
AHEAD_SECONDS = 2
"""Before a message comes again that its row is not ready for."""
CHECK_SECONDS, CHECKS = 5, 12
"""How often, and how long apart, the state is read until it is what the action leads to, once Azure said it is done."""
SLOW_CHECK_SECONDS, SLOW_CHECKS = 30, 240
"""And after these where Azure only took it, and nothing but the state tells: two hours."""
NOT_THERE = 404
CONFLICT = 409


async def run(app: App, job: FollowOperation) -> None:
    """Queue job: the next step of an action."""
    operation = await progress.find(app, job.operation_id)
    if operation is None:
        return
    plan = plan_of(operation)
    step = plan.step if job.step is None else job.step
    if step < plan.step:
        # Another message has done it, and what follows is in line.
        return
    if operation.status in TERMINAL:
        await _afterwards(app, operation, plan)
    elif step > plan.step:
        # Its row is about to be written; or whoever was to do that died, and the step before comes again.
        await app.queues.send(job, delay=AHEAD_SECONDS)
    elif wait := await _held_up(app, plan):
        if plan.phase != "sending" and _out_of_patience(app, operation, plan):
            await _stuck(app, operation, plan, MicrosoftError(KEPT_WAITING, remote_code="throttled"))
        else:
            await _later(app, operation, plan, wait)
    else:
        await _step(app, operation, plan)


async def _held_up(app: App, plan: Plan) -> float:
    """Seconds until it may go on: another worker is sending it, or Azure asked to be left alone; 0 when it may now."""
    now = app.clock.now()
    if plan.phase == "sending" and plan.sending_until is not None and plan.sending_until > now:
        return (plan.sending_until - now).total_seconds() + 1
    return await pauses.left(app, plan.subscription_id)


async def _step(app: App, operation: Operation, plan: Plan) -> None:
    try:
        credential = await _credential(app, plan)
        if plan.phase == "sending" and not _capability(plan).repeatable:
            # Whoever sent it died before the answer was stored: sending again could do it twice.
            await _lost(app, operation, plan)
        elif plan.phase in ("queued", "sending"):
            await _send(app, operation, plan, credential)
        elif plan.phase == "following":
            await _follow(app, operation, plan, credential)
        else:
            await _verify(app, operation, plan, credential)
    except NeedsConsent as error:
        await connections.needs_consent(app, await _connection_of(app, plan), error)
        await _stuck(app, operation, plan, error)
    except Throttled as error:
        await _wait(app, operation, plan, error)
    except MicrosoftError as error:
        await _refused(app, operation, plan, error)
    except NotFound as error:
        await _stuck(app, operation, plan, MicrosoftError(error.message, remote_code="notFound"))


async def _send(app: App, operation: Operation, plan: Plan, credential: TenantCredential) -> None:
    row = _capability(plan)
    # A token first: a sign-in that fails is no lost answer. Then what the request is made of, which changes nothing.
    await credential.get_token(f"{app.settings.resources['arm']}/.default")
    request = await azure.prepare(app, credential, row, plan)
    plan = plan.changed(
        phase="sending",
        attempts=plan.attempts + 1,
        request_id=str(uuid.uuid4()),
        sending_until=app.clock.now() + SENDING,
    )
    # Known before Azure is asked: the machine may be seen away sooner than the answer comes.
    if not plan.child:
        work = planned.work(operation.id, plan.verb, plan.asked_by, app.clock.now(), plan.work_kind)
        await planned.begin(app, plan.device_id, plan.subscription_id, plan.resource_type, work)
    claimed = await _store(app, operation, plan)
    if claimed is None:
        return
    try:
        begun = await azure.begin(app, credential, row, plan, request)
    except Unanswered:
        if row.repeatable and plan.attempts <= len(SEND_BACK_OFF):
            await _store_and_wait(app, claimed, plan.changed(phase="queued"), SEND_BACK_OFF[plan.attempts - 1])
        else:
            await _lost(app, claimed, plan)
        return
    except Throttled as error:
        await _wait(app, claimed, plan.changed(phase="queued"), error)
        return
    except NeedsConsent:
        raise
    except MicrosoftError as error:
        if error.status == CONFLICT and plan.attempts > 1:
            # An earlier sending was taken after all, and this one met it at work.
            await _lost(app, claimed, plan)
            return
        await _end(app, claimed, plan.changed(azure_request_id=error.request_id), "failed", _failure(error, row, plan))
        return
    await _advance(app, claimed, plan.changed(azure_request_id=begun.request_id), begun)


async def _follow(app: App, operation: Operation, plan: Plan, credential: TenantCredential) -> None:
    if app.clock.now() - operation.created_at > DEADLINE:
        await _lost(app, operation, plan)
        return
    step = await azure.follow(app, credential, _capability(plan), plan)
    await _advance(app, operation, plan, step)


async def _advance(app: App, operation: Operation, plan: Plan, step: Progress) -> None:
    if step.error is not None:
        await _end(app, operation, plan, "canceled" if step.canceled else "failed", Failure(**step.error))
        return
    plan = plan.changed(
        phase="verifying" if step.finished else "following",
        token=step.token,
        percent=step.percent,
        untold=step.untold,
        checks=0,
    )
    await _store_and_wait(app, operation, plan, 0 if step.finished else step.delay)


async def _verify(app: App, operation: Operation, plan: Plan, credential: TenantCredential) -> None:
    """Believe the resource, not the receipt."""
    row = _capability(plan)
    followed = row.ends == "followed" and not plan.untold
    state = (await azure.present(app, credential, row, plan.resource_id)).state
    proved = _tells(row, plan) and state == row.ends_in
    reached = (proved and row.repeatable) if plan.lost else (proved or not _tells(row, plan))
    if reached:
        await _end(app, operation, plan, "succeeded", None, state)
        return
    if not proved and plan.checks < CHECKS + (0 if followed or plan.lost else SLOW_CHECKS):
        wait = CHECK_SECONDS if plan.checks < CHECKS else SLOW_CHECK_SECONDS
        await _store_and_wait(app, operation, plan.changed(checks=plan.checks + 1), wait)
        return
    if followed and not plan.lost and (state == "unknown" or (state == "mixed" and plan.verb == "restart")):
        # The resource says nothing that could be held against Azure's own verdict: what was off stays off at a restart.
        await _end(app, operation, plan, "succeeded", None, state)
        return
    late = app.clock.now() - operation.created_at > DEADLINE
    if plan.lost:
        code, why = ("timedOut", "It took too long.") if late else ("outcomeUnknown", "Azure's answer was lost.")
        said = f"{why} The resource is {state} now; whether the action was done cannot be known."
        await _end(app, operation, plan, "outcomeUnknown", Failure(code=code, message=said), state)
        return
    said = f"Azure {'reported success' if followed else 'took it'}, but the resource is {state} and not {row.ends_in}."
    await _end(
        app, operation, plan, "failed", Failure(code="timedOut" if late else "stateNotReached", message=said), state
    )


def _tells(row: capabilities.Capability, plan: Plan) -> bool:
    """Whether the run state says anything of what was done: not of some instances, nor of a job that comes and goes."""
    return bool(row.ends_in) and not plan.instances


def _proof(row: capabilities.Capability, plan: Plan, state: str) -> progress.Proof:
    """What shows that it was done. acceptance: Azure took it, and nothing can be asked for its end."""
    if _tells(row, plan) and state == row.ends_in and row.ends_in not in row.allowed_from:
        return "state"
    return "operation" if row.ends == "followed" and not plan.untold and not plan.lost else "acceptance"


async def _lost(app: App, operation: Operation, plan: Plan) -> None:
    """Azure's verdict cannot be had: what remains is to look at the machine."""
    await _store_and_wait(app, operation, plan.changed(phase="verifying", lost=True, checks=0), 0)


async def _wait(app: App, operation: Operation, plan: Plan, error: Throttled) -> None:
    await pauses.obey(app, plan.subscription_id, error)
    if _out_of_patience(app, operation, plan):
        await _stuck(app, operation, plan, error)
        return
    await _store_and_wait(app, operation, plan, error.retry_after)


def _out_of_patience(app: App, operation: Operation, plan: Plan) -> bool:
    return app.clock.now() - operation.created_at > (PATIENCE if plan.phase == "queued" else DEADLINE)


async def _refused(app: App, operation: Operation, plan: Plan, error: MicrosoftError) -> None:
    if plan.phase == "following":
        # The status could not be read, which says nothing of the action.
        await _lost(app, operation, plan)
        return
    await _stuck(app, operation, plan, error)


async def _stuck(app: App, operation: Operation, plan: Plan, error: MicrosoftError) -> None:
    """No way on: it failed when it was never taken, else nobody knows (a machine that is gone is a failure)."""
    unknown = plan.phase != "queued" and error.status != NOT_THERE
    failure = _failure(error, _capability(plan), plan)
    await _end(app, operation, plan, "outcomeUnknown" if unknown else "failed", failure)


async def _end(
    app: App, operation: Operation, plan: Plan, status: Status, failure: Failure | None, power_state: str | None = None
) -> None:
    result: progress.OperationResult = {"deviceId": plan.device_id}
    if plan.child:
        result["child"] = plan.child
    if plan.request_id:
        result["clientRequestId"] = plan.request_id
    if plan.azure_request_id:
        result["azureRequestId"] = plan.azure_request_id
    if power_state is not None:
        result["powerState"] = power_state
        if status == "succeeded":
            result["provenBy"] = _proof(_capability(plan), plan, power_state)
    await audit.record(
        app,
        operation.created_by,
        operation.kind,
        plan.device_id,
        tenant_id=plan.tenant_id,
        actor_name=plan.asked_by,
        outcome=progress.OUTCOMES.get(status, status),
        reason=operation.reason,
        ticket_number=operation.ticket_number,
        request_id=operation.correlation_id,
        client_request_id=plan.request_id,
        azure_request_id=plan.azure_request_id,
        once=f"{operation.id}|end",
        name=operation.resource_name,
        operationId=operation.id,
        status=status,
        **({"errorCode": failure.code} if failure else {}),
    )
    ended = await progress.update(
        app,
        operation.id,
        status=status,
        result=result,
        error=failure.shown() if failure else None,
        state=plan.changed(sending_until=None).into(),
    )
    await _afterwards(app, ended, plan)


async def _afterwards(app: App, operation: Operation, plan: Plan) -> None:
    """What follows an end; doing it twice tells nobody twice."""
    guard = await app.tables.get(GUARDS, "device", plan.device_id)
    if guard is not None and operation.id in (guard.operation_id, guard.holder):
        await app.tables.delete(GUARDS, guard.changed(etag=None))
    if operation.status == "succeeded":
        await azure.put_back(app, plan)
    begun = await planned.end(
        app, plan.device_id, plan.subscription_id, operation.id, operation.last_updated_at, done=_done(operation, plan)
    )
    if begun:
        # From now on it is known by when the machine must be back.
        await app.queues.send(
            ApplyEvents(
                subscription_id=plan.subscription_id,
                due=[plan.device_id],
                correlation_id=operation.correlation_id,
            )
        )
    await app.queues.send(
        Announce(
            event="tenantry.operation.completed",
            event_id=f"{operation.id}|completed",
            subject=plan.device_id,
            site_ids=operation.site_ids,
            data=progress.view(operation, app.clock.now()) | await _about(app, plan),
            correlation_id=operation.correlation_id,
        )
    )
    if plan.parent:
        await parts.report(app, operation, plan)
        return
    # The list shows the machine's new state from the poll, not from here.
    await app.queues.send(
        PollSubscription(subscription_id=plan.subscription_id, correlation_id=operation.correlation_id)
    )


async def _about(app: App, plan: Plan) -> dict[str, Any]:
    """What readers of the event are told beside the operation: whose device it is, and who asked."""
    place = await places.of(app, plan.subscription_id)
    site = place.site if place is not None else None
    return {
        "deviceName": plan.resource_id.rpartition("/")[2],
        "clientName": site.client_name if site is not None else "",
        "askedBy": plan.asked_by,
        "links": {"azure": listing.portal_url(app, place, plan.resource_id)} if place is not None else {},
    }


def _done(operation: Operation, plan: Plan) -> bool:
    """Whether the machine is known to be where the action leads to."""
    row = capabilities.find(plan.resource_type, plan.verb)
    reached = row is not None and (operation.result or {}).get("powerState") == row.ends_in
    return operation.status == "succeeded" or (operation.status == "outcomeUnknown" and reached)


async def give_up(app: App, job: FollowOperation, reason: str) -> None:
    """The operation's message was poisoned."""
    operation = await progress.find(app, job.operation_id)
    if operation is None or operation.status in TERMINAL:
        return
    plan = plan_of(operation)
    if job.step is None or job.step == plan.step:
        await _stuck(app, operation, plan, MicrosoftError(reason, remote_code="gaveUp"))


async def _store(app: App, operation: Operation, plan: Plan) -> Operation | None:
    """Write where it stands; None when another worker was faster."""
    changed = operation.changed(
        status="running",
        last_updated_at=app.clock.now(),
        percent_complete=plan.percent,
        state=plan.into(),
    )
    try:
        return await app.tables.put(OPERATIONS, changed)
    except PreconditionFailed:
        return None


async def _store_and_wait(app: App, operation: Operation, plan: Plan, seconds: float) -> None:
    """End this step, with the next one in line first.

    Who dies between the two does this step again, and of the two messages that then name the next one the second does
    nothing. So a message too many is lost at its next step, and none is ever missing.
    """
    plan = plan.changed(step=plan.step + 1)
    await _later(app, operation, plan, seconds)
    await _store(app, operation, plan)


async def _later(app: App, operation: Operation, plan: Plan, seconds: float) -> None:
    job = FollowOperation(operation_id=operation.id, correlation_id=operation.correlation_id, step=plan.step)
    await app.queues.send(job, delay=seconds)


async def _credential(app: App, plan: Plan) -> TenantCredential:
    tenant = await tenants.get(app, plan.tenant_id)
    subscription = await app.tables.get(tenants.SUBSCRIPTIONS, "subscription", plan.subscription_id)
    if subscription is None:
        raise NotFound("The subscription is no longer known here.")
    return await tenants.arm_credential(app, tenant, subscription)


async def _connection_of(app: App, plan: Plan) -> str:
    return (await tenants.get(app, plan.tenant_id)).connection_id


def _capability(plan: Plan) -> capabilities.Capability:
    row = capabilities.find(plan.resource_type, plan.verb)
    if row is None:
        raise ValueError(f"{plan.verb} of {plan.resource_type} is no longer known")
    return row


def _failure(error: MicrosoftError, row: capabilities.Capability, plan: Plan) -> Failure:
    fix = error.fix
    if error.status == rights.FORBIDDEN:
        action, scope = rights.refused(error) or (row.rbac_action, plan.resource_id)
        fix = f"Give the application a role with {action} on {scope}, or on what it lies in."
    return Failure(code=error.remote_code or error.code, message=error.message, fix=fix)
