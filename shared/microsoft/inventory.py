"""What there is in a subscription: every resource of it, through azure-mgmt-resource.

Source: learn.microsoft.com/rest/api/resources/resources/list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential

from shared.microsoft import arm_lists
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.mgmt.resource.resources.aio import ResourceManagementClient

API_VERSION = "2025-04-01"


def _client(**options: Any) -> ResourceManagementClient:
    from azure.mgmt.resource.resources.aio import ResourceManagementClient  # only polls need it

    return ResourceManagementClient(**options)


_CLIENTS = arm_lists.Clients(_client, "mgmt-resource/26.0.0")


async def resources(
    settings: Settings, transport: AzureTransport, credential: AsyncTokenCredential, subscription_id: str
) -> list[dict[str, Any]]:
    """Items `{id, name, type, location, tags?, ...}` as ARM sends them, children included.

    Raises NeedsConsent, AccessDenied, Throttled or MicrosoftError.
    """
    client = _CLIENTS.get(settings, transport)
    path = f"/subscriptions/{subscription_id}/resources"
    return await arm_lists.read_all(client, settings, credential, path, {"api-version": API_VERSION})
