"""Run states out of what Azure answers, and requests out of rows: pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import capabilities
from shared.capabilities import requests
from shared.capabilities.compute import SCALE_SET, VIRTUAL_MACHINE
from tests.unit.test_capabilities import RESOURCE, ROWS, row_of

FIREWALL = "Microsoft.Network/azureFirewalls"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def state(resource_type: str, body: Any) -> str:
    row = capabilities.known(resource_type)
    assert row is not None
    return capabilities.state_of(row.state, body)


def codes(*names: str) -> dict[str, Any]:
    return {"properties": {"instanceView": {"statuses": [{"code": name} for name in names]}}}


def counts(**of: int) -> dict[str, Any]:
    rows = [{"code": f"PowerState/{name}", "count": count} for name, count in of.items()]
    return {"virtualMachine": {"statusesSummary": [{"code": "ProvisioningState/succeeded", "count": 3}, *rows]}}


@pytest.mark.parametrize(
    "resource_type, body, expected",
    [
        (VIRTUAL_MACHINE, codes("ProvisioningState/succeeded", "PowerState/running"), "running"),
        (VIRTUAL_MACHINE, codes("PowerState/deallocated", "HibernationState/Hibernated"), "hibernated"),
        (VIRTUAL_MACHINE, codes("PowerState/deallocating"), "deallocating"),
        (VIRTUAL_MACHINE, codes("ProvisioningState/succeeded"), "unknown"),
        (SCALE_SET, counts(running=3), "running"),
        (SCALE_SET, counts(running=2, deallocated=1), "mixed"),
        (SCALE_SET, counts(running=0, deallocated=3), "deallocated"),
        (SCALE_SET, counts(), "unknown"),
        ("Microsoft.Web/sites", {"properties": {"state": "Running"}}, "running"),
        ("microsoft.web/SITES", {"properties": {"State": "stopped"}}, "stopped"),
        ("Microsoft.DBforPostgreSQL/flexibleServers", {"properties": {"state": "Ready"}}, "running"),
        ("Microsoft.DBforPostgreSQL/flexibleServers", {"properties": {"state": "Restarting"}}, "restarting"),
        ("Microsoft.DBforPostgreSQL/flexibleServers", {"properties": {"state": "Dreaming"}}, "unknown"),
        ("Microsoft.AnalysisServices/servers", {"properties": {"state": "Succeeded"}}, "running"),
        ("Microsoft.AnalysisServices/servers", {"properties": {"state": "Paused"}}, "paused"),
        ("Microsoft.DocumentDB/cassandraClusters", {"properties": {"deallocated": True}}, "stopped"),
        ("Microsoft.DocumentDB/cassandraClusters", {"properties": {"deallocated": False}}, "running"),
        ("Microsoft.SignalRService/signalR", {"properties": {"resourceStopped": "true"}}, "stopped"),
        ("Microsoft.SignalRService/signalR", {"properties": {"resourceStopped": False}}, "running"),
        ("Microsoft.Insights/metricAlerts", {"properties": {"enabled": False}}, "disabled"),
        ("Microsoft.ComputeSchedule/scheduledActions", {"properties": {"disabled": False}}, "enabled"),
        (FIREWALL, {"properties": {"ipConfigurations": [{"id": "1"}]}}, "running"),
        (FIREWALL, {"properties": {"ipConfigurations": []}}, "stopped"),
        (FIREWALL, {"properties": {}}, "stopped"),
        (FIREWALL, {"properties": {"provisioningState": "Updating"}}, "updating"),
        ("Microsoft.Cache/redis", {"properties": {"provisioningState": "Succeeded"}}, "ready"),
        ("Microsoft.Cache/redis", {"properties": {"provisioningState": "Scaling"}}, "unknown"),
        ("Microsoft.Chaos/experiments", {"value": []}, "stopped"),
    ],
)
def test_azures_many_ways_to_tell_a_run_state_become_one(resource_type: str, body: Any, expected: str) -> None:
    assert state(resource_type, body) == expected


def test_a_cluster_that_shows_its_next_state_early_is_not_there_yet() -> None:
    properties = {"powerState": {"code": "Stopped"}, "provisioningState": "Stopping"}
    assert state("Microsoft.ContainerService/managedClusters", {"properties": properties}) == "stopping"
    properties["provisioningState"] = "Succeeded"
    assert state("Microsoft.ContainerService/managedClusters", {"properties": properties}) == "stopped"


def test_of_several_runs_the_newest_counts() -> None:
    runs = [("2026-01-02", "Running"), ("2026-01-03", "Success"), ("2026-01-01", "Failed")]
    body = {"value": [{"properties": {"startedAt": at, "status": status}} for at, status in runs]}
    assert state("Microsoft.Chaos/experiments", body) == "stopped"


@given(st.sampled_from(ROWS), JSON)
def test_no_answer_of_azure_breaks_the_reading(row: capabilities.Capability, body: Any) -> None:
    assert capabilities.state_of(row.state, body) != ""
    assert isinstance(capabilities.refusal(row.type, row.verb, "running", body), str)


@given(JSON, JSON)
def test_a_merge_patch_changes_neither_side_and_once_is_enough(target: Any, patch: Any) -> None:
    before = repr((target, patch))
    once = requests.merged(target, patch)
    assert requests.merged(once, patch) == once
    assert repr((target, patch)) == before


def test_a_firewall_is_written_back_without_its_addresses_and_then_with_them() -> None:
    stop, start = row_of(FIREWALL, "stop"), row_of(FIREWALL, "start")
    addresses = [{"name": "one", "properties": {"subnet": {"id": "s"}}}]
    firewall = {"location": "westeurope", "properties": {"sku": {"tier": "Standard"}, "ipConfigurations": addresses}}
    stopped = requests.action(stop, RESOURCE, resource=firewall).body
    assert stopped == {"location": "westeurope", "properties": {"sku": {"tier": "Standard"}}}
    assert firewall["properties"]["ipConfigurations"] == addresses  # type: ignore[index]
    assert requests.action(start, RESOURCE, resource=stopped, kept=addresses).body == firewall


def test_instances_go_where_their_type_wants_them() -> None:
    scale_set, nodes = row_of(SCALE_SET, "restart"), row_of("Microsoft.ServiceFabric/managedClusters/nodeTypes", "stop")
    assert requests.action(scale_set, RESOURCE).body is None
    assert requests.action(scale_set, RESOURCE, instances=["0"]).body == {"instanceIds": ["0"]}
    assert requests.action(nodes, RESOURCE, instances=["n_0", "n_1"]).body["nodes"] == ["n_0", "n_1"]
    appliance = row_of("Microsoft.Network/networkVirtualAppliances", "restart")
    assert requests.action(appliance, RESOURCE).body is None
    hadoop = row_of("Microsoft.HDInsight/clusters", "restart")
    assert requests.action(hadoop, RESOURCE, hosts=["a", "b"]).body == ["a", "b"]
    assert requests.action(hadoop, RESOURCE, hosts=["a", "b"], instances=["b"]).body == ["b"]


@pytest.mark.parametrize(
    "resource_type, verb, names",
    [
        ("Microsoft.NetworkCloud/kubernetesClusters", "restart", []),
        ("Microsoft.NetworkCloud/kubernetesClusters", "restart", ["a", "b"]),
        ("Microsoft.ServiceFabric/managedClusters/nodeTypes", "start", []),
        ("Microsoft.Web/sites", "restart", ["a"]),
    ],
)
def test_instances_that_do_not_fit_are_refused(resource_type: str, verb: str, names: list[str]) -> None:
    assert "instances" in requests.missing(row_of(resource_type, verb), names)
