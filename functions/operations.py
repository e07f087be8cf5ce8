"""Actions on devices, and the operations that all long work is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import Field, StringConstraints

from functions.paging import PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, request_id
from shared import devices, operations, progress
from shared.access import ADMIN, COLLECTIONS_READ, DEVICES_READ, DEVICES_UPDATE, M365_READ
from shared.capabilities import Answer, Verb
from shared.errors import InvalidInput
from shared.progress import TERMINAL, Operation, Status

area = Area("operations")
READERS = (DEVICES_READ, M365_READ, COLLECTIONS_READ, ADMIN)
POLL_SECONDS = "2"
DeviceId = Annotated[str, Path(pattern=ID, description="Id of a device.")]
OperationId = Annotated[str, Path(pattern=ID, description="Id of an operation.")]


CHILD = r"^([A-Za-z0-9]{1,60}/[^/?#%\\\s]{1,200}(/[A-Za-z0-9]{1,60}/[^/?#%\\\s]{1,200}){0,3})?$"
Instance = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MAX_INSTANCES = 1000
"""Of one scale set, as Azure has it."""


class ActionBody(Acting):
    """Why an action is done; `confirm` for those that ask for it."""

    confirm: bool = False
    instances: list[Instance] = Field(default_factory=list, max_length=MAX_INSTANCES)
    """Of a scale set or a cluster, those it is done to."""
    child: Annotated[str, StringConstraints(pattern=CHILD)] = ""
    """Path of a child below the device, as its children have it, that it is done to."""


@area.get("/devices/{device_id}/actions", permission=DEVICES_READ)
async def list_actions(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    device_id: DeviceId,
    child: Annotated[str, Query(pattern=CHILD, description="Path of a child below the device; none: itself.")] = "",
) -> dict[str, Any]:
    """All five verbs: whether each can be done now, why not, and what it does."""
    rows = await operations.answers(app, await devices.get(app, caller, device_id), child)
    return page.of(
        rows,
        columns={"action": lambda a: a.verb, "position": rows.index},
        default="position",
        key=lambda a: a.verb,
        view=lambda a: {
            "action": a.verb,
            "available": a.available,
            "label": a.label,
            "operationName": a.operation_name,
            "effect": a.effect,
            "needsConfirmation": bool(a.confirmation),
            **{name: value for name, value in _optional(a) if value},
        },
    )


@area.get("/devices/{device_id}/children", permission=DEVICES_READ)
async def list_children(app: AppDep, caller: Caller, page: PageDep, device_id: DeviceId) -> dict[str, Any]:
    """What lies under a device and can be acted upon, read from Azure now: node pools, slots, triggers, pools."""
    rows = await operations.children(app, await devices.get(app, caller, device_id))
    return page.of(
        rows,
        columns={"child": lambda c: c.path, "type": lambda c: c.type},
        default="child",
        key=lambda c: c.path,
        view=lambda c: {
            "child": c.path,
            "type": c.type,
            "resourceId": c.resource_id,
            "powerState": c.state or "unknown",
            "actions": c.actions,
        },
    )


def _optional(answer: Answer) -> list[tuple[str, str]]:
    """What an answer says only where there is something to say."""
    return [
        ("reason", answer.reason),
        ("confirmation", answer.confirmation),
        ("instances", answer.instances),
        ("note", answer.note),
    ]


@area.post("/devices/{device_id}/actions/{verb}", permission=DEVICES_UPDATE, status_code=202, idempotent=True)
async def act(
    app: AppDep,
    caller: Caller,
    request: Request,
    response: Response,
    device_id: DeviceId,
    verb: Verb,
    body: ActionBody | None = None,
) -> dict[str, Any]:
    """Begin an action. 409 when the type or the present state does not allow it, or another one runs."""
    found = await devices.get(app, caller, device_id)
    why = body or ActionBody()
    operation = await operations.start(
        app,
        caller,
        found,
        verb,
        confirm=why.confirm,
        instances=why.instances,
        child=why.child,
        reason=why.reason,
        ticket_number=why.ticket_number,
        request_id=request_id(request),
    )
    response.headers["Operation-Location"] = f"{app.settings.public_api_url}/operations/{operation.id}"
    response.headers["Retry-After"] = POLL_SECONDS
    return progress.view(operation)


@area.get("/operations", permission=READERS)
async def list_operations(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    status: Annotated[list[Status] | None, Query(description="Default: all.")] = None,
    tenant_id: Annotated[list[Annotated[str, Query(max_length=64)]] | None, Query(alias="tenantId")] = None,
) -> dict[str, Any]:
    """Operations, newest first (the only order), without their items."""
    page.order({"createdAt"}, "createdAt desc")
    if page.orderby not in (None, "createdAt desc"):
        raise InvalidInput("Operations are ordered by `createdAt desc` only.", target="$orderby")
    above: tuple[str, str] | None = None
    if page.after is not None:
        if len(page.after) != 2 or not all(isinstance(part, str) for part in page.after):
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
        above = (page.after[0], page.after[1])
    wanted: dict[str, Any] = {"statuses": status or [], "tenant_ids": tenant_id or []}
    total = len(await operations.listed(app, caller, **wanted)) if page.count else None
    found = await operations.listed(app, caller, above=above, limit=page.top + 1, **wanted)
    shown = found[: page.top]
    after = list(progress.OPERATIONS.key(shown[-1])) if len(found) > page.top else None
    return page.reply([progress.view(row) for row in shown], after=after, total=total)


@area.get("/operations/{operation_id}", permission=READERS)
async def read_operation(app: AppDep, caller: Caller, response: Response, operation_id: OperationId) -> dict[str, Any]:
    """One operation with its items; ask again after `Retry-After` while it is not done."""
    operation: Operation = await operations.get(app, caller, operation_id)
    if operation.status not in TERMINAL:
        response.headers["Retry-After"] = POLL_SECONDS
    return progress.view(operation, await progress.items(app, operation.id) if operation.item_count else None)
