"""Reading operations: whoever may read what one is about may read it."""

from __future__ import annotations

from collections.abc import Sequence

from shared import devices, progress
from shared.access import Principal
from shared.app import App
from shared.devices import places
from shared.errors import NotFound
from shared.progress import ITEMS, OPERATIONS, Item, Operation


class Sight:
    """What a caller may see. For one request: where subscriptions stand is read once and kept."""

    def __init__(self, app: App, caller: Principal) -> None:
        self._app, self._caller = app, caller
        self._sites: dict[str, str | None] = {}

    async def allows(self, operation: Operation) -> bool:
        """Whether the caller may see an operation: its permission, and every site it touches.

        What is done on a device goes with the device, which may have moved to another site since.
        """
        caller = self._caller
        if operation.reader not in caller.permissions:
            return False
        if caller.sites is None:
            return True
        if operation.kind.startswith("device."):
            return caller.sees_site(await self._site_of(devices.subscription_of(operation.resource or "")))
        return bool(operation.site_ids) and caller.sites.issuperset(operation.site_ids)

    async def _site_of(self, subscription_id: str) -> str | None:
        """The site whose people see a subscription's devices now."""
        if subscription_id not in self._sites:
            place = await places.of(self._app, subscription_id)
            self._sites[subscription_id] = place.site.id if place and place.shown and place.site else None
        return self._sites[subscription_id]


async def get(app: App, caller: Principal, operation_id: str) -> Operation:
    """One operation. Raises NotFound, also outside the caller's scope."""
    operation = await progress.read(app, operation_id)
    if not await Sight(app, caller).allows(operation):
        raise NotFound(f"There is no operation {operation_id}.")
    return operation


async def items_of(
    app: App, operation: Operation, *, statuses: Sequence[str] = (), above: str = "", limit: int
) -> list[Item]:
    """Items of an operation by target, from beyond `above`."""
    where = " or ".join(f"status eq @s{number}" for number in range(len(statuses)))
    values = {f"s{number}": status for number, status in enumerate(statuses)}
    return await app.tables.all(ITEMS, operation.id, above=above, where=where, parameters=values, limit=limit)


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
    sight = Sight(app, caller)
    for month in progress.partitions(app.clock.now()):
        if above is not None and month > above[0]:
            continue
        after = above[1] if above is not None and month == above[0] else ""
        rows = app.tables.query(OPERATIONS, month, above=after, where=" or ".join(clauses), parameters=parameters)
        async for operation in rows:
            if tenant_ids and not set(tenant_ids) & set(operation.tenant_ids):
                continue
            if not await sight.allows(operation):
                continue
            found.append(operation)
            if limit is not None and len(found) >= limit:
                return found
    return found
