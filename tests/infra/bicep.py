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
    found: dict[str, Any] = pycep.BicepParser().parse(text=text)
    return found


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
    if isinstance(value, list):
        for item in value:
            yield from _within(f"{place}[]", item)
    elif not isinstance(value, dict):
        if place:
            yield place, value
    elif set(value) == {"operator"}:
        operands = value["operator"]["operands"]
        yield place, None
        for name in ("true_value", "false_value"):
            if name in operands:
                yield from _within(place, operands[name])
        # `a == b ? c : d` is read as `a == (b ? c : d)`.
        if isinstance(operands.get("operand_2"), dict) and "condition" in str(operands["operand_2"]):
            yield from _within(place, operands["operand_2"])
    elif set(value) == {"function"}:
        yield place, None
        if value["function"]["type"] == "union":
            for argument in value["function"]["parameters"].values():
                if isinstance(argument, dict):
                    yield from _within(place, argument)
    elif "loop_type" in value:
        yield from _within(f"{place}[]", body(value))
    else:
        if place:
            yield place, None
        for name, item in value.items():
            inner = name.strip("'")
            yield from _within(f"{place}.{inner}" if place else inner, item)
