"""Site grants of people and daemons, and the audit log."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, Field
from typing_extensions import TypedDict

from functions.paging import Page, PageDep
from functions.routing import GUID, ID, Acting, AppDep, Area, Caller, Name, check_if_match, request_id
from shared import audit, sites
from shared.access import ADMIN, GRANTS, Grant, grant_of, without
from shared.clock import newest_first
from shared.errors import InvalidInput

area = Area("access")
MAX_SITES = 400
"""What one row holds; who needs more is an Integration.Admin."""
MAX_AUDIT_DAYS = 366
PrincipalId = Annotated[
    str, Path(pattern=GUID, description="Object id in the provider's tenant."), AfterValidator(str.lower)
]
ChainOf = Annotated[
    str | None,
    Query(
        alias="tenantId",
        pattern=ID,
        description="A client tenant; `provider`: entries that concern none or several.",
    ),
    AfterValidator(lambda given: given.lower() if given else given),
]


class GrantBody(Acting):
    """The sites a principal may see."""

    site_ids: list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]] = Field(max_length=MAX_SITES)
    name: Annotated[Name | None, Field(description="What administrators call the principal; left out: as before.")] = (
        None
    )


class Access(TypedDict):
    """The sites that a principal may see. `name` is what an administrator called it; `changedAt` is UTC."""

    principalId: str
    name: str
    siteIds: list[str]
    changedAt: datetime | None


def view(grant: Grant) -> Access:
    """A grant as the API shows it."""
    return {"principalId": grant.principal_id, "name": grant.name, "siteIds": grant.site_ids, "changedAt": grant.at}


@area.get("/access", permission=ADMIN)
async def list_access(app: AppDep, page: PageDep) -> Page[Access]:
    """Everybody to whom sites were ever granted. Administrators see every site without a grant."""
    return page.of(
        await app.tables.all(GRANTS, "access"),
        columns={"name": lambda g: g.name, "principalId": lambda g: g.principal_id, "changedAt": lambda g: g.at},
        default="name",
        key=lambda g: g.principal_id,
        view=view,
    )


@area.get("/access/{principal_id}", permission=ADMIN)
async def read_access(app: AppDep, principal_id: PrincipalId, response: Response) -> Access:
    """The sites granted; none when nothing was ever granted."""
    grant = await grant_of(app, principal_id)
    if grant is not None and grant.etag:
        response.headers["ETag"] = grant.etag
    return view(grant or Grant(principal_id=principal_id))


@area.put("/access/{principal_id}", permission=ADMIN)
async def write_access(
    app: AppDep, caller: Caller, request: Request, response: Response, principal_id: PrincipalId, body: GrantBody
) -> Access:
    """Replace the sites granted. 400 names those that do not exist."""
    before = await grant_of(app, principal_id)
    etag = check_if_match(request, before)
    name = body.name or (before.name if before else "")
    wanted = sorted(set(body.site_ids))
    await sites.require_known(app, wanted)
    stored = await app.tables.put(
        GRANTS, Grant(principal_id=principal_id, name=name, site_ids=wanted, at=app.clock.now(), etag=etag)
    )
    if gone := await sites.missing(app, wanted):
        # As if it had been granted just before the site was deleted.
        stored = await app.tables.update(GRANTS, "access", principal_id, lambda g: without(g, gone)) or stored
    await audit.record(
        app,
        caller.id,
        "access.set",
        principal_id,
        actor_name=caller.name,
        reason=body.reason,
        ticket_number=body.ticket_number,
        request_id=request_id(request),
        outcome="succeeded",
        **({"name": stored.name} if stored.name else {}),
        siteIds=stored.site_ids,
    )
    response.headers["ETag"] = str(stored.etag)
    return view(stored)


@area.get("/audit", permission=ADMIN)
async def read_audit(
    app: AppDep,
    page: PageDep,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Default: 30 days before `to`.")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Default: now.")] = None,
    actor: Annotated[str | None, Query(max_length=200)] = None,
    target: Annotated[str | None, Query(max_length=1000)] = None,
    tenant_id: ChainOf = None,
) -> Page[audit.AuditEntry]:
    """Entries from `from` to `to`, newest first (the only order). Reads one day's partition after the other.

    `outcome` of an entry is accepted, succeeded, failed, refused, canceled or unknown.
    """
    page.order({"at"}, "at desc")
    if page.orderby not in (None, "at desc"):
        raise InvalidInput("The audit log is ordered by `at desc` only.", target="$orderby")
    try:
        end = (until or app.clock.now()).astimezone(UTC)
        begin = (since or end - timedelta(days=30)).astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput("`from` and `to` must lie within the years 1 to 9999.", target="from") from error
    if begin > end or (end - begin).days > MAX_AUDIT_DAYS:
        raise InvalidInput(f"`from` must lie before `to`, at most {MAX_AUDIT_DAYS} days.", target="from")
    day, above = end.date(), newest_first(end)
    if page.after is not None:
        try:
            day, above = datetime.fromisoformat(page.after[0]).date(), str(page.after[1])
        except (ValueError, TypeError, IndexError) as error:
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken") from error
    found: list[audit.Entry] = []
    while len(found) <= page.top:
        limit = page.top + 1 - len(found)
        entries = await audit.of_day(app, day, actor=actor, target=target, chain=tenant_id, above=above, limit=limit)
        found += [entry for entry in entries if begin <= entry.at <= end]
        if day <= begin.date():
            break
        day, above = day - timedelta(days=1), ""
    shown = found[: page.top]
    after = [shown[-1].at.date().isoformat(), shown[-1].id] if len(found) > page.top else None
    return page.reply([audit.view(entry) for entry in shown], after=after)


@area.get("/audit/verify", permission=ADMIN)
async def verify_audit(
    app: AppDep,
    day: Annotated[str, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="UTC.")],
    tenant_id: ChainOf = None,
) -> audit.AuditVerification:
    """Whether a day's entries are as they were written: per chain the first problem, and a head to keep elsewhere."""
    try:
        wanted = date.fromisoformat(day)
    except ValueError as error:
        raise InvalidInput(f"There is no day {day}.", target="day") from error
    return await audit.verify(app, wanted, chain=tenant_id)
