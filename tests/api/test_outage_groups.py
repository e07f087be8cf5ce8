"""Devices that fall together share one ticket per client, over the wire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox import cast
from sandbox.azure_types import VM
from sandbox.host import Host
from sandbox.scenarios import add_resource, available, platform_fault
from sandbox.server import Sandbox
from sandbox.world import Resource
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle

CLIENTS = ("Contoso", "Fabrikam", "Wingtip")
REGION = "westeurope"


@pytest.fixture
async def three(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Three clients with a webhook, seen well."""
    world = sandbox.cloud.world
    wingtip = cast.add_customer(world, "Wingtip", "wingtip.example")
    cast.add_subscription(world, wingtip, "Wingtip Production")
    estate = await made.build(fresh_app, sandbox, control, api, settle, CLIENTS)
    await estate.webhook()
    return estate


def machines(estate: Estate, client: str, count: int, region: str = REGION) -> list[Resource]:
    """New machines of a client in a region."""
    world, cloud = estate.sandbox.cloud.world, estate.cloud(client)
    found = [add_resource(world, cloud, VM) for _ in range(count)]
    for machine in found:
        machine.location = region
    cloud.version += 1
    return found


def fall(estate: Estate, found: Iterable[Resource], *, minutes_ago: float = 0) -> None:
    world = estate.sandbox.cloud.world
    for machine in found:
        world.set_health(machine, platform_fault(world.clock.now() - timedelta(minutes=minutes_ago)))


def rise(estate: Estate, found: Iterable[Resource]) -> None:
    world = estate.sandbox.cloud.world
    for machine in found:
        world.set_health(machine, available(machine, world.clock.now()))


async def told(estate: Estate) -> list[tuple[str, str]]:
    """Verb and kind of every alert event that the webhook heard, in order."""
    await estate.settle(60, delayed=True)
    bodies = [row["body"] for row in await estate.received()]
    return [(row["type"].rpartition(".")[2], row["data"]["kind"]) for row in bodies if ".alert." in row["type"]]


async def outages(estate: Estate, **query: Any) -> list[dict[str, Any]]:
    return await estate.listed("/alerts", kind="outage", **query)


async def test_an_outage_of_sixty_devices_over_three_clients_is_three_tickets(three: Estate) -> None:
    found = {client: machines(three, client, 20) for client in CLIENTS}
    for client in CLIENTS:
        await three.poll(client)
    for client in CLIENTS:
        fall(three, found[client])
        await three.poll(client)
    groups = await outages(three)
    assert {row["clientName"] for row in groups} == set(CLIENTS)
    assert [(row["condition"], row["state"], row["severity"]) for row in groups] == [("outage", "open", "high")] * 3
    assert [(row["members"]["count"], row["members"]["open"]) for row in groups] == [(20, 20)] * 3
    assert await told(three) == [("opened", "outage")] * 3
    for row in groups:
        inside = await three.listed("/alerts", parentId=row["id"])
        assert len(inside) == 20
        assert {tuple(ticket["state"] for ticket in one["tickets"]) for one in inside} == {("open",)}
        shown = {(one["deviceId"], one["deviceName"], one["status"]) for one in inside}
        assert {(one["id"], one["name"], one["status"]) for one in row["members"]["devices"]} == shown
    for client in CLIENTS:
        rise(three, found[client][:5])
        await three.poll(client)
    assert (await told(three))[3:] == [("updated", "outage")] * 3
    assert {row["members"]["open"] for row in await outages(three)} == {15}
    for row in await outages(three):
        back = {one["name"] for one in row["members"]["devices"] if one["status"] == "available"}
        assert back == {machine.name for machine in found[row["clientName"]][:5]}
    for client in CLIENTS:
        rise(three, found[client])
        await three.poll(client)
    assert (await told(three))[6:] == [("closed", "outage")] * 3
    assert [(row["state"], row["closeReason"]) for row in await outages(three)] == [("closed", "recovered")] * 3
    assert await three.listed("/alerts", state="open") == []


async def test_what_is_down_at_the_first_poll_is_one_ticket_per_client(three: Estate) -> None:
    for client in CLIENTS:
        found = [*machines(three, client, 2, "eastus"), *machines(three, client, 1, "northeurope")]
        for place, machine in enumerate(found):
            fall(three, [machine], minutes_ago=60 * 24 * place)
        await three.poll(client)
    groups = await outages(three)
    assert [(row["condition"], row["members"]["count"]) for row in groups] == [("alreadyDown", 3)] * 3
    assert {row["clientName"] for row in groups} == set(CLIENTS)
    assert await told(three) == [("opened", "outage")] * 3


async def test_one_device_that_is_down_at_the_first_poll_has_its_own_ticket(three: Estate) -> None:
    fall(three, machines(three, "Wingtip", 1))
    await three.poll("Wingtip")
    assert await told(three) == [("opened", "device")]


async def test_fewer_than_the_group_size_have_a_ticket_each(three: Estate) -> None:
    found = machines(three, "Wingtip", 4)
    await three.poll("Wingtip")
    fall(three, found)
    await three.poll("Wingtip")
    assert await told(three) == [("opened", "device")] * 4


async def test_a_ticket_of_its_own_moves_into_the_outage_that_forms(three: Estate) -> None:
    found = machines(three, "Wingtip", 6)
    await three.poll("Wingtip")
    fall(three, found[:1])
    await three.poll("Wingtip")
    [single] = await three.alerts_of(found[0])
    await three.advance(120)
    fall(three, found[1:])
    await three.poll("Wingtip")
    [group] = await outages(three)
    assert (group["members"]["count"], group["members"]["open"]) == (6, 6)
    member, former = await three.alerts_of(found[0])
    assert (former["id"], former["state"], former["closeReason"]) == (single["id"], "closed", "mergedIntoOutage")
    assert (member["state"], member["parentId"]) == ("open", group["id"])
    assert former["parentId"] == group["id"]
    assert [ticket["state"] for ticket in former["tickets"]] == ["closed"], "its own"
    [closed] = [row["body"]["data"] for row in await three.received() if row["body"]["type"].endswith("closed")]
    assert closed["parentId"] == group["id"]
    assert f"{group['title']}: Tenantry alert {group['id']}" in closed["note"]
    assert sorted(await told(three)) == [("closed", "device"), ("opened", "device"), ("opened", "outage")]


async def test_who_falls_later_joins_and_who_falls_again_soon_reopens_the_outage(three: Estate) -> None:
    found = machines(three, "Wingtip", 8)
    await three.poll("Wingtip")
    fall(three, found[:5])
    await three.poll("Wingtip")
    await three.advance(300)
    fall(three, found[5:7])
    await three.poll("Wingtip")
    [group] = await outages(three)
    assert group["members"]["count"] == 7
    assert await told(three) == [("opened", "outage"), ("updated", "outage")]
    rise(three, found)
    await three.poll("Wingtip")
    await three.advance(600)
    fall(three, found[:5])
    await three.poll("Wingtip")
    [again] = await outages(three)
    assert (again["id"], again["state"], again["members"]["open"]) == (group["id"], "open", 5)
    assert [verb for verb, _ in await told(three)] == ["opened", "updated", "closed", "opened"]
    note = [row["body"]["data"].get("note", "") for row in await three.received()][1]
    assert note.startswith("Down now too: ")
    assert all(machine.name in note for machine in found[5:7])
    assert {row["parentId"] for row in await three.listed("/alerts", state="open", kind="device")} == {group["id"]}


async def test_a_service_issue_makes_one_ticket_that_names_it(three: Estate) -> None:
    found = machines(three, "Wingtip", 3)
    await three.poll("Wingtip")
    body = {
        "region": REGION,
        "resourceIds": [machine.id for machine in found],
        "title": "Storage trouble in West Europe",
    }
    answer = await three.control.post("/service-issues", json=body)
    assert answer.is_success, answer.text
    fall(three, found[:2])
    await three.poll("Wingtip")
    [group] = await outages(three)
    assert group["condition"] == "serviceIssue"
    assert group["title"] == "Wingtip: Azure service issue: Storage trouble in West Europe"
    assert await told(three) == [("opened", "outage")]
    issue = group["serviceIssue"]
    tracking = answer.json()["id"]
    subscription = three.cloud("Wingtip").id
    assert (issue["id"], issue["title"]) == (tracking, "Storage trouble in West Europe")
    assert (issue["service"], issue["region"]) == ("Virtual Machines", "West Europe")
    assert issue["url"] == f"https://app.azure.com/h/{tracking}/{subscription[:3]}{subscription[-3:]}"
    inside = await three.listed("/alerts", parentId=group["id"])
    assert [one["serviceIssue"] for one in inside] == [issue] * 2


async def test_the_only_device_that_a_service_issue_hits_has_an_ordinary_ticket_that_names_it(three: Estate) -> None:
    [machine] = machines(three, "Wingtip", 1)
    await three.poll("Wingtip")
    body = {"region": REGION, "resourceIds": [machine.id], "title": "Storage trouble"}
    tracking = (await three.control.post("/service-issues", json=body)).json()["id"]
    fall(three, [machine])
    await three.poll("Wingtip")
    assert await told(three) == [("opened", "device")]
    [alert] = await three.alerts_of(machine)
    assert alert["title"] == f"Wingtip: {machine.name} is unavailable"
    assert (alert["serviceIssue"]["id"], alert["serviceIssue"]["title"]) == (tracking, "Storage trouble")


async def test_people_acknowledge_and_snooze_an_outage(three: Estate) -> None:
    found = machines(three, "Wingtip", 7)
    await three.poll("Wingtip")
    fall(three, found[:5])
    await three.poll("Wingtip")
    [group] = await outages(three)
    shown = await three.call("POST", f"/alerts/{group['id']}/acknowledge", json={"note": "Known"})
    assert shown["acknowledgement"]["note"] == "Known"
    await three.settle(30)
    assert await told(three) == [("opened", "outage"), ("updated", "outage")]
    await three.call("POST", f"/alerts/{group['id']}/snooze", json={"minutes": 60})
    await three.settle(30)
    before = await told(three)
    fall(three, found[5:])
    await three.poll("Wingtip")
    assert await told(three) == before
    assert (await outages(three))[0]["members"]["count"] == 7
    rise(three, found)
    await three.poll("Wingtip")
    assert (await told(three))[len(before) :] == [("closed", "outage")]


async def test_an_outage_closes_when_its_site_is_unmapped(three: Estate) -> None:
    found = machines(three, "Wingtip", 5)
    await three.poll("Wingtip")
    fall(three, found)
    await three.poll("Wingtip")
    await three.call("DELETE", "/sites/wingtip-hq/mapping")
    assert await three.listed("/alerts", state="open") == [], "hidden at once"
    await three.settle(60, delayed=True)
    [group] = await outages(three)
    assert (group["state"], group["closeReason"]) == ("closed", "siteUnmapped")
    assert await told(three) == [("opened", "outage"), ("closed", "outage")]


async def test_an_outage_is_seen_by_who_sees_one_of_its_sites(three: Estate) -> None:
    found = machines(three, "Wingtip", 5)
    await three.poll("Wingtip")
    fall(three, found)
    await three.poll("Wingtip")
    [group] = await outages(three)
    await three.grant("bob", "wingtip-hq")
    await three.grant("carol", "contoso-hq")
    bob, carol = await three.person("bob"), await three.person("carol")
    assert (await bob.get(f"/alerts/{group['id']}")).json()["members"]["devices"]
    assert (await carol.get(f"/alerts/{group['id']}")).status_code == 404
    assert (await carol.get("/alerts", params={"kind": "outage"})).json()["value"] == []


async def test_an_outage_over_two_sites_of_one_client_is_a_ticket_for_each_site(three: Estate) -> None:
    await three.call("PUT", "/sites/fabrikam-hq", json={"clientName": "Contoso", "siteName": "Branch"})
    hq, branch = machines(three, "Contoso", 5), machines(three, "Fabrikam", 5)
    await three.poll("Contoso")
    await three.poll("Fabrikam")
    fall(three, hq)
    await three.poll("Contoso")
    fall(three, branch)
    await three.poll("Fabrikam")
    found = {row["siteId"]: row for row in await outages(three)}
    assert {row["clientName"] for row in found.values()} == {"Contoso"}
    for site, devices in (("contoso-hq", hq), ("fabrikam-hq", branch)):
        assert {one["name"] for one in found[site]["members"]["devices"]} == {machine.name for machine in devices}
    await three.grant("bob", "contoso-hq")
    bob = await three.person("bob")
    assert [row["siteId"] for row in (await bob.get("/alerts", params={"kind": "outage"})).json()["value"]] == [
        "contoso-hq"
    ]
    foreign = f"/alerts/{found['fabrikam-hq']['id']}/acknowledge"
    assert (await bob.post(foreign)).status_code == 404


async def test_a_few_at_each_of_two_sites_of_one_client_make_no_outage(three: Estate) -> None:
    await three.call("PUT", "/sites/fabrikam-hq", json={"clientName": "Contoso", "siteName": "Branch"})
    hq, branch = machines(three, "Contoso", 4), machines(three, "Fabrikam", 3)
    await three.poll("Contoso")
    await three.poll("Fabrikam")
    fall(three, [*hq, *branch])
    await three.poll("Contoso")
    await three.poll("Fabrikam")
    assert await outages(three) == []
    assert len(await three.listed("/alerts", state="open", kind="device")) == 7
