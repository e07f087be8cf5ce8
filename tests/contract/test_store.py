"""Tables and queues against a real storage service."""

from __future__ import annotations

import asyncio
import base64

import pytest
import pytest_asyncio

from sandbox.host import Host
from shared import app as composition
from shared import correlation, jobs
from shared.app import App
from shared.errors import Conflict, PreconditionFailed
from shared.store.tables import Kind, Record, delete, insert, put


class Thing(Record):
    part: str
    name: str
    size: int = 0
    note: str | None = None


THINGS = Kind("Things", Thing, lambda t: (t.part, t.name), lambda t: {"size": t.size})


@pytest_asyncio.fixture
async def app(fresh_app: Host) -> App:
    return composition.current()


async def test_a_table_is_made_when_first_written(app: App) -> None:
    stored = await app.tables.insert(THINGS, Thing(part="a", name="x"))
    assert stored.etag
    assert await app.tables.get(THINGS, "a", "x") == stored


async def test_reading_a_table_that_is_not_there_finds_nothing(app: App) -> None:
    assert await app.tables.get(THINGS, "a", "x") is None
    assert await app.tables.all(THINGS, "a") == []


async def test_a_key_can_be_inserted_once(app: App) -> None:
    await app.tables.insert(THINGS, Thing(part="a", name="x", size=1))
    with pytest.raises(Conflict):
        await app.tables.insert(THINGS, Thing(part="a", name="x", size=2))
    kept = await app.tables.get(THINGS, "a", "x")
    assert kept is not None
    assert kept.size == 1


async def test_a_write_with_a_stale_etag_changes_nothing(app: App) -> None:
    first = await app.tables.insert(THINGS, Thing(part="a", name="x"))
    await app.tables.put(THINGS, first.changed(size=1))
    with pytest.raises(PreconditionFailed):
        await app.tables.put(THINGS, first.changed(size=2))
    with pytest.raises(PreconditionFailed):
        await app.tables.delete(THINGS, first)
    kept = await app.tables.get(THINGS, "a", "x")
    assert kept is not None
    assert kept.size == 1


async def test_a_value_that_became_none_is_cleared(app: App) -> None:
    first = await app.tables.insert(THINGS, Thing(part="a", name="x", note="n"))
    await app.tables.put(THINGS, first.changed(note=None))
    kept = await app.tables.get(THINGS, "a", "x")
    assert kept is not None
    assert kept.note is None


async def test_concurrent_updates_all_count(app: App) -> None:
    await app.tables.insert(THINGS, Thing(part="a", name="x"))

    async def bump() -> None:
        await app.tables.update(THINGS, "a", "x", lambda t: t.changed(size=t.size + 1))

    await asyncio.gather(*(bump() for _ in range(4)))
    kept = await app.tables.get(THINGS, "a", "x")
    assert kept is not None
    assert kept.size == 4


async def test_an_update_of_nothing_gives_none(app: App) -> None:
    assert await app.tables.update(THINGS, "a", "x", lambda t: t) is None


async def test_a_transaction_is_all_or_nothing(app: App) -> None:
    old = await app.tables.insert(THINGS, Thing(part="a", name="old"))
    await app.tables.put(THINGS, old.changed(size=9))
    with pytest.raises(PreconditionFailed):
        await app.tables.transact([insert(THINGS, Thing(part="a", name="new")), put(THINGS, old.changed(size=1))])
    assert await app.tables.get(THINGS, "a", "new") is None
    current = await app.tables.get(THINGS, "a", "old")
    assert current is not None
    await app.tables.transact([insert(THINGS, Thing(part="a", name="new")), delete(THINGS, current)])
    assert [t.name for t in await app.tables.all(THINGS, "a")] == ["new"]


async def test_a_transaction_of_more_than_a_hundred_writes_is_refused_before_it_is_sent(app: App) -> None:
    with pytest.raises(ValueError, match="101 writes"):
        await app.tables.transact(insert(THINGS, Thing(part="a", name=str(n))) for n in range(101))


async def test_a_query_stays_in_its_partition_and_range(app: App) -> None:
    rows = [("a", "c|1"), ("a", "c|2"), ("a", "d|1"), ("b", "c|3")]
    for part, name in rows:
        await app.tables.insert(THINGS, Thing(part=part, name=name, size=int(name[-1])))
    assert [t.name for t in await app.tables.all(THINGS, "a", prefix="c|")] == ["c|1", "c|2"]
    assert [t.name for t in await app.tables.all(THINGS, "a", prefix="c|", above="c|1")] == ["c|2"]
    assert [t.name for t in await app.tables.all(THINGS, "a", where="size eq @s", parameters={"s": 1})] == [
        "c|1",
        "d|1",
    ]
    assert [t.name for t in await app.tables.all(THINGS, "a", limit=1)] == ["c|1"]


async def test_a_query_without_a_partition_is_refused(app: App) -> None:
    with pytest.raises(ValueError, match="needs a partition"):
        await app.tables.all(THINGS, "")


async def test_a_quote_in_a_key_is_data(app: App) -> None:
    await app.tables.insert(THINGS, Thing(part="o'brien", name="x' or 1 eq 1"))
    assert len(await app.tables.all(THINGS, "o'brien")) == 1
    assert await app.tables.all(THINGS, "x' or 'a' eq 'a") == []


async def test_more_than_a_page_is_read_whole(app: App) -> None:
    for begin in range(0, 1100, 100):
        await app.tables.transact(insert(THINGS, Thing(part="big", name=f"{n:05d}")) for n in range(begin, begin + 100))
    assert len(await app.tables.all(THINGS, "big")) == 1100


async def test_a_record_that_does_not_fit_a_row_is_refused(app: App) -> None:
    with pytest.raises(ValueError, match="do not fit a row"):
        await app.tables.insert(THINGS, Thing(part="a", name="x", note="n" * 40_000))


async def test_a_job_is_sent_in_base64_with_the_correlation_id_on_a_queue_made_for_it(app: App) -> None:
    correlation.begin("from-a-test")
    queue = "scratch-jobs"
    await app.queues.send_text(queue, jobs.ApplyEvents(subscription_id="s").model_dump_json())
    client = app.queues._service.get_queue_client(queue)
    async for message in client.receive_messages():
        assert b'"subscription_id":"s"' in base64.b64decode(message.content)
    await client.delete_queue()
