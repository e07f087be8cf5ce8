"""A very small part of the Kusto query language, enough for inventory questions; everything else is refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Row = dict[str, Any]
TABLES = ("resources", "resourcecontainers", "healthresources")

_STRING = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_PATH = r"[A-Za-z_]\w*(?:\.\w+|\['[^']+'\]|\[\"[^\"]+\"\])*"
_EXPRESSION = rf"(?:(?:tostring|tolower|toupper)\(\s*{_PATH}\s*\)|{_PATH})"
_COMPARE = re.compile(
    rf"\s*({_EXPRESSION})\s*(=~|==|!~|!=|\bcontains\b|\bhas\b|\bstartswith\b|\bendswith\b)\s*({_STRING}|-?\d+|true|false)\s*",
    re.IGNORECASE,
)
_MEMBER = re.compile(rf"\s*({_EXPRESSION})\s*(!?in~?)\s*\(\s*({_STRING}(?:\s*,\s*{_STRING})*)\s*\)\s*", re.IGNORECASE)
_EMPTY = re.compile(rf"\s*(isempty|isnotempty|isnull|isnotnull)\(\s*({_EXPRESSION})\s*\)\s*", re.IGNORECASE)


class QueryError(Exception):
    """The query is not KQL that is understood here."""


Step = Callable[[list[Row]], list[Row]]


@dataclass
class Query:
    """A parsed query. `keeps_id`: the result has the column id; `limited`: the query itself cuts it (limit, take)."""

    text: str
    table: str = "resources"
    steps: list[Step] = field(default_factory=list)
    keeps_id: bool = True
    limited: bool = False

    def run(self, rows: Iterable[Row]) -> list[Row]:
        """Apply the steps to the rows of the table."""
        found = list(rows)
        for step in self.steps:
            found = step(found)
        return found


@lru_cache(16)
def parse(text: str) -> Query:
    """Parse a query. Raises QueryError with a text that names the part that is not understood."""
    query = Query(text)
    parts = [part.strip() for part in _split(text, "|")]
    if parts and parts[0].lower() in TABLES:
        query.table = parts.pop(0).lower()
    elif parts and not re.match(r"where|project|extend|order|sort|limit|take|count|summarize", parts[0], re.IGNORECASE):
        raise QueryError(f"The table '{parts[0]}' is not known.")
    for part in parts:
        _add(query, part)
    return query


def _add(query: Query, part: str) -> None:
    word, _, rest = part.partition(" ")
    word, rest = word.lower(), rest.strip()
    if word == "where":
        tests = [_condition(condition) for condition in _split(rest, " and ")]
        query.steps.append(lambda rows: [row for row in rows if all(test(row) for test in tests)])
    elif word in ("project", "extend"):
        _project(query, rest, keep=word == "extend")
    elif word in ("limit", "take") and rest.isdecimal():
        query.limited, amount = True, int(rest)
        query.steps.append(lambda rows: rows[:amount])
    elif word in ("order", "sort") and rest.lower().startswith("by "):
        _order(query, rest[3:])
    elif word == "count" and not rest:
        query.keeps_id = False
        query.steps.append(lambda rows: [{"Count": len(rows)}])
    elif word == "summarize":
        _summarize(query, rest)
    else:
        raise QueryError(f"The operator '{part}' is not supported.")


def _project(query: Query, text: str, *, keep: bool) -> None:
    columns: list[tuple[str, Callable[[Row], Any]]] = []
    for item in _split(text, ","):
        match = re.fullmatch(rf"(?:([A-Za-z_]\w*)\s*=(?![=~]))?\s*({_EXPRESSION})", item.strip(), re.IGNORECASE)
        if match is None:
            raise QueryError(f"The column '{item.strip()}' is not supported.")
        name = match[1] or re.sub(r"\W+", "_", match[2]).strip("_")
        columns.append((name, _reader(match[2])))
    if not keep:
        query.keeps_id = any(name == "id" for name, _ in columns)
    query.steps.append(
        lambda rows: [({**row} if keep else {}) | {name: read(row) for name, read in columns} for row in rows]
    )


def _order(query: Query, text: str) -> None:
    keys: list[tuple[Callable[[Row], Any], bool]] = []
    for item in _split(text, ","):
        match = re.fullmatch(rf"\s*({_EXPRESSION})(?:\s+(asc|desc))?\s*", item, re.IGNORECASE)
        if match is None:
            raise QueryError(f"The sort key '{item.strip()}' is not supported.")
        keys.append((_reader(match[1]), (match[2] or "desc").lower() == "desc"))

    def sort(rows: list[Row]) -> list[Row]:
        # Sorts are stable, so the last key goes first.
        for read, descending in reversed(keys):
            rows = sorted(rows, key=_sort_key(read), reverse=descending)
        return rows

    query.steps.append(sort)


def _sort_key(read: Callable[[Row], Any]) -> Callable[[Row], str]:
    return lambda row: str(read(row) or "").lower()


def _summarize(query: Query, text: str) -> None:
    match = re.fullmatch(rf"(?:(\w+)\s*=\s*)?count\(\)(?:\s+by\s+({_PATH}))?", text.strip(), re.IGNORECASE)
    if match is None:
        raise QueryError(f"The aggregation '{text}' is not supported.")
    name, column = match[1] or "count_", match[2]
    query.keeps_id = False
    if column is None:
        query.steps.append(lambda rows: [{name: len(rows)}])
        return
    read = _reader(column)
    query.steps.append(lambda rows: [{column: key, name: number} for key, number in Counter(map(read, rows)).items()])


def _condition(text: str) -> Callable[[Row], bool]:
    if match := _COMPARE.fullmatch(text):
        return _comparison(_reader(match[1]), match[2].lower(), _unquote(match[3]))
    if match := _MEMBER.fullmatch(text):
        read, operator = _reader(match[1]), match[2].lower()
        values = [_unquote(value) for value in re.findall(_STRING, match[3])]
        if operator.endswith("~"):
            folded = {value.lower() for value in values}
            return lambda row: (_text(read(row)).lower() in folded) is not operator.startswith("!")
        return lambda row: (_text(read(row)) in values) is not operator.startswith("!")
    if match := _EMPTY.fullmatch(text):
        read, wanted = _reader(match[2]), match[1].lower() in ("isempty", "isnull")
        return lambda row: (_text(read(row)) == "") is wanted
    raise QueryError(f"The condition '{text.strip()}' is not supported.")


def _comparison(read: Callable[[Row], Any], operator: str, value: str) -> Callable[[Row], bool]:
    folded = value.lower()
    tests: dict[str, Callable[[str], bool]] = {
        "==": lambda text: text == value,
        "!=": lambda text: text != value,
        "=~": lambda text: text.lower() == folded,
        "!~": lambda text: text.lower() != folded,
        "contains": lambda text: folded in text.lower(),
        "has": lambda text: folded in re.split(r"\W+", text.lower()) or folded == text.lower(),
        "startswith": lambda text: text.lower().startswith(folded),
        "endswith": lambda text: text.lower().endswith(folded),
    }
    test = tests[operator]
    return lambda row: test(_text(read(row)))


def _reader(expression: str) -> Callable[[Row], Any]:
    match = re.fullmatch(r"(tostring|tolower|toupper)\(\s*(.*?)\s*\)", expression, re.IGNORECASE)
    if match:
        inner, convert = _reader(match[2]), match[1].lower()
        functions: dict[str, Callable[[str], str]] = {"tostring": str, "tolower": str.lower, "toupper": str.upper}
        return lambda row: functions[convert](_text(inner(row)))
    keys = re.findall(r"\w+|(?<=\[')[^']+|(?<=\[\")[^\"]+", expression)

    def read(row: Row) -> Any:
        value: Any = row
        for key in keys:
            value = _get(value, key)
        return value

    return read


def _get(value: Any, key: str) -> Any:
    """A member of a dynamic value; column and property names are matched in any case when the exact one is missing."""
    if not isinstance(value, dict):
        return None
    if key in value:
        return value[key]
    return next((found for name, found in value.items() if name.lower() == key.lower()), None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] in "'\"" else text


def _split(text: str, separator: str) -> list[str]:
    """Split outside of quotes and parentheses; `separator` in any case."""
    parts, depth, quote, start, index = [], 0, "", 0, 0
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif depth == 0 and text[index : index + len(separator)].lower() == separator:
            parts.append(text[start:index])
            start = index = index + len(separator)
            continue
        index += 1
    return [*parts, text[start:]]
