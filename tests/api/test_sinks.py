"""Sinks over the wire: making them, who is told what, and what stays secret."""

from __future__ import annotations

import base64
import ipaddress
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from shared import jobs, outbox
from shared.outbox import sinks, trial
from shared.sinks import KINDS, http, public_address, webhook
from shared.sinks.contract import Message, SinkError
from tests.errors import error_of
from tests.estate import Estate
from tests.telling import alert_of, log_of, psa, tell

URL = "https://93.184.216.34/hook"


@pytest_asyncio.fixture
async def strict(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """As in production: https and public addresses only."""
    settings = estate.app.settings.model_copy(update={"allow_private_webhooks": False})
    monkeypatch.setattr(estate.app, "settings", settings)
    return estate


async def announce(estate: Estate, event_id: str = "e1", site_ids: list[str] | None = None) -> None:
    """Announce something to the sinks, and wait until it was tried."""
    job = jobs.Announce(
        event="tenantry.tenant.synced", event_id=event_id, subject="t1", site_ids=site_ids, data={"id": "t1"}
    )
    await estate.app.queues.send(job)
    await estate.settle(30)


async def kept_secret(estate: Estate, sink: dict[str, Any]) -> str:
    """What the vault holds for a sink."""
    row = await sinks.find(estate.app, sink["id"])
    assert row is not None
    return str((await sinks.secrets_of(estate.app, row))["secret"])


async def test_the_kinds_describe_their_settings_as_json_schema(estate: Estate) -> None:
    kinds = {kind["kind"]: kind for kind in await estate.listed("/sinks/kinds")}
    assert set(kinds) == set(KINDS)
    assert {name for name, kind in kinds.items() if kind["tickets"]} >= {"connectwise"}
    webhook_settings = kinds["webhook"]["settings"]
    assert webhook_settings["properties"]["url"]["type"] == "string"
    assert webhook_settings["required"] == ["url"]
    for kind in kinds.values():
        assert kind["settings"]["additionalProperties"] is False
        secrets = [row for row in kind["settings"]["properties"].values() if "writeOnly" in str(row)]
        assert secrets, kind["kind"]
        assert all(row.get("description") or row.get("title") for row in kind["settings"]["properties"].values()), kind[
            "kind"
        ]


async def test_a_missing_secret_is_made_and_shown_once(estate: Estate) -> None:
    made = await estate.webhook(settings={"url": "http://localhost:1/x"})
    secret = made["settings"]["secret"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert await kept_secret(estate, made) == secret
    shown = await estate.call("GET", f"/sinks/{made['id']}")
    assert shown["settings"] == {"url": "http://localhost:1/x"}
    changed = await estate.call("PUT", f"/sinks/{made['id']}", json={**shown, "name": "New"})
    assert changed["settings"] == {"url": "http://localhost:1/x"}
    assert await kept_secret(estate, made) == secret
    everything = str([entity async for entity in estate.app.tables.rows("Sinks", "sink")])
    assert secret not in everything


async def test_a_repeated_key_neither_stores_nor_repeats_a_made_secret(estate: Estate) -> None:
    body = {"kind": "webhook", "name": "Tickets", "settings": {"url": "http://localhost:1/x"}}
    headers = {"Idempotency-Key": "make-it"}
    first = await estate.call("POST", "/sinks", 201, json=body, headers=headers)
    secret = first["settings"].pop("secret")
    assert await estate.call("POST", "/sinks", 201, json=body, headers=headers) == first
    assert len(await estate.listed("/sinks")) == 1
    tomorrow = estate.app.clock.now() + timedelta(days=1)
    [(partition, key)] = await estate.app.tables.untouched("Idempotency", tomorrow, limit=2)
    row = await estate.app.tables.get_raw("Idempotency", partition, key)
    assert row is not None
    stored = base64.b64decode(json.loads(row["data"])["body"]).decode()
    assert json.loads(stored) == first
    assert secret not in str(row) + stored


async def test_a_given_secret_is_kept_in_the_vault_and_never_shown(estate: Estate) -> None:
    sink = await estate.webhook()
    assert "secret" not in sink["settings"]
    assert "secret" not in str(await estate.listed("/sinks"))


async def test_a_changed_secret_signs_the_next_delivery(estate: Estate) -> None:
    sink = await estate.webhook()
    await announce(estate)
    secret = webhook.make_secret()
    body = {**sink, "settings": {**sink["settings"], "secret": secret}}
    await estate.call("PUT", f"/sinks/{sink['id']}", json=body)
    await announce(estate, "e2")
    old, new = await estate.received()
    assert (old["verified"], new["verified"]) == (True, False)
    Webhook(secret).verify(new["raw"], new["headers"])


async def test_a_delivery_is_a_cloudevent_with_a_standard_webhooks_signature(estate: Estate) -> None:
    await estate.webhook()
    await announce(estate)
    [arrived] = await estate.received()
    body, headers = arrived["body"], arrived["headers"]
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (body["specversion"], body["type"], body["subject"]) == ("1.0", "tenantry.tenant.synced", "t1")
    assert body["source"] == estate.app.settings.public_api_url
    assert body["time"].endswith("Z")
    assert body["data"] == {"id": "t1"}
    assert body["id"] == headers["webhook-id"]
    assert "." not in body["id"]
    secret = (await estate.control.get("/world")).json()["receivers"]["webhook"]["secret"]
    Webhook(secret).verify(arrived["raw"], headers)


async def test_the_same_announcement_twice_is_sent_once(estate: Estate) -> None:
    await estate.webhook()
    await announce(estate)
    await estate.advance(3600)
    await announce(estate)
    await announce(estate, "e2")
    assert len(await estate.received()) == 2


async def test_a_sink_hears_of_the_events_it_asked_for_and_a_desk_of_alerts_only(estate: Estate) -> None:
    chosen = await estate.webhook(events=["tenantry.tenant.synced", "tenantry.alert.closed"])
    others, desk = await estate.webhook(events=["tenantry.tenant.failed"]), await psa(estate)
    assert chosen["events"] == ["tenantry.alert.closed", "tenantry.tenant.synced"]
    await announce(estate)
    assert [len(await log_of(estate, sink)) for sink in (chosen, others, desk)] == [1, 0, 0]
    told = await outbox.sinks_for(estate.app, "contoso-hq")
    assert sorted(told) == sorted([chosen["id"], desk["id"]])
    await tell(estate, alert_of(estate.app, "a"), ["opened", "closed"], told)
    assert [len(await log_of(estate, sink)) for sink in (chosen, others, desk)] == [2, 0, 2]


async def test_a_sink_that_is_off_gets_what_it_missed_once_it_is_on(estate: Estate) -> None:
    sink = await estate.webhook(enabled=False)
    await announce(estate)
    assert await estate.received() == []
    await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": True})
    await estate.settle(30)
    assert len(await estate.received()) == 1


async def test_secrets_that_are_not_sent_stay(estate: Estate) -> None:
    sink = await psa(estate)
    assert {"privateKey", "clientId"}.isdisjoint(sink["settings"])
    stored = await sinks.find(estate.app, sink["id"])
    assert stored is not None
    before = await sinks.secrets_of(estate.app, stored)
    path = f"/sinks/{sink['id']}"
    await estate.call("PUT", path, json={**sink, "name": "New"})
    again = await sinks.find(estate.app, sink["id"])
    assert again is not None
    assert again.secret_name == stored.secret_name
    settings = {**sink["settings"], "privateKey": "new", "clientId": None}
    await estate.call("PUT", path, json={**sink, "settings": settings})
    changed = await sinks.find(estate.app, sink["id"])
    assert changed is not None
    assert await sinks.secrets_of(estate.app, changed) == {**before, "privateKey": "new"}
    assert await estate.app.vault.get(stored.secret_name) is None


async def test_a_sink_whose_secret_is_gone_is_switched_off_and_says_what_to_do(estate: Estate) -> None:
    sink = await estate.webhook()
    stored = await sinks.find(estate.app, sink["id"])
    assert stored is not None
    await estate.app.vault.delete(stored.secret_name)
    estate.app.memory.clear()
    await announce(estate)
    shown = await estate.call("GET", f"/sinks/{sink['id']}")
    assert (shown["enabled"], "Save the sink with a new one" in shown["disabledReason"]) == (False, True)
    saved = await estate.call("PUT", f"/sinks/{sink['id']}", json={**sink, "enabled": True})
    assert saved["settings"]["secret"].startswith("whsec_"), "made anew, as for a new sink"
    await estate.settle(30)
    assert [row.state for row in await log_of(estate, sink)] == ["delivered"]


async def test_what_can_be_chosen_is_asked_of_the_other_system(estate: Estate) -> None:
    desk, hook = await psa(estate), await estate.webhook()
    boards = await estate.listed(f"/sinks/{desk['id']}/choices/boards")
    assert {"id": "1", "name": "Service Desk"} in boards
    await estate.call("GET", f"/sinks/{desk['id']}/choices/colours", 400)
    await estate.call("GET", f"/sinks/{hook['id']}/choices/boards", 400)
    (await estate.control.put("/receivers/connectwise", json={"status": 503})).raise_for_status()
    await estate.call("GET", f"/sinks/{desk['id']}/choices/companies", 503)
    (await estate.control.put("/receivers/connectwise", json={"revoked": True})).raise_for_status()
    await estate.call("GET", f"/sinks/{desk['id']}/choices/companies", 400)


async def test_trying_a_desk_proves_its_settings_and_makes_no_ticket(estate: Estate) -> None:
    desk = await psa(estate)
    passed = await estate.call("POST", f"/sinks/{desk['id']}/test")
    assert passed["outcome"] == "passed", passed
    (await estate.control.put("/receivers/connectwise", json={"revoked": True})).raise_for_status()
    failed = await estate.call("POST", f"/sinks/{desk['id']}/test")
    assert (failed["outcome"], failed["status"]) == ("failed", 401)
    assert (await estate.control.get("/receivers/connectwise")).json()["tickets"] == []


async def test_sinks_hear_of_their_own_sites_only(estate: Estate) -> None:
    everything = await estate.webhook()
    contoso = await estate.webhook(siteIds=["contoso-hq"])
    fabrikam = await estate.webhook(siteIds=["fabrikam-hq"])
    await announce(estate, "e1", ["contoso-hq"])
    await announce(estate, "e2", [])
    await announce(estate, "e3", None)
    counts = [len(await log_of(estate, sink)) for sink in (everything, contoso, fabrikam)]
    assert counts == [3, 1, 0]


async def test_trying_a_sink_says_what_the_receiver_said(estate: Estate) -> None:
    sink = await estate.webhook()
    passed = await estate.call("POST", f"/sinks/{sink['id']}/test")
    assert (passed["outcome"], passed["status"]) == ("passed", 200)
    await estate.receiver_fails(status=500, times=1)
    failed = await estate.call("POST", f"/sinks/{sink['id']}/test")
    assert (failed["outcome"], failed["status"]) == ("failed", 500)
    received = await estate.received()
    assert [row["body"]["type"] for row in received] == ["tenantry.sink.test"] * 2
    audited = await estate.listed("/audit", target=sink["id"])
    assert [row["outcome"] for row in audited if row["action"] == "sink.test"] == ["failed", "succeeded"]


async def test_a_sink_is_tried_so_often_and_no_more(estate: Estate) -> None:
    sink, other = await estate.webhook(), await estate.webhook()
    path = f"/sinks/{sink['id']}/test"
    for _ in range(trial.BURST):
        await estate.call("POST", path)
    refused = await estate.alice.post(path)
    error_of(refused, 429, "tooManyRequests")
    assert len(await estate.received()) == trial.BURST
    assert (await estate.call("POST", f"/sinks/{other['id']}/test"))["outcome"] == "passed"
    await estate.advance(int(refused.headers["retry-after"]))
    assert (await estate.call("POST", path))["outcome"] == "passed"


async def test_a_deleted_sink_is_gone_with_its_secret(estate: Estate) -> None:
    sink = await estate.webhook()
    stale = await estate.alice.delete(f"/sinks/{sink['id']}", headers={"If-Match": '"old"'})
    assert stale.status_code == 412
    row = await sinks.find(estate.app, sink["id"])
    assert row is not None
    assert (await estate.alice.delete(f"/sinks/{sink['id']}")).status_code == 204
    await estate.call("GET", f"/sinks/{sink['id']}", 404)
    assert await estate.app.vault.get(row.secret_name) is None
    await announce(estate)
    assert await estate.received() == []


async def test_a_url_inside_our_network_or_without_tls_is_refused(strict: Estate) -> None:
    for url in (
        "http://93.184.216.34/hook",
        "https://127.0.0.1/hook",
        "https://10.1.2.3/hook",
        "https://169.254.169.254/metadata",
        "https://localhost/hook",
        "https://[::1]/hook",
        "https://user:pass@93.184.216.34/hook",
        "nonsense",
    ):
        body = {"kind": "webhook", "name": "Tickets", "settings": {"url": url}}
        error = (await strict.call("POST", "/sinks", 400, json=body))["error"]
        assert error["target"] == "settings.url", url
    assert await strict.listed("/sinks") == []


async def test_an_address_is_checked_again_when_something_is_sent(strict: Estate) -> None:
    sink = await strict.webhook(settings={"url": URL})
    stored = await sinks.find(strict.app, sink["id"])
    assert stored is not None
    # As a name does that resolved to the internet when it was saved, and to our network later.
    await strict.app.tables.put(sinks.SINKS, stored.changed(settings={"url": "https://localhost/hook"}))
    tried = await strict.call("POST", f"/sinks/{sink['id']}/test")
    assert (tried["outcome"], tried["detail"]) == ("failed", "localhost is not on the public internet.")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "pigeon"}, "kind"),
    ({"settings": {}}, "settings.url"),
    ({"settings": {"url": URL, "colour": "red"}}, "settings.colour"),
    ({"settings": {"url": 7}}, "settings.url"),
    ({"settings": {"url": URL, "secret": "short"}}, "settings.secret"),
    ({"settings": {"url": URL, "secret": "whsec_c2hvcnQ="}}, "settings.secret"),
    ({"settings": {"url": URL, "secret": 7}}, "settings.secret"),
    ({"name": ""}, "name"),
    ({"siteIds": []}, "siteIds"),
    ({"colour": "red"}, "colour"),
    ({"events": []}, "events"),
    ({"events": ["everything"]}, "events.0"),
]


async def test_a_wrong_sink_is_refused_with_the_field(estate: Estate) -> None:
    for changes, target in WRONG:
        body = {"kind": "webhook", "name": "Tickets", "settings": {"url": URL}, **changes}
        error = (await estate.call("POST", "/sinks", 400, json=body))["error"]
        named = {error.get("target"), *(detail["target"] for detail in error.get("details", []))}
        assert target in named, changes
    assert await estate.listed("/sinks") == []


async def test_a_sink_of_unknown_sites_is_not_made(estate: Estate) -> None:
    body = {"kind": "webhook", "name": "T", "settings": {"url": URL}, "siteIds": ["nowhere"]}
    await estate.call("POST", "/sinks", 404, json=body)


async def test_bob_makes_and_sees_sinks_of_his_sites_only(estate: Estate) -> None:
    await estate.grant("bob", "contoso-hq")
    bob = await estate.person("bob")
    everything, fabrikam = await estate.webhook(), await estate.webhook(siteIds=["fabrikam-hq"])
    body = {"kind": "webhook", "name": "Bob's", "settings": {"url": "http://localhost:1/x?sig=abc"}}
    assert (await bob.post("/sinks", json=body)).status_code == 403
    assert (await bob.post("/sinks", json={**body, "siteIds": ["fabrikam-hq"]})).status_code == 404
    made = await bob.post("/sinks", json={**body, "siteIds": ["contoso-hq"]})
    assert made.status_code == 201
    assert [row["id"] for row in (await bob.get("/sinks")).json()["value"]] == [made.json()["id"]]
    for hidden in (everything, fabrikam):
        for answer in (
            await bob.get(f"/sinks/{hidden['id']}"),
            await bob.put(f"/sinks/{hidden['id']}", json={**body, "siteIds": ["contoso-hq"]}),
            await bob.delete(f"/sinks/{hidden['id']}"),
            await bob.post(f"/sinks/{hidden['id']}/test"),
            await bob.get(f"/sinks/{hidden['id']}/deliveries"),
        ):
            assert answer.status_code == 404


async def test_readers_see_no_key_in_a_url_and_change_nothing(estate: Estate) -> None:
    await estate.grant("carol", "contoso-hq")
    sink = await estate.webhook(siteIds=["contoso-hq"], settings={"url": "http://localhost:1/x?sig=abc"})
    carol = await estate.person("carol")
    assert (await carol.get(f"/sinks/{sink['id']}")).json()["settings"] == {"url": "http://localhost:1/..."}
    for answer in (
        await carol.post("/sinks", json={}),
        await carol.put(f"/sinks/{sink['id']}", json={}),
        await carol.delete(f"/sinks/{sink['id']}"),
        await carol.post(f"/sinks/{sink['id']}/test"),
    ):
        assert answer.status_code == 403


async def test_a_stale_change_is_refused(estate: Estate) -> None:
    sink = await estate.webhook()
    first = await estate.alice.get(f"/sinks/{sink['id']}")
    etag = {"If-Match": first.headers["etag"]}
    changed = await estate.alice.put(f"/sinks/{sink['id']}", json={**sink, "name": "One"}, headers=etag)
    assert changed.status_code == 200
    stale = await estate.alice.put(f"/sinks/{sink['id']}", json={**sink, "name": "Two"}, headers=etag)
    assert stale.status_code == 412
    assert (await estate.call("GET", f"/sinks/{sink['id']}"))["name"] == "One"


async def test_the_same_idempotency_key_makes_one_sink(estate: Estate) -> None:
    body = {"kind": "webhook", "name": "Once", "settings": {"url": URL}}
    key = {"Idempotency-Key": "k1"}
    answers = [await estate.alice.post("/sinks", json=body, headers=key) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(await estate.listed("/sinks")) == 1


async def test_a_connection_goes_to_the_address_that_was_checked(strict: Estate) -> None:
    url, host, extensions = await http.pinned(sinks.outlet(strict.app, "s"), "https://93.184.216.34:8443/a?b=c")
    assert (url, host) == ("https://93.184.216.34:8443/a?b=c", "93.184.216.34:8443")
    assert extensions == {"sni_hostname": "93.184.216.34"}
    assert httpx.URL(url).host == "93.184.216.34"


async def test_the_certificate_must_be_of_the_name_and_the_address_the_one_checked(
    strict: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Address("127.0.0.1")

    # There is no name server here that leads public names to a server of ours.
    monkeypatch.setattr(public_address, "resolve", resolve)
    port = httpx.URL(strict.sandbox.urls["arm"]).port
    outlet, message = sinks.outlet(strict.app, "s"), Message("m1", "x", b"{}")

    def settings(host: str) -> webhook.Settings:
        return webhook.complete(webhook.Settings(url=f"https://{host}:{port}/x"))[0]

    with pytest.raises(SinkError) as reached:
        await webhook.open(outlet, settings("management.azure.com"), message)
    assert reached.value.status in (400, 401, 404), reached.value.message
    with pytest.raises(SinkError) as stranger:
        await webhook.open(outlet, settings("example.org"), message)
    assert stranger.value.status == 0
    assert "certificate" in stranger.value.message.lower()
