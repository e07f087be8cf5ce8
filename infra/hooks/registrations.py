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
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARED: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "bicep" / "registrations.json").read_text(encoding="utf-8")
)
TITLES = {"api": "Tenantry API", "portal": "Tenantry portal", "partner": "Tenantry"}
ADMIN = "Integration.Admin"
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


def finish(graph: Graph, suffix: str, known: dict[str, str], tenant_id: str, administrator: str) -> None:
    """Tell the registrations the addresses and the managed identity, and give the administrator the app role.

    `known` are the outputs of the deployment and what `create` gave.
    """
    portal, partner = unique("portal", suffix), unique("partner", suffix)
    graph("PATCH", f"/applications(uniqueName='{portal}')", {"spa": {"redirectUris": [f"{known['PORTAL_URL']}/"]}})
    callback = f"{known['PUBLIC_API_URL']}/connections/callback"
    graph("PATCH", f"/applications(uniqueName='{partner}')", {"web": {"redirectUris": [callback]}})
    credential = {
        "issuer": f"{known['SIGN_IN_URL']}{tenant_id}/v2.0",
        "subject": known["IDENTITY_PRINCIPAL_ID"],
        "audiences": ["api://AzureADTokenExchange"],
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


def az(method: str, path: str, body: Any) -> Any:
    """Microsoft Graph as whoever is signed in to the Azure CLI. Exits with its message when it is refused."""
    command = ["az", "rest", "--method", method, "--url", f"https://graph.microsoft.com/v1.0{path}"]
    if body is not None:
        headers = ["Content-Type=application/json", *(["Prefer=create-if-missing"] if method == "PATCH" else [])]
        command += ["--headers", *headers, "--body", json.dumps(body)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{method} {path} was refused: {done.stderr.strip()}")
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
        finish(az, suffix, environment, environment["AZURE_TENANT_ID"], administrator)
    else:
        sys.exit("python infra/hooks/registrations.py create | finish")


if __name__ == "__main__":
    main()
