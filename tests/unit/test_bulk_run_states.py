"""Run states in bulk: the query follows from the rows, and its answer tells what the whole resource would."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox import kql
from sandbox.power import table
from shared import capabilities
from shared.capabilities import run_state
from shared.health import run_states
from tests.unit.test_run_state import JSON

QUERY = run_states.query()
NAMED = set(re.findall(r"'([^']+)'", QUERY))
MEANT = [row for row in table.load().values() if row.type.lower() in NAMED]


def test_every_type_whose_resources_tell_their_own_state_is_asked_for_and_no_other() -> None:
    told_apart = {"microsoft.compute/virtualmachines", "microsoft.compute/hostgroups/hosts"}
    assert {name for name, row in table.load().items() if row.read is None} - told_apart == NAMED


def test_the_query_names_plain_columns_and_can_be_paged() -> None:
    columns = QUERY.split("| project id, type, ")[1].removesuffix(" | order by id asc").split(", ")
    assert all(re.fullmatch(r"[A-Za-z_]+ = [A-Za-z]+(\.[A-Za-z]+)+", column) for column in columns)
    assert len({column.partition(" = ")[0] for column in columns}) == len(columns)
    assert kql.parse(QUERY).keeps_id


def shown(value: Any, path: str) -> Any:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def merged(one: Any, other: Any) -> Any:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {**one, **{name: merged(one.get(name), value) for name, value in other.items()}}


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    """A resource of one of the types, with something at each place that its state is read from."""
    row = draw(st.sampled_from(MEANT))
    known = capabilities.known(row.type)
    assert known is not None
    words = [value for values in known.state.values.values() for value in values]
    resource: dict[str, Any] = {"id": f"/X/{row.type}", "type": row.type.lower(), "properties": {"other": 1}}
    for path in run_state.paths(known.state):
        value = draw(st.sampled_from([*words, *known.state.passing, *known.state.settled[1:], True, False]) | JSON)
        resource = merged(resource, shown(value, path))
    return resource


@given(st.lists(resources(), max_size=4))
def test_the_answer_tells_what_the_whole_resource_would(found: list[dict[str, Any]]) -> None:
    expected = {}
    for resource in found:
        row = capabilities.known(resource["type"])
        assert row is not None
        expected[resource["id"].lower()] = capabilities.state_of(row.state, resource)
    assert run_states.of_rows(kql.parse(QUERY).run(found)) == expected


@given(st.lists(st.dictionaries(st.sampled_from(["id", "type", "properties_state"]), JSON)))
def test_no_row_breaks_the_reading(rows: list[dict[str, Any]]) -> None:
    assert run_states.of_rows([*rows, {"id": "/A", "type": "Microsoft.Web/SITES", "properties_state": "Stopped"}])
