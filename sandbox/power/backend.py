"""The rules of an action on a resource of any type: what is refused, what happens while it runs, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import arm_operations, arm_resources, azure_types
from sandbox.arm_operations import Operation, Protocol
from sandbox.power import faults, requests, states
from sandbox.power.faults import Injected
from sandbox.power.table import Action, PowerType
from sandbox.wire import Call, CloudError, Reply
from sandbox.world import Resource, World


def act(call: Call, row: PowerType, resource: Resource, action: Action) -> Reply:
    """Carry an action out, or begin to. The caller's right to do so has been checked.

    Raises CloudError 400 for a version or a body that the type does not take, 409 for a disabled subscription, a
    resource that is busy or in a state that does not allow it, and whatever failure was put on the resource.
    """
    world = call.world
    requests.check_version(call, row, action)
    requests.check_body(call, action)
    subscription = world.subscriptions[resource.subscription_id]
    if subscription.state == "Disabled":
        raise CloudError(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{subscription.id}' is disabled and therefore marked as read only. "
            "You cannot perform any write actions on this subscription until it is re-enabled.",
        )
    same = [one.verb for one in row.actions.values() if requests.is_same(one, action)]
    fault = faults.take(resource, *same, action.operation)
    if fault is not None and (fault.status is not None or not (action.long_running or action.later)):
        raise fault.refuse()
    if arm_operations.running(world, resource) is not None:
        raise faults.busy()
    _check_kind(row, resource)
    if (answer := _check_state(row, resource, action)) is not None:
        return answer
    change = _change(call, row, resource, action)
    if not (action.long_running or action.later):
        change(None)
        body = arm_resources.shape(resource) if action.returns == "resource" else None
        return Reply(body, action.first)
    return _begin(call, row, resource, action, change, fault)


def _begin(
    call: Call,
    row: PowerType,
    resource: Resource,
    action: Action,
    change: Callable[[Operation | None], None],
    fault: Injected | None,
) -> Reply:
    """Start the long-running operation of an action, with the state that shows meanwhile."""
    world, before = call.world, states.read(row, resource)

    def finish(operation: Operation) -> None:
        if world.resource(resource.id) is not resource:
            return
        if operation.error is None:
            change(operation)
        elif action.during is not None:
            states.write(world, row, resource, before)
        if action.provisioning is not None:
            failed = "Canceled" if operation.canceled else "Failed"
            states.provision(world, resource, "Succeeded" if operation.error is None else failed)

    if action.during is not None:
        states.write(world, row, resource, action.during)
    if action.provisioning is not None:
        states.provision(world, resource, action.provisioning)
    subscription = world.subscriptions[resource.subscription_id]
    return arm_operations.begin(
        call,
        resource,
        provider=row.type.partition("/")[0],
        verb=action.verb,
        error=fault.error if fault is not None else None,
        canceled=fault is not None and fault.canceled,
        finish=finish,
        protocol=_protocol(row, resource, action),
        location=resource.location or azure_types.home_region(subscription),
    )


def _protocol(row: PowerType, resource: Resource, action: Action) -> Protocol:
    poll, urls = action.poll or "", row.urls

    def body() -> Any:
        return arm_resources.shape(resource) if action.returns == "resource" else None

    return Protocol(
        first=action.first,
        at_once=200 if 200 in action.accepts else action.first,
        status_url="A" in poll,
        result_url="L" in poll,
        status_segment=urls.status,
        result_segment=urls.result,
        version=urls.version,
        twins=urls.twins,
        done=urls.done,
        percent=row.percent,
        typical=action.takes or row.usual_seconds,
        body=body,
    )


def _change(call: Call, row: PowerType, resource: Resource, action: Action) -> Callable[[Operation | None], None]:
    """What makes the new state: the whole resource for a PUT that carries it, else the state alone."""
    world = call.world
    whole = call.body if action.method == "PUT" and action.provisioning == "Updating" else None

    def change(operation: Operation | None) -> None:
        if whole is not None:
            _replace(world, resource, whole)
        if action.after is not None:
            states.write(world, row, resource, action.after)
        states.tell_health(world, row, resource, operation.ended if operation is not None else None)

    return change


def _replace(world: World, resource: Resource, whole: dict[str, Any]) -> None:
    """Put a resource as it came: what it does not carry is gone."""
    resource.properties = {**(whole.get("properties") or {}), "provisioningState": "Succeeded"}
    resource.tags = {str(key): str(value) for key, value in (whole.get("tags") or {}).items()}
    world.subscriptions[resource.subscription_id].version += 1


def _check_kind(row: PowerType, resource: Resource) -> None:
    """Raises CloudError for a resource of the type that can never be acted on."""
    if row.type == "Microsoft.Sql/servers/databases" and "datawarehouse" not in (resource.kind or ""):
        name = resource.name.rsplit("/", 1)[-1]
        raise CloudError(
            400,
            "FeatureNotSupported",
            f"The database '{name}' is no data warehouse: only those can be paused and resumed.",
        )
    kind = resource.properties.get("computeType")
    if kind is not None and kind not in ("ComputeInstance", "ContainerInstance"):
        raise CloudError(400, "BadRequest", f"Compute of type {kind} does not support this operation.")


def _check_state(row: PowerType, resource: Resource, action: Action) -> Reply | None:
    """The answer when there is nothing to do, or None. Raises CloudError 409 when the state does not allow it."""
    now = states.read(row, resource)
    target = row.running if action.verb in ("start", "resume") else action.after
    if action.again is not None and now == target:
        if action.again == 204:
            return Reply(status=204)
        raise _not_allowed(row, resource, action, now)
    ended = row.stopped is not None and now == row.stopped != action.after
    if (action.needs and now not in action.needs) or (action.verb in ("restart", "pause") and ended):
        raise _not_allowed(row, resource, action, now)
    return None


def _not_allowed(row: PowerType, resource: Resource, action: Action, now: Any) -> CloudError:
    name = resource.name.rsplit("/", 1)[-1]
    return CloudError(
        409,
        "OperationNotAllowed",
        f"Operation '{action.operation or action.verb}' is not allowed on {row.name} '{name}' in state '{now}'.",
    )
