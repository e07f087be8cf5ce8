"""The managed identity endpoint, as App Service and Azure Functions have it (IDENTITY_ENDPOINT, IDENTITY_HEADER).

Source: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import time
from typing import Any

from sandbox import entra, tokens
from sandbox.wire import Call, CloudError, Reply, Service
from sandbox.world import Cloud

HEADER = "sandbox-identity-header"
"""Value of IDENTITY_HEADER: whoever sends it runs on this machine."""


def error_body(error: CloudError) -> dict[str, Any]:
    """A refusal in the endpoint's own shape."""
    return {"statusCode": error.status, "message": error.message}


def service(cloud: Cloud) -> Service:
    """GET /msi/token?api-version=2019-08-01&resource=..., with the header X-IDENTITY-HEADER."""
    identity = Service(cloud, "identity", [], shape=error_body)

    @identity.route("GET", "/msi/token")
    async def token(call: Call) -> Reply:
        if call.headers.get("x-identity-header") != HEADER:
            raise CloudError(401, "Unauthorized", "The X-IDENTITY-HEADER header is missing or wrong.")
        resource = call.query.get("resource", "").rstrip("/").removesuffix("/.default")
        if not resource:
            raise CloudError(400, "BadRequest", "The parameter 'resource' is missing.")
        app = call.world.applications["managed-identity"]
        if call.query.get("client_id", app.app_id) != app.app_id:
            raise CloudError(
                400, "BadRequest", "No User Assigned or Delegated Managed Identity found for specified ClientId."
            )
        exchange = resource == entra.TOKEN_EXCHANGE
        audience = entra.TOKEN_EXCHANGE if exchange else entra.resource_of(call.world, resource)
        claims = entra.app_claims(call.cloud, app, call.world.partner, audience)
        return Reply(
            {
                "access_token": tokens.sign(call.cloud, claims),
                "expires_on": str(int(time.time()) + tokens.LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": app.app_id,
            }
        )

    return identity
