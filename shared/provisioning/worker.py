"""Provisions one tenant: runs its undone steps, waits out what passes, ends in `synced` or `failed` with a reason."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from shared import connections, progress, sites, tenants
from shared.app import App
from shared.errors import MicrosoftError, NeedsConsent, NotFound
from shared.jobs import Announce, ProvisionTenant, UnsyncTenant
from shared.provisioning import waiting
from shared.provisioning.steps import STEPS, ConsentMissing, Outcome, Work
from shared.tenants import TENANTS, Tenant

log = logging.getLogger("tenantry.provisioning")
TRY_AGAIN = "Sync the tenant again."


async def run(app: App, job: ProvisionTenant) -> None:
    """Go on with a tenant from its first undone step; end its operation's item when it is done."""
    tenant = await app.tables.get(TENANTS, "tenant", job.tenant_id)
    if tenant is not None and tenant.status == "pending":
        await progress.set_item(app, job.operation_id, job.tenant_id, "running")
        tenant = await _advance(app, job, tenant)
        if tenant is None:
            return
    await _settle(app, job, tenant)


async def give_up(app: App, job: ProvisionTenant, reason: str) -> None:
    """A tenant whose job failed for good ends `failed`."""
    tenant = await _end(app, job.tenant_id, "failed", reason, TRY_AGAIN)
    await _settle(app, job, tenant)


async def _advance(app: App, job: ProvisionTenant, tenant: Tenant) -> Tenant | None:
    """Run the undone steps. Gives the tenant in its new state; None when a successor goes on later."""
    progressed = False
    try:
        connection = await connections.get(app, tenant.connection_id)
        for name, step in STEPS.items():
            if name in tenant.steps:
                continue
            kept = await _record(app, tenant, name, await step(Work(app, connection, tenant)))
            if kept is None or kept.status != "pending":
                return kept
            tenant, progressed = kept, True
    except MicrosoftError as error:
        attempt = 0 if progressed else job.attempt
        if attempt < waiting.patience(error) and not _hopeless(tenant, error):
            # A token of a moment ago may carry the rights of a moment ago.
            app.identity.forget_tenant(tenant.id)
            successor = job.model_copy(update={"attempt": attempt + 1})
            await app.queues.send(successor, delay=waiting.delay(error, attempt))
            return None
        return await _fail(app, tenant, error)
    except NotFound as error:
        return await _end(app, tenant.id, "failed", error.message, "")
    return await _end(app, tenant.id, "synced", None, None)


def _hopeless(tenant: Tenant, error: MicrosoftError) -> bool:
    """Whether a refusal that often passes will not: nothing of ours is on its way there yet."""
    return isinstance(error, ConsentMissing) or (
        not tenant.steps and error.status in (401, 403) and not isinstance(error, NeedsConsent)
    )


async def _record(app: App, tenant: Tenant, name: str, outcome: Outcome) -> Tenant | None:
    """Store a step as done with what it found. The tenant as it is then: unsynced meanwhile, it is not pending."""
    values = dict(outcome)
    named: dict[str, str] = values.pop("steps", {})
    done = {name: named.get("", "done"), **{key: value for key, value in named.items() if key}}

    def change(current: Tenant) -> Tenant | None:
        if current.status != "pending":
            return None
        return current.changed(**values, steps=current.steps | done, status_since=app.clock.now())

    kept = await app.tables.update(TENANTS, "tenant", tenant.id, change)
    if kept is not None and kept.status == "deactivated" and not kept.removing:
        # Unsynced, and removed already, while the step ran: what the step made has to go too.
        await tenants.change(app, tenant.id, removing=True, status_since=app.clock.now())
        await app.queues.send(UnsyncTenant(tenant_id=tenant.id))
    return kept


async def _fail(app: App, tenant: Tenant, error: MicrosoftError) -> Tenant | None:
    """End with the reason a technician can act on."""
    reason, fix = error.message, error.fix
    if isinstance(error, NeedsConsent):
        await connections.needs_consent(app, tenant.connection_id, error)
    elif error.status in (401, 403) or error.remote_code.startswith("AADSTS"):
        try:
            reason, fix = await tenants.explain(app, tenant, error)
        except MicrosoftError as unreadable:
            log.info("tenant %s: the reason of a refusal could not be looked up: %s", tenant.id, unreadable)
    link = None
    if tenant.relationship == "gdapOnly":
        link = tenants.consent_url(app.settings, tenant.id)
        if isinstance(error, ConsentMissing):
            reason, fix = error.message, error.fix
    return await _end(app, tenant.id, "failed", reason, fix or TRY_AGAIN, consent_url=link)


async def _end(
    app: App, tenant_id: str, status: str, reason: str | None, fix: str | None, consent_url: str | None = None
) -> Tenant | None:
    now = app.clock.now()
    values: dict[str, Any] = {
        "status": status,
        "status_reason": reason,
        "status_fix": fix,
        "consent_url": consent_url,
        "status_since": now,
    }
    if status == "synced":
        values["last_synced_at"] = now

    def change(current: Tenant) -> Tenant | None:
        return current.changed(**values) if current.status == "pending" else None

    return await app.tables.update(TENANTS, "tenant", tenant_id, change)


async def _settle(app: App, job: ProvisionTenant, tenant: Tenant | None) -> None:
    """Announce the outcome and end the item. Repeated after a crash: the announcement has the same id then."""
    if tenant is None or tenant.status == "deactivated":
        unsynced = {"code": "unsynced", "message": "The tenant was unsynced meanwhile."}
        await progress.set_item(app, job.operation_id, job.tenant_id, "canceled", unsynced)
        return
    if tenant.status == "pending":
        return
    if tenant.operation_id == job.operation_id:
        await _announce(app, tenant)
    error: dict[str, str] | None = None
    if tenant.status == "failed":
        error = {"code": "syncFailed", "message": f"{tenant.status_reason} {tenant.status_fix or ''}".strip()}
    await progress.set_item(app, job.operation_id, tenant.id, "failed" if error else "succeeded", error)


async def _announce(app: App, tenant: Tenant) -> None:
    event = f"tenantry.tenant.{tenant.status}"
    digest = hashlib.sha256(f"{tenant.id}|{tenant.operation_id}|{event}".encode()).hexdigest()
    count = sum(not row.gone for row in await tenants.subscriptions(app, tenant.id))
    mapped = (await sites.load(app)).of_tenant(tenant.id)
    told = Announce(
        event=event,
        event_id=digest[:32],
        subject=tenant.id,
        site_ids=[site.id for site in mapped],
        data=dict(tenants.view(app.settings, tenant, count)),
    )
    await app.queues.send_all(told.parts())
