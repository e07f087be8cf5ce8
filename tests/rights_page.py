"""The tables of docs/azure-rights.md, made of the capability tables: `python -m tests.rights_page` writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared import capabilities

PAGE = Path(__file__).parent.parent / "docs" / "azure-rights.md"


def table() -> str:
    """A row per provider namespace; its permissions without the namespace."""
    rows = ["| namespace | permissions |", "|---|---|"]
    for namespace, actions in capabilities.rights().items():
        names = ", ".join(f"`{action.removeprefix(f'{namespace}/')}`" for action in actions)
        rows.append(f"| `{namespace}` | {names} |")
    return "\n".join(rows)


def role() -> str:
    """The custom role with all of them, as `az role definition create` takes it."""
    actions = [action for of_one in capabilities.rights().values() for action in of_one]
    definition = {
        "Name": "Tenantry Operator",
        "IsCustom": True,
        "Description": "Reads every resource, and starts, stops, pauses, resumes and restarts those that Tenantry can.",
        "Actions": ["*/read", *actions],
        "NotActions": [],
        "AssignableScopes": ["/subscriptions/<subscription id>"],
    }
    return json.dumps(definition, indent=2)


def written(page: str) -> str:
    """The page with both as they are now."""
    page = re.sub(r"\| namespace \|.*\|$", lambda _: table(), page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"```json\n.*?\n```", lambda _: f"```json\n{role()}\n```", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
