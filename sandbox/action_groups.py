"""Action groups and event subscriptions: other people's addresses that Azure tells of a resource's health.

As with the real ones, events may come late, twice, and in another order than they happened; Azure tries again while an
address fails. Sources: learn.microsoft.com/azure/azure-monitor/alerts/alerts-payload-samples,
learn.microsoft.com/azure/azure-monitor/alerts/action-groups (secure webhook, retries),
learn.microsoft.com/azure/event-grid/event-schema-health-resources,
learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema (and -cloud-events-schema).
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from sandbox import arm_pages, entra, tokens
from sandbox.azure_types import VM
from sandbox.wire import CloudError
from sandbox.world import Cloud, Health, Resource

Schema = Literal["commonAlert", "eventGrid", "cloudEvents"]
SCHEMAS: tuple[Schema, ...] = ("commonAlert", "eventGrid", "cloudEvents")
ACTION_GROUPS, EVENT_GRID = "action-groups", "event-grid"
"""Names of Microsoft's own applications in a world, whose tokens secure deliveries carry."""
MACHINES = {VM.lower(), "microsoft.compute/virtualmachinescalesets"}
"""Event Grid tells of these only."""
TRIES = 5
TIMEOUT_SECONDS = 30.0
BATCH_SECONDS = 0.1
"""So long Event Grid waits for a batch to fill."""
ORIGIN = "eventgrid.azure.net"


@dataclass
class Group:
    """One address. Times are milliseconds of wall time."""

    url: str
    schema: Schema
    secure: bool = False
    """Each request carries an Entra token of Microsoft's application for Tenantry's API."""
    subscription_ids: list[str] | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Up to so much is added at random to each event's delay: they arrive in any order."""
    duplicates: int = 0
    """How often each event is sent again."""
    batch: int = 1
    """Events in one request at most (Event Grid)."""
    retry_ms: float = 1000.0
    waiting: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class State:
    """The groups of a world, and what was sent to them."""

    groups: list[Group] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    """`{at (begin of the request, ISO), schema, status, try, events: [ids], resources: [ids]}`; status 0: no answer."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


def state(cloud: Cloud) -> State:
    """Of the present world."""
    found: State = cloud.world.extra.setdefault("actionGroups", State())
    return found


async def replace(cloud: Cloud, groups: list[Group]) -> None:
    """Set all groups. Those of Event Grid prove their address first, as a new event subscription does.

    Raises CloudError 400 when an address does not.
    """
    for group in groups:
        if group.schema != "commonAlert":
            await _validate(cloud, group)
    state(cloud).groups = groups


def tell(cloud: Cloud, resource: Resource, before: Health | None) -> None:
    """A resource's health has changed: send it to every group that listens, without waiting for it."""
    health = resource.health
    if health is None or (before is not None and before.state == health.state):
        return
    for group in state(cloud).groups:
        if group.subscription_ids is not None and resource.subscription_id not in group.subscription_ids:
            continue
        if group.schema != "commonAlert" and resource.type.lower() not in MACHINES:
            continue
        event = _MAKERS[group.schema](resource, before, health)
        for _ in range(1 + group.duplicates):
            _begin(cloud, _deliver_later(cloud, group, event))


def _begin(cloud: Cloud, work: Any) -> None:
    tasks = state(cloud).tasks
    task: asyncio.Task[None] = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _deliver_later(cloud: Cloud, group: Group, event: dict[str, Any]) -> None:
    world = cloud.world
    await asyncio.sleep((group.delay_ms + world.rng.uniform(0, group.jitter_ms)) / 1000)
    if group.batch > 1:
        group.waiting.append(event)
        if len(group.waiting) > 1:
            return
        await asyncio.sleep(BATCH_SECONDS)
        events, group.waiting = group.waiting, []
        for begin in range(0, len(events), group.batch):
            await _deliver(cloud, group, events[begin : begin + group.batch])
    elif cloud.world is world:
        await _deliver(cloud, group, [event])


async def _deliver(cloud: Cloud, group: Group, events: list[dict[str, Any]]) -> None:
    world, body, media = cloud.world, _body(group, events), _media(group)
    for number in range(1, TRIES + 1):
        if cloud.world is not world:
            return
        row = {
            "at": cloud.clock.now().isoformat(),
            "schema": group.schema,
            "status": 0,
            "try": number,
            "events": [_id(event) for event in events],
            "resources": [_target(event) for event in events],
        }
        try:
            answer = await _send(cloud, group, "POST", media, body, {"aeg-event-type": "Notification"})
            row["status"] = answer.status_code
        except httpx.HTTPError as error:
            row["error"] = str(error)
        state(cloud).sent.append(row)
        if 200 <= int(str(row["status"])) < 300 or int(str(row["status"])) in (400, 401, 403, 404, 413):
            return
        await asyncio.sleep(group.retry_ms / 1000)


def _body(group: Group, events: list[dict[str, Any]]) -> Any:
    if group.schema == "eventGrid" or (group.schema == "cloudEvents" and group.batch > 1):
        return events
    return events[0]


def _media(group: Group) -> str:
    kind = {"cloudEvents": "cloudevents-batch+json" if group.batch > 1 else "cloudevents+json"}
    return f"application/{kind.get(group.schema, 'json')}; charset=utf-8"


def _id(event: dict[str, Any]) -> str:
    return str(event["id"] if "id" in event else event["data"]["essentials"]["originAlertId"])


def _target(event: dict[str, Any]) -> str:
    """The resource (lower case) that an event is about."""
    data = event["data"]
    if "essentials" in data:
        return str(data["essentials"]["alertTargetIDs"][0])
    return str(data["resourceInfo"]["properties"]["targetResourceId"]).lower()


async def _send(
    cloud: Cloud, group: Group, method: str, media: str, body: Any, headers: dict[str, str]
) -> httpx.Response:
    sent = dict(headers) if group.schema != "commonAlert" else {}
    if group.secure:
        sent["Authorization"] = f"Bearer {_token(cloud, group)}"
    if body is not None:
        sent["Content-Type"] = media
    content = None if body is None else httpx.Request("POST", "http://x", json=body).content
    async with httpx.AsyncClient(verify=_tls(cloud), trust_env=False, timeout=TIMEOUT_SECONDS) as client:
        return await client.request(method, group.url, content=content, headers=sent)


def _tls(cloud: Cloud) -> ssl.SSLContext:
    """Made once: loading the authorities takes longer than a request."""
    if "tls" not in _CONTEXTS:
        _CONTEXTS["tls"] = ssl.create_default_context(cafile=str(cloud.ca_path))
    return _CONTEXTS["tls"]


_CONTEXTS: dict[str, ssl.SSLContext] = {}


def _token(cloud: Cloud, group: Group) -> str:
    """A token of Microsoft's application for Tenantry's API, in the provider's tenant."""
    world = cloud.world
    app = world.applications[ACTION_GROUPS if group.schema == "commonAlert" else EVENT_GRID]
    claims = entra.app_claims(cloud, app, world.partner, world.applications["tenantry-api"].app_id)
    return tokens.sign(cloud, claims)


async def _validate(cloud: Cloud, group: Group) -> None:
    """Event Grid's handshake. Raises CloudError 400 as creating the event subscription would."""
    code = str(uuid.uuid4())
    try:
        if group.schema == "cloudEvents":
            answer = await _send(cloud, group, "OPTIONS", "", None, {"WebHook-Request-Origin": ORIGIN})
            proved = answer.headers.get("webhook-allowed-origin") in (ORIGIN, "*")
        else:
            event = _validation_event(code)
            answer = await _send(
                cloud, group, "POST", _media(group), [event], {"aeg-event-type": "SubscriptionValidation"}
            )
            given = answer.json() if answer.content else None
            proved = isinstance(given, dict) and given.get("validationResponse") == code
    except (httpx.HTTPError, ValueError) as error:
        raise CloudError(400, "Url validation", f"The attempt to validate the endpoint failed: {error}") from error
    if answer.status_code != 200 or not proved:
        raise CloudError(
            400, "Url validation", f"The attempt to validate the endpoint failed: it answered {answer.status_code}."
        )


def _validation_event(code: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/00000000-0000-0000-0000-000000000000",
        "subject": "",
        "data": {
            "validationCode": code,
            "validationUrl": f"https://rp-eastus2.eventgrid.azure.net:553/eventsubscriptions/health/validate?id={code}",
        },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2026-01-25T22:12:19.4556811Z",
        "metadataVersion": "1",
        "dataVersion": "1",
    }


def _common_alert(resource: Resource, before: Health | None, health: Health) -> dict[str, Any]:
    """An activity log alert of Resource Health in the common alert schema."""
    origin, subscription = str(uuid.uuid4()), f"/subscriptions/{resource.subscription_id}"
    over = health.state == "Available"
    by_user = (health.context or "").lower() == "customer initiated"
    occurred = health.occurred.isoformat()
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": f"{subscription}/providers/Microsoft.AlertsManagement/alerts/{uuid.uuid4()}",
                "alertRule": "Resource health",
                "severity": "Sev4",
                "signalType": "Activity Log",
                "monitorCondition": "Fired",
                "monitoringService": "Resource Health",
                "alertTargetIDs": [resource.id.lower()],
                "configurationItems": [resource.name],
                "originAlertId": origin,
                "firedDateTime": occurred,
                "description": "",
                "essentialsVersion": "1.0",
                "alertContextVersion": "1.0",
            },
            "alertContext": {
                "channels": "Admin, Operation",
                "correlationId": str(uuid.uuid4()),
                "eventSource": "ResourceHealth",
                "eventTimestamp": occurred,
                "eventDataId": origin,
                "level": "Informational" if over else "Critical",
                "operationName": f"Microsoft.Resourcehealth/healthevent/{'Resolved' if over else 'Activated'}/action",
                "operationId": origin,
                "properties": {
                    "title": health.summary,
                    "details": None,
                    "currentHealthStatus": health.state or "Unknown",
                    "previousHealthStatus": (before.state if before else None) or "Unknown",
                    "type": "Downtime",
                    "cause": "UserInitiated" if by_user else "PlatformInitiated",
                },
                "status": "Resolved" if over else "Active",
                "submissionTimestamp": occurred,
            },
        },
    }


def _health_resources(resource: Resource, before: Health | None, health: Health) -> dict[str, Any]:
    return {
        "resourceInfo": {
            "id": f"{resource.id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current",
            "name": "current",
            "type": "Microsoft.ResourceHealth/availabilityStatuses",
            "properties": {
                "targetResourceId": resource.id,
                "targetResourceType": resource.type,
                "occurredTime": arm_pages.timestamp(health.occurred),
                "previousAvailabilityState": (before.state if before else None) or "Unknown",
                "availabilityState": health.state or "Unknown",
            },
        },
        "operationalInfo": {"resourceEventTime": health.occurred.isoformat()},
        "apiVersion": "2023-12-01",
    }


def _event_grid(resource: Resource, before: Health | None, health: Health) -> dict[str, Any]:
    """An event of the system topic HealthResources in Event Grid's own schema."""
    data = _health_resources(resource, before, health)
    return {
        "id": str(uuid.uuid4()),
        "topic": f"/subscriptions/{resource.subscription_id}",
        "subject": data["resourceInfo"]["id"],
        "data": data,
        "eventType": "Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged",
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": arm_pages.timestamp(health.occurred),
    }


def _cloud_event(resource: Resource, before: Health | None, health: Health) -> dict[str, Any]:
    """The same as a CloudEvent."""
    data = _health_resources(resource, before, health)
    return {
        "id": str(uuid.uuid4()),
        "source": f"/subscriptions/{resource.subscription_id}",
        "subject": data["resourceInfo"]["id"],
        "type": "Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged",
        "time": arm_pages.timestamp(health.occurred),
        "data": data,
        "specversion": "1.0",
    }


_MAKERS = {"commonAlert": _common_alert, "eventGrid": _event_grid, "cloudEvents": _cloud_event}
