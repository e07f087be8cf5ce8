"""The run state of a resource, read from the JSON that Azure gives for it: pure functions of a type's `RunState`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.capabilities.model import Only, RunState


def state_of(how: RunState, body: Any) -> str:
    """The run state in the answer to a type's state request, in our words.

    `unknown` when nothing is there that the type's row names, `mixed` when its instances are in several states.
    """
    if how.settled:
        path, *values = how.settled
        resting = _text(at(body, path))
        if resting and not _in(resting, values):
            return resting.lower()
    words = [word for word in (_word(how, value) for value in _observed(how, body)) if word]
    if how.form == "counts":
        return words[0] if len(set(words)) == 1 else "mixed" if words else "unknown"
    return next((word for word in [*how.values, *words] if word in words), "unknown")


def told(how: RunState) -> bool:
    """Whether the resource itself tells its run state, so that lists of whole resources do."""
    return not how.request and not how.query


def paths(how: RunState) -> tuple[str, ...]:
    """Where in the answer everything is that `state_of` looks at."""
    return (how.path, *how.settled[:1])


def concerns(only: Only | None, resource: Any) -> bool:
    """Whether a verb exists for this resource of its type."""
    if only is None:
        return True
    found = at(resource, only.path)
    return only.silent if found is None else _in(_text(found), only.values)


def at(body: Any, path: str) -> Any:
    """What is at a dotted path, without case of the names; None when nothing is."""
    for name in path.split("."):
        if not isinstance(body, dict):
            return None
        body = body[name] if name in body else next((body[key] for key in body if key.lower() == name.lower()), None)
    return body


def _observed(how: RunState, body: Any) -> list[str]:
    """Azure's values, as text."""
    if how.form == "newest":
        items = [item for item in _items(at(body, "value")) if isinstance(item, dict)]
        newest = max(items, key=lambda item: _text(at(item, "properties.startedAt")), default=None)
        return [_text(at(newest, how.path)) or "absent"]
    found = at(body, how.path)
    if how.form == "value":
        return [_text(found)]
    if how.form == "list":
        return ["present" if _items(found) else "absent"]
    return [_text(at(item, "code")) for item in _items(found) if how.form == "codes" or at(item, "count") != 0]


def _word(how: RunState, value: str) -> str:
    for word, values in how.values.items():
        if _in(value, values):
            return word
    return value.rpartition("/")[2].lower() if _in(value, how.passing) else ""


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _in(value: str, values: Sequence[str]) -> bool:
    return value.lower() in {known.lower() for known in values}


def _text(value: Any) -> str:
    """Booleans as JSON writes them."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
