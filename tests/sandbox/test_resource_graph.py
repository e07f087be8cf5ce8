"""Resource Graph: tables, the small part of KQL, paging that needs the id, quota."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from sandbox.azure_types import VM
from sandbox.server import Sandbox
from tests.sandbox.azure import SCOPE, Azure

PATH = "/providers/Microsoft.ResourceGraph/resources"


@pytest_asyncio.fixture
async def azure(sandbox: Sandbox) -> AsyncIterator[Azure]:
    async with Azure(sandbox) as azure:
        yield azure


async def ask(
    azure: Azure, query: str, options: dict[str, Any] | None = None, version: str = "2021-03-01"
) -> httpx.Response:
    return await azure.send("POST", PATH, version=version, json={"query": query, "options": options or {}})


async def data(azure: Azure, query: str) -> list[dict[str, Any]]:
    reply = await ask(azure, query, {"$top": 1000})
    assert reply.status_code == 200, reply.text
    rows: list[dict[str, Any]] = reply.json()["data"]
    return rows


async def test_the_sdk_pages_by_skip_token(azure: Azure) -> None:
    client = await azure.graph()
    found: list[str] = []
    options = QueryRequestOptions(top=10)
    while True:
        request = QueryRequest(
            subscriptions=[azure.subscription.id], query="Resources | order by id asc", options=options
        )
        page = await client.resources(request)
        rows: Any = page.data
        found += [row["id"] for row in rows]
        assert page.total_records == len(azure.subscription.resources)
        assert page.result_truncated == "false"
        if page.skip_token is None:
            break
        options = QueryRequestOptions(top=10, skip_token=page.skip_token)
    assert found == sorted((row.id for row in azure.subscription.resources.values()), key=str.lower)


async def test_a_projection_without_id_is_cut_in_silence(azure: Azure) -> None:
    body = (await ask(azure, "Resources | project name", {"$top": 5})).json()
    assert (body["count"], body["resultTruncated"]) == (5, "true")
    assert "$skipToken" not in body
    body = (await ask(azure, "Resources | project name, id", {"$top": 5})).json()
    assert body["resultTruncated"] == "false"
    assert body["$skipToken"]


async def test_a_limit_in_the_query_ends_paging(azure: Azure) -> None:
    body = (await ask(azure, "Resources | limit 7", {"$top": 5})).json()
    assert (body["totalRecords"], body["count"]) == (7, 5)
    assert "$skipToken" not in body


async def test_rows_are_those_of_all_readable_subscriptions(azure: Azure) -> None:
    rows = await data(azure, "Resources | project id, subscriptionId, tenantId")
    assert {row["subscriptionId"] for row in rows} == set(azure.contoso.subscription_ids)
    assert {row["tenantId"] for row in rows} == {azure.contoso.id}


async def test_types_are_lower_case_and_compared_as_written(azure: Azure) -> None:
    scope = f"Resources | where subscriptionId == '{azure.subscription.id}' "
    assert len(await data(azure, f"{scope}| where type =~ '{VM}'")) == len(azure.machines)
    assert await data(azure, f"{scope}| where type == '{VM}'") == []
    assert len(await data(azure, f"{scope}| where type == '{VM.lower()}' | project id")) == len(azure.machines)


async def test_machines_tell_their_power_state(azure: Azure) -> None:
    machine = azure.machines[0]
    machine.power = "deallocated"
    azure.subscription.version += 1
    path = "properties.extended.instanceView.powerState.code"
    rows = await data(
        azure, f"Resources | where {path} =~ 'PowerState/deallocated' | project id, power = tostring({path})"
    )
    assert {"id": machine.id, "power": "PowerState/deallocated"} in rows


async def test_healthresources_has_machines_only_and_two_r(azure: Azure) -> None:
    rows = await data(
        azure,
        "HealthResources | where type =~ 'microsoft.resourcehealth/availabilitystatuses' "
        f"and subscriptionId == '{azure.subscription.id}' | extend state = tostring(properties.availabilityState)",
    )
    assert {row["properties"]["targetResourceId"] for row in rows} == {machine.id for machine in azure.machines}
    assert all("occurredTime" in row["properties"] for row in rows)
    assert "Available" in {row["state"] for row in rows}


async def test_resourcecontainers_has_subscriptions_and_groups(azure: Azure) -> None:
    rows = await data(
        azure, "ResourceContainers | where type == 'microsoft.resources/subscriptions' | project id, name"
    )
    assert {row["id"] for row in rows} == {f"/subscriptions/{one}" for one in azure.contoso.subscription_ids}
    groups = await data(azure, "ResourceContainers | where type endswith '/resourcegroups' | project id")
    assert groups


@pytest.mark.parametrize(
    "condition,kept",
    [
        ("name startswith 'vm-'", lambda r: r.name.startswith("vm-")),
        ("name contains 'WEB' and location != 'nowhere'", lambda r: "web" in r.name),
        (
            "type in~ ('Microsoft.KeyVault/vaults', \"microsoft.web/sites\")",
            lambda r: r.type.split("/")[1] in ("vaults", "sites") and "Recovery" not in r.type,
        ),
        ("type !in~ ('microsoft.compute/virtualmachines')", lambda r: r.type != VM),
        ("isnotempty(kind)", lambda r: bool(r.kind)),
        ("tags['environment'] == 'test'", lambda r: r.tags["environment"] == "test"),
        ("tolower(name) has 'web'", lambda r: "web" in r.name.replace("/", "-").split("-")),
    ],
)
async def test_conditions(azure: Azure, condition: str, kept: Any) -> None:
    rows = await data(
        azure, f"Resources | where subscriptionId == '{azure.subscription.id}' | where {condition} | project id"
    )
    assert {row["id"] for row in rows} == {r.id for r in azure.subscription.resources.values() if kept(r)}


async def test_counting(azure: Azure) -> None:
    scope = f"Resources | where subscriptionId == '{azure.subscription.id}' "
    assert await data(azure, f"{scope}| count") == [{"Count": len(azure.subscription.resources)}]
    assert await data(azure, f"{scope}| summarize count()") == [{"count_": len(azure.subscription.resources)}]
    rows = {row["type"]: row["n"] for row in await data(azure, f"{scope}| summarize n = count() by type")}
    assert rows[VM.lower()] == len(azure.machines)


async def test_old_versions_and_the_table_format_give_columns(azure: Azure) -> None:
    for reply in (
        await ask(azure, "Resources | project id, tags | take 2", version="2019-04-01"),
        await ask(azure, "Resources | project id, tags | take 2", {"resultFormat": "table"}),
    ):
        table = reply.json()["data"]
        assert [column["name"] for column in table["columns"]] == ["id", "tags"]
        assert len(table["rows"]) == 2


@pytest.mark.parametrize(
    "query", ["Nonsense | take 1", "Resources | join x", "Resources | where name like 'x'", "Resources | project f(x)"]
)
async def test_what_is_not_understood_is_refused(azure: Azure, query: str) -> None:
    client = await azure.graph()
    with pytest.raises(HttpResponseError) as caught:
        await client.resources(QueryRequest(query=query))
    assert caught.value.status_code == 400
    reply = await ask(azure, query)
    assert [row["code"] for row in reply.json()["error"]["details"]] == ["InvalidQuery", "ParserFailure"]


async def test_options_out_of_range_are_refused(azure: Azure) -> None:
    assert (await ask(azure, "Resources", {"$top": 5000})).json()["error"]["details"][1]["code"] == "InvalidTop"
    reply = await ask(azure, "Resources", {"$skipToken": "%%%"})
    assert reply.json()["error"]["details"][1]["code"] == "InvalidSkipToken"


async def test_subscriptions_without_a_role_are_refused(azure: Azure) -> None:
    body = {"query": "Resources", "subscriptions": [azure.world.partner.subscription_ids[0]]}
    reply = await azure.send("POST", PATH, version="2021-03-01", json=body)
    assert reply.status_code == 403
    assert reply.json()["error"]["details"][0]["code"] == "AccessDenied"


async def test_the_quota_of_queries_ends(azure: Azure) -> None:
    azure.world.behaviour.throttling = True
    await azure.credential.get_token(SCOPE)
    replies = await asyncio.gather(*(ask(azure, "Resources | take 1") for _ in range(40)))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert refused
    assert refused[0].json()["error"]["code"] == "RateLimiting"
    assert refused[0].headers["x-ms-user-quota-remaining"] == "0"
    assert refused[0].headers["x-ms-user-quota-resets-after"].startswith("00:00:")
