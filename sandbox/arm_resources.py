"""Resources and resource groups of any type: lists with filters, one resource, its tags.

Source: https://learn.microsoft.com/rest/api/resources/resources
"""

from __future__ import annotations

import re
from typing import Any

from sandbox import arm_operations, arm_pages, azure_types
from sandbox.arm_access import require
from sandbox.power import table
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Resource, Subscription


def shape(resource: Resource) -> dict[str, Any]:
    """A resource as a GET of its id returns it; a proxy resource has neither location nor tags."""
    body: dict[str, Any] = {
        "id": resource.id,
        "name": resource.name.rsplit("/", 1)[-1],
        "type": resource.type,
        "location": resource.location,
        "tags": resource.tags,
        "properties": resource.properties,
    }
    if not resource.location:
        del body["location"], body["tags"]
    if resource.kind:
        body["kind"] = resource.kind
    if resource.sku:
        body["sku"] = resource.sku
    return body


def row(resource: Resource, expand: str) -> dict[str, Any]:
    """A resource as the subscription's list returns it: no properties; times and state only when expanded."""
    body: dict[str, Any] = {
        "id": resource.id,
        "name": resource.name,
        "type": resource.type,
        "location": resource.location,
        "tags": resource.tags,
    }
    if resource.kind:
        body["kind"] = resource.kind
    if resource.sku:
        body["sku"] = resource.sku
    if managed_by := resource.properties.get("managedBy"):
        body["managedBy"] = managed_by
    expand = expand.lower()
    if "createdtime" in expand:
        body["createdTime"] = arm_pages.timestamp(resource.created)
    if "changedtime" in expand:
        body["changedTime"] = arm_pages.timestamp(resource.created)
    if "provisioningstate" in expand:
        body["provisioningState"] = resource.properties.get("provisioningState", "Succeeded")
    return body


def groups_of(subscription: Subscription) -> dict[str, dict[str, Any]]:
    """Lower-cased name -> resource group as ARM returns it. A group is where its first resource is."""
    groups: dict[str, dict[str, Any]] = {}
    for resource in subscription.resources.values():
        groups.setdefault(
            resource.resource_group.lower(),
            {
                "id": f"/subscriptions/{subscription.id}/resourceGroups/{resource.resource_group}",
                "name": resource.resource_group,
                "type": "Microsoft.Resources/resourceGroups",
                "location": resource.location,
                "tags": {},
                "properties": {"provisioningState": "Succeeded"},
            },
        )
    return groups


def require_group(subscription: Subscription, name: str) -> dict[str, Any]:
    """A resource group. Raises CloudError 404 ResourceGroupNotFound."""
    group = groups_of(subscription).get(name.lower())
    if group is None:
        raise CloudError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return group


def split_path(rest: str) -> tuple[str, str, str | None]:
    """(namespace, type, name or None) of what follows `/providers/`; the name of a child is `parent/child`.

    Of an extension (`.../providers/` once more) they are those of the last provider.
    """
    last = re.split("/providers/", rest.strip("/"), flags=re.IGNORECASE)[-1]
    namespace, *parts = last.split("/")
    kinds, names = parts[0::2], parts[1::2]
    return namespace, "/".join([namespace, *kinds]), "/".join(names) if len(parts) % 2 == 0 and names else None


def resource_id(call: Call, rest: str) -> str:
    """The ARM id of a resource-group-level path."""
    return f"/subscriptions/{call.params['sub']}/resourceGroups/{call.params['rg']}/providers/{rest.strip('/')}"


def find(call: Call, rest: str, action: str) -> tuple[Subscription, Resource]:
    """The resource of a path, when the caller may perform `action` (below the type's own namespace) over it.

    Raises CloudError 404 ResourceGroupNotFound or ResourceNotFound, and what `arm_access.require` raises.
    """
    _, type_name, name = split_path(rest)
    scope = resource_id(call, rest)
    subscription = require(call, call.params["sub"], action, scope)
    arm_operations.settle(call.world)
    resource = subscription.resources.get(scope.lower())
    if resource is None:
        require_group(subscription, call.params["rg"])
        raise CloudError(
            404,
            "ResourceNotFound",
            f"The Resource '{type_name}/{name}' under resource group '{call.params['rg']}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return subscription, resource


def known_type(call: Call, type_name: str) -> str:
    """A type as Azure spells it. Raises CloudError 404 InvalidResourceNamespace or InvalidResourceType."""
    if (found := azure_types.BY_NAME.get(type_name.lower())) is not None:
        return found.type
    if (spelled := table.names().get(type_name.lower())) is not None:
        return spelled
    namespace, _, kind = type_name.partition("/")
    if not any(known.startswith(f"{namespace.lower()}/") for known in (*azure_types.BY_NAME, *table.names())):
        raise CloudError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    raise CloudError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' "
        f"for api version '{call.query.get('api-version', '')}'.",
    )


def list_reply(call: Call, group: str | None) -> Reply:
    """The page of `/resources`, of the subscription or of one group."""
    action = "Microsoft.Resources/subscriptions/resources/read"
    subscription = require(call, call.params["sub"], action)
    arm_operations.settle(call.world)
    if group is not None:
        require_group(subscription, group)
    text, expand = call.query.get("$filter", ""), call.query.get("$expand", "")
    keep, size = arm_pages.resource_filter(text), arm_pages.top_of(call)
    wanted = group.lower() if group is not None else None
    rows = arm_pages.rows_of(
        call.world,
        subscription,
        "resources",
        (wanted, text, expand.lower()),
        lambda: (
            row(resource, expand)
            for resource in subscription.resources.values()
            if resource.listed and keep(resource) and wanted in (None, resource.resource_group.lower())
        ),
    )
    return arm_pages.page_reply(call, rows, min(size or 1000, arm_pages.page_size(call.world)))


def type_reply(call: Call, type_name: str, group: str | None, parent: str = "") -> Reply:
    """The page of one type's own list, with properties: of a subscription, of a group, or below a parent's id."""
    subscription = require(call, call.params["sub"], f"{known_type(call, type_name)}/read")
    arm_operations.settle(call.world)
    if group is not None:
        require_group(subscription, group)
    wanted, kind, below = group.lower() if group is not None else None, type_name.lower(), parent.lower()
    rows = arm_pages.rows_of(
        call.world,
        subscription,
        f"type {kind}",
        (wanted, below),
        lambda: (
            shape(resource)
            for resource in subscription.resources.values()
            if resource.type.lower() == kind
            and wanted in (None, resource.resource_group.lower())
            and resource.id.lower().startswith(below)
        ),
    )
    return arm_pages.page_reply(call, rows)


def patch_reply(call: Call) -> Reply:
    """The answer of a PATCH of any resource: only tags can be changed."""
    _, type_name, _ = split_path(call.params["rest"])
    subscription, resource = find(call, call.params["rest"], f"{type_name}/write")
    unknown = set(call.body) - {"tags"}
    if unknown:
        raise CloudError(400, "InvalidRequestContent", f"Only tags can be changed, not {', '.join(sorted(unknown))}.")
    replace_tags(subscription, resource, call.body.get("tags") or {})
    return Reply(shape(resource))


def replace_tags(subscription: Subscription, resource: Resource, tags: dict[str, str]) -> None:
    """Give a resource new tags."""
    resource.tags = {str(key): str(value) for key, value in tags.items()}
    subscription.version += 1


def add_lists(service: Service) -> None:
    """Resource groups and `/resources`."""

    @service.route("GET", "/subscriptions/{sub}/resourceGroups")
    async def groups(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/resourceGroups/read")
        rows = arm_pages.rows_of(call.world, subscription, "groups", None, lambda: groups_of(subscription).values())
        return arm_pages.page_reply(call, rows, arm_pages.top_of(call))

    @service.route("GET", "/subscriptions/{sub}/resourceGroups/{rg}")
    async def group(call: Call) -> Reply:
        scope = f"/subscriptions/{call.params['sub']}/resourceGroups/{call.params['rg']}"
        subscription = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/resourceGroups/read", scope)
        return Reply(require_group(subscription, call.params["rg"]))

    @service.route("HEAD", "/subscriptions/{sub}/resourceGroups/{rg}")
    async def group_exists(call: Call) -> Reply:
        subscription = require(call, call.params["sub"], "Microsoft.Resources/subscriptions/resourceGroups/read")
        require_group(subscription, call.params["rg"])
        return Reply(status=204)

    @service.route("GET", "/subscriptions/{sub}/resources")
    async def resources(call: Call) -> Reply:
        return list_reply(call, None)

    @service.route("GET", "/subscriptions/{sub}/resourceGroups/{rg}/resources")
    async def resources_of_group(call: Call) -> Reply:
        return list_reply(call, call.params["rg"])


def add_tags(service: Service) -> None:
    """The tags of any resource."""
    prefix = "/subscriptions/{sub}/resourceGroups/{rg}/providers"

    @service.route("GET", prefix + "/{rest:path}/providers/Microsoft.Resources/tags/default")
    async def get_tags(call: Call) -> Reply:
        _, resource = find(call, call.params["rest"], "Microsoft.Resources/tags/read")
        return Reply(_tags_body(resource))

    @service.route("PATCH", prefix + "/{rest:path}/providers/Microsoft.Resources/tags/default")
    async def patch_tags(call: Call) -> Reply:
        subscription, resource = find(call, call.params["rest"], "Microsoft.Resources/tags/write")
        given = dict((call.body.get("properties") or {}).get("tags") or {})
        operation = str(call.body.get("operation", "")).lower()
        if operation == "merge":
            given = {**resource.tags, **given}
        elif operation == "delete":
            given = {key: value for key, value in resource.tags.items() if given.get(key) != value}
        elif operation != "replace":
            raise CloudError(400, "InvalidTagsOperation", "The operation must be Merge, Replace or Delete.")
        replace_tags(subscription, resource, given)
        return Reply(_tags_body(resource))


def add_generic(service: Service) -> None:
    """Any resource by its id, and the list of any type. These match last."""
    prefix = "/subscriptions/{sub}/resourceGroups/{rg}/providers"

    @service.route("GET", prefix + "/{rest:path}")
    async def get(call: Call) -> Reply:
        _, type_name, name = split_path(call.params["rest"])
        if name is None:
            return type_reply(call, type_name, call.params["rg"], resource_id(call, call.params["rest"]))
        _, resource = find(call, call.params["rest"], f"{type_name}/read")
        arm_operations.observe(call.world, resource)
        return Reply(shape(resource))

    @service.route("PATCH", prefix + "/{rest:path}")
    async def patch(call: Call) -> Reply:
        return patch_reply(call)

    @service.route("GET", "/subscriptions/{sub}/providers/{rest:path}")
    async def list_type(call: Call) -> Reply:
        return type_reply(call, call.params["rest"].strip("/"), None)


def _tags_body(resource: Resource) -> dict[str, Any]:
    return {
        "id": f"{resource.id}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": resource.tags},
    }
