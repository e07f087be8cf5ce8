"""The capability tables: every row is well formed, every verb of every type is answered, and a no has its reason."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox.power import table
from sandbox.power.table import Action, PowerType
from shared import capabilities
from shared.capabilities import VERBS, Capability, model, requests
from shared.capabilities.compute import SCALE_SET, VIRTUAL_MACHINE
from shared.capabilities.model import OFF, ON

ROWS = capabilities.every()
FACTS = table.actions()
TYPES = sorted({row.type for row in ROWS})
WORDS = ON | OFF
STATES = (*sorted(WORDS), "starting", "stopping", "mixed", "unknown", None)
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/P/types/one"


def row_of(resource_type: str, verb: str) -> Capability:
    row = capabilities.find(resource_type, verb)
    assert row is not None
    return row


def test_every_type_and_action_that_azure_has_is_there() -> None:
    ours, facts = {(row.type, row.verb) for row in ROWS}, {(kind.type, action.verb) for kind, action in FACTS}
    assert sorted(facts - ours) == [], "facts in sandbox/power/actions.yaml without a row in shared/capabilities/"
    assert sorted(ours - facts) == [], "rows of shared/capabilities/ without facts in sandbox/power/actions.yaml"
    assert len(TYPES) >= 119
    assert len(ours) >= 260


@pytest.mark.parametrize("kind, action", [pytest.param(*one, id=f"{one[0].type}-{one[1].verb}") for one in FACTS])
def test_a_row_says_what_the_facts_say(kind: PowerType, action: Action) -> None:
    says_what_the_facts_say(row_of(kind.type, action.verb), kind, action)


SEEN_ELSEWHERE = {
    VIRTUAL_MACHINE: "the poll reads the power state in the machine's own view, a client reads it alone",
    "Microsoft.Compute/hostGroups/hosts": "its health is in its instance view; the facts only know that it is there",
}
"""Types whose run state the two tables read at different places, and why."""


def says_what_the_facts_say(row: Capability, kind: PowerType, action: Action) -> None:
    where = f"{kind.type} {action.verb}: the row in shared/capabilities/ and sandbox/power/actions.yaml differ in its "
    assert row.type == kind.type, f"{where}type"
    assert row.category == kind.category, f"{where}category"
    assert row.method == action.method, f"{where}method"
    assert row.operation == (action.operation or ""), f"{where}operation"
    assert row.api_version == action.version, f"{where}version"
    assert row.query == action.query, f"{where}query"
    assert row.rbac_action.lower() == action.rbac.lower(), f"{where}rbac"
    assert (row.ends == "followed") == action.long_running, f"{where}end: `poll` is there for what is followed, only"
    assert row.final_state_via == action.final, f"{where}final"
    assert ("Preview" in row.note) == kind.preview, f"{where}preview: it is in the note and `preview: true`"
    if kind.type in SEEN_ELSEWHERE:
        return
    assert row.state.path == kind.path, f"{where}state's path"
    assert row.state.request.removesuffix("!") == (kind.read or ""), f"{where}state's request (`read`)"
    named = {word.lower() for words in row.state.values.values() for word in words}
    for word in (kind.running, kind.stopped, action.after):
        assert word is None or str(word).lower() in named, f"{where}states: the row does not know {word}"


@pytest.mark.parametrize("kind", {kind.type: kind for kind, _ in FACTS}.values(), ids=lambda kind: kind.type)
def test_a_part_of_another_resource_is_in_no_list_of_a_subscription(kind: PowerType) -> None:
    assert not (kind.kind == "proxy" and kind.listed), f"{kind.type} in sandbox/power/actions.yaml needs listed: false"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.type} {row.verb}")
def test_a_row_is_well_formed(row: Capability) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+(\.[A-Z][A-Za-z]+)+(/[A-Za-z0-9]+)+", row.type)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d(-preview)?", row.api_version)
    assert re.fullmatch(r"[A-Z].*[.]", row.effect)
    assert re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*", row.label)
    assert "  " not in row.effect + row.confirmation + row.note
    assert row.confirmation == "" or re.fullmatch(r"[A-Z].*[.]", row.confirmation)
    assert re.fullmatch(r"[A-Z][\w.]+/[\w/]+/(action|write)", row.rbac_action, re.ASCII)
    assert row.rbac_action.lower().startswith(row.type.partition("/")[0].lower() + "/")
    assert row.method in ("POST", "PATCH", "PUT")
    assert (row.operation == "") == (row.method != "POST") == row.rbac_action.endswith("/write")
    assert (row.method == "PUT") <= bool(row.confirmation), "what is read and written back is asked for twice"
    assert row.final_state_via in (None, "location", "azure-async-operation")
    assert row.allowed_from <= WORDS, "a verb begins where a resource rests"
    assert row.ends_in == "" or row.ends_in in row.state.values
    assert row.allowed_from <= set(row.state.values), "a state that is never read allows nothing"
    assert row.allowed_from
    assert not (row.repeatable and row.verb == "restart")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.type} {row.verb}")
def test_each_row_makes_its_request(row: Capability) -> None:
    names = ["node-1"] if row.instances in ("one", "some") else []
    assert requests.missing(row, names) == ""
    sent = requests.action(row, RESOURCE, instances=names, resource={"properties": {"a": 1}}, hosts=["h"], kept=["k"])
    assert (sent.method, sent.path) == (row.method, f"{RESOURCE}/{row.operation}".rstrip("/"))
    assert sent.query == {**row.query, "api-version": row.api_version}
    assert not re.search(r"[{<][a-z]+[}>]", str(sent.body)), "every blank is filled"
    state = requests.state(row, RESOURCE)
    assert state.path.startswith(RESOURCE)
    assert state.query["api-version"] == row.state_api_version


@pytest.mark.parametrize("resource_type", TYPES)
def test_what_ends_a_state_is_offered_in_it_and_what_leads_to_it_is_not(resource_type: str) -> None:
    for row in ROWS:
        if row.type == resource_type and row.ends_in and row.ends_in not in row.allowed_from:
            refused = capabilities.refusal(resource_type, row.verb, row.ends_in)
            assert row.ends_in in refused
            assert row.label in refused


@pytest.mark.parametrize(
    "state, verbs",
    [
        # Hibernate is for those machines that have it on, which a list does not tell.
        ("running", ["stop", "restart"]),
        ("deallocated", ["start"]),
        ("stopped", ["start", "stop"]),
        ("hibernated", ["start", "resume"]),
        ("starting", []),
        ("deallocating", []),
        ("unknown", ["start", "stop", "resume", "restart"]),
        (None, ["start", "stop", "resume", "restart"]),
    ],
)
def test_a_machine_offers_what_its_power_state_allows(state: str | None, verbs: list[str]) -> None:
    assert capabilities.offered(VIRTUAL_MACHINE.upper(), state) == verbs


def test_stopping_a_machine_ends_its_bill() -> None:
    for kind in (VIRTUAL_MACHINE, SCALE_SET, f"{SCALE_SET}/virtualMachines"):
        stop = row_of(kind, "stop")
        assert (stop.operation, stop.ends_in) == ("deallocate", "deallocated")


def test_a_job_that_begins_anew_each_time_is_not_sent_twice() -> None:
    begun_twice = [row.type for row in ROWS if row.verb != "restart" and not row.repeatable]
    assert sorted(begun_twice) == [
        "Microsoft.App/jobs",
        "Microsoft.Chaos/experiments",
        "Microsoft.ContainerService/fleets/updateRuns",
        "Microsoft.StorageMover/storageMovers/projects/jobDefinitions",
        "Microsoft.VirtualMachineImages/imageTemplates",
    ]


@pytest.mark.parametrize(
    "resource_type, verb",
    [
        ("Microsoft.Network/azureFirewalls", "start"),
        ("Microsoft.Network/azureFirewalls", "stop"),
        ("Microsoft.DataMigration/services", "stop"),
        ("Microsoft.Chaos/experiments", "start"),
        ("Microsoft.Compute/virtualMachineScaleSets", "stop"),
        ("Microsoft.Compute/hostGroups/hosts", "restart"),
        ("Microsoft.Cache/redis", "restart"),
        ("Microsoft.Media/mediaservices/liveEvents", "restart"),
    ],
)
def test_what_is_dangerous_asks_first(resource_type: str, verb: str) -> None:
    assert row_of(resource_type, verb).needs_confirmation


def test_an_equivalent_carries_the_name_of_what_it_really_does() -> None:
    assert row_of(VIRTUAL_MACHINE, "pause").label == "Hibernate"
    assert row_of("Microsoft.Logic/workflows", "pause").label == "Disable"
    assert row_of("Microsoft.Chaos/experiments", "stop").label == "Cancel"
    assert row_of("Microsoft.App/jobs", "start").label == "Run once"


@given(st.sampled_from([*TYPES, "Microsoft.Storage/storageAccounts", "", "x"]), st.sampled_from(STATES))
def test_all_five_verbs_are_answered_and_a_no_has_a_reason(resource_type: str, state: str | None) -> None:
    answers = capabilities.answers(resource_type, state)
    assert [answer.verb for answer in answers] == list(VERBS)
    assert all(answer.available != bool(answer.reason) for answer in answers)
    rows = {verb: capabilities.find(resource_type, verb) for verb in VERBS}
    told_by_azure = {verb for verb, row in rows.items() if row and row.only}
    available = [a.verb for a in answers if a.available]
    assert capabilities.offered(resource_type, state) == [verb for verb in available if verb not in told_by_azure]


def test_a_list_offers_what_only_some_resources_of_a_type_have_when_it_knows_which() -> None:
    kind, pool, database = "Microsoft.Sql/servers/databases", *({"sku": {"tier": t}} for t in ("DataWarehouse", "S0"))
    assert [capabilities.offered(kind, "running", one) for one in (None, pool, database)] == [[], ["pause"], []]


def test_a_verb_that_exists_for_some_resources_of_a_type_is_refused_to_the_others() -> None:
    pool, database = {"sku": {"tier": "DataWarehouse"}}, {"sku": {"tier": "GeneralPurpose"}}
    assert capabilities.refusal("Microsoft.Sql/servers/databases", "pause", "running", pool) == ""
    assert "data warehouse" in capabilities.refusal("Microsoft.Sql/servers/databases", "pause", "running", database)
    assert "Hibernation" in capabilities.refusal(
        VIRTUAL_MACHINE,
        "pause",
        "running",
        {"properties": {"additionalCapabilities": {"hibernationEnabled": False}}},
    )


def test_the_example_in_the_documentation_is_complete() -> None:
    text = (Path(__file__).parents[2] / "docs/adding-a-resource-type.md").read_text()
    module, facts = (re.search(rf"```{name}\n(.*?)```", text, re.DOTALL) for name in ("python", "yaml"))
    assert module is not None
    assert facts is not None
    names: dict[str, Any] = {}
    exec(module[1], names)  # noqa: S102 - our own documentation
    made = [row for kind in model.described("contoso", names["TYPES"]) for row in model.rows(kind)]
    assert [(row.verb, sorted(row.allowed_from), row.ends_in) for row in made] == [
        ("start", ["stopped"], "running"),
        ("stop", ["running"], "stopped"),
        ("restart", ["running"], "running"),
        ("pause", ["enabled"], "disabled"),
        ("resume", ["disabled"], "enabled"),
    ]
    known = table.described(yaml.safe_load(facts[1]))
    assert {(row.type, row.verb) for row in made} == {(k.type, verb) for k in known.values() for verb in k.actions}
    for row in made:
        test_a_row_is_well_formed(row)
        test_each_row_makes_its_request(row)
        kind = known[row.type.lower()]
        says_what_the_facts_say(row, kind, kind.actions[row.verb])


WIDGETS = model.ResourceType(
    "Contoso.Example/widgets",
    "paas",
    "2026-01-01",
    model.power("properties.state", "Ready", "Stopped"),
    (model.Action("start", "start", "It runs."),),
)


def _with(row: Any, **wrong: Any) -> Any:
    """A row with what the types do not allow."""
    return replace(row, **wrong)


@pytest.mark.parametrize(
    "types, said",
    [
        (WIDGETS, "contoso.py: TYPES is no tuple"),
        ([WIDGETS], "contoso.py: TYPES is no tuple"),
        ((WIDGETS.actions[0],), "contoso.py: TYPES is no tuple"),
        ((_with(WIDGETS, actions=WIDGETS.actions[0]),), "contoso.py, Contoso.Example/widgets: it has no tuple"),
        ((_with(WIDGETS, state="properties.state"),), "contoso.py, Contoso.Example/widgets: its run state"),
        ((_with(WIDGETS, category="widget"),), "contoso.py, Contoso.Example/widgets: there is no category widget"),
        (
            (_with(WIDGETS, actions=(_with(WIDGETS.actions[0], verb="halt"),)),),
            "contoso.py, Contoso.Example/widgets: there is no verb halt",
        ),
        (
            (_with(WIDGETS, actions=(_with(WIDGETS.actions[0], ends="now"),)),),
            "contoso.py, Contoso.Example/widgets start: ends is one of followed",
        ),
        (
            (_with(WIDGETS, actions=(_with(WIDGETS.actions[0], allowed_from=("running",)),)),),
            "contoso.py, Contoso.Example/widgets start: allowed_from is written as frozenset",
        ),
    ],
)
def test_a_row_that_is_none_is_refused_by_file_and_type(types: object, said: str) -> None:
    assert model.described("contoso", (WIDGETS,)) == (WIDGETS,)
    with pytest.raises(TypeError, match=re.escape(f"shared/capabilities/{said}")):
        model.described("contoso", types)


FACT: dict[str, Any] = {
    "type": "Contoso.Example/widgets",
    "name": "Widget",
    "category": "paas",
    "kind": "tracked",
    "state": {"path": "properties.state", "running": "Ready"},
    "actions": {
        "start": {
            "method": "POST",
            "version": "2026-01-01",
            "first": 200,
            "accepts": [200],
            "rbac": "Contoso.Example/x",
        }
    },
}


@pytest.mark.parametrize(
    "rows, said",
    [
        ([{**FACT, "state": {"path": "properties.state"}}], "Contoso.Example/widgets: 'running' is missing"),
        ([{name: FACT[name] for name in FACT if name != "actions"}], "Contoso.Example/widgets: 'actions' is missing"),
        ([{name: FACT[name] for name in FACT if name != "category"}], "Contoso.Example/widgets: "),
        ([{name: FACT[name] for name in FACT if name != "type"}], "row 1: "),
        ([{**FACT, "prevew": True}], "Contoso.Example/widgets: "),
        ([FACT, FACT], "Contoso.Example/widgets: it is described twice"),
    ],
)
def test_a_fact_that_is_none_is_refused_by_file_and_type(rows: list[dict[str, Any]], said: str) -> None:
    assert list(table.described([deepcopy(FACT)])) == ["contoso.example/widgets"]
    with pytest.raises(ValueError, match=re.escape(f"sandbox/power/actions.yaml, {said}")):
        table.described([deepcopy(row) for row in rows])
