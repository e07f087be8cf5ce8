"""The documentation says what is there: settings, routes, files, commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import functions
from shared.incidents.policy import Policy
from shared.settings import Settings
from tests import rights_page

ROOT = Path(__file__).resolve().parent.parent
ONLY_OF_THE_MACHINE = {"FUNCTIONS_WORKER_RUNTIME"}


def text(path: str) -> str:
    return (ROOT / path).read_text()


def setting_names() -> set[str]:
    return {field.alias or name.upper() for name, field in Settings.model_fields.items()}


def test_every_setting_is_described_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", text("docs/operations.md").split("## Point it")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == setting_names()


def test_the_sample_of_local_settings_has_every_setting_and_no_other() -> None:
    values = json.loads(text("local.settings.sample.json"))["Values"]
    # An account name stands in place of a connection string, so a file has one of the two.
    assert set(values) - ONLY_OF_THE_MACHINE == setting_names() - {"AzureWebJobsStorage__accountName"}


def test_every_route_is_listed_with_its_permission() -> None:
    listed = set(re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| ([^|]+?) \|", text("docs/api.md"), re.MULTILINE))
    served = {
        (method.upper(), path.removeprefix("/api"), ", ".join(operation.get("x-permission", ["anonymous"])))
        for path, operations in functions.whole().openapi()["paths"].items()
        for method, operation in operations.items()
    }
    assert listed == served


@pytest.mark.parametrize("folder", ["functions", "shared", "sandbox"])
def test_every_module_has_its_line_in_the_architecture_page(folder: str) -> None:
    page = text("docs/architecture.md")
    modules = [path for path in (ROOT / folder).iterdir() if not path.name.startswith("_")]
    missing = [p.name for p in modules if (p.suffix == ".py" or p.is_dir()) and f"`{folder}/{p.name}" not in page]
    assert missing == []


def test_the_architecture_page_names_no_file_that_is_gone() -> None:
    named = re.findall(r"^\| `([a-z_./]+)`", text("docs/architecture.md"), re.MULTILINE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_policy_that_the_page_on_tickets_shows_is_one() -> None:
    shown = re.findall(r"^```json\n(.*?)^```", text("docs/tickets.md"), re.MULTILINE | re.DOTALL)
    assert len(shown) >= 3
    for example in shown:
        assert Policy.model_validate_json(example).model_fields_set


def test_the_page_on_rights_in_azure_says_what_the_capability_tables_need() -> None:
    page = rights_page.PAGE.read_text()
    if page != rights_page.written(page):
        pytest.fail("docs/azure-rights.md is not what the tables need: run python -m tests.rights_page", pytrace=False)


def test_every_command_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    pages = [text("README.md"), text("CONTRIBUTING.md"), *(p.read_text() for p in (ROOT / "docs").rglob("*.md"))]
    used = {
        name
        for page in pages
        for name in re.findall(r"\bmake ([a-z-]+)(?=[`\s])", page)
        if f"`make {name}" in page or f"$ make {name}" in page
    }
    assert used
    assert used <= targets


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())
        broken += [f"{page.name}: {target}" for target in targets if not (page.parent / target).exists()]
    assert broken == []
