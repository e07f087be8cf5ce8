"""What lies under a device, can be acted upon and is in no list of a subscription: read live, under its parent.

A child is named by its path below the device's resource: `agentPools/pool1`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from shared import capabilities, connections, tenants
from shared.app import App
from shared.capabilities import Verb
from shared.capabilities.requests import Request
from shared.capabilities.run_state import at, told
from shared.devices import Shown
from shared.errors import Conflict, InvalidInput, MicrosoftError, NeedsConsent
from shared.microsoft.identity import TenantCredential
from shared.operations import azure

MAX_CHILDREN = 1000
"""Of one device that are shown."""
NOT_FOUND = 404


@dataclass(frozen=True)
class Child:
    """One of them. `state` None: its list does not tell it."""

    path: str
    type: str
    resource_id: str
    state: str | None
    actions: list[Verb]
    """The verbs that can be done now, as far as is known."""


def locate(resource_type: str, resource_id: str, child: str) -> tuple[str, str]:
    """(type, id) of a child of a device. Raises InvalidInput when it is no child that can be acted upon."""
    parts = child.split("/")
    kind = "/".join([resource_type, *parts[::2]])
    row = capabilities.known(kind)
    if row is None or len(parts) % 2 or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"{child} is no child of a {resource_type} that can be acted upon.", target="child")
    return row.type, f"{resource_id}/{child}"


async def children(app: App, found: Shown) -> list[Child]:
    """The children of a device that can be acted upon, by type and name. One request per type, and per level above it.

    Raises Conflict when nothing lets us read the subscription, MicrosoftError when Azure refuses.
    """
    device, place = found.device, found.place
    types = capabilities.below(device.type)
    if not types:
        return []
    if place.tenant is None or place.subscription.access == "none":
        raise Conflict(place.not_polled or "Nothing lets us read this subscription.", code="noAzureAccess")
    credential = await tenants.arm_credential(app, place.tenant, place.subscription)
    try:
        lists = await asyncio.gather(
            *(_of_type(app, credential, device.type, device.resource_id, kind) for kind in types)
        )
    except NeedsConsent as error:
        await connections.needs_consent(app, place.tenant.connection_id, error)
        raise
    return sorted((child for rows in lists for child in rows), key=lambda row: (row.type, row.path))[:MAX_CHILDREN]


async def _of_type(app: App, credential: TenantCredential, parent_type: str, parent_id: str, kind: str) -> list[Child]:
    row = capabilities.known(kind)
    if row is None:
        return []
    parents = [parent_id]
    *between, last = kind[len(parent_type) + 1 :].split("/")
    version = {"api-version": row.state_api_version}
    for segment in between:
        lists = [await _listed(app, credential, Request("GET", f"{one}/{segment}", version)) for one in parents]
        parents = [str(at(item, "id")) for items in lists for item in items][:MAX_CHILDREN]
    found = []
    for one in parents:
        for item in await _listed(app, credential, Request("GET", f"{one}/{last}", version)):
            resource_id = f"{one}/{last}/{str(at(item, 'name')).rpartition('/')[2]}"
            state = capabilities.state_of(row.state, item) if told(row.state) else None
            actions = capabilities.offered(row.type, state, item)
            found.append(Child(resource_id[len(parent_id) + 1 :], row.type, resource_id, state, actions))
    return found


async def _listed(app: App, credential: TenantCredential, request: Request) -> list[dict[str, Any]]:
    try:
        return await azure.listed(app, credential, request)
    except MicrosoftError as error:
        if error.status == NOT_FOUND:
            # Not every resource of a type has every kind of child.
            return []
        raise
