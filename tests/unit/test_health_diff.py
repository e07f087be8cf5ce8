"""What a poll makes of Azure's answers: the join, the digest and the plan of writes. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.devices.records import CHANGES, DEVICES, EVENTS, Device, device_id, status_of, subscription_of
from shared.health import observe
from shared.health.diff import DEVICES_PER_TRANSACTION, Plan, diff
from shared.store.tables import MAX_DATA_CHARS, TRANSACTION_LIMIT, encode

SUBSCRIPTION = "0f0e0d0c-0000-4000-8000-00000000000a"
TENANT = "11111111-0000-4000-8000-000000000001"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
STATES = st.sampled_from(["Available", "Unavailable", "Degraded", "Unknown", None])


def resource(name: str = "vm1", kind: str = "Microsoft.Compute/virtualMachines", **more: Any) -> dict[str, Any]:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web-RG/providers/{kind}/{name}"
    return {"id": path, "name": name, "type": kind, "location": "westeurope", **more}


def status(of: dict[str, Any], state: str | None, **properties: Any) -> dict[str, Any]:
    properties = {"availabilityState": state, "occuredTime": "2026-03-01T10:00:00.1234567Z", **properties}
    path = f"{of['id']}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
    return {"id": path, "name": "current", "properties": properties}


def see(
    *pairs: tuple[dict[str, Any], dict[str, Any] | None], power: dict[str, str] | None = None
) -> list[observe.Seen]:
    statuses = [health for _, health in pairs if health is not None]
    return observe.join([found for found, _ in pairs], statuses, power or {})


def plan(stored: list[Device], seen: list[observe.Seen], now: datetime = LATER) -> Plan:
    rows = {device.id: device for device in stored}
    return diff(rows, seen, tenant_id=TENANT, subscription_id=SUBSCRIPTION, now=now)


def reread(devices: list[Device]) -> list[Device]:
    """As they come back from the table."""
    return [Device.model_validate_json(device.model_dump_json(exclude_none=True)) for device in devices]


def test_ids_are_joined_whatever_their_case_and_the_spelling_of_the_last_segment() -> None:
    found = resource()
    health = status(found, "Available")
    health["id"] = health["id"].lower().replace("availabilitystatuses", "AvailabilityStatueses")
    [seen] = see((found, health))
    assert seen.listed
    assert seen.state == "Available"
    assert seen.resource_id == found["id"]
    assert seen.resource_group == "Web-RG"


def test_what_resource_health_does_not_list_is_not_reported_and_never_healthy() -> None:
    result = plan([], see((resource(kind="Microsoft.Network/networkInterfaces"), None)))
    assert result.devices[0].health.status == "notReported"
    assert not result.has_events


def test_a_null_state_is_unknown() -> None:
    assert plan([], see((resource(), status(resource(), None)))).devices[0].health.status == "unknown"
    assert status_of("SomethingNew") == "unknown"


def test_a_status_without_its_resource_is_dropped() -> None:
    deleted = resource("gone")
    assert [seen.name for seen in observe.join([resource()], [status(deleted, "Unavailable")], {})] == ["vm1"]


def test_reported_time_changes_nothing() -> None:
    first = see((resource(), status(resource(), "Available", reportedTime="2026-03-01T10:00:00Z")))
    second = see((resource(), status(resource(), "Available", reportedTime="2026-03-01T11:00:00Z")))
    assert observe.digest_of(first) == observe.digest_of(second)


@pytest.mark.parametrize(
    "types, kinds",
    [
        ([], ""),
        (["Microsoft.Storage/storageAccounts", "Microsoft.Compute/virtualMachineScaleSets"], ""),
        (["microsoft.compute/VIRTUALMACHINES"], "m"),
        (["Microsoft.web/Sites"], "r"),
        (["Microsoft.Compute/virtualMachines", "Microsoft.Insights/metricAlerts"], "mr"),
    ],
)
def test_the_digest_tells_whose_run_states_are_read_in_bulk(types: list[str], kinds: str) -> None:
    seen = see(*((resource(f"r{number}", kind), None) for number, kind in enumerate(types)))
    assert observe.kinds_in(observe.digest_of(seen)) == set(kinds)
    assert observe.kinds_in(None) == set()


def test_a_new_unhealthy_device_has_a_change_and_an_event_and_a_healthy_one_has_none() -> None:
    sick, well = resource("sick"), resource("well")
    result = plan([], see((sick, status(sick, "Unavailable", summary="Host fault")), (well, status(well, "Available"))))
    steps = {step.device.name: step for step in result.steps}
    assert steps["well"].change is None
    assert steps["well"].event is None
    change = steps["sick"].change
    assert change is not None
    assert (change.before, change.after, change.reason) == (None, "unavailable", "Host fault")
    assert change.at == datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
    assert change.seen_at == LATER


def test_another_status_writes_the_device_its_change_and_its_event_together() -> None:
    stored = plan([], see((resource(), status(resource(), "Available"))), NOW).devices
    seen = see((resource(), status(resource(), "Degraded", occuredTime="2026-03-01T12:05:00Z", context="VM Initiated")))
    [step] = plan(stored, seen).steps
    assert step.change is not None
    assert step.event is not None
    assert (step.change.before, step.change.after, step.change.context) == ("available", "degraded", "VM Initiated")
    assert step.device.health.since == datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    assert {DEVICES.key(step.device)[0], CHANGES.key(step.change)[0], EVENTS.key(step.event)[0]} == {SUBSCRIPTION}


def test_another_cause_while_unavailable_is_a_change_and_another_text_is_not() -> None:
    base = {"context": "Customer Initiated", "reasonType": "UserInitiated"}
    stored = plan([], see((resource(), status(resource(), "Unavailable", **base))), NOW).devices
    text = see((resource(), status(resource(), "Unavailable", **base, summary="Still")))
    cause = see((resource(), status(resource(), "Unavailable", context="Platform Initiated")))
    assert not plan(stored, text).has_events
    assert plan(stored, text).steps[0].device.health.reason == "Still"
    assert plan(stored, cause).has_events


def test_a_device_that_left_azure_is_deleted_with_an_event() -> None:
    stored = plan([], see((resource(), status(resource(), "Unavailable"))), NOW).devices
    result = plan(stored, [])
    [step] = result.steps
    assert step.deleted
    assert step.event is not None
    assert step.event.change.after is None
    assert result.devices == []


def test_a_power_state_is_shown_and_makes_no_event() -> None:
    found = resource()
    stored = plan([], see((found, status(found, "Available")), power={found["id"].lower(): "running"}), NOW).devices
    assert stored[0].power_state == "running"
    result = plan(stored, see((found, status(found, "Available")), power={found["id"].lower(): "deallocated"}))
    assert result.devices[0].power_state == "deallocated"
    assert not result.has_events


def test_since_of_what_azure_gives_no_time_for_is_when_it_was_first_seen_so() -> None:
    found = resource(kind="Microsoft.Network/networkInterfaces")
    stored = plan([], see((found, None)), NOW).devices
    assert stored[0].health.since == NOW
    assert plan(stored, see((found, None)), LATER).steps == []


def test_links_that_only_the_portal_understands_are_left_out() -> None:
    actions = [
        {"action": "Start it", "actionUrl": "<#ResourceBlade>"},
        {"action": "Read", "actionUrl": "https://aka.ms/x"},
        {"action": "Trap", "actionUrl": "javascript:alert(1)"},
    ]
    device = plan([], see((resource(), status(resource(), "Unavailable", recommendedActions=actions)))).devices[0]
    assert device.health.recommended_actions == [
        {"text": "Start it"},
        {"text": "Read", "url": "https://aka.ms/x"},
        {"text": "Trap"},
    ]


def impacting(state: str, title: str, begin: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    """A service issue as a status names it."""
    return {
        "eventStartTime": begin,
        "correlationId": f"id of {title}",
        "status": {"value": state},
        "incidentProperties": {"title": title, "service": "Virtual Machines"},
    }


def test_an_active_service_issue_is_noted_while_the_device_is_not_available() -> None:
    machine = resource()
    issues = [
        impacting("Active", "older"),
        impacting("Active", "newer", "2026-01-02T00:00:00Z"),
        impacting("Resolved", "over", "2026-01-03T00:00:00Z"),
    ]
    [down] = see((machine, status(machine, "Unavailable", serviceImpactingEvents=issues)))
    assert observe.health_of(down).service_issue == "id of newer"
    assert observe.health_of(down).service_issue_title == "newer"
    for state, named in (("Available", issues), ("Unavailable", issues[2:]), ("Unavailable", [])):
        [seen] = see((machine, status(machine, state, serviceImpactingEvents=named)))
        assert observe.health_of(seen).service_issue is None
    [bare] = see((machine, status(machine, "Degraded", serviceImpactingEvents=[{"status": {"value": "Active"}}, {}])))
    assert observe.health_of(bare).service_issue is None


def test_a_device_id_names_its_subscription_and_ignores_case() -> None:
    path = resource()["id"]
    assert device_id(SUBSCRIPTION, path) == device_id(SUBSCRIPTION.upper(), path.upper())
    assert subscription_of(device_id(SUBSCRIPTION, path)) == SUBSCRIPTION
    assert subscription_of("0" * 51) == ""
    assert subscription_of("z" * 52) == ""


def test_every_transaction_fits_what_table_storage_takes() -> None:
    found = [resource(f"vm{number}") for number in range(DEVICES_PER_TRANSACTION * 2 + 1)]
    groups = list(plan([], see(*((one, status(one, "Unavailable")) for one in found))).transactions())
    assert [len(group) for group in groups] == [DEVICES_PER_TRANSACTION, DEVICES_PER_TRANSACTION, 1]
    assert DEVICES_PER_TRANSACTION * 3 <= TRANSACTION_LIMIT


@given(
    tags=st.dictionaries(st.text(max_size=512), st.text(max_size=256), max_size=50),
    text=st.text(max_size=3000),
    count=st.integers(0, 20),
)
def test_the_rows_of_any_device_fit_the_table(tags: dict[str, str], text: str, count: int) -> None:
    actions = [{"action": text, "actionUrl": f"https://{text}"} for _ in range(count)]
    health = status(resource(), "Unavailable", summary=text, recommendedActions=actions, context=text, category=text)
    [step] = plan([], see((resource(tags=tags), health))).steps
    assert step.change is not None
    assert step.event is not None
    for entity in (encode(DEVICES, step.device), encode(CHANGES, step.change), encode(EVENTS, step.event)):
        assert len(entity["data"]) <= MAX_DATA_CHARS


OBSERVATIONS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), STATES, st.sampled_from(["2026-03-01T09:00:00Z", "", "garbled"])),
    max_size=8,
    unique_by=lambda entry: entry[0],
)


def _seen(entries: list[tuple[int, bool, str | None, str]]) -> list[observe.Seen]:
    pairs = []
    for number, listed, state, at in entries:
        found = resource(f"vm{number}")
        pairs.append((found, status(found, state, occuredTime=at) if listed else None))
    return see(*pairs)


@given(before=OBSERVATIONS, after=OBSERVATIONS)
def test_applying_a_plan_brings_the_store_to_what_was_seen_and_the_next_one_is_empty(
    before: list[tuple[int, bool, str | None, str]], after: list[tuple[int, bool, str | None, str]]
) -> None:
    stored = reread(plan([], _seen(before), NOW).devices)
    result = plan(stored, _seen(after), LATER)
    assert {d.name for d in result.devices} == {s.name for s in _seen(after)}
    assert plan(reread(result.devices), _seen(after), LATER + timedelta(hours=1)).steps == []


@given(before=OBSERVATIONS, after=OBSERVATIONS)
def test_there_is_an_event_exactly_where_there_is_a_change_and_statuses_that_differ_always_have_one(
    before: list[tuple[int, bool, str | None, str]], after: list[tuple[int, bool, str | None, str]]
) -> None:
    stored = reread(plan([], _seen(before), NOW).devices)
    old = {device.id: device.health.status for device in stored}
    for step in plan(stored, _seen(after), LATER).steps:
        assert (step.change is None) == (step.event is None)
        if step.deleted or (step.device.id in old and old[step.device.id] != step.device.health.status):
            assert step.change is not None


@given(entries=OBSERVATIONS)
def test_the_digest_does_not_depend_on_the_order_of_the_answers(
    entries: list[tuple[int, bool, str | None, str]],
) -> None:
    assert observe.digest_of(_seen(entries)) == observe.digest_of(_seen(entries[::-1]))


@given(
    rounds=st.lists(
        st.tuples(OBSERVATIONS, st.one_of(st.integers(-3, 3), st.integers(-90_000_000, 90_000_000))),
        min_size=2,
        max_size=6,
    ),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
)
def test_keys_of_the_events_of_a_known_device_strictly_rise_whatever_the_clocks_say(
    rounds: list[tuple[list[tuple[int, bool, str | None, str]], int]], start: datetime
) -> None:
    stored: list[Device] = []
    last: dict[str, tuple[str, str]] = {}
    for entries, milliseconds in rounds:
        known = {device.id for device in stored}
        last = {identifier: keys for identifier, keys in last.items() if identifier in known}
        result = plan(stored, _seen(entries), start + timedelta(milliseconds=milliseconds))
        for step in result.steps:
            if step.event is None or step.change is None:
                continue
            keys = EVENTS.key(step.event)[1], CHANGES.key(step.change)[1]
            if step.device.id in last:
                event, change = last[step.device.id]
                assert keys[0] > event
                assert keys[1] < change, "newest first"
            last[step.device.id] = keys
        stored = reread(result.devices)
