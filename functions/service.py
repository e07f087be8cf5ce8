"""What the service says of itself: health, version, the portal's configuration, who I am, poisoned work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, NotRequired

from fastapi import Query, Request, Response
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import Acting, AppDep, Area, Caller, request_id
from shared import poison
from shared.access import ADMIN, SIGNED_IN
from shared.errors import Unavailable
from shared.poison import PoisonedWork, PoisonState
from shared.version import VERSION

area = Area("service")
PROBE_SECONDS = 5


class HealthPart(TypedDict):
    """Whether something that is needed answers."""

    name: Literal["tables", "queues", "vault"]
    status: Literal["ok", "failed"]
    detail: NotRequired[str]


class Health(TypedDict):
    """Whether all that is needed answers."""

    status: Literal["ok", "failed"]
    parts: list[HealthPart]


class Version(TypedDict):
    """What runs here."""

    version: str


class PortalConfig(TypedDict):
    """What a browser needs to sign people in."""

    authority: str
    clientId: str
    scope: str
    apiUrl: str


class Me(TypedDict):
    """The caller. `sites` null: every site."""

    id: str
    name: str
    permissions: list[str]
    sites: list[str] | None


@area.get("/service/health", anonymous="says nothing but up or down", responses={503: {"model": Health}})
async def read_health(app: AppDep, response: Response) -> Health:
    """200 when tables, queues and vault answer; 503 with the failing part otherwise."""

    async def probe(name: Literal["tables", "queues", "vault"], asked: Coroutine[Any, Any, object]) -> HealthPart:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await asked
        except (Unavailable, TimeoutError) as error:
            return {"name": name, "status": "failed", "detail": str(error) or "no answer in time"}
        return {"name": name, "status": "ok"}

    parts = list(
        await asyncio.gather(
            probe("tables", app.tables.ping()),
            probe("queues", app.queues.ping()),
            probe("vault", app.vault.get("health-probe")),
        )
    )
    healthy = all(part["status"] == "ok" for part in parts)
    response.status_code = 200 if healthy else 503
    return {"status": "ok" if healthy else "failed", "parts": parts}


@area.get("/service/version", anonymous="public")
async def read_version() -> Version:
    """The running version."""
    return {"version": VERSION}


@area.get("/service/portal-config", anonymous="public: what a browser needs to sign in, no secret")
async def read_portal_config(app: AppDep) -> PortalConfig:
    """Authority, client id and scope for the portal's sign-in."""
    settings = app.settings
    return {
        "authority": f"{settings.sign_in_url}/{settings.api_tenant_id}/v2.0",
        "clientId": settings.portal_client_id,
        "scope": f"api://{settings.api_client_id}/user_impersonation",
        "apiUrl": settings.public_api_url,
    }


@area.get("/me", permission=SIGNED_IN)
async def read_me(caller: Caller) -> Me:
    """The caller's name, permissions and sites (`null`: every site)."""
    sites = None if caller.sites is None else sorted(caller.sites)
    return {"id": caller.id, "name": caller.name, "permissions": sorted(caller.permissions), "sites": sites}


@area.get("/service/poison", permission=ADMIN)
async def list_poisoned_work(
    app: AppDep,
    page: PageDep,
    state: Annotated[list[PoisonState] | None, Query(description="Default: all.")] = None,
) -> Page[PoisonedWork]:
    """Work that failed five times: queue, reason, time. `state` is poisoned, requeued or dismissed."""
    return page.of(
        await poison.listed(app, state or ()),
        columns={"failedAt": lambda p: p.failed_at, "queue": lambda p: p.queue},
        default="failedAt desc",
        key=lambda p: p.id,
        view=poison.view,
    )


@area.post("/service/poison/{poison_id}/requeue", permission=ADMIN, status_code=202, idempotent=True)
async def requeue_poisoned_work(
    app: AppDep, caller: Caller, request: Request, poison_id: str, body: Acting | None = None
) -> PoisonedWork:
    """Put poisoned work back on its queue. 409 when that was done already."""
    return poison.view(await poison.requeue(app, poison_id, by=caller, **_why(request, body)))


@area.post("/service/poison/{poison_id}/dismiss", permission=ADMIN, idempotent=True)
async def dismiss_poisoned_work(
    app: AppDep, caller: Caller, request: Request, poison_id: str, body: Acting | None = None
) -> PoisonedWork:
    """Let poisoned work be that is of no use any more; its alert closes. 409 when it was put back or dismissed."""
    return poison.view(await poison.dismiss(app, poison_id, by=caller, **_why(request, body)))


def _why(request: Request, body: Acting | None) -> dict[str, str | None]:
    """What the audit log is told beside who and what."""
    given = body or Acting()
    return {"reason": given.reason, "ticket_number": given.ticket_number, "request_id": request_id(request)}
