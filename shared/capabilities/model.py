"""What the capability tables say: a resource type, how its run state is read, and one row per verb it has.

The modules beside this one list `ResourceType`s, in the short form in which a person writes them; `rows` fills in what
follows from the rest, so that everything else reads complete `Capability` rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Verb = Literal["start", "stop", "pause", "resume", "restart"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)
Category = Literal["compute", "paas", "child", "toggle", "job", "edge", "legacy"]
"""toggle: a rule that is enabled or disabled; legacy: Microsoft retires the service."""
Ends = Literal["followed", "at once", "untold"]
"""followed: Azure gives a long-running operation; at once: the answer ends it, the state proves it; untold: Azure only
takes it, and names nothing that could be asked."""
Instances = Literal["", "optional", "one", "some"]
"""Whether the caller may (`optional`) or must name instances; empty: it cannot."""
Form = Literal["value", "codes", "counts", "list", "newest"]

ON: Final = frozenset({"running", "enabled", "ready"})
OFF: Final = frozenset({"stopped", "deallocated", "hibernated", "paused", "disabled", "ready"})
INSTANCES: Final = "{instances}"
INSTANCE: Final = "{instance}"
HOSTS: Final = "{hosts}"
"""In a body: the instances that the caller names, the one instance, and the host names that are read just before."""


@dataclass(frozen=True)
class RunState:
    """How the run state of a type is read, and what Azure's values mean.

    `values` maps our word to Azure's, the first that fits counts. A value of `passing` is its own word in lower case;
    any other, and none, is `unknown`. All values are compared as text, without case.
    """

    path: str
    """Dotted path in the JSON of the answer."""
    values: Mapping[str, tuple[str, ...]]
    passing: tuple[str, ...] = ()
    """Azure's values in which nothing is offered, because it is on its way to another."""
    form: Form = "value"
    """What is at the path. value: the state; codes: a list of `{code}`; counts: of `{code, count}`; list: `present` or
    `absent`; newest: the state in the item of `value` that began last, or `absent`."""
    request: str = ""
    """What comes after the resource's id; a name that ends in `!` is POSTed."""
    query: Mapping[str, str] = field(default_factory=dict)
    settled: tuple[str, ...] = ()
    """(path, value...): only with one of these values the state counts, else this one does, as a passing one."""


@dataclass(frozen=True)
class Only:
    """Of which resources of a type a verb can be asked: those with one of `values` at `path`, as text."""

    path: str
    values: tuple[str, ...]
    otherwise: str
    """Why not, of the others."""
    silent: bool = True
    """Whether it can be asked of a resource that has nothing at the path."""


@dataclass(frozen=True)
class Action:
    """One verb as a person writes it down; empty means what `rows` says."""

    verb: Verb
    operation: str
    """What Azure calls it: the path after the resource's id. Empty: the resource itself is written."""
    effect: str
    """What it does to the bill, the disks, the memory and the users: shown before it is done."""
    label: str = ""
    """The honest name; the verb's own when it is what Azure does."""
    method: Literal["POST", "PATCH", "PUT"] = "POST"
    api_version: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """With PUT a JSON merge patch (RFC 7386) to the resource as it is read just before."""
    ends: Ends = "followed"
    final_state_via: str | None = None
    """`final-state-via` of the SDK's poller."""
    instances: Instances = ""
    """Whether the caller may or must name instances."""
    keeps: str = ""
    """Path of what this takes away from the resource and `restores` of another verb puts back."""
    restores: str = ""
    only: Only | None = None
    rbac_action: str = ""
    allowed_from: frozenset[str] | None = None
    ends_in: str | None = None
    repeatable: bool | None = None
    confirm: str = ""
    """Why a caller must say `confirm: true`; empty when it need not."""


@dataclass(frozen=True)
class ResourceType:
    """An ARM type with its verbs."""

    type: str
    category: Category
    api_version: str
    state: RunState
    actions: tuple[Action, ...]
    note: str = ""
    """What a technician should know of the whole type: preview, retired."""


@dataclass(frozen=True)
class Capability:
    """One verb of one ARM resource type, complete."""

    type: str
    """As Microsoft writes it; compared without case."""
    category: Category
    verb: Verb
    label: str
    operation: str
    method: str
    api_version: str
    query: Mapping[str, str]
    body: Any
    ends: Ends
    final_state_via: str | None
    instances: Instances
    keeps: str
    restores: str
    only: Only | None
    rbac_action: str
    """The Azure permission that the sender must hold on the resource."""
    effect: str
    allowed_from: frozenset[str]
    """Run states in which it makes sense. An unknown or mixed one allows it, Azure then decides."""
    ends_in: str
    """The run state that proves it was done; empty when none does."""
    repeatable: bool
    """Whether sending it twice does no more than sending it once."""
    confirmation: str
    """Why a caller must say `confirm: true`; empty when it need not."""
    state: RunState
    state_api_version: str
    note: str

    @property
    def needs_confirmation(self) -> bool:
        """Whether a caller must say `confirm: true`."""
        return bool(self.confirmation)

    @property
    def operation_name(self) -> str:
        """What Azure calls it, for people: the last segment of the request, or that the resource is written."""
        return self.operation.rpartition("/")[2] or "write"

    @property
    def reads_resource(self) -> bool:
        """Whether the request is made from the resource as it is."""
        return self.method == "PUT"

    @property
    def reads_hosts(self) -> bool:
        """Whether the request is made from the host names of the resource."""
        return bool(self.body == HOSTS)


def power(path: str, running: str, stopped: str = "", passing: str = "", **more: Any) -> RunState:
    """A state of values that start and stop move; each argument is Azure's values, separated by `|`."""
    return _state(path, running=running, stopped=stopped, passing=passing, **more)


def pausable(path: str, running: str, paused: str, passing: str = "", **more: Any) -> RunState:
    """A state of values that pause and resume move."""
    return _state(path, running=running, paused=paused, passing=passing, **more)


def toggle(path: str, enabled: str = "true", disabled: str = "false", passing: str = "", **more: Any) -> RunState:
    """A rule that is on or off."""
    return _state(path, enabled=enabled, disabled=disabled, passing=passing, **more)


def ready(path: str = "properties.provisioningState", values: str = "Succeeded", **more: Any) -> RunState:
    """For a type without a run state: what shows that it is at rest."""
    return _state(path, ready=values, **more)


def _state(path: str, *, passing: str = "", **words: Any) -> RunState:
    more = {name: words.pop(name) for name in ("form", "request", "query", "settled") if name in words}
    values = {word: tuple(value.split("|")) for word, value in words.items() if value}
    return RunState(path, values, tuple(passing.split("|")) if passing else (), **more)


PROVISIONED: Final = ("properties.provisioningState", "Succeeded", "Failed", "Canceled")
"""`settled` of types that show the state they are going to at once."""


def described(module: str, types: object) -> tuple[ResourceType, ...]:
    """The `TYPES` of a module. Raises TypeError that names the file and the row, for what Python took another way."""
    where = f"shared/capabilities/{module}.py"
    if not isinstance(types, tuple) or not all(isinstance(kind, ResourceType) for kind in types):
        raise TypeError(f"{where}: TYPES is no tuple of ResourceType. Each row ends with a comma, a single one too.")
    for kind in types:
        row = f"{where}, {kind.type}"
        if kind.category not in get_args(Category):
            raise TypeError(f"{row}: there is no category {kind.category}. There are {', '.join(get_args(Category))}.")
        if not isinstance(kind.state, RunState):
            raise TypeError(f"{row}: its run state is none. It is written as power(...), toggle(...), ready()...")
        if not isinstance(kind.actions, tuple) or not all(isinstance(action, Action) for action in kind.actions):
            raise TypeError(f"{row}: it has no tuple of Action. Each of them ends with a comma, a single one too.")
        for action in kind.actions:
            if action.verb not in VERBS:
                raise TypeError(f"{row}: there is no verb {action.verb}. There are {', '.join(VERBS)}.")
            if action.ends not in get_args(Ends):
                raise TypeError(f"{row} {action.verb}: ends is one of {', '.join(get_args(Ends))}, not {action.ends}.")
            if action.allowed_from is not None and not isinstance(action.allowed_from, frozenset):
                raise TypeError(f'{row} {action.verb}: allowed_from is written as frozenset({{"running", ...}}).')
    return types


def _off(words: list[str], verb: Verb) -> list[str]:
    """The states that are off, as this verb means it.

    Pause and resume mean `paused`, the others do not, where a type knows it beside others.
    """
    off = [word for word in words if word in OFF]
    meant = [word for word in off if (word == "paused") == (verb in ("pause", "resume"))]
    return meant or off


def rows(kind: ResourceType) -> list[Capability]:
    """The complete rows of a type.

    A verb begins in the states of `ON` or `OFF` that the type knows and ends in the first of the other side. All but
    restart may be sent again. The permission is that of the operation, or to write the resource.
    """
    words = list(kind.state.values)
    on = [word for word in words if word in ON]
    found = []
    for action in kind.actions:
        off = _off(words, action.verb)
        begins = off if action.verb in ("start", "resume") else on
        ends = off if action.verb in ("stop", "pause") else on
        path = f"{action.operation}/action" if action.method == "POST" else "write"
        found.append(
            Capability(
                type=kind.type,
                category=kind.category,
                verb=action.verb,
                label=action.label or action.verb.capitalize(),
                operation=action.operation,
                method=action.method,
                api_version=action.api_version or kind.api_version,
                query=action.query,
                body=action.body,
                ends=action.ends,
                final_state_via=action.final_state_via,
                instances=action.instances,
                keeps=action.keeps,
                restores=action.restores,
                only=action.only,
                rbac_action=action.rbac_action or f"{kind.type}/{path}",
                effect=action.effect,
                allowed_from=frozenset(begins) if action.allowed_from is None else action.allowed_from,
                ends_in=(ends[0] if ends else "") if action.ends_in is None else action.ends_in,
                repeatable=action.verb != "restart" if action.repeatable is None else action.repeatable,
                confirmation=action.confirm,
                state=kind.state,
                state_api_version=kind.api_version,
                note=kind.note,
            )
        )
    return found
