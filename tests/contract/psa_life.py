"""What every PSA kind must do, whatever its vendor's API: the same life of a ticket, told through the receivers.

Test modules of a kind define the fixture `desk` and import what is to hold from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest

from sandbox.server import Sandbox
from shared.sinks import psa
from shared.sinks.contract import LOST_SECONDS, Message, Outlet, Receipt, SinkError, SinkKind, TicketRef

ALERT = "0f1e2d3c4b5a69788796a5b4c3d2e1f0abcdefghijklmnopqrst-mb3k2j1x"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Desk:
    """One kind with its settings, a receiver, and what an outbox would remember."""

    kind: SinkKind
    settings: psa.PsaSettings
    control: httpx.AsyncClient
    http: httpx.AsyncClient
    now: datetime = NOW
    memory: dict[str, Any] = field(default_factory=dict)
    known: dict[str, TicketRef] = field(default_factory=dict)
    """Alert -> its ticket, as the last receipt had it."""

    @property
    def outlet(self) -> Outlet:
        return Outlet(self.http, self.now, "sink-1", True, self.memory)

    def message(self, event: str, alert: str = ALERT, **changes: Any) -> Message:
        given: dict[str, Any] = {
            "id": f"d-{alert[-8:]}-{event}",
            "type": f"tenantry.alert.{event}",
            "body": b"{}",
            "key": alert,
            "title": "vm-1 is unavailable",
            "text": f"{event}: vm-1 & <others>\nSecond line.",
            "severity": "high",
            "site_id": "site-1",
            "client_name": "Contoso",
            "url": "https://portal.azure.com/#@/resource/x",
            "ticket": self.known.get(alert),
        }
        return Message(**(given | changes))

    async def tell(self, event: str, alert: str = ALERT, **changes: Any) -> Receipt:
        """Deliver an event, and remember its ticket."""
        verb = {"opened": self.kind.open, "updated": self.kind.update, "closed": self.kind.close}[event.split("-")[0]]
        receipt = await verb(self.outlet, self.settings, self.message(event, alert, **changes))
        if receipt.ticket is not None:
            found, before = receipt.ticket, self.known.get(alert, TicketRef())
            found = replace(found, title=found.title or before.title, severity=found.severity or before.severity)
            receipt, self.known[alert] = replace(receipt, ticket=found), found
        return receipt

    async def fails(self, event: str, **changes: Any) -> SinkError:
        with pytest.raises(SinkError) as caught:
            await self.tell(event, **changes)
        return caught.value

    async def mood(self, **how: Any) -> None:
        (await self.control.put(f"/receivers/{self.kind.KIND}", json=how)).raise_for_status()

    async def inbox(self) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.control.get(f"/receivers/{self.kind.KIND}")).json()
        return shown

    async def tickets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.inbox())["tickets"]
        return found

    async def ticket(self) -> dict[str, Any]:
        """The only one."""
        (found,) = await self.tickets()
        return found

    async def by_hand(self, state: str) -> None:
        """People close or reopen the only ticket; `gone` deletes it."""
        place = f"/receivers/{self.kind.KIND}/tickets/{(await self.ticket())['id']}"
        answer = await (
            self.control.delete(place) if state == "gone" else self.control.put(place, json={"state": state})
        )
        answer.raise_for_status()

    async def requests(self) -> int:
        return len((await self.inbox())["deliveries"])

    def with_settings(self, **changes: Any) -> None:
        self.settings = self.settings.model_copy(update=changes)


async def test_a_ticket_is_opened_noted_closed_and_opened_again(desk: Desk) -> None:
    opened = await desk.tell("opened")
    ticket = await desk.ticket()
    assert opened.ticket is not None
    assert (opened.status, opened.ticket.external_id, opened.ticket.state) == (201, ticket["id"], "open")
    assert opened.ticket.number
    assert opened.ticket.url.startswith("http")
    assert ticket["title"] == "vm-1 is unavailable"
    assert "vm-1 & <others>" in ticket["notes"][0]
    assert "https://portal.azure.com/#@/resource/x" in ticket["notes"][0]
    assert (await desk.tell("updated")).ticket == opened.ticket
    closed = await desk.tell("closed")
    assert closed.ticket is not None
    assert (closed.ticket.state, (await desk.ticket())["state"]) == ("closed", "closed")
    assert not closed.closed_by_hand
    again = await desk.tell("opened-2", reopened=True)
    assert again.ticket is not None
    assert (again.ticket.state, (await desk.ticket())["state"]) == ("open", "open")
    notes = (await desk.ticket())["notes"]
    assert [note.partition(":")[0] for note in notes] == ["opened", "updated", "closed", "opened-2"]
    assert (await desk.tell("closed-2")).closed_by_hand is False
    assert (await desk.ticket())["state"] == "closed"


async def test_an_opening_whose_answer_is_lost_makes_one_ticket(desk: Desk, creation: dict[str, str]) -> None:
    await desk.mood(kind="disconnectAfter", times=1, **creation)
    lost = await desk.fails("opened")
    assert not lost.permanent
    assert not lost.disable
    assert lost.retry_after == LOST_SECONDS
    found = await desk.tell("opened")
    assert found.ticket is not None
    assert found.ticket.external_id == (await desk.ticket())["id"]
    assert len((await desk.ticket())["notes"]) == 1


async def test_an_opening_that_was_not_begun_is_tried_again_soon(desk: Desk, creation: dict[str, str]) -> None:
    await desk.mood(status=503, times=1, **creation)
    assert (await desk.fails("opened")).retry_after is None
    await desk.mood(status=429, retryAfter=7, times=1, **creation)
    assert (await desk.fails("opened")).retry_after == 7
    await desk.mood(status=504, times=1, **creation)
    assert (await desk.fails("opened")).retry_after == LOST_SECONDS


async def made_twice(desk: Desk) -> TicketRef:
    """What is left when the first creation ended after we had given up waiting for it: the ticket that is known."""
    vendor: psa.Desk = cast(Any, desk.kind).Desk(desk.outlet, desk.settings)
    company = desk.settings.companies[0].company_id
    made = [await vendor.create(desk.message("opened"), company) for _ in range(2)]
    desk.known[ALERT] = made[1]
    return made[1]


async def test_a_second_ticket_is_closed_with_the_first(desk: Desk) -> None:
    known = await made_twice(desk)
    closed = await desk.tell("closed")
    assert (closed.ticket, closed.closed_by_hand) == (replace(known, state="closed"), False)
    tickets = await desk.tickets()
    assert [row["state"] for row in tickets] == ["closed", "closed"]
    assert ["closed: " in row["notes"][-1] for row in tickets] == [True, True]
    before = await desk.tickets()
    await desk.tell("closed")
    assert await desk.tickets() == before


async def test_a_second_ticket_is_closed_as_one_when_the_alert_opens(desk: Desk) -> None:
    await made_twice(desk)
    desk.known.clear()
    opened = await desk.tell("opened")
    first, second = await desk.tickets()
    assert opened.ticket is not None
    assert (opened.ticket.external_id, first["state"], second["state"]) == (first["id"], "open", "closed")
    assert f"The ticket of this incident is {opened.ticket.number}" in second["notes"][-1]


@pytest.mark.parametrize("how", ["closed", "gone"])
async def test_a_second_ticket_is_closed_when_people_closed_the_first(desk: Desk, how: str) -> None:
    known = await made_twice(desk)
    place = f"/receivers/{desk.kind.KIND}/tickets/{known.external_id}"
    await (desk.control.delete(place) if how == "gone" else desk.control.put(place, json={"state": "closed"}))
    closed = await desk.tell("closed")
    assert closed.closed_by_hand
    assert {row["state"] for row in await desk.tickets()} == {"closed"}


async def test_a_crash_between_making_a_ticket_and_recording_it_makes_no_second(desk: Desk) -> None:
    first = await desk.tell("opened")
    desk.known.clear()
    desk.memory.clear()
    second = await desk.tell("opened")
    assert second.ticket == first.ticket
    assert len(await desk.tickets()) == 1


async def test_a_ticket_that_was_never_recorded_is_found_by_later_events(desk: Desk) -> None:
    await desk.tell("opened")
    desk.known.clear()
    await desk.tell("updated")
    desk.known.clear()
    await desk.tell("closed")
    assert (await desk.ticket())["state"] == "closed"
    assert len((await desk.ticket())["notes"]) == 3


async def test_notes_are_written_once_however_often_an_event_is_tried(desk: Desk, noting: dict[str, str]) -> None:
    await desk.tell("opened")
    await desk.mood(kind="disconnectAfter", times=1, **noting)
    await desk.fails("updated")
    await desk.tell("updated")
    await desk.tell("updated")
    assert len((await desk.ticket())["notes"]) == 2


async def test_a_closing_whose_answer_is_lost_was_ours_and_not_by_hand(desk: Desk, closing: dict[str, str]) -> None:
    await desk.tell("opened")
    await desk.mood(kind="disconnectAfter", times=1, **closing)
    error = await desk.fails("closed")
    assert not error.permanent
    await desk.mood()
    closed = await desk.tell("closed")
    assert closed.ticket is not None
    assert (closed.closed_by_hand, closed.ticket.state) == (False, "closed")
    assert (await desk.ticket())["state"] == "closed"
    assert len((await desk.ticket())["notes"]) == 2
    await desk.tell("opened-2", reopened=True)
    assert (await desk.ticket())["state"] == "open"


async def test_a_reopening_whose_answer_is_lost_is_noted_once(desk: Desk, closing: dict[str, str]) -> None:
    await desk.tell("opened")
    await desk.tell("closed")
    await desk.mood(kind="disconnectAfter", times=1, **closing)
    await desk.fails("opened-2", reopened=True)
    await desk.mood()
    await desk.tell("opened-2", reopened=True)
    assert (await desk.ticket())["state"] == "open"
    assert len((await desk.ticket())["notes"]) == 3


async def test_title_and_priority_follow_what_the_alert_says(desk: Desk) -> None:
    ids = desk.settings.priorities
    await desk.tell("opened", severity="high")
    assert (await desk.ticket())["priority"] == ids.high
    await desk.tell("updated-2", severity="critical", title="vm-1 is degraded")
    assert ((await desk.ticket())["title"], (await desk.ticket())["priority"]) == ("vm-1 is degraded", ids.critical)
    await desk.tell("updated-3", severity="low", title="vm-1 is degraded")
    assert (await desk.ticket())["priority"] == ids.critical, "low has none in these settings"
    await desk.tell("closed", severity="high", title="other")
    assert ((await desk.ticket())["title"], (await desk.ticket())["priority"]) == ("vm-1 is degraded", ids.critical)
    await desk.tell("opened-2", reopened=True, severity="high")
    assert ((await desk.ticket())["title"], (await desk.ticket())["priority"]) == ("vm-1 is unavailable", ids.high)


async def test_what_people_set_stays_until_ours_changes(desk: Desk, sandbox: Sandbox) -> None:
    ids = desk.settings.priorities
    await desk.tell("opened", severity="high")
    receiver = sandbox.cloud.world.extra["receivers"][desk.kind.KIND]
    (shown,) = receiver.tickets.values()
    shown.title, shown.priority = "Ours", ids.critical
    await desk.tell("updated-2", severity="high")
    await desk.tell("updated-3", severity="critical", late=True)
    assert ((await desk.ticket())["title"], (await desk.ticket())["priority"]) == ("Ours", ids.critical)
    assert not [row for row in (await desk.inbox())["deliveries"][1:] if row["method"] == "PATCH"]
    await desk.tell("updated-4", severity="high", title="vm-1 is degraded")
    assert (await desk.ticket())["title"] == "vm-1 is degraded"


async def test_a_change_whose_answer_is_lost_is_made_again(desk: Desk, closing: dict[str, str]) -> None:
    await desk.tell("opened", severity="high")
    await desk.mood(status=503, times=1, **closing)
    await desk.fails("updated", severity="critical")
    await desk.tell("updated", severity="critical")
    assert (await desk.ticket())["priority"] == desk.settings.priorities.critical
    assert len((await desk.ticket())["notes"]) == 2


@pytest.mark.parametrize(
    "event, how",
    [("updated", "closed"), ("closed", "closed"), ("updated", "gone"), ("closed", "gone"), ("opened-2", "gone")],
)
async def test_a_ticket_that_people_closed_is_shown_so_and_left_alone(desk: Desk, how: str, event: str) -> None:
    await desk.tell("opened")
    await desk.by_hand(how)
    before = await desk.tickets()
    receipt = await desk.tell(event, reopened=event == "opened-2")
    assert receipt.closed_by_hand
    assert receipt.detail
    assert receipt.ticket is not None
    assert receipt.ticket.state == "closed"
    assert await desk.tickets() == before


async def test_what_fails_again_after_it_was_back_is_noted_once_on_a_ticket_that_people_closed(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.by_hand("closed")
    before = await desk.ticket()
    known = desk.known[ALERT]
    for _ in range(2):
        desk.known[ALERT] = known
        receipt = await desk.tell("opened-2", reopened=True)
        assert receipt.closed_by_hand
        assert "stays closed" in receipt.detail
        after = await desk.ticket()
        assert "opened-2" in after["notes"].pop()
        assert after == before


@pytest.mark.parametrize("gone", [False, True])
async def test_what_is_delivered_late_after_our_closing_is_not_taken_for_a_closing_by_hand(
    desk: Desk, gone: bool
) -> None:
    await desk.tell("opened")
    await desk.tell("closed")
    if gone:
        await desk.by_hand("gone")
    before = await desk.tickets()
    for event in ("opened", "updated", "closed"):
        receipt = await desk.tell(event)
        assert (receipt.closed_by_hand, receipt.ticket) == (False, desk.known[ALERT])
        assert receipt.detail
    assert await desk.tickets() == before
    assert desk.known[ALERT].state == "closed"
    assert (await desk.tell("opened-2", reopened=True)).closed_by_hand is gone


async def test_a_ticket_that_people_reopened_after_our_closing_is_only_noted(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("closed")
    await desk.by_hand("open")
    receipt = await desk.tell("opened-2", reopened=True)
    assert receipt.ticket is not None
    assert (receipt.closed_by_hand, receipt.ticket.state) == (False, "open")
    assert len((await desk.ticket())["notes"]) == 3


async def test_a_reopening_without_any_ticket_opens_one(desk: Desk) -> None:
    receipt = await desk.tell("opened", reopened=True)
    assert receipt.status == 201
    assert (await desk.ticket())["state"] == "open"


async def test_later_events_without_any_ticket_make_none(desk: Desk) -> None:
    for event in ("updated", "closed"):
        receipt = await desk.tell(event)
        assert (receipt.ticket, receipt.detail) == (None, psa.NO_TICKET)
    assert await desk.tickets() == []


async def test_alerts_have_a_ticket_each(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("opened", alert=ALERT + "1")
    assert sorted(row["key"] for row in await desk.tickets()) == sorted({row["key"] for row in await desk.tickets()})
    assert len(await desk.tickets()) == 2


async def test_the_ticket_of_an_unmapped_site_is_held_and_never_sent(desk: Desk) -> None:
    error = await desk.fails("opened", site_id="site-9")
    assert error.held
    assert not error.permanent
    assert "site-9" in error.message
    assert "companies" in error.message
    assert await desk.requests() == 0


async def test_a_ticket_goes_to_the_company_of_its_site_or_to_our_own(desk: Desk) -> None:
    await desk.tell("opened")
    await desk.tell("opened", alert=ALERT + "1", site_id=None)
    mapped = [desk.settings.companies[0].company_id, desk.settings.own_company_id]
    assert [row["company"] for row in await desk.tickets()] == mapped
    desk.with_settings(own_company_id=None)
    assert (await desk.fails("opened", alert=ALERT + "2", site_id=None)).held


async def test_being_throttled_says_how_long_to_wait(desk: Desk) -> None:
    await desk.mood(status=429, retryAfter=7, times=1)
    error = await desk.fails("opened")
    assert (error.status, error.retry_after, error.permanent, error.disable) == (429, 7.0, False, False)
    await desk.tell("opened")


@pytest.mark.parametrize("how", [{"status": 503}, {"status": 502}, {"kind": "disconnect"}, {"status": 302}])
async def test_a_receiver_that_is_down_for_an_hour_loses_nothing(desk: Desk, how: dict[str, Any]) -> None:
    await desk.tell("opened", alert=ALERT + "1")
    await desk.mood(**how)
    for minutes in (0, 10, 30, 59):
        desk.now = NOW + timedelta(minutes=minutes)
        error = await desk.fails("opened")
        assert (error.permanent, error.disable, error.held) == (False, False, False)
    await desk.mood()
    desk.now = NOW + timedelta(hours=1)
    await desk.tell("opened")
    assert len(await desk.tickets()) == 2


async def test_refused_credentials_switch_the_sink_off(desk: Desk) -> None:
    await desk.mood(revoked=True)
    error = await desk.fails("opened")
    assert error.disable
    assert error.status in (400, 401)


async def test_the_present_state_of_many_tickets_is_read_in_one_request(desk: Desk) -> None:
    for number in range(5):
        await desk.tell("opened", alert=f"{ALERT}{number}")
    await desk.tell("closed", alert=f"{ALERT}1")
    place = f"/receivers/{desk.kind.KIND}/tickets"
    await desk.control.put(f"{place}/{desk.known[f'{ALERT}2'].external_id}", json={"state": "closed"})
    await desk.control.delete(f"{place}/{desk.known[f'{ALERT}3'].external_id}")
    before = await desk.requests()
    given = [desk.known[f"{ALERT}{number}"] for number in range(5)]
    found = await desk.kind.read(desk.outlet, desk.settings, [replace(row, state="open") for row in given])
    states = {row.external_id: row.state for row in found}
    assert [states[row.external_id] for row in given] == ["open", "closed", "closed", "closed", "open"]
    assert await desk.requests() == before + 1
    assert await desk.kind.read(desk.outlet, desk.settings, []) == []


async def test_the_test_makes_no_ticket_and_says_what_it_found(desk: Desk) -> None:
    receipt = await desk.kind.test(desk.outlet, desk.settings, desk.message("opened"))
    assert receipt.detail
    assert await desk.tickets() == []


async def test_a_mapped_company_that_is_not_there_fails_the_test(desk: Desk) -> None:
    desk.with_settings(companies=[psa.Mapped(site_id="site-1", company_id="424242")])
    with pytest.raises(SinkError, match="424242"):
        await desk.kind.test(desk.outlet, desk.settings, desk.message("opened"))


async def test_a_priority_that_is_not_there_fails_the_test_and_an_opening_for_good(desk: Desk) -> None:
    desk.with_settings(priorities=psa.Priorities(high="4242"))
    with pytest.raises(SinkError, match="4242"):
        await desk.kind.test(desk.outlet, desk.settings, desk.message("opened"))
    error = await desk.fails("opened")
    # Autotask's business rules refuse with a 500 that names them.
    assert error.status in (400, 500)
    assert (error.permanent, error.disable) == (True, False)


async def test_companies_can_be_searched_by_name(desk: Desk) -> None:
    everything = await desk.kind.choices(desk.outlet, desk.settings, "companies", "")
    assert everything
    name = everything[-1]["name"]
    found = await desk.kind.choices(desk.outlet, desk.settings, "companies", name[:4].upper())
    assert everything[-1] in found
    assert await desk.kind.choices(desk.outlet, desk.settings, "companies", 'no"such') == []


async def test_a_ticket_of_another_key_under_a_known_number_is_never_touched(desk: Desk) -> None:
    other = f"{ALERT}2"
    await desk.tell("opened", other)
    before = await desk.ticket()
    desk.known[ALERT] = desk.known[other]
    assert (await desk.tell("updated")).closed_by_hand
    await desk.tell("closed")
    assert await desk.ticket() == before
