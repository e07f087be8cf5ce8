"""The app registrations without the Microsoft Graph Bicep extension: the Azure CLI in its place.

azd runs it (azure.yaml): `create` before the resources, which need the client ids, and `finish` after them, when
addresses and the managed identity are known. It does nothing unless USE_GRAPH_EXTENSION is false. Everything is an
upsert, so that it can be run again. Sources: learn.microsoft.com/graph/api/application-upsert, serviceprincipal-upsert,
federatedidentitycredential-upsert, serviceprincipal-post-approleassignedto.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

BICEP = Path(__file__).resolve().parents[1] / "bicep"
SHARED: dict[str, Any] = json.loads((BICEP / "registrations.json").read_text(encoding="utf-8"))
CLOUDS: dict[str, dict[str, str]] = json.loads((BICEP / "clouds.json").read_text(encoding="utf-8"))
TITLES = {"api": "Tenantry API", "portal": "Tenantry portal", "partner": "Tenantry"}
ADMIN = "Integration.Admin"
UNSPREAD = ("Request_ResourceNotFound", "NoBackingApplicationObject", "Not Found", "Permission Id that cannot be found")
"""What Microsoft Graph may say of an object that was made a moment ago, until all of its copies have it."""
WAITS = (2, 4, 8, 16, 30)
Graph = Callable[[str, str, Any], Any]
"""Sends method, path and body to Microsoft Graph; gives the answer, None when it has no body."""


def unique(kind: str, suffix: str) -> str:
    """The unique name of a registration: by it, it is found again."""
    return f"{SHARED['names'][kind]}-{suffix}"


def bodies() -> dict[str, dict[str, Any]]:
    """What each registration is at first, without what is known only later."""
    api = {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [SHARED["scope"]]}
    return {
        "portal": {"signInAudience": "AzureADMyOrg"},
        "api": {"signInAudience": "AzureADMyOrg", "appRoles": SHARED["appRoles"], "api": api},
        "partner": {
            "signInAudience": "AzureADMultipleOrgs",
            "requiredResourceAccess": SHARED["requiredResourceAccess"],
        },
    }


def create(graph: Graph, suffix: str) -> dict[str, str]:
    """Make the three registrations and their service principals; gives the settings that name them."""
    found: dict[str, str] = {}
    for kind, body in bodies().items():
        address = f"/applications(uniqueName='{unique(kind, suffix)}')"
        graph("PATCH", address, {"displayName": f"{TITLES[kind]} ({suffix})", **body})
        client_id = str(graph("GET", address, None)["appId"])
        graph("PATCH", f"/servicePrincipals(appId='{client_id}')", {"accountEnabled": True})
        found[f"{kind.upper()}_CLIENT_ID"] = client_id
    trusted = {"appId": found["PORTAL_CLIENT_ID"], "delegatedPermissionIds": [SHARED["scope"]["id"]]}
    addressed = {"identifierUris": [f"api://{found['API_CLIENT_ID']}"]}
    access = {**bodies()["api"]["api"], "preAuthorizedApplications": [trusted]}
    graph("PATCH", f"/applications(uniqueName='{unique('api', suffix)}')", {**addressed, "api": access})
    partner = graph("GET", f"/servicePrincipals(appId='{found['PARTNER_CLIENT_ID']}')", None)
    return {**found, "PARTNER_PRINCIPAL_ID": str(partner["id"])}


def finish(
    graph: Graph, suffix: str, known: dict[str, str], cloud: dict[str, str], tenant_id: str, administrator: str
) -> None:
    """Tell the registrations the addresses and the managed identity, and give the administrator the app role.

    `known` are the outputs of the deployment and what `create` gave, `cloud` one of clouds.json.
    """
    portal, partner = unique("portal", suffix), unique("partner", suffix)
    graph("PATCH", f"/applications(uniqueName='{portal}')", {"spa": {"redirectUris": [f"{known['PORTAL_URL']}/"]}})
    callback = f"{known['PUBLIC_API_URL']}/connections/callback"
    graph("PATCH", f"/applications(uniqueName='{partner}')", {"web": {"redirectUris": [callback]}})
    credential = {
        "issuer": f"{cloud['login']}/{tenant_id}/v2.0",
        "subject": known["IDENTITY_PRINCIPAL_ID"],
        "audiences": [cloud["federation"]],
        "description": "The identity that Tenantry runs as, in place of a secret.",
    }
    application = graph("GET", f"/applications(uniqueName='{partner}')", None)["id"]
    graph("PATCH", f"/applications/{application}/federatedIdentityCredentials(name='managed-identity')", credential)
    if administrator:
        api = graph("GET", f"/servicePrincipals(appId='{known['API_CLIENT_ID']}')", None)["id"]
        role = next(role["id"] for role in SHARED["appRoles"] if role["value"] == ADMIN)
        held = graph("GET", f"/servicePrincipals/{api}/appRoleAssignedTo?$top=999", None)["value"]
        if not any((row["principalId"], row["appRoleId"]) == (administrator, role) for row in held):
            given = {"principalId": administrator, "resourceId": api, "appRoleId": role}
            graph("POST", f"/servicePrincipals/{api}/appRoleAssignedTo", given)


@cache
def cloud_here() -> dict[str, str]:
    """The cloud that the Azure CLI is set to. Exits when it is none of clouds.json."""
    command = ["az", "cloud", "show", "--query", "name", "--output", "tsv"]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if name not in CLOUDS:
        sys.exit(
            f"The Azure CLI is set to the cloud {name}; known are {', '.join(CLOUDS)}: az cloud set --name <cloud>"
        )
    return CLOUDS[name]


def az(method: str, path: str, body: Any) -> Any:
    """Microsoft Graph as whoever is signed in to the Azure CLI. Exits with its message when it is refused.

    What was just made may not be found for some seconds: that is asked again, for a minute.
    """
    command = ["az", "rest", "--method", method, "--url", f"{cloud_here()['graph']}/v1.0{path}"]
    if body is not None:
        headers = ["Content-Type=application/json", *(["Prefer=create-if-missing"] if method == "PATCH" else [])]
        command += ["--headers", *headers, "--body", json.dumps(body)]
    waits = [*WAITS]
    while (done := subprocess.run(command, check=False, capture_output=True, text=True)).returncode:
        if not waits or not any(sign in done.stderr for sign in UNSPREAD):
            sys.exit(f"{method} {path} was refused: {done.stderr.strip()}")
        time.sleep(waits.pop(0))
    return json.loads(done.stdout) if done.stdout.strip() else None


def main() -> None:
    """Do one of the two steps from the environment of azd."""
    if os.environ.get("USE_GRAPH_EXTENSION", "true").lower() != "false":
        return
    environment = dict(os.environ)
    suffix = environment["AZURE_ENV_NAME"]
    if sys.argv[1:] == ["create"]:
        for name, value in create(az, suffix).items():
            subprocess.run(["azd", "env", "set", name, value], check=True)
    elif sys.argv[1:] == ["finish"]:
        administrator = environment.get("ADMINISTRATOR_ID") or str(az("GET", "/me?$select=id", None)["id"])
        finish(az, suffix, environment, cloud_here(), environment["AZURE_TENANT_ID"], administrator)
    else:
        sys.exit("python infra/hooks/registrations.py create | finish")


if __name__ == "__main__":
    main()
