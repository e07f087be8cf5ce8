"""The table, wherever it is: filters, columns, density, page size and selection, and which of them outlive a visit."""

from __future__ import annotations

import asyncio
import csv
import re
from datetime import timedelta

from playwright.async_api import FilePayload, Page, Route, expect

from tests.estate import Estate
from tests.portal.driver import Portal, axe


async def choose(page: Page, filter_name: str, *values: str) -> None:
    """Choose values of a filter, and close it."""
    await page.get_by_role("button", name=filter_name, exact=True).click()
    for value in values:
        await page.get_by_role("checkbox", name=re.compile(f"^{re.escape(value)}")).click()
    await page.keyboard.press("Escape")


async def count_of(estate: Estate, query: str) -> int:
    found: int = (await estate.call("GET", f"/devices?$top=1&$count=true&{query}"))["count"]
    return found


async def heads(page: Page) -> list[str]:
    """The columns in the order in which they are shown."""
    shown = await page.get_by_role("columnheader").all()
    ordered = sorted([((await one.bounding_box() or {"x": 0})["x"], await one.inner_text()) for one in shown])
    return [name.strip() for _, name in ordered if name.strip()]


async def width_of(page: Page, column: str) -> float:
    box = await page.get_by_role("columnheader", name=column, exact=True).bounding_box()
    assert box is not None
    return box["width"]


async def row_height(page: Page) -> float:
    box = await page.get_by_role("gridcell").first.bounding_box()
    assert box is not None
    return box["height"]


async def test_devices_are_filtered_by_site_and_by_region_and_what_is_filtered_is_told(
    portal: Portal, standing: Estate
) -> None:
    page = await portal.open("/devices")
    await expect(page.get_by_text("Unfiltered")).to_be_visible()
    await choose(page, "Site", "Fabrikam, HQ")
    await expect(page.get_by_text("Filtered by")).to_be_visible()
    of_the_site = await count_of(standing, "siteId=fabrikam-hq")
    await expect(page.get_by_text(f"of {of_the_site}")).to_be_visible()
    region = (await standing.call("GET", "/devices/summary?siteId=fabrikam-hq"))["byRegion"][0]["region"]
    await choose(page, "Region", region)
    of_both = await count_of(standing, f"siteId=fabrikam-hq&region={region}")
    await expect(page.get_by_text(f"of {of_both}")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text(f"of {of_both}")).to_be_visible()
    await page.get_by_role("button", name="Remove Site: Fabrikam, HQ").click()
    await expect(page.get_by_text(f"of {await count_of(standing, f'region={region}')}")).to_be_visible()
    # What is searched for is no period, whatever it looks like.
    async with page.expect_request(re.compile(r"search=24h\b")):
        await page.get_by_role("searchbox", name="Search names and groups").fill("24h")
    await page.get_by_role("button", name="Reset filters").first.click()
    await expect(page.get_by_text("Unfiltered")).to_be_visible()
    await expect(page.get_by_text(f"of {await count_of(standing, '')}")).to_be_visible()


async def test_columns_density_and_page_size_outlive_a_visit_and_filters_only_where_they_are_to(
    portal: Portal, standing: Estate
) -> None:
    page = await portal.open("/devices?status=available")
    await expect(page.get_by_text(f"of {await count_of(standing, 'status=available')}")).to_be_visible()
    condensed = await row_height(page)
    # Reorder and resize.
    await page.get_by_role("columnheader", name="Client", exact=True).drag_to(
        page.get_by_role("columnheader", name="Status", exact=True)
    )
    grip = page.get_by_role("columnheader", name="Client", exact=True).locator(".ag-header-cell-resize")
    before = await width_of(page, "Client")
    box = await grip.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 60, box["y"] + 8, steps=4)
    await page.mouse.up()
    order, width = await heads(page), await width_of(page, "Client")
    assert order.index("Client") < order.index("Power state"), order
    assert width > before
    # A sort leaves both as they are.
    await page.get_by_role("columnheader", name="Status", exact=True).click()
    await expect(page).to_have_url(re.compile("sort=status"))
    assert (await width_of(page, "Client"), await heads(page)) == (width, order)
    # Density, condensed until the person wants it otherwise, and the number of rows.
    await page.get_by_role("button", name="More space between rows").click()
    await page.get_by_role("combobox", name="Rows on a page").click()
    await page.get_by_role("option", name="25 rows").click()
    await expect(page.get_by_text("1-25 of")).to_be_visible()

    await page.goto(f"{portal.site}/setup/tenants")
    await expect(page.get_by_role("button", name="Less space between rows")).to_be_visible()
    await choose(page, "Status", "Synced")
    await expect(page.get_by_role("button", name="Remove Status: Synced")).to_be_visible()
    await page.goto(f"{portal.site}/devices")
    await expect(page.get_by_text("Unfiltered")).to_be_visible()
    await expect(page.get_by_text("1-25 of")).to_be_visible()
    assert await row_height(page) > condensed
    client = page.get_by_role("columnheader", name="Client", exact=True)
    await expect(client).to_have_css("width", f"{width:g}px")
    assert await heads(page) == order
    await page.goto(f"{portal.site}/setup/tenants")
    await expect(page.get_by_role("button", name="Remove Status: Synced")).to_be_visible()


async def test_rows_are_selected_one_by_one_by_the_page_and_over_every_page(portal: Portal, standing: Estate) -> None:
    page = await portal.open("/devices")
    total = await count_of(standing, "")
    await expect(page.get_by_text(f"1-50 of {total}")).to_be_visible()
    uncheck = page.get_by_role("button", name="Uncheck all")
    await expect(uncheck).to_have_count(0)
    await page.get_by_role("checkbox", name="Column with Header Selection").check()
    await expect(page.get_by_text("50 selected.")).to_be_visible()
    await page.get_by_role("button", name="Next page").click()
    await expect(page.get_by_text(f"51-{total} of {total}")).to_be_visible()
    await expect(page.get_by_text("50 selected.")).to_be_visible()
    await page.get_by_role("button", name=f"Select all {total} that match").click()
    await expect(page.get_by_text(f"All {total} that match are selected, on every page.")).to_be_visible()
    # Everything is never meant: an action on all of them wants a filter first.
    await expect(page.get_by_role("button", name="Restart", exact=True)).to_be_disabled()
    await uncheck.click()
    await expect(page.get_by_text("selected")).to_have_count(0)
    # Nobody acts on what they no longer look for.
    await page.get_by_role("checkbox", name="Column with Header Selection").check()
    await expect(uncheck).to_be_visible()
    await page.get_by_role("searchbox", name="Search names and groups").fill("nobody")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await expect(uncheck).to_have_count(0)


async def test_dates_are_filtered_by_a_period_or_until_a_moment(portal: Portal, standing: Estate) -> None:
    await standing.call("PUT", "/sites/contoso-lab", 201, json={"clientName": "Contoso", "siteName": "Lab"})
    page = await portal.open("/setup/audit")
    entry = page.get_by_role("gridcell", name="Contoso, Lab").first
    await expect(entry).to_be_visible()
    await page.get_by_role("button", name="When", exact=True).click()
    await page.get_by_role("radio", name="Last 24 hours").click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Remove When: Last 24 hours")).to_be_visible()
    await expect(entry).to_be_visible()
    await page.get_by_role("button", name="When", exact=True).click()
    yesterday = standing.app.clock.now() - timedelta(days=1)
    await page.get_by_label("Until").fill(yesterday.strftime("%Y-%m-%dT%H:%M"))
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


async def test_what_matches_is_exported(portal: Portal, standing: Estate) -> None:
    page = await portal.open("/devices?clientName=Fabrikam")
    await page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog", name="Export devices")
    async with page.expect_download() as coming:
        await dialog.get_by_role("button", name="Export").click()
    await expect(dialog.get_by_text("Export: succeeded.")).to_be_visible()
    text = (await (await coming.value).path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == await count_of(standing, "clientName=Fabrikam")


async def test_a_file_of_sites_is_shown_before_it_is_sent(portal: Portal, standing: Estate) -> None:
    async def choose_file(text: str) -> None:
        payload: FilePayload = {"name": "sites.csv", "mimeType": "text/csv", "buffer": text.encode()}
        await dialog.get_by_label("CSV file").set_input_files(payload)

    page = await portal.open("/setup/sites")
    await page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog", name="Import sites")
    send = dialog.get_by_role("button", name="Import", exact=True)
    await choose_file("name,place\nTailspin,HQ\n")
    await expect(dialog.get_by_role("alert")).to_contain_text("The first line must be client,site")
    await expect(send).to_be_disabled()
    await choose_file('client;site\r\n"Tail;spin ""Toys""";HQ\r\n\r\nTailspin;\r\n')
    await expect(dialog.get_by_text("2 rows")).to_be_visible()
    await expect(dialog.get_by_role("cell", name='Tail;spin "Toys"')).to_be_visible()
    await expect(dialog.get_by_text("Row 2: It has no site.")).to_be_visible()
    assert await axe(page) == []
    await send.click()
    await expect(dialog.get_by_text("1 created")).to_be_visible()
    await expect(dialog.get_by_text("1 failed")).to_be_visible()


async def test_rows_of_the_filters_before_cannot_be_selected_while_the_answer_is_on_its_way(
    portal: Portal, standing: Estate
) -> None:
    page = await portal.open("/devices")
    await expect(page.get_by_text(f"of {await count_of(standing, '')}")).to_be_visible()
    answered = asyncio.Event()

    async def late(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route(re.compile(r"/api/devices\?.*status=unavailable"), late)
    await choose(page, "Status", "Unavailable")
    every = page.get_by_role("columnheader").get_by_role("checkbox")
    await every.click()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await expect(page.get_by_text("selected", exact=False)).to_have_count(0)
    await expect(every).not_to_be_checked()
    answered.set()
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await expect(page.get_by_text("selected", exact=False)).to_have_count(0)


async def test_what_a_cell_holds_is_pressed_by_the_keyboard(portal: Portal, standing: Estate) -> None:
    page = await portal.open("/devices")
    await expect(page.get_by_text(f"of {await count_of(standing, '')}")).to_be_visible()
    first = page.locator("[role=gridcell][col-id=name]").first
    name = await first.inner_text()
    await page.locator("[role=gridcell][col-id=actions]").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Open in the Azure portal")).to_be_visible()
    await page.keyboard.press("Escape")
    await first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


async def test_a_time_zone_is_found_by_typing_its_city(portal: Portal, standing: Estate) -> None:
    page = await portal.open("/schedules/new")
    zone = page.get_by_role("combobox", name="Time zone")
    for city, name in (("berlin", "Europe/Berlin"), ("new york", "America/New_York")):
        await zone.press("Control+A")
        await zone.press_sequentially(city)
        await page.get_by_role("option", name=name).click()
        await expect(zone).to_have_value(name)
