"""How the resources of a subscription are, through azure-mgmt-resourcehealth.

Source: learn.microsoft.com/rest/api/resourcehealth/availability-statuses/list-by-subscription-id.
"""

from __future__ import annotations

from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.mgmt.resourcehealth.aio import ResourceHealthMgmtClient

from shared.microsoft import arm_lists
from shared.settings import Settings

API_VERSION = "2025-05-01"
_CLIENTS = arm_lists.Clients(ResourceHealthMgmtClient, "mgmt-resourcehealth/1.0.0")


async def statuses(
    settings: Settings, transport: AioHttpTransport, credential: AsyncTokenCredential, subscription_id: str
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
