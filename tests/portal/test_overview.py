"""The overview in the browser: what is wrong is seen where it belongs, and what was given up is put back."""

from __future__ import annotations

import re

from playwright.async_api import expect

from shared.incidents.records import INCIDENTS
from shared.jobs import CloseAlerts
from shared.tenants import TENANTS, Tenant
from tests.estate import Estate
from tests.portal.driver import Portal
from tests.sandbox.browser import tenant_called
from tests.tenanting import sync

UNREADABLE = {"PartitionKey": "s", "RowKey": "d", "data": "{"}
"""A row that the closing of a subscription's alerts stumbles over."""


async def test_what_is_wrong_is_shown_by_client_and_work_that_was_given_up_is_put_back(
    portal: Portal, estate: Estate
) -> None:
    wingtip = tenant_called(estate.sandbox.cloud.world, "Wingtip Toys")
    stored = Tenant(id=wingtip.id, display_name="Wingtip Toys", connection_id="c1", relationship="gdapOnly")
    await estate.app.tables.put(TENANTS, stored)
    assert (await sync(estate.alice, estate.settle, "Wingtip Toys"))["status"] == "failed"
    failed = await estate.call("GET", f"/tenants/{wingtip.id}")

    sink = await estate.webhook(name="Desk")
    machine = estate.machine()
    estate.fall_ill(machine)
    await estate.poll()

    await estate.app.tables.put_raw(INCIDENTS.table, UNREADABLE)
    await estate.app.queues.send(CloseAlerts(subscription_id="s", reason="siteUnmapped"))
    await estate.settle(30)

    page = await portal.open("/overview")
    contoso = page.get_by_role("row", name=re.compile("^Contoso"))
    await expect(contoso.get_by_role("link", name="1 high")).to_have_attribute("href", "/alerts?clientName=Contoso")
    await expect(page.get_by_role("row", name=re.compile("^Fabrikam"))).to_contain_text("none")

    unread = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Wingtip Toys"))
    await expect(unread).to_contain_text("Sync failed")
    await expect(unread).to_contain_text(failed["statusReason"])
    await expect(page.get_by_text("were not polled for more than")).to_have_count(0)

    title = f"Contoso: {machine.name} is unavailable"
    tickets = page.get_by_role("list", name="Newest tickets of Desk")
    await expect(tickets.get_by_role("link", name=title)).to_be_visible()
    await expect(page.get_by_role("link", name="Desk")).to_have_attribute("href", f"/setup/sinks/{sink['id']}")

    await estate.app.tables.delete_raw(INCIDENTS.table, "s", "d")
    await expect(page.get_by_text("Close alerts")).to_be_visible()
    await page.get_by_role("button", name="Put back").click()
    dialog = page.get_by_role("dialog", name="Put back: Close alerts")
    await dialog.get_by_role("textbox", name="Reason").fill("Mended")
    await dialog.get_by_role("button", name="Put back").click()
    await expect(page.get_by_role("heading", name="Work that was given up")).to_have_count(0)
    await estate.settle(30)
    assert [row["state"] for row in await estate.listed("/service/poison")] == ["requeued"]

    # Past the time that the policy allows, whoever looks is told that what she sees is old.
    await estate.advance(46 * 60)
    await page.reload()
    await expect(page.get_by_text("2 of 2 subscriptions were not polled for more than 45 minutes")).to_be_visible()
