"""The run states that a poll reads in bulk, whatever the type: what is asked for them, and what the answer means.

Virtual machines are on a list of Compute's with their states. Of every other type whose resources themselves tell their
state, one query of Azure Resource Graph reads it; both follow from the rows of shared/capabilities/. What is told only
by a request for each resource (scale sets, hosts, experiments) has no state here. Pure.

Source: learn.microsoft.com/azure/governance/resource-graph/concepts/query-language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from shared import capabilities
from shared.capabilities.compute import VIRTUAL_MACHINE
from shared.capabilities.model import RunState
from shared.capabilities.run_state import paths, told

MACHINES, OTHERS = "m", "r"
"""The two kinds of resources whose states are read in bulk, each by one request."""


def kinds_of(types: Iterable[str]) -> frozenset[str]:
    """Which of the two kinds are among resources of these types."""
    found = {kind.lower() for kind in types}
    machines = {MACHINES} if VIRTUAL_MACHINE.lower() in found else set()
    return frozenset(machines | ({OTHERS} if found & _told().keys() else set()))


@cache
def query() -> str:
    """The query of Resource Graph. `id` and its order are what paging needs."""
    types = ", ".join(f"'{kind}'" for kind in _told())
    columns = ", ".join(
        f"{_column(path)} = {path}" for path in sorted({p for how in _told().values() for p in paths(how)})
    )
    return f"Resources | where type in~ ({types}) | project id, type, {columns} | order by id asc"


def of_machines(machines: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Lower-cased resource id -> run state, out of Compute's list of virtual machines."""
    row = capabilities.known(VIRTUAL_MACHINE)
    return {_id(one): capabilities.state_of(row.state, one) for one in machines} if row is not None else {}


def of_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Lower-cased resource id -> run state, out of the rows that answer the query."""
    told_how = ((row, _told().get(str(row.get("type") or "").lower())) for row in rows)
    return {_id(row): capabilities.state_of(how, _resource(how, row)) for row, how in told_how if how is not None}


@cache
def _told() -> dict[str, RunState]:
    """Lower-cased type -> how its run state is read, of the types that the query is about."""
    return {row.type.lower(): row.state for row in capabilities.every() if told(row.state)}


def _id(one: Mapping[str, Any]) -> str:
    return str(one.get("id") or "").lower()


def _column(path: str) -> str:
    return path.replace(".", "_")


def _resource(how: RunState, row: Mapping[str, Any]) -> dict[str, Any]:
    """As much of the resource as its state is read from."""
    resource: dict[str, Any] = {}
    for path in paths(how):
        *above, last = path.split(".")
        inner = resource
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = row.get(_column(path))
    return resource
