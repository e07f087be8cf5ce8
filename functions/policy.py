"""The policy of alerts: when something deserves a ticket, and every version of those rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field, StrictBool

from functions.paging import Page, PageDep
from functions.routing import AppDep, Area, Caller, check_if_match, request_id
from shared import sites
from shared.access import ALERTS_MANAGE, DEVICES_READ
from shared.alerts import policies
from shared.errors import InvalidInput
from shared.incidents.policy import Policy

area = Area("policy")
ReadOnly = Annotated[Any, Field(description="Given by the service; ignored when sent.")]
OF_THE_BODY = {"reason", "ticket_number", "version", "changed_at", "changed_by", "unreadable_version"}


class PolicyBody(Policy):
    """The policy as it is wanted, and why. What is left out is as by default."""

    reason: Annotated[str | None, Field(max_length=500, description="Why; kept with the version.")] = None
    ticket_number: Annotated[str | None, Field(max_length=100)] = None
    version: ReadOnly = None
    changed_at: ReadOnly = None
    changed_by: ReadOnly = None
    unreadable_version: ReadOnly = None

    def wanted(self) -> Policy:
        """The rules alone, those that were sent."""
        return Policy.model_validate(self.model_dump(exclude=OF_THE_BODY, exclude_unset=True))


class PolicyVersion(Policy):
    """A version of the policy: every rule, and of the overrides what can be about the caller's sites.

    `unreadable`: it shows no rules; `unreadableVersion`: a later one that cannot be read, in place of which this holds.
    `before`, in the list of versions: what the rules that it changed were in the version before it.
    """

    version: int
    changed_at: datetime | None = None
    changed_by: str | None = None
    unreadable: StrictBool = False
    unreadable_version: int | None = None
    before: Policy | None = None
    reason: str | None = None
    ticket_number: str | None = None


@area.get("/alerts/policy", permission=DEVICES_READ, response_model_exclude_unset=True)
async def read_policy(app: AppDep, caller: Caller, response: Response) -> PolicyVersion:
    """The rules that hold, defaults included, and the overrides that can be about the caller's sites."""
    now = await policies.held(app)
    response.headers["ETag"] = str(now.stored.etag)
    return PolicyVersion.model_validate(policies.view_held(now, await sites.load(app), caller))


@area.put("/alerts/policy", permission=ALERTS_MANAGE, response_model_exclude_unset=True)
async def write_policy(
    app: AppDep, caller: Caller, request: Request, response: Response, body: PolicyBody
) -> PolicyVersion:
    """Replace the policy; every alert is judged by it at once.

    Who is limited to sites changes overrides whose `siteIds` are all his, and sends the rest as he got it; else 403.
    """
    etag = check_if_match(request, (await policies.held(app)).stored)
    stored = await policies.save(
        app,
        caller,
        body.wanted(),
        etag=etag,
        reason=body.reason,
        ticket_number=body.ticket_number,
        request_id=request_id(request),
    )
    response.headers["ETag"] = str(stored.etag)
    return PolicyVersion.model_validate(policies.view(stored, await sites.load(app), caller))


@area.get("/alerts/policy/versions", permission=DEVICES_READ, response_model_exclude_unset=True)
async def list_policy_versions(app: AppDep, caller: Caller, page: PageDep) -> Page[PolicyVersion]:
    """Every version that was set, by whom and when, newest first (the only order), with what it changed.

    Why is told to a caller who sees all that was changed.
    """
    page.order({"version"}, "version desc")
    if page.orderby not in (None, "version desc"):
        raise InvalidInput("Versions are ordered by `version desc` only.", target="$orderby")
    above: int | None = None
    if page.after is not None:
        number = page.after[0] if len(page.after) == 1 else None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= policies.MAX_NUMBER:
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
        above = number
    found = await policies.versions(app, above=above, limit=page.top + 1)
    site_map, total = await sites.load(app), (await policies.held(app)).stored.number
    after = [found[page.top - 1].number] if len(found) > page.top else None
    shown = [PolicyVersion.model_validate(row) for row in policies.view_versions(found, site_map, caller)[: page.top]]
    return page.reply(shown, after=after, total=total)
