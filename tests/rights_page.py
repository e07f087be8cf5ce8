"""The tables of docs/azure-rights.md, made from the capability tables: `python -m tests.rights_page` prints them."""

from __future__ import annotations

import json
import sys

from shared import capabilities


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


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n\n```json\n{role()}\n```\n")
