"""Microsoft.ResourceHealth: availability of resources now and before, of one, of a group, of a subscription.

The answers have the real ones' roughness: ids in another case than the resource's own, the misspelled
`AvailabilityStatueses`, `occuredTime`, seven digits after the second, null states.
Sources: https://learn.microsoft.com/rest/api/resourcehealth/availability-statuses
https://learn.microsoft.com/azure/service-health/resource-health-overview
"""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from sandbox import arm_operations, arm_pages, arm_resources, azure_types, service_issues
from sandbox.arm_access import require
from sandbox.service_issues import ServiceIssue
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Health, Resource, Subscription, World

_ACTION = "Microsoft.ResourceHealth/availabilityStatuses/read"
_NAMESPACE = "microsoft.resourcehealth"
_TAIL = "/providers/Microsoft.ResourceHealth"
_TITLES = {"Available": "Available", "Unavailable": "Unavailable", "Degraded": "Degraded", "Unknown": "Unknown"}
_DETAILS = {
    "Available": "We have not seen any issues with your {thing}",
    "Unavailable": "Your {thing} is unavailable",
    "Degraded": "Your {thing} is running with reduced performance",
    "Unknown": "We have not received information about your {thing} for more than 10 minutes",
}


def unregistered(world: World, subscription: Subscription) -> set[str]:
    """Lower-cased namespaces a subscription is not registered for: a knob, empty at first; change it in place."""
    table: dict[str, set[str]] = world.extra.setdefault("arm.unregistered", {})
    return table.setdefault(subscription.id, set())


def add_routes(service: Service) -> None:
    """Register the routes of Resource Health."""
    subscription_prefix = "/subscriptions/{sub}" + _TAIL
    group_prefix = "/subscriptions/{sub}/resourceGroups/{rg}" + _TAIL
    resource_prefix = "/subscriptions/{sub}/resourceGroups/{rg}/providers/{rest:path}" + _TAIL

    @service.route("GET", subscription_prefix + "/availabilityStatuses")
    async def of_subscription(call: Call) -> Reply:
        subscription = _registered(call, require(call, call.params["sub"], _ACTION))
        return _list(call, subscription, None)

    @service.route("GET", group_prefix + "/availabilityStatuses")
    async def of_group(call: Call) -> Reply:
        subscription = _registered(call, require(call, call.params["sub"], _ACTION))
        arm_resources.require_group(subscription, call.params["rg"])
        return _list(call, subscription, call.params["rg"].lower())

    @service.route("GET", resource_prefix + "/availabilityStatuses/current")
    async def current(call: Call) -> Reply:
        resource = _resource(call)
        return Reply(status(resource, _health(call, resource), _slot(call.world), expand=_expand(call)))

    @service.route("GET", resource_prefix + "/availabilityStatuses")
    async def history(call: Call) -> Reply:
        resource = _resource(call)
        health, slot = _health(call, resource), _slot(call.world)
        entries = [status(resource, health, slot, expand=_expand(call))]
        _add_issues(call.world, resource, entries[0])
        entries += [_past(resource, row) for row in resource.health_history if row is not health]
        return Reply({"value": entries})

    @service.route("GET", resource_prefix + "/childAvailabilityStatuses")
    async def children(call: Call) -> Reply:
        _resource(call)
        return Reply({"value": []})

    @service.route("GET", subscription_prefix + "/events")
    async def events(call: Call) -> Reply:
        subscription = _registered(call, require(call, call.params["sub"], "Microsoft.ResourceHealth/events/read"))
        issues = service_issues.of_subscription(call.world, subscription)
        return Reply({"value": [service_issues.event(subscription, issue) for issue in issues]})

    @service.route("GET", subscription_prefix + "/events/{event}")
    async def event(call: Call) -> Reply:
        subscription = _registered(call, require(call, call.params["sub"], "Microsoft.ResourceHealth/events/read"))
        return Reply(service_issues.event(subscription, _issue(call, subscription)))

    @service.route("GET", subscription_prefix + "/events/{event}/impactedResources")
    async def impacted(call: Call) -> Reply:
        action = "Microsoft.ResourceHealth/events/impactedResources/read"
        subscription = _registered(call, require(call, call.params["sub"], action))
        rows = service_issues.impacted(call.world, subscription, _issue(call, subscription))
        return arm_pages.page_reply(call, [json.dumps(row) for row in rows])


def _add_issues(world: World, resource: Resource, body: dict[str, Any]) -> None:
    if impacting := service_issues.of_resource(world, resource):
        body["properties"]["serviceImpactingEvents"] = impacting


def status(resource: Resource, health: Health, slot: datetime, *, expand: bool) -> dict[str, Any]:
    """The current status of one resource, `reportedTime` being the later of `slot` and the health's own."""
    return {
        "id": f"{resource.id}{_TAIL}/availabilityStatuses/current",
        "name": "current",
        "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
        "location": resource.location,
        "properties": _properties(resource, health, slot, expand=expand),
    }


def _properties(resource: Resource, health: Health, slot: datetime, *, expand: bool) -> dict[str, Any]:
    display = (
        azure_types.BY_NAME[resource.type.lower()].display.lower()
        if resource.type.lower() in azure_types.BY_NAME
        else "resource"
    )
    properties: dict[str, Any] = {
        "availabilityState": health.state,
        "summary": health.summary,
        "reasonChronicity": "Persistent" if health.context else "Transient",
        "occuredTime": arm_pages.timestamp(health.occurred),
        "reportedTime": arm_pages.timestamp(max(slot, health.reported)),
    }
    if health.state is not None:
        properties["title"] = _TITLES.get(health.state, health.state)
        properties["detailedStatus"] = _DETAILS.get(health.state, "{thing}").format(thing=display)
    optional = {"reasonType": health.reason_type, "context": health.context, "category": health.category}
    properties |= {key: value for key, value in optional.items() if value is not None}
    if health.state in ("Unavailable", "Degraded"):
        by_user = (health.context or "").lower() == "customer initiated"
        properties["healthEventType"] = "Downtime"
        properties["healthEventCause"] = "UserInitiated" if by_user else "PlatformInitiated"
    if health.state == "Available" and (resolved := _recently_resolved(resource, health)):
        properties["recentlyResolved"] = resolved
    if expand:
        properties["recommendedActions"] = _recommended(health, display)
    return properties


def _recently_resolved(resource: Resource, health: Health) -> dict[str, str] | None:
    """The unplanned downtime that ended with this health less than 24 hours before its last report."""
    previous = resource.health_history[1] if len(resource.health_history) > 1 else None
    if previous is None or previous.state != "Unavailable" or health.reported - health.occurred > timedelta(days=1):
        return None
    return {
        "unavailableOccuredTime": arm_pages.timestamp(previous.occurred),
        "resolvedTime": arm_pages.timestamp(health.occurred),
        "unavailableSummary": previous.summary,
    }


def _recommended(health: Health, display: str) -> list[dict[str, str]]:
    if health.state == "Available":
        return []
    rows = []
    if (health.context or "").lower() == "customer initiated":
        rows.append(
            {
                "action": f"To start this {display}, open the resource blade and click Start",
                "actionUrl": "<#ResourceBlade>",
                "actionUrlText": "resource blade",
            }
        )
    rows.append(
        {
            "action": "If you are experiencing problems you believe are caused by Azure, contact support",
            "actionUrl": "<#SupportCase>",
            "actionUrlText": "contact support",
        }
    )
    return rows


def _past(resource: Resource, health: Health) -> dict[str, Any]:
    """An entry of the history: named by its time, without what only the current status has."""
    moment = f"{health.occurred:%Y-%m-%d %H:%M:%S}Z"
    name = quote_plus(moment).replace("%3A", "%3a")
    properties: dict[str, Any] = {
        "availabilityState": health.state,
        "summary": health.summary,
        "reasonChronicity": "Persistent" if health.context else "Transient",
        "occuredTime": arm_pages.timestamp(health.occurred),
    }
    optional = {"reasonType": health.reason_type, "context": health.context, "category": health.category}
    return {
        "id": f"{resource.id}{_TAIL}/availabilityStatuses/{name}",
        "name": name,
        "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
        "location": resource.location,
        "properties": properties | {key: value for key, value in optional.items() if value is not None},
    }


def _list(call: Call, subscription: Subscription, group: str | None) -> Reply:
    arm_operations.settle(call.world)
    expand, slot = _expand(call), _slot(call.world)

    def row(resource: Resource, health: Health) -> dict[str, Any]:
        body = status(resource, health, slot, expand=expand)
        # Lists write some ids in lower case and misspell the last segment; which ones is fixed by the id.
        seed = zlib.crc32(resource.id.encode())
        resource_id = resource.id.lower() if seed % 3 == 0 else resource.id
        segment = "AvailabilityStatueses" if seed % 5 == 0 else "availabilityStatuses"
        body["id"] = f"{resource_id}{_TAIL}/{segment}/current"
        _add_issues(call.world, resource, body)
        return body

    rows = arm_pages.rows_of(
        call.world,
        subscription,
        "health",
        (group, expand),
        lambda: (
            row(resource, resource.health)
            for resource in subscription.resources.values()
            if resource.health is not None and group in (None, resource.resource_group.lower())
        ),
        stamp=slot,
    )
    return arm_pages.page_reply(call, rows)


def _issue(call: Call, subscription: Subscription) -> ServiceIssue:
    """The event that a path names. Raises CloudError 404."""
    wanted = call.params["event"].lower()
    for issue in service_issues.of_subscription(call.world, subscription):
        if issue.tracking_id.lower() == wanted:
            return issue
    raise CloudError(404, "EventNotFound", f"The event '{call.params['event']}' was not found.")


def _registered(call: Call, subscription: Subscription) -> Subscription:
    if _NAMESPACE in unregistered(call.world, subscription):
        raise CloudError(
            409,
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.ResourceHealth'. "
            "See https://aka.ms/rps-not-found for how to register subscriptions.",
        )
    return subscription


def _resource(call: Call) -> Resource:
    subscription, resource = arm_resources.find(call, call.params["rest"], _ACTION)
    _registered(call, subscription)
    arm_operations.settle(call.world)
    return resource


def _health(call: Call, resource: Resource) -> Health:
    """The health of a resource; Unknown when its type is reported but it is not.

    Raises CloudError 404 UnsupportedResourceType for other types.
    """
    if resource.health is not None:
        return resource.health
    row = azure_types.BY_NAME.get(resource.type.lower())
    if row is None or not row.reported:
        text = f"The resource type '{resource.type}' is not supported by Resource Health."
        raise CloudError(404, "UnsupportedResourceType", text)
    now = call.world.clock.now()
    return Health("Unknown", now, now, summary="We are currently unable to determine the health of this resource")


def _slot(world: World) -> datetime:
    """When Resource Health looked last: every five minutes, so `reportedTime` moves although nothing changed."""
    now = world.clock.now()
    return now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)


def _expand(call: Call) -> bool:
    return "recommendedactions" in call.query.get("$expand", "").lower()
