"""What one row of the capability tables says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Verb = Literal["start", "stop", "pause", "resume", "restart"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)


@dataclass(frozen=True)
class Capability:
    """One verb of one ARM resource type. Power states are the last part of Azure's codes, lower case."""

    type: str
    """As Microsoft writes it; compared without case."""
    verb: Verb
    operation_name: str
    """What Azure calls it: the last segment of the request."""
    rbac_action: str
    """The Azure permission that the sender must hold on the resource."""
    effect: str
    """What it does to the machine, its users and the bill: shown before it is done."""
    allowed_from: frozenset[str]
    """Power states in which it makes sense. An unknown state allows it, Azure then decides."""
    ends_in: str
    """The power state that proves it was done."""
    repeatable: bool
    """Whether sending it twice does no more than sending it once."""
    needs_confirmation: bool = False
    """Whether a caller must say `confirm: true`."""
    unavailable: str = ""
    """Why it cannot be done at all; empty when it can."""
