"""Lists of devices: what a caller may see, filtered, with the names of tenant, subscription and site joined in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, NotRequired
from urllib.parse import quote

from typing_extensions import TypedDict

from shared import capabilities
from shared.access import Principal
from shared.app import App
from shared.capabilities import Verb
from shared.devices import index, places
from shared.devices.index import Entry
from shared.devices.places import Place, RefreshError
from shared.devices.records import Status, subscription_of
from shared.devices.type_names import type_name
from shared.errors import ErrorDetail, InvalidInput, NotFound

MISSING_NAMED = 5
"""Devices that an error's message names; its details name all."""


@dataclass(frozen=True)
class Filter:
    """Which devices: every field that is not empty must match one of its values; texts match without case."""

    client_names: tuple[str, ...] = ()
    site_ids: tuple[str, ...] = ()
    tenant_ids: tuple[str, ...] = ()
    subscription_ids: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    power_states: tuple[str, ...] = ()
    search: str = ""
    """Part of the device's, resource group's, subscription's, client's or site's name."""


class Row(NamedTuple):
    """One device of a list, and where it stands."""

    entry: Entry
    place: Place


class Rows(Collection[Row]):
    """Rows, in no order, each made when it is looked at.

    Kept all at once, those of 100,000 devices would set off the garbage collector with every request, over all that the
    process holds: two thirds of the request's time, measured.
    """

    def __init__(self, found: Sequence[tuple[Place, Sequence[Entry]]]) -> None:
        self._found = found

    def __len__(self) -> int:
        return sum(len(entries) for _, entries in self._found)

    def __iter__(self) -> Iterator[Row]:
        for place, entries in self._found:
            for entry in entries:
                yield Row(entry, place)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)


@dataclass(frozen=True)
class Listing:
    """The matches in no order; `last_refreshed` (UTC) is the newest refresh of a subscription they may come from."""

    rows: Rows
    places: list[Place]
    last_refreshed: datetime | None


def _site(place: Place) -> tuple[str, str, str]:
    """Id, client's name, site's name."""
    site = place.site
    return (site.id, site.client_name, site.site_name) if site else ("", "", "")


COLUMNS: dict[str, Callable[[Row], Any]] = {
    "name": lambda r: r.entry.name,
    "type": lambda r: r.entry.type,
    "typeName": lambda r: type_name(r.entry.type),
    "region": lambda r: r.entry.region,
    "resourceGroup": lambda r: r.entry.resource_group,
    "subscriptionName": lambda r: r.place.subscription.name,
    "tenantName": lambda r: r.place.tenant.display_name if r.place.tenant else None,
    "clientName": lambda r: _site(r.place)[1],
    "siteName": lambda r: _site(r.place)[2],
    "status": lambda r: r.entry.status,
    "statusSince": lambda r: r.entry.since,
    "powerState": lambda r: r.entry.power_state,
    "lastRefreshed": lambda r: r.place.subscription.last_refreshed_at,
}
"""What a list can be sorted by."""


async def visible_places(app: App, caller: Principal) -> list[Place]:
    """The subscriptions whose devices the caller may see."""
    return [p for p in await places.every(app) if p.shown and caller.sees_site(p.site.id if p.site else None)]


async def find_all(app: App, caller: Principal, wanted: Filter) -> Listing:
    """Every match in the caller's scope. Raises InvalidInput when more would have to be read than one process keeps."""
    chosen = [place for place in await visible_places(app, caller) if _place_matches(place, wanted)]
    if sum(place.subscription.device_count for place in chosen) > index.MAX_DEVICES:
        raise InvalidInput(
            f"More than {index.MAX_DEVICES} devices; name a clientName, siteId, tenantId or subscriptionId.",
            target="clientName",
        )
    read = await index.entries(
        app, [(p.subscription.id, p.subscription.digest) for p in chosen if p.subscription.digest]
    )
    found = [(place, _matching(place, read.get(place.subscription.id, ()), wanted)) for place in chosen]
    refreshed = [p.subscription.last_refreshed_at for p in chosen if p.subscription.last_refreshed_at]
    return Listing(Rows(found), chosen, max(refreshed, default=None))


async def find_many(app: App, caller: Principal, ids: Sequence[str]) -> list[Row]:
    """These devices, each once. Raises NotFound, naming those that are not there or outside the caller's scope."""
    wanted = dict.fromkeys(ids)
    subscriptions = tuple({subscription_of(one) for one in wanted} - {""})
    found = await find_all(app, caller, Filter(subscription_ids=subscriptions)) if subscriptions else None
    rows = {row.entry.id: row for row in (found.rows if found else ()) if row.entry.id in wanted}
    missing = [one for one in wanted if one not in rows]
    if missing:
        details: list[ErrorDetail] = [
            {"code": "notFound", "message": "There is no such device.", "target": one} for one in missing
        ]
        named = ", ".join(missing[:MISSING_NAMED]) + (", ..." if len(missing) > MISSING_NAMED else "")
        raise NotFound(f"There is no device {named}. Nothing was done.", target="deviceIds", details=details)
    return [rows[one] for one in wanted]


def _folded(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)


def _place_matches(place: Place, wanted: Filter) -> bool:
    site_id, client, _ = _site(place)
    subscription = place.subscription
    return (
        (not wanted.site_ids or site_id in wanted.site_ids)
        and (not wanted.client_names or client.casefold() in _folded(wanted.client_names))
        and (not wanted.tenant_ids or subscription.tenant_id.casefold() in _folded(wanted.tenant_ids))
        and (not wanted.subscription_ids or subscription.id.casefold() in _folded(wanted.subscription_ids))
    )


def _matching(place: Place, entries: Iterable[Entry], wanted: Filter) -> list[Entry]:
    types, groups, regions = _folded(wanted.types), _folded(wanted.resource_groups), _folded(wanted.regions)
    states = _folded(wanted.power_states)
    statuses, part = frozenset(wanted.statuses), wanted.search.casefold()
    _, client, site = _site(place)
    # A match of what all devices of the subscription share needs no look at each of them.
    search = bool(part) and not any(part in name.casefold() for name in (place.subscription.name, client, site))
    return [
        entry
        for entry in entries
        if (not statuses or entry.status in statuses)
        and (not states or (entry.power_state or "") in states)
        and (not types or entry.type.casefold() in types)
        and (not groups or entry.resource_group.casefold() in groups)
        and (not regions or entry.region.casefold() in regions)
        and (not search or part in entry.name.casefold() or part in entry.resource_group.casefold())
    ]


def portal_url(app: App, place: Place, resource_id: str) -> str:
    """The resource in Azure's portal, opened in the client's directory."""
    tenant = place.tenant
    directory = (tenant.default_domain or tenant.id) if tenant else place.subscription.tenant_id
    return f"{app.settings.azure_portal_url}/#@{quote(directory)}/resource{quote(resource_id)}"


class DeviceView(TypedDict):
    """A device as lists show it. `siteId` and the names are empty where there is none; times are UTC."""

    id: str
    resourceId: str
    name: str
    portalUrl: str
    type: str
    typeName: str
    region: str
    resourceGroup: str
    subscriptionId: str
    subscriptionName: str
    tenantId: str
    tenantName: str
    clientName: str
    siteId: str
    siteName: str
    status: Status
    statusSince: datetime | None
    lastRefreshed: datetime | None
    actions: list[Verb]
    statusReason: NotRequired[str]
    powerState: NotRequired[str]
    uncertainActions: NotRequired[list[Verb]]
    actionLabels: NotRequired[dict[str, str]]
    refreshError: NotRequired[RefreshError]


def view(app: App, row: Row) -> DeviceView:
    """A device as lists show it."""
    entry, subscription = row.entry, row.place.subscription
    site_id, client_name, site_name = _site(row.place)
    shown: DeviceView = {
        "id": entry.id,
        "resourceId": entry.resource_id,
        "name": entry.name,
        "portalUrl": portal_url(app, row.place, entry.resource_id),
        "type": entry.type,
        "typeName": type_name(entry.type),
        "region": entry.region,
        "resourceGroup": entry.resource_group,
        "subscriptionId": subscription.id,
        "subscriptionName": subscription.name,
        "tenantId": subscription.tenant_id,
        "tenantName": row.place.tenant.display_name if row.place.tenant else "",
        "clientName": client_name,
        "siteId": site_id,
        "siteName": site_name,
        "status": entry.status,
        "statusSince": entry.since,
        "lastRefreshed": subscription.last_refreshed_at,
        "actions": capabilities.offered(entry.type, entry.power_state),
    }
    if uncertain := capabilities.uncertain(entry.type, entry.power_state):
        shown["uncertainActions"] = uncertain
    if labels := capabilities.labels(entry.type):
        shown["actionLabels"] = labels
    if entry.reason is not None:
        shown["statusReason"] = entry.reason
    if entry.power_state is not None:
        shown["powerState"] = entry.power_state
    if (failure := row.place.failure) is not None:
        shown["refreshError"] = failure
    return shown


class StatusCounts(TypedDict):
    """How many devices have each status."""

    available: int
    unavailable: int
    degraded: int
    unknown: int
    notReported: int


class TypeCount(TypedDict):
    """How many devices have a type."""

    type: str
    typeName: str
    count: int


class RegionCount(TypedDict):
    """How many devices are in a region."""

    region: str
    count: int


class ClientCount(TypedDict):
    """How many devices a client has."""

    clientName: str
    count: int
    byStatus: StatusCounts


class FailingSubscription(RefreshError, TypedDict):
    """A subscription that cannot be refreshed. `ageSeconds` is that of its data, null when there never was any."""

    tenantId: str
    tenantName: str
    subscriptionId: str
    subscriptionName: str
    siteId: str
    clientName: str
    lastRefreshed: datetime | None
    ageSeconds: int | None


class DeviceSummary(TypedDict):
    """Counts of devices, and what cannot be refreshed. `lastRefreshed` is the newest refresh among them."""

    total: int
    byStatus: StatusCounts
    byType: list[TypeCount]
    byRegion: list[RegionCount]
    byClient: list[ClientCount]
    lastRefreshed: datetime | None
    failing: list[FailingSubscription]


def _status_counts(counts: Counter[Status]) -> StatusCounts:
    return {
        "available": counts["available"],
        "unavailable": counts["unavailable"],
        "degraded": counts["degraded"],
        "unknown": counts["unknown"],
        "notReported": counts["notReported"],
    }


async def summary(app: App, caller: Principal, wanted: Filter) -> DeviceSummary:
    """Counts of the matches by status, type, region and client, and what cannot be refreshed, with reason and age."""
    found = await find_all(app, caller, wanted)
    by_status = Counter(row.entry.status for row in found.rows)
    by_type = Counter(row.entry.type for row in found.rows)
    by_region = Counter(row.entry.region for row in found.rows if row.entry.region)
    by_client: dict[str, Counter[Status]] = {}
    for row in found.rows:
        by_client.setdefault(_site(row.place)[1], Counter())[row.entry.status] += 1
    return {
        "total": len(found.rows),
        "byStatus": _status_counts(by_status),
        "byType": [{"type": t, "typeName": type_name(t), "count": n} for t, n in by_type.most_common()],
        "byRegion": [{"region": region, "count": by_region[region]} for region in sorted(by_region)],
        "byClient": [
            {"clientName": client, "count": counts.total(), "byStatus": _status_counts(counts)}
            for client, counts in sorted(by_client.items())
        ],
        "lastRefreshed": found.last_refreshed,
        "failing": [shown for place in found.places if (shown := _failing(app, place)) is not None],
    }


def _failing(app: App, place: Place) -> FailingSubscription | None:
    failure = place.failure
    if failure is None:
        return None
    refreshed = place.subscription.last_refreshed_at
    site_id, client_name, _ = _site(place)
    return {
        "tenantId": place.subscription.tenant_id,
        "tenantName": place.tenant.display_name if place.tenant else "",
        "subscriptionId": place.subscription.id,
        "subscriptionName": place.subscription.name,
        "siteId": site_id,
        "clientName": client_name,
        **failure,
        "lastRefreshed": refreshed,
        "ageSeconds": int((app.clock.now() - refreshed).total_seconds()) if refreshed else None,
    }
