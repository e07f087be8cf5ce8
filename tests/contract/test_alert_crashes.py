"""Killed at any step, the work behind alerts is finished by the next try, and a sink hears of each thing once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest_asyncio
from azure.core.exceptions import AzureError

from sandbox.host import Host
from sandbox.server import Sandbox
from shared import alerts, jobs
from shared.alerts import due, lease
from shared.alerts.records import ALERTS, OPEN, Alert
from shared.app import App
from shared.devices import EVENT_PREFIX, EVENTS, Change, Device, Health, HealthEvent, Status, device_id
from shared.incidents.records import INCIDENTS
from tests import estate as made
from tests.app_fixtures import ApiFor
from tests.estate import Estate, Settle
from tests.mortal import mortal

REGION = "westeurope"


@pytest_asyncio.fixture
async def estate(
    fresh_app: Host, sandbox: Sandbox, control: httpx.AsyncClient, api: ApiFor, settle: Settle
) -> AsyncIterator[Estate]:
    """Contoso, with two sinks at the webhook receiver; three devices make an outage."""
    estate = await made.build(fresh_app, sandbox, control, api, settle)
    await estate.webhook()
    await estate.webhook(name="Second")
    await estate.call("PUT", "/alerts/policy", json={"outageGroupSize": 3, "flapChanges": 0})
    await estate.settle(30)
    yield estate


def event(estate: Estate, name: str, after: Status, region: str = "") -> HealthEvent:
    """A change of an invented machine, of this moment."""
    cloud = estate.cloud()
    resource_id = f"/subscriptions/{cloud.id}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    at = estate.app.clock.now()
    identifier = device_id(cloud.id, resource_id)
    device = Device(
        id=identifier,
        resource_id=resource_id,
        name=name,
        # Of a type of its own where it is to stand alone.
        type="Microsoft.Compute/virtualMachines" if region else f"Microsoft.Test/{name}",
        region=region,
        subscription_id=cloud.id,
        tenant_id=cloud.tenant_id,
        health=Health(status=after),
        first_seen_at=at,
        changed_at=at,
    )
    change = Change(device_id=identifier, at=at, seen_at=at, after=after)
    return HealthEvent(device_id=identifier, change=change, device=device)


async def happens(estate: Estate, *events: HealthEvent) -> None:
    for one in events:
        await estate.app.tables.put(EVENTS, one)


def applying(estate: Estate, *due_now: str) -> Callable[[App], Awaitable[None]]:
    """The job that judges Contoso's devices: those with events, and those whose time has come."""
    job = jobs.ApplyEvents(subscription_id=estate.cloud().id, due=list(due_now))
    return lambda app: alerts.run_apply(app, job)


async def die_then_finish(estate: Estate, writes: int, run: Callable[[App], Awaitable[None]]) -> bool:
    """Run a job in a worker that is killed, then in one that lives. Whether the first was killed."""
    killed = False
    try:
        await run(mortal(estate.app, writes))
    except AzureError:
        killed = True
    await estate.advance(lease.SECONDS + 1)
    await run(estate.app)
    await estate.settle(30, delayed=True)
    return killed


async def heard(estate: Estate, subject: str) -> Counter[str]:
    """Verbs of the alert events that arrived about a subject, each counted once per webhook-id."""
    seen: dict[str, str] = {}
    for row in await estate.received():
        if row["body"]["subject"] == subject:
            seen.setdefault(row["headers"]["webhook-id"], row["body"]["type"].rpartition(".")[2])
    return Counter(seen.values())


async def present(estate: Estate, subject: str) -> Alert | None:
    return await estate.app.tables.get(ALERTS, OPEN, subject)


async def nothing_is_left_over(estate: Estate) -> None:
    """No event waits, and no incident has anything left to do."""
    subscription = estate.cloud().id
    assert await estate.app.tables.all(EVENTS, subscription, prefix=EVENT_PREFIX) == []
    assert [row.effects for row in await estate.app.tables.all(INCIDENTS, subscription) if row.effects] == []
    assert [row.effects for row in await estate.app.tables.all(ALERTS, OPEN) if row.effects] == []


async def test_opening_closing_and_reopening_survive_a_kill_at_any_write(estate: Estate) -> None:
    killed: Counter[str] = Counter()
    for writes in range(9):
        name, run = f"vm{writes}", applying(estate)
        opening = event(estate, name, "unavailable")
        await happens(estate, opening)
        killed["opening"] += await die_then_finish(estate, writes, run)
        device = opening.device_id
        first = await present(estate, device)
        assert first is not None, writes
        assert await heard(estate, device) == {"opened": 2}, writes

        await happens(estate, event(estate, name, "available"))
        killed["closing"] += await die_then_finish(estate, writes, run)
        assert await present(estate, device) is None, writes
        assert await heard(estate, device) == {"opened": 2, "closed": 2}, writes

        await happens(estate, event(estate, name, "unavailable"))
        killed["reopening"] += await die_then_finish(estate, writes, run)
        again = await present(estate, device)
        assert again is not None
        assert again.id == first.id, writes
        assert await heard(estate, device) == {"opened": 4, "closed": 2}, writes
        assert [row["state"] for row in await estate.listed("/alerts", deviceId=device)] == ["open"], writes
        await nothing_is_left_over(estate)
    assert min(killed.values()) >= 7, "the worker must have died at every write there is"


async def test_a_hold_that_ends_survives_the_same(estate: Estate) -> None:
    await estate.call("PUT", "/alerts/policy", json={"holdMinutes": 10, "outageGroupSize": 0})
    await estate.settle(30)
    killed = 0
    for writes in range(8):
        opening = event(estate, f"held{writes}", "unavailable")
        await happens(estate, opening)
        killed += await die_then_finish(estate, writes, applying(estate))
        silent = await present(estate, opening.device_id)
        assert silent is not None, writes
        assert silent.state == "suppressed", writes
        await estate.advance(600)
        killed += await die_then_finish(estate, writes, applying(estate, opening.device_id))
        opened = await present(estate, opening.device_id)
        assert opened is not None, writes
        assert (opened.id, opened.state) == (silent.id, "open"), writes
        assert await heard(estate, opening.device_id) == {"opened": 2}, writes
        await nothing_is_left_over(estate)
        assert await estate.app.tables.all(due.DUE, due.PARTITION) == [], writes
    assert killed >= 11


async def test_a_silence_that_is_over_survives_the_same_and_leaves_one_trace(estate: Estate) -> None:
    killed = 0
    for writes in range(8):
        name = f"silent{writes}"
        device = event(estate, name, "unknown").device_id
        await happens(estate, event(estate, name, "unknown"))
        await die_then_finish(estate, writes, applying(estate))
        silent = await present(estate, device)
        assert silent is not None, writes
        await estate.advance(60)
        await happens(estate, event(estate, name, "available"))
        killed += await die_then_finish(estate, writes, applying(estate))
        assert await present(estate, device) is None, writes
        [trace] = await estate.listed("/alerts", deviceId=device)
        assert (trace["id"], trace["state"], trace["suppressedBy"]) == (silent.id, "closed", "unknown"), writes
        assert trace["status"] == "available", writes
        assert await heard(estate, device) == {}, writes
        await nothing_is_left_over(estate)
    assert killed >= 6


async def outage(estate: Estate) -> Alert | None:
    found = [row for row in await estate.app.tables.all(ALERTS, OPEN) if row.kind == "outage"]
    assert len(found) <= 1
    return found[0] if found else None


async def members(estate: Estate, parent: str) -> list[str]:
    rows = await estate.app.tables.all(ALERTS, OPEN)
    return sorted(row.subject.name for row in rows if row.parent_id == parent)


async def all_back(estate: Estate, names: list[str]) -> None:
    """Every device recovers, and the time in which an outage would be opened again goes by."""
    await happens(estate, *(event(estate, name, "available", REGION) for name in names))
    await applying(estate)(estate.app)
    await estate.settle(30, delayed=True)
    await estate.advance(2 * 3600)


async def test_an_outage_that_forms_and_ends_survives_a_kill_at_any_write(estate: Estate) -> None:
    killed: Counter[str] = Counter()
    for writes in range(14):
        names = [f"out{writes}-{number}" for number in range(3)]
        run = applying(estate)
        events = [event(estate, name, "unavailable", REGION) for name in names]
        await happens(estate, *events)
        killed["forming"] += await die_then_finish(estate, writes, run)
        group = await outage(estate)
        assert group is not None, writes
        assert await members(estate, group.id) == names, writes
        assert (await heard(estate, group.subject_id))["opened"] == 2 * (writes + 1), writes
        assert [await heard(estate, one.device_id) for one in events] == [Counter()] * 3, writes
        assert group.members is not None
        assert (group.members.count, group.members.open) == (3, 3), writes

        await happens(estate, *(event(estate, name, "available", REGION) for name in names))
        killed["ending"] += await die_then_finish(estate, writes, run)
        assert await outage(estate) is None, writes
        assert (await heard(estate, group.subject_id))["closed"] == 2 * (writes + 1), writes
        await nothing_is_left_over(estate)
        await estate.advance(2 * 3600)
    assert min(killed.values()) >= 11


async def test_a_ticket_that_moves_into_an_outage_survives_the_same(estate: Estate) -> None:
    killed = 0
    for writes in range(1, 26, 2):
        names = [f"merge{writes}-{number}" for number in range(3)]
        run = applying(estate)
        alone = event(estate, names[0], "unavailable", REGION)
        await happens(estate, alone)
        await run(estate.app)
        await estate.settle(30, delayed=True)
        assert await heard(estate, alone.device_id) == {"opened": 2}, writes
        await estate.advance(5)
        await happens(estate, *(event(estate, name, "unavailable", REGION) for name in names[1:]))
        killed += await die_then_finish(estate, writes, run)
        await estate.later(1)
        await estate.settle(30, delayed=True)
        group = await outage(estate)
        assert group is not None, writes
        assert await members(estate, group.id) == names, writes
        assert await heard(estate, alone.device_id) == {"opened": 2, "closed": 2}, writes
        await nothing_is_left_over(estate)
        await all_back(estate, names)
    assert killed >= 8


async def test_closing_a_subscription_survives_the_same(estate: Estate) -> None:
    async def close(app: App) -> None:
        await alerts.run_close(app, jobs.CloseAlerts(subscription_id=estate.cloud().id, reason="siteUnmapped"))

    killed = 0
    for writes in range(1, 9):
        opening = event(estate, f"gone{writes}", "degraded")
        await happens(estate, opening)
        await applying(estate)(estate.app)
        await estate.settle(30, delayed=True)
        killed += await die_then_finish(estate, writes, close)
        [closed] = await estate.listed("/alerts", deviceId=opening.device_id)
        assert (closed["state"], closed["closeReason"]) == ("closed", "siteUnmapped"), writes
        assert await heard(estate, opening.device_id) == {"opened": 2, "closed": 2}, writes
        assert await estate.app.tables.all(INCIDENTS, estate.cloud().id) == []
    assert killed >= 7


async def test_an_event_that_is_applied_again_changes_nothing(estate: Estate) -> None:
    opening = event(estate, "again", "unavailable")
    for _ in range(3):
        await happens(estate, opening)
        await applying(estate)(estate.app)
    await estate.settle(30, delayed=True)
    assert await heard(estate, opening.device_id) == {"opened": 2}
    assert len(await estate.listed("/alerts", deviceId=opening.device_id)) == 1
    await nothing_is_left_over(estate)
