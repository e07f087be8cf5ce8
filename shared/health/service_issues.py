"""Azure's own service issues in a subscription, so that devices that fell with one share a ticket.

They only say what belongs together: whether a device is down comes from its own health. So a failure to read them is
logged and means that there are none.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared import tenants
from shared.app import App
from shared.devices.places import Place
from shared.devices.records import Device
from shared.errors import TenantryError
from shared.microsoft import resource_health
from shared.settings import Settings

log = logging.getLogger("tenantry.health")
MEMORY = timedelta(seconds=60)
"""So long an answer is used again: an outage asks for many subscriptions' issues many times."""
MAX_ISSUES = 5
"""Whose impacted resources are asked for; a subscription with more is told of the first to begin."""
MAX_REMEMBERED = 2_000
TRACKING_ID = re.compile(r"[A-Z0-9]{3,6}-[A-Z0-9]{2,6}")
""" `0DET-URB`. What a device's own health calls an issue is no such id."""


@dataclass(frozen=True)
class ServiceIssue:
    """An active service issue, in Azure's display names (`Virtual Machines`, `West Europe`)."""

    id: str
    """Azure's tracking id: the same in every subscription."""
    title: str
    service: str
    """Several are joined by a comma."""
    regions: tuple[str, ...]
    resource_ids: frozenset[str]
    """Lower case; what Azure knows to be impacted in this subscription, perhaps nothing yet."""


async def active(app: App, place: Place) -> list[ServiceIssue]:
    """The active service issues of a subscription, the first to begin first; at most MEMORY old. Never raises."""
    if place.tenant is None:
        return []
    kept: dict[str, tuple[datetime, list[ServiceIssue]]] = app.memory.setdefault("serviceIssues", {})
    now, subscription_id = app.clock.now(), place.subscription.id
    if (known := kept.get(subscription_id)) is not None and now - known[0] < MEMORY:
        return known[1]
    try:
        found = await _read(app, place)
    except TenantryError as error:
        log.warning("service issues of %s cannot be read: %s", subscription_id, error.message)
        found = []
    if len(kept) >= MAX_REMEMBERED:
        kept.clear()
    kept[subscription_id] = (now, found)
    return found


async def _read(app: App, place: Place) -> list[ServiceIssue]:
    if place.tenant is None:
        return []
    subscription = place.subscription
    credential = await tenants.arm_credential(app, place.tenant, subscription, connection=place.connection)
    asked = (app.settings, app.transport.azure, credential, subscription.id)
    events = [event for event in await resource_health.service_issues(*asked) if event.get("name")]
    events.sort(key=lambda event: str((event.get("properties") or {}).get("impactStartTime") or ""))

    async def issue(event: dict[str, Any]) -> ServiceIssue:
        try:
            ids = await resource_health.impacted_resources(*asked, str(event["name"]))
        except TenantryError as error:
            log.warning("what %s impacts in %s cannot be read: %s", event["name"], subscription.id, error.message)
            ids = []
        return _issue(event, ids)

    return list(await asyncio.gather(*(issue(event) for event in events[:MAX_ISSUES])))


def url(settings: Settings, identifier: str, subscription_id: str) -> str:
    """Where people follow an issue: itself where it can be linked to, else the list of them.

    learn.microsoft.com/azure/service-health/service-health-alert-webhook-guide: the tracking id, then the first and the
    last three digits of a subscription.
    """
    if settings.azure_cloud == "AzureCloud" and TRACKING_ID.fullmatch(identifier):
        return f"https://app.azure.com/h/{identifier}/{subscription_id[:3]}{subscription_id[-3:]}"
    return f"{settings.azure_portal_url}/#view/Microsoft_Azure_Health/AzureHealthBrowseBlade/~/serviceIssues"


def _issue(event: dict[str, Any], resource_ids: Iterable[str]) -> ServiceIssue:
    properties = event.get("properties") or {}
    impact = properties.get("impact") or []
    services = dict.fromkeys(str(row.get("impactedService") or "") for row in impact)
    regions = dict.fromkeys(
        str(region.get("impactedRegion") or "") for row in impact for region in row.get("impactedRegions") or []
    )
    return ServiceIssue(
        id=str(event["name"]),
        title=str(properties.get("title") or "")[:200],
        service=", ".join(filter(None, services)),
        regions=tuple(filter(None, regions)),
        resource_ids=frozenset(resource_ids),
    )


def of_device(issues: Iterable[ServiceIssue], device: Device) -> str | None:
    """The id of the issue that a device fell with, if any: as Azure lists it, else as the device's own health names it.

    A device's health names an issue by a correlation id, which is no tracking id; the title joins the two. What is not
    in the list is named by the health's own id, so that its devices still find each other.
    """
    known = list(issues)
    resource_id, health = device.resource_id.lower(), device.health
    for issue in known:
        if resource_id in issue.resource_ids:
            return issue.id
    if health.service_issue is None:
        return None
    names = {health.service_issue.casefold(), (health.service_issue_title or "").casefold()} - {""}
    return next((i.id for i in known if i.id.casefold() in names or i.title.casefold() in names), health.service_issue)
