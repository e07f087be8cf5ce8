"""The devices routes over the wire: one installation with two mapped clients, read by people of different scope."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from shared.devices.export import COLUMNS, to_csv
from tests.journeys.installation import Installation

VM = "Microsoft.Compute/virtualMachines"
PEOPLE = ("alice", "bob", "carol", "mallory")


@dataclass
class Clients:
    """Contoso and Fabrikam polled once; `people` drive the API by their names."""

    alice: Installation
    people: dict[str, Installation]
    tenants: dict[str, str]

    async def devices(self, **query: Any) -> list[dict[str, Any]]:
        return await self.alice.every("/devices", **query)

    async def a_machine(self) -> dict[str, Any]:
        return next(d for d in await self.devices(clientName="Contoso", type=VM) if d.get("powerState") == "running")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clients(host: Host, control: httpx.AsyncClient) -> AsyncIterator[Clients]:
    (await control.post("/reset", json={})).raise_for_status()
    await host.reset()

    async def settle(seconds: float = 30, *, delayed: bool = False) -> None:
        assert await host.settle(seconds, delayed=delayed)

    people = {}
    async with contextlib.AsyncExitStack() as stack:
        for name in PEOPLE:
            token = (await control.post("/tokens", json={"person": name})).json()["accessToken"]
            headers = {"Authorization": f"Bearer {token}"}
            made = httpx.AsyncClient(base_url=f"{host.url}/api", headers=headers, timeout=60)
            people[name] = Installation(host.url, await stack.enter_async_context(made), control, settle)
        alice = people["alice"]
        connection = await alice.connect()
        tenants = await alice.refresh()
        await alice.sync(tenants["Contoso"], tenants["Fabrikam"])
        for client in ("Contoso", "Fabrikam"):
            site = f"/sites/{client.lower()}-hq"
            (await alice.api.put(site, json={"clientName": client, "siteName": "HQ"})).raise_for_status()
            mapped = await alice.api.put(f"{site}/mapping", json={"tenantId": tenants[client]})
            mapped.raise_for_status()
        await alice.call("POST", f"/connections/{connection['id']}/complete")
        await alice.grant("bob", "contoso-hq")
        await alice.grant("carol", "contoso-hq", "fabrikam-hq")
        await alice.poll()
        yield Clients(alice, people, tenants)


async def test_the_list_is_every_resource_of_the_mapped_clients(clients: Clients) -> None:
    world = await clients.alice.world(resources="true")
    mapped = [t for t in world["tenants"] if t["name"] in ("Contoso", "Fabrikam")]
    expected = {r["id"] for t in mapped for s in t["subscriptions"] for r in s["resources"]}
    listed = await clients.devices()
    assert {device["resourceId"] for device in listed} == expected
    assert len({device["id"] for device in listed}) == len(expected)


async def test_a_device_says_where_it_stands(clients: Clients) -> None:
    device = await clients.a_machine()
    assert device["tenantName"] == "Contoso"
    assert device["siteId"] == "contoso-hq"
    assert device["typeName"] == "Virtual machine"
    assert device["portalUrl"].endswith(f"/resource{device['resourceId']}")
    assert device["portalUrl"].startswith("https://portal.azure.com/#@")
    assert device["lastRefreshed"].endswith("Z")
    assert set(device["actions"]) <= {"start", "stop", "restart", "pause", "resume"}
    # Whether a machine can hibernate, only Azure can tell.
    assert device["uncertainActions"] == ["pause"]
    assert device["actionLabels"]["pause"] == "Hibernate"


@pytest.mark.parametrize(
    "order", ["name", "name desc", "type", "status desc", "statusSince", "powerState", "clientName"]
)
async def test_pages_hold_every_device_once_in_any_order(clients: Clients, order: str) -> None:
    whole = await clients.devices(**{"$top": 1000, "$orderby": order})
    paged = await clients.devices(**{"$top": 7, "$orderby": order})
    assert [d["id"] for d in paged] == [d["id"] for d in whole]


async def test_sorting_by_name_ignores_case(clients: Clients) -> None:
    names = [d["name"].casefold() for d in await clients.devices()]
    assert names == sorted(names)


async def test_the_count_is_of_all_matches(clients: Clients) -> None:
    body = await clients.alice.call("GET", "/devices", params={"$top": 1, "$count": "true", "type": VM})
    assert len(body["value"]) == 1
    assert body["count"] == len(await clients.devices(type=VM))
    assert "nextLink" in body
    assert body["lastRefreshed"]


async def test_filters_are_joined_by_and_and_repeated_ones_by_or(clients: Clients) -> None:
    everything = await clients.devices()
    sample = next(d for d in everything if d["status"] == "available" and d["type"] == "Microsoft.Web/sites")
    names = ("clientName", "siteId", "tenantId", "subscriptionId", "resourceGroup", "type", "region", "status")
    for name in (*names, "powerState"):
        found = await clients.devices(**{name: sample[name]})
        assert [d["id"] for d in found] == [d["id"] for d in everything if d.get(name) == sample[name]], name
        if name not in ("siteId", "status"):
            assert await clients.devices(**{name: sample[name].upper()}) == found
    assert await clients.devices(clientName=["Contoso", "Fabrikam"]) == everything
    both = await clients.devices(clientName="Contoso", type=VM)
    assert both
    assert {(d["clientName"], d["type"]) for d in both} == {("Contoso", VM)}


async def test_search_finds_parts_of_names(clients: Clients) -> None:
    device = await clients.a_machine()
    part = device["name"][1:].upper()
    assert device["id"] in {d["id"] for d in await clients.devices(search=part)}
    assert {d["clientName"] for d in await clients.devices(search="fabri")} == {"Fabrikam"}
    assert await clients.devices(search="no such thing anywhere") == []


@pytest.mark.parametrize(
    "query",
    [
        {"statuss": "available"},
        {"status": "healthy"},
        {"$orderby": "tags"},
        {"$top": "0"},
        {"$top": "1001"},
        {"$skiptoken": "garbage"},
        {"search": "x" * 201},
        {"clientName": ""},
    ],
)
async def test_a_wrong_query_is_refused_and_named(clients: Clients, query: dict[str, str]) -> None:
    body = await clients.alice.call("GET", "/devices", 400, params=query)
    assert body["error"]["message"]


async def test_one_device_has_tags_and_history(clients: Clients) -> None:
    device = await clients.a_machine()
    body = await clients.alice.call("GET", f"/devices/{device['id']}")
    assert {name: body[name] for name in device} == device
    assert isinstance(body["tags"], dict)
    assert body["recommendedActions"] == []


@pytest.mark.parametrize("identifier", ["nope", "0" * 52, "a" * 128])
async def test_an_unknown_device_is_not_found(clients: Clients, identifier: str) -> None:
    for path in ("", "/history"):
        await clients.alice.call("GET", f"/devices/{identifier}{path}", 404)


async def test_changes_of_health_are_the_history_newest_first(clients: Clients) -> None:
    device = await clients.a_machine()
    for state in ("Unavailable", "Available", "Degraded", "Available"):
        await clients.alice.set_health(device["resourceId"], state)
        await clients.alice.poll()
    changes = await clients.alice.every(f"/devices/{device['id']}/history", **{"$top": 2})
    assert [c["after"] for c in changes[:4]] == ["available", "degraded", "available", "unavailable"]
    assert changes[3]["before"] == "available"
    counted = await clients.alice.call("GET", f"/devices/{device['id']}/history", params={"$count": "true"})
    assert counted["count"] == len(changes)
    await clients.alice.call("GET", f"/devices/{device['id']}/history", 400, params={"$orderby": "at"})


@pytest.mark.parametrize(
    "position", [[], [1], ["x"], ["change|x|1"], [None], ["{prefix}"], ["{prefix}1"], ["{good}", 1]]
)
async def test_a_position_that_no_history_gave_out_is_refused(clients: Clients, position: list[Any]) -> None:
    device = await clients.a_machine()
    prefix = f"change|{device['id']}|"
    good = f"{prefix}{1:015d}"
    for after, expect in ((position, 400), ([good], 200)):
        row = [p.format(prefix=prefix, good=good) if isinstance(p, str) else p for p in after]
        token = base64.urlsafe_b64encode(json.dumps(row).encode()).decode()
        await clients.alice.call("GET", f"/devices/{device['id']}/history", expect, params={"$skiptoken": token})


async def test_the_summary_counts_what_the_list_shows(clients: Clients) -> None:
    everything = await clients.devices()
    summary = await clients.alice.call("GET", "/devices/summary")
    assert summary["total"] == len(everything)
    for status, count in summary["byStatus"].items():
        assert count == sum(d["status"] == status for d in everything)
    assert {t["type"]: t["count"] for t in summary["byType"]}[VM] == sum(d["type"] == VM for d in everything)
    assert [c["clientName"] for c in summary["byClient"]] == ["Contoso", "Fabrikam"]
    regions = Counter(d["region"] for d in everything)
    assert summary["byRegion"] == [{"region": name, "count": regions[name]} for name in sorted(regions)]
    assert summary["failing"] == []


async def test_a_subscription_that_fails_stays_listed_and_is_named_in_the_summary(
    clients: Clients, control: httpx.AsyncClient
) -> None:
    before = await clients.devices()
    sample = await clients.a_machine()
    fault = {
        "service": "arm",
        "path": f"/subscriptions/{sample['subscriptionId']}",
        "status": 403,
        "body": {"error": {"code": "AuthorizationFailed", "message": "No."}},
        "times": 10,
    }
    (await control.post("/faults", json=fault)).raise_for_status()
    await clients.alice.poll()
    (await control.delete("/faults")).raise_for_status()
    [failing] = (await clients.alice.call("GET", "/devices/summary"))["failing"]
    assert failing["subscriptionId"] == sample["subscriptionId"]
    assert failing["code"] == "AuthorizationFailed"
    assert failing["fix"]
    assert failing["ageSeconds"] >= 0
    after = await clients.devices()
    assert [d["id"] for d in after] == [d["id"] for d in before]
    marked = {d["subscriptionId"] for d in after if "refreshError" in d}
    assert marked == {sample["subscriptionId"]}
    await clients.alice.poll()
    assert (await clients.alice.call("GET", "/devices/summary"))["failing"] == []


async def test_sites_limit_what_is_seen_and_outside_is_not_found(clients: Clients) -> None:
    bob, carol = clients.people["bob"], clients.people["carol"]
    assert {d["clientName"] for d in await bob.every("/devices")} == {"Contoso"}
    assert {d["clientName"] for d in await carol.every("/devices")} == {"Contoso", "Fabrikam"}
    assert await bob.every("/devices", clientName="Fabrikam") == []
    [other, *_] = await clients.devices(clientName="Fabrikam")
    for path in ("", "/history"):
        await bob.call("GET", f"/devices/{other['id']}{path}", 404)
    summary = await bob.call("GET", "/devices/summary")
    assert [c["clientName"] for c in summary["byClient"]] == ["Contoso"]
    await bob.call("POST", "/devices/refresh", 404, json={"tenantIds": [clients.tenants["Fabrikam"]]})


@pytest.mark.parametrize("path", ["/devices", "/devices/summary", "/devices/x", "/devices/x/history"])
async def test_who_has_no_role_gets_403_before_anything_is_looked_up(clients: Clients, path: str) -> None:
    await clients.people["mallory"].call("GET", path, 403)


async def test_a_refresh_is_an_operation_with_one_item_per_subscription(clients: Clients) -> None:
    bob = clients.people["bob"]
    answer = await bob.api.post("/devices/refresh", json={"tenantIds": [clients.tenants["Contoso"]], "reason": "Now"})
    assert answer.status_code == 202
    operation = answer.json()
    assert answer.headers["operation-location"].endswith(f"/operations/{operation['id']}")
    done = await bob.finished(operation)
    assert done["status"] == "succeeded", done
    subscriptions = {d["subscriptionId"] for d in await bob.every("/devices")}
    assert {item["target"] for item in done["items"]} == subscriptions
    audited = await clients.alice.every("/audit", target=operation["id"])
    assert [(e["action"], e["reason"]) for e in audited] == [("devices.refresh", "Now")]


async def test_an_export_is_a_csv_of_what_the_caller_sees(clients: Clients) -> None:
    bob = clients.people["bob"]
    body = {"type": VM, "columns": ["name", "status", "clientName"], "reason": "Report"}
    done = await bob.finished(await bob.call("POST", "/devices/export", 202, json=body))
    assert done["status"] == "succeeded", done
    answer = await bob.api.get(done["result"]["downloadUrl"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["Name", "Status", "Client"]
    expected = await bob.every("/devices", type=VM)
    assert rows[1:] == [[d["name"], d["status"], d["clientName"]] for d in expected]
    assert done["result"]["rows"] == len(expected)
    for person, status in (("carol", 404), ("mallory", 403), ("alice", 200)):
        other = await clients.people[person].api.get(done["result"]["downloadUrl"])
        assert other.status_code == status, person


async def test_an_export_without_a_body_takes_the_query_and_every_column(clients: Clients) -> None:
    alice = clients.alice
    started = await alice.call("POST", "/devices/export", 202, params={"clientName": "Fabrikam"})
    done = await alice.finished(started)
    answer = await alice.api.get(done["result"]["downloadUrl"])
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert {row["Client"] for row in rows} == {"Fabrikam"}
    assert list(rows[0]) == list(COLUMNS.values())


@pytest.mark.parametrize("body", [{"columns": ["secret"]}, {"statuss": "x"}, {"status": "healthy"}])
async def test_a_wrong_export_is_refused(clients: Clients, body: dict[str, Any]) -> None:
    await clients.alice.call("POST", "/devices/export", 400, json=body)


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)"],
)
def test_what_a_spreadsheet_takes_for_a_formula_is_disarmed(value: str) -> None:
    text = to_csv(["name"], [{"name": value}])
    [_, row] = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row == [f"'{value}"]


async def test_the_same_key_gives_the_first_refresh_again(clients: Clients) -> None:
    poster: Callable[..., Awaitable[httpx.Response]] = clients.alice.api.post
    headers = {"Idempotency-Key": "refresh-1"}
    first = await poster("/devices/refresh", headers=headers)
    again = await poster("/devices/refresh", headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    await clients.alice.finished(first.json())
