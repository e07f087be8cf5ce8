"""The table of power actions, `actions.yaml`, as frozen rows: the sandbox's own knowledge of each type and request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("actions.yaml")


@dataclass(frozen=True)
class Action:
    """One verb of one type, and the request that carries it out."""

    verb: str
    """start, stop, pause, resume or restart."""
    method: str
    version: str
    """The api-version of Microsoft's newest client."""
    rbac: str
    """The action that a role must allow."""
    first: int
    """Code of the first answer when there is something to wait for, or of the only one."""
    accepts: tuple[int, ...]
    """Codes that Microsoft's client takes as success."""
    operation: str | None = None
    """Path below the resource's id; None means the resource itself."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What the query must carry beside api-version."""
    options: tuple[str, ...] = ()
    """What it may carry."""
    body: Any = None
    """An example of the body; None where there is none, or it is the whole resource."""
    required: bool | tuple[str, ...] = False
    """Whether a body must be sent; a tuple names the keys it must have."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    poll: str | None = None
    """Polling headers of the first answer: A (Azure-AsyncOperation), L (Location), AL, or - (none, yet long-running).
    None: the action is synchronous."""
    final: str | None = None
    """final-state-via of Microsoft's client."""
    during: Any = None
    """Run state while it runs; None leaves it as it is."""
    after: Any = None
    """Run state at the end; None leaves it as it is."""
    provisioning: str | None = None
    """properties.provisioningState while it runs."""
    later: bool = False
    """Answered synchronously, yet the state follows later."""
    needs: tuple[str, ...] = ()
    """Run states it may begin in; empty means that only the general rules count."""
    again: int | None = None
    """Answer (204, 409) when the state is there already; None carries it out once more."""
    takes: float | None = None
    """Seconds that it usually takes; None: as the type's category does."""
    returns: str | None = None
    """`resource` when the answers carry the resource."""

    @property
    def long_running(self) -> bool:
        """Whether Microsoft's client polls it."""
        return self.poll is not None


@dataclass(frozen=True)
class Urls:
    """How a type's polling URLs look."""

    status: str = "operations"
    """Segment of the path of Azure-AsyncOperation."""
    result: str = "operations"
    """Segment of the path of Location."""
    version: str | None = None
    """The api-version in them; None is the call's own."""
    twins: bool = True
    """Both carry the same operation id."""
    done: int = 200
    """What Location answers at the end."""


@dataclass(frozen=True)
class Machine:
    """The Arc machine that an extension resource lies on."""

    type: str
    kind: str


@dataclass(frozen=True)
class PowerType:
    """One resource type that can be acted on."""

    type: str
    name: str
    category: str
    """compute, paas, child, toggle, job, edge or legacy."""
    kind: str
    """tracked, proxy, extension or location-proxy."""
    actions: Mapping[str, Action]
    path: str
    """Where the run state is: dotted, from the root of the body that `read` answers."""
    running: Any
    stopped: Any = None
    """None where there is no such state."""
    initial: Any = None
    """The state of a new resource."""
    read: str | None = None
    """instanceView (GET below the id), getStatus (POST below the id), executions (GET below the id), or None: the id's
    own GET."""
    listed: bool = True
    """ARM's /resources and Resource Graph return it."""
    preview: bool = False
    since: str | None = None
    """The oldest api-version that is taken beside those of the actions; None: no other is."""
    until: str | None = None
    """The newest one, when that is not the action's own."""
    urls: Urls = field(default_factory=Urls)
    arm_kind: str | None = None
    sku: Mapping[str, Any] | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What a new resource shows beside its run state; {name} and {group} (an id) are filled in."""
    extends: Machine | None = None
    percent: bool = False

    @property
    def usual_seconds(self) -> float:
        """Seconds that an action usually takes: a rough figure by category, so that a simulated day looks like one."""
        return _USUAL[self.category]


_USUAL = {"compute": 60, "paas": 180, "child": 60, "toggle": 10, "job": 30, "edge": 90, "legacy": 180}


@cache
def load() -> dict[str, PowerType]:
    """Lower-cased type -> row, in the order of the file."""
    with _FILE.open() as file:
        return described(yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506 - both are safe


def described(rows: Iterable[dict[str, Any]]) -> dict[str, PowerType]:
    """Lower-cased type -> row, of rows as they are written. Raises ValueError that names the file and the row."""
    found: dict[str, PowerType] = {}
    for number, row in enumerate(rows, 1):
        where = f"sandbox/power/{_FILE.name}, {row.get('type') or f'row {number}'}"
        try:
            made = _type(row)
        except KeyError as error:
            raise ValueError(f"{where}: {error} is missing") from error
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{where}: {error}") from error
        if made.type.lower() in found:
            raise ValueError(f"{where}: it is described twice")
        found[made.type.lower()] = made
    return found


@cache
def names() -> dict[str, str]:
    """Every type of the table and every type that one of them hangs on: lower-cased -> as Azure spells it."""
    found: dict[str, str] = {}
    for row in load().values():
        kinds = row.type.split("/")
        found |= {(name := "/".join(kinds[:length])).lower(): name for length in range(2, len(kinds) + 1)}
        if row.extends is not None:
            found[row.extends.type.lower()] = row.extends.type
    return found


def actions() -> list[tuple[PowerType, Action]]:
    """Every action with its type, in the order of the file."""
    return [(row, action) for row in load().values() for action in row.actions.values()]


def _type(row: dict[str, Any]) -> PowerType:
    state = row.pop("state")
    extends, urls = row.pop("extends", None), row.pop("urls", {})
    verbs = {verb: _action(verb, fields) for verb, fields in row.pop("actions").items()}
    return PowerType(
        actions=verbs,
        urls=Urls(**urls),
        extends=Machine(**extends) if extends else None,
        initial=state.pop("initial", state["running"]),
        **state,
        **row,
    )


def _action(verb: str, fields: dict[str, Any]) -> Action:
    required = fields.pop("required", False)
    return Action(
        verb=verb,
        accepts=tuple(fields.pop("accepts")),
        needs=tuple(fields.pop("needs", ())),
        options=tuple(fields.pop("options", ())),
        required=tuple(required) if isinstance(required, list) else required,
        choices={key: tuple(values) for key, values in fields.pop("choices", {}).items()},
        **fields,
    )
