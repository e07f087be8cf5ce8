"""Where alerts lie: ids lead to rows, closed ones are in order, a timeline stays bounded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from shared.alerts import outages, texts
from shared.alerts.records import (
    ALERTS,
    MARKS_KEPT,
    NAME_CHARS,
    NAMES_KEPT,
    REASON_CHARS,
    TIMELINE_LIMIT,
    Alert,
    Issue,
    Member,
    Members,
    OutageCondition,
    SelfCondition,
    Step,
    Subject,
    alert_id,
    closed_key,
    extended,
    order,
    parse_id,
)
from shared.devices import Change, device_id
from shared.incidents.cause import sighting_of
from shared.incidents.records import INCIDENTS, SIGHTINGS_KEPT, CloseReason, Condition, Effect, Incident
from shared.store.tables import encode

START = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
RESOURCE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
DEVICE = device_id(SUBSCRIPTION, RESOURCE)
TIMES = st.integers(0, 7_000_000_000_000_000).map(lambda micros: START + timedelta(microseconds=micros))


@given(TIMES)
def test_an_id_leads_to_the_device_and_the_time_of_opening(at: datetime) -> None:
    assert parse_id(alert_id(DEVICE, at)) == (DEVICE, at.replace(microsecond=at.microsecond // 1000 * 1000))


@given(TIMES)
def test_a_closed_alert_is_found_by_its_id(at: datetime) -> None:
    place = parse_id(alert_id(DEVICE, at))
    assert place is not None
    assert closed_key(*place) == closed_key(DEVICE, at)


@given(st.text(max_size=80))
def test_any_text_as_an_id_is_parsed_or_refused(text: str) -> None:
    place = parse_id(text)
    assert place is None or closed_key(*place)[1]


@given(TIMES, TIMES)
def test_closed_alerts_lie_in_order_newest_first_across_months(one: datetime, other: datetime) -> None:
    millisecond = timedelta(milliseconds=1)
    if one - other >= millisecond:
        assert order(DEVICE, one) < order(DEVICE, other)
        assert closed_key(DEVICE, one)[0] >= closed_key(DEVICE, other)[0]


def test_a_timeline_keeps_its_beginning_and_its_latest_steps() -> None:
    timeline: list[Step] = []
    for minute in range(TIMELINE_LIMIT * 2):
        timeline = extended(timeline, Step(at=START + timedelta(minutes=minute), what="changed"))
    assert len(timeline) == TIMELINE_LIMIT
    assert timeline[0].at == START
    assert timeline[-1].at == START + timedelta(minutes=TIMELINE_LIMIT * 2 - 1)


def full(text: str) -> Alert:
    """An outage as large as one can become."""
    devices = [
        Member(id=DEVICE, name=f"{number:03d}{text}"[:NAME_CHARS], status="notReported") for number in range(NAMES_KEPT)
    ]
    issue = Issue(id="0DET-URB", title=text[:200], service=text[:200], region=text[:200], url="x" * 100)
    alert = Alert(
        id=alert_id("g", START),
        kind="outage",
        subject_id="g",
        condition="outage",
        opened_at=START,
        status_reason=text[:REASON_CHARS],
        subject=Subject(name=text[:200], resource_id=text[:500], url=text[:600], client_name=text[:200]),
        members=Members(count=9999, open=9999, devices=devices, marks="abcdef" * MARKS_KEPT),
        service_issue=issue,
        sink_ids=["x" * 32] * 20,
        joined={f"{number:032d}": START for number in range(5)},
    )
    for _ in range(2 * TIMELINE_LIMIT):
        step = Step(at=START, what="unacknowledged", status="unavailable", detail=text)
        alert = alert.changed(timeline=extended(alert.timeline, step))
    return alert


def test_the_largest_alert_fits_a_row() -> None:
    assert encode(ALERTS, full("Zürich " * 500))["PartitionKey"] == "open"


def test_a_title_is_one_short_line_and_a_body_says_what_there_is_to_know() -> None:
    alert = full("Zürich " * 500)
    assert len(texts.title(alert)) == texts.TITLE_CHARS
    about = Subject(name="vm-1", client_name="Contoso", site_name="HQ", region="westeurope", resource_id=RESOURCE)
    device = Alert(
        id=alert_id(DEVICE, START),
        subject_id=DEVICE,
        condition="unavailable",
        opened_at=START,
        status="unavailable",
        status_reason="The host crashed.",
        subject=about,
    )
    assert texts.title(device) == "Contoso: vm-1 is unavailable"
    body = texts.body(device, "It fell.")
    for part in ("It fell.", "vm-1", "The host crashed.", "Contoso", "HQ", "westeurope", RESOURCE, device.id):
        assert part in body, part
    words = {"flapping": "Contoso: vm-1 goes up and down", "overdue": "Contoso: vm-1 has not come back"}
    assert {name: texts.title(device.changed(condition=name)) for name in words} == words
    long = device.changed(subject=about.changed(name="n" * 90, client_name="C" * 90), condition="overdue")
    assert len(texts.title(long)) == texts.TITLE_CHARS
    assert texts.title(long).endswith("… has not come back"), "what happened is never cut off"
    unmapped = device.changed(subject=about.changed(client_name=""))
    assert texts.title(unmapped) == "vm-1 is unavailable"


def test_a_body_has_words_and_no_codes() -> None:
    conditions = [*get_args(Condition), *get_args(OutageCondition), *get_args(SelfCondition)]
    for condition in conditions:
        alert = full("x").changed(condition=condition, status="notReported")
        what = next(line for line in texts.body(alert).splitlines() if line.startswith("What: "))
        assert not re.search(r"[a-z][A-Z]", what), what


def test_a_service_issue_is_named_with_tracking_id_service_region_and_link() -> None:
    url = "https://app.azure.com/h/0DET-URB/111555"
    issue = Issue(id="0DET-URB", title="Power", service="Virtual Machines", region="West Europe", url=url)
    alert = full("x").changed(service_issue=issue)
    body = texts.body(alert)
    for part in ("Power (tracking id 0DET-URB)", "Virtual Machines", "West Europe", f"Follow it: {url}"):
        assert part in body, part
    assert texts.view(alert, [])["serviceIssue"] == issue.model_dump()


def test_an_outage_describes_each_of_its_first_fifty_devices() -> None:
    about = Subject(
        name="vm",
        type="Microsoft.Compute/virtualMachines",
        resource_group="rg-1",
        subscription_name="Production",
        url="https://portal.azure.com/#@contoso.com/resource/vm",
    )
    row = Alert(
        id=alert_id(DEVICE, START),
        subject_id=DEVICE,
        condition="unavailable",
        opened_at=START,
        status="unknown",
        subject=about,
    )
    rows = [row.changed(subject=about.changed(name=f"vm-{number}")) for number in range(60)]
    lines = texts.body(full("x"), "60 devices are down together.", rows).splitlines()
    first = lines.index("- vm-0: in an unknown state (Virtual machine, rg-1, Production)")
    assert lines[first + 1] == f"  {about.url}"
    assert "- and 10 more" in lines
    assert sum(line.startswith("- vm-") for line in lines) == 50


def test_a_closing_is_told_in_the_words_of_who_closed_it_else_by_its_reason() -> None:
    assert texts.closing("recovered", "Back after 5 minutes.") == "Back after 5 minutes."
    assert set(get_args(CloseReason)) <= set(texts.REASONS)


def test_the_devices_of_an_outage_are_counted_once_however_often_they_come_back() -> None:
    rows = [
        Alert(
            id=alert_id(f"d{number:08d}", START),
            subject_id=f"d{number:08d}",
            condition="unavailable",
            opened_at=START,
            subject=Subject(name=f"vm{number}"),
        )
        for number in range(4)
    ]
    first = outages.counted(Members(), rows[:3], {})
    assert (first.count, first.open, [row.name for row in first.devices]) == (3, 3, ["vm0", "vm1", "vm2"])
    back = Incident(device_id=rows[0].subject_id, close_reason="recovered", status="available")
    left: dict[str, Incident | None] = {rows[0].subject_id: back}
    then = outages.counted(first, rows[1:], left)
    assert (then.count, then.open) == (4, 3)
    assert (then.devices[0].status, then.devices[0].down, then.devices[1].down) == ("available", False, True)
    said = "Available again: vm0. Down now too: vm3. 3 of 4 devices are down."
    assert outages.change(first, then, rows[1:], left) == said
    assert outages.joined(first, rows[1:]) == rows[3:]
    again = outages.counted(then, rows, {})
    assert (again.count, again.open) == (4, 4)
    assert outages.change(then, again, rows, {}) == "Down again: vm0. 4 of 4 devices are down."


def test_an_outage_says_why_a_device_left_that_did_not_recover() -> None:
    devices = [Member(id=f"d{number}", name=f"vm{number}") for number in range(2)]
    before = Members(count=40, open=40, devices=devices)
    gone = Incident(device_id="d1", close_reason="deviceDeleted")
    left: dict[str, Incident | None] = {"d0": Incident(device_id="d0", close_reason="recovered"), "d1": gone}
    after = before.changed(open=35)
    said = "Available again: vm0 and 3 more. vm1: The resource was deleted from Azure. 35 of 40 devices are down."
    assert outages.change(before, after, [], left) == said


def test_the_longest_history_of_a_device_fits_a_row() -> None:
    sightings = [
        sighting_of(
            Change(
                device_id=DEVICE,
                at=START + timedelta(seconds=number),
                seen_at=START + timedelta(seconds=number, microseconds=999),
                after="unavailable",
                reason='"' + "ü" * 5000,
                context="Platform Initiated",
            )
        )
        for number in range(SIGHTINGS_KEPT)
    ]
    effects = [Effect(kind="update", at=START, alert_id="x" * 80, number=n, note="ü" * 600) for n in range(3)]
    incident = Incident(device_id=DEVICE, sightings=sightings, effects=effects, status_reason=sightings[0].reason)
    assert encode(INCIDENTS, incident)
