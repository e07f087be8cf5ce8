"""One device: where it stands, its detail, its history."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired

from typing_extensions import TypedDict

from shared.access import Principal
from shared.app import App
from shared.devices import listing, places
from shared.devices.index import Entry
from shared.devices.places import Place
from shared.devices.records import (
    CHANGE_PREFIX,
    CHANGES,
    DEVICE_PREFIX,
    DEVICES,
    Change,
    Device,
    Status,
    subscription_of,
)
from shared.errors import NotFound


@dataclass(frozen=True)
class Shown:
    """A stored device among the rows it belongs to."""

    device: Device
    place: Place


async def find(app: App, device_id: str) -> Shown | None:
    """A device, whoever asks; None when it is unknown or its subscription is no longer shown."""
    subscription_id = subscription_of(device_id)
    if not subscription_id:
        return None
    place = await places.of(app, subscription_id)
    if place is None or not place.shown:
        return None
    device = await app.tables.get(DEVICES, subscription_id, f"{DEVICE_PREFIX}{device_id}")
    return Shown(device, place) if device is not None else None


async def get(app: App, caller: Principal, device_id: str) -> Shown:
    """A device in the caller's scope. Raises NotFound, also when it lies outside."""
    found = await find(app, device_id)
    site = found.place.site if found else None
    if found is None or not caller.sees_site(site.id if site else None):
        raise NotFound(f"There is no device {device_id}.")
    return found


async def history(app: App, shown: Shown, *, above: str = "", limit: int) -> list[Change]:
    """Changes of health, newest first; `above` is the row key of the last one known."""
    partition, prefix = shown.device.subscription_id, f"{CHANGE_PREFIX}{shown.device.id}|"
    return await app.tables.all(CHANGES, partition, prefix=prefix, above=above, limit=limit)


def in_history(shown: Shown, position: object) -> bool:
    """Whether a row key is one of the device's history."""
    prefix = re.escape(f"{CHANGE_PREFIX}{shown.device.id}|")
    return isinstance(position, str) and re.fullmatch(rf"{prefix}[0-9]{{15}}", position, re.ASCII) is not None


async def count_history(app: App, shown: Shown) -> int:
    """How many changes are kept."""
    rows = app.tables.rows(
        CHANGES.table,
        shown.device.subscription_id,
        prefix=f"{CHANGE_PREFIX}{shown.device.id}|",
        select=["PartitionKey", "RowKey"],
    )
    return sum([1 async for _ in rows])


class RecommendedAction(TypedDict):
    """What Azure says can be done, and where that is described."""

    text: str
    url: NotRequired[str]


class _Circumstances(TypedDict, total=False):
    reasonType: str
    context: str
    category: str


class DeviceFacts(listing.DeviceView, _Circumstances, TypedDict):
    """A device with all that is known of itself."""

    tags: dict[str, str]
    recommendedActions: list[RecommendedAction]
    firstSeenAt: datetime


def view(app: App, shown: Shown) -> DeviceFacts:
    """A device with all that is known of it."""
    device, health = shown.device, shown.device.health
    entry = Entry(
        device.id,
        device.resource_id,
        device.name,
        device.type,
        device.region,
        device.resource_group,
        health.status,
        health.since,
        health.reason,
        device.power_state,
    )
    around: _Circumstances = {}
    if health.reason_type is not None:
        around["reasonType"] = health.reason_type
    if health.context is not None:
        around["context"] = health.context
    if health.category is not None:
        around["category"] = health.category
    return {
        **listing.view(app, listing.Row(entry, shown.place)),
        "tags": device.tags,
        "recommendedActions": [_recommended(action) for action in health.recommended_actions],
        **around,
        "firstSeenAt": device.first_seen_at,
    }


def _recommended(action: dict[str, str]) -> RecommendedAction:
    text, url = action["text"], action.get("url")
    return {"text": text, "url": url} if url is not None else {"text": text}


class HealthChange(TypedDict):
    """A change of a device's health. `before` null: it was not known before; `after` null: it is gone from Azure."""

    at: datetime
    seenAt: datetime
    before: Status | None
    after: Status | None
    reason: str | None
    reasonType: str | None
    context: str | None
    category: str | None


def view_change(change: Change) -> HealthChange:
    """A change of health."""
    return {
        "at": change.at,
        "seenAt": change.seen_at,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "reasonType": change.reason_type,
        "context": change.context,
        "category": change.category,
    }
