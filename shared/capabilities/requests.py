"""The one request that does a verb, made from its row and what was read just before: pure functions."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.capabilities.model import HOSTS, INSTANCE, INSTANCES, Capability
from shared.capabilities.run_state import at


@dataclass(frozen=True)
class Request:
    """What is sent to Resource Manager. `path` begins with a slash; `body` None: no body."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


def action(
    row: Capability,
    resource_id: str,
    *,
    instances: Sequence[str] = (),
    resource: Any = None,
    hosts: Sequence[str] = (),
    kept: Any = None,
) -> Request:
    """The request of a row for a resource.

    `resource` is the resource as read just before (for rows that write it back), `hosts` its host names (for rows that
    name them), `kept` what the opposite verb took away.
    """
    path = f"{resource_id}/{row.operation}" if row.operation else resource_id
    body = _filled(row.body, instances)
    if row.reads_resource:
        body = merged(resource, body or {})
        if row.restores:
            _put(body, row.restores, kept)
    elif body == HOSTS:
        body = list(instances or hosts)
    elif row.instances == "optional" and row.body is None and instances:
        body = {"instanceIds": list(instances)}
    return Request(row.method, path, {**row.query, "api-version": row.api_version}, body)


def state(row: Capability, resource_id: str) -> Request:
    """The request that reads the run state of a row's type."""
    name = row.state.request
    path = f"{resource_id}/{name.rstrip('!')}" if name else resource_id
    return Request(
        "POST" if name.endswith("!") else "GET", path, {**row.state.query, "api-version": row.state_api_version}
    )


def resource(row: Capability, resource_id: str) -> Request:
    """The request that reads the resource itself."""
    return Request("GET", resource_id, {"api-version": row.api_version})


def host_list(row: Capability, resource_id: str) -> Request:
    """The request that lists the hosts of a cluster."""
    return Request("POST", f"{resource_id}/listHosts", {"api-version": row.api_version})


def missing(row: Capability, instances: Sequence[str]) -> str:
    """What is wrong with the instances that a caller names; empty when nothing is."""
    if row.instances == "" and instances:
        return f"{row.label} of {row.type} takes no instances."
    if row.instances == "one" and len(instances) != 1:
        return f"{row.label} needs the name of exactly one node in `instances`."
    if row.instances == "some" and not instances:
        return f"{row.label} needs the names of nodes in `instances`."
    return ""


def merged(target: Any, patch: Any) -> Any:
    """`target` with a JSON merge patch applied (RFC 7386); neither is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _put(body: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        inner = dict(at(body, name) or {})
        body[name] = inner
        body = inner
    body[last] = value


def _filled(body: Any, instances: Sequence[str]) -> Any:
    """The body with the instances in it; a member that would name none is left out, and so is a body without any."""
    if not isinstance(body, dict):
        return body
    filled = {
        name: list(instances) if value == INSTANCES else instances[0] if value == INSTANCE else value
        for name, value in body.items()
        if instances or value not in (INSTANCES, INSTANCE)
    }
    return filled if filled or not body else None
