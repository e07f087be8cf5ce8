"""What works beside the code: workflows, pipelines, forms, the dev container and the editor's settings."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.up import Ports

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
YAML = [ROOT / "azure-pipelines.yml", ROOT / ".github/dependabot.yml", *WORKFLOWS, *FORMS]
CONTAINER = ROOT / ".devcontainer/devcontainer.json"
EDITOR = [*sorted((ROOT / ".vscode").glob("*.json")), CONTAINER]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> dict[str, Any]:
    text = path.read_text()
    document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


def under(document: Any, key: str) -> list[Any]:
    """Every value that has this key, however deep."""
    if isinstance(document, list):
        return [found for one in document for found in under(one, key)]
    if not isinstance(document, dict):
        return []
    return [*([document[key]] if key in document else []), *under(list(document.values()), key)]


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = parsed(path)["jobs"]
    return found


@pytest.mark.parametrize("path", [*YAML, *EDITOR], ids=name)
def test_every_command_and_file_that_is_named_is_there(path: Path) -> None:
    text = path.read_text()
    assert parsed(path)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    named = re.findall(r"(?<![\w/.-])(\.ci/\w+|\.devcontainer(?:/\w+)?|\./\.github/workflows/[\w.]+)", text)
    assert [one for one in named if not (ROOT / one).exists()] == []


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "azure-pipelines.yml"], ids=name)
def test_what_runs_in_ci_is_the_script_that_anybody_can_run(path: Path) -> None:
    steps = [str(step) for key in ("run", "script", "inlineScript") for step in under(parsed(path), key)]
    shared = "./.github/workflows/ci.yml" in under(parsed(path), "uses")
    assert shared or any(step.endswith(" .ci/run") for step in steps)
    assert os.access(ROOT / ".ci/run", os.X_OK)
    deploys = [step for step in steps if step.startswith("azd up")]
    assert bool(deploys) == (path.stem != "ci")


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_a_workflow_runs_pinned_actions_with_the_least_rights(path: Path) -> None:
    used = re.findall(r"uses: (?!\./)(\S+)@(\S+)(.*)$", path.read_text(), re.MULTILINE)
    assert used
    for action, commit, said in used:
        assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{action} can change under us"
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", said)
    assert parsed(path)["permissions"] == {}
    for job in jobs(path).values():
        signs_in = job.get("environment") is not None
        assert job["permissions"] == {"contents": "read", **({"id-token": "write"} if signs_in else {})}
    assert "secrets." not in path.read_text()


@pytest.mark.parametrize("path", FORMS, ids=name)
def test_a_form_asks_what_its_kind_allows(path: Path) -> None:
    form = parsed(path)
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_what_the_editor_starts_is_there() -> None:
    launch, tasks = parsed(ROOT / ".vscode/launch.json"), parsed(ROOT / ".vscode/tasks.json")
    for one in launch["configurations"]:
        assert importlib.util.find_spec(one["module"]), one["name"]
    labels = {task["label"] for task in tasks["tasks"]}
    assert set(under(launch, "preLaunchTask")) <= labels
    [ready] = under(tasks, "endsPattern")
    assert ready in (ROOT / "sandbox/up.py").read_text()


def test_the_dev_container_has_what_the_demo_opens_and_what_the_editor_wants() -> None:
    container, ports = parsed(CONTAINER), Ports()
    assert set(container["forwardPorts"]) == {ports.portal, ports.host, ports.sandbox}
    assert {int(port) for port in container["portsAttributes"]} == set(container["forwardPorts"])
    wanted = parsed(ROOT / ".vscode/extensions.json")["recommendations"]
    assert container["customizations"]["vscode"]["extensions"] == wanted
    image = (CONTAINER.parent / container["build"]["dockerfile"]).read_text()
    assert "FROM python:3.13-bookworm" in image
    assert f" {container['remoteUser']}\n" in image
