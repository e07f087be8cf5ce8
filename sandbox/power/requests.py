"""Which action a request asks for, and whether the request is as its type wants it."""

from __future__ import annotations

import re
from typing import Any

from sandbox.power import states
from sandbox.power.table import Action, PowerType
from sandbox.wire import Call, CloudError

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?")


def select(call: Call, row: PowerType, operation: str | None) -> Action | None:
    """The action of a type that a request asks for by its method, its path below the id, its query and its body.

    None when the type has no such path. Raises CloudError 400 when the body names none of them.
    """
    wanted = (operation or "").lower()
    rows = [a for a in row.actions.values() if a.method == call.method and (a.operation or "").lower() == wanted]
    asked = [a for a in rows if a.query and _carries(call, a)]
    rows = asked or [a for a in rows if not a.query]
    if len(rows) < 2:
        return rows[0] if rows else None
    if row.running == states.PRESENT:
        configurations = (body_object(call).get("properties") or {}).get("ipConfigurations")
        return row.actions["start" if configurations else "stop"]
    bodies = [a for a in rows if a.body is not None]
    named = [a for a in bodies if call.raw_body and _names(a.body, call.body)]
    if named:
        return named[0]
    if any(a.required for a in bodies):
        raise _bad(f"The body must be one of {', '.join(str(a.body) for a in bodies)}.")
    return rows[0]


def is_same(one: Action, other: Action) -> bool:
    """Whether two verbs are carried out by the same request."""
    return (one.method, one.operation, one.query, one.body) == (other.method, other.operation, other.query, other.body)


def check_version(call: Call, row: PowerType, action: Action) -> None:
    """Raises CloudError 400 InvalidApiVersionParameter for a version that the type does not know."""
    given = call.query.get("api-version", "").lower()
    if given == action.version:
        return
    newest = row.until or action.version
    if row.since is not None and _VERSION.fullmatch(given) and row.since[:10] <= given[:10] <= newest[:10]:
        return
    known = sorted({a.version for a in row.actions.values()}, reverse=True)
    raise CloudError(
        400,
        "InvalidApiVersionParameter",
        f"The api-version '{given}' is invalid. The supported versions are '{','.join(known)}'.",
    )


def check_body(call: Call, action: Action) -> None:
    """Raises CloudError 400 when a body is missing, lacks a key, or carries one of another kind than the example."""
    if not call.raw_body:
        if action.required:
            raise _bad("The request body is required for this operation and was empty.")
        return
    given = call.body
    if action.method == "PUT" and action.provisioning == "Updating" and not body_object(call).get("location"):
        raise CloudError(400, "LocationRequired", "The location property is required for this definition.")
    if action.body is None:
        return
    if not isinstance(given, type(action.body)) or (action.required and not given):
        raise _bad(f"The body must be like {action.body}.")
    if action.method == "POST" and isinstance(given, dict):
        _check_keys(given, action)


def _check_keys(given: dict[str, Any], action: Action) -> None:
    if isinstance(action.required, tuple) and (missing := [key for key in action.required if not given.get(key)]):
        raise _bad(f"Required property '{missing[0]}' not found in JSON.")
    for key, value in given.items():
        choices = action.choices.get(key)
        example = action.body.get(key)
        if choices is not None and value not in choices:
            raise _bad(f"Error converting value '{value}' of '{key}'. It is one of {', '.join(choices)}.")
        if example is not None and type(value) is not type(example):
            raise _bad(f"Error converting value '{value}' to the type of '{key}'.")


def _carries(call: Call, action: Action) -> bool:
    return all(call.query.get(key.lower(), "").lower() == value.lower() for key, value in action.query.items())


def _names(example: Any, given: Any) -> bool:
    """Whether a body holds every value of the example, of the same kind (True is not "true")."""
    if isinstance(example, dict):
        return isinstance(given, dict) and all(
            key in given and _names(value, given[key]) for key, value in example.items()
        )
    return type(given) is type(example) and bool(given == example)


def body_object(call: Call) -> dict[str, Any]:
    """The body; {} when it is empty. Raises CloudError 400 when it is no object."""
    body = call.body
    if not isinstance(body, dict):
        raise _bad("The body must be an object.")
    return body


def _bad(text: str) -> CloudError:
    return CloudError(
        400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{text}'"
    )
