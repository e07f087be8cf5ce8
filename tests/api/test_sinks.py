"""Sinks over the wire: making them, what is sent, how often it is tried, and what stays secret."""

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

from shared import jobs
from shared.alerts import deliveries, sinks
from shared.alerts.deliveries import DELIVERIES, DUES, Delivery
from shared.sinks import public_address, webhook
from shared.sinks.contract import Message, SinkError
from tests.estate import Estate

URL = "https://93.184.216.34/hook"


@pytest_asyncio.fixture
async def strict(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """As in production: https and public addresses only."""
    settings = estate.app.settings.model_copy(update={"allow_private_webhooks": False})
    monkeypatch.setattr(estate.app, "settings", settings)
    return estate


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every retry is due at once, so that the attempts of a day take a moment."""
    monkeypatch.setattr(deliveries, "BACK_OFF", (0,) * len(deliveries.BACK_OFF))


async def announce(estate: Estate, event_id: str = "e1", site_ids: list[str] | None = None) -> None:
    """Announce something to the sinks, and wait until it was tried."""
    job = jobs.Announce(
        event="tenantry.tenant.synced", event_id=event_id, subject="t1", site_ids=site_ids, data={"id": "t1"}
    )
    await estate.app.queues.send(job)
    await estate.settle(30)


async def kept_secret(estate: Estate, sink: dict[str, Any]) -> str | None:
    """What the vault holds for a sink."""
    row = await sinks.find(estate.app, sink["id"])
    assert row is not None
    return await estate.app.vault.get(row.secret_name)


async def rows(estate: Estate, sink: dict[str, Any]) -> list[Delivery]:
    return await deliveries.of_sink(estate.app, sink["id"])


async def test_the_kinds_describe_their_settings_as_json_schema(estate: Estate) -> None:
    [kind] = await estate.listed("/sinks/kinds")
    assert kind["kind"] == "webhook"
    assert kind["settings"]["properties"]["url"]["type"] == "string"
    assert kind["settings"]["required"] == ["url"]
    assert kind["settings"]["additionalProperties"] is False


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


async def test_sinks_hear_of_their_own_sites_only(estate: Estate) -> None:
    everything = await estate.webhook()
    contoso = await estate.webhook(siteIds=["contoso-hq"])
    fabrikam = await estate.webhook(siteIds=["fabrikam-hq"])
    await announce(estate, "e1", ["contoso-hq"])
    await announce(estate, "e2", [])
    await announce(estate, "e3", None)
    counts = [len(await rows(estate, sink)) for sink in (everything, contoso, fabrikam)]
    assert counts == [3, 2, 1]


async def test_a_sink_that_is_off_is_told_nothing(estate: Estate) -> None:
    sink = await estate.webhook(enabled=False)
    await announce(estate)
    assert await rows(estate, sink) == []
    assert await estate.received() == []


async def test_a_failing_receiver_is_tried_again_with_the_same_id(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=503, times=2)
    await announce(estate)
    received = await estate.received()
    assert [row["status"] for row in received] == [503, 503, 200]
    assert len({row["headers"]["webhook-id"] for row in received}) == 1
    assert len({row["raw"] for row in received}) == 1
    [shown] = await estate.listed(f"/sinks/{sink['id']}/deliveries")
    assert shown["state"] == "delivered"
    assert [attempt["status"] for attempt in shown["attempts"]] == [503, 503, 200]
    assert all(attempt["durationMs"] >= 0 for attempt in shown["attempts"])


async def test_a_dropped_connection_is_a_failed_attempt_with_its_reason(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(kind="disconnect", times=1)
    await announce(estate)
    [row] = await rows(estate, sink)
    assert [attempt.status for attempt in row.attempts] == [0, 200]
    assert "could not be reached" in str(row.attempts[0].error)


async def test_a_silent_receiver_is_left_after_the_time_out(
    estate: Estate, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    sink = await estate.webhook()
    await estate.receiver_fails(delayMs=1000, times=1)
    await announce(estate)
    [row] = await rows(estate, sink)
    assert "did not answer" in str(row.attempts[0].error)
    assert row.state == "delivered"


async def test_a_redirect_is_a_failure_and_not_followed(estate: Estate, quick: None) -> None:
    await estate.webhook()
    await estate.receiver_fails(status=302, times=1)
    await announce(estate)
    assert [row["status"] for row in await estate.received()] == [302, 200]


async def test_after_the_last_attempt_a_delivery_has_failed(estate: Estate, quick: None) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=500)
    await announce(estate)
    [row] = await rows(estate, sink)
    assert (row.state, len(row.attempts)) == ("failed", len(deliveries.BACK_OFF) + 1)
    assert row.last_error == 'The receiver answered 500: {"error":"The receiver was told to fail."}'


async def test_a_receiver_that_is_gone_switches_its_sink_off(estate: Estate) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=410)
    await announce(estate)
    await announce(estate, "e2")
    assert len(await estate.received()) == 1
    shown = await estate.call("GET", f"/sinks/{sink['id']}")
    assert (shown["enabled"], shown["disabledReason"]) == (False, "The receiver answered 410: it is gone.")
    await estate.receiver_fails()
    again = await estate.call("PUT", f"/sinks/{sink['id']}", json={**shown, "enabled": True})
    assert "disabledReason" not in again
    await estate.settle(30)
    assert len(await estate.received()) == 2, "what failed then"
    await announce(estate, "e3")
    assert len(await estate.received()) == 3


async def test_a_sink_that_is_on_again_is_told_once_and_in_order_what_it_missed(estate: Estate) -> None:
    sink = await estate.webhook()
    path = f"/sinks/{sink['id']}"
    machine = estate.machine()
    await estate.poll()
    estate.fall_ill(machine)
    await estate.poll()
    await estate.call("PUT", path, json={**sink, "enabled": False})
    estate.recover(machine)
    await estate.poll()
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    assert (alert["state"], alert["tickets"][0]["state"]) == ("closed", "failed")
    assert "Enable it" in alert["tickets"][0]["lastError"]
    for _ in range(2):
        await estate.call("PUT", path, json=sink)
        await estate.settle(30, delayed=True)
    verbs = [row["body"]["type"].rpartition(".")[2] for row in await estate.received()]
    assert verbs == ["opened", "closed"]
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    assert alert["tickets"][0]["state"] == "closed"


async def test_a_receiver_that_was_gone_gets_the_opening_before_the_end(estate: Estate) -> None:
    sink = await estate.webhook()
    machine = estate.machine()
    await estate.poll()
    await estate.receiver_fails(status=410)
    estate.fall_ill(machine)
    await estate.poll()
    await estate.receiver_fails()
    estate.recover(machine)
    await estate.poll()
    before = len(await estate.received())
    await estate.call("PUT", f"/sinks/{sink['id']}", json=sink)
    await estate.settle(30, delayed=True)
    verbs = [row["body"]["type"].rpartition(".")[2] for row in (await estate.received())[before:]]
    assert verbs == ["opened", "closed"]


async def test_what_a_sink_missed_more_than_a_week_ago_or_for_another_reason_stays_failed(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BACK_OFF", ())
    sink = await estate.webhook()
    await estate.receiver_fails(status=410)
    await announce(estate)
    await estate.advance(deliveries.RESUMED.total_seconds() + 1)
    await estate.receiver_fails(status=500, times=1)
    alice = await estate.person("alice")
    assert (await alice.put(f"/sinks/{sink['id']}", json=sink)).status_code == 200
    await announce(estate, "e2")
    assert (await alice.put(f"/sinks/{sink['id']}", json=sink)).status_code == 200
    await estate.settle(30, delayed=True)
    assert [row.state for row in await rows(estate, sink)] == ["failed", "failed"]
    assert len(await estate.received()) == 2


async def test_retry_after_is_waited_for_when_it_is_longer_than_ours(estate: Estate) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=429, times=1, retryAfter=900)
    began = estate.app.clock.now()
    await announce(estate)
    [row] = await rows(estate, sink)
    assert timedelta(seconds=890) < row.due_at - began < timedelta(seconds=960)


async def test_a_long_wait_is_a_row_that_the_timer_looks_at(estate: Estate) -> None:
    sink = await estate.webhook()
    await estate.receiver_fails(status=429, times=1, retryAfter=900)
    await announce(estate)
    await estate.timer("deliver_due")
    assert len(await estate.received()) == 1
    await estate.advance(901)
    await estate.timer("deliver_due")
    received = await estate.received()
    assert [row["status"] for row in received] == [429, 200]
    assert all(row["verified"] for row in received)
    assert (await rows(estate, sink))[0].state == "delivered"
    assert await estate.app.tables.all(DUES, deliveries.DUE) == []


async def test_an_attempt_under_way_is_not_made_twice(estate: Estate) -> None:
    sink = await estate.webhook(enabled=False)
    now = estate.app.clock.now()
    held = Delivery(
        id="d1", sink_id=sink["id"], kind="webhook", event="x", event_at=now, subject="s", body="{}", due_at=now
    )
    await estate.app.tables.put(DELIVERIES, held.changed(lease_until=now + deliveries.LEASE))
    await deliveries.run(estate.app, jobs.Deliver(sink_id=sink["id"], delivery_id="d1"))
    assert (await rows(estate, sink))[0].state == "pending"
    await estate.advance(deliveries.LEASE.total_seconds() + 1)
    await deliveries.run(estate.app, jobs.Deliver(sink_id=sink["id"], delivery_id="d1"))
    assert (await rows(estate, sink))[0].last_error == deliveries.OFF


async def test_closed_is_sent_after_opened_even_when_opened_needed_a_second_try(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BACK_OFF", (2, 0, 0))
    await estate.webhook()
    await estate.poll()
    await estate.receiver_fails(status=500, times=1)
    machine = estate.machine()
    estate.fall_ill(machine)
    await estate.poll()
    estate.recover(machine)
    await estate.poll()
    await estate.settle(30, delayed=True)
    verbs = [row["body"]["type"].rpartition(".")[2] for row in await estate.received()]
    assert verbs == ["opened", "opened", "closed"]


async def test_closed_is_not_sent_when_opened_never_arrived(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BACK_OFF", ())
    await estate.webhook()
    await estate.poll()
    await estate.receiver_fails(status=500, times=1)
    machine = estate.machine()
    estate.fall_ill(machine)
    await estate.poll()
    estate.recover(machine)
    await estate.poll()
    [alert] = await estate.listed("/alerts", deviceId=estate.device_id(machine))
    assert alert["tickets"][0]["state"] == "failed"
    assert len(await estate.received()) == 1
    await estate.call("POST", f"/alerts/{alert['id']}/redeliver", 202)
    await estate.settle(30, delayed=True)
    verbs = [row["body"]["type"].rpartition(".")[2] for row in await estate.received()]
    assert verbs == ["opened", "opened", "closed"]


async def test_a_poisoned_delivery_shows_why(estate: Estate) -> None:
    sink = await estate.webhook(enabled=False)
    now = estate.app.clock.now()
    row = Delivery(
        id="d1", sink_id=sink["id"], kind="webhook", event="x", event_at=now, subject="s", body="{}", due_at=now
    )
    await estate.app.tables.put(DELIVERIES, row)
    await deliveries.give_up(estate.app, jobs.Deliver(sink_id=sink["id"], delivery_id="d1"), "Five times.")
    [shown] = await estate.listed(f"/sinks/{sink['id']}/deliveries", state="failed")
    assert shown["lastError"] == "Five times."


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


async def test_what_waits_for_a_deleted_sink_fails(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BACK_OFF", (1,))
    sink = await estate.webhook()
    await estate.receiver_fails(status=500, times=1)
    await announce(estate)
    await estate.call("DELETE", f"/sinks/{sink['id']}", 204)
    await estate.settle(30, delayed=True)
    assert [row.last_error for row in await rows(estate, sink)] == ["The sink was deleted."]


async def test_deliveries_page_newest_first(estate: Estate) -> None:
    sink = await estate.webhook()
    for number in range(5):
        await estate.advance(60)
        await announce(estate, f"e{number}")
    seen: list[str] = []
    link = f"/sinks/{sink['id']}/deliveries?$top=2&$count=true"
    while link:
        page = await estate.call("GET", link)
        assert page["count"] == 5
        seen += [row["eventAt"] for row in page["value"]]
        link = page.get("nextLink", "")
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


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
    assert (await carol.get(f"/sinks/{sink['id']}")).json()["settings"] == {"url": "http://localhost:1/x?..."}
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
    outlet = sinks.outlet(strict.app, webhook.make_secret())
    url, host, extensions = await webhook._target(outlet, webhook.Settings(url="https://93.184.216.34:8443/a?b=c"))
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
    outlet = sinks.outlet(strict.app, webhook.make_secret())
    message = Message("m1", "x", b"{}")
    with pytest.raises(SinkError) as reached:
        await webhook.send(outlet, webhook.Settings(url=f"https://management.azure.com:{port}/x"), message)
    assert reached.value.status in (400, 401, 404), reached.value.message
    with pytest.raises(SinkError) as stranger:
        await webhook.send(outlet, webhook.Settings(url=f"https://example.org:{port}/x"), message)
    assert stranger.value.status == 0
    assert "certificate" in stranger.value.message.lower()
