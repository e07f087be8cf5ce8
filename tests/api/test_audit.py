"""The audit log over the wire: who, what, why and the request ids of an act; what was tampered with; by tenant."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox.azure_types import VM
from shared.audit.records import HEAD, TABLE
from tests.app_fixtures import ApiFor
from tests.errors import error_of
from tests.estate import Estate

WHY = {"reason": "planned work", "ticketNumber": "T-1"}
MINE = {"x-ms-client-request-id": "call-1"}


def today(estate: Estate) -> str:
    return f"{estate.app.clock.now():%Y-%m-%d}"


async def verdict(estate: Estate, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = await estate.call("GET", "/audit/verify", params={"day": today(estate), **query})
    return found


async def rows_of(estate: Estate, chain: str) -> list[Any]:
    """The rows of a chain as they are stored, newest first."""
    where = f"chain eq '{chain}'"
    return [row async for row in estate.app.tables.rows(TABLE, today(estate), below=HEAD, where=where)]


async def renamed(estate: Estate, count: int) -> None:
    """So many acts that concern no client tenant."""
    for number in range(count):
        await estate.call("PUT", f"/sites/s{number}", 201, json={"clientName": "C", "siteName": f"S{number}", **WHY})


async def test_an_action_is_logged_at_both_ends_with_the_ids_of_both_sides(estate: Estate) -> None:
    await estate.poll()
    machine = estate.machine()
    device = estate.device_id(machine)
    begun = await estate.call("POST", f"/devices/{device}/actions/restart", 202, json=WHY, headers=MINE)
    await estate.settle(60, delayed=True)
    ended, accepted = await estate.listed("/audit", target=device)
    assert (accepted["outcome"], ended["outcome"]) == ("accepted", "succeeded")
    for entry in (accepted, ended):
        assert (entry["action"], entry["actorName"]) == ("device.restart", "Alice Anders")
        assert (entry["reason"], entry["ticketNumber"], entry["requestId"]) == ("planned work", "T-1", "call-1")
        assert entry["tenantId"] == estate.cloud().tenant_id
        assert (entry["details"]["operationId"], entry["details"]["name"]) == (begun["id"], machine.name)
    rows = [row for row in estate.sandbox.cloud.requests if row["service"] == "arm" and row["method"] == "POST"]
    [sent] = [row for row in rows if f"{machine.name}/restart" in row["url"]]
    assert ended["clientRequestId"] == sent["clientRequestId"]
    assert machine.type == VM


async def test_entries_belong_to_the_tenant_that_they_concern(estate: Estate) -> None:
    contoso, fabrikam = estate.cloud().tenant_id, estate.cloud("Fabrikam").tenant_id
    await estate.call("DELETE", "/sites/contoso-hq/mapping", params=WHY)
    await estate.call("PUT", "/sites/contoso-hq/mapping", json={"tenantId": contoso, **WHY})
    await estate.call("POST", "/tenants/unsync", 202, json={"tenantIds": [contoso, fabrikam], **WHY})
    await renamed(estate, 1)
    await estate.settle(60, delayed=True)

    async def acts(tenant: str) -> list[str]:
        found = await estate.listed("/audit", tenantId=tenant)
        assert {row["reason"] for row in found} == {"planned work"}
        return [row["action"] for row in found]

    assert await acts(contoso.upper()) == ["tenants.unsync", "site.map", "site.unmap"]
    assert await acts(fabrikam) == ["tenants.unsync"]
    assert await acts("provider") == ["site.set"]
    found = await verdict(estate)
    assert [(row["tenantId"], row["ok"]) for row in found["chains"]] == [
        (None, True),
        *((tenant, True) for tenant in sorted((contoso, fabrikam))),
    ]
    only = await verdict(estate, tenantId=fabrikam)
    assert [(row["tenantId"], row["entries"]) for row in only["chains"]] == [(fabrikam, 1)]


async def test_pages_stay_whole_while_entries_of_other_chains_arrive(estate: Estate) -> None:
    contoso = estate.cloud().tenant_id
    await renamed(estate, 4)
    first = await estate.call("GET", "/audit", params={"$top": 2})
    await estate.call("PUT", "/sites/contoso-hq/mapping", json={"tenantId": contoso})
    second = (await estate.alice.get(first["nextLink"])).json()
    seen = [row["target"] for row in first["value"] + second["value"]]
    assert seen == ["s3", "s2", "s1", "s0"]
    assert "nextLink" not in second


async def test_a_change_made_in_the_table_shows_and_says_where(estate: Estate) -> None:
    await renamed(estate, 4)
    before = await verdict(estate)
    assert (before["ok"], before["entries"], before["message"]) == (True, 4, "Every entry is as it was written.")
    row = (await rows_of(estate, "provider"))[1]
    await estate.app.tables.put_raw(TABLE, {**row, "data": row["data"].replace("planned work", "no reason at all")})
    after = await verdict(estate)
    [chain] = after["chains"]
    assert (after["ok"], after["message"]) == (False, "1 of 1 chains are not as they were written.")
    assert chain["firstProblem"] == {"entryId": row["RowKey"], "what": "It was changed after it was written."}
    assert chain["head"] == before["chains"][0]["head"]
    await estate.app.tables.put_raw(TABLE, dict(row))
    assert (await verdict(estate))["ok"]


@pytest.mark.parametrize("number", [0, 1, 3], ids=["the last", "one between", "the first"])
async def test_a_row_removed_from_the_table_shows(estate: Estate, number: int) -> None:
    await renamed(estate, 4)
    row = (await rows_of(estate, "provider"))[number]
    await estate.app.tables.delete_raw(TABLE, row["PartitionKey"], row["RowKey"])
    [chain] = (await verdict(estate))["chains"]
    assert (chain["ok"], chain["entries"]) == (False, 3)
    assert chain["firstProblem"]["what"]
    await estate.call("PUT", "/sites/later", 201, json={"clientName": "C", "siteName": "S"})
    assert not (await verdict(estate))["ok"], "going on does not hide it"


async def test_a_log_that_is_written_meanwhile_is_whole(estate: Estate) -> None:
    await renamed(estate, 2)
    verdicts = await asyncio.gather(*(verdict(estate) for _ in range(4)), _more(estate))
    assert [found["ok"] for found in verdicts if found] == [True] * 4


async def _more(estate: Estate) -> None:
    for number in range(6):
        body = {"clientName": "D", "siteName": f"S{number}"}
        await estate.call("PUT", f"/sites/more{number}", 201, json=body)


async def test_a_day_without_entries_is_whole_and_says_so(fresh_alice: httpx.AsyncClient) -> None:
    for day in ("2020-02-29", "0001-01-01", "9999-12-31"):
        found = (await fresh_alice.get("/audit/verify", params={"day": day})).json()
        assert (found["day"], found["ok"], found["entries"], found["chains"]) == (day, True, 0, [])
        assert found["message"] == "Nothing was written on this day."


@pytest.mark.parametrize(
    "query",
    [
        "",
        "day=",
        "day=today",
        "day=2026-02-30",
        "day=2026-2-3",
        "day=20260203",
        "day=1700000000",
        "day=2026-02-03T00:00",
        "day=2026-02-03&tenantId=",
        "day=2026-02-03&tenantId=a'b",
        "day=2026-02-03&tenant=a",
    ],
)
async def test_a_wrong_question_is_refused(fresh_alice: httpx.AsyncClient, query: str) -> None:
    error_of(await fresh_alice.get(f"/audit/verify?{query}"), 400, "invalidInput")


async def test_only_administrators_verify(estate: Estate, api: ApiFor) -> None:
    for person in ("bob", "carol"):
        answer = await (await api(person)).get("/audit/verify", params={"day": today(estate)})
        error_of(answer, 403, "forbidden")


async def test_what_ends_is_logged_with_its_reason(estate: Estate) -> None:
    sink = await estate.webhook()
    source = await estate.call("POST", "/event-sources", 201, json={"kind": "event-grid", "name": "Grid"})
    begin = estate.app.clock.now() + timedelta(days=1)
    times = {"startAt": begin.isoformat(), "endAt": (begin + timedelta(hours=1)).isoformat()}
    window = {"siteIds": ["contoso-hq"], **times}
    made = await estate.call("POST", "/maintenance", 201, json={**window, "reason": "later"})
    for path, target in (
        (f"/sinks/{sink['id']}", sink["id"]),
        (f"/event-sources/{source['id']}", source["id"]),
        (f"/maintenance/{made['id']}", made["id"]),
    ):
        await estate.call("DELETE", path, 204, params=WHY, headers=MINE)
        entry = (await estate.listed("/audit", target=target))[0]
        said = [entry[name] for name in ("reason", "ticketNumber", "requestId", "actorName")]
        assert said == ["planned work", "T-1", "call-1", "Alice Anders"], path


async def test_a_grant_is_logged_with_its_reason(estate: Estate) -> None:
    person = "5f0c1f6e-0000-4000-8000-000000000001"
    await estate.call("PUT", f"/access/{person}", json={"siteIds": ["contoso-hq"], **WHY})
    [entry] = await estate.listed("/audit", target=person)
    assert (entry["reason"], entry["ticketNumber"], entry["tenantId"]) == ("planned work", "T-1", None)
