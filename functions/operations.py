"""Actions on devices, and the operations that all long work is."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, NotRequired, Self

from fastapi import Path, Query, Request, Response
from pydantic import Field, StrictBool, StringConstraints, model_validator
from typing_extensions import TypedDict

from functions.devices import EVERYTHING, FilterBody
from functions.paging import Page, PageDep
from functions.routing import ID, Acting, AppDep, Area, Caller, request_id
from shared import devices, operations, progress
from shared.access import ADMIN, COLLECTIONS_READ, DEVICES_READ, DEVICES_UPDATE, M365_READ
from shared.app import App
from shared.capabilities import Answer, Verb
from shared.errors import InvalidInput
from shared.progress import TERMINAL, Operation, OperationItem, OperationView, Status

area = Area("operations")
READERS = (DEVICES_READ, M365_READ, COLLECTIONS_READ, ADMIN)
POLL_SECONDS = "2"
DeviceId = Annotated[str, Path(pattern=ID, description="Id of a device.")]
OperationId = Annotated[str, Path(pattern=ID, description="Id of an operation.")]


CHILD = r"^([A-Za-z0-9]{1,60}/[^/?#%\\\s]{1,200}(/[A-Za-z0-9]{1,60}/[^/?#%\\\s]{1,200}){0,3})?$"
Instance = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MAX_INSTANCES = 1000
"""Of one scale set, as Azure has it."""


class ConfirmedBody(Acting):
    """Why an action is done; `confirm` for those that ask for it."""

    confirm: StrictBool = False


class ActionBody(ConfirmedBody):
    """What of a device it is done to, where that is not the whole of it."""

    instances: list[Instance] = Field(default_factory=list, max_length=MAX_INSTANCES)
    """Of a scale set or a cluster, those it is done to."""
    child: Annotated[str, StringConstraints(pattern=CHILD)] = ""
    """Path of a child below the device, as its children have it, that it is done to."""


class ManyBody(ConfirmedBody):
    """The action, and on which devices: `deviceIds` or a `filter` as lists of devices take it."""

    action: Verb
    device_ids: list[Annotated[str, Field(pattern=ID)]] | None = Field(None, min_length=1, max_length=operations.MOST)
    filter: FilterBody | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.device_ids is None) == (self.filter is None):
            raise ValueError("name either deviceIds or a filter")
        if self.filter is not None and self.filter.merged() == EVERYTHING:
            raise ValueError("an empty filter would mean every device: name at least one field")
        return self


class DeviceAction(TypedDict):
    """A verb of a device: `reason` says why it cannot be done now, `confirmation` why `confirm: true` is asked for."""

    action: Verb
    available: bool
    label: str
    operationName: str
    effect: str
    needsConfirmation: bool
    reason: NotRequired[str]
    confirmation: NotRequired[str]
    instances: NotRequired[Literal["optional", "one", "some"]]
    note: NotRequired[str]


class DeviceChild(TypedDict):
    """What lies under a device and can be acted upon; `actions` are the verbs that can be done now."""

    child: str
    type: str
    resourceId: str
    powerState: str
    actions: list[Verb]


def _shown_action(answer: Answer) -> DeviceAction:
    shown: DeviceAction = {
        "action": answer.verb,
        "available": answer.available,
        "label": answer.label,
        "operationName": answer.operation_name,
        "effect": answer.effect,
        "needsConfirmation": bool(answer.confirmation),
    }
    if answer.reason:
        shown["reason"] = answer.reason
    if answer.confirmation:
        shown["confirmation"] = answer.confirmation
    if answer.instances:
        shown["instances"] = answer.instances
    if answer.note:
        shown["note"] = answer.note
    return shown


def _shown_child(child: operations.Child) -> DeviceChild:
    return {
        "child": child.path,
        "type": child.type,
        "resourceId": child.resource_id,
        "powerState": child.state or "unknown",
        "actions": child.actions,
    }


@area.get("/devices/{device_id}/actions", permission=DEVICES_READ)
async def list_device_actions(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    device_id: DeviceId,
    child: Annotated[str, Query(pattern=CHILD, description="Path of a child below the device; none: itself.")] = "",
) -> Page[DeviceAction]:
    """All five verbs: whether each can be done now, why not, and what it does."""
    rows = await operations.answers(app, await devices.get(app, caller, device_id), child)
    return page.of(
        rows,
        columns={"action": lambda a: a.verb, "position": rows.index},
        default="position",
        key=lambda a: a.verb,
        view=_shown_action,
    )


@area.get("/devices/{device_id}/children", permission=DEVICES_READ)
async def list_device_children(app: AppDep, caller: Caller, page: PageDep, device_id: DeviceId) -> Page[DeviceChild]:
    """What lies under a device and can be acted upon, read from Azure now: node pools, slots, triggers, pools."""
    rows = await operations.children(app, await devices.get(app, caller, device_id))
    return page.of(
        rows,
        columns={"child": lambda c: c.path, "type": lambda c: c.type},
        default="child",
        key=lambda c: c.path,
        view=_shown_child,
    )


@area.post("/devices/{device_id}/actions/{verb}", permission=DEVICES_UPDATE, status_code=202, idempotent=True)
async def act_on_device(
    app: AppDep,
    caller: Caller,
    request: Request,
    response: Response,
    device_id: DeviceId,
    verb: Verb,
    body: ActionBody | None = None,
) -> OperationView:
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
    return _accepted(app, response, operation)


@area.post("/actions", permission=DEVICES_UPDATE, status_code=202, idempotent=True)
async def act_on_devices(
    app: AppDep, caller: Caller, request: Request, response: Response, body: ManyBody
) -> OperationView:
    """Begin an action on many devices, by ids or filter: an operation with an item each. It may wait for approval."""
    if body.device_ids is not None:
        found = await devices.find_many(app, caller, body.device_ids)
    else:
        found = list((await devices.find_all(app, caller, (body.filter or FilterBody()).merged())).rows)
    operation = await operations.start_many(
        app,
        verb=body.action,
        found=found,
        asked_by=caller.id,
        asked_by_name=caller.name,
        every_site=caller.sites is None,
        reason=body.reason,
        ticket_number=body.ticket_number,
        request_id=request_id(request),
        confirm=body.confirm,
    )
    return _accepted(app, response, operation)


def _accepted(app: App, response: Response, operation: Operation) -> OperationView:
    response.headers["Operation-Location"] = f"{app.settings.public_api_url}/operations/{operation.id}"
    response.headers["Retry-After"] = POLL_SECONDS
    return progress.view(operation, app.clock.now())


@area.get("/operations", permission=READERS)
async def list_operations(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    status: Annotated[list[Status] | None, Query(description="Default: all.")] = None,
    tenant_id: Annotated[list[Annotated[str, Query(max_length=64)]] | None, Query(alias="tenantId")] = None,
) -> Page[OperationView]:
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
    shown, now = found[: page.top], app.clock.now()
    after = list(progress.OPERATIONS.key(shown[-1])) if len(found) > page.top else None
    return page.reply([progress.view(row, now) for row in shown], after=after, total=total)


@area.get("/operations/{operation_id}", permission=READERS)
async def read_operation(app: AppDep, caller: Caller, response: Response, operation_id: OperationId) -> OperationView:
    """One operation with its first 1,000 items; ask again after `Retry-After` while it is not done."""
    operation: Operation = await operations.get(app, caller, operation_id)
    if operation.status not in TERMINAL:
        response.headers["Retry-After"] = POLL_SECONDS
    return await progress.whole(app, operation)


@area.get("/operations/{operation_id}/items", permission=READERS)
async def list_operation_items(
    app: AppDep,
    caller: Caller,
    page: PageDep,
    operation_id: OperationId,
    status: Annotated[list[Status] | None, Query(description="Default: all.")] = None,
) -> Page[OperationItem]:
    """What became of each target of an operation, by target (the only order)."""
    page.order({"target"}, "target")
    if page.orderby not in (None, "target", "target asc"):
        raise InvalidInput("Items are ordered by `target` only.", target="$orderby")
    above = ""
    if page.after is not None:
        if len(page.after) != 1 or not isinstance(page.after[0], str) or not page.after[0]:
            raise InvalidInput("$skiptoken is not one that was given out.", target="$skiptoken")
        above = page.after[0]
    operation = await operations.get(app, caller, operation_id)
    found = await operations.items_of(app, operation, statuses=status or [], above=above, limit=page.top + 1)
    shown = found[: page.top]
    counts = await progress.tally(app, operation.id) if page.count else Counter[str]()
    total = sum(count for name, count in counts.items() if not status or name in status)
    after = [shown[-1].target] if len(found) > page.top else None
    return page.reply([progress.view_item(item) for item in shown], after=after, total=total)


@area.post("/operations/{operation_id}/cancel", permission=DEVICES_UPDATE, idempotent=True)
async def cancel_operation(
    app: AppDep, caller: Caller, request: Request, operation_id: OperationId, body: Acting | None = None
) -> OperationView:
    """Cancel what has not begun of an action; what was sent to Azure goes on to its end. 409 when nothing waits."""
    canceled = await operations.cancel(app, caller, operation_id, **_why(request, body))
    return progress.view(canceled, app.clock.now())


@area.post("/operations/{operation_id}/approve", permission=DEVICES_UPDATE, idempotent=True)
async def approve_operation(
    app: AppDep, caller: Caller, request: Request, operation_id: OperationId, body: Acting | None = None
) -> OperationView:
    """Let an action on many devices begin; not by who asked for it (403), and once (409)."""
    decided = await operations.decide(app, caller, operation_id, approve=True, **_why(request, body))
    return progress.view(decided, app.clock.now())


@area.post("/operations/{operation_id}/reject", permission=DEVICES_UPDATE, idempotent=True)
async def reject_operation(
    app: AppDep, caller: Caller, request: Request, operation_id: OperationId, body: Acting | None = None
) -> OperationView:
    """Keep an action on many devices from beginning; not by who asked for it (403), and once (409)."""
    decided = await operations.decide(app, caller, operation_id, approve=False, **_why(request, body))
    return progress.view(decided, app.clock.now())


def _why(request: Request, body: Acting | None) -> dict[str, Any]:
    why = body or Acting()
    return {"reason": why.reason, "ticket_number": why.ticket_number, "request_id": request_id(request)}
