"""Sites over the wire: names, import, mapping without overlap, scope."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import app as composition
from shared.sites import SITES
from shared.tenants import SUBSCRIPTIONS, TENANTS, Subscription, Tenant
from tests.app_fixtures import ApiFor
from tests.sandbox.browser import tenant_called
from tests.tenanting import site


@pytest_asyncio.fixture(loop_scope="session")
async def alice(fresh_app: Host, api: ApiFor) -> httpx.AsyncClient:
    """Alice, beside an application with nothing stored."""
    assert fresh_app.state == "Running"
    return await api("alice")


@pytest_asyncio.fixture(loop_scope="session")
async def known(alice: httpx.AsyncClient, sandbox: Sandbox) -> dict[str, str]:
    """Ids of tenants by name, as provisioning leaves them: only Fabrikam is not synced, only Contoso has Azure."""
    tables, world = composition.current().tables, sandbox.cloud.world
    assert (await alice.get("/tenants")).json() == {"value": []}
    ids: dict[str, str] = {}
    for name in ("Contoso", "Lucerne Publishing", "Fabrikam"):
        cloud = tenant_called(world, name)
        ids[name] = cloud.id
        row = Tenant(
            id=cloud.id,
            display_name=name,
            default_domain=cloud.default_domain,
            connection_id="c1",
            relationship="reseller",
            status="deactivated" if name == "Fabrikam" else "synced",
        )
        await tables.put(TENANTS, row)
    for subscription_id in tenant_called(world, "Contoso").subscription_ids:
        name = world.subscriptions[subscription_id].name
        found = Subscription(
            id=subscription_id, tenant_id=ids["Contoso"], connection_id="c1", name=name, access="application"
        )
        await tables.put(SUBSCRIPTIONS, found)
    return ids


async def subscription_ids(alice: httpx.AsyncClient, tenant_id: str) -> list[str]:
    return [row["id"] for row in (await alice.get(f"/tenants/{tenant_id}/subscriptions")).json()["value"]]


async def imported(alice: httpx.AsyncClient, text: str) -> list[tuple[str | None, str]]:
    answer = await alice.post("/sites/import", content=text.encode(), headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    return [(row["siteId"], row["result"]) for row in answer.json()["value"]]


async def test_a_site_is_created_renamed_and_read_back(alice: httpx.AsyncClient) -> None:
    made = await alice.put("/sites/contoso-hq", json={"clientName": "Contoso", "siteName": "Head office"})
    assert made.status_code == 201
    assert made.json() == {"id": "contoso-hq", "clientName": "Contoso", "siteName": "Head office"}
    renamed = await alice.put("/sites/contoso-hq", json={"clientName": "Contoso", "siteName": "HQ"})
    assert renamed.status_code == 200
    read = await alice.get("/sites/contoso-hq")
    assert read.json()["siteName"] == "HQ"
    assert read.headers["etag"] == renamed.headers["etag"]
    again = await alice.put("/sites/contoso-hq", json=read.json())
    assert again.status_code == 200


async def test_a_stale_version_is_refused_and_changes_nothing(alice: httpx.AsyncClient) -> None:
    body = {"clientName": "Contoso", "siteName": "One"}
    old = (await alice.put("/sites/one", json=body)).headers["etag"]
    await alice.put("/sites/one", json=body | {"siteName": "Two"})
    stale = {"If-Match": old}
    assert (await alice.put("/sites/one", json=body, headers=stale)).status_code == 412
    assert (await alice.delete("/sites/one", headers=stale)).status_code == 412
    assert (await alice.get("/sites/one")).json()["siteName"] == "Two"


@pytest.mark.parametrize(
    "path, body",
    [
        ("/sites/Contoso", {"clientName": "C", "siteName": "S"}),
        ("/sites/" + "a" * 64, {"clientName": "C", "siteName": "S"}),
        ("/sites/ok", {"clientName": "", "siteName": "S"}),
        ("/sites/ok", {"clientName": "C" * 201, "siteName": "S"}),
        ("/sites/ok", {"clientName": "C\n", "siteName": "S\u0000x"}),
        ("/sites/ok", {"clientName": "C"}),
        ("/sites/ok", {"clientName": "C", "siteName": "S", "colour": "red"}),
        ("/sites/ok/mapping", {"tenantId": "x", "subscriptionIds": []}),
        ("/sites/ok/mapping", {}),
    ],
)
async def test_bad_input_is_refused_and_changes_nothing(
    alice: httpx.AsyncClient, path: str, body: dict[str, str]
) -> None:
    answer = await alice.put(path, json=body)
    assert answer.status_code == 400, answer.text
    assert (await alice.get("/sites")).json()["value"] == []


async def test_a_mapping_shows_whether_azure_is_read_and_why_not(
    alice: httpx.AsyncClient, known: dict[str, str]
) -> None:
    contoso = await site(alice, "Contoso", known["Contoso"])
    assert contoso["tenantName"] == "Contoso"
    assert contoso["azure"] == {"polled": True}
    lucerne = await site(alice, "Lucerne", known["Lucerne Publishing"])
    assert lucerne["azure"]["polled"] is False
    assert "no Azure subscription" in lucerne["azure"]["reason"]
    listed = (await alice.get("/sites?$count=true&search=LUC")).json()
    assert listed["count"] == 1
    assert listed["value"] == [lucerne]


async def test_only_a_synced_tenant_and_its_own_subscriptions_can_be_mapped(
    alice: httpx.AsyncClient, known: dict[str, str]
) -> None:
    await site(alice, "Contoso")
    path = "/sites/contoso-hq/mapping"
    answers = {
        409: {"tenantId": known["Fabrikam"]},
        400: {"tenantId": known["Contoso"], "subscriptionIds": ["not-a-subscription"]},
    }
    for status, body in answers.items():
        assert (await alice.put(path, json=body)).status_code == status
    assert (await alice.put(path, json={"tenantId": "unknown"})).status_code == 400
    missing = await alice.put("/sites/nowhere/mapping", json={"tenantId": known["Contoso"]})
    assert missing.status_code == 404
    assert "tenantId" not in (await alice.get("/sites/contoso-hq")).json()


async def test_a_subscription_belongs_to_one_site_only(alice: httpx.AsyncClient, known: dict[str, str]) -> None:
    contoso = known["Contoso"]
    first, second, third = await subscription_ids(alice, contoso)
    await site(alice, "North", contoso, [first.upper()])
    await site(alice, "South", contoso, [second])
    await site(alice, "East")
    for taken in ([first], [second, third], None):
        body = {"tenantId": contoso} | ({"subscriptionIds": taken} if taken else {})
        answer = await alice.put("/sites/east-hq/mapping", json=body)
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "overlap"
    assert (await site(alice, "East", contoso, [third]))["subscriptionIds"] == [third]
    await alice.delete("/sites/north-hq/mapping")
    assert (await site(alice, "East", contoso, [first, third]))["subscriptionIds"] == sorted([first, third])


async def test_a_mapped_site_cannot_be_deleted(alice: httpx.AsyncClient, known: dict[str, str]) -> None:
    await site(alice, "Contoso", known["Contoso"])
    answer = await alice.delete("/sites/contoso-hq")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "siteMapped"
    await alice.delete("/sites/contoso-hq/mapping")
    assert (await alice.delete("/sites/contoso-hq")).status_code == 204
    assert (await alice.get("/sites/contoso-hq")).status_code == 404


async def test_a_site_whose_deletion_was_cut_off_takes_nothing_but_its_deletion(
    alice: httpx.AsyncClient, known: dict[str, str]
) -> None:
    await site(alice, "Contoso")
    tables = composition.current().tables
    row = await tables.get(SITES, "site", "contoso-hq")
    assert row is not None
    await tables.put(SITES, row.changed(deleting=True))
    mapped = await alice.put("/sites/contoso-hq/mapping", json={"tenantId": known["Contoso"]})
    renamed = await alice.put("/sites/contoso-hq", json={"clientName": "Contoso", "siteName": "New"})
    for answer in (mapped, renamed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "siteDeleted")
    assert (await alice.delete("/sites/contoso-hq")).status_code == 204
    assert (await alice.get("/sites/contoso-hq")).status_code == 404


async def test_an_import_gives_a_result_and_an_id_per_row_and_can_be_repeated(
    alice: httpx.AsyncClient, known: dict[str, str]
) -> None:
    text = (
        "\ufeffClient,Site,Tenant\r\nContoso,Head office,contoso.example\r\nContoso,Café Süd,\r\n"
        ",Nameless,\r\nFabrikam,HQ,Fabrikam\r\nLucerne,HQ,"
        + known["Lucerne Publishing"]
        + "\r\nLucerne,Lab,Contoso\r\n"
    )
    first = await imported(alice, text)
    assert first == [
        ("contoso-head-office", "created"),
        ("contoso-cafe-sud", "created"),
        (None, "failed"),
        (None, "failed"),
        ("lucerne-hq", "created"),
        (None, "failed"),
    ]
    assert (await alice.get("/sites/contoso-head-office")).json()["tenantId"] == known["Contoso"]
    again = await imported(alice, text)
    assert [result for _, result in again] == ["unchanged", "unchanged", "failed", "failed", "unchanged", "failed"]
    assert len((await alice.get("/sites")).json()["value"]) == 3


async def test_an_import_of_thousands_of_rows_is_paged_through(alice: httpx.AsyncClient) -> None:
    rows = "".join(f"Client {n % 300},Site {n}\n" for n in range(1500))
    results = await imported(alice, "client,site\n" + rows)
    assert {result for _, result in results} == {"created"}
    seen, url = [], "/sites?$top=1000&$count=true"
    while url:
        page = (await alice.get(url)).json()
        seen += [row["id"] for row in page["value"]]
        assert page["count"] == 1500
        url = page.get("nextLink", "")
    assert len(set(seen)) == 1500
    assert len((await alice.get("/sites", params={"clientName": "Client 7"})).json()["value"]) == 5


async def test_a_file_that_is_no_site_list_is_refused_whole(alice: httpx.AsyncClient) -> None:
    csv = {"Content-Type": "text/csv"}
    for content in (b"", b"name,place\na,b\n", b"client,site,tenant,extra\n", b"\xff\xfe\x00", b'client,site\n"a,b\n'):
        answer = await alice.post("/sites/import", content=content, headers=csv)
        assert answer.status_code == 400, content
    json_body = await alice.post("/sites/import", json={"client": "x"})
    assert json_body.status_code == 415
    large = await alice.post("/sites/import", content=b"client,site\n" + b"a,b\n" * 300_000, headers=csv)
    assert large.status_code == 413
    assert (await alice.get("/sites")).json()["value"] == []


async def test_people_see_their_sites_only_and_change_none(
    alice: httpx.AsyncClient, api: ApiFor, sandbox: Sandbox
) -> None:
    await site(alice, "Contoso")
    await site(alice, "Fabrikam")
    bob_id = sandbox.cloud.world.people["bob"].object_id
    (await alice.put(f"/access/{bob_id}", json={"siteIds": ["contoso-hq"]})).raise_for_status()
    bob, mallory, nobody = await api("bob"), await api("mallory"), await api()
    assert [row["id"] for row in (await bob.get("/sites")).json()["value"]] == ["contoso-hq"]
    assert (await bob.get("/sites/contoso-hq")).status_code == 200
    assert (await bob.get("/sites/fabrikam-hq")).status_code == 404
    calls = [
        ("PUT", "/sites/contoso-hq", {"clientName": "x", "siteName": "y"}),
        ("DELETE", "/sites/contoso-hq", None),
        ("PUT", "/sites/contoso-hq/mapping", {"tenantId": "x"}),
        ("DELETE", "/sites/contoso-hq/mapping", None),
        ("POST", "/sites/import", None),
    ]
    for method, path, body in calls:
        assert (await bob.request(method, path, json=body)).status_code == 403
        assert (await nobody.request(method, path, json=body)).status_code == 401
    assert (await mallory.get("/sites")).status_code == 403
