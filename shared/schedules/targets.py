"""What a schedule is about: the devices of its target, within the sites of the schedule and of its owner.

A schedule runs when nobody is signed in, so it acts with what its owner may see at that moment, and never beyond the
sites that it had when it was saved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from shared import capabilities, devices
from shared.access import DEVICES_READ, Principal, grant_of
from shared.app import App
from shared.capabilities import Verb
from shared.devices import DEVICES, Device, Filter, subscription_of
from shared.devices.listing import Row
from shared.devices.records import DEVICE_PREFIX
from shared.schedules.records import Chosen, Schedule, Target

MAX_DEVICES = 1_000
"""That a schedule may name, or that its filter may match."""
AT_ONCE = 32
POINT_READS = 50
"""Of one subscription; for more of its devices its partition is read as a whole."""


@dataclass(frozen=True)
class Found:
    """The devices of a target that a verb can be done to at all, and what is beside them."""

    devices: list[Row]
    site_ids: frozenset[str]
    """The sites that the target can reach."""
    missing: tuple[str, ...] = ()
    """Devices that were named and are gone or out of reach."""
    unable: tuple[str, ...] = ()
    """Devices that were named and whose type has no such action. What a filter finds of them is left out."""


@dataclass(frozen=True)
class Owner:
    """Whom a schedule acts as, as far as it goes. His sites may be none."""

    principal: Principal
    sites: frozenset[str]
    every_site: bool
    """He has them by his role: there are no grants of his to look at."""


async def owner_of(app: App, schedule: Schedule) -> Owner:
    """The owner as he is now.

    Whether he still has the role that gave him every site only his next token would say: what was granted to him since
    he saved the schedule counts instead.
    """
    sites, grant = frozenset(schedule.site_ids), await grant_of(app, schedule.owner_id)
    told_since = grant is not None and grant.at is not None and grant.at > schedule.changed_at
    every_site = schedule.owner_unlimited and not told_since
    if not every_site:
        sites &= frozenset(grant.site_ids if grant is not None else ())
    principal = Principal(schedule.owner_id, schedule.owner_name, frozenset({DEVICES_READ}), sites)
    return Owner(principal, sites, every_site)


async def find(app: App, caller: Principal, target: Target, verb: Verb) -> Found:
    """The devices of a target that a caller may see. Raises InvalidInput when a filter needs to be narrower."""
    if target.chosen is not None:
        return await _chosen(app, caller, target.chosen, verb)
    return await _named(app, caller, target.device_ids or [], verb)


async def _named(app: App, caller: Principal, device_ids: Iterable[str], verb: Verb) -> Found:
    wanted = dict.fromkeys(device_ids)
    subscriptions = tuple({subscription_of(name) for name in wanted} - {""})
    seen = (await devices.find_all(app, caller, Filter(subscription_ids=subscriptions))).rows if subscriptions else []
    rows = {row.entry.id: row for row in seen if row.entry.id in wanted}
    return Found(
        [row for row in rows.values() if _can(row, verb)],
        frozenset(row.place.site.id for row in rows.values() if row.place.site),
        missing=tuple(name for name in wanted if name not in rows),
        unable=tuple(name for name, row in rows.items() if not _can(row, verb)),
    )


async def _chosen(app: App, caller: Principal, chosen: Chosen, verb: Verb) -> Found:
    listing = await devices.find_all(app, caller, chosen.filter())
    rows = [row for row in listing.rows if _can(row, verb)]
    if chosen.tags:
        tagged = await _tagged(app, rows, chosen.tags)
        rows = [row for row in rows if row.entry.id in tagged]
    return Found(rows, frozenset(place.site.id for place in listing.places if place.site))


def _can(row: Row, verb: Verb) -> bool:
    return not capabilities.refusal(row.entry.type, verb, None)


async def _tagged(app: App, rows: Iterable[Row], tags: dict[str, str]) -> set[str]:
    """The ids of those that have all these tags, which only the devices' own rows know.

    Names are compared without case, values with it, as Azure does:
    learn.microsoft.com/azure/azure-resource-manager/management/tag-resources.
    """
    by_subscription: dict[str, list[str]] = {}
    for row in rows:
        by_subscription.setdefault(row.place.subscription.id, []).append(row.entry.id)
    wanted = {(name.casefold(), value) for name, value in tags.items()}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(subscription_id: str, name: str) -> list[Device]:
        async with gate:
            row = await app.tables.get(DEVICES, subscription_id, f"{DEVICE_PREFIX}{name}")
        return [row] if row is not None else []

    async def every(subscription_id: str) -> list[Device]:
        async with gate:
            return await app.tables.all(DEVICES, subscription_id, prefix=DEVICE_PREFIX)

    reads = []
    for subscription_id, names in by_subscription.items():
        if len(names) > POINT_READS:
            reads.append(every(subscription_id))
        else:
            reads += [one(subscription_id, name) for name in names]
    return {
        device.id
        for found in await asyncio.gather(*reads)
        for device in found
        if wanted <= {(name.casefold(), value) for name, value in device.tags.items()}
    }
