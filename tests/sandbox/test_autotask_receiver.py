"""The Autotask receiver: zones, sign-in, queries, and the refusals of its business rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.receivers.autotask_query import BadQuery, run

ROWS: list[dict[str, Any]] = [
    {"id": 1, "title": "Disk [C:] full", "status": 1, "due": None, "open": True},
    {"id": 2, "title": "Server 100% busy", "status": 5, "due": "x", "open": False},
    {"id": 3, "title": "ab", "status": 8, "due": None, "open": True},
]


def found(*filters: dict[str, Any]) -> list[int]:
    """Ids of the rows that match."""
    rows, _ = run({"filter": list(filters)}, "Tickets", ROWS, tuple(ROWS[0]))
    return [int(row["id"]) for row in rows]


@pytest.mark.parametrize(
    "op, field, value, ids",
    [
        ("eq", "Title", "AB", [3]),
        ("eq", "open", True, [1, 3]),
        ("noteq", "status", 5, [1, 3]),
        ("gt", "status", 5, [3]),
        ("gte", "status", 5, [2, 3]),
        ("lt", "status", 5, [1]),
        ("lte", "status", 5, [1, 2]),
        ("beginsWith", "title", "ser", [2]),
        ("endsWith", "title", "FULL", [1]),
        ("contains", "title", "k [", [1]),
        ("contains", "title", "[C:]", [1]),
        ("contains", "title", "[xb]", [2, 3]),
        ("contains", "title", "s%b", [2]),
        ("contains", "title", "_b", [2, 3]),
        ("exist", "due", None, [2]),
        ("notExist", "due", None, [1, 3]),
        ("in", "id", [1, 3, 9], [1, 3]),
        ("notIn", "id", [1, 3], [2]),
    ],
)
def test_a_filter_compares_as_the_database_does(op: str, field: str, value: Any, ids: list[int]) -> None:
    assert found({"op": op, "field": field, "value": value}) == ids


def test_filters_hold_together_and_groups_by_their_word() -> None:
    busy, done = {"op": "eq", "field": "status", "value": 8}, {"op": "eq", "field": "status", "value": 5}
    assert found(busy, done) == []
    assert found({"op": "or", "items": [busy, done]}) == [2, 3]
    assert found({"op": "and", "items": [busy, done]}) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": []},
        {"filter": [{"op": "eq", "field": "nope", "value": 1}]},
        {"filter": [{"op": "like", "field": "id", "value": 1}]},
        {"filter": [{"op": "in", "field": "id", "value": 1}]},
        {"filter": [{"op": "eq", "field": "id", "value": 1}], "maxRecords": 501},
        {"filter": [{"op": "eq", "field": "id", "value": 1}], "includeFields": ["nope"]},
        [],
    ],
)
def test_a_query_that_cannot_be_read_is_refused(body: Any) -> None:
    with pytest.raises(BadQuery):
        run(body, "Tickets", ROWS, tuple(ROWS[0]))


@pytest.fixture
async def place(control: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await control.get("/world")).json()["receivers"]["autotask"]
    return found


@pytest.fixture
async def autotask(place: dict[str, Any], http: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the database's zone, signed in."""
    zone = (await http.get(f"{place['url']}/atservicesrest/v1.0/zoneinformation?user={place['username']}")).json()
    names = ("ApiIntegrationCode", "UserName", "Secret")
    headers = dict(zip(names, (place["integrationCode"], place["username"], place["secret"]), strict=True))
    async with httpx.AsyncClient(base_url=f"{zone['url']}V1.0", headers=headers) as client:
        yield client


def ticket(place: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A ticket's body that is in order, with changes; None leaves a field out."""
    company = int(next(number for number, name in place["companies"].items() if name == "Contoso"))
    body = {
        "companyID": company,
        "title": "T",
        "status": 1,
        "priority": 1,
        "queueID": int(place["queueId"]),
        "dueDateTime": "2026-03-03T09:00:00Z",
    }
    return {name: value for name, value in (body | fields).items() if value is not None}


async def test_a_zone_is_told_to_anybody_who_names_a_user(place: dict[str, Any], http: httpx.AsyncClient) -> None:
    base = f"{place['url']}/atservicesrest"
    assert (await http.get(f"{base}/versioninformation")).json() == {"apiVersions": ["V1.0", "V2.0"]}
    zone = (await http.get(f"{base}/V1.0/zoneInformation", params={"user": place["username"]})).json()
    assert zone["url"].endswith("/zone5//ATServicesRest/")
    assert (await http.get(f"{base}/V2.0/zoneInformation", params={"user": place["username"]})).status_code == 404
    unknown = await http.get(f"{base}/V1.0/zoneInformation", params={"user": "nobody"})
    assert (unknown.status_code, len(unknown.json()["errors"])) == (500, 1)


async def test_ten_wrong_secrets_lock_the_user(autotask: httpx.AsyncClient, control: httpx.AsyncClient) -> None:
    for _ in range(10):
        assert (await autotask.get("/Tickets/1", headers={"Secret": "wrong"})).status_code == 401
    assert (await autotask.get("/Tickets/1")).status_code == 401
    await control.put("/receivers/autotask", json={"unlocked": True})
    assert (await autotask.get("/Tickets/1")).json() == {"item": None}


@pytest.mark.parametrize(
    "change, word",
    [
        ({"title": None}, "title"),
        ({"queueID": None}, "queueID"),
        ({"dueDateTime": None}, "dueDateTime"),
        ({"status": 77}, "status"),
        ({"priority": 9}, "priority"),
        ({"companyID": 424242}, "companyID"),
        ({"companyID": 99}, "inactive"),
        ({"externalID": "x" * 51}, "externalID"),
        ({"nope": 1}, "nope"),
    ],
)
async def test_a_ticket_that_breaks_a_rule_is_refused_as_a_500_that_names_it(
    autotask: httpx.AsyncClient, place: dict[str, Any], change: dict[str, Any], word: str
) -> None:
    answer = await autotask.post("/Tickets", json=ticket(place, **change))
    assert answer.status_code == 500
    [said] = answer.json()["errors"]
    assert word in said


async def test_tickets_and_their_notes_are_made_found_and_changed(
    autotask: httpx.AsyncClient, place: dict[str, Any]
) -> None:
    made = await autotask.post("/Tickets", json=ticket(place, dueDateTime=None, ticketCategory=4, externalID="k"))
    number = made.json()["itemId"]
    note = {"description": "N", "noteType": 1, "publish": 2}
    assert (await autotask.post("/TicketNotes", json={**note, "ticketID": number})).status_code == 405
    assert (await autotask.post(f"/Tickets/{number}/Notes", json=note)).status_code == 200
    assert (await autotask.post("/Tickets/1/Notes", json=note)).status_code == 500
    assert (await autotask.patch("/Tickets", json={"id": 1, "status": 5})).status_code == 500
    assert (await autotask.patch("/Tickets", json={"id": number, "status": 5})).json() == {"itemId": number}
    shown = (await autotask.get(f"/Tickets/{number}")).json()["item"]
    assert (shown["externalID"], shown["status"], shown["completedDate"] is None) == ("k", 5, False)
    await autotask.post("/Tickets", json=ticket(place))
    query = {"MaxRecords": 1, "Filter": [{"op": "gt", "field": "id", "value": 0}]}
    page = (await autotask.post("/Tickets/query", json=query)).json()
    assert (len(page["items"]), page["pageDetails"]["count"]) == (1, 1)
    assert page["pageDetails"]["nextPageUrl"]
