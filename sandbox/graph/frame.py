"""What every Graph route shares: the token, the caller's tenant, permission checks, error shape, throttling."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox import throttling, tokens
from sandbox.directory import GLOBAL_ADMINISTRATOR
from sandbox.first_party import GRAPH
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Person, Tenant

AUDIENCES = {"https://graph.microsoft.com", GRAPH}
MALFORMED = "InvalidRequestContent"
"""What `Call.body` calls a body that is no JSON."""
UNREADABLE = (
    "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
)
_WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


def authenticate(call: Call) -> None:
    """Check the bearer token and keep its claims. Raises CloudError 401 with Graph's codes."""
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise CloudError(401, "InvalidAuthenticationToken", "Access token is empty.")
    try:
        call.claims = tokens.verify(call.cloud, token.strip(), AUDIENCES)
    except CloudError as error:
        if error.code == "Authorization_IdentityNotFound":
            raise
        texts = {"ExpiredAuthenticationToken": "Lifetime validation failed, the token is expired."}
        message = texts.get(error.code, "Access token validation failure. " + error.message)
        if "audience" in error.message:
            message = "Access token validation failure. Invalid audience."
        raise CloudError(401, "InvalidAuthenticationToken", message) from error


def tenant_of(call: Call) -> Tenant:
    """The tenant that the caller's token speaks in."""
    return call.world.tenants[call.claims["tid"]]


def person_of(call: Call) -> Person | None:
    """The person behind a delegated token, None for an application's own token."""
    if call.claims.get("idtyp") == "app":
        return None
    return next((p for p in call.world.people.values() if p.object_id == call.claims.get("oid")), None)


def denied() -> CloudError:
    """Graph's 403 for a caller without the permission or the directory role."""
    return CloudError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def require(call: Call, *permissions: str, directory_roles: frozenset[str] | None = None) -> None:
    """Let the call pass only with one of `permissions` in the token, frozen there at issue.

    A delegated call in somebody else's tenant also needs a directory role there: any for reading, one of
    `directory_roles` where given (which then holds at home too). Raises CloudError 403 Authorization_RequestDenied.
    Source: https://learn.microsoft.com/graph/permissions-overview (effective permissions).
    """
    if call.claims.get("idtyp") == "app":
        if not set(permissions) & set(call.claims.get("roles", ())):
            raise denied()
        return
    if not set(permissions) & set(str(call.claims.get("scp", "")).split()):
        raise denied()
    person = person_of(call)
    at_home = person is not None and person.tenant_id == call.claims["tid"]
    held = set(call.claims.get("wids", ()))
    if person is not None and at_home:
        held |= person.directory_roles
    if directory_roles is None:
        if not at_home and not held:
            raise denied()
    elif not held & (directory_roles | {GLOBAL_ADMINISTRATOR}):
        raise denied()


def error_body(error: CloudError, *, date: str, request_id: str, client_request_id: str) -> Any:
    """Graph's error body: {"error": {code, message, innerError{date, request-id, client-request-id}}}; date is UTC."""
    inner = {"date": date, "request-id": request_id, "client-request-id": client_request_id}
    return {"error": {"code": error.code, "message": error.message, **error.extra, "innerError": inner}}


class GraphService(Service):
    """A service whose errors carry the ids and the time of the request they answer."""

    async def dispatch(self, call: Call) -> Reply:
        """As Service.dispatch; raises CloudError with Graph's body in it."""
        try:
            return await super().dispatch(call)
        except CloudError as error:
            if error.code == MALFORMED:
                error.code, error.message = "BadRequest", UNREADABLE
            request_id = str(uuid.uuid4())
            if error.body is None:
                error.body = error_body(
                    error,
                    date=self.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
                    request_id=request_id,
                    client_request_id=call.headers.get("client-request-id", request_id),
                )
            error.headers.setdefault("request-id", request_id)
            raise


def throttle(call: Call) -> None:
    """Microsoft's token buckets of the identity service, per application and tenant.

    Raises CloudError 429 with Retry-After, x-ms-throttle-scope and x-ms-throttle-information.
    Source: https://learn.microsoft.com/graph/throttling-limits (a tenant of under 50 users).
    """
    tenant_id, app_id = call.claims.get("tid", ""), call.claims.get("appid", "")
    if not throttling.applies(call.world, tenant_id):
        return
    key, units = f"{app_id}/{tenant_id}", min(cost(call), int(throttling.SMALL_CAPACITY))
    wait = throttling.take(call.world, f"graph/{key}", 3500, 350, tenant_id=tenant_id, cost=units)
    reason = "ResourceUnitLimitExceeded"
    if wait is None and call.method in _WRITES:
        wait = throttling.take(call.world, f"graph-write/{key}", 3000, 20, tenant_id=tenant_id)
        reason = "WriteLimitExceeded"
    if wait is not None:
        kind = "ReadWrite" if call.method in _WRITES else "Read"
        headers = {
            "Retry-After": str(wait),
            "x-ms-throttle-scope": f"Tenant_Application/{kind}/{key}",
            "x-ms-throttle-information": reason,
        }
        raise CloudError(429, "TooManyRequests", "Too many requests.", headers=headers)


def cost(call: Call) -> int:
    """Resource units of a request in the identity service's token bucket.

    Source: https://learn.microsoft.com/graph/throttling-limits (identity and access service limits).
    """
    path = call.path.lower()
    units = 1
    for ending, price in (
        ("/transitivemembers", 5),
        ("/contracts", 3),
        ("/members", 3),
        ("/subscribedskus", 3),
        ("/users", 2),
        ("/memberof", 2),
        ("/transitivememberof", 2),
        ("/oauth2permissiongrants", 2),
        ("/approleassignments", 2),
        ("/approleassignedto", 2),
    ):
        if path.endswith(ending):
            units = price
            break
    units += "$expand" in call.query
    units -= "$select" in call.query
    top = call.query.get("$top", "")
    units -= top.isdigit() and int(top) < 20
    return max(1, units)
