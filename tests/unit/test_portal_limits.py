"""The portal says which numbers of the alert policy are out of range before it sends them: as the API has it."""

from __future__ import annotations

import re
from pathlib import Path

from shared.incidents.policy import Override, Watchdog

RULES = Path(__file__).parents[2] / "portal/src/pages/policy/rules.ts"
LIMITS = re.compile(r"(\w+): \{ min: (\d+), max: (\d+)")


def test_the_portal_has_the_limits_of_the_api() -> None:
    schemas = [model.model_json_schema(by_alias=True)["properties"] for model in (Override, Watchdog)]
    wanted = {
        name: (field["minimum"], field["maximum"])
        for fields in schemas
        for name, field in fields.items()
        if field.get("type") == "integer"
    }
    found = {name: (int(low), int(high)) for name, low, high in LIMITS.findall(RULES.read_text())}
    assert found == wanted
