"""Looks up what the Bicep files name in Microsoft's own type definitions, and writes it into facts.json.

Resource types, API versions, properties and allowed values: the tests hold the files against them.

`python -m tests.infra.facts <Azure/bicep-types-az> <microsoftgraph/msgraph-bicep-types>`, each the git directory of a
clone. It fails on anything that is not there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from tests.infra import bicep

FACTS = Path(__file__).with_name("facts.json")
REQUIRED, READ_ONLY = 1, 2
LEFT_TO_BICEP = {"name", "parent", "scope", "dependsOn", "location", "tags"}
"""Bicep's own, or of every resource."""


def git(clone: str, *arguments: str) -> str:
    """What a git command prints."""
    command = ["git", "-C", clone, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@cache
def listing(clone: str) -> list[str]:
    """Every file of types."""
    names = git(clone, "ls-tree", "-r", "--name-only", "HEAD", "generated").split()
    return [name for name in names if name.endswith("/types.json")]


class Types:
    """The types of one file."""

    def __init__(self, text: str) -> None:
        self.rows: list[dict[str, Any]] = json.loads(text)

    def resource(self, name: str) -> dict[str, Any] | None:
        """The body of a resource type."""
        for row in self.rows:
            if row["$type"] == "ResourceType" and row["name"].lower() == name.lower():
                return self.at(row["body"])
        return None

    def at(self, reference: dict[str, str]) -> dict[str, Any]:
        """The type that a reference names."""
        return self.rows[int(reference["$ref"].removeprefix("#/"))]

    def step(self, kind: dict[str, Any], part: str, values: dict[str, Any]) -> dict[str, Any] | None:
        """The type of a property (or `[]`, an item) of a type; None when it has none, or it cannot be set."""
        if part == "[]":
            return self.at(kind["itemType"]) if kind["$type"] == "ArrayType" else None
        if kind["$type"] == "AnyType":
            return kind
        properties = dict(kind.get("properties") or kind.get("baseProperties") or {})
        if kind["$type"] == "DiscriminatedObjectType":
            properties |= self.at(kind["elements"][values[kind["discriminator"]]])["properties"]
        if part in properties:
            found = properties[part]
            return None if found["flags"] & READ_ONLY else self.at(found["type"])
        return self.at(kind["additionalProperties"]) if "additionalProperties" in kind else None

    def required(self, kind: dict[str, Any]) -> list[str]:
        """The properties of an object that must be set."""
        rows = (kind.get("properties") or kind.get("baseProperties") or {}).items()
        names = [name for name, row in rows if row["flags"] & REQUIRED and not row["flags"] & READ_ONLY]
        return sorted(set(names) - LEFT_TO_BICEP)

    def describe(self, kind: dict[str, Any]) -> Any:
        """`string`, `object` and so on, or the list of values that are allowed."""
        if kind["$type"] == "StringLiteralType":
            return [kind["value"]]
        if kind["$type"] == "UnionType":
            parts = [self.at(part) for part in kind["elements"]]
            literals = sorted(part["value"] for part in parts if part["$type"] == "StringLiteralType")
            return literals if len(literals) == len(parts) else "string"
        names = {"DiscriminatedObjectType": "object", "IntegerType": "int", "BooleanType": "bool"}
        return names.get(kind["$type"], kind["$type"].removesuffix("Type").lower())


def find(clone: str, name: str) -> tuple[str, Types]:
    """The file that defines a resource type, and its types. Raises LookupError."""
    kind, version = name.lower().split("@")
    provider = kind.split("/")[0]
    places = [f"/{provider}/{version}/types.json", f"/{provider}/{version}/1.0.0/types.json"]
    for file in listing(clone):
        if any(file.endswith(place) for place in places):
            types = Types(git(clone, "show", f"HEAD:{file}"))
            if types.resource(name):
                return file, types
    raise LookupError(f"{name} is not defined")


def facts(resource: bicep.Resource, types: Types) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What is true of the properties that a resource sets: their types, and what their objects require."""
    start = types.resource(resource.type)
    assert start is not None
    described: dict[str, Any] = {}
    required: dict[str, list[str]] = {} if resource.existing else {"": types.required(start)}
    for place, _ in resource.sets():
        if resource.existing or place.split(".")[0].removesuffix("[]") in LEFT_TO_BICEP:
            continue
        kind: dict[str, Any] | None = start
        for part in place.replace("[]", ".[]").split("."):
            kind = types.step(kind, part, resource.config) if kind else None
        if kind is None:
            raise LookupError(f"{resource}: {resource.type} takes no {place}")
        described[place] = types.describe(kind)
        if kind["$type"] in ("ObjectType", "DiscriminatedObjectType") and types.required(kind):
            required[place] = types.required(kind)
    return described, required


def main() -> None:
    """Write facts.json. Exits with what is wrong."""
    azure, graph = sys.argv[1:]
    known: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    for resource in bicep.resources():
        try:
            file, types = find(graph if resource.type.startswith("Microsoft.Graph/") else azure, resource.type)
            described, required = facts(resource, types)
        except LookupError as error:
            wrong.append(str(error))
            continue
        row = known.setdefault(resource.type, {"file": file, "properties": {}, "required": {}})
        row["properties"] |= described
        row["required"] |= required
    if wrong:
        sys.exit("\n".join(wrong))
    source = {
        "Azure/bicep-types-az": git(azure, "rev-parse", "HEAD").strip(),
        "microsoftgraph/msgraph-bicep-types": git(graph, "rev-parse", "HEAD").strip(),
    }
    FACTS.write_text(json.dumps({"source": source, "resources": known}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
