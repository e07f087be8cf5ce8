"""The Bicep files are whole: they parse, nothing in them is unused or unexplained, and what they name is real."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra import bicep
from tests.infra.bicep import FILES, PARAMETER_FILES, parsed
from tests.infra.facts import FACTS, LEFT_TO_BICEP

KNOWN: dict[str, Any] = json.loads(FACTS.read_text())["resources"]
ENTRIES = [path for path in FILES if path.name == "main.bicep"]
LARGEST = 450
METRICS = {
    "tenantry.deliveries",
    "tenantry.microsoft.calls",
    "tenantry.microsoft.throttled",
    "tenantry.poll.age",
    "tenantry.poll.duration",
    "tenantry.queue.depth",
    "tenantry.queue.poison",
    "tenantry.secrets.expiring",
    "tenantry.sinks.failing",
}
"""Those of docs/telemetry.md."""
NAMES_OF_FILES = {path: str(path.relative_to(bicep.FOLDER)) for path in (*FILES, *PARAMETER_FILES)}


def of_file(path: Path) -> str:
    return NAMES_OF_FILES[path]


@pytest.mark.parametrize("path", [*FILES, *PARAMETER_FILES], ids=of_file)
def test_a_file_parses_and_is_short(path: Path) -> None:
    assert parsed(path)
    assert len(path.read_text().splitlines()) <= LARGEST
    assert path.read_text().startswith("//"), "it says what it is for"


@pytest.mark.parametrize("path", FILES, ids=of_file)
def test_everything_that_is_declared_is_used(path: Path) -> None:
    file, text = parsed(path), bicep.code(path)
    # Modules and resources are used by being there; one that is only looked at must be looked at.
    declared = {*file.get("parameters", ()), *file.get("variables", ())}
    declared |= {name for name, row in file.get("resources", {}).items() if row["existing"]}
    assert {name for name in declared if len(re.findall(rf"(?<![\w.'-]){name}\b(?!')", text)) < 2} == set()


def test_every_module_is_used_with_its_own_parameters_and_every_output_is_read() -> None:
    used: dict[Path, set[str]] = {}
    for path in FILES:
        for name, module in parsed(path).get("modules", {}).items():
            target = bicep.module_path(path, module)
            inner, given = parsed(target), set(bicep.body(module["config"]).get("params", {}))
            takes = inner.get("parameters", {})
            required = {parameter for parameter, row in takes.items() if row["default"] is None}
            assert given <= set(takes), f"{path.name}: {name} has no such parameter"
            assert required <= given, f"{path.name}: {name} lacks a parameter"
            read = set(re.findall(rf"\b{name}!?\.outputs\.(\w+)", path.read_text()))
            assert read <= set(inner.get("outputs", {})), f"{path.name}: {name} has no such output"
            used.setdefault(target, set()).update(read)
    assert set(used) == set(FILES) - set(ENTRIES)
    assert {path.name: set(parsed(path).get("outputs", {})) - read for path, read in used.items()} == {
        path.name: set() for path in used
    }


@pytest.mark.parametrize("path", FILES, ids=of_file)
def test_every_parameter_and_output_is_described(path: Path) -> None:
    file = parsed(path)
    bare = [
        name
        for kind in ("parameters", "outputs")
        for name, row in file.get(kind, {}).items()
        if not any(d["type"] == "description" and len(d["argument"]) > 3 for d in row["decorators"])
    ]
    assert bare == []


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=of_file)
def test_a_parameter_file_gives_every_parameter_its_value(path: Path) -> None:
    takes = set(parsed(path.with_suffix(".bicep"))["parameters"])
    # Only the template can know which month it is.
    assert set(parsed(path)["variables"]) == takes - {"thisMonth"}


def test_a_parameter_file_has_the_defaults_of_the_template() -> None:
    path = bicep.FOLDER / "main.bicep"
    text = path.with_suffix(".bicepparam").read_text()
    differing = {}
    for name, row in parsed(path)["parameters"].items():
        found = re.search(rf"^param {name} = .*readEnvironmentVariable\('\w+', '([^']*)'\)", text, re.MULTILINE)
        default = row["default"]
        if found and default is not None and str(default).lower() != found[1].lower():
            differing[name] = (default, found[1])
    assert differing == {}


def test_the_defaults_are_what_the_modules_take() -> None:
    wrong = []
    for path in ENTRIES:
        defaults = {name: row["default"] for name, row in parsed(path)["parameters"].items()}
        for name, module in parsed(path)["modules"].items():
            takes = parsed(bicep.module_path(path, module))["parameters"]
            for parameter, given in bicep.body(module["config"])["params"].items():
                if not isinstance(given, str) or defaults.get(given) is None:
                    continue
                limits = {row["type"]: row.get("argument") for row in takes[parameter]["decorators"]}
                allowed = limits.get("allowed")
                within = defaults[given] in allowed if isinstance(allowed, list) else True
                within &= "min_value" not in limits or defaults[given] >= limits["min_value"]
                within &= "max_value" not in limits or defaults[given] <= limits["max_value"]
                wrong += [] if within or isinstance(defaults[given], list) else [f"{name}: {parameter}"]
    assert wrong == []


@pytest.mark.parametrize("resource", bicep.resources(), ids=str)
def test_a_resource_is_what_its_type_definition_says(resource: bicep.Resource) -> None:
    """Of what was looked up with `python -m tests.infra.facts`."""
    facts = KNOWN.get(resource.type)
    assert facts, "not looked up"
    if resource.existing:
        return
    named = bicep.symbols(resource.path)
    given = dict(resource.sets())
    for place, value in given.items():
        if place.split(".")[0].removesuffix("[]") in LEFT_TO_BICEP:
            continue
        assert place in facts["properties"], f"{place} was not looked up"
        allowed = facts["properties"][place]
        if isinstance(allowed, list) and isinstance(value, str) and value not in named:
            assert value in allowed, place
    for place, names in facts["required"].items():
        if place and place not in given:
            continue
        # A list or object that is made elsewhere (a parameter, a file) shows none of its parts here.
        if place and not any(other.startswith(f"{place}.") for other in given):
            continue
        lacking = [name for name in names if (f"{place}.{name}" if place else name) not in given]
        assert lacking == [], place


def test_nothing_was_looked_up_that_is_not_there() -> None:
    assert set(KNOWN) == {resource.type for resource in bicep.resources()}


def test_no_file_holds_a_secret_or_gives_one_away() -> None:
    for path in (*FILES, *PARAMETER_FILES):
        text = path.read_text()
        assert not re.search(r"listKeys|listSecrets|AccountKey=|SharedAccess|InstrumentationKey=", text), path.name
    for path in FILES:
        file = parsed(path)
        secret = {
            name for name, row in file["parameters"].items() if any(d["type"] == "secure" for d in row["decorators"])
        }
        assert {name for name in secret if file["parameters"][name]["default"]} == set()
        for row in file.get("outputs", {}).values():
            assert not any(re.search(rf"\b{name}\b", str(row["value"])) for name in secret)
        suspicious = {name for name in file["parameters"] if re.search(r"(?i)secret|password|token|key$", name)}
        assert suspicious - secret <= {"vaultSoftDeleteDays"}, path.name


def test_the_alerts_and_the_workbook_ask_for_metrics_of_one_name() -> None:
    alerts = json.loads((bicep.FOLDER / "alerts.json").read_text())
    workbook = (bicep.FOLDER / "workbook.json").read_text()
    asked = {name for row in alerts for name in re.findall(r"tenantry\.[a-z.]+", row["query"])}
    assert len(asked) == len(alerts)
    assert asked <= set(re.findall(r"tenantry\.[a-z.]+", workbook))
    assert set(re.findall(r"tenantry\.[a-z.]+", workbook)) == METRICS
    assert {row["name"] for row in alerts} == {"poll-late", "poison", "sink-failing", "secret-expiring"}
    for row in alerts:
        assert set(row) == {"name", "title", "description", "severity", "every", "over", "query"}
    over = {row["name"]: row["over"] for row in alerts}
    # Recorded once a day, never to the second: a window of a day is sometimes empty.
    assert over["secret-expiring"] == "P2D"
    assert "tostring(Properties.state) == 'read'" in next(row["query"] for row in alerts if row["name"] == "poll-late")
