"""The PSA receivers as their vendors' APIs behave, and what people do to tickets there; asked with a plain client."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.receivers.conditions import BadConditions, parse
from sandbox.server import Sandbox


@pytest.fixture
async def manage(sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A signed-in client of the ConnectWise receiver."""
    place = (await control.get("/world")).json()["receivers"]["connectwise"]
    member = f"{place['company']}+{place['publicKey']}:{place['privateKey']}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(member.encode()).decode()}",
        "clientId": place["clientId"],
    }
    base = f"{place['url']}/v4_6_release/apis/3.0/"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
async def halo(sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A signed-in client of the HaloPSA receiver."""
    place = (await control.get("/world")).json()["receivers"]["halopsa"]
    form = {
        "grant_type": "client_credentials",
        "client_id": place["clientId"],
        "client_secret": place["clientSecret"],
        "scope": "all",
    }
    async with httpx.AsyncClient(base_url=f"{place['url']}/api/", timeout=30) as client:
        answer = await client.post(f"{place['url']}/auth/token", params={"tenant": place["tenant"]}, data=form)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def new(**changes: Any) -> dict[str, Any]:
    return {"summary": "A", "board": {"id": 1}, "company": {"id": 2}, "externalXRef": "k-1"} | changes


async def shown(control: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await control.get(f"/receivers/{kind}/tickets")).json()["tickets"]
    return found


async def test_connectwise_tells_where_a_companys_api_is(control: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    place = (await control.get("/world")).json()["receivers"]["connectwise"]
    told = (await http.get(f"{place['url']}/login/companyinfo/{place['company']}")).json()
    assert told["Codebase"] == "v2025_1/"
    assert (await http.get(f"{place['url']}/login/companyinfo/nobody")).json()["Codebase"] is None
    await control.put("/receivers/connectwise", json={"codebase": "v2026_1"})
    answer = await http.get(f"{place['url']}/v2025_1/apis/3.0/service/boards")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")


async def test_connectwise_refuses_keys_and_client_ids(manage: httpx.AsyncClient) -> None:
    assert (await manage.get("service/tickets")).status_code == 200
    without = await manage.get("service/tickets", headers={"clientId": ""})
    assert (without.status_code, without.json()["code"]) == (401, "Unauthorized")
    wrong = await manage.get("service/tickets", headers={"Authorization": "Basic eDp5"})
    assert (wrong.status_code, wrong.json()["errors"]) == (401, None)


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"summary": ""}, "summary"),
        ({"summary": "x" * 101}, "summary"),
        ({"externalXRef": "x" * 101}, "externalXRef"),
        ({"board": None}, "board"),
        ({"board": {"name": "Nowhere"}}, "board/id"),
        ({"company": {"id": 999}}, "company/id"),
        ({"priority": {"id": 99}}, "priority/id"),
    ],
)
async def test_connectwise_says_what_is_wrong_with_a_ticket(
    manage: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    answer = await manage.post("service/tickets", json=new(**changes))
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidObject")
    assert answer.json()["errors"][0]["field"] == field


async def test_connectwise_finds_tickets_by_conditions_in_pages(manage: httpx.AsyncClient) -> None:
    for number in range(30):
        await manage.post("service/tickets", json=new(externalXRef=f"k-{number}", board={"name": "Monitoring"}))
    first = await manage.get("service/tickets", params={"fields": "id,externalXRef"})
    assert len(first.json()) == 25
    assert set(first.json()[0]) == {"id", "externalXRef"}
    following = await manage.get(first.links["next"]["url"])
    assert len(following.json()) == 5
    assert "next" not in following.links
    found = await manage.get("service/tickets", params={"conditions": 'externalXRef="K-7" and closedFlag=false'})
    assert [row["externalXRef"] for row in found.json()] == ["k-7"]
    newest = await manage.get("service/tickets", params={"orderBy": "id desc", "pageSize": "1"})
    assert newest.json()[0]["externalXRef"] == "k-29"
    assert (await manage.get("service/tickets", params={"conditions": "summary=A"})).status_code == 400


async def test_connectwise_changes_status_by_patch_within_the_tickets_board(
    manage: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    number = (await manage.post("service/tickets", json=new())).json()["id"]
    place = f"service/tickets/{number}"
    wrong = [
        {"op": "replace", "path": "status", "value": {"id": 32}},
        {"op": "add", "path": "status", "value": {"id": 19}},
    ]
    for operation in wrong:
        assert (await manage.patch(place, json=[operation])).status_code == 400
    assert (await manage.patch(place, json=wrong[0])).status_code == 400
    done = await manage.patch(place, json=[{"op": "replace", "path": "status/id", "value": 19}])
    assert (done.json()["closedFlag"], (await shown(control, "connectwise"))[0]["state"]) == (True, "closed")
    renamed = await manage.patch(place, json=[{"op": "replace", "path": "summary", "value": "B"}])
    assert renamed.json()["summary"] == "B"
    assert (await manage.get(place)).json()["status"]["name"] == ">Closed"
    missing = await manage.get("service/tickets/1")
    assert (missing.status_code, missing.json()["code"]) == (404, "NotFound")


async def test_connectwise_wants_to_know_where_a_note_is_shown(manage: httpx.AsyncClient) -> None:
    number = (await manage.post("service/tickets", json=new())).json()["id"]
    answer = await manage.post(f"service/tickets/{number}/notes", json={"text": "x"})
    assert answer.json()["errors"][0]["message"].startswith("Please choose where to display")
    await manage.post(f"service/tickets/{number}/notes", json={"text": "x", "resolutionFlag": True})
    assert [row["text"] for row in (await manage.get(f"service/tickets/{number}/notes")).json()] == ["x"]


async def test_connectwise_boards_have_statuses_and_types_of_their_own(manage: httpx.AsyncClient) -> None:
    assert (await manage.get("service/boards/2")).json()["name"] == "Monitoring"
    assert (await manage.get("service/boards/9")).status_code == 404
    closed = await manage.get("service/boards/2/statuses", params={"conditions": "closedStatus=true"})
    assert [row["name"] for row in closed.json()] == ["Resolved"]
    assert (await manage.get("service/boards/9/types")).json() == []
    assert len((await manage.get("service/priorities")).json()) == 4


@pytest.mark.parametrize("kind", ["connectwise", "halopsa"])
async def test_people_close_reopen_and_delete_tickets(
    control: httpx.AsyncClient, manage: httpx.AsyncClient, halo: httpx.AsyncClient, kind: str
) -> None:
    if kind == "connectwise":
        number = (await manage.post("service/tickets", json=new())).json()["id"]
    else:
        number = (await halo.post("Tickets", json=[{"summary": "A", "client_id": 12}])).json()["id"]
    place = f"/receivers/{kind}/tickets/{number}"
    for state in ("closed", "open"):
        assert (await control.put(place, json={"state": state})).json()["state"] == state
        assert [row["state"] for row in await shown(control, kind)] == [state]
    assert (await control.put(place, json={"state": "lost"})).status_code == 400
    assert (await control.put(place, json={"colour": "red"})).status_code == 400
    assert (await control.delete(place)).status_code == 204
    assert (await control.delete(place)).status_code == 404
    assert (await control.put(place, json={"state": "open"})).status_code == 404
    assert await shown(control, kind) == []


async def test_halo_gives_tokens_for_the_secret_and_the_tenant_and_an_hour(
    control: httpx.AsyncClient, http: httpx.AsyncClient, halo: httpx.AsyncClient
) -> None:
    place = (await control.get("/world")).json()["receivers"]["halopsa"]
    form = {"grant_type": "client_credentials", "client_id": place["clientId"], "client_secret": "wrong"}
    refused = await http.post(f"{place['url']}/auth/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")
    other = await http.post(f"{place['url']}/auth/token", data={"grant_type": "password"})
    assert other.json() == {"error": "unsupported_grant_type"}
    kept = (await control.get("/receivers/halopsa")).json()["deliveries"]
    assert [row["raw"] for row in kept] == ["***", "***", "***"]
    assert (await halo.get("Tickets")).status_code == 200
    await control.post("/clock", json={"advanceSeconds": 3600})
    assert (await halo.get("Tickets")).status_code == 401


async def test_halo_takes_arrays_and_says_what_is_wrong(halo: httpx.AsyncClient) -> None:
    for body in (
        {"summary": "A", "client_id": 12},
        [{"summary": "A", "client_id": 999}],
        [{"summary": "", "client_id": 12}],
        [{"summary": "A", "client_id": 12, "priority_id": 99}],
    ):
        answer = await halo.post("Tickets", json=body)
        assert (answer.status_code, answer.json()["ClassName"]) == (400, "System.Exception")
    assert (await halo.post("Tickets", json=[{"id": 1, "status_id": 9}])).status_code == 404
    assert (await halo.get("Tickets/1")).status_code == 404


async def test_halo_moves_a_ticket_by_the_ticket_and_not_by_an_action(halo: httpx.AsyncClient) -> None:
    number = (await halo.post("Tickets", json=[{"summary": "A", "client_id": 12}])).json()["id"]
    without = await halo.post("Actions", json=[{"ticket_id": number, "note_html": "x"}])
    assert without.json()["Message"] == "An Outcome must be entered for this Action"
    assert (await halo.post("Actions", json=[{"ticket_id": 1, "outcome_id": 7}])).status_code == 400
    note = {"ticket_id": number, "outcome": "Resolved", "note_html": "a &amp; b<br>c", "new_status": 9}
    assert (await halo.post("Actions", json=[note])).json()["note"] == "a & b\nc"
    assert (await halo.get(f"Tickets/{number}")).json()["hasbeenclosed"] is False
    assert (await halo.post("Tickets", json=[{"id": number, "status_id": 99}])).status_code == 400
    assert (await halo.post("Tickets", json=[{"id": number, "status_id": 9}])).json()["hasbeenclosed"] is True
    newest = (await halo.get("Actions", params={"ticket_id": number, "count": 1})).json()
    assert (newest["record_count"], newest["actions"][0]["note"]) == (2, "a & b\nc")


async def test_halo_searches_and_pages_tickets(halo: httpx.AsyncClient) -> None:
    for number in range(3):
        await halo.post("Tickets", json=[{"summary": f"T{number}", "details": f"word{number}", "client_id": 12}])
    await halo.post("Tickets", json=[{"id": 2000, "status_id": 9}])
    found = (await halo.get("Tickets", params={"search_details": "WORD1"})).json()
    assert [row["summary"] for row in found["tickets"]] == ["T1"]
    page = (await halo.get("Tickets", params={"pageinate": "true", "page_size": 2, "page_no": 2})).json()
    assert ([row["summary"] for row in page["tickets"]], page["record_count"]) == (["T2"], 3)
    wanted = (await halo.get("Tickets", params={"ticketids": "2000,2002"})).json()["tickets"]
    assert [row["summary"] for row in wanted] == ["T0", "T2"]
    assert len((await halo.get("Tickets", params={"open_only": "true"})).json()["tickets"]) == 2
    assert [row["id"] for row in (await halo.get("Status", params={"excludeclosed": "true"})).json()] == [1, 2, 4, 8]


async def test_an_answer_can_be_lost_after_the_work_is_done(
    control: httpx.AsyncClient, manage: httpx.AsyncClient
) -> None:
    how = {"kind": "disconnectAfter", "times": 1, "method": "POST", "path": "/tickets$"}
    await control.put("/receivers/connectwise", json=how)
    assert (await manage.get("service/tickets")).json() == []
    with pytest.raises(httpx.RemoteProtocolError):
        await manage.post("service/tickets", json=new())
    assert len((await manage.get("service/tickets")).json()) == 1
    assert (await manage.post("service/tickets", json=new())).status_code == 201


async def test_faults_can_be_a_share_of_the_requests(control: httpx.AsyncClient, manage: httpx.AsyncClient) -> None:
    await control.put("/receivers/connectwise", json={"status": 429, "retryAfter": 2, "probability": 0.5})
    answers = [await manage.get("service/tickets") for _ in range(60)]
    refused = [row for row in answers if row.status_code == 429]
    assert 10 < len(refused) < 50
    assert refused[0].json()["code"] == "RateLimitExceeded"
    assert refused[0].headers["retry-after"] == "2"


async def test_faults_can_be_of_every_kind(control: httpx.AsyncClient, manage: httpx.AsyncClient) -> None:
    await control.put("/receivers/connectwise", json={"kind": "mixed"})
    seen: set[int] = set()
    for number in range(60):
        try:
            seen.add((await manage.post("service/tickets", json=new(externalXRef=str(number)))).status_code)
        except httpx.RemoteProtocolError:
            seen.add(0)
    assert seen == {0, 429, 503}
    assert 0 < len(await shown(control, "connectwise")) < 60


@pytest.mark.parametrize("how", [{"kind": "explode"}, {"path": "("}, {"status": "many"}])
async def test_moods_that_make_no_sense_are_refused(control: httpx.AsyncClient, how: dict[str, Any]) -> None:
    assert (await control.put("/receivers/halopsa", json=how)).status_code == 400


@pytest.mark.parametrize(
    "conditions, passes",
    [
        ("", True),
        ('summary contains "DISK" and id in (1, 7)', True),
        ('summary like "disk%" or closedFlag = true', True),
        ('summary not contains "disk"', False),
        ('company/name != "Fabrikam" and (id > 8 or id <= 7)', True),
        ("company/id = null and id >= 7 and id < 8", True),
        ("dateEntered > [2015-12-23T05:53:27Z]", True),
        ("closedFlag=true", False),
        ("company/name/first = null", True),
    ],
)
def test_conditions_are_read_as_connectwise_reads_them(conditions: str, passes: bool) -> None:
    row = {
        "id": 7,
        "summary": "Disk full",
        "closedFlag": False,
        "company": {"name": "Contoso"},
        "dateEntered": "2026-01-01T00:00:00Z",
    }
    assert parse(conditions)(row) is passes


@pytest.mark.parametrize(
    "conditions",
    ["id", "id =", "id = two", "id ~ 2", "id in 2", "id in (2", "(id = 2", "id = 2 3", '"id" = 2', 'summary = "a'],
)
def test_conditions_that_cannot_be_read_are_refused(conditions: str) -> None:
    with pytest.raises(BadConditions):
        parse(conditions)
