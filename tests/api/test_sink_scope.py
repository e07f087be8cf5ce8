"""What sinks may be called, hold and be told, how many there are, and that an odd answer is a failed result."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared import jobs, sites
from shared.access import ADMIN, Principal
from shared.jobs import ReadTickets
from shared.outbox import readback, saving, sinks
from shared.sinks import KINDS
from shared.sites import SITES, Site
from shared.store.tables import insert
from tests.estate import Estate
from tests.telling import alert_of, log_of, psa, tell

ALICE = Principal("alice", "Alice", frozenset({ADMIN}), None)
URL = "http://localhost:1/x"


async def told(estate: Estate, sink: dict[str, Any]) -> list[str]:
    return [row.event for row in await log_of(estate, sink)]


async def test_a_sink_that_is_off_is_told_of_to_who_may_see_it_only(estate: Estate) -> None:
    everything, contoso, both = (
        await estate.webhook(),
        await estate.webhook(siteIds=["contoso-hq"]),
        await estate.webhook(siteIds=["contoso-hq", "fabrikam-hq"]),
    )

    async def end(site_ids: list[str] | None) -> None:
        body = {"kind": "webhook", "name": "Gone", "settings": {"url": URL}, "siteIds": site_ids}
        made = await estate.call("POST", "/sinks", 201, json=body)
        row = await sinks.find(estate.app, made["id"])
        assert row is not None
        await sinks.disable(estate.app, row, "410")
        await estate.settle(30)

    counts = []
    for site_ids in (None, ["contoso-hq"], ["contoso-hq", "fabrikam-hq"], ["fabrikam-hq"]):
        await end(site_ids)
        counts.append([len(await told(estate, sink)) for sink in (everything, contoso, both)])
    assert counts == [[1, 0, 0], [2, 1, 1], [3, 1, 2], [4, 1, 3]]


async def test_what_belongs_to_no_site_is_told_to_the_sinks_of_every_site(estate: Estate) -> None:
    everything, contoso = await estate.webhook(), await estate.webhook(siteIds=["contoso-hq"])
    event = "tenantry.connection.needsConsent"
    await estate.app.queues.send(jobs.Announce(event=event, event_id="e", subject="c1"))
    await estate.settle(30)
    assert (await told(estate, everything), await told(estate, contoso)) == ([event], [])


async def test_choices_are_for_who_sees_every_site(estate: Estate) -> None:
    desk = await psa(estate, siteIds=["contoso-hq"])
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    answer = await bob.get(f"/sinks/{desk['id']}/choices/companies")
    assert (answer.status_code, "every site" in answer.json()["error"]["message"]) == (403, True)
    assert await estate.listed(f"/sinks/{desk['id']}/choices/companies")


async def test_an_odd_answer_is_a_failed_result(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await psa(estate)
    await tell(estate, alert_of(estate.app, "a"), ["opened"], [desk["id"]])

    async def odd(*_: Any) -> Any:
        return dict[str, Any]()["id"]

    for verb in ("test", "choices", "read"):
        monkeypatch.setattr(KINDS["connectwise"], verb, odd)
    tried = await estate.call("POST", f"/sinks/{desk['id']}/test")
    assert (tried["outcome"], "KeyError" in tried["detail"]) == ("failed", True)
    assert "KeyError" in (await estate.call("GET", f"/sinks/{desk['id']}/choices/boards", 503))["error"]["message"]
    await readback.run(estate.app, ReadTickets(sink_id=desk["id"]))


async def test_a_desk_of_two_thousand_clients_is_kept(estate: Estate) -> None:
    desk = await psa(estate)
    clients = [Site(id=f"{number:063d}", client_name=f"Client {number}", site_name="HQ") for number in range(2000)]
    for begin in range(0, len(clients), 100):
        await estate.app.tables.transact([insert(SITES, site) for site in clients[begin : begin + 100]])
    await sites.save(estate.app, "one-more", "One more", "HQ", by=ALICE)  # counts the revision, which ends what is kept
    companies = [{"siteId": f"{number:063d}", "companyId": f"{number:018d}"} for number in range(2000)]
    body = {**desk, "settings": {**desk["settings"], "companies": companies}}
    await estate.call("PUT", f"/sinks/{desk['id']}", json=body)
    assert (await estate.call("GET", f"/sinks/{desk['id']}"))["settings"]["companies"] == companies
    body = {**body, "settings": {**body["settings"], "privateKey": "p", "clientId": "c"}}
    made = await estate.call("POST", "/sinks", 201, json=body, headers={"Idempotency-Key": "big"})
    assert made == await estate.call("POST", "/sinks", 201, json=body, headers={"Idempotency-Key": "big"})
    fewer = {**desk, "settings": {**desk["settings"], "companies": companies[:3]}}
    await estate.call("PUT", f"/sinks/{desk['id']}", json=fewer)
    assert (await estate.call("GET", f"/sinks/{desk['id']}"))["settings"]["companies"] == companies[:3]
    body = {**body, "settings": {**body["settings"], "companies": [*companies, companies[0]]}}
    await estate.call("POST", "/sinks", 400, json=body)


async def test_there_are_only_so_many_sinks(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "MAX_SINKS", 4)
    monkeypatch.setattr(saving, "MAX_SINKS_OF_SITES", 2)
    await estate.grant("bob", "contoso-hq")
    bob, alice = await estate.person("bob"), estate.alice
    body = {"kind": "webhook", "name": "T", "settings": {"url": URL}, "siteIds": ["contoso-hq"]}
    assert [(await bob.post("/sinks", json=body)).status_code for _ in range(3)] == [201, 201, 409]
    assert [(await alice.post("/sinks", json=body)).status_code for _ in range(3)] == [201, 201, 409]
    callback = {"callbackUrl": "http://localhost:1/run?sig=x", "name": "S"}
    assert (await alice.post("/event-subscriptions", json=callback)).status_code == 409


UNSEEN = ["\u0000", "a\nb", "a\u202eb", "a\u2066b", "\u200fa", "a\u0085b"]


async def test_names_have_no_character_that_hides_or_turns_text(estate: Estate) -> None:
    for name in UNSEEN:
        sink = {"kind": "webhook", "name": name, "settings": {"url": URL}}
        await estate.call("POST", "/sinks", 400, json=sink)
        await estate.call("PUT", "/sites/s1", 400, json={"clientName": name, "siteName": "HQ"})
        await estate.call("POST", "/event-sources", 400, json={"name": name})
        await estate.call("POST", "/event-subscriptions", 400, json={"callbackUrl": URL, "name": name})
        connection = {"name": name, "partnerTenantId": "11111111-1111-4111-8111-111111111111"}
        await estate.call("POST", "/connections", 400, json=connection)
    await estate.call("PUT", "/sites/s1", 201, json={"clientName": "Zürich 東京 \U0001f600", "siteName": "HQ"})


async def test_a_position_that_is_no_text_is_refused(estate: Estate) -> None:
    sink = await estate.webhook()
    token = base64.urlsafe_b64encode(json.dumps(["\ud83d"]).encode()).decode().rstrip("=")
    for path in ("/alerts", f"/sinks/{sink['id']}/deliveries"):
        error = (await estate.call("GET", path, 400, params={"$skiptoken": token}))["error"]
        assert error["target"] == "$skiptoken"


@pytest.mark.parametrize("before", [None, ["contoso-hq", "fabrikam-hq"]], ids=["every", "two"])
async def test_what_a_sink_was_told_of_other_sites_stays_out_of_reach_when_it_is_narrowed(
    estate: Estate, before: list[str] | None
) -> None:
    sink, alert = await estate.webhook(siteIds=before), alert_of(estate.app, "a")
    await tell(estate, alert, ["opened"], [sink["id"]], site_id="fabrikam-hq", client_name="Fabrikam")
    [row] = await log_of(estate, sink)
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "siteIds": ["contoso-hq"]})
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "siteIds": ["contoso-hq"], "name": "Again"})
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    mine = {"kind": "webhook", "name": "B", "settings": {"url": URL}, "siteIds": ["contoso-hq"]}
    path = f"/sinks/{sink['id']}"
    assert (await bob.get("/sinks")).json()["value"] == []
    for answer in (
        await bob.get(f"{path}/deliveries"),
        await bob.put(path, json=mine),
        await bob.post(f"{path}/deliveries/{row.id}/redeliver", json={}),
    ):
        assert answer.status_code == 404
    assert (await bob.post("/sinks", json=mine)).status_code == 201
    assert len((await bob.get("/sinks")).json()["value"]) == 1
