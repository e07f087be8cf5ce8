"""Signing in to a connection ("Generate Token"): out to Microsoft's page with a one-time state, and back."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from urllib.parse import urlencode

from shared import audit, permissions
from shared.access import Principal
from shared.app import App
from shared.connections.checks import LET_CONSENT, NO_CONSENT, delegated_keys
from shared.connections.record import CONNECTIONS, Connection, get, refuse_removal, trail
from shared.errors import Conflict, MicrosoftError, PreconditionFailed, TenantryError
from shared.microsoft import sign_in
from shared.microsoft.identity import refresh_secret_name
from shared.store.tables import Kind, Record

SIGN_IN_MINUTES = 10
SIGN_INS_PER_SWEEP = 1000
WANT_OF_CONSENT = (NO_CONSENT, "AADSTS90093", "AADSTS90094")
"""Refusals that only an administrator's consent mends.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""


class SignIn(Record):
    """A sign-in that was begun: lives ten minutes and is used once."""

    state_hash: str
    connection_id: str
    verifier: str
    nonce: str
    at: datetime
    actor: str
    actor_name: str = ""
    used: bool = False


SIGN_INS = Kind("SignIns", SignIn, lambda s: ("signin", s.state_hash))


async def authorize(app: App, connection_id: str, *, by: Principal, **why: str | None) -> str:
    """Begin a sign-in ("Generate Token"): the address to send a partner administrator's browser to.

    It is good for ten minutes and one use. Raises NotFound; Conflict while the connection is being removed.
    """
    connection = await get(app, connection_id)
    refuse_removal(connection)
    state, nonce, verifier = sign_in.new_secret(), sign_in.new_secret(), sign_in.new_secret()
    row = SignIn(
        state_hash=_hash(state),
        connection_id=connection.id,
        verifier=verifier,
        nonce=nonce,
        at=app.clock.now(),
        actor=by.id,
        actor_name=by.name,
    )
    await app.tables.insert(SIGN_INS, row)
    await trail(app, by, "connection.authorize", connection.id, "accepted", why)
    consent = _wants_consent(connection)
    return sign_in.authorization_url(app.settings, state=state, nonce=nonce, verifier=verifier, consent=consent)


def _wants_consent(connection: Connection) -> bool:
    """Whether a sign-in has to ask for consent: the first one, and when something is known not to be granted.

    A sign-in tells what Microsoft Graph granted; of the other APIs, the test after it does.
    """
    missed = connection.test_outcome is not None and any(
        check.id == "consent" and check.outcome == "failed" for check in connection.checks
    )
    wanted = {
        row.key
        for row in permissions.ALL
        if row.type == "delegated" and "partner" in row.places and (row.api == "graph" or missed)
    }
    return connection.consent_refused or not wanted <= set(connection.granted)


async def finish_sign_in(app: App, *, code: str, state: str, error: str, error_description: str) -> str:
    """The browser is back from Microsoft's page: where in the portal to send it, with `error` when it failed.

    Never raises for what the query holds: nobody but a person in a browser would read the answer.
    """
    row = await _use(app, state)
    if row is None:
        return _portal(app, None, "stateUnknown", "This sign-in was used already or never begun. Begin it again.")
    connection_id = row.connection_id
    if app.clock.now() - row.at > timedelta(minutes=SIGN_IN_MINUTES):
        return _portal(app, connection_id, "stateExpired", "The sign-in took more than ten minutes. Begin it again.")
    if error or not code:
        declined = "The sign-in was declined." if error == "access_denied" else "Microsoft refused the sign-in."
        described = error_description.split(" Trace ID:")[0][:300]
        return await _failed(app, row, "signInDeclined", f"{declined} {described}".strip())
    try:
        connection = await get(app, connection_id)
        refuse_removal(connection)
        tokens = await app.identity.redeem(
            sign_in.AUTHORITY, code, row.verifier, sign_in.redirect_uri(app.settings), sign_in.scope(app.settings)
        )
        account = sign_in.read_id_token(app.settings, tokens.id_token, row.nonce)
        if account.tenant_id != connection.partner_tenant_id:
            text = (
                f"{account.username} is of another tenant ({account.tenant_id}). "
                f"Sign in with an account of the partner's own tenant, {connection.partner_tenant_id}."
            )
            return await _failed(app, row, "wrongTenant", text)
        if not tokens.refresh_token:
            text = "Microsoft gave no refresh token. Add the offline_access permission to the registration."
            return await _failed(app, row, "noRefreshToken", text)
        await _keep_sign_in(app, connection, account, tokens.refresh_token, tokens.scope)
    except MicrosoftError as problem:
        return await _failed(app, row, problem.remote_code or problem.code, f"{problem.message} {problem.fix}".strip())
    except TenantryError as problem:
        return await _failed(app, row, problem.code, problem.message)
    await audit.record(
        app,
        row.actor,
        "connection.signIn",
        connection_id,
        actor_name=row.actor_name,
        outcome="succeeded",
        account=account.username,
    )
    return _portal(app, connection_id, None, None)


async def _use(app: App, state: str) -> SignIn | None:
    """The sign-in of a state, taken out of storage; None when there is none or another request took it."""
    row = await app.tables.get(SIGN_INS, "signin", _hash(state))
    if row is None or row.used:
        return None
    try:
        # Deleting succeeds twice, replacing the version that was read succeeds once.
        mine = await app.tables.put(SIGN_INS, row.changed(used=True))
    except PreconditionFailed:
        return None
    await app.tables.delete(SIGN_INS, mine)
    return row


async def _keep_sign_in(
    app: App, connection: Connection, account: sign_in.SignedIn, refresh_token: str, scope: str
) -> None:
    await app.vault.set(refresh_secret_name(connection.id), refresh_token)
    app.identity.forget_connection(connection.id)
    granted = sorted(delegated_keys("graph", scope))
    now = app.clock.now()

    def change(current: Connection) -> Connection | None:
        if current.status == "disabling":
            return None
        return current.changed(
            status="active" if current.completed_at else "authorized",
            authorized_by=account.username,
            authorized_at=now,
            account_id=account.object_id,
            granted=granted,
            consent_refused=False,
            test_outcome=None,
            needs_consent_since=None,
            needs_consent_reason=None,
            announced=True,
        )

    kept = await app.tables.update(CONNECTIONS, "connection", connection.id, change)
    if kept is None or kept.status == "disabling":
        await app.vault.delete(refresh_secret_name(connection.id))
        raise Conflict("The connection was removed meanwhile.", code="connectionRemoved")


async def _failed(app: App, row: SignIn, code: str, message: str) -> str:
    """The way back to the portal after a refusal; one for want of consent makes the next sign-in ask for it."""
    if any(number in f"{code} {message}" for number in WANT_OF_CONSENT):
        message = f"{message} {LET_CONSENT}"
        await app.tables.update(
            CONNECTIONS,
            "connection",
            row.connection_id,
            lambda current: None if current.consent_refused else current.changed(consent_refused=True),
        )
    await audit.record(
        app,
        row.actor,
        "connection.signIn",
        row.connection_id,
        actor_name=row.actor_name,
        outcome="failed",
        code=code,
    )
    return _portal(app, row.connection_id, code, message)


def _portal(app: App, connection_id: str | None, error: str | None, message: str | None) -> str:
    """The portal's page of the connection, with what went wrong in the query."""
    told = {"connection": connection_id, "error": error, "message": message}
    query = urlencode({name: value for name, value in told.items() if value})
    return f"{app.settings.portal_url}/?{query}"


async def forget_old_sign_ins(app: App) -> None:
    """Delete the sign-ins that nobody came back from."""
    oldest = app.clock.now() - timedelta(minutes=SIGN_IN_MINUTES)
    for row in await app.tables.all(SIGN_INS, "signin", limit=SIGN_INS_PER_SWEEP):
        if row.at < oldest:
            await app.tables.delete(SIGN_INS, row.changed(etag=None))


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode(errors="replace")).hexdigest()
