"""Who may call what: every route as alice, bob, carol, mallory and a daemon; site grants; the audit log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import access, site_import, sites
from shared import app as composition
from tests.app_fixtures import ApiFor
from tests.errors import error_of
from tests.mortal import mortal
from tests.openapi import GUARDED, Route

READ = {"signedIn", "CloudDevices.Read"}
MAY: dict[str, set[str]] = {
    "alice": {
        *READ,
        "CloudDevices.Update",
        "Alerts.Manage",
        "Microsoft365.Read",
        "Microsoft365.Manage",
        "Microsoft365.ManagePrivileged",
        "Collections.Read",
        "Collections.Manage",
        "Integration.Admin",
    },
    "bob": {*READ, "CloudDevices.Update", "Alerts.Manage", "Microsoft365.Manage", "Microsoft365.Read"},
    "carol": {*READ, "Microsoft365.Read"},
    "mallory": {"signedIn"},
    "daemon": {*READ, "Alerts.Manage"},
}
"""What each may do, written out from the API's contract."""
ADMIN_ONLY = {"connections", "access", "audit"}
READS_BY_POST = {"/api/devices/export", "/api/devices/refresh"}
"""They change nothing that anybody owns, so a reader may ask for them."""

SOMEONE = "5f0c1f6e-0000-4000-8000-{:012d}"
"""Object ids of people that nothing else is known of."""
ONE = SOMEONE.format(1)


@pytest_asyncio.fixture(loop_scope="session")
async def everyone(host: Host, api: ApiFor, control: httpx.AsyncClient) -> dict[str, httpx.AsyncClient]:
    """A client of the API for each of MAY."""
    assert host.state == "Running"
    clients = {name: await api(name) for name in MAY if name != "daemon"}
    daemon = await api()
    token = (await control.post("/tokens", json={"application": "daemon"})).json()["accessToken"]
    daemon.headers["Authorization"] = f"Bearer {token}"
    return clients | {"daemon": daemon}


@pytest_asyncio.fixture(loop_scope="session")
async def people(fresh_app: Host, everyone: dict[str, httpx.AsyncClient]) -> dict[str, httpx.AsyncClient]:
    """The same, beside an application with nothing stored."""
    assert fresh_app.state == "Running"
    return everyone


@pytest.mark.parametrize("route", GUARDED, ids=str)
async def test_a_route_serves_exactly_those_with_its_permission(
    everyone: dict[str, httpx.AsyncClient], route: Route
) -> None:
    for person, client in everyone.items():
        answer = await client.request(route.method, route.url)
        if route.permissions & MAY[person]:
            assert answer.status_code not in (401, 403), (person, answer.text)
            assert answer.status_code < 500, (person, answer.text)
        else:
            assert answer.status_code == 403, (person, answer.text)
            assert answer.json()["error"]["code"] == "forbidden"


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_route_names_permissions_that_exist_and_fit_its_area(route: Route) -> None:
    assert route.permissions <= MAY["alice"]
    area = route.path.split("/")[2]
    if area in ADMIN_ONLY:
        assert route.permissions == {"Integration.Admin"}
    if route.method != "GET" and route.path not in READS_BY_POST:
        assert not route.permissions & {"signedIn", "CloudDevices.Read", "Microsoft365.Read", "Collections.Read"}


@pytest.mark.parametrize("route", [r for r in GUARDED if r.is_collection and "{" not in r.path], ids=str)
async def test_without_a_site_grant_nothing_is_listed(people: dict[str, httpx.AsyncClient], route: Route) -> None:
    await people["alice"].put("/sites/contoso", json={"clientName": "Contoso", "siteName": "Main"})
    for person in ("bob", "carol", "daemon"):
        if not route.permissions & MAY[person]:
            continue
        body = (await people[person].get(route.url)).json()
        if route.path != "/api/sinks/kinds":
            assert body["value"] == [], person


async def test_me_tells_permissions_and_sites(people: dict[str, httpx.AsyncClient], sandbox: Sandbox) -> None:
    me = {person: (await client.get("/me")).json() for person, client in people.items()}
    for person, body in me.items():
        assert set(body["permissions"]) | {"signedIn"} == MAY[person], person
    assert me["alice"]["sites"] is None
    assert me["alice"]["name"] == "Alice Anders"
    assert me["bob"]["id"] == sandbox.cloud.world.people["bob"].object_id
    assert me["bob"]["sites"] == me["mallory"]["sites"] == []


async def test_a_grant_takes_effect_at_once_and_ends_at_once(
    people: dict[str, httpx.AsyncClient], sandbox: Sandbox
) -> None:
    alice, bob = people["alice"], people["bob"]
    for site, client in (("contoso", "Contoso"), ("fabrikam", "Fabrikam")):
        made = await alice.put(f"/sites/{site}", json={"clientName": client, "siteName": "Main"})
        assert made.status_code in (200, 201), made.text
    path = f"/access/{sandbox.cloud.world.people['bob'].object_id}"
    assert (await alice.get(path)).json()["siteIds"] == []
    for granted in (["contoso"], ["fabrikam", "contoso"], []):
        answer = await alice.put(path, json={"siteIds": granted})
        assert (answer.status_code, answer.json()["siteIds"]) == (200, sorted(granted))
        assert (await bob.get("/me")).json()["sites"] == sorted(granted)
        assert sorted(site["id"] for site in (await bob.get("/sites")).json()["value"]) == sorted(granted)
    assert len((await alice.get("/sites")).json()["value"]) == 2


async def test_who_was_granted_sites_is_listed_by_name(people: dict[str, httpx.AsyncClient]) -> None:
    alice = people["alice"]
    await make_sites(alice, "a", "b")
    for number, name in ((1, "Zoe"), (2, "adam")):
        (await alice.put(f"/access/{SOMEONE.format(number)}", json={"siteIds": ["a"], "name": name})).raise_for_status()
    changed = (await alice.put(f"/access/{SOMEONE.format(1)}", json={"siteIds": ["b", "a"]})).json()
    assert (changed["name"], changed["siteIds"]) == ("Zoe", ["a", "b"])
    listed = (await alice.get("/access")).json()["value"]
    assert [(one["name"], one["siteIds"]) for one in listed] == [("adam", ["a"]), ("Zoe", ["a", "b"])]
    assert all(one["changedAt"] for one in listed)
    entries = (await alice.get(f"/audit?target={SOMEONE.format(1)}")).json()["value"]
    assert [entry["details"]["name"] for entry in entries] == ["Zoe", "Zoe"]
    assert (await people["bob"].get("/access")).status_code == 403
    bad = await alice.put(f"/access/{SOMEONE.format(1)}", json={"siteIds": [], "name": "a\u202eb"})
    assert bad.status_code == 400


async def test_what_lies_outside_the_scope_is_not_found_rather_than_forbidden(
    people: dict[str, httpx.AsyncClient], sandbox: Sandbox
) -> None:
    alice, bob = people["alice"], people["bob"]
    sink = {
        "kind": "webhook",
        "name": "all",
        "settings": {"url": f"{sandbox.urls['control']}/receivers/webhook"},
        "enabled": True,
    }
    made = await alice.post("/sinks", json=sink)
    assert made.status_code == 201, made.text
    path = f"/sinks/{made.json()['id']}"
    for answer in (await bob.get(path), await bob.delete(path), await bob.get(f"{path}/deliveries")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "notFound"
    assert (await bob.get("/sinks/nothing")).json()["error"]["code"] == "notFound"
    assert (await alice.get(path)).status_code == 200


@pytest.mark.parametrize("site_ids", [["UPPER"], ["a b"], [""], ["x" * 64], "contoso", [1], None, ["a"] * 401])
async def test_a_grant_of_what_is_no_site_id_is_refused(people: dict[str, httpx.AsyncClient], site_ids: Any) -> None:
    answer = await people["alice"].put(f"/access/{ONE}", json={"siteIds": site_ids})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["target"].startswith("siteIds")
    assert (await people["alice"].get(f"/access/{ONE}")).json()["siteIds"] == []


async def make_sites(alice: httpx.AsyncClient, *site_ids: str) -> None:
    for site_id in site_ids:
        body = {"clientName": site_id, "siteName": "Main"}
        (await alice.put(f"/sites/{site_id}", json=body)).raise_for_status()


async def granted(alice: httpx.AsyncClient, principal_id: str) -> list[str]:
    found: list[str] = (await alice.get(f"/access/{principal_id}")).json()["siteIds"]
    return found


async def test_a_grant_of_sites_that_do_not_exist_is_refused_and_names_them(
    people: dict[str, httpx.AsyncClient],
) -> None:
    alice = people["alice"]
    await make_sites(alice, "a")
    answer = await alice.put(f"/access/{ONE}", json={"siteIds": ["a", "no-site", "none"]})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["target"] == "siteIds"
    assert [row["target"] for row in error["details"]] == ["siteIds", "siteIds"]
    assert [row["message"] for row in error["details"]] == ["There is no site no-site.", "There is no site none."]
    assert await granted(alice, ONE) == []


@pytest.mark.parametrize("principal_id", ["someone", ONE.replace("-", ""), f"{ONE}0", "bob@northwind.example"])
async def test_only_an_object_id_can_be_granted_sites(people: dict[str, httpx.AsyncClient], principal_id: str) -> None:
    for method, body in (("PUT", {"siteIds": []}), ("GET", None)):
        answer = await people["alice"].request(method, f"/access/{principal_id}", json=body)
        assert answer.status_code == 400, answer.text


async def test_the_case_of_an_object_id_does_not_count(people: dict[str, httpx.AsyncClient], sandbox: Sandbox) -> None:
    alice, bob = people["alice"], people["bob"]
    await make_sites(alice, "contoso")
    path = f"/access/{sandbox.cloud.world.people['bob'].object_id.upper()}"
    (await alice.put(path, json={"siteIds": ["contoso"]})).raise_for_status()
    assert (await bob.get("/me")).json()["sites"] == ["contoso"]


async def test_a_deleted_site_leaves_every_grant_and_no_other_site_gets_its_id(
    people: dict[str, httpx.AsyncClient], sandbox: Sandbox
) -> None:
    alice, bob = people["alice"], people["bob"]
    await make_sites(alice, "contoso", "fabrikam")
    bob_id = sandbox.cloud.world.people["bob"].object_id
    for principal_id in (bob_id, ONE):
        (await alice.put(f"/access/{principal_id}", json={"siteIds": ["contoso", "fabrikam"]})).raise_for_status()
    assert (await alice.delete("/sites/contoso")).status_code == 204
    # What else names the old site (sinks, companies, schedules, overrides, alerts) must not be about a new one.
    error_of(await alice.put("/sites/contoso", json={"clientName": "Con", "siteName": "toso"}), 409, "siteDeleted")
    assert (await bob.get("/me")).json()["sites"] == ["fabrikam"]
    assert (await bob.get("/sites/contoso")).status_code == 404
    assert await granted(alice, ONE) == ["fabrikam"]


async def test_a_site_whose_deletion_is_refused_stays_granted(people: dict[str, httpx.AsyncClient]) -> None:
    alice = people["alice"]
    await make_sites(alice, "contoso")
    (await alice.put(f"/access/{ONE}", json={"siteIds": ["contoso"]})).raise_for_status()
    assert (await alice.delete("/sites/contoso", headers={"If-Match": '"old"'})).status_code == 412
    assert await granted(alice, ONE) == ["contoso"]


async def test_a_grant_given_while_its_site_is_deleted_does_not_outlive_it(
    people: dict[str, httpx.AsyncClient],
) -> None:
    alice = people["alice"]
    for number in range(5):
        ids = [SOMEONE.format(10 * number + n) for n in range(4)]
        name = f"contoso-{number}"
        await make_sites(alice, name)
        granting = [alice.put(f"/access/{principal_id}", json={"siteIds": [name]}) for principal_id in ids]
        deleted, *answers = await asyncio.gather(alice.delete(f"/sites/{name}"), *granting)
        assert deleted.status_code == 204, deleted.text
        assert {answer.status_code for answer in answers} <= {200, 400}
        assert [await granted(alice, principal_id) for principal_id in ids] == [[]] * 4


async def test_a_deletion_that_was_cut_off_can_be_repeated(people: dict[str, httpx.AsyncClient]) -> None:
    alice, app = people["alice"], composition.current()
    await make_sites(alice, "contoso")
    for number in range(3):
        (await alice.put(f"/access/{SOMEONE.format(number)}", json={"siteIds": ["contoso"]})).raise_for_status()
    caller = access.Principal("a", "Alice", frozenset({access.ADMIN}), None)
    with pytest.raises(AzureError):
        await sites.remove(mortal(app, 2), "contoso", by=caller)
    assert sorted([await granted(alice, SOMEONE.format(number)) for number in range(3)]) == [
        [],
        ["contoso"],
        ["contoso"],
    ]
    assert (await alice.put(f"/access/{SOMEONE.format(9)}", json={"siteIds": ["contoso"]})).status_code == 400
    assert (await alice.put("/sites/contoso", json={"clientName": "C", "siteName": "S"})).status_code == 409
    [row] = await site_import.run(app, "client,site\ncontoso,Main\n", by=caller)
    assert row.error == "The site is being deleted."
    assert (await alice.delete("/sites/contoso")).status_code == 204
    assert [await granted(alice, SOMEONE.format(number)) for number in range(3)] == [[]] * 3


async def test_granting_is_in_the_audit_log(people: dict[str, httpx.AsyncClient], sandbox: Sandbox) -> None:
    alice = people["alice"]
    await make_sites(alice, "a", "b")
    await alice.put(f"/access/{ONE}", json={"siteIds": ["b", "a"]}, headers={"x-ms-client-request-id": "r-1"})
    [entry] = (await alice.get(f"/audit?target={ONE}")).json()["value"]
    assert entry["action"] == "access.set"
    assert (entry["actor"], entry["actorName"]) == (sandbox.cloud.world.people["alice"].object_id, "Alice Anders")
    assert (entry["outcome"], entry["requestId"], entry["details"]) == ("succeeded", "r-1", {"siteIds": ["a", "b"]})


async def test_a_refused_call_is_not_recorded_as_done(people: dict[str, httpx.AsyncClient]) -> None:
    assert (await people["bob"].put(f"/access/{ONE}", json={"siteIds": ["a"]})).status_code == 403
    assert (await people["alice"].get(f"/audit?target={ONE}")).json()["value"] == []


async def audited(client: httpx.AsyncClient, query: str) -> list[str]:
    """Targets of the entries that a query finds, page by page."""
    found: list[str] = []
    url = f"/audit?{query}"
    while url:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        found += [entry["target"] for entry in answer.json()["value"]]
        url = answer.json().get("nextLink", "")
    return found


async def test_the_audit_log_pages_over_days_newest_first(
    people: dict[str, httpx.AsyncClient], fresh_app: Host, sandbox: Sandbox
) -> None:
    alice = people["alice"]
    for day in range(3):
        for number in range(2):
            await alice.put(f"/access/{SOMEONE.format(10 * day + number)}", json={"siteIds": []})
        await fresh_app.advance(24 * 3600)
    newest_first = [SOMEONE.format(number) for number in (21, 20, 11, 10, 1, 0)]
    for top in (1, 2, 3, 100):
        assert await audited(alice, f"$top={top}") == newest_first
    assert await audited(alice, f"target={SOMEONE.format(10)}") == [SOMEONE.format(10)]
    assert await audited(alice, f"actor={sandbox.cloud.world.people['alice'].object_id}") == newest_first
    assert await audited(alice, "actor=nobody") == []


async def test_the_audit_log_is_cut_by_time(people: dict[str, httpx.AsyncClient], fresh_app: Host) -> None:
    alice = people["alice"]
    early, late = SOMEONE.format(1), SOMEONE.format(2)
    await alice.put(f"/access/{early}", json={"siteIds": []})
    await fresh_app.advance(7200)
    for _ in range(3):
        await alice.put(f"/access/{late}", json={"siteIds": []})
    middle = datetime.now(UTC) + timedelta(hours=1)
    stamp = middle.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await audited(alice, f"from={stamp}") == [late] * 3
    assert await audited(alice, f"to={stamp}&$top=1") == [early]
    offset = (middle + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S%%2B02:00")
    assert await audited(alice, f"from={offset}") == [late] * 3


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2026-01-02T00:00:00",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "$orderby=at",
        "$orderby=actor",
        "$skiptoken=WzFd",
        "$skiptoken=WyJub3QgYSBkYXkiLCJ4Il0",
        "from=0001-01-01T00:00:00%2B23:59",
        "to=9999-12-31T23:59:59-23:59",
        "to=0001-01-01T00:00:00Z",
        "$skiptoken=WyIwMDAxLTAxLTAxIl0",
    ],
)
async def test_a_wrong_question_to_the_audit_log_is_refused(people: dict[str, httpx.AsyncClient], query: str) -> None:
    answer = await people["alice"].get(f"/audit?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "invalidInput"


async def test_the_first_days_of_the_calendar_are_no_error(people: dict[str, httpx.AsyncClient]) -> None:
    answer = await people["alice"].get("/audit?from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z")
    assert answer.json() == {"value": []}
