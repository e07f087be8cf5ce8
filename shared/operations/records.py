"""What an action on a device needs beside the operation's own row."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.capabilities import Verb
from shared.progress import Operation
from shared.store.tables import Kind, Record

Phase = Literal["queued", "sending", "following", "verifying"]
WorkKind = Literal["action", "schedule"]


class Plan(Record):
    """Where an action stands; kept in `Operation.state`. Times are UTC."""

    verb: Verb
    device_id: str
    resource_id: str
    resource_type: str
    subscription_id: str
    tenant_id: str
    asked_by: str = ""
    """Name of who asked."""
    child: str = ""
    """Path below the device's resource, when it is done to a child of the device."""
    instances: list[str] = Field(default_factory=list)
    """Of a scale set or a cluster, those it is done to; none: all of them."""
    parent: str = ""
    """The operation on many devices that it is part of."""
    work_kind: WorkKind = "action"
    """Of the planned work that it is."""
    phase: Phase = "queued"
    step: int = 0
    """How many steps were done, so that of two messages for the same one the second does nothing."""
    attempts: int = 0
    """How often it was sent."""
    request_id: str = ""
    """`x-ms-client-request-id` of the last time it was sent: what Azure's support asks for."""
    azure_request_id: str = ""
    """`x-ms-request-id` of Azure's answer to it."""
    sending_until: datetime | None = None
    """While it is being sent: after this the sender is taken for dead."""
    token: str = ""
    """The SDK's continuation token."""
    percent: int | None = None
    checks: int = 0
    """How often the machine's state was read in vain since Azure said it was done."""
    untold: bool = False
    """Azure took it and gave nothing to follow."""
    lost: bool = False
    """Azure's own verdict can no longer be had; only the machine's state can be read."""

    def into(self) -> dict[str, object]:
        """As kept in the operation's row."""
        return self.model_dump(mode="json", exclude_none=True)


def plan_of(operation: Operation) -> Plan:
    """The plan in an operation's row."""
    return Plan.model_validate(operation.state)


class Note(Record):
    """An act on an operation on many devices that the audit log does not have yet."""

    id: str
    action: str
    actor: str
    actor_name: str = ""
    outcome: str = "accepted"
    reason: str | None = None
    ticket_number: str | None = None
    request_id: str = ""


class Bulk(Record):
    """Where an operation on many devices stands; kept in `Operation.state`."""

    verb: Verb
    work_kind: WorkKind = "action"
    asked_by: str = ""
    """Name of who asked."""
    every_site: bool | None = None
    """Who asked saw every site by role: there are no grants to look at. None: it was asked for by a version that did
    not keep this, and looked at rights once, when it was asked for."""
    confirm: bool = False
    begun: bool = False
    """The lanes of its subscriptions know of it."""
    stopping: dict[str, Any] | None = None
    """Why nothing more of it begins (canceled, rejected, expired): the error of its items."""
    notes: list[Note] = Field(default_factory=list)

    def into(self) -> dict[str, object]:
        """As kept in the operation's row."""
        return self.model_dump(mode="json", exclude_none=True)


def bulk_of(operation: Operation) -> Bulk:
    """The plan in the row of an operation on many devices."""
    return Bulk.model_validate(operation.state)


class Slot(Record):
    """A device of a subscription that is being acted upon for an operation on many."""

    operation_id: str
    target: str
    by: str = ""
    """Whose end made room for it, so that the same message begins it again after a kill."""
    at: datetime | None = None
    """When it got its slot, UTC."""


class Waiting(Record):
    """An operation of which not all devices of a subscription have begun."""

    operation_id: str
    after: str = ""
    """The last target that was taken; they are taken in order."""


class Lane(Record):
    """What goes on in one subscription for operations on many devices, the oldest first."""

    subscription_id: str
    slots: list[Slot] = Field(default_factory=list)
    waiting: list[Waiting] = Field(default_factory=list)


LANES = Kind("OperationLanes", Lane, lambda lane: ("lane", lane.subscription_id))


class Pause(Record):
    """Azure asked to be left alone about a subscription. `until` is UTC."""

    subscription_id: str
    until: datetime


PAUSES = Kind("OperationLanes", Pause, lambda pause: ("pause", pause.subscription_id))


class Key(Record):
    """The operation that was begun under a key."""

    key: str
    operation_id: str


KEYS = Kind("OperationKeys", Key, lambda key: ("key", key.key))


class Guard(Record):
    """Marks a device as busy with an operation, so that two never run at once. `at` is UTC."""

    device_id: str
    operation_id: str = ""
    holder: str = ""
    """The operation that it is taken for, before that is stored: known beforehand of one that is part of another."""
    at: datetime


GUARDS = Kind("OperationGuards", Guard, lambda g: ("device", g.device_id))


class Kept(Record):
    """What an action took away from a resource, so that the opposite one can put it back."""

    device_id: str
    subscription_id: str
    value: Any


KEPT = Kind("KeptSettings", Kept, lambda k: (k.subscription_id, k.device_id))


class Failure(Record):
    """Why an action failed: Azure's code and text, and what to do where we know it."""

    code: str
    message: str
    fix: str = Field(default="")

    def shown(self) -> dict[str, str]:
        """As the API shows it."""
        return self.model_dump(exclude={"fix"} if not self.fix else None)
