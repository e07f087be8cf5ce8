"""HaloPSA against its receiver: what every PSA must do, and what only this one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import httpx
import pytest
from pydantic import SecretStr

from sandbox.server import Sandbox
from shared.errors import InvalidInput
from shared.sinks import halopsa
from shared.sinks.contract import Outlet, SinkError, SinkKind
from tests.contract.psa_life import *  # noqa: F403 - the tests that every PSA must pass
from tests.contract.psa_life import Desk


@pytest.fixture
async def desk(sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[Desk]:
    (await control.delete("/receivers/halopsa")).raise_for_status()
    place = (await control.get("/world")).json()["receivers"]["halopsa"]
    ids = sorted(place["companies"], key=int)
    given = {
        **{name: place[name] for name in ("url", "clientId", "clientSecret")},
        "companies": [{"siteId": "site-1", "companyId": ids[1]}],
        "ownCompanyId": ids[0],
        "priorities": {"critical": "1", "high": "2"},
        "ticketTypeId": "21",
    }
    async with httpx.AsyncClient(timeout=30) as http:
        yield Desk(cast(SinkKind, halopsa), halopsa.Settings.model_validate(given), control, http)
    (await control.delete("/receivers/halopsa")).raise_for_status()


@pytest.fixture
def creation() -> dict[str, str]:
    return {"method": "POST", "path": "/Tickets$"}


@pytest.fixture
def noting() -> dict[str, str]:
    return {"method": "POST", "path": "/Actions$"}


@pytest.fixture
def closing() -> dict[str, str]:
    return {"method": "POST", "path": "/Tickets$"}


async def test_the_ticket_has_type_priority_and_a_reference_in_its_details(desk: Desk, sandbox: Sandbox) -> None:
    await desk.tell("opened")
    (row,) = sandbox.cloud.world.extra["receivers"]["halopsa"].rows.values()
    assert (row["tickettype_id"], row["priority_id"]) == (21, 2)
    assert "Reference: tenantry" in row["details"]
    assert "vm-1 &amp; &lt;others&gt;<br>Second line." in row["details_html"]


async def test_a_list_without_details_is_looked_at_ticket_by_ticket(desk: Desk) -> None:
    first = await desk.tell("opened")
    desk.known.clear()
    await desk.mood(terse=True)
    assert (await desk.tell("opened")).ticket == first.ticket
    assert len(await desk.tickets()) == 1


async def test_a_token_is_used_until_it_ends_and_then_asked_for_anew(desk: Desk, sandbox: Sandbox) -> None:
    receiver = sandbox.cloud.world.extra["receivers"]["halopsa"]
    before = receiver.given
    await desk.tell("opened")
    await desk.tell("updated")
    assert receiver.given == before + 1
    desk.now += timedelta(minutes=59, seconds=30)
    await desk.tell("updated-2")
    assert receiver.given == before + 2


async def test_a_token_that_is_refused_early_is_asked_for_anew(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.mood(forgetTokens=True)
    await desk.tell("closed")
    assert (await desk.ticket())["state"] == "closed"


async def test_a_wrong_secret_is_told_in_the_vendors_words(desk: Desk) -> None:
    desk.with_settings(client_secret=SecretStr("wrong"))
    error = await desk.fails("opened")
    assert error.disable
    assert "client credentials are invalid" in error.message


@pytest.mark.parametrize("status", [401, 403])
async def test_rights_that_are_missing_switch_the_sink_off(desk: Desk, status: int) -> None:
    await desk.tell("opened")
    await desk.mood(status=status, path="/api/")
    assert (await desk.fails("updated")).disable


async def test_a_server_in_maintenance_is_no_ticket_that_is_gone(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.mood(status=404)
    error = await desk.fails("updated")
    assert (error.permanent, error.disable) == (False, False)


async def test_the_tenant_is_asked_for_unless_it_is_set(desk: Desk) -> None:
    desk.with_settings(tenant="another")
    assert (await desk.fails("opened")).disable
    desk.with_settings(tenant="partner")
    assert (await desk.tell("opened")).status == 201


async def test_without_a_place_to_sign_in_the_usual_one_is_taken(desk: Desk) -> None:
    desk.with_settings(tenant="partner")
    await desk.mood(status=404, path="/authinfo$")
    assert (await desk.tell("opened")).status == 201


async def test_notes_are_hidden_from_users_unless_set_otherwise(desk: Desk, sandbox: Sandbox) -> None:
    await desk.tell("opened")
    await desk.tell("updated")
    desk.with_settings(notes_hidden=False, note_outcome_id="10")
    await desk.tell("updated-2")
    ((_opened, *notes),) = sandbox.cloud.world.extra["receivers"]["halopsa"].actions.values()
    assert [(row["outcome_id"], row["hiddenfromuser"]) for row in notes] == [(7, True), (10, False)]


async def test_an_outcome_that_is_not_there_is_permanent_and_says_so(desk: Desk) -> None:
    await desk.tell("opened")
    desk.with_settings(note_outcome_id="999")
    error = await desk.fails("updated")
    assert error.permanent
    assert "An Outcome must be entered for this Action" in error.message


@pytest.mark.parametrize(
    "changes",
    [
        {"closed_status_id": "2"},
        {"reopened_status_id": "9"},
        {"note_outcome_id": "999"},
        {"ticket_type_id": "99"},
    ],
)
async def test_a_status_outcome_or_type_that_is_not_right_fails_the_test(desk: Desk, changes: dict[str, str]) -> None:
    desk.with_settings(**changes)
    with pytest.raises(SinkError):
        await desk.kind.test(desk.outlet, desk.settings, desk.message("opened"))


@pytest.mark.parametrize(
    "name, expected",
    [
        ("ticketTypes", ["Incident", "Alert"]),
        ("closedStatuses", ["Closed"]),
        ("openStatuses", ["New", "In Progress", "With User", "Pending Closure"]),
        ("priorities", ["Critical", "High", "Medium", "Low"]),
        ("outcomes", ["Private Note", "Email User", "Resolved"]),
    ],
)
async def test_types_statuses_priorities_and_outcomes_can_be_chosen(desk: Desk, name: str, expected: list[str]) -> None:
    found = await desk.kind.choices(desk.outlet, desk.settings, name, "")
    assert [row["name"] for row in found] == expected
    with pytest.raises(InvalidInput):
        await desk.kind.choices(desk.outlet, desk.settings, "colours", "")


async def test_settings_without_a_secret_or_with_a_private_address_are_refused(desk: Desk) -> None:
    settings = cast(halopsa.Settings, desk.settings)
    assert halopsa.complete(settings) == (settings, {})
    with pytest.raises(InvalidInput, match="clientSecret"):
        halopsa.complete(settings.model_copy(update={"client_secret": None}))
    await halopsa.check(desk.outlet, settings)
    with pytest.raises(InvalidInput):
        await halopsa.check(Outlet(desk.http, desk.now), settings)
