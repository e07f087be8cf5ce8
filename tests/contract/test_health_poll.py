"""The poll of a subscription against the simulated Azure and Azurite: calls made, rows written, failures outlived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import httpx
import pytest
import pytest_asyncio

from sandbox.azure_types import VM
from sandbox.host import reset
from sandbox.scenarios import available, platform_fault
from sandbox.server import Sandbox
from sandbox.world import Fault, Resource
from sandbox.world import Subscription as CloudSubscription
from shared import app as composition
from shared import connections, devices, health, jobs, retention, sites, tenants
from shared import settings as settings_module
from shared.access import ADMIN, DEVICES_READ, Principal
from shared.app import App
from shared.capabilities import known, state_of
from shared.connections import CONNECTIONS, Connection
from shared.devices import index, places
from shared.devices.listing import Row
from shared.devices.places import STATES_UNREAD
from shared.devices.records import CHANGE_PREFIX, CHANGES, DEVICE_PREFIX, DEVICES, EVENT_PREFIX, EVENTS
from shared.errors import Conflict
from shared.health import keep, poll
from shared.health.keep import Observation
from shared.microsoft import resource_graph
from shared.microsoft.identity import refresh_secret_name
from shared.sites import SITES, Site
from shared.tenants import SUBSCRIPTIONS, TENANTS, Subscription, Tenant
from tests.app_fixtures import settings_for
from tests.sandbox.browser import consented, sign_in, tenant_called

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
SITE_TYPE = "Microsoft.Web/sites"
ALICE = Principal("alice", "Alice", frozenset({ADMIN, DEVICES_READ}), None)


class Rows:
    """Requests to Table Storage: (method, table), `$batch` for a transaction."""

    def __init__(self, app: App, quiet_storage: str) -> None:
        self.seen: list[tuple[str, str]] = []
        self._tables = next(part for part in quiet_storage.split(";") if part.startswith("TableEndpoint=")).partition(
            "="
        )[2]
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._note)
        trace.freeze()
        app.transport._session.trace_configs.append(trace)

    async def _note(self, _session: object, _context: object, sent: aiohttp.TraceRequestStartParams) -> None:
        url = str(sent.url)
        if url.startswith(self._tables):
            self.seen.append((sent.method, sent.url.path.rpartition("/")[2].partition("(")[0]))


@dataclass
class Clients:
    """Contoso, synced and mapped, and what is needed to look behind the poll."""

    app: App
    sandbox: Sandbox
    rows: Rows

    @property
    def cloud(self) -> CloudSubscription:
        """Contoso's subscription with the most resources."""
        world = self.sandbox.cloud.world
        return world.subscriptions[tenant_called(world, "Contoso").subscription_ids[0]]

    async def poll(self, **fields: Any) -> None:
        await health.run_poll(self.app, jobs.PollSubscription(subscription_id=self.cloud.id, **fields))

    async def observe(self) -> Observation:
        """What a poll sees that has not stored anything yet."""
        place = await places.of(self.app, self.cloud.id)
        assert place is not None
        return await poll._observe(self.app, place)

    async def store(self, claimed: Subscription, observation: Observation) -> int:
        """The devices of an observation, and no more: as far as a poll came that was cut off."""
        return await keep.store(self.app, claimed.id, claimed.tenant_id, observation, None)

    async def row(self) -> Subscription:
        found = await self.app.tables.get(SUBSCRIPTIONS, "subscription", self.cloud.id)
        assert found is not None
        return found

    async def listed(self) -> dict[str, Row]:
        found = await devices.find_all(self.app, ALICE, devices.Filter())
        return {row.entry.resource_id: row for row in found.rows}

    async def shown(self, resource: Resource) -> devices.Shown:
        return await devices.get(self.app, ALICE, devices.device_id(self.cloud.id, resource.id))

    async def stored(self, prefix: str) -> list[str]:
        rows = self.app.tables.rows(DEVICES.table, self.cloud.id, prefix=prefix)
        return [entity["RowKey"] async for entity in rows]

    def machine(self) -> Resource:
        machines = [r for r in self.cloud.resources.values() if r.type == VM and r.power == "running"]
        return machines[0]

    def site(self) -> Resource:
        return next(r for r in self.cloud.resources.values() if r.type == SITE_TYPE)

    def stop(self, resource: Resource) -> None:
        """Somebody stops a site behind our back."""
        resource.properties = {**resource.properties, "state": "Stopped"}
        self.cloud.version += 1

    def fail_states(self, **how: Any) -> None:
        self.sandbox.cloud.faults.append(Fault(service="arm", path="ResourceGraph", **how))

    def fall_ill(self, resource: Resource) -> None:
        world = self.sandbox.cloud.world
        world.set_health(resource, platform_fault(world.clock.now()))

    def recover(self, resource: Resource) -> None:
        world = self.sandbox.cloud.world
        world.set_health(resource, available(resource, world.clock.now()))

    def calls(self) -> list[str]:
        return [row["url"].partition("?")[0] for row in self.sandbox.cloud.requests if row["service"] == "arm"]

    async def waiting(self, job: type[jobs.Job]) -> int:
        """Messages in the queue of a job; it is made by its first message."""
        name = job.QUEUE
        queues = [queue.name async for queue in self.app.queues._service.list_queues(name_starts_with=name)]
        if name not in queues:
            return 0
        return int((await self.app.queues._client(name).get_queue_properties()).approximate_message_count or 0)


def told(resource: Resource) -> str | None:
    """The run state in the resource's own properties; None when there is none, or another request tells it."""
    row = known(resource.type)
    if row is None or row.state.request:
        return None
    return state_of(row.state, {"properties": resource.properties})


@pytest_asyncio.fixture
async def contoso(quiet_storage: str, sandbox: Sandbox, control: httpx.AsyncClient) -> AsyncIterator[Clients]:
    (await control.post("/reset", json={})).raise_for_status()
    settings = await settings_for("http://localhost:7071", quiet_storage, sandbox, control)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        app = composition.build(settings_module.load())
    await reset.empty_storage(quiet_storage, app.transport.azure)
    rows = Rows(app, quiet_storage)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(app.aclose)
        world = sandbox.cloud.world
        tenant = tenant_called(world, "Contoso")
        async with httpx.AsyncClient(timeout=30) as http:
            await app.vault.set(refresh_secret_name("c1"), await sign_in(sandbox, http))
        consented(sandbox, tenant)
        now = app.clock.now()
        await app.tables.put(
            CONNECTIONS,
            Connection(
                id="c1",
                name="N",
                partner_tenant_id=world.partner.id,
                cloud="AzureCloud",
                status="active",
                created_at=now,
            ),
        )
        await app.tables.put(
            TENANTS,
            Tenant(
                id=tenant.id,
                display_name="Contoso",
                default_domain=tenant.default_domain,
                connection_id="c1",
                relationship="reseller",
                status="synced",
            ),
        )
        cloud = world.subscriptions[tenant.subscription_ids[0]]
        await app.tables.put(
            SUBSCRIPTIONS,
            Subscription(id=cloud.id, tenant_id=tenant.id, connection_id="c1", name=cloud.name, access="adminAgents"),
        )
        await app.tables.put(SITES, Site(id="contoso-hq", client_name="Contoso", site_name="HQ", tenant_id=tenant.id))
        yield Clients(app, sandbox, rows)


async def test_every_resource_is_listed_with_its_health(contoso: Clients) -> None:
    await contoso.poll()
    listed = await contoso.listed()
    assert set(listed) == {resource.id for resource in contoso.cloud.resources.values()}
    for resource in contoso.cloud.resources.values():
        entry = listed[resource.id].entry
        expected = "notReported" if resource.health is None else (resource.health.state or "unknown").lower()
        assert entry.status == expected
        assert entry.power_state == (resource.power if resource.type == VM else told(resource))


async def test_an_unchanged_poll_makes_four_calls_reads_one_row_and_writes_one(contoso: Clients) -> None:
    await contoso.poll()
    await contoso.poll()
    before, contoso.rows.seen[:] = len(contoso.calls()), []
    await contoso.poll()
    assert len(contoso.calls()) - before == 4
    assert contoso.calls()[before:].count(GRAPH) == 1
    assert contoso.rows.seen == [("GET", "Subscriptions"), ("PUT", "Subscriptions")]
    row = await contoso.row()
    assert row.last_refreshed_at is not None
    assert row.failing_since is None


async def test_a_subscription_without_machines_is_not_asked_for_power_states(contoso: Clients) -> None:
    for resource in [r for r in contoso.cloud.resources.values() if r.type == VM]:
        del contoso.cloud.resources[resource.id.lower()]
    contoso.cloud.version += 1
    await contoso.poll()
    assert not [path for path in contoso.calls() if path.endswith("/virtualMachines")]
    assert len(contoso.calls()) == 3


async def test_what_has_no_run_state_costs_no_call_for_it(contoso: Clients) -> None:
    kept = {key: r for key, r in contoso.cloud.resources.items() if r.type != VM and known(r.type) is None}
    assert kept
    contoso.cloud.resources = kept
    contoso.cloud.version += 1
    for _ in range(2):
        before = len(contoso.calls())
        await contoso.poll()
        assert len(contoso.calls()) - before == 2
    assert {row.entry.power_state for row in (await contoso.listed()).values()} == {None}


async def test_a_changed_run_state_shows_after_the_next_poll_and_makes_no_event(contoso: Clients) -> None:
    await contoso.poll()
    site, events = contoso.site(), await contoso.stored(EVENT_PREFIX)
    before = devices.view(contoso.app, await contoso.shown(site))
    assert (before["powerState"], before["actions"]) == ("running", ["stop", "restart"])
    contoso.stop(site)
    contoso.rows.seen.clear()
    await contoso.poll()
    assert [table for method, table in contoso.rows.seen if method == "POST"] == ["$batch"]
    after = devices.view(contoso.app, await contoso.shown(site))
    assert (after["powerState"], after["actions"]) == ("stopped", ["start"])
    assert await contoso.stored(EVENT_PREFIX) == events


@pytest.mark.parametrize(
    "how",
    [
        {"status": 403, "body": {"error": {"code": "AccessDenied", "message": "No."}}},
        {"status": 400, "body": {"error": {"code": "BadRequest", "message": "Not understood."}}},
        {"status": 200, "body": {"data": [{"id": "/a"}], "resultTruncated": "false"}},
        {"status": 200, "body": {"data": {"columns": [{"name": "id"}], "rows": [["/a", 1]]}}},
        {"status": 200, "body": {"data": {"columns": [], "rows": []}, "resultTruncated": "true"}},
    ],
)
async def test_run_states_that_cannot_be_read_are_unknown_and_fail_nothing(
    contoso: Clients, how: dict[str, Any]
) -> None:
    await contoso.poll()
    machine, site = contoso.machine(), contoso.site()
    contoso.fail_states(times=10, **how)
    contoso.fall_ill(machine)
    events = len(await contoso.stored(EVENT_PREFIX))
    await contoso.poll()
    assert await contoso.waiting(jobs.PollSubscription) == 0
    row, listed = await contoso.row(), await contoso.listed()
    assert row.last_attempt_at == row.last_refreshed_at
    assert (row.last_error or {})["code"] == STATES_UNREAD
    assert (row.last_error or {})["fix"]
    assert listed[machine.id].entry.status == "unavailable"
    assert listed[machine.id].entry.power_state == "running"
    assert len(await contoso.stored(EVENT_PREFIX)) == events + 1
    shown = devices.view(contoso.app, await contoso.shown(site))
    assert "powerState" not in shown
    assert shown["actions"] == ["start", "stop", "restart"]
    assert shown["refreshError"]["code"] == STATES_UNREAD
    contoso.sandbox.cloud.faults.clear()
    await contoso.poll()
    assert (await contoso.row()).failing_since is None
    assert (await contoso.listed())[site.id].entry.power_state == "running"


@pytest.mark.parametrize(
    "how", [{"status": 429, "retry_after": 60}, {"status": 503, "retry_after": 60}, {"kind": "disconnect"}]
)
async def test_while_resource_graph_is_busy_the_run_states_stay_and_are_not_written_again(
    contoso: Clients, how: dict[str, Any]
) -> None:
    await contoso.poll()
    before = await contoso.listed()
    contoso.stop(contoso.site())
    contoso.machine().power = "deallocated"
    contoso.fail_states(times=20, **how)
    contoso.rows.seen.clear()
    await contoso.poll()
    assert await contoso.waiting(jobs.PollSubscription) == 0
    assert ((await contoso.row()).last_error or {})["code"] == STATES_UNREAD
    assert contoso.rows.seen.count(("POST", "$batch")) == 1
    after = await contoso.listed()
    changed = [key for key in before if after[key].entry != before[key].entry]
    assert [after[key].entry.power_state for key in changed] == ["deallocated"]
    contoso.sandbox.cloud.faults.clear()
    await contoso.poll()
    assert (await contoso.row()).last_error is None
    assert (await contoso.listed())[contoso.site().id].entry.power_state == "stopped"


async def test_a_poll_does_not_wait_for_a_resource_graph_that_does_not_answer(
    contoso: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    await contoso.poll()
    monkeypatch.setattr(poll, "STATES_SECONDS", 0.3)
    contoso.fail_states(kind="slow", status=0, delay_ms=20_000, times=1)
    machine, site = contoso.machine(), contoso.site()
    contoso.fall_ill(machine)
    async with asyncio.timeout(15):
        await contoso.poll()
    listed = await contoso.listed()
    assert (listed[machine.id].entry.status, listed[site.id].entry.power_state) == ("unavailable", "running")
    assert ((await contoso.row()).last_error or {})["code"] == STATES_UNREAD


async def test_a_busy_moment_of_resource_graph_is_sat_out(contoso: Clients) -> None:
    contoso.fail_states(status=429, retry_after=1, times=2)
    await contoso.poll()
    assert contoso.calls().count(GRAPH) == 3
    assert (await contoso.row()).last_error is None
    assert (await contoso.listed())[contoso.site().id].entry.power_state == "running"


async def test_to_lack_run_states_and_to_be_refused_are_told_each_since_it_began(contoso: Clients) -> None:
    contoso.fail_states(status=403, times=2)
    await contoso.poll()
    began = (await contoso.row()).failing_since
    contoso.app.clock.advance(900)
    await contoso.poll()
    assert (await contoso.row()).failing_since == began is not None
    contoso.app.clock.advance(900)
    body = {"error": {"code": "AuthorizationFailed", "message": "No."}}
    contoso.sandbox.cloud.faults.append(
        Fault(service="arm", path="availabilityStatuses", status=403, body=body, times=1)
    )
    await contoso.poll()
    refused = await contoso.row()
    assert (refused.last_error or {})["code"] == "AuthorizationFailed"
    assert refused.failing_since is not None
    assert refused.failing_since >= began + timedelta(seconds=1800)
    contoso.app.clock.advance(900)
    contoso.fail_states(status=403, times=1)
    await contoso.poll()
    lacking = await contoso.row()
    assert lacking.failing_since is not None
    assert lacking.failing_since >= refused.failing_since + timedelta(seconds=900)


async def test_run_states_are_read_page_by_page(contoso: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_graph, "PAGE_ROWS", 2)
    await contoso.poll()
    having = [r for r in contoso.cloud.resources.values() if r.type != VM and told(r) is not None]
    listed = await contoso.listed()
    assert {r.id: listed[r.id].entry.power_state for r in having} == {r.id: told(r) for r in having}
    assert contoso.calls().count(GRAPH) == -(-len(having) // 2) > 2


async def test_a_change_is_written_with_its_event_and_shown(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    events = len(await contoso.stored(EVENT_PREFIX))
    await contoso.poll()
    entry = (await contoso.listed())[resource.id].entry
    assert entry.status == "unavailable"
    assert len(await contoso.stored(EVENT_PREFIX)) == events + 1
    assert await contoso.waiting(jobs.ApplyEvents) >= 1
    shown = await devices.get(contoso.app, ALICE, entry.id)
    [change] = await devices.history(contoso.app, shown, limit=10)
    assert (change.before, change.after, change.context) == ("available", "unavailable", "Platform Initiated")
    assert devices.view(contoso.app, shown)["recommendedActions"]


async def test_one_changed_device_writes_one_transaction_one_index_and_the_subscription(contoso: Clients) -> None:
    await contoso.poll()
    contoso.fall_ill(contoso.machine())
    contoso.rows.seen.clear()
    await contoso.poll()
    written = [seen for seen in contoso.rows.seen if seen[0] != "GET"]
    claim = note = ("PUT", "Subscriptions")
    assert written == [claim, ("POST", "$batch"), ("PUT", "DeviceIndex"), note]


async def test_a_poll_cut_off_after_the_devices_were_written_is_finished_by_the_next(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    observation = await contoso.observe()
    claimed = await poll._claim(contoso.app, await contoso.row(), observation)
    assert claimed is not None
    await contoso.store(claimed, observation)
    client = contoso.app.queues._client(jobs.ApplyEvents.QUEUE)
    await client.clear_messages()
    assert (await contoso.row()).digest != observation.digest
    contoso.app.clock.advance(poll.CLAIM_SECONDS + 1)
    await contoso.poll()
    assert await contoso.waiting(jobs.ApplyEvents) == 1
    assert (await contoso.row()).digest == observation.digest
    [change] = await contoso.app.tables.all(
        CHANGES, contoso.cloud.id, prefix=f"{CHANGE_PREFIX}{devices.device_id(contoso.cloud.id, resource.id)}"
    )
    assert change.after == "unavailable"


async def test_a_state_that_flips_back_after_a_poll_was_cut_off_is_shown_right(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    observation = await contoso.observe()
    claimed = await poll._claim(contoso.app, await contoso.row(), observation)
    assert claimed is not None
    await contoso.store(claimed, observation)
    # The very answer of before, so that its digest is that of before.
    resource.health = resource.health_history[1]
    contoso.cloud.version += 1
    contoso.app.clock.advance(poll.CLAIM_SECONDS + 1)
    await contoso.poll()
    assert (await contoso.listed())[resource.id].entry.status == "available"


async def test_a_poll_waits_while_another_writes(contoso: Clients) -> None:
    await contoso.poll()
    contoso.fall_ill(contoso.machine())
    claimed = await poll._claim(contoso.app, await contoso.row(), await contoso.observe())
    assert claimed is not None
    calls = len(contoso.calls())
    await contoso.poll()
    assert len(contoso.calls()) == calls
    assert await contoso.waiting(jobs.PollSubscription) == 1
    assert (await contoso.row()).digest == claimed.digest
    assert len(await contoso.listed()) == len(contoso.cloud.resources)


async def test_a_poll_that_slept_over_its_claim_does_not_vouch_for_what_it_overwrote(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    old = await contoso.observe()
    claimed = await poll._claim(contoso.app, await contoso.row(), old)
    assert claimed is not None
    contoso.recover(resource)
    contoso.app.clock.advance(poll.CLAIM_SECONDS + 1)
    await contoso.poll()
    assert not await poll._keep_claimed(contoso.app, claimed, old, None)
    await contoso.poll()
    assert (await contoso.listed())[resource.id].entry.status == "available"


async def test_of_two_polls_that_saw_different_things_the_later_writer_makes_sure_one_looks_again(
    contoso: Clients,
) -> None:
    await contoso.poll()
    resource = contoso.machine()
    before = await contoso.row()
    contoso.fall_ill(resource)
    old = await contoso.observe()
    contoso.recover(resource)
    await contoso.poll()
    assert not await poll._keep(contoso.app, before, old)
    assert (await contoso.listed())[resource.id].entry.status == "available"


async def test_polls_of_the_same_subscription_at_once_end_in_one_change(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    await asyncio.gather(*(contoso.poll() for _ in range(4)))
    await contoso.poll()
    changes = await contoso.stored(f"{CHANGE_PREFIX}{devices.device_id(contoso.cloud.id, resource.id)}")
    assert len(changes) == 1
    assert (await contoso.listed())[resource.id].entry.status == "unavailable"


async def test_a_deleted_resource_leaves_the_list_with_an_event(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    del contoso.cloud.resources[resource.id.lower()]
    contoso.cloud.version += 1
    await contoso.poll()
    assert resource.id not in await contoso.listed()
    events = await contoso.app.tables.all(EVENTS, contoso.cloud.id, prefix=EVENT_PREFIX)
    assert [e.change.after for e in events if e.device.resource_id == resource.id] == [None]


@pytest.mark.parametrize(
    "status, code",
    [(403, "AuthorizationFailed"), (404, "SubscriptionNotFound")],
)
async def test_a_refused_subscription_keeps_its_devices_and_says_why(contoso: Clients, status: int, code: str) -> None:
    await contoso.poll()
    before = await contoso.listed()
    refreshed = (await contoso.row()).last_refreshed_at
    body = {"error": {"code": code, "message": "No."}}
    contoso.sandbox.cloud.faults.append(
        Fault(service="arm", path="availabilityStatuses", status=status, body=body, times=1)
    )
    await contoso.poll()
    row = await contoso.row()
    assert row.failing_since is not None
    assert row.last_error is not None
    assert row.last_error["code"] == code
    assert row.last_error["fix"]
    assert row.last_refreshed_at == refreshed
    after = await contoso.listed()
    assert set(after) == set(before)
    summary = await devices.summary(contoso.app, ALICE, devices.Filter())
    [failing] = summary["failing"]
    assert (failing["code"], failing["tenantName"]) == (code, "Contoso")
    assert failing["ageSeconds"] is not None
    assert failing["ageSeconds"] >= 0
    await contoso.poll()
    assert (await contoso.row()).failing_since is None


async def test_a_subscription_that_a_refresh_finds_without_access_fails_until_it_is_read_again(
    contoso: Clients,
) -> None:
    await contoso.poll()
    connection = await connections.get(contoso.app, "c1")
    tenant = await tenants.get(contoso.app, (await contoso.row()).tenant_id)
    roles = list(contoso.cloud.role_assignments)
    contoso.cloud.role_assignments.clear()
    await tenants.discover(contoso.app, connection, tenant)
    since = (await contoso.row()).failing_since
    [failing] = (await devices.summary(contoso.app, ALICE, devices.Filter()))["failing"]
    assert (failing["code"], failing["since"]) == ("noAzureAccess", since)
    assert since is not None
    contoso.cloud.role_assignments.extend(roles)
    await tenants.discover(contoso.app, connection, tenant)
    assert (await devices.summary(contoso.app, ALICE, devices.Filter()))["failing"] == []
    await contoso.poll()
    assert (await contoso.row()).failing_since is None


async def test_a_throttled_poll_comes_back_when_azure_says(contoso: Clients) -> None:
    await contoso.poll()
    contoso.sandbox.cloud.faults.append(Fault(service="arm", status=429, retry_after=7, times=1))
    await contoso.poll()
    assert await contoso.waiting(jobs.PollSubscription) == 1
    assert (await contoso.row()).failing_since is None
    client = contoso.app.queues._client(jobs.PollSubscription.QUEUE)
    assert [m async for m in client.receive_messages()] == []


async def test_a_poll_that_was_put_off_too_often_counts_as_failed(contoso: Clients) -> None:
    await contoso.poll()
    contoso.sandbox.cloud.faults.append(Fault(service="arm", status=429, retry_after=7, times=1))
    await contoso.poll(attempt=poll.MAX_WAITS)
    assert await contoso.waiting(jobs.PollSubscription) == 0
    assert (await contoso.row()).failing_since is not None


@pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "disconnect"}])
async def test_a_passing_fault_is_outlived_without_a_word(contoso: Clients, fault: dict[str, Any]) -> None:
    contoso.sandbox.cloud.faults.append(Fault(service="arm", times=1, **fault))
    await contoso.poll()
    row = await contoso.row()
    assert row.digest is not None
    assert row.failing_since is None


async def test_a_subscription_that_does_not_use_resource_health_yet_is_listed_and_warned_about(
    contoso: Clients,
) -> None:
    body = {"error": {"code": "MissingSubscriptionRegistration", "message": "Not registered."}}
    contoso.sandbox.cloud.faults.append(
        Fault(service="arm", path="availabilityStatuses", status=409, body=body, times=1)
    )
    await contoso.poll()
    listed = await contoso.listed()
    assert {row.entry.status for row in listed.values()} == {"notReported"}
    assert (await contoso.row()).last_error is not None
    assert not await contoso.stored(EVENT_PREFIX)


async def test_a_revoked_sign_in_marks_the_connection(contoso: Clients) -> None:
    contoso.sandbox.cloud.world.people["dave"].refused_with = 50173
    await contoso.poll()
    connection = await connections.get(contoso.app, "c1")
    assert connection.status == "needsConsent"
    assert (await contoso.row()).failing_since is not None


async def test_what_is_not_mapped_is_neither_polled_nor_shown(contoso: Clients) -> None:
    await contoso.poll()
    assert await health.poll_all(contoso.app) == 1
    site = next(iter(await sites.every(contoso.app)))
    await contoso.app.tables.put(SITES, site.changed(tenant_id=None))
    contoso.app.memory.clear()
    assert await health.poll_all(contoso.app) == 0
    assert await contoso.listed() == {}
    calls = len(contoso.calls())
    await contoso.poll()
    assert len(contoso.calls()) == calls


async def test_devices_forgotten_under_a_poll_stay_forgotten_until_the_next_one(contoso: Clients) -> None:
    await contoso.poll()
    contoso.fall_ill(contoso.machine())
    observation = await contoso.observe()
    claimed = await poll._claim(contoso.app, await contoso.row(), observation)
    assert claimed is not None
    await devices.forget_subscription(contoso.app, contoso.cloud.id)
    assert not await poll._note(contoso.app, claimed, observation, 5)
    assert await contoso.listed() == {}
    assert await contoso.stored(DEVICE_PREFIX) == []
    await contoso.poll()
    assert len(await contoso.listed()) == len(contoso.cloud.resources)


async def test_old_changes_leave_and_devices_stay(contoso: Clients) -> None:
    await contoso.poll()
    contoso.fall_ill(contoso.machine())
    await contoso.poll()
    assert await contoso.stored(CHANGE_PREFIX)
    assert await retention.sweep(contoso.app) == 0
    contoso.app.clock.advance(timedelta(days=contoso.app.settings.change_retention_days + 1).total_seconds())
    assert await retention.sweep(contoso.app) > 0
    assert await contoso.stored(CHANGE_PREFIX) == []
    assert len(await contoso.stored(DEVICE_PREFIX)) == len(contoso.cloud.resources)
    assert len(await contoso.stored(EVENT_PREFIX)) >= 1


async def test_the_index_is_read_again_only_after_a_change(contoso: Clients) -> None:
    await contoso.poll()
    await contoso.listed()
    contoso.rows.seen.clear()
    await contoso.listed()
    assert ("GET", index.TABLE) not in contoso.rows.seen
    contoso.fall_ill(contoso.machine())
    await contoso.poll()
    contoso.rows.seen.clear()
    await contoso.listed()
    assert contoso.rows.seen.count(("GET", index.TABLE)) == 1


async def test_devices_written_after_their_tenant_was_unsynced_are_removed_again(contoso: Clients) -> None:
    await contoso.poll()
    contoso.fall_ill(contoso.machine())
    observation = await contoso.observe()
    claimed = await poll._claim(contoso.app, await contoso.row(), observation)
    assert claimed is not None
    count = await contoso.store(claimed, observation)
    place = await places.of(contoso.app, contoso.cloud.id)
    assert place is not None
    assert place.tenant is not None
    await contoso.app.tables.put(TENANTS, place.tenant.changed(status="deactivated"))
    row = await contoso.row()
    await contoso.app.tables.put(SUBSCRIPTIONS, row.changed(digest=None, last_attempt_at=None))
    assert await poll._note(contoso.app, claimed, observation, count)
    assert await contoso.stored(DEVICE_PREFIX) == []
    assert (await contoso.row()).digest is None


async def test_what_was_mapped_a_moment_ago_is_polled(contoso: Clients) -> None:
    site = next(iter(await sites.every(contoso.app)))
    await contoso.app.tables.put(SITES, site.changed(tenant_id=None))
    await contoso.poll()
    assert contoso.calls() == []
    await contoso.app.tables.put(SITES, site.changed(etag=None))
    await contoso.poll()
    assert (await contoso.row()).digest is not None


async def test_a_subscription_seen_through_lighthouse_is_read_with_a_token_of_the_partner(contoso: Clients) -> None:
    world = contoso.sandbox.cloud.world
    delegated = next(s for s in world.subscriptions.values() if s.name == "Contoso Landing Zone")
    row = await contoso.row()
    await contoso.app.tables.put(
        SUBSCRIPTIONS,
        row.changed(id=delegated.id, name=delegated.name, access="lighthouse", access_by_person=True, etag=None),
    )
    job = jobs.PollSubscription(subscription_id=delegated.id)
    await health.run_poll(contoso.app, job)
    await health.run_poll(contoso.app, job)
    contoso.rows.seen.clear()
    await health.run_poll(contoso.app, job)
    assert contoso.rows.seen == [("GET", "Subscriptions"), ("PUT", "Subscriptions")]
    polled = await contoso.app.tables.get(SUBSCRIPTIONS, "subscription", delegated.id)
    assert polled is not None
    assert polled.device_count == len(delegated.resources)


async def test_a_change_is_found_without_reading_every_device(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    contoso.rows.seen.clear()
    await contoso.poll()
    read = [table for method, table in contoso.rows.seen if method == "GET"]
    assert sorted(read) == ["DeviceIndex", "Devices", "Subscriptions"]
    del contoso.cloud.resources[resource.id.lower()]
    contoso.cloud.version += 1
    await contoso.poll()
    assert resource.id not in await contoso.listed()
    assert len(await contoso.stored(DEVICE_PREFIX)) == len(contoso.cloud.resources)


async def test_many_changes_at_once_are_written_in_several_transactions(contoso: Clients) -> None:
    await contoso.poll()
    reported = [r for r in contoso.cloud.resources.values() if r.health is not None]
    assert len(reported) > keep.FEW / 2
    for resource in contoso.cloud.resources.values():
        resource.tags = {"changed": "yes"}
        if resource.health is not None:
            contoso.fall_ill(resource)
    await contoso.poll()
    listed = await contoso.listed()
    assert {listed[resource.id].entry.status for resource in reported} == {"unavailable"}
    shown = await devices.get(contoso.app, ALICE, listed[reported[0].id].entry.id)
    assert shown.device.tags == {"changed": "yes"}
    await contoso.poll()
    assert {key: row.entry for key, row in (await contoso.listed()).items()} == {
        key: row.entry for key, row in listed.items()
    }


async def test_a_poll_that_failed_while_writing_does_not_keep_others_waiting(contoso: Clients) -> None:
    await contoso.poll()
    resource = contoso.machine()
    contoso.fall_ill(resource)
    before = await contoso.row()
    observation = await contoso.observe()
    twice = keep.Observation(observation.at, [*observation.seen, *observation.seen], observation.digest)
    with pytest.raises(Conflict):
        await poll._keep(contoso.app, before.changed(digest=None, etag=before.etag), twice)
    assert (await contoso.row()).last_attempt_at is None
    await contoso.poll()
    assert (await contoso.listed())[resource.id].entry.status == "unavailable"
