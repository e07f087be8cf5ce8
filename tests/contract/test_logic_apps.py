"""The Logic Apps sink against a workflow's trigger, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from sandbox import scenarios
from sandbox.server import Sandbox
from shared.errors import InvalidInput
from shared.sinks import logic_apps
from shared.sinks.contract import Outlet, SinkError
from shared.sinks.logic_apps import Settings
from tests.contract.outlets import KEY, message, outlet_for

RECEIVER = "/receivers/logicapps"


@pytest_asyncio.fixture
async def outlet(sandbox: Sandbox) -> Any:
    scenarios.reset(sandbox.cloud)
    async with httpx.AsyncClient() as http:
        yield outlet_for(http)


@pytest_asyncio.fixture
async def settings(outlet: Outlet, control: httpx.AsyncClient) -> Settings:
    world = (await control.get("/world")).json()
    return Settings(callback_url=SecretStr(world["receivers"]["logicapps"]["url"]))


async def shown(control: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await control.get(RECEIVER)).json()
    return found


async def refused(outlet: Outlet, settings: Settings) -> SinkError:
    with pytest.raises(SinkError) as caught:
        await logic_apps.open(outlet, settings, message("opened"))
    return caught.value


async def test_every_event_of_an_alert_starts_a_run_with_the_cloudevent(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    await logic_apps.check(outlet, settings)
    receipt = await logic_apps.open(outlet, settings, message("opened", 1))
    await logic_apps.update(outlet, settings, message("updated", 2))
    await logic_apps.close(outlet, settings, message("closed", 3))
    seen = await shown(control)
    assert receipt.status == 202
    assert receipt.detail == f"Run {seen['runs'][0]['runId']}"
    assert [run["status"] for run in seen["runs"]] == ["Succeeded"] * 3
    [ticket] = seen["tickets"]
    assert (ticket["key"], ticket["state"], ticket["notes"]) == (KEY, "closed", ["opened", "updated", "closed"])
    assert seen["deliveries"][0]["raw"].encode() == message("opened", 1).body


async def test_a_repeated_message_has_the_same_webhook_id_and_tracking_id(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    (await control.put(RECEIVER, json={"kind": "disconnectAfter", "times": 1})).raise_for_status()
    lost = await refused(outlet, settings)
    assert not lost.permanent
    await logic_apps.open(outlet, settings, message("opened"))
    seen = await shown(control)
    assert len(seen["runs"]) == 2
    assert len({run["trackingId"] for run in seen["runs"]}) == 1
    assert {row["headers"]["webhook-id"] for row in seen["deliveries"]} == {message("opened").id}


async def test_a_workflow_that_asks_to_wait_says_how_long(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    (await control.put(RECEIVER, json={"status": 429, "retryAfter": 17, "times": 1})).raise_for_status()
    error = await refused(outlet, settings)
    assert (error.status, error.retry_after, error.permanent, error.disable) == (429, 17.0, False, False)


@pytest.mark.parametrize(
    "change, status", [({"renewed": True}, 401), ({"deleted": True}, 400), ({"enabled": False}, 400)]
)
async def test_a_workflow_that_is_off_gone_or_has_another_url_switches_the_sink_off(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient, change: dict[str, bool], status: int
) -> None:
    (await control.put(RECEIVER, json=change)).raise_for_status()
    error = await refused(outlet, settings)
    assert (error.status, error.disable, error.permanent) == (status, True, True)


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_forbidden_not_found_and_gone_switch_the_sink_off(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient, status: int
) -> None:
    (await control.put(RECEIVER, json={"status": status})).raise_for_status()
    assert (await refused(outlet, settings)).disable


async def test_a_message_that_the_schema_refuses_is_given_up_and_the_sink_stays_on(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    (await control.put(RECEIVER, json={"required": ["ticketBoard"]})).raise_for_status()
    error = await refused(outlet, settings)
    assert (error.status, error.permanent, error.disable) == (400, True, False)
    assert "ticketBoard" in error.message


@pytest.mark.parametrize("status", [500, 502, 503, 302])
async def test_a_workflow_service_that_is_down_is_tried_again(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient, status: int
) -> None:
    (await control.put(RECEIVER, json={"status": status})).raise_for_status()
    error = await refused(outlet, settings)
    assert (error.permanent, error.disable) == (False, False)


async def test_the_url_is_a_secret_that_no_view_and_no_error_shows(
    outlet: Outlet, settings: Settings, control: httpx.AsyncClient
) -> None:
    url = settings.callback_url
    assert url is not None
    signature = url.get_secret_value().partition("sig=")[2]
    assert settings.redacted() == {}
    assert signature not in repr(settings)
    assert Settings.model_json_schema()["properties"]["callbackUrl"]["anyOf"][0]["writeOnly"] is True
    errors = [str(await refused(outlet, settings)) async for _ in _bad_moods(control)]
    assert len(errors) == 3
    assert signature not in str(errors)


async def _bad_moods(control: httpx.AsyncClient) -> Any:
    for change in ({"kind": "disconnect"}, {"status": 500}, {"status": 404}):
        (await control.put(RECEIVER, json=change)).raise_for_status()
        yield


async def test_settings_that_can_never_work_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        logic_apps.complete(Settings())
    assert caught.value.target == "settings.callbackUrl"
    async with httpx.AsyncClient() as http:
        strict = Outlet(http, outlet_for(http).now)
        for url in ("http://93.184.216.34/x", "https://127.0.0.1/x", "no url"):
            with pytest.raises(InvalidInput) as caught:
                await logic_apps.check(strict, Settings(callback_url=SecretStr(url)))
            assert caught.value.target == "settings.callbackUrl"
        with pytest.raises(InvalidInput):
            await logic_apps.choices(strict, Settings(), "companies", "")
        assert await logic_apps.read(strict, Settings(), []) == []
