"""Reads the Bicep files: what pycep parses, and what of it a resource sets.

pycep gives literals and names alike as plain text, so a value that is a declared name is not taken for a literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pycep

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "bicep"
FILES = sorted(FOLDER.rglob("*.bicep"))
PARAMETER_FILES = sorted(FOLDER.rglob("*.bicepparam"))


@cache
def parsed(path: Path) -> dict[str, Any]:
    """A file as pycep sees it. pycep does not know parameter files: `using` is left out and `param` read as `var`."""
    text = path.read_text()
    if path.suffix == ".bicepparam":
        text = re.sub(r"^using .*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"^param ", "var ", text, flags=re.MULTILINE)
    return dict(pycep.BicepParser().parse(text=text))


def symbols(path: Path) -> set[str]:
    """Every name that a file declares."""
    file = parsed(path)
    return {name for kind in ("parameters", "variables", "resources", "modules") for name in file.get(kind, ())}


def code(path: Path) -> str:
    """The text without comments and descriptions."""
    text = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
    return re.sub(r"^@\w+\(.*?^(?=param|output|@)", "", text, flags=re.MULTILINE | re.DOTALL)


def module_path(path: Path, module: dict[str, Any]) -> Path:
    """The file that a module is."""
    return (path.parent / str(module["detail"]["path"])).resolve()


def body(config: dict[str, Any]) -> dict[str, Any]:
    """What a resource or module sets, without its condition and loop."""
    while "config" in config:
        config = config["config"]
    return config


@dataclass(frozen=True)
class Resource:
    """A resource of a file."""

    path: Path
    name: str
    type: str
    existing: bool
    config: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.path.relative_to(FOLDER)}: {self.name}"

    def sets(self) -> Iterator[tuple[str, Any]]:
        """Every property it sets, as `properties.sku.name` and `[]` for the items of a list, with its value."""
        yield from _within("", self.config)


def resources(paths: list[Path] | None = None) -> list[Resource]:
    """The resources of some files, or of all."""
    return [
        Resource(path, name, f"{row['type']}@{row['api_version']}", row["existing"], body(row["config"]))
        for path in (FILES if paths is None else paths)
        for name, row in parsed(path).get("resources", {}).items()
    ]


def _within(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What is set at a place and below it."""
    if isinstance(value, dict) and not _is_expression(value):
        if place:
            yield place, None
        for name, item in value.items():
            inner = str(name).strip("'")
            yield from _within(f"{place}.{inner}" if place else inner, item)
        return
    yield place, None if isinstance(value, dict | list) else value
    for inner, item in _choices(place, value):
        yield from _within(inner, item)


def _is_expression(value: dict[str, Any]) -> bool:
    return set(value) in ({"operator"}, {"function"}) or "loop_type" in value


def _choices(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What an expression may come to, as far as it is written there."""
    if isinstance(value, list):
        yield from ((f"{place}[]", item) for item in value)
    elif isinstance(value, dict) and "loop_type" in value:
        yield f"{place}[]", body(value)
    elif isinstance(value, dict) and "function" in value and value["function"]["type"] == "union":
        yield from ((place, part) for part in value["function"]["parameters"].values() if isinstance(part, dict))
    elif isinstance(value, dict) and "operator" in value:
        operands = value["operator"]["operands"]
        if "condition" in operands:
            yield place, operands["true_value"]
            yield place, operands["false_value"]
        # `a == b ? c : d` is read as `a == (b ? c : d)`.
        elif "condition" in str(operands.get("operand_2")):
            yield place, operands["operand_2"]
