"""Reading operations: whoever may read what one is about may read it."""

from __future__ import annotations

from collections.abc import Sequence

from shared import progress
from shared.access import Principal
from shared.app import App
from shared.errors import NotFound
from shared.progress import OPERATIONS, Operation


def visible(caller: Principal, operation: Operation) -> bool:
    """Whether the caller may see an operation: its permission, and every site it touches."""
    if operation.reader not in caller.permissions:
        return False
    return caller.sites is None or (bool(operation.site_ids) and caller.sites.issuperset(operation.site_ids))


async def get(app: App, caller: Principal, operation_id: str) -> Operation:
    """One operation. Raises NotFound, also outside the caller's scope."""
    operation = await progress.read(app, operation_id)
    if not visible(caller, operation):
        raise NotFound(f"There is no operation {operation_id}.")
    return operation


async def listed(
    app: App,
    caller: Principal,
    *,
    statuses: Sequence[str] = (),
    tenant_ids: Sequence[str] = (),
    above: tuple[str, str] | None = None,
    limit: int | None = None,
) -> list[Operation]:
    """Operations newest first, from beyond (month, row key) of the last one shown, at most `limit`."""
    clauses = [f"status eq @s{number}" for number in range(len(statuses))]
    parameters = {f"s{number}": status for number, status in enumerate(statuses)}
    found: list[Operation] = []
    for month in progress.partitions(app):
        if above is not None and month > above[0]:
            continue
        after = above[1] if above is not None and month == above[0] else ""
        rows = app.tables.query(OPERATIONS, month, above=after, where=" or ".join(clauses), parameters=parameters)
        async for operation in rows:
            if not visible(caller, operation) or (tenant_ids and not set(tenant_ids) & set(operation.tenant_ids)):
                continue
            found.append(operation)
            if limit is not None and len(found) >= limit:
                return found
    return found
