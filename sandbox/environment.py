"""The application's settings when it runs against the sandbox, for `make demo`, `make sandbox` and the tests alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

QUICK = {
    "HOST_QUEUE_LEASE": "5",
    "HOST_POLL_SECONDS": "1",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
}
"""What makes the host stand-in quick enough to watch: a killed host's messages come back after 5 seconds."""


def app_settings(
    world: Mapping[str, Any], storage: str, host_url: str, authority: Path, *, portal_url: str | None = None
) -> dict[str, str]:
    """Every setting of the application.

    `world` is the answer of `GET /_sandbox/world`, `storage` a connection string of Azurite, `host_url` the origin of
    the Functions host without a trailing slash, `authority` the sandbox's CA certificate (PEM). `portal_url` is where
    the sign-in callback sends the browser; the sandbox's plain page unless given.
    """
    services = {name: str(service["url"]) for name, service in world["services"].items()}
    applications, identity = world["applications"], world["identity"]
    return {
        "AzureWebJobsStorage": storage,
        "KEY_VAULT_URL": services["vault"],
        "PUBLIC_API_URL": f"{host_url}/api",
        "PORTAL_URL": portal_url or f"{services['control']}/portal",
        "LOGIN_URL": services["login"],
        "SIGN_IN_URL": services["control"],
        "ARM_URL": services["arm"],
        "GRAPH_URL": services["graph"],
        "PARTNER_CENTER_URL": services["partnercenter"],
        "API_TENANT_ID": applications["tenantry-api"]["tenantId"],
        "API_CLIENT_ID": applications["tenantry-api"]["clientId"],
        "PORTAL_CLIENT_ID": applications["tenantry-portal"]["clientId"],
        "PARTNER_CLIENT_ID": applications["tenantry"]["clientId"],
        "MANAGED_IDENTITY_CLIENT_ID": identity["clientId"],
        "IDENTITY_ENDPOINT": identity["endpoint"],
        "IDENTITY_HEADER": identity["header"],
        "ALLOW_PRIVATE_WEBHOOKS": "true",
        "SSL_CERT_FILE": str(authority),
        "REQUESTS_CA_BUNDLE": str(authority),
        "SANDBOX_CONTROL_URL": f"{services['control']}/_sandbox",
    }


def write_local_settings(path: Path, settings: Mapping[str, str], port: int) -> None:
    """Write local.settings.json, which both `func start` and the host stand-in read.

    learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file
    """
    document = {
        "IsEncrypted": False,
        "Values": {"FUNCTIONS_WORKER_RUNTIME": "python", **settings},
        "Host": {"LocalHttpPort": port},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
