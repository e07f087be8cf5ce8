"""What an administrator does with a connection: create, test, see its permissions, complete, remove."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from shared import permissions, progress
from shared.access import ADMIN, Principal
from shared.app import App
from shared.connections import checks
from shared.connections.record import CONNECTIONS, Connection, every, get, refuse_removal, trail
from shared.connections.renewal import needs_consent
from shared.errors import Conflict, InvalidInput, MicrosoftError, NeedsConsent, NotFound, PreconditionFailed
from shared.jobs import RemoveConnection

log = logging.getLogger("tenantry.connections")
TRIES = 8
"""How often a removal that others overtook is tried."""


async def create(
    app: App, name: str, partner_tenant_id: str, cloud: str | None, *, by: Principal, **why: str | None
) -> Connection:
    """A new draft. `why` goes to the audit log (reason, ticket_number, request_id).

    Raises InvalidInput for a cloud that this installation does not serve.
    """
    served = app.settings.azure_cloud
    if cloud is not None and cloud != served:
        raise InvalidInput(f"This installation serves {served}. Leave cloud out, or send {served}.", target="cloud")
    connection = Connection(
        id=uuid.uuid4().hex,
        name=name,
        partner_tenant_id=partner_tenant_id.lower(),
        cloud=served,
        created_at=app.clock.now(),
    )
    stored = await app.tables.insert(CONNECTIONS, connection)
    await trail(app, by, "connection.create", stored.id, "succeeded", why)
    return stored


async def test(app: App, connection_id: str, *, by: Principal, **why: str | None) -> Connection:
    """Run every check and keep what they found. Raises NotFound; Conflict while the connection is being removed.

    A draft or authorized connection becomes `tested` when nothing failed, and a tested one `authorized` when something
    did. An active one stays active whatever comes out: single tenants show their own trouble.
    """
    connection = await get(app, connection_id)
    refuse_removal(connection)
    subject = checks.Subject(connection.id, connection.partner_tenant_id, connection.authorized_by)
    found = await checks.run(app, subject)
    outcome = checks.outcome(found.checks)
    now = app.clock.now()

    def change(current: Connection) -> Connection:
        tested = {"checks": found.checks, "last_tested_at": now, "test_outcome": outcome}
        if found.granted is not None:
            tested["granted"] = sorted(found.granted)
        if current.status in ("draft", "authorized", "tested", "needsConsent") and current.authorized_at:
            return current.changed(**tested, **_status_after_test(current, outcome, found.sign_in_refused))
        return current.changed(**tested)

    kept = await app.tables.update(CONNECTIONS, "connection", connection_id, change)
    if kept is None:
        raise NotFound(f"There is no connection {connection_id}.")
    if found.sign_in_refused is not None:
        await needs_consent(app, connection_id, found.sign_in_refused)
        kept = await get(app, connection_id)
    await trail(app, by, "connection.test", connection_id, outcome, why)
    return kept


def _status_after_test(current: Connection, outcome: str, refused: NeedsConsent | None) -> dict[str, Any]:
    if current.status == "needsConsent" and (refused is not None or outcome == "failed"):
        return {}
    mended = {"needs_consent_since": None, "needs_consent_reason": None, "announced": True}
    if current.completed_at is not None:
        return {"status": "active", **mended}
    return {"status": "tested" if outcome == "passed" else "authorized", **mended}


async def granted_permissions(app: App, connection_id: str) -> list[permissions.PermissionView]:
    """Every permission asked for, and whether the partner's own tenant has granted it now.

    Falls back on what the last sign-in or test saw when Microsoft cannot be asked. Raises NotFound.
    """
    connection = await get(app, connection_id)
    granted = frozenset(connection.granted)
    if connection.authorized_at is not None:
        try:
            granted = await checks.granted(app, connection.id, connection.partner_tenant_id)
        except NeedsConsent as error:
            await needs_consent(app, connection.id, error)
        except MicrosoftError as error:
            log.warning("permissions of connection %s are those of the last test: %s", connection.id, error)
    return [permissions.view(row, granted) for row in permissions.ALL]


async def complete(app: App, connection_id: str, *, by: Principal, **why: str | None) -> Connection:
    """Make a tested connection active; nothing happens to an active one.

    Raises NotFound; Conflict until the test has passed, and when another active connection has this partner tenant.
    """
    connection = await get(app, connection_id)
    if connection.status == "active":
        return connection
    if connection.status != "tested":
        advice = {
            "draft": "Sign in to it, then test it.",
            "authorized": "Test it, and mend what the test names, first.",
            "needsConsent": "Sign in to it again, then test it.",
            "disabling": "It is being removed.",
        }[connection.status]
        raise Conflict(f"The connection is {connection.status}. {advice}", code="notTested")
    for other in await every(app):
        if other.id != connection.id and other.completed_at and other.partner_tenant_id == connection.partner_tenant_id:
            raise Conflict(f"The connection {other.name} serves this partner tenant already. Remove one of the two.")
    changed = connection.changed(status="active", completed_at=app.clock.now())
    kept = await app.tables.put(CONNECTIONS, changed)
    await trail(app, by, "connection.complete", connection_id, "succeeded", why)
    return kept


async def remove(
    app: App, connection: Connection, *, by: Principal, etag: str | None = None, **why: str | None
) -> progress.Operation:
    """Begin the removal: the operation to follow. Its items, one per tenant, are the receipt.

    A second call gives the operation that runs already. `etag` None: whatever version is there. Raises
    PreconditionFailed when the connection is not that version any more, NotFound when it is gone meanwhile, Conflict
    when others change it all the time.
    """
    if running := await _removal(app, connection):
        return running
    operation = await progress.start(
        app,
        "connection.remove",
        reader=ADMIN,
        created_by=by.id,
        asked_by=by.name,
        resource=connection.id,
        resource_name=connection.name,
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        correlation_id=why.get("request_id") or "",
    )
    try:
        running = await _mark(app, connection, operation, etag)
    except (PreconditionFailed, NotFound, Conflict):
        await progress.discard(app, operation)
        raise
    if running is not None:
        await progress.discard(app, operation)
        return running
    await _enqueue_removal(app, operation)
    await trail(app, by, "connection.remove", connection.id, "accepted", why)
    return operation


async def _removal(app: App, connection: Connection) -> progress.Operation | None:
    """The removal that runs already."""
    if connection.removal_operation_id is None:
        return None
    running = await progress.read(app, connection.removal_operation_id)
    if running.status == "notStarted":
        # A crash after the row was written may have lost the job; it is harmless to have it twice.
        await _enqueue_removal(app, running)
    return None if running.status in progress.TERMINAL else running


async def _mark(
    app: App, connection: Connection, operation: progress.Operation, etag: str | None
) -> progress.Operation | None:
    """Write the operation into the connection's row; gives the one of somebody who was faster instead."""
    for _ in range(TRIES):
        changed = connection.changed(status="disabling", removal_operation_id=operation.id)
        try:
            await app.tables.put(CONNECTIONS, changed)
        except PreconditionFailed:
            connection = await get(app, connection.id)
            # A write whose answer was lost is sent again by the SDK, and then meets itself.
            if connection.removal_operation_id == operation.id:
                return None
            if etag is not None:
                raise
        else:
            return None
        if running := await _removal(app, connection):
            return running
    raise Conflict(f"The connection {connection.name} is being changed by many at once. Try again.")


async def _enqueue_removal(app: App, operation: progress.Operation) -> None:
    job = RemoveConnection(
        connection_id=str(operation.resource), operation_id=operation.id, correlation_id=operation.correlation_id
    )
    await app.queues.send(job)
