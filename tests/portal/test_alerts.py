"""An alert in the browser, from the fault in Azure to its own end: its ticket, its deliveries, and what people do."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests import telling
from tests.estate import Estate
from tests.portal.driver import Portal

SINKS = ("Service desk", "Log")


async def number(estate: Estate) -> str:
    """The number of the one ticket at the service desk."""
    [ticket] = await telling.psa_tickets(estate)
    return str(ticket["id"])


async def do(page: Page, label: str, **fields: str) -> None:
    """Press it, fill in the dialog, and confirm."""
    await page.get_by_role("group", name="Actions").get_by_role("button", name=label, exact=True).click()
    dialog = page.get_by_role("dialog")
    for name, value in fields.items():
        await dialog.get_by_role("textbox", name=name).fill(value)
    await dialog.get_by_role("button", name=label, exact=True).click()
    await expect(dialog).to_have_count(0)


async def test_an_alert_lives_from_the_fault_to_the_recovery(portal: Portal, estate: Estate) -> None:
    machine = estate.machine()
    await estate.webhook(name="Log")
    await telling.psa(estate, name="Service desk")
    page = await portal.open("/alerts")
    await expect(page.get_by_role("heading", name="Nothing is wrong")).to_be_visible()
    estate.fall_ill(machine)
    await estate.poll()
    await estate.settle(30, delayed=True)

    await page.get_by_role("button", name="Read again").click()
    row = page.get_by_role("row", name=machine.name)
    for said in ("High", "Open", "Unavailable", "Contoso", "HQ"):
        await expect(row.get_by_role("gridcell", name=said).first).to_be_visible()
    opened_at = await row.locator("time").first.inner_text()
    assert not opened_at.startswith("in "), f"it opened {opened_at}"
    await row.get_by_role("link", name=machine.name).click()
    await expect(page.get_by_role("heading", name=machine.name, level=1)).to_be_visible()
    tickets = page.get_by_role("region", name="Tickets and deliveries")
    await expect(tickets.get_by_text(f"#{await number(estate)}")).to_be_visible()
    for sink in SINKS:
        sent = tickets.get_by_role("list", name=f"Deliveries to {sink}")
        await expect(sent.get_by_role("listitem")).to_contain_text(["Opened"])
        await expect(sent.get_by_text("Delivered")).to_have_count(1)

    await do(page, "Acknowledge", Note="Looking at the host")
    await expect(page.get_by_text("Alice Anders looks after it")).to_contain_text("Looking at the host")
    await do(page, "Snooze", Reason="Known")
    snoozed = page.get_by_text("Nobody is told of it until then")
    await expect(snoozed).to_contain_text("Snoozed by Alice Anders; ends in 1 hour")
    await do(page, "End snooze")
    await expect(snoozed).to_have_count(0)
    await do(page, "Redeliver")
    await estate.settle(30, delayed=True)
    arrived = [row["body"] for row in await estate.received()]
    opened = [body["id"] for body in arrived if body["type"] == "tenantry.alert.opened"]
    assert len(opened) == 2
    assert len(set(opened)) == 1, "what was sent again has the same id"

    estate.recover(machine)
    await estate.poll()
    await estate.settle(30, delayed=True)
    await page.reload()
    await expect(page.get_by_text("It is available again", exact=True)).to_be_visible()
    for sink in SINKS:
        await expect(tickets.get_by_role("list", name=f"Deliveries to {sink}")).to_contain_text("Closed")
    acknowledge = page.get_by_role("button", name="Acknowledge again")
    await expect(acknowledge).to_be_disabled()
    await page.get_by_role("link", name="Alerts", exact=True).click()
    await expect(page.get_by_role("heading", name="Nothing is wrong")).to_be_visible()
    await page.get_by_role("button", name="Remove State: Open").click()
    await expect(page.get_by_role("row", name=machine.name)).to_contain_text("Closed")
    assert [ticket["state"] for ticket in await telling.psa_tickets(estate)] == ["closed"]
