"""What can be done to an ARM resource type, as data: one row per type and verb.

A module of this package with `ROWS` is found by being here. Everything else is a pure look-up.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

from shared.capabilities.model import VERBS, Capability, Verb

__all__ = ["VERBS", "Answer", "Capability", "Verb", "answers", "find", "offered", "refusal"]


def _load() -> dict[tuple[str, str], Capability]:
    found: dict[tuple[str, str], Capability] = {}
    for module in pkgutil.iter_modules(__path__):
        rows: tuple[Capability, ...] = getattr(importlib.import_module(f"{__name__}.{module.name}"), "ROWS", ())
        for row in rows:
            key = (row.type.lower(), row.verb)
            if key in found:
                raise TypeError(f"{row.type} {row.verb} is described twice")
            found[key] = row
    return found


_ROWS = _load()


@dataclass(frozen=True)
class Answer:
    """Whether one verb can be done now. `reason` says why not, and is empty when it can."""

    verb: Verb
    available: bool
    operation_name: str = ""
    reason: str = ""
    effect: str = ""


def find(resource_type: str, verb: str) -> Capability | None:
    """The row of a type and verb, or None when Azure has no such action."""
    return _ROWS.get((resource_type.lower(), verb))


def refusal(resource_type: str, verb: str, power_state: str | None) -> str:
    """Why a verb cannot be done to a resource in that power state (None: unknown); empty when it can."""
    row = find(resource_type, verb)
    if row is None:
        return f"Azure has no action to {verb} a resource of type {resource_type}, or it is not offered yet."
    if row.unavailable:
        return row.unavailable
    if power_state in (None, "unknown") or power_state in row.allowed_from:
        return ""
    return f"It is {power_state} now; {verb} works when it is {' or '.join(sorted(row.allowed_from))}."


def answers(resource_type: str, power_state: str | None) -> list[Answer]:
    """All five verbs, in their fixed order."""
    result = []
    for verb in VERBS:
        row, reason = find(resource_type, verb), refusal(resource_type, verb, power_state)
        result.append(
            Answer(
                verb=verb,
                available=not reason,
                operation_name=row.operation_name if row else "",
                reason=reason,
                effect=row.effect if row else "",
            )
        )
    return result


def offered(resource_type: str, power_state: str | None) -> list[str]:
    """The verbs that can be done now, in their fixed order."""
    return [verb for verb in VERBS if not refusal(resource_type, verb, power_state)]
