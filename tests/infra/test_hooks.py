"""What azd runs beside Bicep: the portal's files, and the registrations without the Graph extension."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from sandbox.static_web_apps import Site
from tests.infra import bicep

ROOT = bicep.ROOT
API, SIGN_IN = "https://func-x.azurewebsites.net/api", "https://login.microsoftonline.com/"
KNOWN = {
    "PUBLIC_API_URL": API,
    "PORTAL_URL": "https://x.azurestaticapps.net",
    "SIGN_IN_URL": SIGN_IN,
    "IDENTITY_PRINCIPAL_ID": "identity",
}


def hook(name: str) -> ModuleType:
    """A script of infra/hooks, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "infra" / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_azure_yaml_names_what_is_there() -> None:
    document = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert (ROOT / document["infra"]["path"] / f"{document['infra']['module']}.bicep").is_file()
    assert document["workflows"]["up"]["steps"] == [{"azd": "provision"}, {"azd": "deploy --all"}]
    hooks = [(ROOT, hook) for hook in document["hooks"].values()]
    for service in document["services"].values():
        assert (ROOT / service["project"]).is_dir()
        hooks += [(ROOT / service["project"], hook) for hook in service.get("hooks", {}).values()]
    for folder, row in hooks:
        assert (folder / row["run"].split()[1]).is_file()
    tagged = re.findall(r"'azd-service-name': '(\w+)'", "".join(path.read_text() for path in bicep.FILES))
    assert sorted(tagged) == sorted(document["services"])


def test_what_the_hooks_read_is_put_out_by_the_template() -> None:
    put_out = set(bicep.parsed(bicep.FOLDER / "main.bicep")["outputs"])
    read = {
        name
        for script in ("portal.py", "registrations.py")
        for name in re.findall(r"\[['\"]([A-Z_]+)['\"]\]", (ROOT / "infra" / "hooks" / script).read_text())
    }
    assert set(KNOWN) < read
    # What azd has from the start, and what `create` gives.
    assert read - put_out == {"AZURE_ENV_NAME", "API_CLIENT_ID", "PORTAL_CLIENT_ID", "PARTNER_CLIENT_ID"}


def test_the_deployed_portal_has_the_files_that_the_stand_in_serves(tmp_path: Path) -> None:
    public = ROOT / "portal" / "public"
    shutil.copytree(public, tmp_path, dirs_exist_ok=True)
    (tmp_path / "index.html").touch()
    served = Site(tmp_path, API, SIGN_IN)
    for _ in range(2):
        hook("portal").fill(tmp_path, public / "staticwebapp.config.json", API, SIGN_IN)
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(served.config)
    assert json.loads((tmp_path / "staticwebapp.config.json").read_text()) == served.rules
    with pytest.raises(ValueError, match="no https address"):
        hook("portal").fill(tmp_path, public / "staticwebapp.config.json", "http://x/api", SIGN_IN)


class Directory:
    """As much of Microsoft Graph as the script asks for: objects by address, and app role assignments."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.assigned: list[dict[str, str]] = []

    def __call__(self, method: str, path: str, body: Any) -> Any:
        if "appRoleAssignedTo" in path:
            if method == "POST":
                self.assigned.append(body)
            return {"value": self.assigned}
        if method == "PATCH":
            made = {"id": f"id of {path}", "appId": f"client of {path}"}
            self.objects[path] = {**made, **self.objects.get(path, {}), **body}
            return None
        return self.objects[path]


def test_the_scripted_registrations_are_what_bicep_declares_and_can_be_repeated() -> None:
    script, graph = hook("registrations"), Directory()
    known: dict[str, str] = {}
    for _ in range(2):
        known = KNOWN | script.create(graph, "test")
        script.finish(graph, "test", known, "tenant", "alice")
    declared = {
        row.name: dict(row.sets())
        for row in bicep.resources([bicep.FOLDER / "modules" / "registrations.bicep"])
        if row.type.startswith("Microsoft.Graph/applications@")
    }
    made = {path.split("'")[1]: row for path, row in graph.objects.items() if path.startswith("/applications(")}
    assert {name.removesuffix("-test"): row["signInAudience"] for name, row in made.items()} == {
        script.SHARED["names"][kind]: declared[kind]["signInAudience"] for kind in ("api", "portal", "partner")
    }
    api, portal, partner = (made[f"{script.SHARED['names'][kind]}-test"] for kind in ("api", "portal", "partner"))
    assert api["identifierUris"] == [f"api://{api['appId']}"]
    assert set(api["api"]) == {"requestedAccessTokenVersion", "oauth2PermissionScopes", "preAuthorizedApplications"}
    assert api["api"]["preAuthorizedApplications"][0]["appId"] == portal["appId"]
    assert portal["spa"]["redirectUris"] == ["https://x.azurestaticapps.net/"]
    assert partner["web"]["redirectUris"] == [f"{API}/connections/callback"]
    credential = next(row for path, row in graph.objects.items() if "federatedIdentityCredentials" in path)
    assert credential["issuer"] == "https://login.microsoftonline.com/tenant/v2.0"
    assert credential["subject"] == "identity"
    assert len(graph.assigned) == 1
    assert known["PARTNER_PRINCIPAL_ID"] == graph.objects[f"/servicePrincipals(appId='{partner['appId']}')"]["id"]
