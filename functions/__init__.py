"""How the world calls us: one file per area, one blueprint each, joined here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import azure.functions as func
from fastapi import FastAPI

from functions import (
    access,
    alerts,
    connections,
    devices,
    event_subscriptions,
    events,
    maintenance,
    operations,
    policy,
    queues,
    schedules,
    service,
    sinks,
    sites,
    tenants,
    timers,
)
from functions.api import Server, create
from functions.routing import Area, http_function

AREAS: dict[Area, tuple[str, ...]] = {
    access.area: ("access", "audit"),
    policy.area: (),
    alerts.area: ("alerts",),
    connections.area: ("connections",),
    devices.area: ("devices",),
    event_subscriptions.area: ("event-subscriptions",),
    events.area: ("events", "event-sources"),
    maintenance.area: ("maintenance",),
    operations.area: ("operations", "actions"),
    schedules.area: ("schedules",),
    service.area: ("service", "me", "docs", "openapi.json"),
    sinks.area: ("sinks",),
    sites.area: ("sites",),
    tenants.area: ("tenants",),
}
"""Each area and the first path segments it owns. The policy lies below those of alerts, and is looked at first."""


@cache
def whole() -> FastAPI:
    """The API with every area, as its document describes it."""
    return create(list(AREAS))


def _part(areas: Sequence[Area]) -> FastAPI:
    """Some areas, with the document of all: a process makes the routes of what it is asked for."""
    api = create(areas)
    api.openapi = lambda: whole().openapi()  # type: ignore[method-assign]  # FastAPI's documented way
    return api


def _http() -> func.Blueprint:
    """One HTTP function per path, and a last one that answers unknown paths in our error shape."""
    blueprint = func.Blueprint()
    for area, paths in AREAS.items():
        serve = Server(partial(_part, [other for other in AREAS if other.segments & {*paths}]))
        for path in paths:
            plain = path.replace(".", "_")
            http_function(blueprint, area.name if path == area.name else f"{area.name}_{plain}", path, serve)
    http_function(blueprint, "zz_unknown_path", "", Server(partial(_part, [])))
    return blueprint


BLUEPRINTS = [_http(), timers.blueprint, queues.blueprint]
