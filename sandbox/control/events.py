"""What Azure tells by itself: service issues, and the action groups that hear of a resource's health."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from sandbox import action_groups, azure_types, service_issues
from sandbox.action_groups import Group
from sandbox.control.routes import Routes, camel, fields
from sandbox.wire import Call, CloudError, Reply

routes = Routes()


@routes.route("POST", "/service-issues")
async def begin(call: Call) -> Reply:
    """Begin a service issue: `{region, service?, title?, resourceIds?, at?}`; 201 with its `{id, title}`.

    Without `resourceIds` it impacts what is other than available in the region since `at` (now).
    """
    body = fields(call, "region service title resourceIds at")
    if body["region"] not in azure_types.REGIONS:
        raise CloudError(400, "BadRegion", f"region is one of {', '.join(azure_types.REGIONS)}.")
    named = body.get("resourceIds")
    issue = service_issues.begin(
        call.world,
        body["region"],
        datetime.fromisoformat(body["at"]) if "at" in body else call.cloud.clock.now(),
        service=body.get("service", "Virtual Machines"),
        title=body.get("title", ""),
        resource_ids=None if named is None else frozenset(str(one).lower() for one in named),
    )
    return Reply({"id": issue.tracking_id, "title": issue.title}, 201)


@routes.route("DELETE", "/service-issues/{id}")
async def resolve(call: Call) -> Reply:
    """Resolve a service issue; it stays listed as resolved."""
    issue = service_issues.every(call.world).get(call.params["id"].upper())
    if issue is None:
        raise CloudError(404, "UnknownIssue", f"No service issue '{call.params['id']}'.")
    service_issues.resolve(call.world, issue)
    return Reply(status=204)


@routes.route("PUT", "/action-groups")
async def groups(call: Call) -> Reply:
    """Replace all action groups: `{groups: [{url, schema, secure?, subscriptionIds?, delayMs?, jitterMs?, ...}]}`.

    From then on every change of a resource's health by this API is sent there. `schema` is commonAlert, eventGrid or
    cloudEvents; `secure` adds an Entra token; `duplicates` sends each event again so often, `jitterMs` mixes their
    order, `batch` joins events of Event Grid. 400 when an address does not prove itself in Event Grid's handshake.
    """
    known = {camel(field.name): field.name for field in dataclasses.fields(Group) if field.name != "waiting"}
    wanted = []
    for row in fields(call, "groups")["groups"]:
        if unknown := set(row) - set(known):
            raise CloudError(400, "UnknownField", f"Unknown fields: {', '.join(sorted(unknown))}.")
        if row["schema"] not in action_groups.SCHEMAS:
            raise CloudError(400, "BadSchema", f"schema is one of {', '.join(action_groups.SCHEMAS)}.")
        wanted.append(Group(**{known[name]: value for name, value in row.items()}))
    await action_groups.replace(call.cloud, wanted)
    return Reply({"groups": len(wanted)})


@routes.route("GET", "/action-groups")
async def sent(call: Call) -> Reply:
    """What was sent to them, oldest first: `{sent: [{at, schema, status, try, events, resources}], underWay}`."""
    state = action_groups.state(call.cloud)
    return Reply({"sent": state.sent, "underWay": len(state.tasks)})
