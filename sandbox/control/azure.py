"""What happens to resources and subscriptions behind everybody's back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox import action_groups, azure_types, cast, scale_sets, scenarios
from sandbox.control.routes import Routes, fields, snake
from sandbox.power import faults, states, table
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Health, Resource, Subscription, World

POWER_STATES = ("running", "stopped", "deallocated", "starting", "stopping", "deallocating")
HEALTH_STATES = ("Available", "Unavailable", "Degraded", "Unknown", None)

routes = Routes()


@routes.route("PUT", "/health")
async def health(call: Call) -> Reply:
    """Change a resource's health; `reported: false` makes Resource Health forget it."""
    body = fields(call, "resourceId availabilityState reasonType context category summary at reported")
    resource = _resource(call, body)
    before = resource.health
    if body.get("reported") is False:
        call.world.set_health(resource, None)
        return Reply({"resourceId": resource.id, "availabilityState": "notReported"})
    state = body.get("availabilityState", "")
    if state not in HEALTH_STATES:
        raise CloudError(400, "BadHealth", "availabilityState is Available, Unavailable, Degraded, Unknown or null.")
    now = call.cloud.clock.now()
    when = datetime.fromisoformat(body["at"]) if "at" in body else now
    row = _default_health(resource, state, when)
    row.reported = max(now, when)
    for name in ("reasonType", "context", "category", "summary"):
        if name in body:
            setattr(row, snake(name), body[name])
    call.world.set_health(resource, row)
    action_groups.tell(call.cloud, resource, before)
    return Reply({"resourceId": resource.id, "availabilityState": state})


@routes.route("PUT", "/resources")
async def resources(call: Call) -> Reply:
    """Delete a resource, switch it, or fail its next action: `{resourceId, deleted?, power?, state?, fault?}`.

    `power` is a virtual machine's; `state` is the run state of any other type, in the type's own words.
    """
    body = fields(call, "resourceId deleted power state fault")
    resource = _resource(call, body)
    subscription = call.world.subscriptions[resource.subscription_id]
    if fault := body.get("fault"):
        faults.put(resource, fault)
    if "power" in body:
        if resource.power is None or body["power"] not in POWER_STATES:
            raise CloudError(400, "BadPower", f"A virtual machine is one of {', '.join(POWER_STATES)}.")
        resource.power, resource.hibernated = body["power"], False
        now = call.cloud.clock.now()
        running, before = body["power"] in ("running", "starting"), resource.health
        call.world.set_health(resource, scenarios.available(resource, now) if running else scenarios.customer_stop(now))
        action_groups.tell(call.cloud, resource, before)
    if "state" in body:
        row = table.load().get(resource.type.lower())
        if row is None or resource.type == azure_types.VM:
            raise CloudError(400, "BadState", f"'{resource.type}' has no run state to be set.")
        targets = scale_sets.instances(call.world, resource) if resource.type == scale_sets.TYPE else [resource]
        for target in targets:
            states.write(call.world, row, target, body["state"])
        states.tell_health(call.world, row, resource, None)
    if body.get("deleted"):
        del subscription.resources[resource.id.lower()]
    subscription.version += 1
    return Reply({"resourceId": resource.id, "power": resource.power})


@routes.route("POST", "/resources")
async def add_resource(call: Call) -> Reply:
    """Make one more resource: `{subscriptionId, type}`; 201 with its id."""
    body = fields(call, "subscriptionId type")
    subscription = _subscription(call, str(body["subscriptionId"]))
    if body["type"].lower() not in {*azure_types.BY_NAME, *table.load()}:
        raise CloudError(400, "BadType", f"No resource can be made of type '{body['type']}'.")
    resource = scenarios.add_resource(call.world, subscription, body["type"])
    return Reply({"resourceId": resource.id, "type": resource.type}, 201)


@routes.route("POST", "/subscriptions")
async def add_subscription(call: Call) -> Reply:
    """Make a subscription: `{tenantId, name, access?}`; 201 with its id."""
    body = fields(call, "tenantId name access")
    tenant = call.world.tenants.get(body["tenantId"].lower())
    if tenant is None:
        raise CloudError(404, "TenantNotFound", f"No tenant '{body['tenantId']}'.")
    made = cast.add_subscription(call.world, tenant, body["name"], access=body.get("access", "agents"))
    return Reply({"id": made.id, "name": made.name}, 201)


@routes.route("PUT", "/subscriptions/{id}")
async def subscriptions(call: Call) -> Reply:
    """Give or take access `{role?: bool, access?: agents|lighthouse|own|none}`, set `state`, or delete."""
    body = fields(call, "role access deleted state")
    subscription = _subscription(call, call.params["id"])
    if "role" in body or "access" in body:
        _remove_access(call.world, subscription.id)
        cast.give_access(call.world, subscription, body.get("access", "agents" if body.get("role") else "none"))
    subscription.state = body.get("state", subscription.state)
    subscription.version += 1
    if body.get("deleted"):
        del call.world.subscriptions[subscription.id]
        call.world.tenants[subscription.tenant_id].subscription_ids.remove(subscription.id)
    return Reply({"id": subscription.id})


def _subscription(call: Call, subscription_id: str) -> Subscription:
    """A subscription by id. Raises CloudError 404."""
    found = call.world.subscriptions.get(subscription_id.lower())
    if found is None:
        raise CloudError(404, "SubscriptionNotFound", f"No subscription '{subscription_id}'.")
    return found


def _resource(call: Call, body: dict[str, Any]) -> Resource:
    """The resource that a body names. Raises CloudError 404."""
    found = call.world.resource(str(body.get("resourceId", "")))
    if found is None:
        raise CloudError(404, "ResourceNotFound", f"No resource '{body.get('resourceId')}'.")
    return found


def _default_health(resource: Resource, state: str | None, when: datetime) -> Health:
    """A plausible row for a state: what is unavailable or degraded is Azure's own unplanned fault."""
    if state == "Available":
        return scenarios.available(resource, when)
    if state in ("Unavailable", "Degraded"):
        return scenarios.platform_fault(when, state)
    return Health(state, when, when, summary="We're currently unable to determine the health of this resource.")


def _remove_access(world: World, subscription_id: str) -> None:
    """Take away every role that the partner or Tenantry holds; the customer's own assignments stay."""
    subscription = world.subscriptions[subscription_id]
    own = cast.principal_id(world, world.tenants[subscription.tenant_id], "tenantry")
    ours = {own, world.partner.admin_agents_group, *(p.object_id for p in world.people.values())}
    subscription.managed_by = {}
    subscription.role_assignments = [r for r in subscription.role_assignments if r.principal_id not in ours]
