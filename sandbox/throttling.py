"""Token buckets with Microsoft's numbers, on wall time.

Off unless `Behaviour.throttling` is on or the tenant is the one that throttles by itself (trap `throttles`), whose
buckets are small, so that a client meets 429 at once.
Source: https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from sandbox.world import World

SMALL_CAPACITY = 4.0
SMALL_REFILL = 2.0
"""Bucket of the tenant that throttles: requests at once, and requests a second after that."""


@dataclass
class Bucket:
    """A token bucket: `level` tokens at monotonic time `at`."""

    level: float
    at: float


def applies(world: World, tenant_id: str | None = None) -> bool:
    """Whether calls about a tenant are limited at all."""
    return world.behaviour.throttling or _throttles(world, tenant_id)


def take(
    world: World,
    key: str,
    capacity: float,
    refill_per_second: float,
    *,
    tenant_id: str | None = None,
    cost: float = 1.0,
) -> int | None:
    """Take `cost` tokens from the bucket called `key`.

    Returns None when the call may pass, else the whole seconds to wait (at least 1) for Retry-After. Always None while
    throttling is off.
    """
    small = _throttles(world, tenant_id)
    if not small and not world.behaviour.throttling:
        return None
    if small:
        capacity, refill_per_second = min(capacity, SMALL_CAPACITY), min(refill_per_second, SMALL_REFILL)
    buckets: dict[str, Bucket] = world.extra.setdefault("buckets", {})
    now = time.monotonic()
    bucket = buckets.setdefault(key, Bucket(capacity, now))
    bucket.level = min(capacity, bucket.level + (now - bucket.at) * refill_per_second)
    bucket.at = now
    if bucket.level >= cost:
        bucket.level -= cost
        return None
    return max(1, math.ceil((cost - bucket.level) / refill_per_second))


def remaining(world: World, key: str, capacity: float) -> int:
    """Whole tokens left in a bucket, for the x-ms-ratelimit headers."""
    buckets: dict[str, Bucket] = world.extra.get("buckets", {})
    bucket = buckets.get(key)
    return int(bucket.level) if bucket else int(capacity)


def _throttles(world: World, tenant_id: str | None) -> bool:
    tenant = world.tenants.get(tenant_id) if tenant_id else None
    return tenant is not None and "throttles" in tenant.traps
