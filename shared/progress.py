"""Long work as rows: an operation that a client polls, and one item per thing it touches.

Items are rows of their own, so that hundreds of workers report without racing for one row; the status of an operation
with items is worked out from them when it is read, and written down by whoever finishes the last one.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from shared.app import App
from shared.clock import Rfc3339, newest_first
from shared.errors import Conflict, NotFound
from shared.store.tables import TRANSACTION_LIMIT, Kind, Record, insert

Status = Literal["notStarted", "running", "succeeded", "failed", "canceled", "outcomeUnknown"]
CLOCKS_DIFFER = timedelta(days=2)
"""How far ahead of ours another worker's clock may be."""
TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "canceled", "outcomeUnknown"})


OUTCOMES: dict[str, str] = {"outcomeUnknown": "unknown"}
"""A status that ends -> what the audit log calls it, where that is another word."""
INLINE_ITEMS = 1000
"""Items that an operation shows with itself; of more there is `GET /operations/{id}/items`."""
ROW_PARTS = 12
"""Properties of an operation's row: one that touches 5,000 sites and tenants names them all."""


Proof = Literal["state", "operation", "acceptance"]
"""What shows that an action was done: the state it leads to, Azure's verdict, or that Azure took it."""
ApprovalState = Literal["pending", "approved", "rejected", "expired", "canceled"]


class OperationApproval(TypedDict):
    """A second person's word on an operation, as the API shows it; `reason` is that of the decision."""

    state: ApprovalState
    requestedBy: str
    requestedByName: str
    expiresAt: datetime
    decidedBy: NotRequired[str]
    decidedByName: NotRequired[str]
    decidedAt: NotRequired[datetime]
    reason: NotRequired[str]


class Approval(Record):
    """A second person's word on an operation. Times are UTC."""

    state: ApprovalState = "pending"
    requested_by: str
    requested_by_name: str = ""
    expires_at: datetime
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    """Of the decision."""

    def shown(self, now: datetime) -> OperationApproval:
        """As the API shows it: `expired` from its time on, also before that is written down."""
        shown: OperationApproval = {
            "state": "expired" if self.state == "pending" and self.expires_at <= now else self.state,
            "requestedBy": self.requested_by,
            "requestedByName": self.requested_by_name,
            "expiresAt": self.expires_at,
        }
        if self.decided_by is not None:
            shown["decidedBy"] = self.decided_by
        if self.decided_by_name is not None:
            shown["decidedByName"] = self.decided_by_name
        if self.decided_at is not None:
            shown["decidedAt"] = self.decided_at
        if self.reason is not None:
            shown["reason"] = self.reason
        return shown


class Operation(Record):
    """One piece of long work. Times are UTC."""

    id: str
    kind: str
    """`<area>.<verb>`: tenants.sync, tenants.unsync, connection.remove, device.start..."""
    status: Status = "notStarted"
    created_at: datetime
    last_updated_at: datetime
    created_by: str = ""
    """Principal id of who asked; empty for a timer."""
    asked_by: str = ""
    """Name of who asked."""
    reader: str
    """Permission that lets one read it."""
    tenant_ids: list[str] = Field(default_factory=list)
    site_ids: list[str] = Field(default_factory=list)
    """Sites it touches; empty: only Integration.Admin sees it."""
    resource: str | None = None
    resource_name: str = ""
    """What people call the resource."""
    percent_complete: int | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    reason: str | None = None
    ticket_number: str | None = None
    correlation_id: str = ""
    item_count: int = 0
    approval: Approval | None = None
    """None: it needs nobody's."""
    state: dict[str, Any] = Field(default_factory=dict)
    """What its workers need to go on (continuation token, attempts, request ids); never shown."""


class Item(Record):
    """What became of one target of an operation."""

    operation_id: str
    target: str
    name: str = ""
    """What people call the target, where that was known."""
    client: str = ""
    """Name of the client whose device it is."""
    status: Status = "notStarted"
    error: dict[str, Any] | None = None
    child: str = ""
    """Id of the operation that does it, when that is one of its own."""


def _month_key(operation_id: str) -> tuple[str, str]:
    month, _, rest = operation_id.partition("-")
    return month, rest


OPERATIONS = Kind("Operations", Operation, lambda o: _month_key(o.id), lambda o: {"status": o.status}, ROW_PARTS)
ITEMS = Kind(
    "OperationItems",
    Item,
    lambda i: (i.operation_id, i.target),
    lambda i: {"status": i.status, "done": i.status in TERMINAL},
)


def new_id(now: datetime) -> str:
    """An id under which operations list newest first."""
    return f"{now:%Y%m}-{newest_first(now)}{uuid.uuid4().hex[:12]}"


async def start(
    app: App, kind: str, *, reader: str, items: Mapping[str, str] | None = None, identifier: str = "", **fields: Any
) -> Operation:
    """Store a new operation with its items (target, which must be a valid row key, -> its name), not started.

    Raises Conflict when one with that identifier is stored already.
    """
    now = app.clock.now()
    operation = Operation(
        id=identifier or new_id(now),
        kind=kind,
        reader=reader,
        created_at=now,
        last_updated_at=now,
        item_count=len(items or {}),
        **fields,
    )
    named = (items or {}).items()
    rows = [insert(ITEMS, Item(operation_id=operation.id, target=target, name=name)) for target, name in named]
    for begin in range(0, len(rows), TRANSACTION_LIMIT):
        await app.tables.transact(rows[begin : begin + TRANSACTION_LIMIT])
    return await app.tables.insert(OPERATIONS, operation)


async def add_items(app: App, operation_id: str, targets: list[str]) -> None:
    """Give a running operation further items; those it has already stay as they are."""
    for target in targets:
        try:
            await app.tables.insert(ITEMS, Item(operation_id=operation_id, target=target))
        except Conflict:
            continue
    await update(app, operation_id, item_count=len(await items(app, operation_id)))


async def read(app: App, operation_id: str) -> Operation:
    """One operation. Raises NotFound."""
    operation = await find(app, operation_id)
    if operation is None:
        raise NotFound(f"There is no operation {operation_id}.")
    return operation


async def find(app: App, operation_id: str) -> Operation | None:
    """One operation, or None."""
    month, row = _month_key(operation_id)
    return await app.tables.get(OPERATIONS, month, row) if month and row else None


async def tally(app: App, operation_id: str) -> Counter[str]:
    """Status -> number of items, without keeping them."""
    rows = app.tables.rows(ITEMS.table, operation_id, select=["RowKey", "status"])
    return Counter([row["status"] async for row in rows])


async def items(app: App, operation_id: str) -> list[Item]:
    """The items of an operation, by target."""
    return await app.tables.all(ITEMS, operation_id)


async def update(app: App, operation_id: str, **values: Any) -> Operation:
    """Change an operation unless it has ended; gives it as it is then. Raises NotFound."""
    month, row = _month_key(operation_id)

    def change(current: Operation) -> Operation | None:
        if current.status in TERMINAL:
            return None
        return current.changed(**{"last_updated_at": app.clock.now(), **values})

    changed = await app.tables.update(OPERATIONS, month, row, change)
    if changed is None:
        raise NotFound(f"There is no operation {operation_id}.")
    return changed


async def discard(app: App, operation: Operation) -> None:
    """Take away an operation without items that never began, and that nobody was told of."""
    await app.tables.delete(OPERATIONS, operation)


async def _mark_running(app: App, operation_id: str) -> None:
    """Show that work has begun; written once, however many workers say so."""
    month, row = _month_key(operation_id)
    now = app.clock.now()
    await app.tables.update(
        OPERATIONS,
        month,
        row,
        lambda o: o.changed(status="running", last_updated_at=now) if o.status == "notStarted" else None,
    )


async def set_item(
    app: App, operation_id: str | None, target: str, status: Status, error: Mapping[str, Any] | None = None
) -> None:
    """Report one item; ends the operation when it was the last. Harmless when repeated or without an operation."""
    if operation_id is None:
        return
    await app.tables.update(
        ITEMS,
        operation_id,
        target,
        lambda item: None if item.status in TERMINAL else item.changed(status=status, error=error),
    )
    if status not in TERMINAL or await app.tables.all(ITEMS, operation_id, where="done eq false", limit=1):
        await _mark_running(app, operation_id)
        return
    counts = await tally(app, operation_id)
    failed, result = counts["failed"], {name: counts[name] for name in ("succeeded", "failed")}
    ended: Status = "failed" if failed else "succeeded"
    message = {"code": "itemsFailed", "message": "Some items failed; each says why."} if failed else None
    await update(app, operation_id, status=ended, error=message, result=result, percent_complete=100)


def partitions(now: datetime, *, months: int = 13) -> list[str]:
    """Partitions that may hold operations, newest month first (retention is shorter than `months`).

    At the end of a month the next one counts: a worker whose clock is ahead may have written there already.
    """
    latest = now + CLOCKS_DIFFER
    year, month = latest.year, latest.month
    names = []
    for _ in range(months):
        names.append(f"{year:04d}{month:02d}")
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return names


class Problem(TypedDict):
    """Why something failed or was not begun: a code, what happened, and what to do where that is known.

    `reason` is that of the person who kept it from beginning.
    """

    code: str
    message: str
    fix: NotRequired[str]
    reason: NotRequired[str]


class OperationResult(TypedDict, total=False):
    """What came of it: of an action on a device up to `provenBy`, of one on many the counts, of an export the rest."""

    deviceId: str
    child: str
    clientRequestId: str
    azureRequestId: str
    powerState: str
    provenBy: Proof
    succeeded: int
    failed: int
    canceled: int
    outcomeUnknown: int
    downloadUrl: str
    rows: int
    expiresAt: Rfc3339


class OperationItem(TypedDict):
    """What became of one target of an operation; `operationId` names the operation that does it, if it has its own."""

    target: str
    name: NotRequired[str]
    clientName: NotRequired[str]
    status: Status
    operationId: NotRequired[str]
    error: NotRequired[Problem]


class _Particulars(TypedDict, total=False):
    askedBy: str
    resource: str
    resourceName: str
    result: OperationResult
    error: Problem
    reason: str
    ticketNumber: str
    approval: OperationApproval
    itemCount: int
    items: list[OperationItem]


class OperationView(_Particulars, TypedDict):
    """A piece of long work. `kind` is `<area>.<verb>`; `items` are the first 1,000, and in no list. Times are UTC."""

    id: str
    kind: str
    status: Status
    percentComplete: int
    createdAt: datetime
    lastUpdatedAt: datetime


def view_item(item: Item) -> OperationItem:
    """An item as the API shows it."""
    shown: OperationItem = {"target": item.target, "status": item.status}
    if item.name:
        shown["name"] = item.name
    if item.client:
        shown["clientName"] = item.client
    if item.child:
        shown["operationId"] = item.child
    if item.error:
        shown["error"] = cast("Problem", item.error)
    return shown


def _particulars(operation: Operation, now: datetime) -> _Particulars:
    """What is not said of every operation."""
    shown: _Particulars = {}
    if operation.asked_by:
        shown["askedBy"] = operation.asked_by
    if operation.resource is not None:
        shown["resource"] = operation.resource
    if operation.resource_name:
        shown["resourceName"] = operation.resource_name
    if operation.result is not None:
        shown["result"] = cast("OperationResult", operation.result)
    if operation.error is not None:
        shown["error"] = cast("Problem", operation.error)
    if operation.reason is not None:
        shown["reason"] = operation.reason
    if operation.ticket_number is not None:
        shown["ticketNumber"] = operation.ticket_number
    if operation.approval is not None:
        shown["approval"] = operation.approval.shown(now)
    if operation.item_count:
        shown["itemCount"] = operation.item_count
    return shown


def view(
    operation: Operation, now: datetime, item_rows: list[Item] | None = None, counts: Counter[str] | None = None
) -> OperationView:
    """The operation as the API shows it now. `counts` are those of all items; needed when `item_rows` are not all."""
    percent = operation.percent_complete
    if operation.status not in TERMINAL and operation.item_count and item_rows is not None:
        if counts is None:
            counts = Counter(item.status for item in item_rows)
        percent = 100 * sum(counts[status] for status in TERMINAL) // operation.item_count
    shown: OperationView = {
        "id": operation.id,
        "kind": operation.kind,
        "status": operation.status,
        "percentComplete": 100 if operation.status == "succeeded" else percent or 0,
        "createdAt": operation.created_at,
        "lastUpdatedAt": operation.last_updated_at,
        **_particulars(operation, now),
    }
    if item_rows is not None and operation.item_count:
        shown["items"] = [view_item(item) for item in item_rows]
    return shown


async def whole(app: App, operation: Operation) -> OperationView:
    """The operation as the API shows it alone: with its first INLINE_ITEMS items."""
    if not operation.item_count:
        return view(operation, app.clock.now())
    first = await app.tables.all(ITEMS, operation.id, limit=INLINE_ITEMS)
    counts = await tally(app, operation.id) if operation.item_count > INLINE_ITEMS else None
    return view(operation, app.clock.now(), first, counts)
