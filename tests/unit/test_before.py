"""Rows and messages of versions before this one are read, and those of a later one are not lost."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

import shared
from shared import jobs
from shared.jobs import Job
from shared.store.backup_files import decode
from shared.store.tables import Kind
from shared.store.tables import decode as record_of
from tests.journeys.before import Before

PACKED = {"DeviceIndex"}
"""Tables whose rows are no records."""
BEFORE = Before.load()


def kinds() -> dict[str, list[Kind[Any]]]:
    """Every kind of row of the application, by table."""
    found: dict[str, list[Kind[Any]]] = {}
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Kind) and value not in found.setdefault(value.table, []):
                found[value.table].append(value)
    return found


FIRST = {
    "refresh-tenants": '{"version":1,"connection_id":"c1"}',
    "provision-tenant": '{"version":1,"tenant_id":"t1"}',
    "unsync-tenant": '{"version":1,"tenant_id":"t1"}',
    "remove-connection": '{"version":1,"connection_id":"c1","operation_id":"o1"}',
    "poll-subscription": '{"version":1,"subscription_id":"s1"}',
    "apply-events": '{"version":1,"subscription_id":"s1"}',
    "close-alerts": '{"version":1,"subscription_id":"s1","reason":"siteUnmapped"}',
    "announce": '{"version":1,"event":"tenantry.tenant.synced","event_id":"e1","subject":"t1"}',
    "deliver": '{"version":1,"sink_id":"k1"}',
    "deliver-slow": '{"version":1,"sink_id":"k1"}',
    "catch-up": '{"version":1,"sink_id":"k1","at":"2026-01-31T12:00:00Z"}',
    "read-tickets": '{"version":1,"sink_id":"k1"}',
    "watch": '{"version":1}',
    "follow-operation": '{"version":1,"operation_id":"o1"}',
    "run-bulk": '{"version":1,"operation_id":"o1"}',
    "advance-lane": '{"version":1,"subscription_id":"s1"}',
    "run-schedule": '{"version":1,"schedule_id":"d1","at":"2026-01-31T12:00:00Z"}',
    "export-devices": '{"version":1,"operation_id":"o1"}',
}
"""Each kind of message as it was first written, without what has a default. A line is added for a new kind, and none is
ever changed: it may lie in a queue somewhere."""


def unread(text: str, job: type[Job]) -> list[str]:
    """What keeps a message from being read."""
    try:
        job.model_validate_json(text)
    except ValidationError as error:
        return [f"{job.__name__}.{problem['loc'][0]}: {problem['msg']}" for problem in error.errors()]
    return []


def test_every_kind_of_message_is_read_as_it_was_first_written() -> None:
    assert set(FIRST) == {job.QUEUE for job in jobs.ALL}
    assert [problem for job in jobs.ALL for problem in unread(FIRST[job.QUEUE], job)] == []
    # What is first written has nothing to spare: whatever is added later needs a default.
    for job in jobs.ALL:
        required = {name for name, field in job.model_fields.items() if field.is_required()}
        assert set(json.loads(FIRST[job.QUEUE])) == required | {"version"}, job.__name__


def test_a_field_that_is_added_without_a_default_is_noticed() -> None:
    class Watch(jobs.Watch):
        since: str

    assert unread(FIRST["watch"], Watch) == ["Watch.since: Field required"]


def test_every_message_of_the_version_before_is_read() -> None:
    by_queue = {job.QUEUE: job for job in jobs.ALL}
    assert len(BEFORE.queues) >= 5
    texts = [(text, by_queue[queue]) for queue, found in BEFORE.queues.items() for text in found]
    assert [problem for text, job in texts for problem in unread(text, job)] == []


@pytest.mark.parametrize("job", jobs.ALL)
def test_a_message_of_a_later_version_is_not_read_and_says_what_to_do(job: type[Job]) -> None:
    text = json.dumps(json.loads(FIRST[job.QUEUE]) | {"version": 2})
    assert unread(text, job) == [f"{job.__name__}.version: Input should be 1"]
    assert jobs.why_unread(job, text).startswith("A newer version of Tenantry wrote it (message version 2;")
    page = (Path(__file__).parents[2] / "docs" / "upgrade.md").read_text()
    assert jobs.why_unread(job, text) in page
    for other in ("not json", "[]", '{"version": "x"}'):
        assert jobs.why_unread(job, other).startswith(f"It is no message of the queue {job.QUEUE}")


class Row(dict[str, Any]):
    """An entity as the SDK gives it."""

    metadata = SimpleNamespace(get=lambda _: None)


def read(kind: Kind[Any], row: dict[str, Any]) -> bool:
    """Whether a row is one of that kind: it is read, and says the key that it has."""
    entity = Row(row)
    entity.metadata = {"etag": "e"}  # type: ignore[assignment] # as much of it as is looked at
    try:
        return kind.key(record_of(kind, entity)) == (row["PartitionKey"], row["RowKey"])
    except (ValidationError, KeyError):
        return False


def test_every_row_of_the_version_before_is_read() -> None:
    known, unread, count = kinds(), [], 0
    for table, lines in BEFORE.tables.items():
        if table in PACKED:
            continue
        for line in lines:
            row, count = decode(line.encode()), count + 1
            if not any(read(kind, row) for kind in known.get(table, [])):
                unread.append(f"{table} {row['PartitionKey']}/{row['RowKey']}")
    assert unread == []
    assert count > 100
