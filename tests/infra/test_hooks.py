"""What azd runs beside Bicep: the portal's files, and the registrations without the Graph extension."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from sandbox.static_web_apps import Site
from tests.infra import bicep

ROOT = bicep.ROOT
API, SIGN_IN = "https://func-x.azurewebsites.net/api", "https://login.microsoftonline.com"
KNOWN = {
    "PUBLIC_API_URL": API,
    "PORTAL_URL": "https://x.azurestaticapps.net",
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
    # What azd has from the start.
    assert read - put_out == {"AZURE_ENV_NAME"}


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


def test_no_bytecode_of_another_python_is_uploaded() -> None:
    """By itself azd leaves it out only where there is no .funcignore."""
    assert "__pycache__" in (ROOT / ".funcignore").read_text().split()


def test_azd_is_new_enough_for_the_environment_that_static_web_apps_take() -> None:
    required = yaml.safe_load((ROOT / "azure.yaml").read_text())["requiredVersions"]["azd"]
    assert required == ">= 1.25.6"
    assert f"of version {required.removeprefix('>= ')} or newer" in (ROOT / "docs" / "azure.md").read_text()


def test_an_output_that_a_parameter_reads_back_next_time_gives_the_same_value_back() -> None:
    text = (bicep.FOLDER / "main.bicepparam").read_text()
    read = dict(re.findall(r"^param (\w+) = readEnvironmentVariable\('(\w+)'", text, re.MULTILINE))
    parameters = {variable: name for name, variable in read.items()}
    template = (bicep.FOLDER / "main.bicep").read_text()
    put_out = dict(re.findall(r"^output (\w+) string = (.+)$", template, re.MULTILINE))
    both = put_out.keys() & parameters.keys()
    ids = {"API_CLIENT_ID", "PORTAL_CLIENT_ID", "PARTNER_CLIENT_ID", "PARTNER_PRINCIPAL_ID"}
    assert both == {*ids, "BUDGET_START"}
    for name in ids:
        assert put_out[name].endswith(f" : {parameters[name]}"), name
    # Without a budget no month is kept: a budget that is made later may not begin in the past.
    assert put_out["BUDGET_START"] == "hasBudget ? firstMonth : budgetStart"
    assert re.search(r"^module budget .* = if \(hasBudget\) \{$", template, re.MULTILINE)


def test_the_pipelines_name_what_azd_keeps_on_a_machine_of_ones_own() -> None:
    for pipeline in (".github/workflows/deploy.yml", "azure-pipelines.yml"):
        comment = (ROOT / pipeline).read_text().split("\non:")[0].split("\ntrigger:")[0]
        assert {"ADMINISTRATOR_ID", "BUDGET_START"} <= set(re.findall(r"[A-Z_]{5,}", comment)), pipeline


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
            # A scope that the same request defines is refused: it must be there.
            had = self.objects.get(path, {}).get("api", {}).get("oauth2PermissionScopes", [])
            for trusted in body.get("api", {}).get("preAuthorizedApplications", []):
                assert set(trusted["delegatedPermissionIds"]) <= {scope["id"] for scope in had}
            made = {"id": f"id of {path}", "appId": f"client of {path}"}
            self.objects[path] = {**made, **self.objects.get(path, {}), **body}
            return None
        return self.objects[path]


def test_no_registration_names_a_scope_that_the_same_request_defines() -> None:
    """Of the two writings of the API's registration only the second one trusts the portal."""
    rows = {row.name: row for row in bicep.resources([bicep.FOLDER / "modules" / "registrations.bicep"])}
    first, second = (dict(rows[name].sets()) for name in ("api", "addressedApi"))
    assert "api.oauth2PermissionScopes" in first
    assert "api.preAuthorizedApplications" not in first
    assert "api.preAuthorizedApplications" in second
    # What says that the second waits for the first, and that both are one registration.
    assert second["identifierUris[]"] == "api://${api.appId}"
    assert {**second, **first} == {**first, **second}


def test_the_script_asks_again_for_what_was_just_made_and_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    script = hook("registrations")
    unspread = (
        'Bad Request({"error":{"code":"Request_BadRequest","details":[{"code":"NoBackingApplicationObject"}]}})',
        'Not Found({"error":{"code":"Request_ResourceNotFound"}})',
        'Bad Request({"error":{"message":"... has a Permission Id that cannot be found in the AppPermissions sets."}})',
    )
    answers = [*((1, said) for said in unspread), (0, "")]
    asked: list[list[str]] = []
    waited: list[int] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if command[1] == "cloud":
            return subprocess.CompletedProcess(command, 0, "AzureChinaCloud\n", "")
        asked.append(command)
        code, error = answers[min(len(asked), len(answers)) - 1]
        return subprocess.CompletedProcess(command, code, '{"id": "x"}' if not code else "", error)

    monkeypatch.setattr(script.subprocess, "run", run)
    monkeypatch.setattr(script.time, "sleep", waited.append)
    assert script.az("GET", "/me", None) == {"id": "x"}
    assert asked[0][5] == "https://microsoftgraph.chinacloudapi.cn/v1.0/me"
    assert waited == list(script.WAITS[:3])
    answers[:] = [(1, "Forbidden(Authorization_RequestDenied)")]
    with pytest.raises(SystemExit, match="was refused: Forbidden"):
        script.az("GET", "/me", None)
    answers[:] = [(1, "Not Found(Request_ResourceNotFound)")]
    with pytest.raises(SystemExit, match="was refused: Not Found"):
        script.az("GET", "/me", None)
    assert waited[3:] == list(script.WAITS)


def test_the_scripted_registrations_are_what_bicep_declares_and_can_be_repeated() -> None:
    script, graph = hook("registrations"), Directory()
    known: dict[str, str] = {}
    for _ in range(2):
        known = KNOWN | script.create(graph, "test")
        script.finish(graph, "test", known, script.CLOUDS["AzureUSGovernment"], "tenant", "alice")
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
    assert credential["issuer"] == "https://login.microsoftonline.us/tenant/v2.0"
    assert credential["audiences"] == ["api://AzureADTokenExchangeUSGov"]
    assert credential["subject"] == "identity"
    assert len(graph.assigned) == 1
    assert known["PARTNER_PRINCIPAL_ID"] == graph.objects[f"/servicePrincipals(appId='{partner['appId']}')"]["id"]
