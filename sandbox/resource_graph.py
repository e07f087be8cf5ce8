"""Azure Resource Graph: the tables resources, resourcecontainers and healthresources, and a small part of KQL.

Known: `where` with =~, ==, !=, !~, in, in~, contains, startswith, isnotempty, joined by and; `project`, `extend`,
`order by`, `limit` and `take`, `count`, `summarize count() by`. Rows are those of subscriptions the caller may read.
Source: https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from sandbox import arm_access, arm_operations, arm_pages, arm_resources, arm_throttling, azure_types, compute
from sandbox.arm_access import Principal
from sandbox.kql import Query, QueryError, Row, parse
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Health, Resource, Subscription, World

_DEFAULT_ROWS = 100
_MAX_ROWS = 1000


def add_routes(service: Service) -> None:
    """Register the query route."""

    @service.route("POST", "/providers/Microsoft.ResourceGraph/resources")
    async def query(call: Call) -> Reply:
        return _answer(call)


def _answer(call: Call) -> Reply:
    world, principal = call.world, Principal.of(call)
    headers = _spend(call, principal)
    arm_operations.settle(world)
    options: dict[str, Any] = call.body.get("options") or {}
    try:
        query = parse(str(call.body.get("query", "")))
    except QueryError as error:
        raise _bad_query("ParserFailure", str(error)) from error
    subscriptions = _readable(call, principal)
    rows = _rows(world, query, subscriptions)
    start, size = _window(options)
    page = rows[start : start + size]
    more = start + size < len(rows)
    # A projection without id cannot be paged: the rest is cut off, and only resultTruncated says so.
    pageable = more and query.keeps_id and not query.limited
    body: dict[str, Any] = {
        "totalRecords": len(rows),
        "count": len(page),
        "resultTruncated": "true" if more and not pageable else "false",
        "facets": [],
        "data": page if _as_objects(call, options) else _table(page),
    }
    if pageable:
        body["$skipToken"] = base64.urlsafe_b64encode(f"{start + size}".encode()).decode()
    return Reply(body, headers=headers)


def _spend(call: Call, principal: Principal) -> dict[str, str]:
    """Count the query against the caller's quota in the tenant. Raises CloudError 429 RateLimiting."""
    key = f"graph/{principal.tenant_id}/{principal.object_id}"
    wait = arm_throttling.take(call, principal.tenant_id, key, arm_throttling.GRAPH_QUERY)
    if wait is None:
        return {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
    raise CloudError(
        429,
        "RateLimiting",
        "Please provide below info when asking for support: Client application has been throttled and should "
        "not attempt to repeat the request until an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling",
        headers={
            "Retry-After": str(wait),
            "x-ms-user-quota-remaining": "0",
            "x-ms-user-quota-resets-after": f"00:00:{wait:02}",
        },
        extra={"details": [{"code": "RateLimiting", "message": "Client application has been throttled."}]},
    )


def _readable(call: Call, principal: Principal) -> list[Subscription]:
    """The asked subscriptions (all of them by default) that the caller may read. Raises CloudError 403 AccessDenied."""
    world = call.world
    asked = [str(one).lower() for one in call.body.get("subscriptions") or []]
    candidates = (
        [world.subscriptions[one] for one in asked if one in world.subscriptions]
        if asked
        else list(world.subscriptions.values())
    )
    found = [
        s for s in candidates if arm_access.may(world, s, principal, "Microsoft.Resources/subscriptions/resources/read")
    ]
    if asked and not found:
        raise CloudError(
            403,
            "Forbidden",
            "Please provide below info when asking for support.",
            extra={
                "details": [
                    {
                        "code": "AccessDenied",
                        "message": "Access is denied to the requested resource. "
                        "The user might not have enough permission.",
                    }
                ]
            },
        )
    return found


def _window(options: dict[str, Any]) -> tuple[int, int]:
    """(first row, rows). Raises CloudError 400 for a value out of range."""
    size = options.get("$top", _DEFAULT_ROWS)
    if not isinstance(size, int) or not 1 <= size <= _MAX_ROWS:
        raise _bad_query("InvalidTop", f"The value of $top must be from 1 to {_MAX_ROWS}.")
    token = options.get("$skipToken")
    if not token:
        return int(options.get("$skip", 0)), size
    try:
        return int(base64.urlsafe_b64decode(str(token))), size
    except ValueError as error:
        raise _bad_query("InvalidSkipToken", "The skip token is not valid.") from error


def _bad_query(code: str, message: str) -> CloudError:
    return CloudError(
        400,
        "BadRequest",
        "Please provide below info when asking for support.",
        extra={
            "details": [
                {
                    "code": "InvalidQuery",
                    "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph "
                    "service and fix the error before retrying.",
                },
                {"code": code, "message": message},
            ]
        },
    )


def _as_objects(call: Call, options: dict[str, Any]) -> bool:
    """Versions before 2020-04-01 answer a table unless told otherwise."""
    default = "table" if call.query.get("api-version", "") < "2020-04-01" else "objectArray"
    return str(options.get("resultFormat", default)).lower() == "objectarray"


def _table(rows: list[Row]) -> dict[str, Any]:
    names = list(rows[0]) if rows else []
    kinds: dict[type, str] = {int: "integer", bool: "boolean", dict: "object", list: "object"}
    columns = [{"name": name, "type": kinds.get(type(rows[0][name]), "string")} for name in names]
    return {"columns": columns, "rows": [[row[name] for name in names] for row in rows]}


def _rows(world: World, query: Query, subscriptions: list[Subscription]) -> list[Row]:
    """The whole result of a query; the last few are kept, so that its further pages cost nothing."""
    cache: dict[object, list[Row]] = world.extra.setdefault("arm.graph", {})
    key = (query.text, tuple((subscription.id, subscription.version) for subscription in subscriptions))
    if key not in cache:
        while len(cache) >= 4:
            cache.pop(next(iter(cache)))
        cache[key] = query.run(
            row for subscription in subscriptions for row in _source(world, query.table, subscription)
        )
    return cache[key]


def _source(world: World, table: str, subscription: Subscription) -> Iterator[Row]:
    if table == "resources":
        for resource in subscription.resources.values():
            if not resource.listed:
                continue
            yield _resource_row(world, subscription, resource)
    elif table == "resourcecontainers":
        yield from _container_rows(subscription)
    else:
        for resource in subscription.resources.values():
            # Only virtual machines are in this table, whatever Resource Health reports elsewhere.
            if resource.type == azure_types.VM and resource.health is not None:
                yield _health_row(subscription, resource, resource.health)


def _resource_row(world: World, subscription: Subscription, resource: Resource) -> Row:
    properties: dict[str, Any] = resource.properties
    if resource.type == azure_types.VM:
        power = compute.statuses(world, resource)[1]
        status = {"code": power["code"], "displayStatus": power["displayStatus"], "level": "Info"}
        properties = {
            **compute.shape(world, resource, with_view=False)["properties"],
            "extended": {"instanceView": {"powerState": status}},
        }
    return {
        "id": resource.id,
        "name": resource.name,
        "type": resource.type.lower(),
        "tenantId": subscription.tenant_id,
        "kind": resource.kind or "",
        "location": resource.location,
        "resourceGroup": resource.resource_group.lower(),
        "subscriptionId": subscription.id,
        "managedBy": str(resource.properties.get("managedBy", "")),
        "sku": resource.sku,
        "plan": None,
        "properties": properties,
        "tags": resource.tags or None,
        "identity": None,
        "zones": None,
        "extendedLocation": None,
    }


def _container_rows(subscription: Subscription) -> Iterator[Row]:
    common = {"tenantId": subscription.tenant_id, "subscriptionId": subscription.id, "kind": "", "tags": None}
    yield {
        "id": f"/subscriptions/{subscription.id}",
        "name": subscription.name,
        "type": "microsoft.resources/subscriptions",
        "location": "",
        "resourceGroup": "",
        "properties": {"state": subscription.state, "managedByTenants": []},
        **common,
    }
    for group in arm_resources.groups_of(subscription).values():
        yield {
            "id": group["id"],
            "name": group["name"],
            "type": "microsoft.resources/subscriptions/resourcegroups",
            "location": group["location"],
            "resourceGroup": group["name"].lower(),
            "properties": group["properties"],
            **common,
        }


def _health_row(subscription: Subscription, resource: Resource, health: Health) -> Row:
    """A row of healthresources: `occurredTime` has two r here, unlike in the REST API."""
    previous = resource.health_history[1].state if len(resource.health_history) > 1 else None
    return {
        "id": f"{resource.id.lower()}/providers/microsoft.resourcehealth/availabilitystatuses/current",
        "name": "current",
        "type": "microsoft.resourcehealth/availabilitystatuses",
        "tenantId": subscription.tenant_id,
        "kind": "",
        "location": resource.location,
        "resourceGroup": resource.resource_group.lower(),
        "subscriptionId": subscription.id,
        "properties": {
            "targetResourceType": resource.type.lower(),
            "targetResourceId": resource.id,
            "occurredTime": arm_pages.timestamp(health.occurred),
            "previousAvailabilityState": previous or "Unknown",
            "availabilityState": health.state or "Unknown",
        },
        "tags": None,
    }
