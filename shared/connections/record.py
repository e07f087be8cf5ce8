"""The record of a connection, and reading it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from shared import audit, permissions
from shared.access import Principal
from shared.app import App
from shared.connections.checks import Check
from shared.errors import Conflict, NotFound
from shared.permissions import PermissionView
from shared.store.tables import Kind, Record

Status = Literal["draft", "authorized", "tested", "active", "needsConsent", "disabling"]


class Connection(Record):
    """One partner tenant and the sign-in that serves it. Times are UTC. Its refresh token is in the vault only."""

    id: str
    name: str
    partner_tenant_id: str
    cloud: str
    status: Status = "draft"
    created_at: datetime
    authorized_by: str | None = None
    """User principal name of who signed in."""
    authorized_at: datetime | None = None
    account_id: str | None = None
    """Object id of who signed in, in the partner's tenant."""
    granted: list[str] = Field(default_factory=list)
    """Keys (permissions.py) of the delegated permissions that the last sign-in gave."""
    consent_refused: bool = False
    """Whether the last sign-in was refused because nobody had consented for the whole organization."""
    last_tested_at: datetime | None = None
    test_outcome: Literal["passed", "failed"] | None = None
    """Of the last test since the last sign-in."""
    checks: list[Check] = Field(default_factory=list)
    """What the last test found."""
    completed_at: datetime | None = None
    """First time it was made active."""
    needs_consent_since: datetime | None = None
    needs_consent_reason: str | None = None
    announced: bool = True
    """False from the moment the sign-in failed until the sinks' announcement is on its queue."""
    renewed_at: datetime | None = None
    """Last time its refresh token was used by the daily renewal."""
    removal_operation_id: str | None = None


CONNECTIONS = Kind("Connections", Connection, lambda c: ("connection", c.id))


async def get(app: App, connection_id: str) -> Connection:
    """One connection. Raises NotFound."""
    found = await app.tables.get(CONNECTIONS, "connection", connection_id)
    if found is None:
        raise NotFound(f"There is no connection {connection_id}.")
    return found


async def every(app: App) -> list[Connection]:
    """Every connection, those being removed included."""
    return await app.tables.all(CONNECTIONS, "connection")


class _SignIn(TypedDict, total=False):
    authorizedBy: str
    authorizedAt: datetime
    lastTestedAt: datetime
    needsConsentSince: datetime
    needsConsentReason: str
    operationId: str


class ConnectionView(_SignIn, TypedDict):
    """A connection; never a secret. `operationId`: its removal."""

    id: str
    name: str
    partnerTenantId: str
    cloud: str
    status: Status
    createdAt: datetime
    permissions: list[PermissionView]


def view(connection: Connection) -> ConnectionView:
    """As the API shows it: never a secret."""
    granted = frozenset(connection.granted)
    return {
        "id": connection.id,
        "name": connection.name,
        "partnerTenantId": connection.partner_tenant_id,
        "cloud": connection.cloud,
        "status": connection.status,
        "createdAt": connection.created_at,
        **_sign_in(connection),
        "permissions": [permissions.view(row, granted) for row in permissions.ALL],
    }


def _sign_in(connection: Connection) -> _SignIn:
    shown: _SignIn = {}
    if connection.authorized_by is not None:
        shown["authorizedBy"] = connection.authorized_by
    if connection.authorized_at is not None:
        shown["authorizedAt"] = connection.authorized_at
    if connection.last_tested_at is not None:
        shown["lastTestedAt"] = connection.last_tested_at
    if connection.needs_consent_since is not None:
        shown["needsConsentSince"] = connection.needs_consent_since
    if connection.needs_consent_reason is not None:
        shown["needsConsentReason"] = connection.needs_consent_reason
    if connection.removal_operation_id is not None:
        shown["operationId"] = connection.removal_operation_id
    return shown


def refuse_removal(connection: Connection) -> None:
    """Raises Conflict while the connection is being removed."""
    if connection.status == "disabling":
        raise Conflict(f"The connection {connection.name} is being removed.", code="connectionRemoved")


async def trail(
    app: App,
    by: Principal,
    action: str,
    target: str,
    outcome: str,
    why: dict[str, str | None],
    *,
    tenant_id: str | None = None,
) -> None:
    """Append what somebody did to the audit log; `why` holds reason, ticket_number and request_id.

    `tenant_id` is the client tenant that the target belongs to, if it is one's.
    """
    await audit.record(
        app,
        by.id,
        action,
        target,
        tenant_id=tenant_id,
        actor_name=by.name,
        outcome=outcome,
        reason=why.get("reason"),
        ticket_number=why.get("ticket_number"),
        request_id=why.get("request_id") or "",
    )
