"""The poll of one subscription: see, compare by digest, store what changed, note how it went.

An unchanged poll costs two to four calls to Azure, one row read and one row write. Order of writes where something
changed: a claim in the subscription's row, in place of its digest; devices with their changes and events; the index;
the job that applies the events; the subscription's row with the new digest. Whatever is cut off in between is done
again by the next poll, because no digest equals a claim. Two polls never write at once: the other one comes back later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable
from datetime import datetime, timedelta
from typing import Any

from shared import audit, connections, devices, jobs, progress, telemetry, tenants
from shared.access import DEVICES_READ, Principal
from shared.app import App
from shared.devices import index, places
from shared.devices.places import STATES_UNREAD, Place
from shared.errors import Conflict, MicrosoftError, NeedsConsent, NotFound, PreconditionFailed, Throttled
from shared.health import observe, run_states
from shared.health.keep import CLAIM, Observation, store
from shared.microsoft import compute, inventory, resource_graph, resource_health
from shared.microsoft.http_errors import no_answer
from shared.tenants import SUBSCRIPTIONS, Subscription

log = logging.getLogger("tenantry.health")
MAX_WAITS = 8
"""How often a throttled poll is put off before it counts as failed; the timer begins a new one anyway."""
MIN_WAIT_SECONDS = 2.0
TRIES = 5
"""How often the subscription's row is written anew when others changed it."""
CLAIM_SECONDS = 60
"""So long others leave a claim alone; who made it has died by then, or will find that he lost it."""
CLAIMED_PAUSE_SECONDS = 5.0
APPLY_AFTER_SECONDS = 20.0
STATES_SECONDS = 10.0
"""How long the health of a subscription waits for Resource Graph, short waits that it asks for included."""
NOT_REGISTERED = "MissingSubscriptionRegistration"


async def poll_all(app: App, tenant_id: str | None = None) -> int:
    """Enqueue one job per subscription that is polled (of one tenant, if named); gives their number."""
    wanted = [
        place
        for place in await places.every(app)
        if not place.not_polled and tenant_id in (None, place.subscription.tenant_id)
    ]
    await app.queues.send_all([jobs.PollSubscription(subscription_id=p.subscription.id) for p in wanted])
    return len(wanted)


async def start_refresh(
    app: App,
    caller: Principal,
    tenant_ids: list[str] | None,
    *,
    request_id: str = "",
    reason: str | None = None,
    ticket_number: str | None = None,
) -> progress.Operation:
    """Poll now what the caller sees (of these tenants): an operation with one item per subscription.

    Raises NotFound for a tenant that has no site in the caller's scope.
    """
    shown = [p for p in await places.every(app) if p.shown and caller.sees_site(p.site.id if p.site else None)]
    if tenant_ids is not None:
        unknown = sorted(set(tenant_ids) - {place.subscription.tenant_id for place in shown})
        if unknown:
            raise NotFound(f"There is no tenant {', '.join(unknown)} with devices.")
        shown = [place for place in shown if place.subscription.tenant_id in tenant_ids]
    targets = {place.subscription.id: place.subscription.name for place in shown if not place.not_polled}
    operation = await progress.start(
        app,
        "devices.refresh",
        reader=DEVICES_READ,
        items=targets,
        created_by=caller.id,
        asked_by=caller.name,
        site_ids=sorted({place.site.id for place in shown if place.site}),
        tenant_ids=sorted({place.subscription.tenant_id for place in shown}),
        reason=reason,
        ticket_number=ticket_number,
    )
    await audit.record(
        app,
        caller.id,
        "devices.refresh",
        operation.id,
        actor_name=caller.name,
        request_id=request_id,
        reason=reason,
        ticket_number=ticket_number,
    )
    if not targets:
        return await progress.update(app, operation.id, status="succeeded", percent_complete=100)
    await app.queues.send_all(
        [jobs.PollSubscription(subscription_id=target, operation_id=operation.id) for target in targets]
    )
    return operation


async def run_poll(app: App, job: jobs.PollSubscription) -> bool | None:
    """Do one poll. Throttled, it puts itself off; refused, it marks the subscription; it raises only the unforeseen.

    Gives whether anything was other than at the last poll; None when it could not be read or stored.
    """
    began = time.monotonic()
    found = await _poll(app, job)
    outcome = "unread" if found is None else "changed" if found else "unchanged"
    telemetry.took("tenantry.poll.duration", time.monotonic() - began, outcome=outcome)
    return found


async def _poll(app: App, job: jobs.PollSubscription) -> bool | None:
    subscription = await app.tables.get(SUBSCRIPTIONS, "subscription", job.subscription_id)
    place = (await places.recent_directory(app)).place(subscription) if subscription else None
    if place is not None and place.not_polled:
        # Perhaps it was synced or mapped a moment ago.
        place = await places.of(app, job.subscription_id)
    if subscription is None or place is None:
        await _report(app, job, {"code": "notFound", "message": "There is no such subscription."})
        return None
    if place.not_polled:
        await _report(app, job, {"code": "notPolled", "message": place.not_polled})
        return None
    if _is_claimed(subscription, app.clock.now()) and job.attempt < MAX_WAITS:
        await _come_back(app, job, CLAIMED_PAUSE_SECONDS)
        return None
    try:
        observation = await _observe(app, place)
    except Throttled as error:
        await _put_off(app, job, error)
        return None
    except MicrosoftError as error:
        if isinstance(error, NeedsConsent):
            await connections.needs_consent(app, subscription.connection_id, error)
        await _fail(app, job, error)
        return None
    # The job that applies the events of a hinted poll is only a net beneath who applies them right after it.
    apply_after = APPLY_AFTER_SECONDS if job.hinted else 0
    if await _keep(app, subscription, observation, apply_after):
        await _report(app, job, None)
        return observation.digest != subscription.digest
    await _come_back(app, job, CLAIMED_PAUSE_SECONDS)
    return None


async def give_up_poll(app: App, job: jobs.PollSubscription, reason: str) -> None:
    """The platform tried often enough: mark the subscription, keep its data."""
    error = MicrosoftError(reason, remote_code="pollFailed", fix="Look at the poisoned work of the service page.")
    await _fail(app, job, error)


async def _observe(app: App, place: Place) -> Observation:
    """Ask Azure: inventory, health and, of those kinds that were there the last time, run states, all at once."""
    if place.tenant is None:
        raise NotFound("The subscription has no tenant.")
    started = app.clock.now()
    subscription = place.subscription
    credential = await tenants.arm_credential(app, place.tenant, subscription, connection=place.connection)
    asked = (app.settings, app.transport.azure, credential, subscription.id)
    warning: MicrosoftError | None = None
    unread: MicrosoftError | None = None

    async def statuses() -> list[dict[str, Any]]:
        nonlocal warning
        try:
            return await resource_health.statuses(*asked)
        except MicrosoftError as error:
            if error.remote_code != NOT_REGISTERED:
                raise
            warning = error
            return []

    async def machines() -> dict[str, str]:
        return run_states.of_machines(await compute.machines(*asked))

    async def others() -> dict[str, str]:
        # What they tell is worth having, and no reason to miss the health of everything.
        nonlocal unread
        try:
            async with asyncio.timeout(STATES_SECONDS):
                return run_states.of_rows(await resource_graph.rows(*asked, run_states.query()))
        except NeedsConsent:
            raise
        except (MicrosoftError, TimeoutError) as failure:
            error = failure if isinstance(failure, MicrosoftError) else no_answer("Resource Graph")
            unread = _states_unread(error)
            # Busy, it tells them the next time: till then nothing is rewritten. Refused, nobody knows.
            return await _last_states(app, subscription) if isinstance(error, Throttled) else {}

    async def states(kinds: Iterable[str]) -> dict[str, str]:
        readers = {run_states.MACHINES: machines, run_states.OTHERS: others}
        found = await _all_of(*(readers[kind]() for kind in kinds))
        return {resource_id: state for part in found for resource_id, state in part.items()}

    expected = observe.kinds_in(subscription.digest)
    listed, reported, known = await _all_of(inventory.resources(*asked), statuses(), states(expected))
    present = run_states.kinds_of(str(resource.get("type") or "") for resource in listed)
    known |= await states(present - expected)
    seen = observe.join(listed, reported, known)
    return Observation(started, seen, observe.digest_of(seen), warning or unread)


async def _last_states(app: App, subscription: Subscription) -> dict[str, str]:
    """The run states that the last poll stored, of what Resource Graph is asked about."""
    if subscription.digest is None:
        return {}
    found = await index.entries(app, [(subscription.id, subscription.digest)])
    return {
        entry.resource_id.lower(): entry.power_state
        for entry in found.get(subscription.id, ())
        if entry.power_state and run_states.OTHERS in run_states.kinds_of([entry.type])
    }


def _states_unread(error: MicrosoftError) -> MicrosoftError:
    """What is told when run states could not be read though all else could."""
    return MicrosoftError(
        f"Azure Resource Graph does not tell the run states of what is no virtual machine: {error.message}"
        + (f" ({error.remote_code})" if error.remote_code else ""),
        remote_code=STATES_UNREAD,
        fix=error.fix or "Until it does, states are old or unknown. The next poll asks again.",
    )


async def _all_of(*parts: Awaitable[Any]) -> list[Any]:
    """Their results. When several failed, raises the failure that decides: consent first, then waiting, then others."""
    results = await asyncio.gather(*parts, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise min(failures, key=lambda f: (not isinstance(f, NeedsConsent), not isinstance(f, Throttled)))
    return results


async def _keep(app: App, before: Subscription, observation: Observation, apply_after: float = 0) -> bool:
    """Store what was observed; False when another poll came in between, so that one more has to look again."""
    if observation.digest == before.digest:
        return await _note(app, before, observation, before.device_count)
    claimed = await _claim(app, before, observation)
    if claimed is None:
        return False
    ended = False
    try:
        kept = await _keep_claimed(app, claimed, observation, before.digest, apply_after)
        ended = True
    finally:
        if not ended:
            await _release(app, claimed)
    return kept


async def _release(app: App, claimed: Subscription) -> None:
    """Let the next try begin at once; the claim stays as a sign that the devices may be half written."""
    await app.tables.update(
        SUBSCRIPTIONS,
        "subscription",
        claimed.id,
        lambda row: row.changed(last_attempt_at=None) if _untouched(row, claimed) else None,
    )


async def _keep_claimed(
    app: App, claimed: Subscription, observation: Observation, digest: str | None, apply_after: float = 0
) -> bool:
    first = digest is None or claimed.last_refreshed_at is None
    count = await store(app, claimed.id, claimed.tenant_id, observation, digest, first=first, apply_after=apply_after)
    if await _note(app, claimed, observation, count):
        return True
    # Our devices may have overwritten newer ones: no digest may vouch for them.
    await app.tables.update(
        SUBSCRIPTIONS,
        "subscription",
        claimed.id,
        lambda row: None if row.digest is None else row.changed(digest=claimed.digest, last_attempt_at=None),
    )
    return False


def _claim_of(digest: str) -> str:
    """What stands in place of a digest while its observation is written; it tells of machines as the digest does."""
    return f"{digest[: observe.PREFIX_CHARS]}{CLAIM}"


def _is_claimed(row: Subscription, now: datetime) -> bool:
    """Whether another poll is writing the devices at this moment."""
    since = row.last_attempt_at
    claimed = row.digest is not None and row.digest.endswith(CLAIM)
    return claimed and since is not None and now - since < timedelta(seconds=CLAIM_SECONDS)


async def _claim(app: App, before: Subscription, observation: Observation) -> Subscription | None:
    """Claim the subscription for this observation; None when another poll or a removal came first."""
    row = before
    for _ in range(TRIES):
        try:
            return await app.tables.put(
                SUBSCRIPTIONS, row.changed(digest=_claim_of(observation.digest), last_attempt_at=app.clock.now())
            )
        except PreconditionFailed:
            current = await app.tables.get(SUBSCRIPTIONS, "subscription", before.id)
            if current is None or not _untouched(current, before):
                return None
            row = current
    raise Conflict(f"The row of {before.id} is being changed by many at once. It is tried again.")


def _untouched(row: Subscription, before: Subscription) -> bool:
    """Whether nobody polled or emptied the subscription since; a refresh of tenants may have written other fields."""
    return row.last_attempt_at == before.last_attempt_at and row.digest == before.digest


async def _note(app: App, before: Subscription, observation: Observation, count: int) -> bool:
    """Write freshness and digest, unless another poll wrote the row since: then False. Harmless after a removal."""
    warning = observation.warning

    def noted(row: Subscription) -> Subscription:
        return row.changed(
            last_refreshed_at=observation.at,
            last_attempt_at=observation.at,
            failing_since=_failing_since(row, warning, observation.at) if warning else None,
            last_error=_described(warning) if warning else None,
            device_count=count,
            digest=observation.digest,
        )

    if before.failing_since and not warning:
        log.info("subscription %s is read again, after failing since %s", before.id, before.failing_since)
    try:
        await app.tables.put(SUBSCRIPTIONS, noted(before))
    except PreconditionFailed:
        pass
    else:
        return True
    current = await app.tables.update(
        SUBSCRIPTIONS, "subscription", before.id, lambda row: noted(row) if _untouched(row, before) else None
    )
    if current is None or current.digest == observation.digest:
        return True
    if current.digest is None and (place := await places.of(app, before.id)) is not None and not place.shown:
        # The devices were removed while they were being written: what came after the removal goes too.
        await devices.forget_subscription(app, before.id)
        return True
    return False


async def _come_back(app: App, job: jobs.PollSubscription, delay: float) -> None:
    """Do the job again, later."""
    if job.operation_id is not None:
        await progress.set_item(app, job.operation_id, job.subscription_id, "running")
    await app.queues.send(job.model_copy(update={"attempt": job.attempt + 1}), delay=delay)


async def _put_off(app: App, job: jobs.PollSubscription, error: Throttled) -> None:
    """Come back when Azure said so; after MAX_WAITS times it counts as failed."""
    if job.attempt >= MAX_WAITS:
        await _fail(app, job, error)
        return
    delay = max(error.retry_after, MIN_WAIT_SECONDS * (job.attempt + 1))
    now = app.clock.now()
    await app.tables.update(
        SUBSCRIPTIONS, "subscription", job.subscription_id, lambda row: row.changed(last_attempt_at=now)
    )
    await _come_back(app, job, delay)


async def _fail(app: App, job: jobs.PollSubscription, error: MicrosoftError) -> None:
    """Mark the subscription with reason and since when; its devices stay as they are."""
    now = app.clock.now()
    first = False

    def failed(row: Subscription) -> Subscription:
        nonlocal first
        first = row.failing_since is None
        return row.changed(
            last_attempt_at=now, failing_since=_failing_since(row, error, now), last_error=_described(error)
        )

    await app.tables.update(SUBSCRIPTIONS, "subscription", job.subscription_id, failed)
    if first:
        log.warning("subscription %s cannot be read: %s %s", job.subscription_id, error.remote_code, error.message)
    await _report(app, job, _described(error))


def _failing_since(row: Subscription, error: MicrosoftError, now: datetime) -> datetime:
    """Since when it fails like this: to lack run states is another thing than to lack health or everything."""
    before = (row.last_error or {}).get("code")
    same = (before == STATES_UNREAD) == (error.remote_code == STATES_UNREAD)
    return row.failing_since if row.failing_since is not None and same else now


def _described(error: MicrosoftError) -> dict[str, str]:
    return {"code": error.remote_code or error.code, "message": error.message[:1000], "fix": error.fix}


async def _report(app: App, job: jobs.PollSubscription, error: dict[str, str] | None) -> None:
    """Tell the operation that asked for this poll, if any."""
    if job.operation_id is not None:
        status: progress.Status = "failed" if error else "succeeded"
        await progress.set_item(app, job.operation_id, job.subscription_id, status, error)
