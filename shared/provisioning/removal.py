"""Removes what provisioning made: in one tenant, or in all tenants of a connection and the connection with them."""

from __future__ import annotations

import logging

from shared import connections, progress, sites, tenants
from shared.app import App
from shared.connections import CONNECTIONS, Connection
from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, NotFound, Throttled
from shared.jobs import CloseAlerts, RemoveConnection, UnsyncTenant
from shared.microsoft import arm
from shared.microsoft.identity import refresh_secret_name
from shared.microsoft.partner_center import PartnerCenter
from shared.progress import TERMINAL, Operation
from shared.provisioning import waiting
from shared.provisioning.requests import deactivated
from shared.tenants import SUBSCRIPTIONS, TENANTS, Tenant

log = logging.getLogger("tenantry.provisioning")
CHECK_SECONDS, MAX_CHECKS = 5.0, 400
NOT_SYNCED = "The tenant is not synced."
ROLES_LEFT = "The application's roles there could not be taken back."


async def run_removal(app: App, job: UnsyncTenant) -> None:
    """Remove the enterprise application from one tenant, with its Azure roles; end its operation's item."""
    tenant = await app.tables.get(TENANTS, "tenant", job.tenant_id)
    if tenant is None or not tenant.removing:
        await progress.set_item(app, job.operation_id, job.tenant_id, "succeeded")
        return
    await progress.set_item(app, job.operation_id, job.tenant_id, "running")
    try:
        connection = await connections.get(app, tenant.connection_id)
        await _close_alerts(app, tenant)
        await _withdraw_roles(app, tenant)
        await _delete_application(app, connection, tenant)
    except MicrosoftError as error:
        if isinstance(error, Throttled) and job.attempt < waiting.PATIENCE:
            successor = job.model_copy(update={"attempt": job.attempt + 1})
            await app.queues.send(successor, delay=waiting.delay(error, job.attempt))
            return
        if isinstance(error, NeedsConsent):
            await connections.needs_consent(app, tenant.connection_id, error)
        await _not_removed(app, job, tenant, f"{error.message} {error.fix}".strip())
    except NotFound as error:
        await _not_removed(app, job, tenant, error.message)
    else:
        app.identity.forget_tenant(tenant.id)
        await tenants.change(
            app,
            tenant.id,
            removing=False,
            enterprise_app_id=None,
            created_application=False,
            consent_version=tenant.consent_version + 1,
            steps={},
        )
        await progress.set_item(app, job.operation_id, tenant.id, "succeeded", await _roles_left(app, tenant))


async def give_up_removal(app: App, job: UnsyncTenant, reason: str) -> None:
    """A removal whose job failed for good says what is left to do by hand."""
    tenant = await app.tables.get(TENANTS, "tenant", job.tenant_id)
    if tenant is not None and tenant.removing:
        await _not_removed(app, job, tenant, reason)


async def _not_removed(app: App, job: UnsyncTenant, tenant: Tenant, reason: str) -> None:
    which = tenant.enterprise_app_id or app.settings.partner_client_id
    fix = f"Delete the enterprise application {which} in {tenant.display_name} by hand."
    text = f"The enterprise application could not be removed. {reason}"
    await tenants.change(app, tenant.id, removing=False, status_reason=text, status_fix=fix)
    error = {"code": "notRemoved", "message": f"{text} {fix}"}
    await progress.set_item(app, job.operation_id, tenant.id, "failed", error)


async def _close_alerts(app: App, tenant: Tenant) -> None:
    """Nothing of an unsynced tenant is kept in sight: its alerts close and its devices go."""
    for row in await tenants.subscriptions(app, tenant.id):
        await app.queues.send(CloseAlerts(subscription_id=row.id, reason="tenantUnsynced"))


async def _withdraw_roles(app: App, tenant: Tenant) -> None:
    """Take the application's own Azure roles back before it goes; what is refused is noted, and has no owner then."""
    if tenant.enterprise_app_id is None:
        return
    credential = tenants.client_credential(app, tenant, app_only=False)
    for row in await tenants.subscriptions(app, tenant.id):
        if row.gone or row.access not in ("application", "adminAgents"):
            continue
        reason = NOT_SYNCED
        try:
            await arm.remove_own_roles(app.settings, app.transport.azure, credential, row.id, tenant.enterprise_app_id)
        except (Throttled, NeedsConsent):
            raise
        except MicrosoftError as error:
            log.info("roles on subscription %s were not withdrawn: %s", row.id, error)
            reason = f"{ROLES_LEFT} {error.message}"
        await _out_of_reach(app, row.id, reason)


async def _out_of_reach(app: App, subscription_id: str, reason: str) -> None:
    await app.tables.update(
        SUBSCRIPTIONS,
        "subscription",
        subscription_id,
        lambda current: current.changed(access="none", access_reason=reason),
    )


async def _roles_left(app: App, tenant: Tenant) -> dict[str, str] | None:
    """What the receipt says of roles that Azure did not let us take back; None when there are none."""
    rows = await tenants.subscriptions(app, tenant.id)
    names = [row.name for row in rows if (row.access_reason or "").startswith(ROLES_LEFT)]
    if not names:
        return None
    text = (
        f"The enterprise application is gone, and its roles on {', '.join(names)} are worth nothing; they could not be "
        "taken back. Delete them there by hand."
    )
    return {"code": "rolesLeft", "message": text}


async def _delete_application(app: App, connection: Connection, tenant: Tenant) -> None:
    """Delete the enterprise application, however it came to be there; not one that was there before Tenantry."""
    if tenant.relationship == "reseller" and not tenant.relationship_ended:
        credential = app.identity.credential(connection.id, connection.partner_tenant_id)
        try:
            await PartnerCenter(app.settings, app.transport.http, credential).withdraw(tenant.id)
            return
        except AccessDenied:
            if tenant.enterprise_app_id is None:
                # Refused, and nothing was ever made: a sync that was refused the same way.
                return
    if tenant.enterprise_app_id is None:
        return
    graph = tenants.graph_of(app, tenant)
    if tenant.relationship != "own" or tenant.created_application:
        await graph.delete_principal(tenant.enterprise_app_id)
        return
    # The provider's own tenant: the sign-in made the application. What was added to it goes.
    for row in await graph.role_assignments(tenant.enterprise_app_id):
        await graph.withdraw_role(tenant.enterprise_app_id, row.id)


async def run_connection_removal(app: App, job: RemoveConnection) -> None:
    """Have every tenant's application removed, then delete what the connection stored; the items are the receipt.

    Comes back until all tenants are done. Whatever a tenant refuses is in its item; the connection goes all the same.
    """
    connection = await app.tables.get(CONNECTIONS, "connection", job.connection_id)
    if connection is None:
        await progress.set_item(app, job.operation_id, job.connection_id, "succeeded")
        return
    operation = await progress.read(app, job.operation_id)
    mine = await tenants.every(app, connection.id)
    touched = [tenant.id for tenant in mine if _touched(tenant)]
    items = {item.target: item.status for item in await progress.items(app, operation.id)}
    if connection.id not in items:
        # The connection last: while its item is open, the operation cannot end.
        await progress.add_items(app, operation.id, [connection.id, *touched])
        items = {item.target: item.status for item in await progress.items(app, operation.id)}
    for tenant in mine:
        if items.get(tenant.id) == "notStarted":
            await _begin_removal(app, operation, tenant)
    waiting_for = [target for target, status in items.items() if status not in TERMINAL and target != connection.id]
    if waiting_for and job.attempt < MAX_CHECKS:
        delay = min(CHECK_SECONDS, 1.0 + job.attempt)
        await app.queues.send(job.model_copy(update={"attempt": job.attempt + 1}), delay=delay)
        return
    for target in waiting_for:
        error = {"code": "notRemoved", "message": "The tenant did not answer in time. Remove the application by hand."}
        await progress.set_item(app, operation.id, target, "failed", error)
    await _forget(app, connection, mine)
    await progress.set_item(app, operation.id, connection.id, "succeeded")


async def give_up_connection_removal(app: App, job: RemoveConnection, reason: str) -> None:
    """Report a removal that failed for good."""
    error = {"code": "internalError", "message": reason}
    await progress.set_item(app, job.operation_id, job.connection_id, "failed", error)


def _touched(tenant: Tenant) -> bool:
    """Whether there may be something of ours in the tenant."""
    return tenant.status != "deactivated" or tenant.removing or tenant.enterprise_app_id is not None


async def _begin_removal(app: App, operation: Operation, tenant: Tenant) -> None:
    await app.tables.update(TENANTS, "tenant", tenant.id, lambda current: deactivated(app, current, operation))
    await app.queues.send(
        UnsyncTenant(tenant_id=tenant.id, operation_id=operation.id, correlation_id=operation.correlation_id)
    )
    await progress.set_item(app, operation.id, tenant.id, "running")


async def _forget(app: App, connection: Connection, mine: list[Tenant]) -> None:
    """Delete mappings, subscriptions, tenants, the secret and the connection, the connection last."""
    await sites.unmap_tenants(app, frozenset(tenant.id for tenant in mine))
    for tenant in mine:
        for row in await tenants.subscriptions(app, tenant.id):
            await app.tables.delete(SUBSCRIPTIONS, row.changed(etag=None))
        await app.tables.delete(TENANTS, tenant.changed(etag=None))
    await app.vault.delete(refresh_secret_name(connection.id))
    app.identity.forget_connection(connection.id)
    await app.tables.delete(CONNECTIONS, connection.changed(etag=None))
