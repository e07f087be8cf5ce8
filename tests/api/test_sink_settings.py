"""What a sink is asked to be names what there is; and a key in a webhook's URL is shown to nobody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared import sites
from shared.access import ADMIN, Principal
from shared.outbox import sinks
from shared.sinks.contract import EVENTS
from tests.estate import Estate
from tests.telling import psa

ALICE = Principal("alice", "Alice", frozenset({ADMIN}), None)
KEY = "s3cret-key-of-the-receiver"
URL = f"http://localhost:1/hook?code={KEY}&v=2&{KEY}"
SHOWN = "http://localhost:1/hook?code=***&v=***&***"


async def stored_url(estate: Estate, sink: dict[str, Any]) -> str:
    row = await sinks.find(estate.app, sink["id"])
    assert row is not None
    return str(row.settings["url"])


async def test_a_company_of_an_unknown_site_is_refused_by_name(estate: Estate) -> None:
    desk = await psa(estate)
    known = desk["settings"]["companies"]
    wrong = [*known, {"siteId": "nowhere", "companyId": "7"}, {"siteId": "neither", "companyId": "7"}]
    body = {**desk, "settings": {**desk["settings"], "companies": wrong}}
    error = (await estate.call("PUT", f"/sinks/{desk['id']}", 400, json=body))["error"]
    assert (error["code"], error["target"]) == ("unknownSite", "settings.companies")
    assert "neither, nowhere" in error["message"]
    assert (await estate.call("GET", f"/sinks/{desk['id']}"))["settings"]["companies"] == known


async def test_a_site_that_disappears_does_not_break_its_sinks(estate: Estate) -> None:
    await sites.save(estate.app, "closing", "Closing", "HQ", by=ALICE)
    company = {"siteId": "closing", "companyId": "7"}
    desk = await psa(estate, settings={"companies": [company]}, siteIds=["closing", "contoso-hq"])
    await sites.remove(estate.app, "closing", by=ALICE)
    renamed = await estate.call("PUT", f"/sinks/{desk['id']}", json={**desk, "name": "Renamed"})
    assert (renamed["name"], renamed["settings"]["companies"]) == ("Renamed", [company])
    without = {**renamed, "siteIds": None, "settings": {**renamed["settings"], "companies": []}}
    await estate.call("PUT", f"/sinks/{desk['id']}", json=without)
    await estate.call("PUT", f"/sinks/{desk['id']}", 400, json=desk | {"siteIds": None})


async def test_whose_sites_are_his_names_companies_of_them_only(estate: Estate) -> None:
    desk = await psa(estate, siteIds=["contoso-hq"])
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    more = [*desk["settings"]["companies"], {"siteId": "fabrikam-hq", "companyId": "7"}]
    answers = []
    for name in ("fabrikam-hq", "nowhere"):
        more[-1]["siteId"] = name
        answer = await bob.put(
            f"/sinks/{desk['id']}", json={**desk, "settings": {**desk["settings"], "companies": more}}
        )
        assert answer.status_code == 400
        answers.append(answer.json()["error"]["message"].replace(name, "it"))
    assert answers[0] == answers[1], "whether a site exists is not told by the refusal"


@pytest.mark.parametrize("kind", ["sink", "subscription"])
async def test_an_unknown_event_is_refused_by_name(estate: Estate, kind: str) -> None:
    events = ["tenantry.alert.opened", "tenantry.alert.open", "tenantry.tennant.synced"]
    if kind == "sink":
        body: dict[str, Any] = {"kind": "webhook", "name": "T", "settings": {"url": "http://localhost:1/x"}}
        path = "/sinks"
    else:
        body, path = {"callbackUrl": "http://localhost:1/x?sig=abc"}, "/event-subscriptions"
    error = (await estate.call("POST", path, 400, json={**body, "events": events}))["error"]
    assert (error["code"], error["target"]) == ("unknownEvent", "events")
    assert "tenantry.alert.open, tenantry.tennant.synced" in error["message"]
    assert await estate.listed("/sinks") == []


async def test_an_event_that_is_gone_does_not_break_its_sinks(estate: Estate) -> None:
    sink = await estate.webhook(events=["tenantry.tenant.synced"])
    row = await sinks.find(estate.app, sink["id"])
    assert row is not None
    await estate.app.tables.put(sinks.SINKS, row.changed(events=["tenantry.of.before"]))
    body = {**sink, "events": ["tenantry.of.before", "tenantry.tenant.failed"]}
    changed = await estate.call("PUT", f"/sinks/{sink['id']}", json=body)
    assert changed["events"] == ["tenantry.of.before", "tenantry.tenant.failed"]


def test_the_events_are_those_that_are_sent_and_documented() -> None:
    root = Path(__file__).parents[2]
    documented = re.findall(r"`(tenantry\.[a-z]+\.[A-Za-z]+)`", (root / "docs/api.md").read_text())
    assert set(documented) == set(EVENTS)
    name = r"\"(tenantry\.[a-z]+\.[A-Za-z]+)\""
    code = "\n".join(path.read_text() for path in (root / "shared").rglob("*.py"))
    # Telemetry's metrics, and what it says of a ticket's span, have names of the same form.
    told = {*re.findall(name, (root / "shared" / "telemetry.py").read_text()), "tenantry.sink.kind"}
    assert told.isdisjoint(EVENTS)
    assert set(re.findall(name, code)) - told == set(EVENTS)


async def test_the_values_of_a_urls_query_are_shown_to_nobody(estate: Estate) -> None:
    made = await estate.webhook(settings={"url": URL})
    assert made["settings"]["url"] == SHOWN
    shown = await estate.call("GET", f"/sinks/{made['id']}")
    changed = await estate.call("PUT", f"/sinks/{made['id']}", json={**shown, "name": "New"})
    tried = await estate.call("POST", f"/sinks/{made['id']}/test")
    assert tried["outcome"] == "failed"
    everything = f"{made} {shown} {changed} {tried} {await estate.listed('/sinks')}"
    assert KEY not in everything
    assert changed["settings"]["url"] == SHOWN
    assert await stored_url(estate, made) == URL


async def test_a_masked_value_stays_while_others_change(estate: Estate) -> None:
    made = await estate.webhook(settings={"url": URL})
    url = SHOWN.replace("v=***", "v=3")
    await estate.call("PUT", f"/sinks/{made['id']}", json={**made, "settings": {"url": url}})
    assert await stored_url(estate, made) == URL.replace("v=2", "v=3")
    await estate.call(
        "PUT", f"/sinks/{made['id']}", json={**made, "settings": {"url": "http://localhost:1/hook?v=***"}}
    )
    assert await stored_url(estate, made) == "http://localhost:1/hook?v=3"


@pytest.mark.parametrize(
    "url",
    [
        SHOWN.replace("localhost", "127.0.0.1"),
        SHOWN.replace("/hook", "/other"),
        SHOWN.replace(":1/", ":2/"),
        SHOWN.replace("http:", "https:"),
        SHOWN.replace("code=", "key="),
        f"{SHOWN}&code=***",
    ],
)
async def test_a_masked_value_goes_nowhere_else(estate: Estate, url: str) -> None:
    made = await estate.webhook(settings={"url": URL})
    error = (await estate.call("PUT", f"/sinks/{made['id']}", 400, json={**made, "settings": {"url": url}}))["error"]
    assert error["target"] == "settings.url"
    assert KEY not in str(error)
    assert await stored_url(estate, made) == URL


async def test_a_masked_value_makes_no_sink(estate: Estate) -> None:
    body = {"kind": "webhook", "name": "T", "settings": {"url": SHOWN}}
    assert (await estate.call("POST", "/sinks", 400, json=body))["error"]["target"] == "settings.url"


async def test_a_sink_whose_kind_or_settings_are_of_another_version_hides_no_other(estate: Estate) -> None:
    await estate.grant("carol", "contoso-hq")
    carol = await estate.person("carol")
    one, two = await estate.webhook(siteIds=["contoso-hq"]), await estate.webhook(siteIds=["contoso-hq"], name="Two")
    for sink, changes in ((one, {"kind": "pigeon"}), (two, {"settings": {"colour": "red", "url": URL}})):
        row = await sinks.find(estate.app, sink["id"])
        assert row is not None
        await estate.app.tables.put(sinks.SINKS, row.changed(**changes))
    for who in (carol, estate.alice):
        answer = await who.get("/sinks")
        assert answer.status_code == 200
        assert len(answer.json()["value"]) == 2
        assert KEY not in answer.text
