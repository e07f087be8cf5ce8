"""ARM's and its providers' request limits, as token buckets per subscription, caller and kind of operation.

Sources: https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
https://learn.microsoft.com/azure/virtual-machines/compute-throttling-limits
https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from sandbox import throttling
from sandbox.wire import Call, CloudError
from sandbox.world import Resource, Subscription


@dataclass(frozen=True)
class Limit:
    """Capacity of a bucket and tokens that come back per second."""

    capacity: float
    refill: float


SUBSCRIPTION = {"read": Limit(250, 25), "write": Limit(200, 10), "delete": Limit(200, 10)}
TENANT = SUBSCRIPTION
VM_UPDATE = Limit(12, 4 / 60)
"""start, restart, powerOff of one virtual machine; deallocate has a bucket of the same size of its own."""
VM_READ = Limit(36, 12 / 60)
VM_LIST = Limit(900, 300 / 60)
GRAPH_QUERY = Limit(15, 3)


def take(call: Call, tenant_id: str, key: str, limit: Limit) -> int | None:
    """Spend one token; None, or the whole seconds to wait when there is none."""
    return throttling.take(call.world, f"arm/{key}", limit.capacity, limit.refill, tenant_id=tenant_id)


def admit(call: Call) -> None:
    """ARM's own limits, before any provider's. Raises CloudError 429 with Retry-After."""
    kind = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(call.method, "write")
    actor = str(call.claims.get("oid", ""))
    subscription = call.world.subscriptions.get(call.params.get("sub", "").lower())
    if subscription is None:
        tenant_id = str(call.claims["tid"])
        wait = take(call, tenant_id, f"tenant/{tenant_id}/{actor}/{kind}", TENANT[kind])
        scope = f"tenant '{tenant_id}'"
    else:
        wait = take(call, subscription.tenant_id, f"{subscription.id}/{actor}/{kind}", SUBSCRIPTION[kind])
        scope = f"subscription '{subscription.id}'"
    if wait is not None:
        raise CloudError(
            429,
            "SubscriptionRequestsThrottled" if subscription is not None else "TenantRequestsThrottled",
            f"Number of '{kind}' requests for {scope} actor '{actor}' exceeded. "
            f"Please try again after '{wait}' seconds after "
            "additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.",
            headers={"Retry-After": str(wait)},
        )


def admit_compute(
    call: Call, subscription: Subscription, group: str, limit: Limit, resource: Resource | None = None
) -> None:
    """A limit of the compute provider, per virtual machine or per subscription. Raises CloudError 429."""
    key = f"compute/{group}/{resource.id.lower() if resource is not None else subscription.id}"
    wait = take(call, subscription.tenant_id, key, limit)
    if wait is None:
        return
    now = call.world.clock.now()
    detail = {
        "operationGroup": group,
        "startTime": now.isoformat(),
        "endTime": now.isoformat(),
        "allowedRequestCount": int(limit.capacity),
        "measuredRequestCount": int(limit.capacity) + 1,
    }
    raise CloudError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this subscription.",
        headers={"Retry-After": str(wait)},
        extra={"details": [{"code": "TooManyRequests", "target": group, "message": json.dumps(detail)}]},
    )


def headers(call: Call) -> dict[str, str]:
    """Headers of every answer."""
    correlation = call.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
    return {"x-ms-correlation-request-id": correlation, "Cache-Control": "no-cache"}
