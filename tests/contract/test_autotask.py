"""Autotask PSA against its receiver: what every PSA must do, and what only this one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from sandbox.server import Sandbox
from shared.errors import InvalidInput
from shared.sinks import autotask
from shared.sinks.autotask import Settings
from shared.sinks.contract import SinkError, SinkKind, TicketRef
from tests.contract.psa_life import *  # noqa: F403 - the tests that every PSA must pass
from tests.contract.psa_life import ALERT, Desk

Place = dict[str, Any]


@pytest.fixture
async def place(control: httpx.AsyncClient) -> AsyncIterator[Place]:
    """What the receiver says of itself."""
    (await control.delete("/receivers/autotask")).raise_for_status()
    found: Place = (await control.get("/world")).json()["receivers"]["autotask"]
    yield found
    (await control.delete("/receivers/autotask")).raise_for_status()


@pytest.fixture
async def desk(place: Place, control: httpx.AsyncClient) -> AsyncIterator[Desk]:
    companies = {name: number for number, name in place["companies"].items()}
    given = {
        **{name: place[name] for name in ("url", "username", "secret", "integrationCode", "queueId")},
        "companies": [{"siteId": "site-1", "companyId": companies["Contoso"]}],
        "ownCompanyId": "0",
        "priorities": {"critical": "4", "high": "1"},
    }
    async with httpx.AsyncClient(timeout=30) as http:
        yield Desk(cast(SinkKind, autotask), Settings.model_validate(given), control, http)


@pytest.fixture
def creation() -> dict[str, str]:
    return {"method": "POST", "path": "/Tickets$"}


@pytest.fixture
def noting() -> dict[str, str]:
    return {"method": "POST", "path": "/Notes$"}


@pytest.fixture
def closing() -> dict[str, str]:
    return {"method": "PATCH"}


async def asked(desk: Desk) -> list[str]:
    """`METHOD last/segments` of every request, in order."""
    rows = (await desk.inbox())["deliveries"]
    return [f"{row['method']} {row['path'].rpartition('/V1.0/')[2]}" for row in rows]


async def sent_ticket(desk: Desk) -> dict[str, Any]:
    """The body of the newest POST that made a ticket."""
    rows = [row["body"] for row in (await desk.inbox())["deliveries"] if row["path"].endswith("/Tickets")]
    found: dict[str, Any] = rows[-1]
    return found


async def tested(desk: Desk) -> str:
    """What the test says."""
    return (await desk.kind.test(desk.outlet, desk.settings, desk.message("opened"))).detail


async def test_the_key_fits_the_external_id_and_differs_by_alert(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("opened", alert=ALERT + "1")
    keys = [ticket["key"] for ticket in await desk.tickets()]
    assert len(set(keys)) == 2
    assert all(key.startswith("tenantry-") and len(key) <= 50 for key in keys)


async def test_a_ticket_has_the_number_that_people_use_and_a_link(desk: Desk) -> None:
    ticket = (await desk.tell("opened")).ticket
    assert ticket is not None
    assert ticket.number.startswith("T20")
    page = "https://ww5.autotask.net/Autotask/AutotaskExtend/ExecuteCommand.aspx"
    assert ticket.url == f"{page}?Code=OpenTicketDetail&TicketID={ticket.external_id}"


async def test_the_zone_is_asked_first_without_credentials_and_then_remembered(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("opened", alert=ALERT + "1")
    rows = (await desk.inbox())["deliveries"]
    zones = [row for row in rows if "zoneInformation" in row["path"]]
    assert zones == [rows[0]]
    assert not {"secret", "username", "apiintegrationcode"} & set(zones[0]["headers"])
    assert all("/zone5/" in row["path"] for row in rows[1:])


async def test_a_database_that_moved_to_another_zone_is_followed(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.mood(zone=14)
    closed = await desk.tell("closed")
    assert closed.ticket is not None
    assert closed.ticket.url.startswith("https://ww14.autotask.net/")
    assert (await desk.ticket())["state"] == "closed"


async def test_a_zone_elsewhere_is_not_sent_the_credentials(desk: Desk, place: Place) -> None:
    host = httpx.URL(place["url"])
    desk.with_settings(url=str(host.copy_with(host="localhost" if host.host == "127.0.0.1" else "127.0.0.1")))
    assert "not at Autotask" in (await desk.fails("opened")).message
    assert await asked(desk) == ["GET zoneInformation"]


async def test_two_notes_with_the_same_words_are_two_notes(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("updated-2", text="Changed.")
    await desk.tell("updated-3", text="Changed.")
    assert len((await desk.ticket())["notes"]) == 3


@pytest.mark.parametrize("notes, publish", [("internal", 2), ("client", 1)])
async def test_notes_are_shown_to_whom_the_settings_name(
    desk: Desk, sandbox: Sandbox, notes: str, publish: int
) -> None:
    desk.with_settings(notes=notes)
    await desk.tell("opened")
    await desk.tell("updated")
    [[note]] = sandbox.cloud.world.extra["receivers"]["autotask"].notes.values()
    assert (note["publish"], note["noteType"], note["title"]) == (publish, 1, "updated: vm-1 & <others>")


async def test_a_status_of_ones_own_closes_and_complete_counts_as_closed_too(desk: Desk) -> None:
    desk.with_settings(complete_status_id="20")
    await desk.tell("opened")
    closed = await desk.tell("closed")
    assert closed.ticket is not None
    assert closed.ticket.state == "closed"

    async def read() -> list[str]:
        return [row.state for row in await desk.kind.read(desk.outlet, desk.settings, list(desk.known.values()))]

    assert await read() == ["closed"]
    await desk.by_hand("closed")
    assert await read() == ["closed"]
    await desk.by_hand("open")
    assert await read() == ["open"]


async def test_a_hundred_tickets_are_read_in_one_request(desk: Desk) -> None:
    await desk.tell("opened")
    many = [desk.known[ALERT], *(TicketRef(str(5000 + number), state="open") for number in range(99))]
    before = await desk.requests()
    found = await desk.kind.read(desk.outlet, desk.settings, many)
    assert await desk.requests() == before + 1
    assert [row.state for row in found] == ["open"] + ["closed"] * 99


async def test_without_a_queue_tickets_wait(desk: Desk) -> None:
    desk.with_settings(queue_id=None)
    assert (await desk.fails("opened")).held


@pytest.mark.parametrize("severity, priority", [("critical", 4), ("high", 1), ("low", 2), ("", 2)])
async def test_a_severity_without_a_priority_gets_the_databases_default(
    desk: Desk, severity: str, priority: int
) -> None:
    await desk.tell("opened", severity=severity)
    body = await sent_ticket(desk)
    assert body["priority"] == priority
    assert body["dueDateTime"] == "2026-03-03T09:00:00Z"


async def test_wrong_credentials_are_tried_once_before_the_sink_is_off(desk: Desk) -> None:
    desk.with_settings(secret=SecretStr("wrong"))
    error = await desk.fails("opened")
    assert (error.status, error.disable) == (401, True)
    assert "wrong" not in error.message
    # Ten in a row would lock the API user.
    assert (await desk.inbox())["failures"] == 1


async def test_an_unknown_user_has_no_zone_and_switches_the_sink_off(desk: Desk) -> None:
    desk.with_settings(username="nobody@msp.example")
    error = await desk.fails("opened")
    assert error.disable
    assert "nobody@msp.example" in error.message


async def test_threads_wait_for_seconds_and_the_hours_threshold_for_a_minute(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.mood(status=429, times=1)
    assert (await desk.fails("updated")).retry_after == 5.0
    await desk.mood(threshold=0)
    error = await desk.fails("updated")
    assert (error.status, error.retry_after, error.permanent) == (429, 60.0, False)


@pytest.mark.parametrize("status", [500, 404])
async def test_an_unexpected_error_is_tried_again(desk: Desk, status: int) -> None:
    await desk.tell("opened")
    await desk.mood(status=status)
    error = await desk.fails("updated")
    assert (error.permanent, error.disable) == (False, False)


async def test_a_business_rule_that_refuses_is_permanent_with_its_own_words(desk: Desk) -> None:
    desk.with_settings(due_in_hours=None)
    error = await desk.fails("opened")
    assert (error.status, error.permanent, error.disable) == (500, True, False)
    assert "dueDateTime" in error.message
    desk.with_settings(ticket_category_id="4", ticket_type_id="5", source_id="8")
    await desk.tell("opened")
    body = await sent_ticket(desk)
    assert (body["ticketCategory"], body["ticketType"], body["source"]) == (4, 5, 8)


async def test_long_texts_are_cut_and_the_mark_of_a_note_stays(desk: Desk) -> None:
    await desk.tell("opened", text="x" * 20_000, title="t" * 400)
    await desk.tell("updated", text="y" * 20_000, title="t" * 400)
    await desk.tell("updated", text="y" * 20_000, title="t" * 400)
    ticket = await desk.ticket()
    assert len(ticket["title"]) == 255
    assert [len(note) for note in ticket["notes"]] == [8000, 8000]
    assert ticket["notes"][1].endswith("]")


async def test_the_test_tells_zone_queue_and_companies(desk: Desk) -> None:
    assert await tested(desk) == "Zone 5: queue Monitoring Alert, closes with Complete; 2 companies."


@pytest.mark.parametrize(
    "change, said",
    [
        ({"queue_id": None}, "Choose a queue"),
        ({"queue_id": "77"}, "Queue 77 of queueId"),
        ({"complete_status_id": "77"}, "Status 77 of completeStatusId"),
        ({"note_type_id": "99"}, "Note type 99 of noteTypeId"),
        ({"ticket_category_id": "99"}, "Ticket category 99"),
        ({"own_company_id": "99"}, "Active company 99"),
    ],
)
async def test_the_test_names_what_is_set_and_not_there(desk: Desk, change: dict[str, Any], said: str) -> None:
    desk.with_settings(**change)
    with pytest.raises(SinkError, match=said):
        await tested(desk)


async def test_the_test_refuses_a_database_whose_tickets_cannot_be_found_again(desk: Desk) -> None:
    await desk.mood(hidden=["externalID"])
    with pytest.raises(SinkError, match="externalID"):
        await tested(desk)


async def test_choices_are_the_databases_own(desk: Desk) -> None:
    async def names(name: str, search: str = "") -> list[str]:
        return [row["name"] for row in await desk.kind.choices(desk.outlet, desk.settings, name, search)]

    assert "Contoso" in await names("companies")
    assert "Old Client" not in await names("companies")
    assert await names("queues") == ["Monitoring Alert", "Client Portal", "Recurring Tickets"]
    assert await names("statuses", "comp") == ["Complete"]
    assert await names("noteTypes") == ["Task Summary", "Task Detail", "Task Notes"]
    with pytest.raises(InvalidInput):
        await names("boards")


async def test_picklists_are_asked_again_after_a_while(desk: Desk) -> None:
    await desk.tell("opened", severity="low")
    await desk.tell("opened", severity="low", alert=ALERT + "1")
    desk.now += timedelta(minutes=11)
    await desk.tell("opened", severity="low", alert=ALERT + "2")
    assert (await asked(desk)).count("GET Tickets/entityInformation/fields") == 2


async def test_the_secrets_are_needed_and_never_shown(desk: Desk, place: Place) -> None:
    assert desk.kind.complete(desk.settings) == (desk.settings, {})
    await desk.kind.check(desk.outlet, desk.settings)
    for name in ("secret", "integration_code"):
        with pytest.raises(InvalidInput):
            desk.kind.complete(desk.settings.model_copy(update={name: None}))
    assert not {"secret", "integrationCode"} & set(desk.settings.redacted())
    await desk.tell("opened")
    assert place["secret"] not in str(await desk.inbox())
