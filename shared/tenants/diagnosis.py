"""What is wrong with one tenant, check by check, each with what to do about it."""

from __future__ import annotations

from shared import connections
from shared.app import App
from shared.connections import SYNC_ROLE_NAMES, Check, lacking_roles
from shared.errors import AccessDenied, MicrosoftError, NeedsConsent
from shared.microsoft.graph import AccessAssignment, Graph, Relationship
from shared.tenants.access import NO_ROLE, choose, look
from shared.tenants.records import Tenant, consent_url, graph_of, partner_graph, subscriptions

LIVE = frozenset({"active", "expiring"})
"""States in which a GDAP relationship gives its roles.

Source: learn.microsoft.com/graph/api/resources/delegatedadminrelationship.
"""
ROLES_TITLE = "Roles that a sync needs"
ADVISOR_FIX = (
    "Become the customer's reseller (Partner Center, Customers, Request a reseller relationship), or have the "
    "customer's administrator open the consent link."
)


def gdap_checks(
    tenant: Tenant,
    relationships: list[Relationship],
    assigned: list[AccessAssignment],
    group_id: str | None,
    group: str,
) -> list[Check]:
    """What the GDAP relationships with a tenant lack. Pure.

    `assigned` are the access assignments of the live relationships, `group_id` the partner's group called `group`.
    """
    live = [row for row in relationships if row.status in LIVE]
    if not live:
        newest = relationships[0] if relationships else None
        detail = f"The newest one, {newest.name}, is {newest.status}." if newest else "There is none at all."
        fix = "Request a GDAP relationship in Partner Center and have the customer's administrator approve it."
        missing = Check(
            id="gdap",
            title="Active GDAP relationship",
            outcome="failed",
            detail=f"{tenant.display_name} grants no admin access. {detail}",
            fix=fix,
        )
        return [missing, _skipped("gdapGroup", "GDAP group"), _skipped("gdapRole", ROLES_TITLE)]
    names = ", ".join(row.name for row in live)
    found = [_passed("gdap", "Active GDAP relationship", f"{names}.")]
    ours = [row for row in assigned if row.group_id == group_id and row.status == "active"]
    if group_id is None or not ours:
        lack = "does not exist in the partner's tenant" if group_id is None else f"is not assigned to {names}"
        found.append(
            Check(
                id="gdapGroup",
                title="GDAP group",
                outcome="failed",
                detail=f"The security group {group} {lack}.",
                fix=f"In Partner Center, add the security group {group} to the relationship {live[0].name} with the "
                f"roles {SYNC_ROLE_NAMES}.",
            )
        )
        return [*found, _skipped("gdapRole", ROLES_TITLE)]
    found.append(_passed("gdapGroup", "GDAP group", f"{group} is assigned."))
    lacking = lacking_roles(role for row in ours for role in row.roles)
    if not lacking:
        return [*found, _passed("gdapRole", ROLES_TITLE, f"{group} has what {SYNC_ROLE_NAMES} may do.")]
    names = " and ".join(lacking)
    missing = Check(
        id="gdapRole",
        title=ROLES_TITLE,
        outcome="failed",
        detail=f"No relationship with {tenant.display_name} gives {group} the role {names}.",
        fix=f"Request a new GDAP relationship that contains {names}, and assign the group to it.",
    )
    return [*found, missing]


def _passed(check_id: str, title: str, detail: str) -> Check:
    return Check(id=check_id, title=title, outcome="passed", detail=detail)


def _skipped(check_id: str, title: str, why: str = "What it needs is missing.") -> Check:
    return Check(id=check_id, title=title, outcome="skipped", detail=why)


def _failed(check_id: str, title: str, error: MicrosoftError, fix: str = "") -> Check:
    return Check(id=check_id, title=title, outcome="failed", detail=error.message, fix=error.fix or fix)


async def _gdap(app: App, tenant: Tenant) -> list[Check]:
    graph = await partner_graph(app, tenant.connection_id)
    relationships = await graph.relationships(tenant.id)
    live = [row for row in relationships if row.status in LIVE]
    assigned = [row for one in live for row in await graph.access_assignments(one.id)]
    group = app.settings.gdap_group_name
    return gdap_checks(tenant, relationships, assigned, await graph.group_id(group), group)


async def explain(app: App, tenant: Tenant, error: MicrosoftError) -> tuple[str, str]:
    """Reason and fix for a refusal: what the relationship lacks, when that is it, else what Microsoft said.

    Raises NeedsConsent, Throttled or MicrosoftError when the partner's own tenant cannot be read.
    """
    if tenant.relationship != "own":
        lacking = next((check for check in await _gdap(app, tenant) if check.outcome == "failed"), None)
        if lacking is not None:
            return lacking.detail, lacking.fix
    return error.message, error.fix


async def diagnose(app: App, tenant: Tenant) -> list[Check]:
    """Look at everything a tenant needs. Raises NeedsConsent or Throttled when Microsoft cannot be asked."""
    checks = [_relationship(tenant)]
    if tenant.relationship == "own":
        checks.append(_skipped("gdap", "Active GDAP relationship", "The provider's own tenant needs none."))
    else:
        checks += await _gdap(app, tenant)
    checks.append(await _reads(app, tenant, app_only=False))
    checks.append(await _reads(app, tenant, app_only=True))
    checks.append(await _application(app, tenant))
    checks.append(await _azure(app, tenant))
    return checks


def _relationship(tenant: Tenant) -> Check:
    title = "Relationship with the partner"
    if tenant.relationship_ended:
        return Check(
            id="relationship",
            title=title,
            outcome="failed",
            detail=f"{tenant.display_name} is no longer a customer of this partner.",
            fix="Renew the relationship in Partner Center, or unsync the tenant.",
        )
    if tenant.relationship == "gdapOnly":
        return Check(
            id="relationship",
            title=title,
            outcome="warning",
            detail=f"{tenant.display_name} is not a reseller customer; Azure needs that, or Lighthouse.",
            fix=ADVISOR_FIX,
        )
    return _passed("relationship", title, {"own": "The provider's own tenant."}.get(tenant.relationship, "Reseller."))


async def _reads(app: App, tenant: Tenant, *, app_only: bool) -> Check:
    check_id, title = ("application", "Reads as the application") if app_only else ("person", "Reads as the partner")
    graph: Graph = graph_of(app, tenant, app_only=app_only)
    try:
        organization = await graph.organization()
    except NeedsConsent:
        raise
    except AccessDenied as error:
        fix = (
            "Sync the tenant." if tenant.relationship != "gdapOnly" else f"Open {consent_url(app.settings, tenant.id)}"
        )
        return _failed(check_id, title, error, fix)
    return _passed(check_id, title, f"Microsoft Graph answers for {organization.name}.")


async def _application(app: App, tenant: Tenant) -> Check:
    title = "Enterprise application"
    for app_only in (False, True):
        try:
            found = await graph_of(app, tenant, app_only=app_only).principal(app.settings.partner_client_id)
        except AccessDenied:
            continue
        if found is not None:
            return _passed("enterpriseApplication", title, f"Object id {found.id}.")
    return Check(
        id="enterpriseApplication",
        title=title,
        outcome="failed",
        detail=f"Tenantry has no enterprise application in {tenant.display_name} that it can see.",
        fix="Sync the tenant.",
    )


async def _azure(app: App, tenant: Tenant) -> Check:
    title = "Azure subscriptions"
    connection = await connections.get(app, tenant.connection_id)
    seen = await look(app, connection, tenant)
    reached = choose(seen)
    if not reached:
        detail = f"No Azure subscription of {tenant.display_name} is visible. {seen.refused or ''}".strip()
        return Check(id="azure", title=title, outcome="warning", detail=detail, fix=NO_ROLE)
    said = ", ".join(f"{way.subscription.name} ({way.access})" for way in reached.values())
    known = await subscriptions(app, tenant.id)
    lost = ", ".join(row.name for row in known if not row.gone and row.id not in reached)
    if lost:
        detail = f"Not visible any more: {lost}. Visible: {said}."
        return Check(id="azure", title=title, outcome="warning", detail=detail, fix=NO_ROLE)
    return _passed("azure", title, f"{said}.")
