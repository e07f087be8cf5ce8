"""Clients' sites and their mapping to tenants."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import Field
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, Name, QueryWhy, check_if_match, request_id
from shared import health, site_import, sites
from shared.access import ADMIN, DEVICES_READ, M365_READ
from shared.app import App
from shared.errors import InvalidInput, NotFound, UnsupportedMediaType
from shared.site_import import ImportedSite
from shared.sites import Site, SiteView

area = Area("sites")
READ = (DEVICES_READ, M365_READ)
SiteId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,63}$", description="The id that you give the site.")]
CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


class SiteBody(Acting):
    """A site's names; what else a site shows is accepted and ignored."""

    client_name: Name
    site_name: Name
    id: Any = Field(None, exclude=True, description="Ignored.")
    tenant_id: Any = Field(None, exclude=True, description="Ignored.")
    tenant_name: Any = Field(None, exclude=True, description="Ignored.")
    subscription_ids: Any = Field(None, exclude=True, description="Ignored.")
    azure: Any = Field(None, exclude=True, description="Ignored.")


class Mapping(Acting):
    """The tenant a site stands for, and which of its subscriptions; all when they are left out."""

    tenant_id: str = Field(pattern=ID)
    subscription_ids: Annotated[
        list[Annotated[str, Field(pattern=ID)]] | None, Field(min_length=1, max_length=sites.MAX_SUBSCRIPTIONS)
    ] = None


class SiteImport(TypedDict):
    """What became of each row of a file, in its order."""

    value: list[ImportedSite]


def _why(request: Request, body: Acting) -> dict[str, str | None]:
    return {"reason": body.reason, "ticket_number": body.ticket_number, "request_id": request_id(request)}


async def _shown(app: App, response: Response, site: Site) -> SiteView:
    if site.etag:
        response.headers["ETag"] = site.etag
    return await sites.describe(app, site)


@area.get("/sites", permission=READ)
async def list_sites(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    client_name: Annotated[list[str] | None, Query(alias="clientName", max_length=100)] = None,
    search: Annotated[str | None, Query(max_length=200, description="Part of a name or id.")] = None,
) -> Page[SiteView]:
    """Every site in scope, with what it stands for and whether its Azure resources are read."""
    found = await sites.matching(app, caller, client_names=client_name, search=search)
    view = await sites.describer(app)
    return page.of(
        found,
        columns={"id": lambda s: s.id, "clientName": lambda s: s.client_name, "siteName": lambda s: s.site_name},
        default="clientName",
        key=lambda s: s.id,
        view=view,
    )


@area.post("/sites/import", permission=ADMIN, idempotent=True, extra={**CSV, "x-media-type": "text/csv"})
async def import_sites(app: AppDep, caller: Caller, request: Request, why: QueryWhy) -> SiteImport:
    """Sites out of a CSV file with the header `client,site[,tenant]`; a result and the derived id per row.

    A tenant is named by id, domain or display name. Importing the same file again changes nothing.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise UnsupportedMediaType("Send the body as text/csv.")
    try:
        text = (await request.body()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8. Save it as CSV UTF-8.", target="body") from error
    rows = await site_import.run(app, text, by=caller, **why)
    return {"value": [site_import.view(row) for row in rows]}


@area.get("/sites/{site_id}", permission=READ)
async def read_site(app: AppDep, caller: Caller, response: Response, site_id: SiteId) -> SiteView:
    """One site."""
    if not caller.sees_site(site_id):
        raise NotFound(f"There is no site {site_id}.")
    return await _shown(app, response, await sites.get(app, site_id))


@area.put("/sites/{site_id}", permission=ADMIN, responses={201: {"model": SiteView, "description": "Created"}})
async def write_site(
    app: AppDep, caller: Caller, request: Request, response: Response, site_id: SiteId, body: SiteBody
) -> SiteView:
    """Create or rename a site; its mapping stays."""
    etag = check_if_match(request, await sites.find(app, site_id))
    site, created = await sites.save(
        app, site_id, body.client_name, body.site_name, by=caller, etag=etag, **_why(request, body)
    )
    response.status_code = 201 if created else 200
    return await _shown(app, response, site)


@area.delete("/sites/{site_id}", permission=ADMIN, status_code=204)
async def delete_site(app: AppDep, caller: Caller, request: Request, site_id: SiteId, why: QueryWhy) -> Response:
    """Delete a site that is not mapped; 409 while it is."""
    etag = check_if_match(request, await sites.get(app, site_id))
    await sites.remove(app, site_id, by=caller, etag=etag, **why)
    return Response(status_code=204)


@area.put("/sites/{site_id}/mapping", permission=ADMIN)
async def map_site(
    app: AppDep, caller: Caller, request: Request, response: Response, site_id: SiteId, body: Mapping
) -> SiteView:
    """Let a site stand for a synced tenant; its devices are read at once.

    409 when the tenant is not synced, or another site has a subscription.
    """
    etag = check_if_match(request, await sites.get(app, site_id))
    site = await sites.map_tenant(
        app, site_id, body.tenant_id, body.subscription_ids, by=caller, etag=etag, **_why(request, body)
    )
    await health.poll_all(app, body.tenant_id)
    return await _shown(app, response, site)


@area.delete("/sites/{site_id}/mapping", permission=ADMIN)
async def unmap_site(
    app: AppDep,
    caller: Caller,
    request: Request,
    response: Response,
    site_id: SiteId,
    why: QueryWhy,
) -> SiteView:
    """Let a site stand for no tenant; its devices leave the lists and their alerts close."""
    etag = check_if_match(request, await sites.get(app, site_id))
    site = await sites.unmap(app, site_id, by=caller, etag=etag, **why)
    return await _shown(app, response, site)
