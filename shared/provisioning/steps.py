"""The steps that make the enterprise application work in a tenant, in their order. Each can be repeated.

A step takes the work and gives the values to store on the tenant's row. What exists already counts as done.
Sources: learn.microsoft.com/partner-center/developer/control-panel-vendor-apis,
learn.microsoft.com/graph/permissions-grant-via-msgraph.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from shared import permissions, tenants
from shared.app import App
from shared.connections import Connection
from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft import arm
from shared.microsoft.graph import Graph
from shared.microsoft.partner_center import PartnerCenter
from shared.permissions import APIS, Place
from shared.tenants import Tenant

log = logging.getLogger("tenantry.provisioning")
CONSENT, PRINCIPAL, GRANTS, ROLES = "partner-center-consent", "service-principal", "delegated-grants", "app-roles"
AZURE, VERIFY, SUBSCRIPTIONS = "azure-access", "verify", "subscriptions"


class ConsentMissing(AccessDenied):
    """Only the tenant's own administrator can let the application in."""

    code = "consentMissing"


@dataclass(frozen=True)
class Work:
    """One tenant that is being provisioned, as its row says now."""

    app: App
    connection: Connection
    tenant: Tenant

    @property
    def place(self) -> Place:
        """Which permissions are wanted there."""
        return "partner" if self.tenant.relationship == "own" else "client"

    def graph(self, *, app_only: bool = False) -> Graph:
        """Graph of the tenant."""
        return tenants.graph_of(self.app, self.tenant, app_only=app_only)

    @property
    def principal_id(self) -> str:
        """Object id of the enterprise application, known once its step is done."""
        return str(self.tenant.enterprise_app_id)


Outcome = dict[str, Any]
"""Values for the tenant's row; `steps` names further steps that are thereby skipped."""
Step = Callable[[Work], Awaitable[Outcome]]
SKIPPED: Final[Outcome] = {"steps": {"": "skipped"}}
"""Of a step that this tenant does not need."""


async def consent(work: Work) -> Outcome:
    """Partner Center makes the service principal with what the next steps need. Only resellers may ask for that."""
    if work.tenant.relationship != "reseller":
        return SKIPPED
    credential = work.app.identity.credential(work.connection.id, work.connection.partner_tenant_id)
    wanted = {
        APIS[api][0]: names for api in permissions.apis("client") if (names := permissions.delegated(api, "client"))
    }
    await PartnerCenter(work.app.settings, work.app.transport.http, credential).consent(work.tenant.id, wanted)
    return {}


async def service_principal(work: Work) -> Outcome:
    """Find the enterprise application, or make it where consent did not.

    Where nobody but the tenant's administrator can consent, and did, the application itself finds it, and the steps
    that need a partner's person are skipped. Raises ConsentMissing when he did not.
    """
    app_id = work.app.settings.partner_client_id
    try:
        found = await work.graph().principal(app_id)
        if found is not None:
            return {"enterprise_app_id": found.id}
        if work.tenant.relationship == "reseller":
            raise MicrosoftError("The enterprise application is not visible yet.", status=HTTPStatus.NOT_FOUND)
        made = await work.graph().create_principal(app_id)
    except AccessDenied as error:
        if work.tenant.relationship != "gdapOnly" or not error.remote_code.startswith("AADSTS"):
            raise
        return await _consented_by_administrator(work, error)
    if made is None:
        raise MicrosoftError("The enterprise application is not visible yet.", status=HTTPStatus.NOT_FOUND)
    return {"enterprise_app_id": made, "created_application": True}


async def _consented_by_administrator(work: Work, refusal: AccessDenied) -> Outcome:
    try:
        found = await work.graph(app_only=True).principal(work.app.settings.partner_client_id)
    except AccessDenied:
        found = None
    if found is None:
        raise ConsentMissing(
            f"{work.tenant.display_name} is not a reseller customer, so Partner Center cannot consent for it.",
            status=refusal.status,
            remote_code=refusal.remote_code,
            fix="Have the tenant's administrator open the consent link, then sync again.",
        ) from refusal
    return {"enterprise_app_id": found.id, "steps": {GRANTS: "skipped", ROLES: "skipped"}}


async def delegated_grants(work: Work) -> Outcome:
    """Grant what the list of permissions says, and keep what else was granted."""
    graph, changed = work.graph(), False
    held = {grant.resource_id: grant for grant in await graph.grants(work.principal_id)}
    for api in permissions.apis(work.place):
        wanted = frozenset(permissions.delegated(api, work.place))
        if not wanted:
            continue
        resource_id = await _resource(graph, APIS[api][0])
        grant = held.get(resource_id)
        if grant is None:
            if not await graph.add_grant(work.principal_id, resource_id, wanted):
                raise MicrosoftError("A grant that exists is not visible yet.", status=HTTPStatus.NOT_FOUND)
            changed = True
        elif not wanted <= grant.names:
            await graph.change_grant(grant.id, grant.names | wanted)
            changed = True
    return _rights_changed(work) if changed else {}


async def app_roles(work: Work) -> Outcome:
    """Give the application its own permissions."""
    graph, changed = work.graph(), False
    held = {(row.resource_id, row.role_id) for row in await graph.role_assignments(work.principal_id)}
    for api in permissions.apis(work.place):
        names = permissions.application(api, work.place)
        resource = await graph.principal(APIS[api][0], with_roles=True) if names else None
        for name in names:
            if resource is None or name not in resource.roles:
                raise MicrosoftError(f"{APIS[api][1]} offers no application permission {name} here.", status=400)
            if (resource.id, resource.roles[name]) not in held:
                try:
                    await graph.assign_role(work.principal_id, resource.id, resource.roles[name])
                except AccessDenied as error:
                    raise _may_not_give(work, f"{APIS[api][1]} {name}", error) from error
                changed = True
    return _rights_changed(work) if changed else {}


def _may_not_give(work: Work, permission: str, refusal: AccessDenied) -> AccessDenied:
    """The refusal of an application permission, with who may give it.

    Source: learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent (prerequisites).
    """
    who = "a Privileged Role Administrator or Global Administrator"
    if work.place == "partner":
        fix = (
            f"Let {who} of {work.tenant.display_name} grant admin consent to the enterprise application "
            f"{work.app.settings.partner_client_id} (Entra admin center, Permissions), then sync again."
        )
    else:
        group = work.app.settings.gdap_group_name
        fix = f"Give {group} the role Privileged Role Administrator there by GDAP, then sync again."
    return AccessDenied(
        f"The account that signed in may not give the application permission {permission}: only {who} may. "
        f"{refusal.message}",
        status=refusal.status,
        remote_code=refusal.remote_code,
        fix=fix,
    )


async def azure_access(work: Work) -> Outcome:
    """Where only AdminAgents reach a subscription, give the application roles of its own, if they may.

    What cannot be had is no failure: the subscription shows how it is reached.
    """
    seen = await tenants.look(work.app, work.connection, work.tenant)
    azure = (
        work.app.settings,
        work.app.transport.azure,
        tenants.client_credential(work.app, work.tenant, app_only=False),
    )
    done = 0
    for subscription_id, way in tenants.choose(seen).items():
        try:
            begun = way.access == "application" and subscription_id in seen.person
            lacking = way.access == "adminAgents" or (
                begun and await arm.has_some_own_roles(*azure, subscription_id, work.principal_id)
            )
            if lacking:
                await arm.assign_own_roles(*azure, subscription_id, work.principal_id)
                done += 1
        except (Throttled, NeedsConsent):
            raise
        except MicrosoftError as error:
            log.info("no role of its own on subscription %s: %s", subscription_id, error)
    return {} if done else SKIPPED


async def verify(work: Work) -> Outcome:
    """Tokens that really read: the application's own, and the person's where the person may read there."""
    organization = await work.graph(app_only=True).organization()
    if work.tenant.steps.get(GRANTS) != "skipped":
        await work.graph().organization()
    return {
        "display_name": organization.name,
        "default_domain": organization.default_domain or work.tenant.default_domain,
        "initial_domain": organization.initial_domain,
    }


async def subscriptions(work: Work) -> Outcome:
    """List the Azure subscriptions and how each is reached; having none is no failure."""
    await tenants.discover(work.app, work.connection, work.tenant)
    return {}


def _rights_changed(work: Work) -> Outcome:
    work.app.identity.forget_tenant(work.tenant.id)
    return {"consent_version": work.tenant.consent_version + 1}


async def _resource(graph: Graph, app_id: str) -> str:
    """Object id of a Microsoft API in the tenant; it is made where the tenant never used it."""
    found = await graph.principal(app_id)
    made = found.id if found else await graph.create_principal(app_id)
    if made is None:
        raise MicrosoftError(f"The API {app_id} is not visible yet.", status=HTTPStatus.NOT_FOUND)
    return made


STEPS: Final[dict[str, Step]] = {
    CONSENT: consent,
    PRINCIPAL: service_principal,
    GRANTS: delegated_grants,
    ROLES: app_roles,
    AZURE: azure_access,
    VERIFY: verify,
    SUBSCRIPTIONS: subscriptions,
}
"""Name -> step, in order."""
