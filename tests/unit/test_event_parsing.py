"""What Azure sends is read without trust: published samples give their subscription, anything else gives nothing."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.hints import parse
from shared.hints.parse import Parsed

SUBSCRIPTION = "4970d23e-ed41-4670-9c19-02a1d2808dd9"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/TestRG/providers/Microsoft.Compute/virtualMachines/vm1"
CURRENT = f"{MACHINE}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"

ALERT: dict[str, Any] = {
    "schemaId": "azureMonitorCommonAlertSchema",
    "data": {
        "essentials": {
            "alertId": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/b9569717",
            "alertRule": "health",
            "severity": "Sev4",
            "signalType": "Activity Log",
            "monitorCondition": "Fired",
            "monitoringService": "Resource Health",
            "alertTargetIDs": [MACHINE.lower()],
            "configurationItems": ["vm1"],
            "originAlertId": "b9569717",
            "firedDateTime": "2019-06-24T15:42:54.074Z",
            "description": "",
            "essentialsVersion": "1.0",
            "alertContextVersion": "1.0",
        },
        "alertContext": {
            "channels": "Admin, Operation",
            "correlationId": "4d9a5b2f",
            "eventSource": "ResourceHealth",
            "eventTimestamp": "2019-06-24T15:42:54.074+00:00",
            "eventDataId": "4d9a5b2f",
            "level": "Informational",
            "operationName": "Microsoft.Resourcehealth/healthevent/Activated/action",
            "operationId": "4d9a5b2f",
            "properties": {
                "title": "This virtual machine is stopping as requested by an authorized user",
                "details": None,
                "currentHealthStatus": "Unavailable",
                "previousHealthStatus": "Available",
                "type": "Downtime",
                "cause": "UserInitiated",
            },
            "status": "Active",
            "submissionTimestamp": "2019-06-24T15:45:20.4488186+00:00",
        },
    },
}
"""learn.microsoft.com/azure/azure-monitor/alerts/alerts-payload-samples, Resource Health, in its frame."""

ACTIVITY_LOG: dict[str, Any] = {
    "schemaId": "Microsoft.Insights/activityLogs",
    "data": {
        "status": "Activated",
        "context": {
            "activityLog": {
                "eventSource": "ResourceHealth",
                "operationName": "Microsoft.Resourcehealth/healthevent/Activated/action",
                "properties": {"currentHealthStatus": "Unavailable", "cause": "PlatformInitiated"},
                "resourceId": MACHINE,
                "subscriptionId": SUBSCRIPTION,
                "status": "Active",
            }
        },
    },
}
"""learn.microsoft.com/azure/azure-monitor/alerts/activity-log-alerts-webhook: without the common schema."""

EVENT: dict[str, Any] = {
    "id": "1fb6fa94-d965-4306-abeq-4810f0774e97",
    "topic": f"/subscriptions/{SUBSCRIPTION}",
    "subject": CURRENT,
    "data": {
        "resourceInfo": {
            "id": CURRENT,
            "name": "current",
            "type": "Microsoft.ResourceHealth/availabilityStatuses",
            "properties": {
                "targetResourceId": MACHINE,
                "targetResourceType": "Microsoft.Compute/virtualMachines",
                "occurredTime": "2022-11-10T19:59:59.6470000Z",
                "previousAvailabilityState": "Unavailable",
                "availabilityState": "Available",
            },
        },
        "apiVersion": "2020-09-01",
    },
    "eventType": "Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged",
    "dataVersion": "1",
    "metadataVersion": "1",
    "eventTime": "2022-11-10T19:59:59.6470000Z",
}
"""learn.microsoft.com/azure/event-grid/event-schema-health-resources."""

CLOUD_EVENT: dict[str, Any] = {
    "id": "8945cf9b-e220-496e-ab4f-f3a239318995",
    "source": f"/subscriptions/{SUBSCRIPTION}",
    "subject": CURRENT,
    "type": "Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated",
    "time": "2023-07-24T19:20:37.9245071Z",
    "data": {
        "resourceInfo": {
            "id": CURRENT,
            "properties": {
                "targetResourceId": MACHINE,
                "annotationName": "VirtualMachineDeallocationInitiated",
                "context": "Customer Initiated",
            },
        }
    },
    "specversion": "1",
}
ONE = Parsed((SUBSCRIPTION,), 1, 0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def changed(event: dict[str, Any], *path: str, to: Any) -> dict[str, Any]:
    """A copy with one value replaced."""
    copied = copy.deepcopy(event)
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return copied


def test_a_common_alert_names_the_subscription_of_its_target() -> None:
    assert parse.azure_monitor(ALERT) == ONE


def test_a_service_spelled_in_one_word_is_the_same() -> None:
    assert parse.azure_monitor(changed(ALERT, "data", "essentials", "monitoringService", to="ResourceHealth")) == ONE


def test_an_alert_of_service_health_is_a_hint_too() -> None:
    alert = changed(ALERT, "data", "essentials", "monitoringService", to="ServiceHealth")
    alert = changed(alert, "data", "essentials", "alertTargetIDs", to=[f"/subscriptions/{SUBSCRIPTION}"])
    # As published: numbers where others have names.
    alert = changed(alert, "data", "alertContext", to={"channels": 1, "eventSource": 2, "level": 3, "claims": None})
    assert parse.azure_monitor(alert) == ONE


def test_an_alert_whose_service_is_not_named_is_known_by_its_operation() -> None:
    alert = changed(ALERT, "data", "essentials", "monitoringService", to="Activity Log")
    assert parse.azure_monitor(alert) == ONE


@pytest.mark.parametrize("service", ["Platform", "Log Alerts V2", "Activity Log - Administrative", None, 7])
def test_an_alert_about_something_else_is_no_hint(service: Any) -> None:
    alert = changed(ALERT, "data", "essentials", "monitoringService", to=service)
    alert = changed(
        alert, "data", "alertContext", "operationName", to="Microsoft.Compute/virtualMachines/restart/action"
    )
    assert parse.azure_monitor(alert) == Parsed((), 1, 1)


def test_the_target_counts_more_than_where_the_rule_lives() -> None:
    rule = "/subscriptions/00000000-0000-4000-8000-000000000000/providers/Microsoft.AlertsManagement/alerts/1"
    assert parse.azure_monitor(changed(ALERT, "data", "essentials", "alertId", to=rule)) == ONE
    untargeted = changed(ALERT, "data", "essentials", "alertTargetIDs", to=[])
    assert parse.azure_monitor(untargeted) == ONE


def test_the_older_schema_of_activity_logs_is_understood() -> None:
    assert parse.azure_monitor(ACTIVITY_LOG) == ONE
    other = changed(ACTIVITY_LOG, "data", "context", "activityLog", "eventSource", to="Administrative")
    other = changed(other, "data", "context", "activityLog", "operationName", to="Microsoft.Web/sites/write")
    assert parse.azure_monitor(other) == Parsed((), 1, 1)


@pytest.mark.parametrize("event", [EVENT, CLOUD_EVENT], ids=["eventGrid", "cloudEvents"])
def test_an_event_of_health_resources_names_its_subscription(event: dict[str, Any]) -> None:
    assert parse.event_grid(event) == ONE
    assert parse.event_grid([event]) == ONE


def test_a_batch_names_each_subscription_once_in_order() -> None:
    other = "00000000-0000-4000-8000-00000000000a"
    second = json.loads(json.dumps(CLOUD_EVENT).replace(SUBSCRIPTION, other.upper()))
    found = parse.event_grid([EVENT, second, {"type": "Microsoft.Storage.BlobCreated"}, EVENT, "text", CLOUD_EVENT])
    assert found == Parsed((SUBSCRIPTION, other), 6, 2)


def test_an_event_without_a_target_falls_back_to_its_subject_and_topic() -> None:
    bare = changed(EVENT, "data", to={})
    assert parse.event_grid(bare) == ONE
    assert parse.event_grid(changed(bare, "subject", to="")) == ONE
    assert parse.event_grid(changed(changed(bare, "subject", to=""), "topic", to="x")) == Parsed((), 1, 1)


def test_more_events_than_event_grid_ever_sends_are_refused() -> None:
    assert parse.event_grid([EVENT] * parse.MAX_EVENTS).events == parse.MAX_EVENTS
    with pytest.raises(InvalidInput):
        parse.event_grid([EVENT] * (parse.MAX_EVENTS + 1))


def test_a_validation_event_gives_its_code_and_no_other_event_does() -> None:
    asked = {"eventType": parse.VALIDATION, "data": {"validationCode": "512d38b6", "validationUrl": "https://x"}}
    assert parse.validation_code([asked]) == "512d38b6"
    assert parse.validation_code(asked) == "512d38b6"
    assert parse.validation_code([EVENT]) is None
    assert parse.validation_code([{"eventType": parse.VALIDATION, "data": {"validationCode": {"a": 1}}}]) is None
    assert parse.validation_code([{"eventType": parse.VALIDATION, "data": {"validationCode": "x" * 201}}]) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"])
def test_what_is_no_json_is_the_callers_error(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse.document(body)


@pytest.mark.parametrize("payload", ["text", 7, None, True])
def test_what_is_no_object_is_the_callers_error(payload: Any) -> None:
    with pytest.raises(InvalidInput):
        parse.azure_monitor(payload)
    with pytest.raises(InvalidInput):
        parse.event_grid(payload)


def replaced(draw: st.DrawFn, value: Any) -> Any:
    """The value with one place in it, somewhere, replaced by anything, or taken away."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.booleans()) and not isinstance(value[name], dict | list):
            return {key: inner for key, inner in value.items() if key != name}
        return value | {name: replaced(draw, value[name])}
    if isinstance(value, list) and value:
        return [replaced(draw, value[0]), *value[1:]]
    return draw(JSON)


@st.composite
def mangled(draw: st.DrawFn) -> Any:
    """A published sample with up to three things wrong."""
    value: Any = copy.deepcopy(draw(st.sampled_from([ALERT, ACTIVITY_LOG, EVENT, CLOUD_EVENT, [EVENT, CLOUD_EVENT]])))
    for _ in range(draw(st.integers(0, 3))):
        value = replaced(draw, value)
    return value


@given(mangled() | JSON)
def test_whatever_is_sent_gives_subscription_ids_or_a_refusal(payload: Any) -> None:
    for read in (parse.azure_monitor, parse.event_grid):
        try:
            found = read(payload)
        except InvalidInput:
            continue
        assert set(found.subscriptions) <= {SUBSCRIPTION}
        assert 0 <= found.ignored <= found.events
        assert len(found.subscriptions) <= found.events - found.ignored


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse.event_grid(parse.document(body))
    except InvalidInput:
        return
