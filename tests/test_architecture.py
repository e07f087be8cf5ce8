"""Import rules that import-linter cannot see, as it does not look into other people's packages; and start-up cost."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

import shared
from functions import AREAS, BLUEPRINTS
from shared import jobs
from shared.sinks import KINDS
from shared.store.tables import Record

ROOT = Path(__file__).parent.parent
SERVER = ("azure.functions", "fastapi", "starlette")
"""HTTP as a server, and the Functions runtime."""
OUTSIDE = (
    "aiohttp",
    "azure.core",
    "azure.data",
    "azure.identity",
    "azure.keyvault",
    "azure.keyvault",
    "azure.mgmt",
    "azure.storage",
    "httpx",
    "kiota_abstractions",
    "kiota_authentication_azure",
    "kiota_http",
    "msal",
    "msgraph",
    "msgraph_core",
    "requests",
    "urllib.request",
    "http.client",
    "socket",
)
"""Clients of anything outside of the process."""
LAZY = (
    "azure.identity",
    "azure.mgmt.compute",
    "azure.mgmt.resource",
    "azure.mgmt.resourcehealth",
    "azure.monitor",
    "azure.storage",
    "kiota_abstractions",
    "kiota_authentication_azure",
    "kiota_http",
    "msal",
    "msgraph",
    "opentelemetry.sdk",
    "requests",
)
"""So large, or so seldom needed, that only what uses them may load them."""
LARGEST = 450
"""Lines of a file before it is to become a package."""


@dataclass(frozen=True)
class Import:
    """One import of a file; `module` with the imported name, so that `from os import environ` is `os.environ`."""

    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"

    def within(self, *packages: str) -> bool:
        return any(self.module == name or self.module.startswith(f"{name}.") for name in packages)


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(path, node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def beneath(path: Path, *places: str) -> bool:
    relative = path.relative_to(ROOT).as_posix()
    return any(relative == place or relative.startswith(f"{place.rstrip('/')}/") for place in places)


def wrong(packages: tuple[str, ...], folders: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    """Imports of `packages` in `folders` outside of the `allowed` places."""
    return [
        str(found)
        for path in files(*folders)
        if not beneath(path, *allowed)
        for found in imports(path)
        if found.within(*packages)
    ]


def test_the_rules_see_imports_of_every_form(tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(
        "import os, azure.core.pipeline\n"
        "from azure import mgmt\n"
        "def f():\n"
        "    import msgraph.generated.models as m\n"
        "    from os import environ\n"
    )
    found = sorted(row.module for row in imports(path))
    assert found == ["azure.core.pipeline", "azure.mgmt", "msgraph.generated.models", "os", "os.environ"]
    assert Import(path, 1, "azure.core.pipeline").within("azure.core")
    assert not Import(path, 1, "azure.corefake").within("azure.core")


def test_only_entry_points_know_the_functions_runtime_and_http_as_a_server() -> None:
    assert wrong(SERVER, ("shared",), ()) == []
    assert wrong(("azure.functions",), ("sandbox",), ("sandbox/host",)) == []


def test_only_outgoing_modules_have_clients_of_the_outside() -> None:
    assert wrong(OUTSIDE, ("shared", "functions"), ("shared/microsoft", "shared/store", "shared/sinks")) == []


def test_storage_and_vault_are_reached_through_the_store_only() -> None:
    packages = ("azure.data", "azure.storage", "azure.keyvault")
    assert wrong(packages, ("shared", "functions"), ("shared/store",)) == []


def test_telemetry_is_made_in_one_place() -> None:
    # The frame of requests names a span's type.
    allowed = ("shared/telemetry.py", "functions/api.py")
    assert wrong(("opentelemetry", "azure.monitor"), ("shared", "functions"), allowed) == []


def records() -> list[type[Record]]:
    """Every class of rows that the application has."""
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        importlib.import_module(module.name)
    found: list[type[Record]] = []
    waiting = [Record]
    while waiting:
        children = waiting.pop().__subclasses__()
        found += children
        waiting += children
    # Other tests may have made some of their own.
    return [model for model in found if model.__module__.startswith("shared.")]


def unreadable(model: type[BaseModel]) -> set[str]:
    """Fields within a model that are lost when they are None, as rows are stored without what is None."""
    found: set[str] = set()
    seen: set[type[BaseModel]] = set()

    def walk(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind in seen:
                return
            seen.add(kind)
            for name, field in kind.model_fields.items():
                if admits_none(field.annotation) and field.default is not None:
                    found.add(f"{kind.__name__}.{name}")
                walk(field.annotation)
        elif get_origin(kind) is dict and admits_none(get_args(kind)[1]):
            found.add(f"values of {kind}")
        for part in get_args(kind):
            walk(part)

    walk(model)
    return found


def admits_none(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        return admits_none(get_args(kind)[0])
    return kind is type(None) or type(None) in get_args(kind)


def test_what_a_row_does_not_say_is_what_it_was() -> None:
    class Inner(Record):
        lost: int | None

    class Outer(Record):
        kept: str | None = None
        inner: list[Inner]
        other: int | None = 5
        map: dict[str, str | None]

    assert unreadable(Outer) == {"Inner.lost", "Outer.other", "values of dict[str, str | None]"}
    assert len(records()) > 30
    assert {name for model in records() for name in unreadable(model)} == set()


def test_only_the_settings_read_the_environment() -> None:
    readers = []
    for path in files("shared", "functions"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {"environ", "getenv", "environb", "putenv"}
            if (isinstance(node, ast.Attribute) and node.attr in names) or (
                isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names}
            ):
                readers.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert readers == []


def test_only_entry_points_ask_for_the_app() -> None:
    asking = []
    for path in files("shared"):
        if beneath(path, "shared/app.py"):
            continue
        asking += [str(found) for found in imports(path) if found.module in ("shared.app.current", "shared.app.build")]
        tree = ast.parse(path.read_text())
        asking += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "current"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("composition", "app")
        ]
    assert asking == []


def test_the_sandbox_shares_no_code_with_what_it_tests() -> None:
    assert wrong(("shared", "functions"), ("sandbox",), ("sandbox/host",)) == []


def test_no_module_is_a_stand_in_for_the_outside() -> None:
    assert wrong(("unittest.mock", "pytest_mock", "respx", "responses", "pytest_httpx"), ("shared", "tests"), ()) == []


def test_the_application_loads_no_tool_of_the_operators() -> None:
    tools = ("shared.backup", "shared.store.backup", "shared.store.backup_files")
    assert wrong(tools, ("shared", "functions"), ("shared/backup.py", "shared/store/backup.py")) == []
    assert wrong(tools, ("shared",), ()) != []


def test_no_module_of_the_application_sleeps_or_blocks() -> None:
    assert wrong(("time.sleep", "subprocess", "threading"), ("shared", "functions"), ()) == []


def test_importing_the_application_loads_no_large_sdk_and_makes_no_route() -> None:
    made = "[area.name for area in functions.AREAS if 'router' in vars(area)]"
    code = f"import sys, function_app, functions; print([m for m in {LAZY!r} if m in sys.modules] + {made})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("path", files("shared", "functions"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= LARGEST, "make it a package of the same name"


def test_every_area_is_registered_under_paths_of_its_own() -> None:
    names = {path.stem for path in (ROOT / "functions").glob("*.py")}
    others = {"__init__", "api", "idempotency", "paging", "queues", "routing", "timers", "tracing"}
    assert {area.name for area in AREAS} == names - others
    paths = [path for owned in AREAS.values() for path in owned]
    assert len(paths) == len(set(paths))
    assert len(BLUEPRINTS) == 3
    for area in AREAS:
        for route in area.router.routes:
            assert str(getattr(route, "path", "")).split("/")[2] in paths


def test_every_kind_of_job_has_a_queue_of_its_own() -> None:
    named = {value for value in vars(jobs).values() if isinstance(value, type) and issubclass(value, jobs.Job)}
    assert named - {jobs.Job} == set(jobs.ALL)
    assert len({job.QUEUE for job in jobs.ALL}) == len(jobs.ALL)


def test_a_sink_is_registered_by_being_there() -> None:
    modules = {path.stem for path in (ROOT / "shared" / "sinks").glob("*.py")}
    kinds = {
        path.stem
        for path in (ROOT / "shared" / "sinks").glob("*.py")
        if any(
            isinstance(node, ast.Assign | ast.AnnAssign)
            and any(getattr(target, "id", "") == "KIND" for target in _targets(node))
            for node in ast.parse(path.read_text()).body
        )
    }
    assert kinds <= modules
    assert len(kinds) == len(KINDS) >= 1


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def test_a_switch_in_a_body_is_true_or_false_and_no_word_for_it() -> None:
    areas = [module for name, module in sys.modules.items() if name.startswith("functions.")]
    bodies = {
        one for module in areas for one in vars(module).values() if str(getattr(one, "__name__", "")).endswith("Body")
    }
    assert len(bodies) > len(AREAS)
    switches = {(one.__name__, name): field for one in bodies for name, field in one.model_fields.items()}
    switches = {where: field for where, field in switches.items() if field.annotation is bool}
    assert ("ScheduleBody", "confirm") in switches
    assert [
        where for where, field in switches.items() if not any(getattr(m, "strict", False) for m in field.metadata)
    ] == []
