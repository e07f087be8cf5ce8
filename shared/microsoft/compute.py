"""Virtual machines: their power states in bulk, and the actions on one, through azure-mgmt-compute."""

from __future__ import annotations

from azure.core.credentials_async import AsyncTokenCredential

from shared.app import App


async def power_states(app: App, credential: AsyncTokenCredential, subscription_id: str) -> dict[str, str]:
    """Lower-cased resource id -> power state of every virtual machine of a subscription, in one paged list.

    States as in shared/devices/records.py. A machine whose state Azure leaves out is `unknown`. Raises MicrosoftError.
    """
    raise NotImplementedError
