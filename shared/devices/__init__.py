"""Devices: every Azure resource of the mapped subscriptions, its health, the lists made of them."""

from __future__ import annotations

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
    "STATUSES",
    "Change",
    "Device",
    "Health",
    "HealthEvent",
    "Status",
    "device_id",
    "subscription_of",
]
