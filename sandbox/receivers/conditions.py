"""ConnectWise's query language: `summary contains "disk" and (closedFlag = false or id in (1,2))`.

Source: developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide, "Conditions": strings in double quotes,
dates in brackets, sub-fields with a slash, operators = != < <= > >= contains like in not, `and`, `or`, parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|<=|>=|!=|[=<>(),]|[^\s=<>!(),"\[]+)')
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: _fold(a) == _fold(b),
    "!=": lambda a, b: _fold(a) != _fold(b),
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
    "contains": lambda a, b: str(b).casefold() in str(a or "").casefold(),
    "like": lambda a, b: re.fullmatch(_pattern(str(b)), str(a or ""), re.IGNORECASE | re.DOTALL) is not None,
}


class BadConditions(ValueError):
    """What cannot be read."""


def parse(text: str) -> Test:
    """The test that the conditions describe; none at all lets everything pass. Raises BadConditions."""
    reader = _Reader(_tokens(text))
    if not reader.left:
        return lambda _row: True
    test = reader.either()
    if reader.left:
        raise BadConditions(f"Unexpected {reader.left[0]}.")
    return test


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """What a field path such as `company/id` leads to, in any case; None where it leads nowhere. Unknown is None."""
    found: Any = row
    for part in path.split("/"):
        if not isinstance(found, Mapping):
            return None
        found = next((value for name, value in found.items() if name.casefold() == part.casefold()), None)
    return found


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def take(self) -> str:
        if not self.left:
            raise BadConditions("The conditions end too soon.")
        return self.left.pop(0)

    def at(self, word: str) -> bool:
        return bool(self.left) and self.left[0].casefold() == word

    def either(self) -> Test:
        tests = [self.both()]
        while self.at("or"):
            self.take()
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.at("and"):
            self.take()
            tests.append(self.one())
        return lambda row: all(test(row) for test in tests)

    def one(self) -> Test:
        if self.at("("):
            self.take()
            inner = self.either()
            if self.take() != ")":
                raise BadConditions("A parenthesis is not closed.")
            return inner
        field = self.take()
        if not re.fullmatch(r"[A-Za-z_][\w/]*", field):
            raise BadConditions(f"{field} is no field.")
        operator = self.take().casefold()
        negated = operator == "not"
        if negated:
            operator = self.take().casefold()
        test = self.compared(field, operator)
        return (lambda row: not test(row)) if negated else test

    def compared(self, field: str, operator: str) -> Test:
        if operator == "in":
            wanted = [_fold(value) for value in self.listed()]
            return lambda row: _fold(value_at(row, field)) in wanted
        if operator not in _COMPARED:
            raise BadConditions(f"{operator} is no operator.")
        compare, value = _COMPARED[operator], _literal(self.take())
        return lambda row: compare(value_at(row, field), value)

    def listed(self) -> list[Any]:
        if self.take() != "(":
            raise BadConditions("A list begins with a parenthesis.")
        values = [_literal(self.take())]
        while self.at(","):
            self.take()
            values.append(_literal(self.take()))
        if self.take() != ")":
            raise BadConditions("A list ends with a parenthesis.")
        return values


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadConditions(f"Cannot read {text[at : at + 20]}.")
        tokens.append(match.group(1))
        at = match.end()
    return tokens


def _literal(token: str) -> Any:
    if token[0] == '"' or token[0] == "[":
        return token[1:-1]
    word = token.casefold()
    if word in ("true", "false"):
        return word == "true"
    if word == "null":
        return None
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    raise BadConditions(f"{token} is no value: strings are in double quotes.")


def _pattern(like: str) -> str:
    return re.escape(like).replace("%", ".*").replace(re.escape("*"), ".*")


def _fold(value: Any) -> Any:
    """Strings are compared without case, as the database behind does."""
    return value.casefold() if isinstance(value, str) else value
