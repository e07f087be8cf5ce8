"""Autotask's query filters: `{op, field, value}` and groups `{op: and|or, items}`, over rows with camelCase fields.

Source: autotask.net/help/developerhelp/content/apis/REST/API_Calls/REST_Basic_Query_Calls.htm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_RECORDS = 500
Row = Mapping[str, Any]
Test = Callable[[Row], bool]


class BadQuery(Exception):
    """A query that Autotask refuses, in its words."""


def value_of(body: Any, name: str, default: Any = None) -> Any:
    """A value of a body whose names are read in any case."""
    if not isinstance(body, Mapping):
        return default
    return next((value for key, value in body.items() if str(key).casefold() == name.casefold()), default)


def wanted(body: Any, field: str) -> list[Any] | None:
    """The values of a field of which a record must have one, where a filter of the query says so; else None."""
    filters = value_of(body, "filter")
    for item in filters if isinstance(filters, list) else []:
        word, value = str(value_of(item, "op", "")).casefold(), value_of(item, "value")
        if str(value_of(item, "field", "")).casefold() == field.casefold():
            if word == "eq" and value is not None:
                return [value]
            if word == "in" and isinstance(value, list):
                return value
    return None


def run(body: Any, entity: str, rows: Sequence[Row], fields: Sequence[str]) -> tuple[list[Row], int]:
    """The records that match, by id, and how many were asked for at most. Raises BadQuery."""
    filters = value_of(body, "filter")
    if not isinstance(filters, list) or not filters:
        raise BadQuery("Query is missing the filter field.")
    limit = value_of(body, "maxRecords", MAX_RECORDS)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_RECORDS:
        raise BadQuery(f"MaxRecords must be between 1 and {MAX_RECORDS}.")
    names = {name.casefold(): name for name in fields}
    test = _group("and", filters, entity, names)
    wanted = value_of(body, "includeFields") or []
    shown = [_name(str(name), entity, names) for name in wanted]
    found = sorted((row for row in rows if test(row)), key=lambda row: int(row["id"]))
    return [{name: row.get(name) for name in shown} if shown else dict(row) for row in found], limit


def _name(given: str, entity: str, names: Mapping[str, str]) -> str:
    if given.casefold() not in names:
        raise BadQuery(f"Unable to find {given} in the {entity} Entity.")
    return names[given.casefold()]


def _group(word: str, items: Sequence[Any], entity: str, names: Mapping[str, str]) -> Test:
    tests = [_one(item, entity, names) for item in items]
    if word == "or":
        return lambda row: any(test(row) for test in tests)
    return lambda row: all(test(row) for test in tests)


def _one(item: Any, entity: str, names: Mapping[str, str]) -> Test:
    word = str(value_of(item, "op", "")).casefold()
    if word in ("and", "or"):
        return _group(word, value_of(item, "items") or [], entity, names)
    name, value = _name(str(value_of(item, "field", "")), entity, names), value_of(item, "value")
    if word in ("in", "notin") and not isinstance(value, list):
        raise BadQuery(f"The value of {word} must be a list.")
    if word not in _TESTS:
        raise BadQuery(f"Unknown operator {word}.")
    test = _TESTS[word]
    return lambda row: test(row.get(name), value)


def _same(one: Any, other: Any) -> bool:
    """As the database compares: numbers as numbers, texts without case."""
    if one is None or other is None:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return str(one).casefold() == str(other).casefold()


def _like(pattern: str) -> Callable[[Any, Any], bool]:
    """A text operator. Its value is a pattern of the database: `%`, `_` and `[set]` mean what they mean there."""

    def test(one: Any, value: Any) -> bool:
        said = re.sub(r"\[[^\]]*\]|[%_]|[^\[%_]+|\[", _part, str(value))
        return one is not None and re.search(pattern.format(said), str(one), re.IGNORECASE | re.DOTALL) is not None

    return test


def _part(match: re.Match[str]) -> str:
    text = match.group()
    if text in "%_":
        return ".*" if text == "%" else "."
    return (
        "[" + re.escape(text[1:-1]).replace(r"\-", "-") + "]" if text[0] == "[" and len(text) > 2 else re.escape(text)
    )


def _number(one: Any) -> float:
    return float("nan") if one is None else float(one)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "noteq": lambda one, value: not _same(one, value),
    "gt": lambda one, value: _number(one) > _number(value),
    "gte": lambda one, value: _number(one) >= _number(value),
    "lt": lambda one, value: _number(one) < _number(value),
    "lte": lambda one, value: _number(one) <= _number(value),
    "beginswith": _like("^{}"),
    "endswith": _like("{}$"),
    "contains": _like("{}"),
    "exist": lambda one, _value: one is not None,
    "notexist": lambda one, _value: one is None,
    "in": lambda one, value: any(_same(one, each) for each in value),
    "notin": lambda one, value: not any(_same(one, each) for each in value),
}
