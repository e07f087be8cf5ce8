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


def test_a_client_needs_nothing_but_its_folder() -> None:
    folder = bicep.FOLDER / "client"
    assert "cp -r infra/bicep/client " in section("The client's side")
    for path in folder.rglob("*.bicep*"):
        named = re.findall(r"(?:loadJsonContent\(|^module \w+ |^using )'([^']+)'", path.read_text(), re.MULTILINE)
        for name in named:
            file = (path.parent / name).resolve()
            assert file.is_file(), name
            assert file.is_relative_to(folder), name


def test_taking_it_down_goes_through_the_runbook_once() -> None:
    operations = (bicep.ROOT / "docs" / "operations.md").read_text()
    runbook = operations.split("### Take it down, and prove that nothing is left")[1]
    steps = dict(re.findall(r"^(\d+)\. \*\*([^*]+?)[.*:]*\*\*", runbook, re.MULTILINE))
    down = section("Take it down")
    assert "steps 1 to 8 of [take it down" in down
    assert (steps["8"], steps["9"], steps["10"]) == ("Keep the log", "Delete what runs", "Delete the registrations")
    # By what Microsoft Graph can delete: neither page by a unique name; the multi-tenant one is the last of both.
    assert "uniqueName" not in down
    ids = r"<?(\w+)_CLIENT_ID>?"
    assert re.findall(ids, down.split("for id in")[1].split(";")[0]) == ["PORTAL", "API", "PARTNER"]
    assert re.findall(ids, runbook.split("**Delete the registrations**")[1])[:3] == ["PORTAL", "API", "PARTNER"]
    noted = re.findall(r"`(\w+_CLIENT_ID)`", runbook.split("\n2. ")[0])
    assert noted == ["API_CLIENT_ID", "PORTAL_CLIENT_ID", "PARTNER_CLIENT_ID"]


def test_a_new_version_brings_its_settings_and_roles() -> None:
    for page in [bicep.ROOT / "README.md", *(bicep.ROOT / "docs").rglob("*.md")]:
        assert "azd deploy" not in page.read_text(), page.name
    assert "\n$ azd up\n" in (bicep.ROOT / "docs" / "upgrade.md").read_text()


def test_the_pipelines_and_the_page_name_the_same_variables() -> None:
    named = set(re.findall(r"`([A-Z_]+_[A-Z_]+)`", section("From a pipeline"))) - {"USE_GRAPH_EXTENSION"}
    workflow = (bicep.ROOT / ".github" / "workflows" / "deploy.yml").read_text().split("\nname:")[0]
    assert named == set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", workflow))


def test_the_page_asks_for_the_node_that_builds_the_portal() -> None:
    lock = json.loads((bicep.ROOT / "portal" / "package-lock.json").read_text())
    asked = re.search(r"Node\.js ([\d.]+) or newer", section("What you need"))
    assert asked
    assert f">={asked[1]}.0" in lock["packages"]["node_modules/vite"]["engines"]["node"]


def test_the_page_calls_buttons_what_the_portal_calls_them() -> None:
    pages = bicep.ROOT / "portal" / "src" / "pages"
    for button, file in (
        ("Refresh customers", "tenants/TenantsPage.tsx"),
        ("Complete setup", "connections/steps/ConfirmStep.tsx"),
    ):
        assert f"*{button}*" in PAGE
        assert f'"{button}"' in (pages / file).read_text()
