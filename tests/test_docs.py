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
OF_OTHERS = {"sandbox.md", "telemetry.md"}
"""Pages whose calls are those of other services too."""
OF_THE_DOCUMENT = {"GET /openapi.json", "GET /docs"}
"""Where the API's document is; it does not describe itself."""


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


def same_path(path: str) -> str:
    """A route's path without its query, and whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path.partition("?")[0]).removeprefix("/api")


def test_every_call_that_a_page_names_is_a_route() -> None:
    served = {
        f"{method.upper()} {same_path(path)}"
        for path, operations in functions.whole().openapi()["paths"].items()
        for method in operations
    }
    named = {
        f"{method} {same_path(path)}"
        for page in (ROOT / "docs").rglob("*.md")
        if page.name not in OF_OTHERS
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/(?!_|admin/)[^` ]*)", page.read_text())
    }
    assert len(named) > 50
    assert named - served == OF_THE_DOCUMENT


def test_every_timer_is_listed_with_what_it_does() -> None:
    declared = set(re.findall(r"^@timer\(.*\)\nasync def (\w+)\(", text("functions/timers.py"), re.MULTILINE))
    table = text("docs/operations.md").split("## What runs by itself")[1].split("\n## ")[0]
    assert declared == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


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


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_lists_are_written_so_that_the_site_shows_them_too() -> None:
    """GitHub takes two or three spaces for what belongs to an item, and no empty line after it; the site does not."""
    wrong = []
    for page in PAGES:
        fenced, apart, before = False, False, ""
        for number, line in enumerate(page.read_text().splitlines(), 1):
            item = re.match(r" *([-*]|\d+\.) ", line)
            if not fenced:
                shallow = re.match(r" {1,3}\S", line) and (not before or re.match(r" *(```|[-*] |\d+\. )", line))
                if shallow or (apart and before and re.match(r"([-*]|\d+\.) ", line)):
                    wrong.append(f"{page.name}:{number}: {line}")
                apart = bool(line) and not item and (apart or (not before and line.startswith(" ")))
            fenced, before = fenced != line.lstrip().startswith("```"), line
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in [*PAGES, *(ROOT / ".github").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text()):
            aim = page.parent / target if target else page
            if not aim.exists() or (anchor and anchor not in anchors(aim)):
                broken.append(f"{page.name}: {target}#{anchor}")
    assert broken == []
