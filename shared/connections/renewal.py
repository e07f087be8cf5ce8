"""Keeping sign-ins alive, and saying so once when one is dead."""

from __future__ import annotations

import logging

from shared.app import App
from shared.connections.record import CONNECTIONS, Connection, every, view
from shared.connections.signing_in import forget_old_sign_ins
from shared.errors import SIGN_IN_AGAIN, MicrosoftError, NeedsConsent, PreconditionFailed, TenantryError
from shared.jobs import Announce
from shared.microsoft.identity import refresh_secret_name

log = logging.getLogger("tenantry.connections")


async def needs_consent(app: App, connection_id: str, error: NeedsConsent) -> None:
    """A job was told that the sign-in is gone: mark the connection and tell the sinks, once however many jobs say so.

    A refusal of the sign-in service is first repeated at home: one client's tenant that refuses must not stop all
    others, and this process may hold a token of the sign-in before. The mark is stored before the announcement is
    queued; whoever comes next after a crash in between queues it.
    """
    current = await app.tables.get(CONNECTIONS, "connection", connection_id)
    if current is None or (current.status == "needsConsent" and current.announced):
        return
    app.identity.forget_connection(connection_id)
    said_by_sign_in = not error.remote_code or error.remote_code.startswith("AADSTS")
    if current.status != "needsConsent" and said_by_sign_in:
        confirmed = await _refused_at_home(app, current)
        if confirmed is None:
            return
        error = confirmed
    await _mark_and_announce(app, connection_id, error)


async def _refused_at_home(app: App, connection: Connection) -> NeedsConsent | None:
    """The refusal of the connection's sign-in in the partner's own tenant; None when it works or cannot be asked."""
    try:
        await _use_refresh_token(app, connection)
    except NeedsConsent as error:
        return error
    except MicrosoftError as error:
        log.warning("connection %s: its sign-in could not be verified: %s", connection.id, error)
    return None


async def _mark_and_announce(app: App, connection_id: str, error: NeedsConsent) -> None:
    now = app.clock.now()

    def change(current: Connection) -> Connection | None:
        if current.status not in ("authorized", "tested", "active"):
            return None
        return current.changed(
            status="needsConsent",
            needs_consent_since=now,
            needs_consent_reason=f"{error.message} {error.fix}".strip(),
            announced=False,
        )

    marked = await app.tables.update(CONNECTIONS, "connection", connection_id, change)
    if marked is None or marked.status != "needsConsent" or marked.announced or marked.needs_consent_since is None:
        return
    await app.queues.send(
        Announce(
            event="tenantry.connection.needsConsent",
            event_id=f"{connection_id}-{int(marked.needs_consent_since.timestamp() * 1000)}",
            subject=connection_id,
            # The list of permissions would only fill the message.
            data={name: value for name, value in view(marked).items() if name != "permissions"},
        )
    )
    await app.tables.update(
        CONNECTIONS,
        "connection",
        connection_id,
        lambda current: (
            current.changed(announced=True) if current.needs_consent_since == marked.needs_consent_since else None
        ),
    )


async def renew_all(app: App) -> None:
    """Use every refresh token once, so that none ends by ninety idle days, and store the ones that were rotated.

    Sign-ins that nobody came back from leave storage on the way. One connection's trouble does not touch the others.
    """
    await forget_old_sign_ins(app)
    for connection in await every(app):
        if connection.status == "needsConsent" and not connection.announced:
            await needs_consent(app, connection.id, NeedsConsent(connection.needs_consent_reason or ""))
        elif connection.status in ("authorized", "tested", "active"):
            await _renew(app, connection)


async def _renew(app: App, connection: Connection) -> None:
    try:
        used, rotated = await _use_refresh_token(app, connection)
        # Key Vault writes whatever comes; the row's version is what tells that somebody signed in meanwhile.
        await app.tables.put(CONNECTIONS, connection.changed(renewed_at=app.clock.now()))
        if rotated and rotated != used:
            await app.vault.set(refresh_secret_name(connection.id), rotated)
    except NeedsConsent as error:
        await _mark_and_announce(app, connection.id, error)
    except PreconditionFailed:
        log.info("connection %s changed while it was renewed; it is left to tomorrow", connection.id)
    except TenantryError as error:
        log.warning("connection %s could not be renewed: %s", connection.id, error)


async def _use_refresh_token(app: App, connection: Connection) -> tuple[str, str | None]:
    """Exchange the stored refresh token at home: it, and the one that came back. Raises MicrosoftError."""
    stored = await app.vault.get(refresh_secret_name(connection.id))
    if stored is None:
        raise NeedsConsent("The vault has no sign-in for the connection.", fix=SIGN_IN_AGAIN)
    scope = f"{app.settings.resources['graph']}/.default"
    tokens = await app.identity.exchange(stored, connection.partner_tenant_id, scope)
    return stored, tokens.refresh_token
