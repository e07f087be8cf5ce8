"""How the resources of a subscription are, and what ails Azure itself there, through azure-mgmt-resourcehealth.

Source: learn.microsoft.com/rest/api/resourcehealth/availability-statuses/list-by-subscription-id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core.credentials_async import AsyncTokenCredential

from shared.microsoft import arm_lists
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.mgmt.resourcehealth.aio import ResourceHealthMgmtClient

API_VERSION = "2025-05-01"


def _client(**options: Any) -> ResourceHealthMgmtClient:
    from azure.mgmt.resourcehealth.aio import ResourceHealthMgmtClient  # only polls need it

    return ResourceHealthMgmtClient(**options)


_CLIENTS = arm_lists.Clients(_client, "mgmt-resourcehealth/1.0.0")


async def statuses(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, subscription_id: str
) -> list[dict[str, Any]]:
    """The present availability of each resource that Resource Health knows, as it sends them.

    `{id, properties: {availabilityState, summary, occuredTime, ...}}`; the id ends in `/providers/
    Microsoft.ResourceHealth/...` in changing case. Raises NeedsConsent, AccessDenied, Throttled or MicrosoftError
    (409 MissingSubscriptionRegistration: the subscription does not use Resource Health yet).
    """
    client = _CLIENTS.get(settings, transport)
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.ResourceHealth/availabilityStatuses"
    parameters = {"api-version": API_VERSION, "$expand": "recommendedactions"}
    return await arm_lists.read_all(client, settings, credential, path, parameters)


async def service_issues(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, subscription_id: str
) -> list[dict[str, Any]]:
    """The service issues that are active now and concern the subscription, as Resource Health sends them.

    `{name (tracking id), properties: {title, impactStartTime, impact: [{impactedService, impactedRegions:
    [{impactedRegion, status}]}], ...}}`. Planned maintenance, advisories and what was resolved are left out here,
    because the service's own $filter is documented for other fields only. Raises as `statuses` does. Source:
    learn.microsoft.com/rest/api/resourcehealth/events/list-by-subscription-id.
    """
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.ResourceHealth/events"
    client = _CLIENTS.get(settings, transport)
    found = await arm_lists.read_all(client, settings, credential, path, {"api-version": API_VERSION})
    return [event for event in found if _is_active_issue(event.get("properties") or {})]


def _is_active_issue(properties: dict[str, Any]) -> bool:
    kind, status = str(properties.get("eventType") or ""), str(properties.get("status") or "")
    return kind.lower() == "serviceissue" and status.lower() == "active"


async def impacted_resources(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    subscription_id: str,
    tracking_id: str,
) -> list[str]:
    """Ids (lower case) of the subscription's resources that a service event impacts.

    Rows without `targetResourceId` (advisories name people and groups) are left out. Raises as `statuses` does. Source:
    learn.microsoft.com/rest/api/resourcehealth/impacted-resources/list-by-subscription-id-and-event-id.
    """
    event = quote(tracking_id, safe="")
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.ResourceHealth/events/{event}/impactedResources"
    client = _CLIENTS.get(settings, transport)
    found = await arm_lists.read_all(client, settings, credential, path, {"api-version": API_VERSION})
    ids = (str((row.get("properties") or {}).get("targetResourceId") or "").lower() for row in found)
    return sorted({identifier for identifier in ids if identifier})
