"""Failures on demand: what `PUT /_sandbox/resources` `{fault}` puts on a resource, taken by its next action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.wire import CloudError
from sandbox.world import Resource


@dataclass(frozen=True)
class Injected:
    """A failure that an action meets, in Azure's words."""

    code: str
    message: str
    status: int | None = None
    """The first answer's code; None: the action begins, and its operation ends in failure."""
    canceled: bool = False
    """The operation ends Canceled, not Failed."""

    @property
    def error(self) -> dict[str, str]:
        """The error object of a polling answer."""
        return {"code": self.code, "message": self.message}

    def refuse(self) -> CloudError:
        """The refusal that stands for it as an answer."""
        return CloudError(self.status or 409, self.code, self.message)


_BUSY = (
    "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
    "https://aka.ms/activitylog to get more details on the conflicting requests."
)
_KINDS: dict[str, Injected] = {
    "allocation": Injected(
        "AllocationFailed",
        "Allocation failed. We do not have sufficient capacity for the requested size in this region. Read more about "
        "improving likelihood of allocation success at https://aka.ms/allocation-guidance",
    ),
    "sku": Injected(
        "SkuNotAvailable",
        "The requested size for resource '{id}' is currently not available in location '{location}' zones '' for "
        "subscription '{subscription}'. Please try another size or deploy to a different location or zones. See "
        "https://aka.ms/azureskunotavailable for details.",
        409,
    ),
    "lock": Injected(
        "ScopeLocked",
        "The scope '{id}' cannot perform write operation because following scope(s) are locked: '{id}'. Please remove "
        "the lock and try again.",
        409,
    ),
    "quota": Injected(
        "QuotaExceeded",
        "Operation could not be completed as it results in exceeding approved quota. Location: {location}. Please "
        "request a quota increase at https://aka.ms/ProdportalCRP/#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView",
        409,
    ),
    "conflict": Injected("Conflict", _BUSY, 409),
    "preempted": Injected(
        "OperationPreempted", "Operation execution has been preempted by a more recent operation.", canceled=True
    ),
    "internal": Injected("InternalExecutionError", "An internal execution error occurred. Please retry later."),
}


def put(resource: Resource, fault: dict[str, Any]) -> None:
    """Put a failure on a resource: `{verb, kind?, code?, message?, status?, canceled?}`; the next such action meets it.

    `verb` is start, stop, pause, resume, restart, the name of the operation below the id, or * for any. Raises
    CloudError 400 for an unknown kind.
    """
    kind = fault.get("kind", "internal")
    if kind not in _KINDS:
        raise CloudError(400, "BadFault", f"kind is one of {', '.join(_KINDS)}.")
    row = _KINDS[kind]
    words = {"id": resource.id, "location": resource.location, "subscription": resource.subscription_id}
    code, message = fault.get("code", row.code), fault.get("message", row.message.format(**words))
    placed: dict[str, Any] = {"code": code, "message": message}
    if (status := fault.get("status", row.status)) is not None:
        placed["status"] = int(status)
    if fault.get("canceled", row.canceled):
        placed["canceled"] = True
    resource.faults[fault["verb"]] = placed


def take(resource: Resource, *names: str | None) -> Injected | None:
    """The failure that waits for an action under one of its names, removed."""
    for name in (*names, "*"):
        if name is not None and (fault := resource.faults.pop(name, None)) is not None:
            return Injected(**fault)
    return None


def busy() -> CloudError:
    """The refusal of a second action while one runs."""
    return _KINDS["conflict"].refuse()
