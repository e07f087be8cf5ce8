"""Devices: every Azure resource of the mapped subscriptions, its health, and the lists made of them.

Rows and reads only: shared/health writes them.
"""

from __future__ import annotations

from shared.devices.detail import (
    DeviceFacts,
    HealthChange,
    Shown,
    count_history,
    find,
    get,
    history,
    in_history,
    view,
    view_change,
)
from shared.devices.export import LIFE as EXPORT_LIFE
from shared.devices.export import give_up_export, read_export, run_export, start_export
from shared.devices.forget import forget_subscription
from shared.devices.listing import DeviceSummary, DeviceView, Filter, Listing, find_all, find_many, summary
from shared.devices.places import Place
from shared.devices.records import (
    CHANGES,
    DEVICES,
    EVENT_PREFIX,
    EVENTS,
    STATUSES,
    Change,
    Device,
    Health,
    HealthEvent,
    Status,
    device_id,
    subscription_of,
)

__all__ = [
    "CHANGES",
    "DEVICES",
    "EVENTS",
    "EVENT_PREFIX",
    "EXPORT_LIFE",
    "STATUSES",
    "Change",
    "Device",
    "DeviceFacts",
    "DeviceSummary",
    "DeviceView",
    "Filter",
    "Health",
    "HealthChange",
    "HealthEvent",
    "Listing",
    "Place",
    "Shown",
    "Status",
    "count_history",
    "device_id",
    "find",
    "find_all",
    "find_many",
    "forget_subscription",
    "get",
    "give_up_export",
    "history",
    "in_history",
    "read_export",
    "run_export",
    "start_export",
    "subscription_of",
    "summary",
    "view",
    "view_change",
]
