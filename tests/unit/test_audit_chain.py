"""The chain of the audit log: untouched it is whole; whatever somebody does to one row of it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.audit.chain import Deed, begun, digest, linked
from shared.audit.check import CHANGED, Check, head_in, text_of
from shared.audit.records import ENTRIES, HEADS, Entry
from shared.store.tables import encode

DAY = "2026-03-01"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT = "0a0a0a0a-0000-4000-8000-000000000001"
Row = dict[str, Any]
CLEAN = st.characters(exclude_categories=["Cs"])

deeds = st.builds(
    Deed,
    actor=st.sampled_from(["a1", "tenantry"]),
    action=st.sampled_from(["device.restart", "site.map"]),
    target=st.text(CLEAN, min_size=1, max_size=8),
    tenant_id=st.just(TENANT),
    reason=st.none() | st.text(CLEAN, max_size=8),
    details=st.dictionaries(st.text(CLEAN, max_size=4), st.integers() | st.booleans() | st.text(CLEAN, max_size=4)),
)
batches = st.lists(
    st.tuples(st.lists(deeds, min_size=1, max_size=3), st.integers(min_value=-5000, max_value=5000)),
    min_size=1,
    max_size=4,
)
Made = tuple[list[Row], Row]


def written(parts: list[tuple[list[Deed], int]]) -> Made:
    """Rows as the storage has them, newest first, and the head; each batch by a clock that is off by milliseconds."""
    head = begun(TENANT, DAY, "2026-02-27", "f" * 64)
    rows: list[Row] = []
    for number, (some, skew) in enumerate(parts):
        now = NOON + timedelta(seconds=number, milliseconds=skew)
        head, entries = linked(head, some, now)
        rows += [encode(ENTRIES, entry) for entry in entries]
    return sorted(rows, key=lambda row: str(row["RowKey"])), encode(HEADS, head)


def judged(rows: list[Row], head: Row | None, now: Row | None = None) -> Check:
    """A check that was shown the rows in the order in which the storage gives them."""
    before = head_in(head) if head is not None else None
    check = Check(TENANT, before)
    for row in sorted(rows, key=lambda row: str(row["RowKey"])):
        check.see(row)
    check.end(head_in(now) if now is not None else before)
    return check


chains = batches.map(written)


@given(chains)
def test_an_untouched_chain_is_whole(made: Made) -> None:
    rows, head = made
    check = judged(rows, head)
    assert (check.problems, check.first, check.entries) == (0, None, len(rows))


@given(chains)
def test_time_never_goes_back_within_a_chain(made: Made) -> None:
    rows, _ = made
    entries = [json.loads(text_of(row)) for row in rows]
    assert [entry["sequence"] for entry in entries] == list(range(len(rows), 0, -1))
    times = [datetime.fromisoformat(entry["at"]) for entry in entries]
    assert times == sorted(times, reverse=True)


@given(chains, batches)
def test_what_is_written_while_it_is_read_is_no_problem(made: Made, more: list[tuple[list[Deed], int]]) -> None:
    rows, head = made
    later = head_in(head)
    assert later is not None
    added: list[Row] = []
    for some, _ in more:
        later, entries = linked(later, some, NOON + timedelta(minutes=1))
        added += [encode(ENTRIES, entry) for entry in entries]
    now = encode(HEADS, later)
    for seen in range(len(added) + 1):
        assert judged([*rows, *added[:seen]], head, now).problems == 0


def edited(row: Row, change: Callable[[dict[str, Any]], None]) -> Row:
    """A row whose record says something else; nothing beside its text was touched."""
    said = json.loads(text_of(row))
    change(said)
    return {**row, "data": json.dumps(said)}


def rehashed(row: Row) -> Row:
    """With the hash of what it says now, by somebody who knows how."""
    return {**row, "hash": digest(text_of(row))}


ENTRY_FIELDS = sorted(Entry.model_fields.keys() - {"etag", "hash"})


@given(chains, st.data())
def test_a_changed_row_shows_whoever_changed_it(made: Made, data: st.DataObject) -> None:
    rows, head = made
    number = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(ENTRY_FIELDS))

    def change(said: dict[str, Any]) -> None:
        before: Any = said.get(field)
        said[field] = {**before, "x": 1} if isinstance(before, dict) else f"{before}x"
        if field == "sequence":
            said[field] = before + data.draw(st.sampled_from([-1, 1, 1000]))
        if field == "at":
            said[field] = (datetime.fromisoformat(before) + timedelta(microseconds=1)).isoformat()

    changed = edited(rows[number], change)
    assert judged([*rows[:number], rehashed(changed), *rows[number + 1 :]], head).problems
    check = judged([*rows[:number], changed, *rows[number + 1 :]], head)
    assert check.first == {"entryId": changed["RowKey"], "what": CHANGED}


@given(chains, st.data())
def test_a_changed_column_shows(made: Made, data: st.DataObject) -> None:
    rows, head = made
    number = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(["actor", "target", "chain", "hash", "data"]))
    how = data.draw(st.sampled_from(["other", "gone"]))
    forged = {**rows[number], column: f"{rows[number][column]} "}
    if how == "gone":
        del forged[column]
    check = judged([*rows[:number], forged, *rows[number + 1 :]], head)
    assert check.first is not None
    assert check.first["entryId"] == forged["RowKey"]


@given(chains, st.data())
def test_removed_rows_show_wherever_they_were(made: Made, data: st.DataObject) -> None:
    rows, head = made
    begin = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(begin + 1, len(rows)))
    assert judged([*rows[:begin], *rows[end:]], head).problems


@given(chains, st.data())
def test_an_inserted_row_shows(made: Made, data: st.DataObject) -> None:
    rows, head = made
    number = data.draw(st.integers(0, len(rows) - 1))
    near = rows[number]
    key = str(near["RowKey"])[:15] + data.draw(st.sampled_from(["0" * 8, "9" * 8])) + "f" * 16

    def moved(said: dict[str, Any]) -> None:
        said["id"] = key

    copy = {**near, "RowKey": key}
    for forged in (copy, rehashed(edited(copy, moved))):
        assert judged([*rows, forged], head).problems


@given(chains, st.data())
def test_swapped_rows_show(made: Made, data: st.DataObject) -> None:
    rows, head = made
    if len(rows) == 1:
        return
    first = data.draw(st.integers(0, len(rows) - 2))
    second = data.draw(st.integers(first + 1, len(rows) - 1))
    one, other = rows[first], rows[second]

    def under(row: Row, key: str) -> Row:
        return {**row, "RowKey": key}

    def named(row: Row, key: str) -> Row:
        return rehashed(edited(under(row, key), lambda said: said.update(id=key)))

    for swap in (under, named):
        forged = list(rows)
        forged[first], forged[second] = swap(other, one["RowKey"]), swap(one, other["RowKey"])
        assert judged(forged, head).problems


@given(chains, deeds)
def test_a_row_added_after_the_head_shows(made: Made, deed: Deed) -> None:
    rows, head = made
    known = head_in(head)
    assert known is not None
    _, [entry] = linked(known, [deed], NOON + timedelta(hours=1))
    check = judged([*rows, encode(ENTRIES, entry)], head)
    assert check.first == {"entryId": None, "what": f"There are entries after the last one, {known.sequence}."}


@given(chains)
def test_a_removed_head_shows(made: Made) -> None:
    assert judged(made[0], None).problems


@given(chains, st.data())
def test_a_changed_head_shows(made: Made, data: st.DataObject) -> None:
    rows, row = made
    head = head_in(row)
    assert head is not None
    changes: list[dict[str, Any]] = [
        {"sequence": head.sequence - 1},
        {"sequence": head.sequence + 1},
        {"hash": "0" * 64},
        {"at": head.at + timedelta(microseconds=1)},
        {"previous_day": "2026-02-26"},
        {"previous_day": None},
        {"previous_hash": "0" * 64},
        {"day": "2026-03-02"},
        {"chain": "provider"},
    ]
    forged = encode(HEADS, head.changed(**data.draw(st.sampled_from(changes))))
    assert judged(rows, {**forged, "PartitionKey": DAY, "RowKey": row["RowKey"]}).problems


def test_the_earliest_problem_is_told_and_all_are_counted() -> None:
    rows, head = written([([Deed(actor="a", action="b", target=str(n), tenant_id=TENANT) for n in range(6)], 0)])
    for number in (1, 4):
        rows[number] = edited(rows[number], lambda said: said.update(reason="other"))
    check = judged(rows, head)
    assert check.problems >= 2
    assert check.first is not None
    # A changed text has another hash, which the row after it in time was not written after.
    assert check.first["entryId"] == rows[4]["RowKey"]
    assert check.first["what"] == "It was changed after it was written."


def test_a_chain_without_entries_is_whole_only_with_its_own_start() -> None:
    head = begun(TENANT, DAY, "2026-02-27", "f" * 64)
    assert judged([], encode(HEADS, head)).problems == 0
    assert judged([], encode(HEADS, head.changed(hash="0" * 64))).problems == 1


def test_a_hash_is_of_the_text_as_it_is_stored() -> None:
    rows, _ = written([([Deed(actor="ä", action="b", target="c", tenant_id=TENANT, details={"n": 1.0})], 0)])
    assert rows[0]["hash"] == digest(rows[0]["data"])
