"""The part of OData that Microsoft Graph's clients use: $filter, $select, $orderby, $top, $count, paging.

Source: https://learn.microsoft.com/graph/query-parameters and https://learn.microsoft.com/graph/aad-advanced-queries
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sandbox.wire import Call, CloudError, Reply, page

Item = dict[str, Any]
Predicate = Callable[[Item], bool]
T = TypeVar("T")

_TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<mark>[(),:])|(?P<word>[^\s(),:']+))")
_ADVANCED = frozenset({"ne", "not", "endswith"})


@dataclass(frozen=True)
class Collection:
    """What one entity set allows. `advanced`: a directory collection, where some queries need ConsistencyLevel."""

    type_name: str
    default_select: tuple[str, ...] | None = None
    max_top: int = 999
    advanced: bool = True
    properties: frozenset[str] = frozenset()
    """Names that may be used though no item shows them."""


def unsupported(message: str) -> CloudError:
    """Graph's 400 for a query it cannot answer."""
    return CloudError(400, "Request_UnsupportedQuery", message)


def single(call: Call, item: Item, context: str) -> Reply:
    """One entity, narrowed by $select, with its @odata.context."""
    return Reply({"@odata.context": f"{call.base_url}/v1.0/$metadata#{context}/$entity", **_select(call, item, None)})


def collection(call: Call, rows: Sequence[T], shape: Callable[[T], Item], kind: Collection, context: str) -> Reply:
    """A page of entities. `rows` are shaped only when a query needs it or the page shows them.

    Raises CloudError 400 Request_UnsupportedQuery or BadRequest for what Graph refuses.
    """
    query = call.query
    eventual = call.headers.get("consistencylevel", "").lower() == "eventual"
    counted = query.get("$count", "").lower() == "true"
    if "$skip" in query:
        raise CloudError(400, "Request_BadRequest", "'$skip' is not supported by the service.")
    if "$search" in query and kind.advanced and not eventual:
        raise unsupported(
            "Request with $search query parameter only works through MSGraph with a special request header: "
            "'ConsistencyLevel: eventual'"
        )
    items: Sequence[Any] = rows
    shaped = False
    if "$filter" in query or "$orderby" in query:
        items, shaped = [shape(row) for row in rows], True
        known = frozenset().union(kind.properties, *(item.keys() for item in items))
        if text := query.get("$filter"):
            predicate, words = parse_filter(text, known if items else None, kind.type_name)
            if kind.advanced and (words & _ADVANCED or "$orderby" in query) and not (eventual and counted):
                raise unsupported("Unsupported Query.")
            items = [item for item in items if predicate(item)]
        if order := query.get("$orderby"):
            items = _ordered(items, order)
    size = _page_size(query.get("$top"), kind)
    body: Item = {"@odata.context": f"{call.base_url}/v1.0/$metadata#{context}"}
    if counted and (eventual or not kind.advanced):
        body["@odata.count"] = len(items)
    chunk, next_link = page(list(items), call, size)
    if next_link:
        body["@odata.nextLink"] = next_link
    body["value"] = [_select(call, row if shaped else shape(row), kind.default_select) for row in chunk]
    return Reply(body)


def parse_filter(text: str, known: frozenset[str] | None, type_name: str) -> tuple[Predicate, set[str]]:
    """A $filter expression as a predicate, with the lower-cased words used in it.

    `known` None skips the check of property names. Raises CloudError 400 BadRequest for a syntax error or a property
    the type does not have.
    """
    parser = _Parser(text, known, type_name)
    return parser.parse(), parser.words


def _page_size(top: str | None, kind: Collection) -> int:
    if top is None:
        return 100
    if not top.isdigit() or not 1 <= int(top) <= kind.max_top:
        raise unsupported(f"Invalid page size specified: '{top}'. Must be between 1 and {kind.max_top} inclusive.")
    return int(top)


def _select(call: Call, item: Item, default: tuple[str, ...] | None) -> Item:
    text = call.query.get("$select")
    if text is None and default is None:
        return item
    wanted = {name.strip().lower() for name in (text.split(",") if text else default or ())} | {"id"}
    return {key: value for key, value in item.items() if key.lower() in wanted or key.startswith("@odata.")}


def _ordered(items: Sequence[Item], order: str) -> list[Item]:
    result = list(items)
    for part in reversed(order.split(",")):
        path, _, direction = part.strip().partition(" ")
        names = path.split("/")
        result.sort(
            key=lambda item: (_value(item, names) is not None, _text(_value(item, names))),
            reverse=direction.strip().lower() == "desc",
        )
    return result


def _value(item: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(item, dict):
            return None
        item = next((value for key, value in item.items() if key.lower() == name.lower()), None)
    return item


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower()


class _Parser:
    """Recursive descent over: or, and, not, comparison, in, any(), startswith(), endswith(), contains()."""

    def __init__(self, text: str, known: frozenset[str] | None, type_name: str) -> None:
        self.text, self.type_name = text, type_name
        self.known = None if known is None else {name.lower() for name in known}
        self.tokens: list[str] = []
        end, text = 0, text.rstrip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                raise CloudError(400, "BadRequest", f"Invalid filter clause: unterminated text at position {end}.")
            self.tokens.append(match.group().strip())
            end = match.end()
        self.words = {token.lower() for token in self.tokens if not token.startswith("'")}
        self.position = 0
        self.variables: set[str] = set()

    def parse(self) -> Predicate:
        predicate = self._or()
        if self.position != len(self.tokens):
            raise self._bad()
        return predicate

    def _bad(self) -> CloudError:
        return CloudError(
            400, "BadRequest", f"Invalid filter clause: syntax error at position {self.position} in '{self.text}'."
        )

    def _peek(self) -> str:
        return self.tokens[self.position].lower() if self.position < len(self.tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        if self.position >= len(self.tokens) or (expected is not None and self._peek() != expected):
            raise self._bad()
        self.position += 1
        return self.tokens[self.position - 1]

    def _or(self) -> Predicate:
        parts = [self._and()]
        while self._peek() == "or":
            self._take()
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def _and(self) -> Predicate:
        parts = [self._term()]
        while self._peek() == "and":
            self._take()
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def _term(self) -> Predicate:
        if self._peek() == "not":
            self._take()
            inner = self._term()
            return lambda item: not inner(item)
        if self._peek() == "(":
            self._take()
            inner = self._or()
            self._take(")")
            return inner
        if self._peek() in ("startswith", "endswith", "contains"):
            return self._function()
        path = self._path()
        if path[-1].lower() == "any" and self._peek() == "(":
            return self._any(path[:-1])
        return self._comparison(path)

    def _path(self) -> list[str]:
        path = self._take().split("/")
        root = path[0]
        if self.known is not None and root not in self.variables and root.lower() not in self.known:
            raise CloudError(400, "BadRequest", f"Could not find a property named '{root}' on type '{self.type_name}'.")
        return path

    def _literal(self) -> Any:
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'").lower()
        words: dict[str, Any] = {"null": None, "true": True, "false": False}
        if token.lower() in words:
            return words[token.lower()]
        while self._peek() == ":":  # a date and time without quotes: 2026-01-01T00:00:00Z
            token += self._take() + self._take()
        return int(token) if token.lstrip("-").isdigit() else token.lower()

    def _comparison(self, path: list[str]) -> Predicate:
        operator = self._take().lower()
        if operator == "in":
            self._take("(")
            allowed = [self._literal()]
            while self._peek() == ",":
                self._take()
                allowed.append(self._literal())
            self._take(")")
            return lambda item: _folded(_value(item, path)) in allowed
        literal = self._literal()
        tests: dict[str, Callable[[Any], bool]] = {
            "eq": lambda value: bool(value == literal),
            "ne": lambda value: bool(value != literal),
            "gt": lambda value: isinstance(value, type(literal)) and bool(value > literal),
            "ge": lambda value: isinstance(value, type(literal)) and bool(value >= literal),
            "lt": lambda value: isinstance(value, type(literal)) and bool(value < literal),
            "le": lambda value: isinstance(value, type(literal)) and bool(value <= literal),
        }
        if operator not in tests or (literal is None and operator not in ("eq", "ne")):
            raise self._bad()
        test = tests[operator]
        return lambda item: test(_folded(_value(item, path)))

    def _function(self) -> Predicate:
        name = self._take().lower()
        self._take("(")
        path = self._path()
        self._take(",")
        text = self._literal()
        self._take(")")
        if not isinstance(text, str):
            raise self._bad()
        tests: dict[str, Callable[[str], bool]] = {
            "startswith": lambda value: value.startswith(text),
            "endswith": lambda value: value.endswith(text),
            "contains": lambda value: text in value,
        }
        return lambda item: tests[name](_text(_value(item, path)))

    def _any(self, path: list[str]) -> Predicate:
        self._take("(")
        variable = self._take()
        self.variables.add(variable)
        self._take(":")
        inner = self._or()
        self._take(")")

        def predicate(item: Item) -> bool:
            elements = _value(item, path)
            return isinstance(elements, list) and any(inner({variable: element}) for element in elements)

        return predicate
