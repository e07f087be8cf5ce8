"""Azure Resource Manager: subscriptions, and the application's own role assignments.

Sources: learn.microsoft.com/rest/api/resources/subscriptions and /rest/api/authorization/role-assignments,
learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from shared.errors import MicrosoftError
from shared.microsoft.arm_errors import translated
from shared.microsoft.http_errors import patiently
from shared.microsoft.outgoing import CorrelationPolicy
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.mgmt.resource.subscriptions.aio import SubscriptionClient

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
OWN_ROLES = (READER, VM_CONTRIBUTOR)
"""Built-in roles the application gets on a subscription: read all, act on virtual machines.

Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles.
"""
ASSIGNMENTS_API = "2022-04-01"


@dataclass(frozen=True)
class ListedSubscription:
    """A subscription as a token sees it. `id` and `home_tenant_id` are lower-case."""

    id: str
    name: str
    state: str
    """Enabled | Warned | PastDue | Disabled | Deleted."""
    home_tenant_id: str
    """The tenant it lives in, also when it is seen through Lighthouse."""


def scopes(settings: Settings) -> list[str]:
    """`credential_scopes` of every ARM client."""
    return [f"{settings.resources['arm']}/.default"]


@asynccontextmanager
async def _client(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential
) -> AsyncIterator[SubscriptionClient]:
    """A client without retries of its own: who calls decides when to come back. Translates what azure-core raises."""
    from azure.mgmt.resource.subscriptions.aio import SubscriptionClient  # only set-up and checks need it

    client = SubscriptionClient(
        credential,
        base_url=settings.arm_url,
        credential_scopes=scopes(settings),
        transport=transport,
        retry_total=0,
        per_call_policies=[CorrelationPolicy()],
    )
    try:
        yield client
    except AzureError as error:
        raise translated(error) from error


async def list_subscriptions(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential
) -> list[ListedSubscription]:
    """Every subscription on which the credential holds a role; none is no error. Raises MicrosoftError."""
    return await patiently(lambda: _listed(settings, transport, credential))


async def _listed(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential
) -> list[ListedSubscription]:
    found = []
    async with _client(settings, transport, credential) as client:
        async for item in client.subscriptions.list():
            # Through Lighthouse tenantId may be the managing tenant's; homeTenantId, which the model does not name, is
            # the owner's (learn.microsoft.com/azure/lighthouse/concepts/cross-tenant-management-experience).
            home = item.get("homeTenantId") or item.tenant_id or ""
            found.append(
                ListedSubscription(
                    id=str(item.subscription_id).lower(),
                    name=item.display_name or str(item.subscription_id),
                    state=str(getattr(item.state, "value", item.state) or "Enabled"),
                    home_tenant_id=str(home).lower(),
                )
            )
    return found


async def subscription_state(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, subscription_id: str
) -> str | None:
    """State of one subscription; None when ARM says that it does not exist. Raises AccessDenied when it refuses."""
    try:
        async with _client(settings, transport, credential) as client:
            item = await client.subscriptions.get(subscription_id)
    except MicrosoftError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    return str(getattr(item.state, "value", item.state) or "Enabled")


def assignment_name(subscription_id: str, principal_id: str, role_id: str) -> str:
    """The GUID of our assignment of a role: the same every time, so that repeating makes no second one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tenantry/{subscription_id.lower()}/{principal_id}/{role_id}"))


async def assign_own_roles(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    subscription_id: str,
    principal_id: str,
) -> None:
    """Give the application's service principal its roles on a subscription. What is there already is success.

    Raises AccessDenied when the credential may not assign roles, MicrosoftError otherwise.
    """
    role_path = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
    for role in OWN_ROLES:
        # principalType makes ARM accept a principal that has not replicated yet (aka.ms/docs-principaltype).
        body = {
            "properties": {
                "roleDefinitionId": f"{role_path}/{role}",
                "principalId": principal_id,
                "principalType": "ServicePrincipal",
            }
        }
        url = _assignment_url(subscription_id, assignment_name(subscription_id, principal_id, role))
        try:
            await _send(settings, transport, credential, HttpRequest("PUT", url, json=body))
        except MicrosoftError as error:
            if error.status != HTTPStatus.CONFLICT or error.remote_code != "RoleAssignmentExists":
                raise


async def has_some_own_roles(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    subscription_id: str,
    principal_id: str,
) -> bool:
    """Whether `assign_own_roles` began on a subscription and did not end. Raises MicrosoftError."""
    url = _assignment_url(subscription_id, "", f"$filter=principalId%20eq%20'{principal_id}'")
    answer = await _send(settings, transport, credential, HttpRequest("GET", url))
    names = {str(row["name"]).lower() for row in answer.get("value", [])}
    ours = {assignment_name(subscription_id, principal_id, role) for role in OWN_ROLES}
    return 0 < len(names & ours) < len(ours)


async def remove_own_roles(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    subscription_id: str,
    principal_id: str,
) -> None:
    """Delete the assignments that `assign_own_roles` made; gone ones are no error. Raises MicrosoftError."""
    for role in OWN_ROLES:
        url = _assignment_url(subscription_id, assignment_name(subscription_id, principal_id, role))
        try:
            await _send(settings, transport, credential, HttpRequest("DELETE", url))
        except MicrosoftError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def _assignment_url(subscription_id: str, name: str, query: str = "") -> str:
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleAssignments/{name}".rstrip("/")
    return f"{path}?api-version={ASSIGNMENTS_API}" + (f"&{query}" if query else "")


async def _send(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, request: HttpRequest
) -> dict[str, Any]:
    """Send a request that the SDK has no method for; gives the JSON of the answer, {} without one."""

    async def once() -> dict[str, Any]:
        async with _client(settings, transport, credential) as client:
            answer = await client.send_request(request)
            answer.raise_for_status()
            content: dict[str, Any] = answer.json() if answer.content else {}
            return content

    return await patiently(once)
