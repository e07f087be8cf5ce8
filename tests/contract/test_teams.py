"""The Teams sink against a channel behind a Workflows webhook, over HTTP: what people see."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from sandbox import scenarios
from sandbox.server import Sandbox
from shared.errors import InvalidInput
from shared.sinks import teams
from shared.sinks.contract import Message, Outlet, SinkError
from shared.sinks.teams import Settings
from tests.contract.outlets import KEY, message, outlet_for

RECEIVER = "/receivers/teams"
HOSTILE = (
    "**bold** [Sign in](https://evil.example) <at>Everyone</at> {{DATE(2026-01-01T00:00:00Z)}}\n"
    "1. list\n- item\n_it_ \u202egnp.exe\u200b <b>html</b> ~~x~~ # head"
)


@pytest_asyncio.fixture
async def outlet(sandbox: Sandbox) -> Any:
    scenarios.reset(sandbox.cloud)
    async with httpx.AsyncClient() as http:
        yield outlet_for(http)


@pytest_asyncio.fixture
async def settings(outlet: Outlet, control: httpx.AsyncClient) -> Settings:
    world = (await control.get("/world")).json()
    return Settings(webhook_url=SecretStr(world["receivers"]["teams"]["url"]))


async def shown(control: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await control.get(RECEIVER)).json()
    return found


async def the_card(control: httpx.AsyncClient) -> dict[str, Any]:
    """The only card that is seen."""
    seen = await shown(control)
    assert [run["status"] for run in seen["runs"]] == ["Succeeded"], seen["runs"]
    [card] = seen["cards"]
    found: dict[str, Any] = card
    return found


async def test_the_card_of_an_alert_says_client_resource_state_and_since_and_links_to_the_resource(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    data = {
        "id": KEY,
        "kind": "device",
        "note": "Unavailable since 2026-03-02 09:12 UTC: The host failed.",
        "clientName": "Contoso",
        "siteName": "Head office",
        "deviceName": "sql-01",
        "typeName": "SQL database",
        "status": "unavailable",
        "statusReason": "The host failed.",
        "since": "2026-03-02T09:12:44.123456Z",
    }
    receipt = await teams.open(outlet, settings, message("opened", data=data))
    assert receipt.status == 202
    card = await the_card(control)
    assert card["style"] == "attention"
    assert card["texts"] == [
        "Opened · high",
        "sql-01 of Contoso is unavailable",
        "Unavailable since 2026-03-02 09:12 UTC: The host failed.",
        "Site: Head office",
        "Type: SQL database",
    ]
    assert card["actions"] == [{"title": "Open resource", "url": message("opened").url}]


async def test_what_changed_and_what_closed_come_as_cards_of_their_own(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    await teams.open(outlet, settings, message("opened", 1, severity="medium"))
    await teams.update(outlet, settings, message("updated", 2, severity="low", text="Acknowledged by Alice."))
    await teams.close(outlet, settings, message("closed", 3, text="Available again after 12 minutes."))
    await teams.open(outlet, settings, message("opened", 4, reopened=True))
    cards = (await shown(control))["cards"]
    assert [card["style"] for card in cards] == ["warning", "accent", "good", "attention"]
    assert [card["texts"][0] for card in cards] == ["Opened · medium", "Updated · low", "Closed", "Opened again · high"]
    assert "Acknowledged by Alice." in cards[1]["texts"]
    assert "Available again after 12 minutes." in cards[2]["texts"]


async def test_nothing_that_comes_from_elsewhere_is_rendered(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    data: dict[str, Any] = {
        "id": KEY,
        "deviceName": HOSTILE,
        "statusReason": HOSTILE,
        "status": HOSTILE,
        "since": HOSTILE,
    }
    data |= {"links": {HOSTILE: "https://portal.azure.com/x", "bad": "javascript:alert(1)", "worse": "no url"}}
    given: dict[str, Any] = {"title": HOSTILE, "text": HOSTILE, "client_name": HOSTILE, "severity": HOSTILE}
    await teams.open(outlet, settings, message("opened", 1, data=data, **given))
    await teams.update(outlet, settings, message("updated", 2, data=data, **given))
    await teams.update(
        outlet, settings, message("updated", 3, data={"name": HOSTILE, "id": "o"}, type=HOSTILE, **given)
    )
    seen = await shown(control)
    assert [run["status"] for run in seen["runs"]] == ["Succeeded"] * 3
    for card in seen["cards"]:
        assert card["active"] == []
        text = json.dumps(card, ensure_ascii=False)
        assert "<at" not in text
        assert "{{" not in text
        assert "\u202e" not in text
        assert "javascript:" not in text
    raw = "".join(row["raw"] for row in seen["deliveries"])
    assert "TextBlock" not in raw.replace("RichTextBlock", "")
    assert "FactSet" not in raw


@pytest.mark.parametrize("letter", ["x", "\u00fc", "\u6f22", "\U0001f525", '"', "\\"])
async def test_a_card_is_never_larger_than_teams_takes(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient, letter: str
) -> None:
    long = letter * 40_000
    data = dict.fromkeys(("id", "deviceName", "type", "region", "status", "statusReason", "resourceGroup"), long)
    given = message("opened", data=data, title=long, text=long, client_name=long)
    content = teams.encoded(given)
    assert max(len(content), len(content.decode().encode("utf-16-le"))) <= 28 * 1024
    await teams.open(outlet, settings, given)
    await the_card(control)


async def test_an_outage_shows_its_text_at_once(outlet: Outlet, settings: Settings, control: httpx.AsyncClient) -> None:
    devices = [
        {"id": "1", "name": "vm-0", "status": "unavailable"},
        {"id": "2", "name": "vm-1", "status": "notReported"},
    ]
    issue = {"id": "0DET-URB", "title": "Power", "service": "Storage", "region": "West Europe", "url": "https://a.b/c"}
    data = {"id": KEY, "kind": "outage", "note": "12 devices are down together.", "serviceIssue": issue}
    data["members"] = {"count": 14, "open": 12, "devices": devices}
    await teams.open(outlet, settings, message("opened", data=data, url=""))
    card = await the_card(control)
    assert card["texts"][2:] == [
        "12 devices are down together.\nvm-0: unavailable\nvm-1: not reported",
        "Azure service issue: Power (0DET-URB)",
        "Service: Storage",
        "Regions: West Europe",
        "Devices: 12 of 14 down",
    ]
    assert card["actions"] == [{"title": "Azure service issue", "url": "https://a.b/c"}]


async def test_what_is_too_long_for_its_event_is_told_by_its_text(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    await teams.open(outlet, settings, message("opened", data={"id": KEY, "truncated": True}, text="All of it."))
    assert "All of it." in (await the_card(control))["texts"]


@pytest.mark.parametrize(
    "data, style, texts",
    [
        (
            {"status": "succeeded", "result": {"deviceId": "d", "powerState": "running"}, "reason": "Hung"},
            "good",
            ["Action done", "Contoso: vm-1 was restarted by Alice", "It is running now.", "Reason: Hung"],
        ),
        (
            {"status": "failed", "error": {"code": "x", "message": "No capacity.", "fix": "Try another size."}},
            "attention",
            ["Action failed", "Contoso: Restart of vm-1 by Alice failed", "No capacity. Try another size."],
        ),
        (
            {"status": "outcomeUnknown", "error": {"message": "The answer was lost."}, "ticketNumber": "T-1"},
            "warning",
            [
                "Outcome unknown",
                "Contoso: Restart of vm-1 by Alice has no known outcome",
                "The answer was lost.",
                "Ticket: T-1",
            ],
        ),
    ],
)
async def test_an_action_is_told_with_device_client_who_did_it_and_how_it_ended(
    outlet: Outlet,
    settings: Settings,
    control: httpx.AsyncClient,
    data: dict[str, Any],
    style: str,
    texts: list[str],
) -> None:
    about: dict[str, Any] = {"id": "o1", "kind": "device.restart", "resource": "d", "clientName": "Contoso"}
    about |= {"deviceName": "vm-1", "askedBy": "Alice", "links": {"azure": "https://portal.azure.com/x"}}
    event = {"specversion": "1.0", "id": "m1", "type": "tenantry.operation.completed", "data": about | data}
    told = Message(id="m1", type="tenantry.operation.completed", body=json.dumps(event).encode())
    await teams.update(outlet, settings, told)
    card = await the_card(control)
    assert (card["style"], card["texts"]) == (style, texts)
    assert card["actions"] == [{"title": "Open in Azure", "url": "https://portal.azure.com/x"}]


async def test_an_event_that_is_about_no_alert_is_shown_with_its_plain_values(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    data = {"id": "o1", "status": "succeeded", "startedAt": "2026-03-02T09:00:00Z", "percent": 100, "inner": {"x": 1}}
    event = {"specversion": "1.0", "id": "m1", "type": "tenantry.tenant.synced", "data": data}
    told = Message(id="m1", type="tenantry.tenant.synced", body=json.dumps(event).encode())
    await teams.update(outlet, settings, told)
    card = await the_card(control)
    assert card["texts"] == [
        "Tenant synced",
        "Id: o1",
        "Status: succeeded",
        "Started at: 2026-03-02 09:00 UTC",
        "Percent: 100",
    ]


async def test_a_body_that_cannot_be_read_still_gives_a_card(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    await teams.open(
        outlet, settings, Message(id="m1", type="tenantry.alert.opened", body=b"[", title="T", url="http://[")
    )
    assert (await the_card(control))["texts"] == ["Opened", "T"]


@pytest.mark.parametrize("change", [{"renewed": True}, {"deleted": True}, {"enabled": False}, {"status": 404}])
async def test_a_webhook_that_is_gone_switches_the_sink_off(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    (await control.put(RECEIVER, json=change)).raise_for_status()
    with pytest.raises(SinkError) as caught:
        await teams.test(outlet, settings, message("opened"))
    assert caught.value.disable


async def test_a_channel_that_throttles_says_how_long_to_wait(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    (await control.put(RECEIVER, json={"status": 429, "retryAfter": 9, "times": 1})).raise_for_status()
    with pytest.raises(SinkError) as caught:
        await teams.update(outlet, settings, message("updated"))
    assert (caught.value.retry_after, caught.value.permanent) == (9.0, False)
    await teams.update(outlet, settings, message("updated"))


async def test_settings_without_a_url_are_refused(outlet: Outlet, settings: Settings) -> None:
    with pytest.raises(InvalidInput) as caught:
        teams.complete(Settings())
    assert caught.value.target == "settings.webhookUrl"
    assert teams.complete(settings) == (settings, {})
    await teams.check(outlet, settings)
    assert settings.redacted() == {}
    assert await teams.read(outlet, settings, []) == []
    with pytest.raises(InvalidInput):
        await teams.choices(outlet, settings, "companies", "")
    with pytest.raises(SinkError):
        await teams.open(outlet, Settings(), message("opened"))
