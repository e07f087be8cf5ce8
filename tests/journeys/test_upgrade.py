"""What the version before was in the middle of is finished by this one."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest_asyncio

from sandbox.host import Host
from sandbox.host.server import GRACE
from sandbox.server import Sandbox
from shared import permissions
from shared.devices import device_id
from shared.microsoft.identity import refresh_secret_name
from shared.outbox import given, sinks
from shared.sinks.contract import Message
from shared.store.backup import Backup
from shared.store.connect import open_tables
from tests.app_fixtures import ApiFor
from tests.estate import CLIENTS, Estate, Settle
from tests.journeys.before import Before
from tests.sandbox.browser import consented, sign_in, tenant_called
from tests.telling import psa_tickets


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle, tmp_path: Path
) -> Estate:
    """The installation of before with the application of now, at the time of then, before it has done anything."""
    before, estate = Before.load(), Estate(fresh_app, sandbox, control, await api("alice"), api, settle)
    await asyncio.gather(*(listener.stop(GRACE) for listener in fresh_app.listeners))
    await estate.advance((before.at - datetime.now(UTC)).total_seconds())
    origins = {**sandbox.urls, "host": fresh_app.url}
    app = estate.app
    async with open_tables(app.settings, app.credential, app.transport.azure) as service:
        await Backup(service, print).restore(before.backup(tmp_path / "before", origins))
    for name, value in before.secrets.items():
        await app.vault.set(name, value)
    await as_it_was(estate, before)
    for queue, texts in before.queues.items():
        for text in texts:
            await app.queues.send_text(queue, text)
    for listener in fresh_app.listeners:
        listener.start()
    return estate


async def as_it_was(estate: Estate, before: Before) -> None:
    """Bring Microsoft's cloud and the ticket system to where they were."""
    app, world = estate.app, estate.sandbox.cloud.world
    async with httpx.AsyncClient(timeout=30) as browser:
        await app.vault.set(refresh_secret_name("c1"), await sign_in(estate.sandbox, browser))
    for client in (*CLIENTS, before.third):
        consented(estate.sandbox, tenant_called(world, client), " ".join(permissions.delegated("graph", "client")))
    resources = {r.id: r for s in world.subscriptions.values() for r in s.resources.values()}
    for name in ("told", "waiting", "seen", *range(len(before.names["outage"]))):
        place = before.names[name] if isinstance(name, str) else before.names["outage"][name]
        estate.fall_ill(resources[place])
    # Azure has done this meanwhile, and has forgotten how it was asked.
    stopped = resources[before.names["follows"]]
    stopped.power = "deallocated"
    world.subscriptions[stopped.subscription_id].version += 1
    sink = await sinks.find(app, before.sinks["connectwise"])
    assert sink is not None
    settings, outlet, kind = await sinks.settings_of(app, sink), sinks.outlet(app, sink.id), given.kind_of(sink.kind)
    for number, ticket in enumerate(before.tickets):
        message = Message(
            f"m{number}", "tenantry.alert.opened", b"", ticket["key"], ticket["title"], site_id="contoso-hq"
        )
        receipt = await kind.open(outlet, settings, message)
        assert receipt.ticket is not None
        assert receipt.ticket.external_id == ticket["id"]
        if ticket["state"] == "closed":
            await kind.close(outlet, settings, message)


async def test_what_was_under_way_is_finished_once(estate: Estate) -> None:
    before = Before.load()
    await estate.settle(60)
    await estate.advance(23 * 60)
    await estate.timer("poll_resource_health")
    await estate.timer("judge_due", "run_schedules", "deliver_due", "resend_lost_work")
    await estate.advance(60)
    await estate.settle(60, delayed=True)
    assert await estate.listed("/service/poison") == []
    ended = {name: await estate.call("GET", f"/operations/{found}") for name, found in before.operations.items()}
    assert {name: row["status"] for name, row in ended.items()} == dict.fromkeys(before.operations, "succeeded")
    third = tenant_called(estate.sandbox.cloud.world, before.third)
    assert (await estate.call("GET", f"/tenants/{third.id}"))["status"] == "synced"
    (run,) = await estate.listed(f"/schedules/{before.schedule}/runs")
    assert (run["state"], run["devices"]) == ("started", 1)
    planned = await estate.call("GET", f"/operations/{run['operationId']}")
    assert planned["status"] == "succeeded"
    # What waited has come under the id of its first try, what nobody had judged is told, what was told is not again.
    subscription, names = estate.cloud().id, before.names
    of = {device_id(subscription, names[name]): name for name in ("told", "waiting", "closed", "seen")}
    told = {row["headers"]["webhook-id"]: row["body"] for row in await estate.received() if row["verified"]}
    alerts = {key: of[body["subject"]] for key, body in told.items() if "alert" in body["type"]}
    assert sorted(alerts.values()) == ["seen", "waiting"]
    refused = [row["id"] for row in before.received if row["accepted"] != HTTPStatus.OK]
    assert [key for key, name in alerts.items() if name == "waiting"] == refused
    assert await states(estate) == {"closed": 1, "open": 3}
    # And it goes on: the ticket that was open closes, and nobody's hand is to be seen in the audit log.
    estate.recover(next(r for r in estate.cloud().resources.values() if r.id == names["told"]))
    await estate.poll()
    assert await states(estate) == {"closed": 2, "open": 2}
    assert (await estate.call("GET", "/audit/verify", params={"day": f"{before.at:%Y-%m-%d}"}))["ok"]


async def states(estate: Estate) -> Counter[str]:
    """How many tickets the PSA has in each state."""
    return Counter(str(ticket["state"]) for ticket in await psa_tickets(estate))
