"""The webhook receiver: signatures on the stepped clock, tickets, and being told to fail."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from sandbox.server import Sandbox


def event(kind: str = "opened", alert: str = "a-1", **data: str) -> dict[str, Any]:
    """A CloudEvent about an alert."""
    return {
        "specversion": "1.0",
        "id": f"{alert}-{kind}",
        "source": "http://localhost/api",
        "type": f"tenantry.alert.{kind}",
        "subject": "vm-1",
        "data": {"id": alert, **data},
    }


async def send(
    sandbox: Sandbox,
    http: httpx.AsyncClient,
    body: Any,
    *,
    secret: str | None = None,
    at: datetime | None = None,
    message_id: str | None = None,
) -> httpx.Response:
    """Deliver a body, signed by the package that senders use."""
    place = (await http.get(f"{sandbox.urls['control']}/_sandbox/world")).json()["receivers"]["webhook"]
    raw = json.dumps(body)
    message_id = message_id or body["id"]
    when = at or datetime.now(UTC)
    headers = {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "authorization": "Bearer hidden",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Webhook(secret or place["secret"]).sign(message_id, when, raw),
    }
    return await http.post(place["url"], content=raw, headers=headers)


async def inbox(control: httpx.AsyncClient) -> dict[str, Any]:
    shown: dict[str, Any] = (await control.get("/receivers/webhook")).json()
    return shown


async def test_a_signed_delivery_is_verified_and_kept(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    assert (await send(sandbox, http, event())).status_code == 200
    (row,) = (await inbox(control))["deliveries"]
    assert row["verified"] is True
    assert row["body"]["data"] == {"id": "a-1"}
    assert row["headers"]["webhook-id"] == "a-1-opened"
    assert row["headers"]["authorization"] == "***"


@pytest.mark.parametrize(
    "changes",
    [{"secret": "whsec_" + base64.b64encode(b"x" * 24).decode()}, {"at": datetime.now(UTC) - timedelta(minutes=10)}],
)
async def test_a_wrong_secret_or_an_old_timestamp_is_not_verified(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    assert (await send(sandbox, http, event(), **changes)).status_code == 200
    assert (await inbox(control))["deliveries"][0]["verified"] is False
    await control.put("/receivers/webhook", json={"requireSignature": True})
    assert (await send(sandbox, http, event(), **changes)).status_code == 401


async def test_the_timestamp_is_checked_against_the_stepped_clock(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await control.post("/clock", json={"advanceSeconds": 7200})
    await send(sandbox, http, event())
    await send(sandbox, http, event(), at=datetime.now(UTC) + timedelta(hours=2))
    assert [row["verified"] for row in (await inbox(control))["deliveries"]] == [False, True]


async def test_one_of_several_signatures_is_enough(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    place = (await control.get("/world")).json()["receivers"]["webhook"]
    raw, stamp = b'{"id":"x"}', str(int(datetime.now(UTC).timestamp()))
    key = base64.b64decode(place["secret"].removeprefix("whsec_"))
    good = base64.b64encode(hmac.new(key, b"m." + stamp.encode() + b"." + raw, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": stamp, "webhook-signature": f"v1,AAAA v1,{good}"}
    await http.post(place["url"], content=raw, headers=headers)
    await http.post(place["url"], content=raw)
    assert [row["verified"] for row in (await inbox(control))["deliveries"]] == [True, False]


async def test_an_alert_opens_notes_and_closes_one_ticket(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await send(sandbox, http, event("opened", condition="vm-1 is unavailable", status="unavailable"))
    await send(sandbox, http, event("updated", status="degraded"))
    (ticket,) = (await inbox(control))["tickets"]
    assert (ticket["key"], ticket["state"], ticket["title"]) == ("a-1", "open", "vm-1 is unavailable")
    await send(sandbox, http, event("closed"))
    await send(sandbox, http, event("opened", alert="a-2"))
    tickets = (await inbox(control))["tickets"]
    assert [(row["key"], row["state"]) for row in tickets] == [("a-1", "closed"), ("a-2", "open")]
    assert tickets[0]["notes"] == ["opened: unavailable", "updated: degraded", "closed"]
    assert (await http.get(tickets[0]["url"])).json()["state"] == "closed"
    assert (await http.get(tickets[0]["url"] + "9")).status_code == 404


async def test_the_same_message_twice_notes_once(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    for _ in range(2):
        await send(sandbox, http, event())
    shown = await inbox(control)
    assert (len(shown["deliveries"]), shown["tickets"][0]["notes"]) == (2, ["opened"])


async def test_other_events_make_no_ticket(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await send(sandbox, http, {"id": "t", "type": "tenantry.tenant.synced", "data": {"id": "t"}})
    await send(sandbox, http, [1], message_id="list")
    assert (await inbox(control))["tickets"] == []


async def test_a_failing_receiver_fails_so_often_and_is_well_again(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await control.put("/receivers/webhook", json={"status": 503, "times": 2, "delayMs": 1, "retryAfter": 3})
    answers = [await send(sandbox, http, event()) for _ in range(3)]
    assert [row.status_code for row in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "3"
    shown = await inbox(control)
    assert [row["status"] for row in shown["deliveries"]] == [503, 503, 200]
    assert shown["tickets"][0]["notes"] == ["opened"]


async def test_a_status_without_times_lasts(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await control.put("/receivers/webhook", json={"status": 204})
    assert [(await send(sandbox, http, event())).status_code for _ in range(2)] == [204, 204]


async def test_a_receiver_can_drop_the_connection(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await control.put("/receivers/webhook", json={"kind": "disconnect", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        await send(sandbox, http, event())
    assert (await inbox(control))["deliveries"][0]["status"] == 0


async def test_what_arrived_can_be_forgotten(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await send(sandbox, http, event())
    assert (await control.delete("/receivers/webhook")).status_code == 204
    assert await inbox(control) == {"deliveries": [], "tickets": []}


async def test_the_cloudevents_handshake_is_answered(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    url = f"{sandbox.urls['control']}/receivers/webhook"
    answer = await http.options(url, headers={"WebHook-Request-Origin": "tenantry.example"})
    assert answer.headers["webhook-allowed-origin"] == "tenantry.example"


async def test_wrong_methods_bodies_and_kinds_are_refused(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    url = f"{sandbox.urls['control']}/receivers/webhook"
    assert (await http.put(url, json={})).status_code == 405
    assert (await http.post(url, content=b"{")).status_code == 400
    assert (await http.post(f"{sandbox.urls['control']}/receivers/pigeon", json={})).status_code == 404


async def test_a_receiver_takes_a_secret_of_the_senders_choice(
    sandbox: Sandbox, http: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    secret = "whsec_" + base64.b64encode(b"y" * 32).decode()
    await control.put("/receivers/webhook", json={"secret": secret})
    await send(sandbox, http, event(), secret=secret)
    assert (await inbox(control))["deliveries"][0]["verified"] is True
