"""What must be true of a partner tenant for a connection to work, each with what to do when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from shared import permissions
from shared.app import App
from shared.errors import AccessDenied, MicrosoftError, NeedsConsent
from shared.microsoft.arm import list_subscriptions
from shared.microsoft.graph import Graph, Organization, Relationship
from shared.microsoft.partner_center import PartnerCenter
from shared.permissions import ApiName

Outcome = Literal["passed", "warning", "failed", "skipped"]
Verdict = Literal["passed", "failed"]

NO_CONSENT = "AADSTS65001"
ADMIN_AGENTS = "AdminAgents"
"""Name of the group that Partner Center makes in every partner's tenant."""
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
SYNC_ROLES = {
    "Application Administrator": frozenset(
        {
            "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
            "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
            GLOBAL_ADMINISTRATOR,
        }
    ),
    "Privileged Role Administrator": frozenset({"e8611ab8-c189-46e8-94e1-60213ab1f814", GLOBAL_ADMINISTRATOR}),
}
"""Role that a sync needs in a customer's tenant -> template ids of the roles that can stand for it.

The first makes and deletes the enterprise application; it may give any permission but an application permission of
Microsoft Graph, which takes the second. The second alone cannot make a service principal.
Sources: learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference,
learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent (prerequisites).
"""
SYNC_ROLE_NAMES = " and ".join(SYNC_ROLES)
LET_CONSENT = (
    "Let a Privileged Role Administrator or Global Administrator of the partner's tenant sign in with Generate Token, "
    "and accept for the whole organization."
)
"""Who may consent to the registration: an application permission of Microsoft Graph is among what it lists."""
LIVE = frozenset({"active", "expiring"})
"""States of a GDAP relationship in which its roles count."""
CUSTOMERS_LOOKED_AT = 50
CUSTOMERS_AT_ONCE = 8


class Check(BaseModel):
    """One thing that was looked at. `fix` says what to do; it is empty when nothing is to be done."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    id: str
    title: str
    outcome: Outcome
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Subject:
    """The connection that is looked at; `account` None: nobody has signed in."""

    connection_id: str
    partner_tenant_id: str
    account: str | None


@dataclass(frozen=True)
class Findings:
    """All checks; `granted` None when the grants could not be read; the error when the sign-in is no longer taken."""

    checks: list[Check]
    granted: frozenset[str] | None = None
    sign_in_refused: NeedsConsent | None = None


@dataclass(frozen=True)
class Found:
    """What a check came to, before it has a name."""

    outcome: Outcome
    detail: str
    fix: str = ""


TITLES = {
    "signIn": "Somebody signed in, and Microsoft still takes the sign-in",
    "tenant": "The sign-in is of the partner's tenant",
    "consent": "Every delegated permission is granted",
    "partner": "The tenant is a Cloud Solution Provider partner",
    "mfa": "The account signed in with multifactor authentication",
    "partnerCenter": "Partner Center lists the customers",
    "contracts": "Microsoft Graph lists the partner contracts",
    "gdapGroup": "The GDAP group exists and the account is in it",
    "adminAgents": "The account is in AdminAgents",
    "gdapRelationship": "GDAP relationships admit the group with the roles that a sync needs",
    "subscriptions": "Azure shows the partner's own subscriptions",
}
"""Every check, in the order shown."""


class CheckReport(TypedDict):
    """What was looked at, and whether anything is wrong."""

    outcome: Verdict
    checks: list[Check]


def report(found: list[Check]) -> CheckReport:
    """As the API shows it."""
    return {"outcome": outcome(found), "checks": found}


def outcome(found: Iterable[Check]) -> Verdict:
    """Passed unless a check failed; a warning is no failure."""
    return "failed" if any(check.outcome == "failed" for check in found) else "passed"


def lacking_roles(held: Iterable[str]) -> list[str]:
    """Names of the roles that a sync needs and that none of these role template ids stands for."""
    roles = frozenset(held)
    return [name for name, standing in SYNC_ROLES.items() if not standing & roles]


def delegated_keys(api: ApiName, scope: str) -> frozenset[str]:
    """Keys (permissions.py) of the permissions that a token answer's `scope` names, bare or as full URIs."""
    return frozenset(f"{api}/delegated/{name.rpartition('/')[2]}" for name in scope.split())


async def run(app: App, subject: Subject) -> Findings:
    """Look at everything, with fresh tokens. A check whose ground another one found missing is skipped."""
    if subject.account is None:
        signed_in = Found("failed", "Nobody has signed in yet.", "Sign in with Generate Token.")
        return Findings(_named({"signIn": signed_in}))
    app.identity.forget_connection(subject.connection_id)
    try:
        await _token(app, subject.connection_id, subject.partner_tenant_id, "graph")
    except MicrosoftError as error:
        if error.remote_code == NO_CONSENT:
            error.fix = LET_CONSENT
            return Findings(_named({"signIn": _failed(error)}), granted=frozenset())
        refused = error if isinstance(error, NeedsConsent) else None
        return Findings(_named({"signIn": _failed(error)}), sign_in_refused=refused)
    looked = Partner(app, subject)
    found = await looked.look()
    found["signIn"] = Found("passed", f"{subject.account} signed in.")
    return Findings(_named(found), granted=looked.granted)


async def granted(app: App, connection_id: str, partner_tenant_id: str) -> frozenset[str]:
    """Keys (permissions.py) of what the partner's own tenant has granted. Raises MicrosoftError."""
    keys: set[str] = set()
    for api in permissions.apis("partner"):
        try:
            keys |= delegated_keys(api, await _token(app, connection_id, partner_tenant_id, api))
        except AccessDenied:
            # No consent for this API: nothing of it is granted, which is the answer.
            continue
    graph = Graph(app.settings, app.transport.http, app.identity.credential(connection_id, partner_tenant_id))
    own = await graph.principal(app.settings.partner_client_id)
    offered = await graph.principal(permissions.GRAPH_APP_ID)
    if own is not None and offered is not None:
        names = {role_id: name for name, role_id in offered.roles.items()}
        for held in await graph.role_assignments(own.id):
            if held.resource_id == offered.id and held.role_id in names:
                keys.add(f"graph/application/{names[held.role_id]}")
    return frozenset(keys)


async def _token(app: App, connection_id: str, tenant_id: str, api: ApiName) -> str:
    """Permission names, space separated, of a delegated token for an API in a tenant. Raises MicrosoftError."""
    resource = app.settings.resources["partner_center" if api == "partnerCenter" else api]
    return (await app.identity.token(connection_id, tenant_id, f"{resource}/.default")).scope


def _named(found: dict[str, Found]) -> list[Check]:
    missing = Found("skipped", "It was not looked at, because a check before it failed.")
    rows = []
    for check_id, title in TITLES.items():
        row = found.get(check_id, missing)
        rows.append(Check(id=check_id, title=title, outcome=row.outcome, detail=row.detail, fix=row.fix))
    return rows


def _failed(error: MicrosoftError, fix: str = "") -> Found:
    """A check that Microsoft's own refusal answers."""
    code = f" ({error.remote_code})" if error.remote_code else ""
    return Found(
        "failed", f"{error.message}{code}", error.fix or fix or "Try again; if it stays, see Microsoft's text."
    )


class Partner:
    """The checks of one signed-in partner tenant."""

    def __init__(self, app: App, subject: Subject) -> None:
        self.app, self.subject = app, subject
        self.credential = app.identity.credential(subject.connection_id, subject.partner_tenant_id)
        self.graph = Graph(app.settings, app.transport.http, self.credential)
        self.partner_center = PartnerCenter(app.settings, app.transport.http, self.credential)
        self.granted: frozenset[str] | None = None

    async def look(self) -> dict[str, Found]:
        """Every check but the sign-in itself, by id."""
        organization, consent = await asyncio.gather(self._organization(), self._consent())
        found = {"consent": consent}
        if isinstance(organization, Found):
            return {**found, "tenant": organization}
        found["tenant"] = self._right_tenant(organization)
        found["partner"] = self._is_partner(organization)
        group_id, found["gdapGroup"] = await self._group(self.app.settings.gdap_group_name, self._gdap_group_fix())
        parts: dict[str, Callable[[], Awaitable[Found]]] = {
            "contracts": self._contracts,
            "adminAgents": self._admin_agents,
            "subscriptions": self._subscriptions,
        }
        if organization.partner_type is not None:
            found["mfa"], found["partnerCenter"] = await self._partner_center()
            if group_id is not None:
                parts["gdapRelationship"] = lambda: self._relationship(group_id)
        results = await asyncio.gather(*(self._attempt(part) for part in parts.values()))
        return found | dict(zip(parts, results, strict=True))

    async def _attempt(self, part: Callable[[], Awaitable[Found]]) -> Found:
        try:
            return await part()
        except MicrosoftError as error:
            return _failed(error)

    async def _organization(self) -> Organization | Found:
        try:
            return await self.graph.organization()
        except MicrosoftError as error:
            return _failed(error, LET_CONSENT)

    def _right_tenant(self, organization: Organization) -> Found:
        if organization.id.lower() == self.subject.partner_tenant_id:
            return Found("passed", f"{organization.name} ({organization.default_domain}).")
        return Found(
            "failed",
            f"The sign-in is of {organization.name} ({organization.id}).",
            f"Sign in with an account of {self.subject.partner_tenant_id}.",
        )

    def _is_partner(self, organization: Organization) -> Found:
        if organization.partner_type is not None:
            return Found("passed", f"{organization.name} is {organization.partner_type}.")
        return Found(
            "failed",
            f"{organization.name} is no partner of Microsoft: its organization has no partnerTenantType.",
            "Make the connection for the tenant that is enrolled in the Cloud Solution Provider program.",
        )

    async def _consent(self) -> Found:
        try:
            self.granted = await granted(self.app, self.subject.connection_id, self.subject.partner_tenant_id)
        except MicrosoftError as error:
            return _failed(error)
        wanted = [row for row in permissions.ALL if row.type == "delegated" and "partner" in row.places]
        missing = [f"{permissions.APIS[row.api][1]}: {row.name}" for row in wanted if row.key not in self.granted]
        if not missing:
            return Found("passed", f"All {len(wanted)} are granted.")
        return Found(
            "failed",
            f"Not granted: {', '.join(missing)}.",
            f"Add them to the application registration as delegated permissions. {LET_CONSENT}",
        )

    async def _partner_center(self) -> tuple[Found, Found]:
        """The checks `mfa` and `partnerCenter`: only Partner Center's own answer proves the second factor."""
        try:
            customers = await self.partner_center.customers()
        except NeedsConsent as error:
            return _failed(error), Found("skipped", "Partner Center wants multifactor authentication first.")
        except AccessDenied as error:
            unknown = Found("skipped", "Partner Center refuses the account before it says anything about MFA.")
            return unknown, _failed(error, f"Put the account in the group {ADMIN_AGENTS} of the partner's tenant.")
        except MicrosoftError as error:
            return Found("skipped", "Partner Center did not answer."), _failed(error)
        resellers = sum(customer.relationship == "reseller" for customer in customers)
        return (
            Found("passed", "Partner Center takes the sign-in, which it does only with a second factor."),
            Found("passed", f"{len(customers)} customers, {resellers} of them by a reseller relationship."),
        )

    async def _contracts(self) -> Found:
        contracts = await self.graph.contracts()
        resellers = sum(row.type == "ResellerPartner" for row in contracts)
        return Found("passed", f"{len(contracts)} contracts, {resellers} of them reseller contracts.")

    def _gdap_group_fix(self) -> str:
        name = self.app.settings.gdap_group_name
        return f"In the partner's tenant, make the security group {name}, put the account in it, and sign in again."

    async def _group(self, name: str, fix: str) -> tuple[str | None, Found]:
        """The group's id when it exists, and whether the account is in it."""
        try:
            group_id = await self.graph.group_id(name)
            if group_id is None:
                return None, Found("failed", f"The partner's tenant has no group {name}.", fix)
            if group_id in await self.graph.my_group_ids():
                return group_id, Found("passed", f"{self.subject.account} is in {name}.")
        except MicrosoftError as error:
            return None, _failed(error)
        return group_id, Found("failed", f"{self.subject.account} is not in {name}.", fix)

    async def _admin_agents(self) -> Found:
        fix = (
            f"Put the account in the group {ADMIN_AGENTS}, or delegate the customers' subscriptions with Azure "
            "Lighthouse."
        )
        _, found = await self._group(ADMIN_AGENTS, fix)
        # Customers that are reached through Lighthouse, or by the application's own roles, need no AdminAgents.
        return Found("warning", found.detail, found.fix) if found.outcome == "failed" else found

    async def _relationship(self, group_id: str) -> Found:
        """Whether the relationships of each customer, taken together, give our group the roles that a sync needs."""
        customers: dict[str, list[Relationship]] = {}
        for row in await self.graph.relationships():
            if row.status in LIVE:
                customers.setdefault(row.customer_id, []).append(row)
        if not customers:
            return Found(
                "failed",
                "No customer has an active GDAP relationship with this partner.",
                f"Request a GDAP relationship with the roles {SYNC_ROLE_NAMES} in Partner Center, and let the "
                "customer approve it.",
            )
        gate = asyncio.Semaphore(CUSTOMERS_AT_ONCE)

        async def given(rows: list[Relationship]) -> frozenset[str] | None:
            """The roles that our group has at a customer; None when no relationship admits it."""
            async with gate:
                assigned = [row for one in rows for row in await self.graph.access_assignments(one.id)]
            ours = [row.roles for row in assigned if row.group_id == group_id and row.status == "active"]
            return frozenset[str]().union(*ours) if ours else None

        looked = list(customers.values())[:CUSTOMERS_LOOKED_AT]
        held = await asyncio.gather(*(given(rows) for rows in looked))
        lacks = [lacking_roles(roles) for roles in held if roles is not None]
        good = lacks.count([])
        seen = f"the {len(looked)} newest of {len(customers)}" if len(looked) < len(customers) else f"{len(customers)}"
        told = f"Of {seen} customers with an active relationship, {good} admit the group with the roles a sync needs"
        if good == len(looked):
            return Found("passed", f"{told}.")
        missing = {"the group": held.count(None), **{name: sum(name in row for row in lacks) for name in SYNC_ROLES}}
        told = f"{told}; " + ", ".join(f"{count} lack {name}" for name, count in missing.items() if count) + "."
        fix = (
            f"In Partner Center, assign the group {self.app.settings.gdap_group_name} to each customer's relationship "
            f"with the roles {SYNC_ROLE_NAMES} (request one that contains them where they are lacking): each sync "
            "gives the application a permission of Microsoft Graph, which Application Administrator alone may not."
        )
        return Found("warning" if good else "failed", told, fix)

    async def _subscriptions(self) -> Found:
        listed = await list_subscriptions(self.app.settings, self.app.transport.azure, self.credential)
        if listed:
            return Found("passed", f"{len(listed)} subscriptions are visible from the partner's tenant.")
        return Found(
            "warning",
            "No Azure subscription is visible from the partner's tenant.",
            "Nothing is to be done unless customers delegate subscriptions with Azure Lighthouse, or the partner has "
            "some of its own: then give the account or the application the role Reader there.",
        )
