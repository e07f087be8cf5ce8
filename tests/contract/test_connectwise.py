"""ConnectWise PSA against its receiver: what every PSA must do, and what only this one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest

from sandbox.server import Sandbox
from shared.errors import InvalidInput
from shared.sinks import connectwise, psa
from shared.sinks.connectwise_api import server
from shared.sinks.contract import Outlet, SinkError, SinkKind
from tests.contract.psa_life import *  # noqa: F403 - the tests that every PSA must pass
from tests.contract.psa_life import ALERT, Desk


@pytest.fixture
async def desk(sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[Desk]:
    (await control.delete("/receivers/connectwise")).raise_for_status()
    place = (await control.get("/world")).json()["receivers"]["connectwise"]
    ids = sorted(place["companies"], key=int)
    given = {
        **{name: place[name] for name in ("url", "company", "publicKey", "privateKey", "clientId", "boardId")},
        "companies": [{"siteId": "site-1", "companyId": ids[1]}],
        "ownCompanyId": ids[0],
        "priorities": {"critical": "1", "high": "2"},
    }
    async with httpx.AsyncClient(timeout=30) as http:
        kind = cast(SinkKind, connectwise)
        yield Desk(kind, connectwise.Settings.model_validate(given), control, http)
    (await control.delete("/receivers/connectwise")).raise_for_status()


@pytest.fixture
def creation() -> dict[str, str]:
    return {"method": "POST", "path": "/service/tickets$"}


@pytest.fixture
def noting() -> dict[str, str]:
    return {"method": "POST", "path": "/notes$"}


@pytest.fixture
def closing() -> dict[str, str]:
    return {"method": "PATCH"}


async def test_the_key_is_the_external_reference_and_severity_the_priority(desk: Desk, sandbox: Sandbox) -> None:
    await desk.tell("opened")
    assert (await desk.ticket())["key"] == ALERT
    (sent,) = [row for row in (await desk.inbox())["deliveries"] if row["method"] == "POST"]
    assert sent["body"]["priority"] == {"id": 2}
    await desk.tell("opened", alert=ALERT + "1", severity="low")
    assert "priority" not in (await desk.inbox())["deliveries"][-1]["body"]


async def test_a_reference_that_is_too_long_is_found_all_the_same(desk: Desk) -> None:
    long = ALERT * 3
    first = await desk.tell("opened", alert=long)
    desk.known.clear()
    assert (await desk.tell("opened", alert=long)).ticket == first.ticket
    assert len(await desk.tickets()) == 1


async def test_a_moved_ticket_is_closed_with_the_status_of_the_board_it_is_on(desk: Desk, sandbox: Sandbox) -> None:
    await desk.tell("opened")
    receiver = sandbox.cloud.world.extra["receivers"]["connectwise"]
    (row,) = receiver.rows.values()
    row["board"] = {"id": 2, "name": "Monitoring"}
    desk.with_settings(closed_status_id="18")
    await desk.tell("closed")
    assert row["status"]["name"] == "Resolved"


@pytest.mark.parametrize("chosen, name", [(None, ">Closed"), ("18", "Cancelled")])
async def test_the_closed_status_is_the_boards_own_or_the_one_that_is_set(
    desk: Desk, sandbox: Sandbox, chosen: str | None, name: str
) -> None:
    desk.with_settings(closed_status_id=chosen)
    await desk.tell("opened")
    await desk.tell("closed")
    (row,) = sandbox.cloud.world.extra["receivers"]["connectwise"].rows.values()
    assert row["status"]["name"] == name


async def test_the_status_of_a_reopened_ticket_can_be_set(desk: Desk, sandbox: Sandbox) -> None:
    desk.with_settings(reopened_status_id="17")
    for event in ("opened", "closed"):
        await desk.tell(event)
    await desk.tell("opened-2", reopened=True)
    (row,) = sandbox.cloud.world.extra["receivers"]["connectwise"].rows.values()
    assert row["status"]["name"] == "In Progress"


@pytest.mark.parametrize(
    "changes",
    [
        {"closed_status_id": "16"},
        {"closed_status_id": "20"},
        {"reopened_status_id": "19"},
        {"board_id": "99"},
        {"board_id": None},
        {"type_id": "77"},
    ],
)
async def test_a_board_status_or_type_that_is_not_right_fails_the_test(desk: Desk, changes: dict[str, str]) -> None:
    desk.with_settings(**changes)
    with pytest.raises(SinkError):
        await desk.kind.test(desk.outlet, desk.settings, desk.message("opened"))


async def test_an_upgrade_that_moves_the_api_is_followed(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.mood(codebase="v2026_1")
    await desk.tell("updated")
    assert len((await desk.ticket())["notes"]) == 2


async def test_a_server_in_maintenance_is_no_ticket_that_is_gone(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.mood(status=404)
    error = await desk.fails("updated")
    assert (error.permanent, error.disable) == (False, False)


async def test_a_login_company_that_is_unknown_is_no_reason_to_lose_tickets(desk: Desk) -> None:
    desk.with_settings(company="nobody")
    error = await desk.fails("opened")
    assert (error.permanent, error.disable) == (False, False)
    assert "nobody" in error.message


async def test_a_board_that_wants_a_type_says_so_and_gets_it(desk: Desk) -> None:
    await desk.mood(requireType=True)
    error = await desk.fails("opened")
    assert error.permanent
    assert "type field is required" in error.message
    desk.with_settings(type_id="5")
    assert (await desk.tell("opened")).status == 201


async def test_without_a_board_tickets_wait(desk: Desk) -> None:
    desk.with_settings(board_id=None)
    assert (await desk.fails("opened")).held
    assert await desk.tickets() == []


async def test_notes_go_where_the_settings_say(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("updated")
    desk.with_settings(notes="discussion")
    await desk.tell("updated-2")
    sent = [row["body"] for row in (await desk.inbox())["deliveries"] if row["path"].endswith("/notes")]
    shown = [(row["internalAnalysisFlag"], row["detailDescriptionFlag"]) for row in sent if row]
    assert shown == [(True, False), (False, True)]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("boards", ["Monitoring", "Service Desk"]),
        ("types", ["Incident", "Request"]),
        ("closedStatuses", ["Cancelled", ">Closed"]),
        ("openStatuses", ["New", "In Progress"]),
    ],
)
async def test_boards_types_and_statuses_can_be_chosen(desk: Desk, name: str, expected: list[str]) -> None:
    found = await desk.kind.choices(desk.outlet, desk.settings, name, "")
    assert [row["name"] for row in found] == expected
    with pytest.raises(InvalidInput):
        await desk.kind.choices(desk.outlet, desk.settings, "colours", "")
    desk.with_settings(board_id=None)
    if name != "boards":
        assert await desk.kind.choices(desk.outlet, desk.settings, name, "") == []


def test_the_hosted_server_is_called_by_the_name_for_programs() -> None:
    assert server("https://na.myconnectwise.net/") == "https://api-na.myconnectwise.net"
    assert server("https://psa.example.com") == "https://psa.example.com"


async def test_settings_without_a_key_or_with_a_private_address_are_refused(desk: Desk) -> None:
    settings = cast(connectwise.Settings, desk.settings)
    assert connectwise.complete(settings) == (settings, {})
    with pytest.raises(InvalidInput, match="privateKey"):
        connectwise.complete(settings.model_copy(update={"private_key": None}))
    await connectwise.check(desk.outlet, settings)
    with pytest.raises(InvalidInput):
        await connectwise.check(Outlet(desk.http, desk.now), settings)


def test_a_site_is_mapped_once() -> None:
    row = {"siteId": "a", "companyId": "1"}
    with pytest.raises(ValueError, match="twice"):
        psa.PsaSettings.model_validate({"companies": [row, row]})
