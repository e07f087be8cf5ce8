"""Microsoft Graph v1.0 as a partner's application meets it.

`frame` holds tokens, permissions and errors; `odata` the query options; `applications`, `objects`, `partners` and
`batch` the routes. The rules of the directory are in `sandbox.directory`.
"""

from __future__ import annotations

from sandbox.graph import applications, batch, objects, partners
from sandbox.graph.frame import GraphService, authenticate, cost, throttle
from sandbox.wire import Call, CloudError, Service
from sandbox.world import Cloud


def _no_segment(call: Call) -> CloudError:
    parts = [part for part in call.path.split("/") if part]
    if not parts or parts[0].lower() != "v1.0":
        return CloudError(400, "BadRequest", f"Invalid version: {parts[0] if parts else ''}")
    return CloudError(400, "BadRequest", f"Resource not found for the segment '{parts[-1]}'.")


def service(cloud: Cloud) -> Service:
    """Microsoft Graph as an ASGI application. Every route needs a token for https://graph.microsoft.com."""
    built = GraphService(
        cloud,
        "graph",
        [r"^graph\.microsoft\.com$"],
        authenticate=authenticate,
        throttle=throttle,
        headers=lambda call: {"x-ms-resource-unit": str(cost(call)), "OData-Version": "4.0"},
        not_found=_no_segment,
    )
    for module in (batch, applications, partners, objects):
        module.add_routes(built)
    return built
