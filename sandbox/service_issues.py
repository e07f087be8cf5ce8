"""Service issues: what ails Azure itself, as Resource Health's events, impacted resources and statuses tell of it.

Sources: https://learn.microsoft.com/rest/api/resourcehealth/events/list-by-subscription-id
https://learn.microsoft.com/rest/api/resourcehealth/impacted-resources/list-by-subscription-id-and-event-id
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox import arm_pages, azure_types
from sandbox.world import Resource, Subscription, World

TAIL = "/providers/Microsoft.ResourceHealth"


@dataclass
class ServiceIssue:
    """One issue. `resource_ids` (lower case) None: whatever is other than available in the region since it began."""

    tracking_id: str
    correlation_id: str
    title: str
    service: str
    region: str
    """As resources spell it: `westeurope`."""
    since: datetime
    changed: datetime
    status: str = "Active"
    resource_ids: frozenset[str] | None = None

    @property
    def region_name(self) -> str:
        """As Azure displays it: `West Europe`."""
        return azure_types.REGIONS[self.region]

    def impacts(self, resource: Resource) -> bool:
        """Whether it is the reason of a resource's present health."""
        if self.resource_ids is not None:
            return resource.id.lower() in self.resource_ids
        health = resource.health
        return (
            health is not None
            and resource.location == self.region
            and health.state != "Available"
            and (health.context or "").lower() != "customer initiated"
            and health.occurred >= self.since
        )


def every(world: World) -> dict[str, ServiceIssue]:
    """Tracking id -> issue, the resolved ones included; change it by `begin` and `resolve` only."""
    table: dict[str, ServiceIssue] = world.extra.setdefault("serviceIssues", {})
    return table


def begin(
    world: World,
    region: str,
    since: datetime,
    *,
    service: str = "Virtual Machines",
    title: str = "",
    resource_ids: frozenset[str] | None = None,
) -> ServiceIssue:
    """A new active issue."""
    table = every(world)
    letters = world.guid("serviceIssue", region, str(len(table))).replace("-", "").upper()
    issue = ServiceIssue(
        tracking_id=f"{letters[:4]}-{letters[4:7]}",
        correlation_id=world.guid("serviceIssueCorrelation", region, str(len(table))),
        title=title or f"{service} - {azure_types.REGIONS[region]}",
        service=service,
        region=region,
        since=since,
        changed=since,
        resource_ids=resource_ids,
    )
    table[issue.tracking_id] = issue
    _renew_lists(world)
    return issue


def resolve(world: World, issue: ServiceIssue) -> None:
    """It is over."""
    issue.status, issue.changed = "Resolved", world.clock.now()
    _renew_lists(world)


def _renew_lists(world: World) -> None:
    for subscription in world.subscriptions.values():
        subscription.version += 1


def of_subscription(world: World, subscription: Subscription) -> list[ServiceIssue]:
    """The issues that a subscription is told of: it has resources in the region, or among those named."""
    return [
        issue for issue in every(world).values() if any(_concerns(issue, r) for r in subscription.resources.values())
    ]


def _concerns(issue: ServiceIssue, resource: Resource) -> bool:
    return issue.impacts(resource) if issue.resource_ids is not None else resource.location == issue.region


def event(subscription: Subscription, issue: ServiceIssue) -> dict[str, Any]:
    """An issue as the subscription's events list it."""
    since, changed = arm_pages.timestamp(issue.since), arm_pages.timestamp(issue.changed)
    over = {"impactMitigationTime": changed} if issue.status == "Resolved" else {}
    return {
        "id": f"/subscriptions/{subscription.id}{TAIL}/events/{issue.tracking_id}",
        "name": issue.tracking_id,
        "type": "/providers/Microsoft.ResourceHealth/events",
        "properties": {
            "eventType": "ServiceIssue",
            "eventSource": "ServiceHealth",
            "status": issue.status,
            "title": issue.title,
            "summary": "An outage alert is being investigated. More information will be provided as it is known.",
            "level": "Critical",
            "eventLevel": "Critical",
            "isEventSensitive": False,
            "isHIR": False,
            "impactStartTime": since,
            "lastUpdateTime": changed,
            "impact": [
                {
                    "impactedService": issue.service,
                    "impactedRegions": [
                        {
                            "impactedRegion": issue.region_name,
                            "status": issue.status,
                            "impactedSubscriptions": [subscription.id],
                            "lastUpdateTime": changed,
                            "updates": [],
                        }
                    ],
                }
            ],
            **over,
        },
    }


def impacted(world: World, subscription: Subscription, issue: ServiceIssue) -> Iterator[dict[str, Any]]:
    """The subscription's resources that an issue impacts, as `impactedResources` lists them."""
    for resource in subscription.resources.values():
        if issue.impacts(resource):
            name = world.guid("impacted", issue.tracking_id, resource.id)
            yield {
                "id": f"/subscriptions/{subscription.id}{TAIL}/events/{issue.tracking_id}/impactedResources/{name}",
                "name": name,
                "type": "Microsoft.ResourceHealth/events/impactedResources",
                "properties": {
                    "targetResourceType": resource.type,
                    "targetResourceId": resource.id,
                    "targetRegion": resource.location,
                },
            }


def of_resource(world: World, resource: Resource) -> list[dict[str, Any]]:
    """`serviceImpactingEvents` of a resource's status."""
    return [
        {
            "eventStartTime": arm_pages.timestamp(issue.since),
            "eventStatusLastModifiedTime": arm_pages.timestamp(issue.changed),
            "correlationId": issue.correlation_id,
            "status": {"value": issue.status},
            "incidentProperties": {
                "title": issue.title,
                "service": issue.service,
                "region": issue.region_name,
                "incidentType": "outage",
            },
        }
        for issue in every(world).values()
        if issue.impacts(resource)
    ]
