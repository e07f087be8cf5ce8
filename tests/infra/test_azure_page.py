"""docs/azure.md says what is there: the estimate, the host's settings, parameters, roles."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
from croniter import croniter

from bench import cost
from functions import timers
from tests.infra import bicep
from tests.infra.test_truth import CALLS, HOST, covered

PAGE = (bicep.ROOT / "docs" / "azure.md").read_text()


def section(title: str) -> str:
    """The text below a heading, up to the next of the same level."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def test_the_estimate_is_what_was_counted_times_the_prices() -> None:
    counts = json.loads(cost.COUNTS.read_text())
    assert cost.table(counts) in section("What a month costs")


def test_more_tenants_cost_more_and_the_free_grants_are_no_income() -> None:
    counts = json.loads(cost.COUNTS.read_text())
    bills = [sum(cost.bill(cost.usage(counts, tenants)).values()) for tenants in cost.TENANTS]
    assert bills == sorted(bills)
    assert cost.bill(cost.usage(counts, 0))["Logs and metrics"] == 0
    assert cost.at({"10": {"a": {"b": 4}}, "30": {"a": {"b": 12}}}, "a", "b", 100) == 40


def test_the_estimate_counts_every_timer_as_often_as_it_runs() -> None:
    host = func.FunctionApp()
    host.register_functions(timers.blueprint)
    triggers = {row.get_function_name(): row.get_trigger() for row in host.get_functions()}
    schedules = {name: trigger.get_dict_repr()["schedule"] for name, trigger in triggers.items() if trigger}
    midnight = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(seconds=1)
    runs = {}
    for name, cron in schedules.items():
        seconds, *rest = str(cron).split()
        times = croniter(" ".join([*rest, seconds]), midnight, ret_type=datetime)
        runs[name] = len(list(itertools.takewhile(lambda at: at <= midnight + timedelta(days=1), times)))
    assert {"poll": runs.pop("poll_resource_health"), **runs} == cost.RUNS


def test_the_page_says_what_host_json_has() -> None:
    host: dict[str, Any] = json.loads((bicep.ROOT / "host.json").read_text())
    values = host["extensions"]["queues"] | {"functionTimeout": host["functionTimeout"]}
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", section("host.json"), re.MULTILINE))
    assert rows == {name: str(value) for name, value in values.items()}
    operations = (bicep.ROOT / "docs" / "operations.md").read_text()
    assert values["maxPollingInterval"] == "00:00:01"
    assert "asked every second (`maxPollingInterval`" in operations
    assert values["maxDequeueCount"] == 5
    assert "failed five times" in operations


def test_every_parameter_is_described_with_its_variable_and_default() -> None:
    text = (bicep.FOLDER / "main.bicepparam").read_text()
    variables = dict(re.findall(r"^param \w+ = .*?readEnvironmentVariable\('(\w+)', '?([^')]*)", text, re.MULTILINE))
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*?) \|", section("Parameters"), re.MULTILINE))
    assert set(rows) == set(variables) - {"AZURE_ENV_NAME", "AZURE_LOCATION"}
    for name, default in rows.items():
        if default.startswith("`"):
            assert default == f"`{variables[name]}`", name


def test_every_role_is_explained() -> None:
    rows = set(re.findall(r"^\| \*([^*]+)\* \|", section("What the identity may do"), re.MULTILINE))
    assert rows == set(CALLS) | set(HOST)


def test_the_roles_that_clients_give_are_listed_with_what_each_is_good_for() -> None:
    document = json.loads((bicep.FOLDER / "client" / "roles.json").read_text())
    rows = dict(re.findall(r"^\| \*([^*]+)\* \| (\d+) \|", section("The client's side"), re.MULTILINE))
    assert rows == {row["name"]: str(len(covered(row["name"]))) for row in document["onDemand"]}
