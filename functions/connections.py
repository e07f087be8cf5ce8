"""Connections to partner tenants: create, sign in, test, complete, remove."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import GUID, ID, Acting, AppDep, Area, Caller, Name, QueryWhy, check_if_match, request_id
from shared import connections, health, progress, sites, tenants
from shared.access import ADMIN
from shared.connections import Connection, ConnectionView
from shared.permissions import PermissionView

area = Area("connections")
ConnectionId = Annotated[str, Path(pattern=ID, description="Id of the connection.")]


class NewConnection(Acting):
    """A connection to be made."""

    name: Annotated[Name, Field(max_length=100, description="What people call it.")]
    partner_tenant_id: str = Field(pattern=GUID, description="Entra tenant id of the service provider.")
    cloud: str | None = Field(None, max_length=50, description="AzureCloud, AzureUSGovernment or AzureChinaCloud.")


class SignIn(TypedDict):
    """Where to send a partner administrator's browser."""

    authorizationUrl: str


class CompletedConnection(ConnectionView, TypedDict):
    """A connection that is active now, and how many sites are mapped to its tenants."""

    mappedSites: int


def _why(request: Request, body: Acting | None) -> dict[str, str | None]:
    """What the audit log is told beside who and what."""
    given = body or Acting()
    return {"reason": given.reason, "ticket_number": given.ticket_number, "request_id": request_id(request)}


def _shown(connection: Connection, response: Response) -> ConnectionView:
    if connection.etag:
        response.headers["ETag"] = connection.etag
    return connections.view(connection)


@area.post("/connections", permission=ADMIN, idempotent=True, status_code=201)
async def create_connection(
    app: AppDep, caller: Caller, request: Request, response: Response, body: NewConnection
) -> ConnectionView:
    """A new draft. Sign in next, with authorize."""
    made = await connections.create(
        app, body.name, body.partner_tenant_id, body.cloud, by=caller, **_why(request, body)
    )
    response.headers["Location"] = f"{app.settings.public_api_url}/connections/{made.id}"
    return _shown(made, response)


@area.get("/connections", permission=ADMIN)
async def list_connections(app: AppDep, page: PageDep) -> Page[ConnectionView]:
    """Every connection; never a secret."""
    return page.of(
        await connections.all(app),
        columns={"name": lambda c: c.name, "status": lambda c: c.status, "createdAt": lambda c: c.created_at},
        default="name",
        key=lambda c: c.id,
        view=connections.view,
    )


@area.get(
    "/connections/callback",
    anonymous="the one-time state that authorize gave out",
    extra={"x-any-query": True},
    status_code=302,
    response_class=RedirectResponse,
)
async def finish_sign_in(
    app: AppDep,
    code: Annotated[str, Query(description="Authorization code.")] = "",
    state: Annotated[str, Query(description="The state of the sign-in.")] = "",
    error: Annotated[str, Query(description="Microsoft's word for a sign-in that failed.")] = "",
    error_description: Annotated[str, Query(description="Its explanation.")] = "",
) -> RedirectResponse:
    """Microsoft sends the browser here. Always redirects to the portal, with `error` and `message` when it failed."""
    target = await connections.finish_sign_in(
        app, code=code, state=state, error=error, error_description=error_description
    )
    return RedirectResponse(target, 302, {"Referrer-Policy": "no-referrer"})


@area.get("/connections/{connection_id}", permission=ADMIN)
async def read_connection(app: AppDep, response: Response, connection_id: ConnectionId) -> ConnectionView:
    """One connection; never a secret."""
    return _shown(await connections.get(app, connection_id), response)


@area.delete("/connections/{connection_id}", permission=ADMIN, status_code=202)
async def remove_connection(
    app: AppDep,
    caller: Caller,
    request: Request,
    response: Response,
    connection_id: ConnectionId,
    why: QueryWhy,
) -> progress.OperationView:
    """Remove every enterprise application it made, then its settings and secrets. The items are the receipt."""
    connection = await connections.get(app, connection_id)
    etag = check_if_match(request, connection)
    operation = await connections.remove(app, connection, by=caller, etag=etag, **why)
    response.headers["Operation-Location"] = f"{app.settings.public_api_url}/operations/{operation.id}"
    return progress.view(operation)


@area.post("/connections/{connection_id}/authorize", permission=ADMIN, idempotent=True)
async def authorize_connection(
    app: AppDep, caller: Caller, request: Request, connection_id: ConnectionId, body: Acting | None = None
) -> SignIn:
    """Generate Token: where to send a partner administrator's browser. Good for ten minutes and one sign-in."""
    url = await connections.authorize(app, connection_id, by=caller, **_why(request, body))
    return {"authorizationUrl": url}


@area.post("/connections/{connection_id}/test", permission=ADMIN, idempotent=True)
async def check_connection(
    app: AppDep, caller: Caller, request: Request, connection_id: ConnectionId, body: Acting | None = None
) -> connections.CheckReport:
    """Look at everything the connection needs, with what to do about each thing that is wrong."""
    tested = await connections.test(app, connection_id, by=caller, **_why(request, body))
    return connections.report(tested.checks)


@area.get("/connections/{connection_id}/permissions", permission=ADMIN)
async def list_connection_permissions(app: AppDep, page: PageDep, connection_id: ConnectionId) -> Page[PermissionView]:
    """Each permission asked for: api, permission, type, why, and whether the partner's own tenant granted it."""
    rows = await connections.granted_permissions(app, connection_id)
    return page.of(
        rows,
        columns={"api": lambda p: p["api"], "permission": lambda p: p["permission"], "type": lambda p: p["type"]},
        default="api",
        key=permission_key,
        view=lambda p: p,
    )


def permission_key(row: PermissionView) -> str:
    """What tells two rows of the table of permissions apart."""
    return f"{row['api']}/{row['type']}/{row['permission']}"


@area.post("/connections/{connection_id}/complete", permission=ADMIN, idempotent=True)
async def complete_connection(
    app: AppDep,
    caller: Caller,
    request: Request,
    response: Response,
    connection_id: ConnectionId,
    body: Acting | None = None,
) -> CompletedConnection:
    """Make a tested connection active; its mapped sites are polled at once. 409 until the test has passed."""
    completed = await connections.complete(app, connection_id, by=caller, **_why(request, body))
    await health.poll_all(app)
    own = {tenant.id for tenant in await tenants.every(app, connection_id)}
    mapped = (await sites.load(app)).by_id.values()
    return {**_shown(completed, response), "mappedSites": sum(site.tenant_id in own for site in mapped)}
