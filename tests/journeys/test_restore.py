"""A living system is exported, wiped and restored, and goes on: no ticket is lost, and none is doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox.host import Host
from sandbox.host.reset import empty_storage
from sandbox.host.server import GRACE
from sandbox.server import Sandbox
from sandbox.world import Resource
from shared.store.backup import IN_TURN, Backup
from shared.store.connect import open_tables
from tests import estate as made
from tests import scheduling
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.telling import psa, psa_tickets

TIMERS = ("judge_due", "run_schedules", "deliver_due", "resend_lost_work", "read_back_tickets")


@pytest_asyncio.fixture
async def estate(fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle) -> Estate:
    """Contoso and Fabrikam, with a webhook and a PSA that has a company for Contoso."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    await estate.webhook()
    await psa(estate)
    await estate.poll()
    return estate


@asynccontextmanager
async def stopped(estate: Estate) -> AsyncIterator[Backup]:
    """The application without workers, and the tool that works meanwhile; afterwards it starts with an empty memory."""
    await asyncio.gather(*(listener.stop(GRACE) for listener in estate.host.listeners))
    app = estate.app
    async with open_tables(app.settings, app.credential, app.transport.azure) as service:
        yield Backup(service, print)
    await estate.host._close_application()
    await estate.host._join_clock()
    for listener in estate.host.listeners:
        listener.start()


async def wiped(estate: Estate) -> None:
    """No table is left, and no message."""
    await empty_storage(estate.host.settings["AzureWebJobsStorage"], estate.app.transport.azure)


async def go_on(estate: Estate, minutes: float = 16) -> None:
    """What is done by itself until the next poll, and in it."""
    await estate.advance(minutes * 60)
    await estate.timer("poll_resource_health")
    await estate.timer(*TIMERS)
    await estate.settle(60, delayed=True)


async def told(estate: Estate, machine: Resource) -> list[tuple[str, str, str]]:
    """What the webhook heard of a machine: (verb, alert id, webhook-id) of each message, in order."""
    device = estate.device_id(machine)
    rows = [row for row in await estate.received() if row["body"]["subject"] == device]
    return [(r["body"]["type"].rpartition(".")[2], r["body"]["data"]["id"], r["headers"]["webhook-id"]) for r in rows]


async def tickets(estate: Estate) -> Counter[str]:
    """How many tickets the PSA has in each state."""
    return Counter(str(ticket["state"]) for ticket in await psa_tickets(estate))


async def alert(estate: Estate, machine: Resource) -> dict[str, Any]:
    """The only alert of a machine."""
    (found,) = await estate.alerts_of(machine)
    return found


async def outages(estate: Estate) -> list[tuple[str, str]]:
    """(alert id, webhook-id) of each time that an outage was told as opened."""
    rows = [row for row in await estate.received() if row["body"]["data"].get("kind") == "outage"]
    return [(r["body"]["data"]["id"], r["headers"]["webhook-id"]) for r in rows if r["body"]["type"].endswith("opened")]


def machines(estate: Estate, count: int, client: str = "Contoso") -> list[Resource]:
    """Machines of a client that run and are well."""
    rows = estate.cloud(client).resources.values()
    well = [r for r in rows if r.power == "running" and r.health and r.health.state == "Available"]
    return well[:count]


async def test_a_restored_system_goes_on_where_it_was(estate: Estate, tmp_path: Path) -> None:
    ill, waiting, acted, fresh, planned = machines(estate, 5)
    estate.fall_ill(ill)
    await estate.poll()
    assert [verb for verb, _, _ in await told(estate, ill)] == ["opened"]
    assert await tickets(estate) == {"open": 1}
    # What follows is told to nobody, begun by nobody: it is stored, and its messages are in queues.
    for kind in ("webhook", "connectwise"):
        (await estate.control.put(f"/receivers/{kind}", json={"status": 503})).raise_for_status()
    estate.fall_ill(waiting)
    await estate.poll()
    schedule = await scheduling.made(estate, planned, minutes=12)
    for kind in ("webhook", "connectwise"):
        (await estate.control.put(f"/receivers/{kind}", json={})).raise_for_status()
    async with stopped(estate) as tool:
        action = await estate.call("POST", f"/devices/{estate.device_id(acted)}/actions/restart", 202, json={})
        listing = await estate.call("POST", "/tenants/refresh", 202)
        await tool.export(tmp_path / "kept")
        await wiped(estate)
        await tool.restore(tmp_path / "kept")
    await go_on(estate)
    # Nothing is doubled, and what waited has come.
    assert [verb for verb, _, _ in await told(estate, ill)] == ["opened"]
    assert len({webhook_id for _, _, webhook_id in await told(estate, waiting)}) == 1
    assert await tickets(estate) == {"open": 2}
    for operation in (action, listing):
        assert (await estate.call("GET", f"/operations/{operation['id']}"))["status"] == "succeeded"
    (run,) = await scheduling.runs(estate, schedule)
    assert (run["state"], run["devices"]) == ("started", 1), run
    # What was open is closed by what happens now, and a new fault is one ticket.
    estate.recover(ill)
    estate.fall_ill(fresh)
    await go_on(estate)
    assert (await alert(estate, ill))["state"] == "closed"
    assert [verb for verb, _, _ in await told(estate, ill)] == ["opened", "closed"]
    assert [verb for verb, _, _ in await told(estate, fresh)] == ["opened"]
    assert await tickets(estate) == {"open": 2, "closed": 1}
    # Nobody's hand is to be seen in the audit log.
    day = f"{estate.app.clock.now() - timedelta(hours=2):%Y-%m-%d}"
    for each in {day, f"{estate.app.clock.now():%Y-%m-%d}"}:
        assert (await estate.call("GET", "/audit/verify", params={"day": each}))["ok"]
    assert await estate.listed("/service/poison") == []


def devices(estate: Estate, count: int) -> list[Resource]:
    """Resources of Contoso, of whatever type, that are well."""
    return [r for r in estate.cloud().resources.values() if r.health and r.health.state == "Available"][:count]


async def test_what_happens_during_an_export_is_neither_lost_nor_doubled(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, (first, *left) = Backup._export_table, devices(estate, 7)
    await estate.call("PUT", "/alerts/policy", json={"outageGroupSize": 0})
    estate.fall_ill(first)
    await estate.poll()

    async def meanwhile(tool: Backup, folder: Path, table: str) -> Any:
        """After each of the tables that follow one another, a machine fails and has its ticket."""
        done = await read(tool, folder, table)
        if table in IN_TURN:
            estate.fall_ill(left[IN_TURN.index(table)])
            await estate.poll()
        return done

    monkeypatch.setattr(Backup, "_export_table", meanwhile)
    app = estate.app
    async with open_tables(app.settings, app.credential, app.transport.azure) as service:
        await Backup(service, print).export(tmp_path / "kept")
    assert await tickets(estate) == {"open": 7}
    async with stopped(estate) as tool:
        await wiped(estate)
        await tool.restore(tmp_path / "kept")
    await go_on(estate)
    assert await tickets(estate) == {"open": 7}
    for machine in (first, *left):
        estate.recover(machine)
    await go_on(estate)
    assert await tickets(estate) == {"closed": 7}
    for machine in (first, *left):
        heard = await told(estate, machine)
        assert {verb for verb, _, _ in heard} == {"opened", "closed"}
        assert len({webhook_id for verb, _, webhook_id in heard if verb == "opened"}) == 1
    assert await estate.listed("/service/poison") == []


async def test_what_was_opened_after_the_backup_is_found_again_and_not_doubled(estate: Estate, tmp_path: Path) -> None:
    before, after = machines(estate, 2)
    await estate.call("PUT", "/alerts/policy", json={"outageGroupSize": 4})
    estate.fall_ill(before)
    await estate.poll("Fabrikam")
    await estate.poll()
    async with stopped(estate) as tool:
        await tool.export(tmp_path / "kept")
    await estate.advance(420)
    for machine in (after, *machines(estate, 4, "Fabrikam")):
        estate.fall_ill(machine)
    await estate.advance(120)
    await go_on(estate)
    was, (opened,) = await alert(estate, after), await told(estate, after)
    (outage,) = await outages(estate)
    assert await tickets(estate) == {"open": 2}
    async with stopped(estate) as tool:
        await wiped(estate)
        await tool.restore(tmp_path / "kept")
    await go_on(estate)
    again = await alert(estate, after)
    assert (again["id"], again["openedAt"]) == (was["id"], was["openedAt"])
    # At most told again, under the same id; in the PSA it is the same ticket.
    assert set(await told(estate, after)) == {opened}
    assert set(await outages(estate)) == {outage}
    assert await tickets(estate) == {"open": 2}
    estate.recover(before)
    estate.recover(after)
    await go_on(estate)
    assert await tickets(estate) == {"closed": 2}
    assert [verb for verb, _, _ in await told(estate, after)][-1] == "closed"
    assert {alert_id for _, alert_id, _ in await told(estate, after)} == {was["id"]}
