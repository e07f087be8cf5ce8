"""What Azure sends, read without trust: pure. Whatever is not about the health of a resource gives no hint.

Sources: learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema and alerts-payload-samples (action groups),
learn.microsoft.com/azure/event-grid/event-schema-health-resources (Event Grid's schema and CloudEvents),
learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidInput

MAX_EVENTS = 5_000
"""In one request; Event Grid's own limit of a batch (learn.microsoft.com/azure/event-grid/delivery-and-retry)."""
MAX_CODE_CHARS = 200
COMMON_SCHEMA, ACTIVITY_LOG_SCHEMA = "azureMonitorCommonAlertSchema", "Microsoft.Insights/activityLogs"
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_HEALTH_TYPES = "microsoft.resourcenotifications.healthresources."
_HEALTH_SERVICES = frozenset({"resourcehealth", "servicehealth"})
"""`monitoringService` and `eventSource` without spaces; documentation and practice spell both ways."""
_HEALTH_OPERATIONS = ("microsoft.resourcehealth/", "microsoft.servicehealth/")
_SUBSCRIPTION = re.compile(
    r"^/?subscriptions/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=/|$)", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Parsed:
    """The subscriptions (lower case, each once, in order) that something was said of, and how much was passed over.

    `events` counts what the request carried; `ignored` those of them that are about something else.
    """

    subscriptions: tuple[str, ...]
    events: int
    ignored: int


def document(body: bytes) -> Any:
    """The JSON of a request. Raises InvalidInput."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body is no JSON that can be read.", target="body") from error


def azure_monitor(payload: Any) -> Parsed:
    """An action group's request: one alert, in the common schema or in that of activity logs.

    Raises InvalidInput when it is no JSON object.
    """
    if not isinstance(payload, dict):
        raise InvalidInput("An alert of Azure Monitor is a JSON object.", target="body")
    return _parsed([payload], _of_alert)


def event_grid(payload: Any) -> Parsed:
    """Event Grid's request: one event or an array of them, in its own schema or as CloudEvents, or both mixed.

    Raises InvalidInput when it is neither, or too many.
    """
    return _parsed(_events(payload), _of_event)


def validation_code(payload: Any) -> str | None:
    """The code with which Event Grid asks whether events are wanted here; None when it asks nothing."""
    for event in _events(payload):
        if isinstance(event, dict) and event.get("eventType") == VALIDATION:
            code = _object(event.get("data")).get("validationCode")
            if isinstance(code, str) and 0 < len(code) <= MAX_CODE_CHARS:
                return code
    return None


def _events(payload: Any) -> list[Any]:
    events = payload if isinstance(payload, list) else [payload]
    if not isinstance(payload, list | dict):
        raise InvalidInput("Events of Event Grid are a JSON object or an array of them.", target="body")
    if len(events) > MAX_EVENTS:
        raise InvalidInput(f"A request has at most {MAX_EVENTS} events.", target="body")
    return events


def _parsed(events: list[Any], read: Any) -> Parsed:
    found: dict[str, None] = {}
    ignored = 0
    for event in events:
        subscription = read(event) if isinstance(event, dict) else None
        if subscription is None:
            ignored += 1
        else:
            found[subscription] = None
    return Parsed(tuple(found), len(events), ignored)


def _of_alert(alert: dict[str, Any]) -> str | None:
    data = _object(alert.get("data"))
    if alert.get("schemaId") == ACTIVITY_LOG_SCHEMA:
        log = _object(_object(data.get("context")).get("activityLog"))
        return _first(_log_places(log)) if _is_health(log.get("eventSource"), log) else None
    if alert.get("schemaId") != COMMON_SCHEMA:
        return None
    essentials, context = _object(data.get("essentials")), _object(data.get("alertContext"))
    if not _is_health(essentials.get("monitoringService"), context):
        return None
    targets = essentials.get("alertTargetIDs")
    # The rule's own id comes last: a rule may live in another subscription than what it watches.
    return _first([*(targets if isinstance(targets, list) else []), *_log_places(context), essentials.get("alertId")])


def _log_places(log: dict[str, Any]) -> list[Any]:
    subscription = log.get("subscriptionId")
    return [log.get("resourceId"), f"/subscriptions/{subscription}" if isinstance(subscription, str) else None]


def _is_health(service: Any, log: dict[str, Any]) -> bool:
    """Whether Resource Health or Service Health speaks: by its name, else by the operation of the activity log."""
    if isinstance(service, str) and service.replace(" ", "").lower() in _HEALTH_SERVICES:
        return True
    operation = log.get("operationName")
    return isinstance(operation, str) and operation.lower().startswith(_HEALTH_OPERATIONS)


def _of_event(event: dict[str, Any]) -> str | None:
    kind = event.get("eventType") or event.get("type")
    if not isinstance(kind, str) or not kind.lower().startswith(_HEALTH_TYPES):
        return None
    info = _object(_object(event.get("data")).get("resourceInfo"))
    target = _object(info.get("properties")).get("targetResourceId")
    return _first([target, info.get("id"), event.get("subject"), event.get("source"), event.get("topic")])


def _first(places: Iterable[Any]) -> str | None:
    """The subscription of the first ARM id that names one."""
    return next(_subscriptions(places), None)


def _subscriptions(places: Iterable[Any]) -> Iterator[str]:
    for place in places:
        if isinstance(place, str) and (match := _SUBSCRIPTION.match(place)):
            yield match[1].lower()


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
