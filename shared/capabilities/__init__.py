"""What can be done to an ARM resource type, as data: one row per type and verb.

A module of this package with `TYPES` is found by being here. Everything else is a pure look-up.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from shared.capabilities.model import VERBS, Capability, Instances, Verb, described, rows
from shared.capabilities.run_state import concerns, state_of

__all__ = [
    "VERBS",
    "Answer",
    "Capability",
    "Verb",
    "answers",
    "below",
    "every",
    "find",
    "known",
    "offered",
    "refusal",
    "rights",
    "state_of",
]

UNSURE = (None, "unknown", "mixed")
"""Run states in which nothing is refused: Azure then decides."""


def _load() -> dict[tuple[str, str], Capability]:
    found: dict[tuple[str, str], Capability] = {}
    for module in pkgutil.iter_modules(__path__):
        types = described(module.name, getattr(importlib.import_module(f"{__name__}.{module.name}"), "TYPES", ()))
        for row in (row for kind in types for row in rows(kind)):
            key = (row.type.lower(), row.verb)
            if key in found:
                raise TypeError(f"shared/capabilities/{module.name}.py: {row.type} {row.verb} is described twice.")
            found[key] = row
    return found


_ROWS = _load()
_BY_TYPE: dict[str, list[Capability]] = {}
_LABELS: dict[str, dict[str, str]] = {}
for _row in _ROWS.values():
    _BY_TYPE.setdefault(_row.type.lower(), []).append(_row)
    if _row.label != _row.verb.capitalize():
        _LABELS.setdefault(_row.type.lower(), {})[_row.verb] = _row.label


@dataclass(frozen=True)
class Answer:
    """Whether one verb can be done now. `reason` says why not, and is empty when it can."""

    verb: Verb
    available: bool
    operation_name: str = ""
    label: str = ""
    """The honest name of what Azure does."""
    reason: str = ""
    effect: str = ""
    confirmation: str = ""
    """Why `confirm: true` is asked for; empty when it is not."""
    instances: Instances = ""
    """Whether instances may (`optional`) or must (`one`, `some`) be named."""
    note: str = ""


def find(resource_type: str, verb: str) -> Capability | None:
    """The row of a type and verb, or None when Azure has no such action."""
    return _ROWS.get((resource_type.lower(), verb))


def known(resource_type: str) -> Capability | None:
    """Any row of a type, for what all its rows share: how its run state is read. None: nothing can be done to it."""
    return next(iter(_BY_TYPE.get(resource_type.lower(), [])), None)


def labels(resource_type: str) -> dict[str, str]:
    """Verb -> what Azure does, of the type's verbs that are called otherwise: `pause` -> "Hibernate"."""
    return _LABELS.get(resource_type.lower(), {})


def below(resource_type: str) -> list[str]:
    """The types that lie under a type and can be acted upon."""
    above = f"{resource_type.lower()}/"
    return [same[0].type for kind, same in _BY_TYPE.items() if kind.startswith(above)]


def every() -> list[Capability]:
    """All rows."""
    return list(_ROWS.values())


def rights() -> dict[str, list[str]]:
    """Provider namespace -> the Azure permissions that its actions need beside reading, each as Azure writes it.

    A state, or a list of hosts, that is read with a POST is no read in Azure's eyes.
    """
    found: dict[str, set[str]] = {}
    for row in _ROWS.values():
        posted = [row.state.request.rstrip("!")] if row.state.request.endswith("!") else []
        posted += ["listHosts"] if row.reads_hosts else []
        needed = {row.rbac_action, *(f"{row.type}/{name}/action" for name in posted)}
        found.setdefault(row.type.partition("/")[0], set()).update(needed)
    return {namespace: sorted(found[namespace]) for namespace in sorted(found)}


def refusal(resource_type: str, verb: str, run_state: str | None, resource: Any = None) -> str:
    """Why a verb cannot be done to a resource in that run state (None: unknown); empty when it can.

    `resource` is what Azure answered when the state was read, if it was.
    """
    row = find(resource_type, verb)
    if row is None:
        return f"Azure has no action to {verb} a resource of type {resource_type}."
    if row.only is not None and resource is not None and not concerns(row.only, resource):
        return row.only.otherwise
    if run_state in UNSURE or run_state in row.allowed_from:
        return ""
    return f"It is {run_state} now; {row.label} works when it is {' or '.join(sorted(row.allowed_from))}."


def answers(resource_type: str, run_state: str | None, resource: Any = None) -> list[Answer]:
    """All five verbs, in their fixed order."""
    result = []
    for verb in VERBS:
        row, reason = find(resource_type, verb), refusal(resource_type, verb, run_state, resource)
        if row is None:
            result.append(Answer(verb, available=False, label=verb.capitalize(), reason=reason))
            continue
        result.append(
            Answer(
                verb=verb,
                available=not reason,
                operation_name=row.operation_name,
                label=row.label,
                reason=reason,
                effect=row.effect,
                confirmation=row.confirmation,
                instances=row.instances,
                note=row.note,
            )
        )
    return result


def offered(resource_type: str, run_state: str | None, resource: Any = None) -> list[Verb]:
    """The verbs that can be done now, in their fixed order.

    `resource` is what Azure answered of it. Without that, of the verbs that only some resources of the type have, none:
    whether it is one of them nobody asked.
    """
    if resource_type.lower() not in _BY_TYPE:
        return []
    rows = ((verb, find(resource_type, verb)) for verb in VERBS)
    known = [verb for verb, row in rows if row is not None and (row.only is None or resource is not None)]
    return [verb for verb in known if not refusal(resource_type, verb, run_state, resource)]


def uncertain(resource_type: str, run_state: str | None) -> list[Verb]:
    """The verbs that only some resources of the type have, where the run state allows them: only Azure can tell."""
    rows = _BY_TYPE.get(resource_type.lower(), ())
    return [row.verb for row in rows if row.only is not None and not refusal(resource_type, row.verb, run_state)]
