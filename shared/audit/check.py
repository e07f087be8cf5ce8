"""Judging one chain of one day: pure. It is fed the rows as they are stored, newest first, and keeps none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from typing_extensions import TypedDict

from shared.audit.chain import digest, start_of
from shared.audit.records import ENTRIES, HEADS, Entry, Head
from shared.store.tables import Record

R = TypeVar("R", bound=Record)
CHANGED = "It was changed after it was written."


class AuditProblem(TypedDict):
    """What is wrong with an entry, or with the chain itself (`entryId` null)."""

    entryId: str | None
    what: str


@dataclass
class Check:
    """What is known of a chain so far: `head` as it was before the first row was read, None when there was none."""

    chain: str
    head: Head | None
    entries: int = 0
    problems: int = 0
    first: AuditProblem | None = None
    """The problem that is earliest in the chain; what is before it is whole."""
    _newest: Entry | None = None
    _newest_hash: str = ""
    _expected: tuple[int, str] | None = None
    """Sequence number and hash of the next row; None when nothing can be said of it."""

    def see(self, row: Mapping[str, Any]) -> None:
        """The next row of the chain, by its row key."""
        self.entries += 1
        text = text_of(row)
        entry, actual = readable(Entry, text), digest(text)
        if entry is None:
            self._expected = None
            self.wrong("It cannot be read.", row)
            return
        if self._newest is None:
            self._newest, self._newest_hash = entry, actual
        what = self._fault(entry, actual, row)
        # What a row says that somebody changed is no word on the one before it.
        self._expected = None if what == CHANGED else (entry.sequence - 1, entry.previous)
        if what:
            self.wrong(what, row)

    def _fault(self, entry: Entry, actual: str, row: Mapping[str, Any]) -> str:
        """What is wrong with a row that can be read; empty when nothing is."""
        expected = self._expected
        if actual != row.get("hash"):
            return CHANGED
        if not _in_place(entry, row):
            return "It is not where it was written, or what it is found by was changed."
        if expected is not None and entry.sequence != expected[0]:
            return f"It has the number {entry.sequence} where {expected[0]} belongs."
        if expected is not None and actual != expected[1]:
            return CHANGED
        if self.head is not None and entry.sequence == self.head.sequence and actual != self.head.hash:
            return "The head of the chain names another entry as its last."
        return ""

    def end(self, head: Head | None) -> None:
        """No more rows. `head` is the chain's head as it is now, which may have got further meanwhile."""
        if head is None:
            self.wrong("The head of the chain is gone or cannot be read.", last=True)
            return
        newest = self._newest.sequence if self._newest else 0
        before = self.head.sequence if self.head else 0
        if newest < before:
            self.wrong(f"Entries {newest + 1} to {before} are gone.", last=True)
        elif newest > head.sequence:
            self.wrong(f"There are entries after the last one, {head.sequence}.", last=True)
        elif newest == head.sequence and not self._ends_in(head):
            self.wrong("The head of the chain is not that of its last entry.", last=True)
        if self._expected is None:
            return
        number, follows = self._expected
        if number != 0:
            self.wrong(f"Entries 1 to {number} are gone." if number > 0 else "There are entries before the first.")
        elif follows != start_of(self.chain, head.day, head.previous_day, head.previous_hash):
            self.wrong("The first entry does not follow the day before that the head of the chain names.")

    def _ends_in(self, head: Head) -> bool:
        if self._newest is None:
            return head.hash == start_of(head.chain, head.day, head.previous_day, head.previous_hash)
        return (head.hash, head.at) == (self._newest_hash, self._newest.at)

    def wrong(self, what: str, row: Mapping[str, Any] | None = None, *, last: bool = False) -> None:
        """Note a problem, which is earlier in the chain than those before, or (`last`) at its end."""
        self.problems += 1
        if self.first is None or not last:
            self.first = {"entryId": row["RowKey"] if row is not None else None, "what": what}


def readable(model: type[R], text: str) -> R | None:
    """The record of a stored text; None when it is none any more."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def text_of(row: Mapping[str, Any]) -> str:
    """A row's data as it is stored."""
    return str(row.get("data", "")) + str(row.get("data1", ""))


def head_in(row: Mapping[str, Any]) -> Head | None:
    """The head that a row is, if it is one and where it belongs."""
    head = readable(Head, text_of(row))
    return head if head is not None and HEADS.key(head) == (row["PartitionKey"], row["RowKey"]) else None


def _in_place(entry: Entry, row: Mapping[str, Any]) -> bool:
    columns = {name: value for name, value in ENTRIES.columns(entry).items() if name != "hash"}
    same = all(row.get(name) == value for name, value in columns.items())
    return same and ENTRIES.key(entry) == (row["PartitionKey"], row["RowKey"])
